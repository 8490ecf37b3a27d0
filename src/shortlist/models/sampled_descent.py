"""Stochastic gradient descent on the objective of WALS, with pairs drawn at random in place of all of them.

The sum over all pairs w0 Σ_all (u·v)² is estimated by drawn pairs, each user and each item that has a vector as likely
as any other, of the weight c = w0 |U| |I| / (n · pairs) where every observed pair draws n. One pass over the observed
pairs then has the gradient of J in expectation: n · pairs draws, each of which has the mean w0 / (n · pairs) times the
gradient of the sum. Drawing for the user of the pair instead would weigh users by their activity.

The penalty of a row is spread evenly over its observed pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.errors import NonFiniteError
from shortlist.kernels.sampled_pairs import sampled_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.models.weighted_squares import Loss, Observed

    F32 = NDArray[np.float32]

PAIRS_A_CALL = 1 << 15  # so that Ctrl-C finds the interpreter soon


@dataclass(frozen=True, eq=False)
class Draws:
    """Pairs of any user and any item that have a vector, `n` for an observed pair, with the weight of each."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    n: int
    weight: float

    @classmethod
    def of(cls, by_user: Observed, loss: Loss, n: int) -> Draws:
        """Return what is drawn for the pairs of `by_user`; `n` is 0 where w0 is 0, and nothing needs to be drawn."""
        pairs = by_user.weights
        users = np.flatnonzero(np.diff(pairs.indptr) > 0)
        items = np.flatnonzero(np.bincount(pairs.indices, minlength=pairs.shape[1]) > 0)
        if loss.unobserved_weight == 0:
            n = 0
        weight = loss.unobserved_weight * users.size * items.size / (max(n, 1) * pairs.nnz)
        return cls(users.astype(np.int32), items.astype(np.int32), n, weight)

    def draw(self, rng: np.random.Generator, n_pairs: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return users int32[n_pairs · n] and items of as many pairs, drawn independently with replacement."""
        size = n_pairs * self.n
        return (
            self.users[rng.integers(self.users.size, size=size)],
            self.items[rng.integers(self.items.size, size=size)],
        )


def sampled_passes(
    by_user: Observed,
    by_item: Observed,
    users: F32,
    items: F32,
    loss: Loss,
    *,
    n_negatives: int,
    learning_rate: float,
    n_passes: int,
    is_refit: bool = False,
    rng: np.random.Generator,
) -> Iterator[None]:
    """Yield after each of `n_passes` over the pairs in a fresh random order; `users` and `items` change in place.

    The rate falls linearly from `learning_rate` towards 0, so that the last pass settles. Where the vectors come from
    an earlier fit (`is_refit`), a first pass moves nothing and finds the squared gradients, which then count n_passes
    times: the first steps, which are the longest, would otherwise undo that fit. Serial: the result does not depend on
    the number of threads. Raises `NonFiniteError` when vectors become NaN or infinite.
    """
    pairs, draws = by_user.weights, Draws.of(by_user, loss, n_negatives)
    user_idx = np.repeat(np.arange(pairs.shape[0], dtype=np.int32), np.diff(pairs.indptr))
    arrays = user_idx, pairs.indices.astype(np.int32), pairs.data.astype(np.float32), by_user.targets
    decay = [
        (loss.penalties(side) / np.maximum(np.diff(side.weights.indptr), 1)).astype(np.float32)
        for side in (by_user, by_item)
    ]
    squares = np.zeros(len(users)), np.zeros(len(items))
    for number in range(-1 if is_refit else 0, n_passes):
        rate = learning_rate * (1 - number / n_passes) if number >= 0 else 0.0
        order = rng.permutation(pairs.nnz)
        for start in range(0, pairs.nnz, PAIRS_A_CALL):
            chosen = [array[order[start : start + PAIRS_A_CALL]] for array in arrays]
            _take(chosen, loss, draws, rng, decay, (users, items), squares, rate)
        if number < 0:
            squares[0][:] *= n_passes
            squares[1][:] *= n_passes
            continue
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise NonFiniteError(
                "the vectors became NaN or infinite; lower learning_rate, or raise n_negatives"
            )
        yield


def _take(
    chosen: list[NDArray[Any]],
    loss: Loss,
    draws: Draws,
    rng: np.random.Generator,
    decay: list[F32],
    factors: tuple[F32, F32],
    squares: tuple[NDArray[np.float64], NDArray[np.float64]],
    rate: float,
) -> None:
    user_idx, item_idx, weight, target = chosen
    sampled_steps(
        user_idx,
        item_idx,
        weight,
        target.astype(np.float32),
        loss.taken_off,
        *draws.draw(rng, user_idx.size),
        draws.weight,
        decay[0][user_idx],
        decay[1][item_idx],
        *factors,
        *squares,
        rate,
    )
