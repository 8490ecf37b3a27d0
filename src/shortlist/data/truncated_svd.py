"""The largest singular values of a sparse matrix and their right singular vectors.

The vectors are eigenvectors of the Gram matrix of the shorter side. Where that side is short the Gram matrix is made
and solved densely, in float64; else a block Lanczos method finds the largest eigenpairs from products with the sparse
matrix alone. Beside ARPACK (`scipy.sparse.linalg.svds`, which multiplies one vector at a time), blocks of 16 vectors
read the matrix once for sixteen products and orthogonalise by matrix products.

Sources: Golub and Underwood 1977 (block Lanczos); Wu and Simon 2000 (restarts that keep Ritz vectors); Musco and Musco
2015 (why a block Krylov space needs so few products). The basis is orthogonalised in full, twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.errors import NonFiniteError
from shortlist.kernels.sparse_products import weighted_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Product = Callable[[NDArray[np.float32]], NDArray[np.float32]]

BLOCK = 16
# Up to this length of the shorter side, its Gram matrix is solved densely: at most a second.
DENSE_UP_TO = 1024
# Eigenvalues below this share of the largest are zero: rounding (float64, float32) does not tell them from it.
DENSE_RANK_TOL, LANCZOS_RANK_TOL = 1e-10, 1e-6
# The residual of a Ritz pair, as a share of the largest eigenvalue, at which it counts as found.
RESIDUAL_TOL = 1e-6
_CHECK_EVERY = 4
_MOST_STEPS = 400


class SingularVectors(NamedTuple):
    """`values` float64[dim], descending, and `right` float32[n_columns, dim]: orthonormal columns.

    Beyond the rank of the matrix values and columns are 0. The entry of largest size in a column is positive.
    """

    values: NDArray[np.float64]
    right: NDArray[np.float32]


def truncated_svd(matrix: sparse.csr_array, dim: int, rng: np.random.Generator) -> SingularVectors:
    """Return the `dim` >= 1 largest singular values of float32 `matrix` [n_rows, n_columns], with their right vectors.

    A `dim` above the rank or above either side gives zeros from there on: the rest is the whole decomposition. `rng`
    draws where the search starts; the result depends on it by rounding only, except that among equal singular values,
    which have no vectors of their own, any orthonormal ones may come. The number of threads changes nothing.
    Raises `NonFiniteError` where products of the entries overflow float32.
    Cost: about dim / 4 products of 16 vectors with the matrix and its transpose, and O(n dim²) for orthogonality, n
    being the shorter side; a dense problem of side `DENSE_UP_TO` at most otherwise. Memory: 6 n dim floats.
    """
    by_row, by_column = _plain(matrix), _plain(matrix.T.tocsr())
    shorter, other = (by_row, by_column) if by_row.shape[0] <= by_row.shape[1] else (by_column, by_row)
    with threads.single_blas(), np.errstate(over="ignore", invalid="ignore"):
        squares, vectors, rank_tol = _top_eigenpairs(shorter, other, dim, rng)
        if shorter is by_row:
            # Vᵀ = Σ⁻¹UᵀR; in descending order the triangular factor removes what rounding left of larger ones.
            vectors = np.linalg.qr(by_column.astype(vectors.dtype) @ vectors)[0]
    kept = squares > rank_tol * max(squares[0], 0.0)
    right = np.zeros((matrix.shape[1], dim), np.float32)
    right[:, : kept.size] = _with_fixed_signs(vectors) * kept
    return SingularVectors(np.pad(np.sqrt(squares * kept), (0, dim - kept.size)), right)


def sparse_product(matrix: sparse.csr_array, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32[n_rows, d]: `matrix` times `vectors` float32[n_columns, d], the same on any number of threads.

    Each row is summed in its stored order, whatever rows stand beside it.
    """
    columns = np.ascontiguousarray(vectors, np.float32)
    out = np.empty((matrix.shape[0], columns.shape[1]), np.float32)
    arguments = (*_arrays(matrix), columns, out)
    threads.run_blocks(lambda start, stop: weighted_sums(*arguments, start, stop), len(out))
    return out


def _arrays(matrix: sparse.csr_array) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return pointers, columns and values of the types that the kernel takes."""
    return (
        np.asarray(matrix.indptr, np.int64),
        np.asarray(matrix.indices, np.int32),
        np.asarray(matrix.data, np.float32),
    )


def _plain(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the same matrix with the types that the kernel takes."""
    plain: Any = sparse.csr_array(matrix.shape, dtype=np.float32)
    plain.indptr, plain.indices, plain.data = _arrays(matrix)
    return plain  # type: ignore[no-any-return]


