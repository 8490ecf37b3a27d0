"""Alternating logistic regressions: the exact half-steps of a factorisation of labels, by Newton's method.

With the items fixed, each user's part of J (`rating_objective`, with `logits`) is a convex problem of its own, a
penalised logistic regression on the item vectors; and the mirror. Each is solved to convergence, so J never rises.
Source: Newton's method as iteratively reweighted least squares, with the line search of Boyd and Vandenberghe, Convex
Optimization (2004), algorithm 9.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.kernels import label_steps as kernels
from shortlist.models.rating_objective import Factors, Penalty, objective
from shortlist.models.row_systems import solve_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

MOST_STEPS = 50
# Newton's decrement² over 1 + f at which the step just taken was the last: that step leaves about its square.
SMALL_GAP = 1e-9


def als(
    labels: sparse.csr_array, factors: Factors, penalty: Penalty, logits: Floats, *, item_bias: bool
) -> Iterator[float]:
    """Yield J before each epoch: all items solved given the users, then all users given the items.

    J never rises (but for rounding). Users come last, so that a user's vector is what folding in the same labels
    gives. `labels` is the CSR [n_users, n_items] of 0 and 1, of the dtype of `factors`; `logits` is [n_items].
    """
    by_item = labels.T.tocsr()
    w, b, x, c = factors
    strengths = penalty.reg, penalty.bias_reg
    while True:
        yield objective(labels, factors, penalty, logits)
        sides = by_item, w, b, *strengths, penalty.item_scale
        x[:], c[:] = half_step(*sides, start=(x, c), own=logits, bias=item_bias, row="item")
        sides = labels, x, c + logits, *strengths, penalty.user_scale
        w[:], b[:] = half_step(*sides, start=(w, b), row="user")


def half_step(
    rows: sparse.csr_array,
    vectors: Floats,
    offsets: Floats,
    reg: float,
    bias_reg: float,
    scale: NDArray[np.float64],
    *,
    start: tuple[Floats, Floats] | None = None,
    own: Floats | None = None,
    bias: bool = True,
    row: str,
) -> tuple[Floats, Floats]:
    """Return the vectors [n_rows, dim] and biases [n_rows] that minimise J for each of `rows`, jointly.

    `rows` is the CSR of labels [n_rows, n_others]; the others have `vectors` [n_others, dim] and `offsets` [n_others].
    Row r minimises Σ_j log(1 + exp(l_j)) − y_j l_j + scale_r/2 (reg |z|² + bias_reg a²), l_j = z·v_j + a + o_j + own_r:
    `own` [n_rows], 0 where it is None, is what the row brings itself. A row without labels gets zeros; without
    `bias` a stays 0. `start`: where to begin (zeros), which changes nothing but the time. Raises `ParameterError` for
    a `row` without a unique optimum, which needs reg = 0 or bias_reg = 0.
    """
    dim, dtype = vectors.shape[1], vectors.dtype
    known = offsets[rows.indices].astype(dtype)
    if own is not None:
        known += np.repeat(own.astype(dtype), np.diff(rows.indptr))
    ones = np.ones((len(vectors), int(bias)), dtype)
    penalised = np.append(np.full(dim, reg), [bias_reg] * bias)
    begin = np.zeros((rows.shape[0], dim + bias), dtype)
    if start is not None:
        begin[:, :dim] = start[0]
        begin[:, dim:] = start[1][:, None]
    begin[np.diff(rows.indptr) == 0] = 0
    solved = _newton(rows, known, np.hstack([vectors, ones]), penalised, scale, begin, row)
    return solved[:, :dim], solved[:, dim] if bias else np.zeros(rows.shape[0], dtype)


def _newton(
    rows: sparse.csr_array,
    known: Floats,
    vectors: Floats,
    penalised: NDArray[np.float64],
    scale: NDArray[np.float64],
    solution: Floats,
    row: str,
) -> Floats:
    """Return `solution` [n_rows, d], changed in place to the optimum of each row."""
    active = np.flatnonzero(np.diff(rows.indptr))
    left = rows[active]
    offsets = _entries(known, rows, active)
    for _ in range(MOST_STEPS):
        here = solution[active]
        gap = _step(left, offsets, vectors, penalised, scale[active], here, row)
        solution[active] = here
        wide = np.flatnonzero(gap > SMALL_GAP)
        if wide.size == 0:
            break
        offsets = _entries(offsets, left, wide)
        active, left = active[wide], left[wide]
    return solution


def _entries(values: Floats, rows: sparse.csr_array, chosen: NDArray[np.intp]) -> Floats:
    """Return those of `values`, one of each stored entry of `rows`, that belong to the `chosen` rows."""
    like: Any = sparse.csr_array((values, rows.indices, rows.indptr), rows.shape)
    kept: Floats = like[chosen].data
    return kept


def _step(
    rows: sparse.csr_array,
    known: Floats,
    vectors: Floats,
    penalised: NDArray[np.float64],
    scale: NDArray[np.float64],
    solution: Floats,
    row: str,
) -> NDArray[np.float64]:
    """Take one step of Newton's method in place, and return float64[n_rows]: how far each row may still be."""
    weight, right = np.empty(rows.nnz, vectors.dtype), np.empty(rows.nnz, vectors.dtype)
    entries = (
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int32),
        rows.data.astype(vectors.dtype),
        known,
    )
    gap = np.empty(rows.shape[0])

    def respond(start: int, stop: int) -> None:
        kernels.working_response(*entries, vectors, solution, start, stop, weight, right)

    threads.run_blocks(respond, rows.shape[0])
    target = solve_rows(
        entries[0], entries[1], weight, right, vectors, base=0.0, reg=scale, penalised=penalised, row=row
    )

    def advance(start: int, stop: int) -> None:
        kernels.move(*entries, weight, vectors, penalised, scale, target, start, stop, solution, gap)

    threads.run_blocks(advance, rows.shape[0])
    return gap
