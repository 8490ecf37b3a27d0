"""The rows' least-squares systems of one half-step, solved in parallel blocks of equal cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from shortlist import threads
from shortlist.errors import ParameterError
from shortlist.kernels.least_squares import solve_block

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Real = TypeVar("Real", np.float32, np.float64)
Scalar = TypeVar("Scalar", bound=np.generic)

_BLOCKS_PER_THREAD = 32


def solve_rows(
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    quadratic: ArrayLike,
    linear: ArrayLike,
    factors: NDArray[Real],
    *,
    base: ArrayLike,
    reg: ArrayLike,
    penalised: ArrayLike = 1.0,
    row: str = "row",
) -> NDArray[Real]:
    """Return x_u = argmin of ½ xᵀ A_u x - b_uᵀ x for every row u of a CSR structure, [n_rows, d].

    A_u = diag(base + reg_u * penalised) + Σ_j q_uj v_j v_jᵀ and b_u = Σ_j c_uj v_j, over the row's events j, with
    v_j = `factors[j]` ([n_factors, d], float32 or float64; the result has its dtype), q = `quadratic[nnz]` of any
    sign and c = `linear[nnz]`. `base` and `penalised` are [d] or one number, `reg` is [n_rows] or one number. Rows
    without events get zeros. The result does not depend on the number of threads. Cost: see
    `shortlist.kernels.least_squares`; a few events are cheap at any d, most of all where base + reg > 0 in all
    coordinates but one at most.

    Raises `ParameterError` naming the first `row` whose matrix is not positive definite.
    """
    dtype, d = factors.dtype, factors.shape[1]
    pointers, items = _own(indptr, np.int64), _own(indices, np.int32)
    weights, coefficients, vectors = (_own(array, dtype) for array in (quadratic, linear, factors))
    n_rows = len(pointers) - 1
    shared = _full(base, d), _full(penalised, d), _full(reg, n_rows)
    out = np.empty((n_rows, d), dtype)
    bounds = _equal_cost(np.diff(pointers), d)
    unsolved: list[int] = []

    def solve(start: int, stop: int) -> None:
        for block in range(start, stop):
            rows = int(bounds[block]), int(bounds[block + 1])
            bad = solve_block(*rows, pointers, items, weights, coefficients, vectors, *shared, out)
            if bad >= 0:
                unsolved.append(bad)

    threads.run_blocks(solve, len(bounds) - 1, 1)
    if unsolved:
        raise ParameterError(
            f"{row} {min(unsolved)} has no unique solution: its least-squares system is not positive definite. "
            "Raise reg (a dim beyond the number of events needs reg > 0), and look for NaN in the data"
        )
    return out


def _own(values: ArrayLike, dtype: type[Scalar] | np.dtype[Scalar]) -> NDArray[Scalar]:
    # Read-only arrays (of a saved model, say) are another type to numba, and would compile everything anew.
    return np.require(values, dtype, ("C", "W"))


def _full(values: ArrayLike, n: int) -> NDArray[np.float64]:
    return np.array(np.broadcast_to(np.asarray(values, np.float64), n))


def _equal_cost(n_events: NDArray[np.int64], d: int) -> NDArray[np.int64]:
    """Return bounds [n_blocks + 1] of runs of rows, each of about the same cost and of one row at least."""
    n = np.minimum(n_events, d).astype(np.float64)
    ends = np.cumsum(d + n * n * (d + n / 3) + np.maximum(n_events - d, 0.0) * d * d)
    if not len(ends):
        return np.zeros(1, np.int64)
    shares = np.linspace(0, ends[-1], _BLOCKS_PER_THREAD * threads.num_threads() + 1)[1:-1]
    cuts = np.searchsorted(ends, shares) + 1
    return np.unique(np.concatenate([[0], np.minimum(cuts, len(ends)), [len(ends)]]))
