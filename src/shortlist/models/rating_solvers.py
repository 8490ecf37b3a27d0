"""Three ways to lower the objective of `rating_objective`, each a generator that changes the factors in place.

`als` is for ratings; `label_solvers` has its counterpart for labels. `sgd` and `adam` take both.

A generator yields J before each of its epochs, and for ever: `descend` draws from it and knows when to stop.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.errors import NonFiniteError
from shortlist.kernels import ratings as kernels
from shortlist.models.adam import Adam
from shortlist.models.rating_objective import (
    Factors,
    Penalty,
    error_gradient,
    objective,
    penalty_of,
    residuals,
)
from shortlist.models.row_systems import solve_rows
from shortlist.models.strata import stratify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    Floats = NDArray[np.floating[Any]]


def descend(
    steps: Iterator[float],
    n_epochs: int,
    tol: float = 0.0,
    on_epoch: Callable[[list[float]], object] | None = None,
) -> NDArray[np.float64]:
    """Return J before the first epoch and after each, float64[epochs run + 1], having run up to `n_epochs`.

    Stops early when an epoch lowers J by no more than `tol * J`; a `tol` of 0 never does. `on_epoch` is called after
    each epoch with J so far. Raises `NonFiniteError` when J is NaN or infinite.
    """
    history: list[float] = []
    for epoch in range(n_epochs + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            value = next(steps)
        if not np.isfinite(value):
            raise NonFiniteError(_diverged(epoch))
        history.append(value)
        if epoch and on_epoch is not None:
            on_epoch(history)
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


def als(ratings: sparse.csr_array, factors: Factors, penalty: Penalty, *, item_bias: bool) -> Iterator[float]:
    """Yield J before each epoch: all items solved exactly given the users, then all users given the items.

    J never rises (but for rounding of the factors' dtype, which is float32 or float64). Users come last, so
    that a user's vector is exactly what folding in the same ratings gives. Raises `ParameterError` for a
    singular system, which needs reg = 0.
    """
    by_item = ratings.T.tocsr()
    reg, bias_reg = penalty.reg, penalty.bias_reg
    w, b, x, c = factors
    while True:
        yield objective(ratings, factors, penalty)
        if item_bias:
            x[:], c[:] = half_step(by_item, w, b, reg, bias_reg, penalty.item_scale, row="item")
        else:
            x[:] = half_step_without_bias(by_item, w, b, reg, penalty.item_scale, row="item")
        w[:], b[:] = half_step(ratings, x, c, reg, bias_reg, penalty.user_scale, row="user")


def half_step(
    rows: sparse.csr_array,
    vectors: Floats,
    offsets: Floats,
    reg: float,
    bias_reg: float,
    scale: NDArray[np.float64],
    *,
    row: str,
) -> tuple[Floats, Floats]:
    """Return the vectors [n_rows, dim] and biases [n_rows] that minimise J for each of `rows`, jointly and exactly.

    `rows` is the CSR of centred ratings [n_rows, n_others]; the others have `vectors` [n_others, dim] and biases
    `offsets` [n_others]. Row r minimises 1/2 sum_j (z . v_j + a + o_j - y_j)^2 + scale_r/2 (reg |z|^2 + bias_reg a^2):
    a row without ratings gets zeros. The bias is one more coordinate, whose vector entry is always 1.
    """
    dim = vectors.shape[1]
    with_one = np.hstack([vectors, np.ones((len(vectors), 1), vectors.dtype)])
    penalised = np.append(np.full(dim, reg), bias_reg)
    solved = _solve(rows, with_one, offsets, penalised, scale, row)
    return solved[:, :dim], solved[:, dim]


def half_step_without_bias(
    rows: sparse.csr_array,
    vectors: Floats,
    offsets: Floats,
    reg: float,
    scale: NDArray[np.float64],
    *,
    row: str,
) -> Floats:
    """Return the vectors of `half_step` for rows that have no bias of their own."""
    return _solve(rows, vectors, offsets, np.full(vectors.shape[1], reg), scale, row)


def _solve(
    rows: sparse.csr_array,
    vectors: Floats,
    offsets: Floats,
    penalised: NDArray[np.float64],
    scale: NDArray[np.float64],
    row: str,
) -> Floats:
    target = rows.data - offsets[rows.indices]
    weight = np.ones_like(target)
    return solve_rows(
        rows.indptr, rows.indices, weight, target, vectors, base=0.0, reg=scale, penalised=penalised, row=row
    )


def adam(
    ratings: sparse.csr_array,
    factors: Factors,
    penalty: Penalty,
    logits: Floats | None = None,
    *,
    learning_rate: float,
    item_bias: bool,
) -> Iterator[float]:
    """Yield J before each full-batch Adam step over float64 `factors`; one epoch is one step (the course's loop)."""
    optimiser = Adam(learning_rate)
    while True:
        error = residuals(ratings, factors, logits)
        if logits is None:
            yield 0.5 * float(np.square(error).sum()) + penalty_of(factors, penalty)
        else:
            yield objective(ratings, factors, penalty, logits)
        optimiser.step(factors, error_gradient(ratings, error, factors, penalty, item_bias=item_bias))


def sgd(
    ratings: sparse.csr_array,
    factors: Factors,
    penalty: Penalty,
    logits: Floats | None = None,
    *,
    learning_rate: float,
    n_epochs: int,
    item_bias: bool,
    rng: np.random.Generator,
) -> Iterator[float]:
    """Yield J before each pass over the ratings, one gradient step a rating, in float32.

    The ratings lie in blocks (`strata`), in a random order inside each; the blocks of a diagonal run in parallel, and
    the diagonals follow in a fresh random order each pass. The result does not depend on the number of threads.
    The step falls linearly from `learning_rate` towards 0 over `n_epochs`, so that the last pass settles. A row's
    penalty is spread over its ratings, so that one pass follows the gradient of the whole J. Rows without ratings
    stay as they are.
    """
    users = np.repeat(np.arange(ratings.shape[0], dtype=np.int32), np.diff(ratings.indptr))
    strata = stratify(users, ratings.indices, *ratings.shape, rng)
    user_idx, item_idx, targets = (strata.arranged(part) for part in (users, ratings.indices, ratings.data))
    w, b, x, c = _padded(factors.users), factors.user_bias, _padded(factors.items), factors.item_bias
    base = np.zeros_like(c) if logits is None else logits.astype(c.dtype)
    shares, strengths = _shares(ratings, penalty), (np.float32(penalty.reg), np.float32(penalty.bias_reg))
    for epoch in itertools.count():
        yield objective(ratings, factors, penalty, logits)
        step = np.float32(learning_rate * max(0.0, 1 - epoch / n_epochs))

        def visit(start: int, stop: int, _: int, step: np.float32 = step) -> None:
            kernels.sgd_block(
                *(user_idx, item_idx, targets, start, stop, w, b, x, c, base, *shares, *strengths),
                step,
                step * np.float32(item_bias),
                logits is not None,
            )

        strata.sweep(visit, rng)
        for part, padded in ((factors.users, w), (factors.items, x)):
            part[:] = padded[:, : part.shape[1]]


def _padded(rows: Floats) -> Floats:
    """Return a copy of `rows` with columns of zeros up to a multiple of eight, the width of a vector register.

    The steps leave the zeros as they are.
    """
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), rows.dtype)
    padded[:, : rows.shape[1]] = rows
    return padded


def _shares(ratings: sparse.csr_array, penalty: Penalty) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scale of the penalty of each user and each item, divided by the row's number of ratings."""
    of_user = penalty.user_scale / np.maximum(np.diff(ratings.indptr), 1)
    of_item = penalty.item_scale / np.maximum(np.bincount(ratings.indices, minlength=ratings.shape[1]), 1)
    return of_user.astype(np.float32), of_item.astype(np.float32)
