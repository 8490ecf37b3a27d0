"""Scores against labels 0 and 1: how well they order, how good they are as probabilities, and the bootstrap of both.

A row is a label with a score; `user` says whose it is. Users are resampled with all their rows, since rows of one user
are alike: the draws are those of `Resampler`, the same for every system, so that differences of draws are paired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from shortlist.metrics.intervals import Resampler

    Floats = NDArray[np.float64]

# Of a probability of exactly 0 or 1 the logarithm would be infinite.
_SMALLEST = 1e-15


def auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the area under the ROC curve: how often a random 1 has a higher score than a random 0; a tie is half.

    - labels 0 or 1, scores finite, both [n] and row-aligned, with a 1 and a 0 among them
    - weights > 0 [n]: how much each row counts, as if it stood there so often; None: all alike

    In [0, 1]; 0.5 for scores that say nothing. O(n log n). It is the statistic of Mann and Whitney divided by the
    number of pairs. Raises `ParameterError` on unequal lengths, other labels, NaN or infinity, or one label only.

    >>> auc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])  # of 4 pairs 3 are in order and one is tied: 3.5 / 4
    0.875
    >>> auc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1], [1, 1, 1, 3])  # (3 + 1 + 3 + 1/2) / (2 · 4)
    0.9375
    """
    truth, score, weight = _rows(labels, scores, weights)
    _require_both(truth)
    return float(_areas(_Ordered(truth, score), weight[None, :])[0])


