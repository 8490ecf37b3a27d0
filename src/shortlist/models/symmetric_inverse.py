"""The inverse of a large symmetric positive definite matrix, in place, tile by tile on the pool.

LAPACK's `potrf` and `potri` do as many operations, but as two calls that neither Ctrl-C nor our number of threads
reaches, and their last bits depend on the number of BLAS threads. Here the matrix is swept (Gauss–Jordan without
pivoting, which is stable for such matrices), one band of columns at a time:

    A_kk → −A_kk⁻¹,   A_ik → A_ik A_kk⁻¹,   A_ij → A_ij − A_ik A_kk⁻¹ A_kj   (i, j ≠ k)

Once every band is swept, −A⁻¹ stands there. The matrix is symmetric all along, so that its lower triangle is enough:
n³ operations in all, nearly all of them in products of two tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy.linalg import lapack

from shortlist import threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Real = TypeVar("Real", bound=np.floating[Any])

# One product of two tiles takes some milliseconds, which Ctrl-C waits for. 384 to 1024 differ by less than a fifth.
TILE = 512


def negative_inverse(matrix: NDArray[Real], tile: int = TILE) -> None:
    """Put −A⁻¹ in the place of the symmetric positive definite A [n, n], float32 or float64.

    Only the lower triangle is read and holds the result; some of what stands above it is overwritten. The result does
    not depend on the number of threads. Raises `numpy.linalg.LinAlgError` where A is not positive definite within its
    precision; A is then spoiled.
    Cost: n³ operations; 2 · n · tile numbers beside A. Source: the sweep operator of Goodnight, A Tutorial on the
    SWEEP Operator, The American Statistician 33(3), 1979, on blocks.
    """
    n = matrix.shape[0]
    if n == 0:
        return
    bands = [slice(start, min(start + tile, n)) for start in range(0, n, tile)]
    for band in bands:  # products of whole tiles must not meet what stands above the diagonal
        matrix[band, band] = _mirrored(matrix[band, band])
    column, solved = np.empty((n, tile), matrix.dtype), np.empty((n, tile), matrix.dtype)
    with threads.single_blas():
        inverse = _small_inverse(matrix[bands[0], bands[0]])
        for k in range(len(bands)):
            width = bands[k].stop - bands[k].start
            inverse = _sweep(matrix, bands, k, inverse, column[:, :width], solved[:, :width])


def _sweep(
    matrix: NDArray[Real],
    bands: list[slice],
    k: int,
    inverse: NDArray[Real],
    column: NDArray[Real],
    solved: NDArray[Real],
) -> NDArray[Real]:
    """Sweep band k, whose A_kk has this inverse; return that of the next band's, which is ready before the rest is."""
    pivot = bands[k]
    others = [i for i in range(len(bands)) if i != k]
    tiles = [(i, j) for i in others for j in others if j <= i]
    tiles.sort(key=lambda tile: tile != (k + 1, k + 1))
    following = [inverse]

    def solve(start: int, stop: int) -> None:
        for i in others[start:stop]:
            rows = bands[i]
            column[rows] = matrix[rows, pivot] if i > k else matrix[pivot, rows].T
            np.matmul(column[rows], inverse, out=solved[rows])

    def eliminate(start: int, stop: int) -> None:
        for i, j in tiles[start:stop]:
            matrix[bands[i], bands[j]] -= solved[bands[i]] @ column[bands[j]].T
            if i == j == k + 1:
                following[0] = _small_inverse(matrix[bands[i], bands[i]])

    def store(start: int, stop: int) -> None:
        for i in others[start:stop]:
            if i > k:
                matrix[bands[i], pivot] = solved[bands[i]]
            else:
                matrix[pivot, bands[i]] = solved[bands[i]].T

    threads.run_blocks(solve, len(others), 1)
    threads.run_blocks(eliminate, len(tiles), 1)
    threads.run_blocks(store, len(others), 1)
    matrix[pivot, pivot] = -inverse
    return following[0]


def _small_inverse(block: NDArray[Real]) -> NDArray[Real]:
    """Return the inverse of one tile, of which the lower triangle is read; found in double precision."""
    factor, failed = lapack.dpotrf(block.astype(np.float64), lower=1)
    if failed:
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    inverse, failed = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError("the matrix is singular")
    return _mirrored(inverse).astype(block.dtype)


def _mirrored(block: NDArray[Real]) -> NDArray[Real]:
    """Return the symmetric matrix with this lower triangle."""
    whole: NDArray[Real] = np.tril(block) + np.tril(block, -1).T
    return whole
