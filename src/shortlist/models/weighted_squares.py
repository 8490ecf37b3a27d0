"""Weighted squared error over all pairs of users and items, with exact alternating half-steps.

For observed pairs with weight w_ij > 0 and target a_ij, and weight w0 >= 0 on what nobody touched,

    "all":         J = Σ_obs w_ij (a_ij - u_i·v_j)² + w0 Σ_all (u_i·v_j)² + Σ_i λ_i |u_i|² + Σ_j λ_j |v_j|²
    "complement":  the same with the second sum over the unobserved pairs only,

λ_i = reg (n_i + w0 |I|)^ν with n_i = Σ_j w_ij, and its mirror λ_j = reg (n_j + w0 |U|)^ν. |I| and |U| count the
items and users that have an observed pair: the others have no vector. Everything here is one side seen from the
other, so "rows" are users or items and "columns" the others.

Sources: Hu, Koren and Volinsky 2008 (the half-step and its shared Gram matrix, "complement"); Rendle, Krichene,
Zhang and Koren 2021, "Revisiting the performance of iALS" ("all", and the exponent ν of the penalty).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np
from scipy import linalg, sparse

from shortlist import threads
from shortlist.errors import NonFiniteError
from shortlist.kernels.pair_order import turn_pairs
from shortlist.models.row_systems import RowSystems, descend, solve_pulled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Real = TypeVar("Real", np.float32, np.float64)
Unobserved = Literal["all", "complement"]

# Fixed sizes: the order of a sum must not depend on the number of threads.
_GRAM_PARTS = 16
_ROWS = 2048
_PAIRS = 1 << 18


@dataclass(frozen=True)
class Loss:
    """The numbers of J: w0, the form of its term, reg and ν.

    `besides` is the weight of cells of a row that are not of the matrix (its features), which the n of λ counts too.
    """

    unobserved_weight: float
    unobserved: Unobserved
    reg: float
    reg_exponent: float
    besides: float = 0.0

    @property
    def taken_off(self) -> float:
        """Return what the shared term already charges observed pairs with, and their own term must give back."""
        return self.unobserved_weight if self.unobserved == "complement" else 0.0

    def penalties(self, observed: Observed) -> NDArray[np.float64]:
        """Return λ of each row, float64[n_rows]."""
        size = observed.totals + self.unobserved_weight * observed.n_columns + self.besides
        penalties: NDArray[np.float64] = self.reg * size**self.reg_exponent
        return penalties


@dataclass(frozen=True, eq=False)
class Observed:
    """The observed pairs from one side: CSR of `weights` > 0, `targets` aligned with its data, |columns| of λ."""

    weights: sparse.csr_array
    targets: Floats
    n_columns: int

    @classmethod
    def of(cls, weights: sparse.csr_array, targets: Floats | None = None) -> Observed:
        """Return the pairs stored in `weights`; targets are 1 unless given, columns count if they have a pair.

        Weights that are all the same are kept once: the matrix then is another, of the same indices.
        """
        weights = _slim(weights)
        ones: Floats = np.broadcast_to(np.ones(1, weights.dtype), weights.nnz)
        counted = cls(weights, ones if targets is None else targets, 0)
        return replace(counted, n_columns=int(np.count_nonzero(counted.popularity)))

    @cached_property
    def popularity(self) -> NDArray[np.int64]:
        """Return int64[n_columns]: how many pairs each column has."""
        count = np.zeros(self.weights.shape[1], np.int64)
        # In parts: NumPy makes its own copy of the indices, of twice their size.
        for at in range(0, self.weights.nnz, _PAIRS):
            count += np.bincount(self.weights.indices[at : at + _PAIRS], minlength=len(count))
        return count

    @cached_property
    def totals(self) -> NDArray[np.float64]:
        """Return float64[n_rows]: the sum of the weights of each row."""
        total: NDArray[np.float64] = self.weights.sum(axis=1, dtype=np.float64)
        return total

    @cached_property
    def coefficients(self) -> tuple[Floats, Floats]:
        """Return weights and targets, each [nnz], or [1] where all are the same."""
        return _one_if_equal(self.weights.data), _one_if_equal(self.targets)

    def transposed(self) -> Observed:
        """Return the same pairs from the other side."""
        n_rows = int(np.count_nonzero(np.diff(self.weights.indptr)))
        if self.weights.nnz and max(len(values) for values in self.coefficients) == 1:
            return Observed(self._turned(), self.targets, n_rows)
        structure = self.weights.indices, self.weights.indptr
        targets: Any = sparse.csr_array((self.targets, *structure), self.weights.shape).T.tocsr().data
        return Observed(self.weights.T.tocsr(), targets, n_rows)

    def _turned(self) -> sparse.csr_array:
        """Return the matrix from the other side where all weights are the same: no number has to move."""
        n_rows, n_columns = self.weights.shape
        ptr = np.zeros(n_columns + 1, self.weights.indptr.dtype)
        np.cumsum(self.popularity, out=ptr[1:])
        rows = np.empty(self.weights.nnz, np.int32)
        turn_pairs(self.weights.indptr, self.weights.indices, ptr[:-1].astype(np.int64), rows)
        return sparse.csr_array((self.weights.data, rows, ptr), (n_columns, n_rows), copy=False)


def _slim(weights: sparse.csr_array) -> sparse.csr_array:
    """Return the matrix with its one number repeated without taking memory, where all its numbers are the same."""
    kept = _one_if_equal(weights.data)
    if len(kept) != 1 or weights.nnz == 1:
        return weights
    repeated = np.broadcast_to(kept.copy(), weights.nnz)
    return sparse.csr_array((repeated, weights.indices, weights.indptr), weights.shape, copy=False)


def _one_if_equal(values: Floats) -> Floats:
    """Return the first of `values` alone where all are equal to it, otherwise all."""
    equal = values.size > 0 and values[0] == values[-1] and values.min() == values.max()
    return values[:1] if equal else values


def half_step(
    observed: Observed,
    columns: NDArray[Real],
    loss: Loss,
    *,
    row: str = "row",
    start: NDArray[Real] | None = None,
    cg_steps: int | None = None,
    shared: NDArray[np.float64] | None = None,
    pull: Floats | None = None,
    axes: Axes | None = None,
) -> NDArray[Real]:
    """Return the row vectors [n_rows, d] that minimise J while `columns` [n_columns, d] stay; of the same dtype.

    With w0 VᵀV = QΛQᵀ (float64) the columns are rotated by Q once, so that what all rows share is the diagonal Λ, and
    the solutions are rotated back. A row without pairs gets zeros. Directions in which the columns have nothing but
    rounding are exactly zero in the result. The result does not depend on the number of threads.

    - cg_steps: None solves exactly; a number takes that many steps of preconditioned conjugate gradients from `start`
      [n_rows, d] (zeros where it is None), and none of them raises J (`kernels.conjugate_gradients`)
    - shared, pull: adds xᵀ S x - 2 pᵀx to the J of each row x, with S = `shared` float64[d, d], positive semidefinite,
      and p its row of `pull` [n_rows, d]; Λ is then of w0 VᵀV + S. S = w_f ΦᵀΦ and p = w_f Φᵀf are the squares
      w_f |f - Φx|² of a row's features f. A row without pairs gets (Λ + λ)⁻¹ p
    - axes: `axes_of(columns, w0)`, made before, where there is no `shared`

    Cost: d³ once and n_columns d² for VᵀV, unless there are `axes`, and for a row of n pairs min(n, d)² d or
    n d² + d³/3; with steps (4 cg_steps + 2) n d.

    Raises `ParameterError` naming the first `row` without a unique solution (reg = 0 and too few pairs),
    `NonFiniteError` when `columns` hold NaN or infinity.
    """
    with threads.single_blas():
        base, rotation, rotated = axes or axes_of(columns, loss.unobserved_weight, shared)
        weights, targets = observed.coefficients
        systems = RowSystems(
            observed.weights.indptr,
            observed.weights.indices,
            weights,
            targets,
            rotated,
            loss.taken_off,
            base,
            loss.penalties(observed),
            None if pull is None else pull @ rotation,
            observed.popularity,
        )
        if cg_steps is None:
            solved = solve_pulled(systems, row)
        else:
            n_rows, d = observed.weights.shape[0], columns.shape[1]
            begin = np.zeros((n_rows, d), columns.dtype) if start is None else _product(start, rotation)
            solved = descend(systems, begin, cg_steps, row)
        return _product(solved, np.ascontiguousarray(rotation.T))


def objective(observed: Observed, rows: Floats, columns: Floats, loss: Loss) -> float:
    """Return J, exactly up to float64 rounding; cost: nnz d + (n_rows + n_columns) d², never n_rows × n_columns."""
    squares = 0.0
    for start, row, column in _pairs(observed.weights):
        part = slice(start, start + len(row))
        predicted = np.einsum("pf,pf->p", rows[row], columns[column], dtype=np.float64)
        weight = observed.weights.data[part].astype(np.float64)
        squares += float(
            np.sum(weight * (observed.targets[part] - predicted) ** 2 - loss.taken_off * predicted**2)
        )
    shared = loss.unobserved_weight * float(np.sum(gram(rows) * gram(columns)))
    penalty = loss.penalties(observed) @ _squared_norm(rows)
    return squares + shared + float(penalty + loss.penalties(observed.transposed()) @ _squared_norm(columns))


def gradient(observed: Observed, rows: Floats, columns: Floats, loss: Loss) -> NDArray[np.float64]:
    """Return ∂J/∂rows, float64[n_rows, d]; that of the columns is the same with both sides exchanged."""
    pull = loss.unobserved_weight * rows.astype(np.float64) @ gram(columns)
    pull += loss.penalties(observed)[:, None] * rows
    for start, row, column in _pairs(observed.weights):
        part = slice(start, start + len(row))
        predicted = np.einsum("pf,pf->p", rows[row], columns[column], dtype=np.float64)
        weight = observed.weights.data[part].astype(np.float64)
        error = weight * (predicted - observed.targets[part]) - loss.taken_off * predicted
        np.add.at(pull, row, error[:, None] * columns[column])
    return 2 * pull


def gram(vectors: Floats) -> NDArray[np.float64]:
    """Return VᵀV float64[d, d], summed in float64 in an order that depends on nothing but the number of rows."""
    n, d = vectors.shape
    bounds = np.linspace(0, n, _GRAM_PARTS + 1).astype(int)
    parts = np.zeros((_GRAM_PARTS, d, d))

    def add(start: int, stop: int) -> None:
        for part in range(start, stop):
            for first in range(bounds[part], bounds[part + 1], _ROWS):
                rows = vectors[first : min(first + _ROWS, bounds[part + 1])].astype(np.float64)
                parts[part] += rows.T @ rows

    with threads.single_blas():
        threads.run_blocks(add, _GRAM_PARTS, 1)
    total: NDArray[np.float64] = parts.sum(axis=0)
    return total


class Axes(NamedTuple):
    """What all rows of a half-step share, from the columns alone: Λ float64[d], Q float64[d, d], VQ [n_columns, d]."""

    values: NDArray[np.float64]
    rotation: NDArray[np.float64]
    rotated: NDArray[np.float32] | NDArray[np.float64]


def axes_of(vectors: NDArray[Real], weight: float, further: NDArray[np.float64] | None = None) -> Axes:
    """Return Λ and Q of weight VᵀV + `further` = QΛQᵀ, and VQ, exactly zero in directions that are only rounding.

    Without `further` those are the directions of VᵀV whatever the weight. Cost: d³ + n_columns d².
    Raises `NonFiniteError` where the vectors hold NaN or infinity.
    """
    matrix = gram(vectors)
    if not np.isfinite(matrix).all():
        raise NonFiniteError(
            "the factors became NaN or infinite in a half-step; raise reg, or look for huge weights"
        )
    if further is None:
        values, q = _spectrum(matrix, vectors.dtype)
        dead, values = values == 0, weight * values
    else:
        values, q = _spectrum(weight * matrix + further, vectors.dtype)
        dead = (values == 0) & (weight > 0)
    rotated = _product(vectors, q)
    rotated[:, dead] = 0
    return Axes(values, q, rotated)


def _spectrum(
    matrix: NDArray[np.float64], dtype: np.dtype[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues, zero where they are only rounding of vectors of `dtype`, and the eigenvectors."""
    values, q = linalg.eigh(matrix, driver="evd", check_finite=False)
    # The vectors carry their own rounding, the Gram matrix that of float64.
    unit = max(float(np.finfo(dtype).eps) ** 2, float(np.finfo(np.float64).eps))
    noise = len(values) * unit * values.max(initial=0.0)
    return np.where(values > noise, values, 0.0), q


def _product(vectors: NDArray[Real], matrix: NDArray[np.float64]) -> NDArray[Real]:
    right = matrix.astype(vectors.dtype)
    out = np.empty_like(vectors)

    def multiply(start: int, stop: int) -> None:
        np.dot(vectors[start:stop], right, out=out[start:stop])

    threads.run_blocks(multiply, len(vectors), _ROWS)
    return out


def _squared_norm(vectors: Floats) -> NDArray[np.float64]:
    norm: NDArray[np.float64] = np.einsum("if,if->i", vectors, vectors, dtype=np.float64)
    return norm


def _pairs(matrix: sparse.csr_array) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int32]]]:
    """Yield (start, rows, columns) of runs of stored pairs, so that gathered vectors stay small."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    for start in range(0, matrix.nnz, _PAIRS):
        part = slice(start, start + _PAIRS)
        yield start, row[part], matrix.indices[part]