def log_loss(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return the mean of −ln of the probability that each label was given (cross-entropy, in nats); 0 is best.

    - labels 0 or 1, probabilities of a 1 in [0, 1] (kept 1e-15 away from both ends), weights > 0: [n], row-aligned

    Raises `ParameterError` on unequal lengths, an empty input, other labels, or what is no probability. O(n).

    >>> round(log_loss([1, 0], [0.5, 0.25]), 6)  # (ln 2 + ln 4/3) / 2
    0.490415
    """
    truth, probability, weight = _rows(labels, probabilities, weights)
    return float(np.average(_losses(truth, probability), weights=weight))


def unsampled_probability(probability: ArrayLike, kept: ArrayLike) -> Floats:
    """Return p = p′ / (p′ + (1 − p′) / β): the probability among all rows, where a share β of the 0s was kept.

    `probability` p′ [n] in [0, 1] is that of a 1 among the rows that were kept; `kept` β in (0, 1], one number or [n],
    is the share of the 0s like it that were kept; every 1 was. The order of p′ is that of p where β is the same.
    Source: He et al. 2014, Practical lessons from predicting clicks on ads at Facebook, section 6.3.
    Raises `ParameterError` for what is no probability or no share.

    >>> unsampled_probability([0.5], 0.1).round(4).tolist()  # one 1 beside one 0 of ten: 1 / 11
    [0.0909]
    """
    p, share = np.asarray(probability, np.float64), np.asarray(kept, np.float64)
    if not (np.all((p >= 0) & (p <= 1)) and np.all((share > 0) & (share <= 1))):
        raise ParameterError("probabilities must lie in [0, 1] and the share of 0s that was kept in (0, 1]")
    # p β / (p β + 1 − p), which is the same and divides by nothing small.
    among: Floats = p * share / (p * share + (1 - p))
    return among


def auc_draws(
    labels: ArrayLike, scores: ArrayLike, user: NDArray[np.integer], *, resampler: Resampler
) -> Floats:
    """Return the AUC in each resample of the users, float64[n_bootstrap]; NaN in one without both labels.

    `user` int[n] in [0, n_users) says whose each row is. With `percentile_interval` it gives the interval, and the
    difference of two systems' draws that of their difference. Cost: O(n) a resample after one sort.
    Raises as `auc`, and `ParameterError` for a user outside the resampler's.
    """
    truth, score, _ = _rows(labels, scores, None)
    _require_both(truth)
    owner = _owners(user, truth.size, resampler)
    ordered = _Ordered(truth, score)
    draws = [_areas(ordered, drawn[None, owner]) for block in resampler.weights() for drawn in block]
    return np.concatenate(draws)


def log_loss_draws(
    labels: ArrayLike,
    probabilities: ArrayLike,
    user: NDArray[np.integer],
    weights: ArrayLike | None = None,
    *,
    resampler: Resampler,
) -> Floats:
    """Return the log loss in each resample of the users, float64[n_bootstrap]; arguments as of `auc_draws`.

    Every user of the resampler must have a row, else a resample could be empty: `ParameterError`.
    """
    truth, probability, weight = _rows(labels, probabilities, weights)
    owner = _owners(user, truth.size, resampler)
    count = np.bincount(owner, weight, resampler.n_users)
    if not count.all():
        raise ParameterError(f"user {int(np.argmin(count))} has no row: number only the users that have one")
    loss = np.bincount(owner, weight * _losses(truth, probability), resampler.n_users)
    means = resampler.means(np.column_stack([loss, count]))
    draws: Floats = means[:, 0] / means[:, 1]
    return draws


def auc_of_users(
    labels: ArrayLike, scores: ArrayLike, user: NDArray[np.integer]
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the AUC within each user who has both labels, float64[n], and who they are, int64[n] ascending.

    It says how well a system orders the items of one person; `auc` also counts how well it tells people apart.

    >>> auc_of_users([1, 0, 1, 0], [0.2, 0.1, 0.3, 0.4], np.array([7, 7, 8, 8]))[0].tolist()
    [1.0, 0.0]
    """
    truth, score, _ = _rows(labels, scores, None)
    who, owner = np.unique(np.asarray(user), return_inverse=True)
    if owner.size != truth.size:
        raise ParameterError(f"{owner.size} users for {truth.size} rows: give one for each")
    n_ones = np.bincount(owner, truth, who.size)
    n_pairs = n_ones * (np.bincount(owner, minlength=who.size) - n_ones)
    order = np.lexsort((score, owner))
    group = np.ones(order.size, bool)
    group[1:] = (np.diff(owner[order]) != 0) | (np.diff(score[order]) != 0)
    starts = np.flatnonzero(group)
    ones = np.add.reduceat(truth[order], starts)
    zeros = np.add.reduceat(1 - truth[order], starts)
    below = np.cumsum(zeros) - zeros
    # The zeros below a score within the same user alone.
    whose = owner[order][starts]
    first = np.searchsorted(whose, np.arange(who.size))
    won = np.bincount(whose, ones * (below - below[first][whose] + zeros / 2), who.size)
    both = n_pairs > 0
    return won[both] / n_pairs[both], np.asarray(who[both], np.int64)


class _Ordered:
    """Rows in the order of their scores: where each score begins, and which rows are 1s."""

    def __init__(self, truth: Floats, score: Floats) -> None:
        self.order = np.argsort(score, kind="stable")
        ranked = score[self.order]
        self.starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
        self.ones = truth[self.order]


def _areas(rows: _Ordered, weights: Floats) -> Floats:
    """Return the AUC under each of `weights` [b, n]."""
    weight = weights[:, rows.order]
    ones = np.add.reduceat(weight * rows.ones, rows.starts, axis=1)
    zeros = np.add.reduceat(weight * (1 - rows.ones), rows.starts, axis=1)
    below = np.cumsum(zeros, axis=1) - zeros
    pairs = ones.sum(axis=1) * zeros.sum(axis=1)
    won = (ones * (below + zeros / 2)).sum(axis=1)
    areas: Floats = np.divide(won, pairs, out=np.full(won.size, np.nan), where=pairs > 0)
    return areas


def _losses(truth: Floats, probability: Floats) -> Floats:
    if not np.all((probability >= 0) & (probability <= 1)):
        bad = int(np.flatnonzero((probability < 0) | (probability > 1))[0])
        raise ParameterError(f"probabilities[{bad}] is {probability[bad]}, which lies outside [0, 1]")
    given = np.where(truth == 1, probability, 1 - probability)
    losses: Floats = -np.log(np.maximum(given, _SMALLEST))
    return losses


def _rows(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    truth, score = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    weight = np.ones(truth.shape) if weights is None else np.asarray(weights, np.float64)
    if truth.ndim != 1 or not truth.shape == score.shape == weight.shape:
        raise ParameterError(
            f"labels, scores and weights must be alike, [n]: got {truth.shape}, {score.shape} and {weight.shape}"
        )
    if truth.size == 0:
        raise ParameterError("there is no label to compare with")
    if not np.all((truth == 0) | (truth == 1)):
        raise ParameterError("labels must be 0 or 1")
    if not np.isfinite(score).all():
        bad = int(np.flatnonzero(~np.isfinite(score))[0])
        raise ParameterError(f"scores[{bad}] is {score[bad]}: every row needs a finite score")
    if not (np.isfinite(weight).all() and np.all(weight > 0)):
        raise ParameterError("weights must be finite and above 0")
    return truth, score, weight


def _require_both(truth: Floats) -> None:
    if truth.min() == truth.max():
        raise ParameterError(f"every label is {truth[0]:g}: the AUC needs a 1 and a 0")


def _owners(user: NDArray[np.integer], n_rows: int, resampler: Resampler) -> NDArray[np.int64]:
    owner = np.asarray(user)
    if owner.shape != (n_rows,):
        raise ParameterError(f"{owner.size} users for {n_rows} rows: give one for each")
    if owner.min() < 0 or owner.max() >= resampler.n_users:
        raise ParameterError(f"users must lie in [0, {resampler.n_users}), the resampler's")
    return owner.astype(np.int64)
