"""Three ways to lower the objective of `rating_objective`, each a generator that changes the factors in place.

A generator yields J before each of its epochs, and for ever: `descend` draws from it and knows when to stop.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import NonFiniteError
from shortlist.kernels import ratings as kernels
from shortlist.models.adam import Adam
from shortlist.models.rating_objective import Factors, Penalty, error_gradient, error_objective, objective, residuals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse


def descend(steps: Iterator[float], n_epochs: int, tol: float = 0.0) -> NDArray[np.float64]:
    """Return J before the first epoch and after each, float64[epochs run + 1], having run up to `n_epochs`.

    Stops early when an epoch lowers J by no more than `tol * J`; a `tol` of 0 never does.
    Raises `NonFiniteError` when J is NaN or infinite.
    """
    history: list[float] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch, value in enumerate(itertools.islice(steps, n_epochs + 1)):
            if not np.isfinite(value):
                raise NonFiniteError(_diverged(epoch))
            history.append(value)
            if tol > 0 and epoch and history[-2] - value <= tol * value:
                break
    return np.array(history)


def _diverged(epoch: int) -> str:
    if epoch == 0:
        return "the objective is not finite before the first epoch: a rating or a starting value is NaN or too large"
    return (
        f"the objective is not finite after epoch {epoch}: the steps diverge. "
        "Lower learning_rate, or raise reg if it is near 0"
    )


def adam(
    ratings: sparse.csr_array, factors: Factors, penalty: Penalty, *, learning_rate: float, item_bias: bool
) -> Iterator[float]:
    """Yield J before each full-batch Adam step over float64 `factors`; one epoch is one step (the course's loop)."""
    optimiser = Adam(learning_rate)
    while True:
        error = residuals(ratings, factors)
        yield error_objective(error, factors, penalty)
        optimiser.step(factors, error_gradient(ratings, error, factors, penalty, item_bias=item_bias))


def sgd(
    ratings: sparse.csr_array,
    factors: Factors,
    penalty: Penalty,
    *,
    learning_rate: float,
    n_epochs: int,
    item_bias: bool,
    rng: np.random.Generator,
) -> Iterator[float]:
    """Yield J before each pass over the ratings in a fresh random order, one gradient step a rating, in float32.

    The step falls linearly from `learning_rate` towards 0 over `n_epochs`, so that the last pass settles. A row's
    penalty is spread over its ratings, so that one pass follows the gradient of the whole J. Rows without ratings
    stay as they are. Serial: the result does not depend on the number of threads.
    """
    user_idx = np.repeat(np.arange(ratings.shape[0], dtype=np.int32), np.diff(ratings.indptr))
    decay = [np.float32(p) for p in _penalty_per_rating(ratings, penalty)]
    for epoch in itertools.count():
        yield objective(ratings, factors, penalty)
        step = np.float32(learning_rate * max(0.0, 1 - epoch / n_epochs))
        order = rng.permutation(ratings.nnz)
        kernels.sgd_epoch(
            order, user_idx, ratings.indices, ratings.data, *factors, *decay, step, step * np.float32(item_bias)
        )


def _penalty_per_rating(ratings: sparse.csr_array, penalty: Penalty) -> Iterator[NDArray[np.float64]]:
    of_user = np.maximum(np.diff(ratings.indptr), 1)
    of_item = np.maximum(np.bincount(ratings.indices, minlength=ratings.shape[1]), 1)
    for p, n in zip(penalty, (of_user, of_user, of_item, of_item), strict=True):
        yield p / n
