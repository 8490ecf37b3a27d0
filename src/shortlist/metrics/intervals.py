"""Intervals by the paired bootstrap over users, with the percentile method.

Users are drawn with replacement; a draw gives user u the weight w_u, multinomial with n trials and equal odds,
and the mean of a metric becomes Σ w_u v_u / n. A `Resampler` gives the same weights on every call, so all
metrics and systems of one comparison see the same resamples: the difference of two systems' draws is paired.

Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13 (percentile intervals).

Catalogue coverage and Gini get no such interval. They are no means over users: a resample repeats some users
and leaves out about 37 % of them, so it shows fewer distinct items, and less even counts, than the real lists
do. The whole distribution of draws can lie to one side of the figure it is meant to surround.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.errors import ParameterError
from shortlist.parameters import generator
from shortlist.threads import single_blas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_BLOCK_WEIGHTS = 1 << 20  # 8 MiB of weights at a time: they stay near the core


class Interval(NamedTuple):
    """A figure with the bounds of its interval, in the unit of the metric."""

    point: float
    low: float
    high: float


class Resampler:
    """The bootstrap's resamples of `n_users` users, the same ones on every call.

    `n_users` >= 1 and `n_bootstrap` >= 1. `rng` (SPEC 7: a Generator, a seed, or None for fresh entropy) is
    used once, for the seed. Holds no weights: each call draws them anew, in blocks.
    """

    def __init__(
        self, n_users: int, n_bootstrap: int = 2000, *, rng: np.random.Generator | int | None = None
    ) -> None:
        if n_users < 1:
            raise ParameterError(f"n_users must be at least 1, got {n_users}: there is nobody to resample")
        if n_bootstrap < 1:
            raise ParameterError(f"n_bootstrap must be at least 1, got {n_bootstrap}")
        self.n_users = n_users
        self.n_bootstrap = n_bootstrap
        self._seed: list[int] = generator(rng).integers(1 << 32, size=4).tolist()

    def means(self, values: ArrayLike) -> Floats:
        """Return the mean of each column in each resample, float64[n_bootstrap, n_columns].

        `values` float[n_users, n_columns], all finite; a one-dimensional array gives float64[n_bootstrap]. Give
        all metrics as columns of one call: drawing the weights is most of the cost. Time O(n_bootstrap ×
        n_users × (1 + n_columns)); memory 24 bytes a weight, in blocks of at most max(n_users, 2²⁰) weights.

        Raises `ParameterError` when the rows are not `n_users` or a value is not finite.

        >>> draws = Resampler(3, n_bootstrap=500, rng=0).means([0.0, 0.0, 3.0])
        >>> sorted(set(draws.tolist()))  # the third user was drawn 0, 1, 2 or 3 times of 3
        [0.0, 1.0, 2.0, 3.0]
        """
        table = _finite_table(values, self.n_users)
        columns = table.reshape(self.n_users, -1)
        centre = columns.mean(axis=0)
        # Centred, a large common level costs no digits of the spread.
        centred = columns - centre
        with single_blas():
            sums = np.concatenate([weights @ centred for weights in self.weights()])
        draws: Floats = centre + sums / self.n_users
        return draws[:, 0] if table.ndim == 1 else draws

    def weights(self) -> Iterator[Floats]:
        """Return the resamples in blocks float64[b, n_users]: how often each user was drawn; n_bootstrap in all.

        For statistics that are no function of means over users. The blocks are those that `means` goes by.
        """
        rng = np.random.default_rng(self._seed)
        size = max(1, _BLOCK_WEIGHTS // self.n_users)
        for start in range(0, self.n_bootstrap, size):
            yield _draw_weights(rng, min(size, self.n_bootstrap - start), self.n_users)


def mean_interval(
    values: ArrayLike, baseline: ArrayLike | None = None, *, resampler: Resampler, level: float = 0.95
) -> Interval:
    """Return the mean over users of `values`, or of `values − baseline`, with its bootstrap interval.

    `values` and `baseline` float[n_users] hold one metric of two systems for the same users in the same order.
    The difference is significant at `level` when its interval leaves 0 out. Cost of `Resampler.means`.

    Raises `ParameterError` as `Resampler.means` and `percentile_interval` do.

    >>> same = mean_interval([0.5, 1.0, 0.0], [0.25, 0.75, -0.25], resampler=Resampler(3, rng=0))
    >>> same  # every user gains 1/4, so does every resample
    Interval(point=0.25, low=0.25, high=0.25)
    """
    gain = _finite_column(values, resampler.n_users)
    if baseline is not None:
        gain = gain - _finite_column(baseline, resampler.n_users)
    return percentile_interval(float(gain.mean()), resampler.means(gain), level=level)


def percentile_interval(point: float, draws: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return `point` with the (1 − level)/2 and (1 + level)/2 quantiles of `draws`, linearly interpolated.

    `draws` float[n_bootstrap] is a statistic's value in each resample. It serves what is a function of means
    too, as RMSE over users' ratings is, √(Σ_u SSE_u / Σ_u n_u):

    >>> squared, count = [4.0, 1.0, 7.0], [2.0, 1.0, 3.0]  # per user: squared errors summed, ratings
    >>> draws = Resampler(3, n_bootstrap=200, rng=0).means(np.column_stack([squared, count]))
    >>> interval = percentile_interval((12 / 6) ** 0.5, np.sqrt(draws[:, 0] / draws[:, 1]))
    >>> round(interval.point, 4), interval.low >= 1.0, interval.high <= (7 / 3) ** 0.5  # each user's RMSE bounds it
    (1.4142, True, True)

    Raises `ParameterError` when level is not inside (0, 1), there is no draw, or a draw is not finite.

    >>> percentile_interval(3.0, [1.0, 2.0, 3.0, 4.0, 5.0], level=0.5)  # the quartiles
    Interval(point=3.0, low=2.0, high=4.0)
    """
    if not 0 < level < 1:
        raise ParameterError(f"level must lie between 0 and 1, got {level}")
    values = np.asarray(draws, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ParameterError(f"draws must be one-dimensional, not empty and finite, got shape {values.shape}")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(point), float(low), float(high))


def _draw_weights(rng: np.random.Generator, n_draws: int, n_users: int) -> Floats:
    """Return multinomial counts float64[n_draws, n_users] by counting uniform draws (cheaper than binomials)."""
    drawn = rng.integers(n_users, size=(n_draws, n_users))
    drawn += np.arange(0, n_draws * n_users, n_users)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_draws * n_users)
    return counts.astype(np.float64).reshape(n_draws, n_users)


def _finite_table(values: ArrayLike, n_users: int) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim not in (1, 2) or table.shape[0] != n_users:
        raise ParameterError(f"values of shape {table.shape} do not have one row for each of {n_users} users")
    bad = np.argwhere(~np.isfinite(table))
    if bad.size:
        raise ParameterError(f"the value of user row {bad[0, 0]} is not finite; drop users without a value")
    return table


def _finite_column(values: ArrayLike, n_users: int) -> Floats:
    column = _finite_table(values, n_users)
    if column.ndim != 1:
        raise ParameterError(f"give one value a user, got shape {column.shape}")
    return column
