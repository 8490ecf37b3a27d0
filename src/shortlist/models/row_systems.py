"""The rows' least-squares systems of one half-step, solved or improved in parallel blocks of equal cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from shortlist import threads
from shortlist.errors import ParameterError
from shortlist.kernels.conjugate_gradients import descend_block
from shortlist.kernels.least_squares import move_origin, solve_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.floating[Any]]

Real = TypeVar("Real", np.float32, np.float64)
Scalar = TypeVar("Scalar", bound=np.generic)

_BLOCKS_PER_THREAD = 32
_ROWS = 4096  # made float64 at a time


@dataclass(frozen=True, eq=False)
class RowSystems:
    """The system A x = b of each row of a CSR structure, with D = base + reg_u.

        A = diag(D) + Σ_j (w_j - τ) v_j v_jᵀ,    b = Σ_j w_j a_j v_j + pull_u.

    indptr [n_rows + 1], indices [nnz]; w `weights` and a `targets` [nnz], or [1] where all are the same;
    v_j = `factors[j]` [n_factors, d], τ `taken_off`, base float64[d], reg float64[n_rows], pull [n_rows, d] or None for
    zeros. `popularity` int64[n_factors]: how many events each of the factors has.
    """

    indptr: NDArray[np.integer[Any]]
    indices: NDArray[np.integer[Any]]
    weights: Floats
    targets: Floats
    factors: Floats
    taken_off: float
    base: NDArray[np.float64]
    reg: NDArray[np.float64]
    pull: Floats | None
    popularity: NDArray[np.int64]

    @property
    def quadratic(self) -> Floats:
        """Return w - τ of each event."""
        dtype = self.factors.dtype.type
        return np.broadcast_to((self.weights - dtype(self.taken_off)).astype(dtype), len(self.indices))

    @property
    def linear(self) -> Floats:
        """Return w a of each event."""
        coefficient = (self.weights * self.targets).astype(self.factors.dtype)
        return np.broadcast_to(coefficient, len(self.indices))


def solve_pulled(systems: RowSystems, row: str) -> NDArray[Any]:
    """Return the exact solutions [n_rows, d]; a row without events gets pull / (base + reg), or zeros.

    With D = base + reg and the origin x₀ = pull / D, what is left is a system without pull, c_j - q_j v_j·x₀ in place
    of c_j. Raises `ParameterError` naming the first `row` without a unique solution, or pulled where D = 0.
    """
    origin, linear = _origin(systems, row), systems.linear
    if origin is not None:
        linear = _moved(systems, origin)
    solved = solve_rows(
        systems.indptr,
        systems.indices,
        systems.quadratic,
        linear,
        systems.factors,
        base=systems.base,
        reg=systems.reg,
        row=row,
    )
    if origin is not None:
        solved += origin
    return solved


def descend(systems: RowSystems, start: Floats, n_steps: int, row: str) -> NDArray[Any]:
    """Return `start` [n_rows, d], changed in place by `n_steps` conjugate-gradient steps.

    A row without events is solved exactly. Raises `ParameterError` as `solve_pulled` does, where a matrix is seen
    not to be positive definite.
    """
    dtype, d = systems.factors.dtype, systems.factors.shape[1]
    pointers, items = _own(systems.indptr, np.int64), _own(systems.indices, np.int32)
    weights, targets, factors = (
        _own(of, dtype) for of in (systems.weights, systems.targets, systems.factors)
    )
    taken_off, base, spread, reg = (
        _own(of, dtype)
        for of in (
            np.array([systems.taken_off]),
            systems.base,
            _mean_squares(systems.factors, systems.popularity),
            systems.reg,
        )
    )
    pull = np.zeros((0, d), dtype) if systems.pull is None else _own(systems.pull, dtype)
    out = _own(start, dtype)
    bounds = _equal_shares(d + np.diff(pointers).astype(np.float64))

    def block(first: int, last: int) -> int:
        events, shared = (pointers, items, weights, targets), (taken_off, base, spread)
        return descend_block(first, last, *events, factors, *shared, reg, pull, n_steps, out)

    _run(block, bounds, row)
    return out


def _mean_squares(factors: Floats, popularity: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return float64[d]: the mean of each coordinate's square, each of the factors as often as it has an event."""
    share = popularity / max(int(popularity.sum()), 1)
    total = np.zeros(factors.shape[1])
    for at in range(0, len(factors), _ROWS):
        part = factors[at : at + _ROWS].astype(np.float64)
        total += share[at : at + _ROWS] @ (part * part)
    return total