def _top_eigenpairs(
    shorter: sparse.csr_array, other: sparse.csr_array, dim: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.floating[Any]], float]:
    """Return the largest eigenvalues of shorter · other, at most `dim`, descending; their vectors; their precision."""
    n = shorter.shape[0]
    if n <= max(DENSE_UP_TO, 2 * dim + 4 * BLOCK):
        gram = (shorter.astype(np.float64) @ other.astype(np.float64)).toarray()
        _require_finite(gram)
        squares, vectors = np.linalg.eigh(gram)
        return squares[::-1][:dim], vectors[:, ::-1][:, :dim], DENSE_RANK_TOL

    def gram_product(block: NDArray[np.float32]) -> NDArray[np.float32]:
        return sparse_product(shorter, sparse_product(other, block))

    return *_block_lanczos(gram_product, n, dim, rng), LANCZOS_RANK_TOL


def _block_lanczos(
    product: Product, n: int, dim: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return the `dim` largest eigenvalues of a symmetric positive operator on n coordinates, and their vectors.

    `basis` grows by a block a step; `projected` is the operator within it. A full basis restarts from its best Ritz
    vectors, which keep what was found.
    """
    most = min(6 * dim + 4 * BLOCK, n - BLOCK)
    basis = np.empty((n, most + BLOCK), np.float32, order="F")
    projected = np.zeros((most + BLOCK, most + BLOCK))
    block = _orthonormal(product(rng.standard_normal((n, BLOCK), np.float32)), basis[:, :0], rng)[0]
    size, within, squares, ritz = 0, basis[:, :0], np.zeros(0), np.zeros((0, 0))
    for step in range(1, _MOST_STEPS + 1):
        basis[:, size : size + BLOCK] = block
        image = product(np.ascontiguousarray(block))
        _require_finite(image)
        within = basis[:, : size + BLOCK]
        along = within.T @ image
        projected[: size + BLOCK, size : size + BLOCK] = along
        projected[size : size + BLOCK, : size + BLOCK] = along.T
        size += BLOCK
        block, beyond = _orthonormal(image, within, rng)
        full = size + BLOCK > most
        if not (full or (size >= 2 * dim and step % _CHECK_EVERY == 0)):
            continue
        squares, ritz = (part[..., ::-1] for part in np.linalg.eigh(projected[:size, :size]))
        residual = np.linalg.norm(beyond @ ritz[size - BLOCK :, :dim], axis=0)
        if residual.max() <= RESIDUAL_TOL * squares[0] or step == _MOST_STEPS:
            break
        if full:
            size = dim + (most - dim) // 4
            basis[:, :size] = within @ ritz[:, :size].astype(np.float32)
            projected[:] = 0
            projected[range(size), range(size)] = squares[:size]
    return squares[:dim], within @ ritz[:, :dim].astype(np.float32)


def _orthonormal(
    block: NDArray[np.float32], basis: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return orthonormal columns that are orthogonal to `basis` too, and the factors that give `block` from them.

    Columns of which nothing is left, because the operator maps the basis into itself, begin anew at random: their
    factor is 0.
    """
    before = np.linalg.norm(block, axis=0).max()
    block -= basis @ (basis.T @ block)
    unit, factors = np.linalg.qr(block)
    empty = np.abs(np.diag(factors)) <= 10 * np.finfo(np.float32).eps * before
    if empty.any():
        factors[empty] = 0
        unit[:, empty] = rng.standard_normal((block.shape[0], int(empty.sum())), np.float32)
    for _ in range(2):
        unit -= basis @ (basis.T @ unit)
        unit = np.linalg.qr(unit)[0] if empty.any() else unit
    return unit, factors.astype(np.float64)


def _require_finite(values: NDArray[np.floating[Any]]) -> None:
    if not np.isfinite(values).all():
        raise NonFiniteError(
            "a product of the matrix with itself is not finite: its values are too large for float32; scale them down"
        )


def _with_fixed_signs(vectors: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the columns, each turned so that its entry of largest size (the first of equals) is positive."""
    largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
    return vectors * np.where(largest < 0, -1.0, 1.0)
