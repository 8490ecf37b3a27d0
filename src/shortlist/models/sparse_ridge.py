"""Ridge regression of vectors on sparse features, by conjugate gradients: no matrix of features × features is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import threads
from shortlist.errors import NonFiniteError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    Floats = NDArray[np.float64]

# Of the residual, against the right side.
TOLERANCE = 1e-7


def ridge(rows: sparse.csr_array, targets: NDArray[np.floating[Any]], reg: float) -> tuple[Floats, Floats]:
    """Return W float64[f, d] and c float64[d] that minimise Σ_i |t_i − c − f_i W|² + reg |W|², c not penalised.

    - rows: f_i, CSR [n, f] with n ≥ 1; targets: t_i, float[n, d]; reg > 0

    Centred on their means f̄ and t̄, (F̃ᵀF̃ + reg I) W = F̃ᵀT̃ is solved with F̃ᵀF̃ = FᵀF − n f̄f̄ᵀ, which stays sparse; then
    c = t̄ − f̄ W. All columns at once, each with steps of its own, preconditioned by the diagonal, until the residual
    is 1e-7 of the right side. Raises `NonFiniteError` where that does not come about.
    Cost: O(nnz · d) a step; the number of steps grows with the root of (n + reg) / reg at most.

    >>> from scipy import sparse
    >>> W, c = ridge(sparse.csr_array([[1.0], [-1.0]]), np.array([[5.0], [1.0]]), 2.0)
    >>> W.round(6).tolist(), c.tolist()  # W = Σ f (t − 3) / (Σ f² + 2) = 4 / 4
    ([[1.0]], [3.0])
    """
    features, n = rows.astype(np.float64), rows.shape[0]
    centre, mean = np.asarray(features.mean(axis=0)).ravel(), targets.mean(axis=0, dtype=np.float64)
    squares = np.asarray(features.multiply(features).sum(axis=0)).ravel()

    def times(x: Floats) -> Floats:
        product: Floats = features.T @ (features @ x) - n * np.outer(centre, centre @ x) + reg * x
        return product

    with threads.single_blas():
        diagonal = np.maximum(squares - n * centre**2, 0) + reg
        weights = _solved(times, features.T @ (targets - mean), diagonal)
        return weights, mean - centre @ weights


def _solved(times: Any, right: Floats, diagonal: Floats) -> Floats:
    """Return X with times(X) = right, by preconditioned conjugate gradients in each column."""
    x, residual = np.zeros_like(right), right.copy()
    enough = TOLERANCE**2 * np.einsum("fd,fd->d", right, right)
    direction = residual / diagonal[:, None]
    size = np.einsum("fd,fd->d", residual, direction)
    for _ in range(10 * right.shape[0] + 100):
        going = np.einsum("fd,fd->d", residual, residual) > enough
        if not going.any():
            return x
        image = times(direction)
        curvature = np.where(going, np.einsum("fd,fd->d", direction, image), 1.0)
        step = np.where(going, size / curvature, 0.0)
        x += step * direction
        residual -= step * image
        towards = residual / diagonal[:, None]
        new_size = np.einsum("fd,fd->d", residual, towards)
        direction = towards + np.where(going, new_size / np.where(going, size, 1.0), 0.0) * direction
        size = new_size
    raise NonFiniteError("the regression on the features did not come to an end; raise reg")