def _origin(systems: RowSystems, row: str) -> Floats | None:
    """Return pull / (base + reg), zero where all three are; None without pull."""
    if systems.pull is None:
        return None
    diagonal = systems.base + systems.reg[:, None]
    open_rows = np.flatnonzero(((diagonal <= 0) & (systems.pull != 0)).any(axis=1))
    if open_rows.size:
        raise _no_solution(row, int(open_rows[0]))
    quotient: NDArray[np.float64] = np.divide(
        systems.pull, diagonal, out=np.zeros(diagonal.shape), where=diagonal > 0
    )
    origin: Floats = quotient.astype(systems.factors.dtype)
    return origin


def _moved(systems: RowSystems, origin: Floats) -> Floats:
    """Return c_j - q_j v_j·x₀ of each event."""
    dtype = systems.factors.dtype
    pointers, items = _own(systems.indptr, np.int64), _own(systems.indices, np.int32)
    weights, factors = _own(systems.quadratic, dtype), _own(systems.factors, dtype)
    linear = np.array(systems.linear, dtype, order="C")
    threads.run_blocks(
        lambda start, stop: move_origin(start, stop, pointers, items, weights, factors, origin, linear),
        len(pointers) - 1,
    )
    return linear


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
    n_events = np.diff(pointers)
    n = np.minimum(n_events, d).astype(np.float64)
    bounds = _equal_shares(d + n * n * (d + n / 3) + np.maximum(n_events - d, 0.0) * d * d)

    def block(first: int, last: int) -> int:
        rows = pointers, items, weights, coefficients
        return solve_block(first, last, *rows, vectors, *shared, out)

    _run(block, bounds, row)
    return out


def _run(block: Callable[[int, int], int], bounds: NDArray[np.int64], row: str) -> None:
    """Call `block(start, stop)` for each run of rows; raise `ParameterError` for the first row it gives back."""
    unsolved: list[int] = []

    def solve(first: int, last: int) -> None:
        for at in range(first, last):
            bad = block(int(bounds[at]), int(bounds[at + 1]))
            if bad >= 0:
                unsolved.append(bad)

    threads.run_blocks(solve, len(bounds) - 1, 1)
    if unsolved:
        raise _no_solution(row, min(unsolved))


def _no_solution(row: str, at: int) -> ParameterError:
    return ParameterError(
        f"{row} {at} has no unique solution: its least-squares system is not positive definite. "
        "Raise reg (a dim beyond the number of events needs reg > 0), and look for NaN in the data"
    )


def _own(values: ArrayLike, dtype: type[Scalar] | np.dtype[Scalar]) -> NDArray[Scalar]:
    # Read-only arrays (of a saved model, say) are another type to numba, and would compile everything anew.
    return np.require(values, dtype, ("C", "W"))


def _full(values: ArrayLike, n: int) -> NDArray[np.float64]:
    return np.array(np.broadcast_to(np.asarray(values, np.float64), n))


def _equal_shares(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return bounds [n_blocks + 1] of runs of rows, each of about the same cost and of one row at least."""
    ends = np.cumsum(cost)
    if not len(ends):
        return np.zeros(1, np.int64)
    shares = np.linspace(0, ends[-1], _BLOCKS_PER_THREAD * threads.num_threads() + 1)[1:-1]
    cuts = np.searchsorted(ends, shares) + 1
    return np.unique(np.concatenate([[0], np.minimum(cuts, len(ends)), [len(ends)]]))
