"""greedy_map: items chosen for a large determinant of a similarity matrix of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError
from shortlist.parameters import whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# What rounding may do to a matrix of float32 cosines, beside its largest entry or eigenvalue.
_ROUNDING = 1e-6
# A candidate whose own share of the determinant is this small lies in the span of those chosen before.
_NOTHING_NEW = 1e-10


def greedy_map(similarity: ArrayLike, relevance: ArrayLike | None = None, k: int = 10) -> NDArray[np.int64]:
    """Return int64[at most k]: positions of items in the order chosen, each adding most to a determinant.

    Greedy MAP inference of a determinantal point process with L = Diag(e^r) S Diag(e^r): at each place the item of
    largest 2 r_i + log(det S_{C∪i} / det S_C), C being those chosen before. Ties fall to the smaller position. `Select`
    with a `DPP` makes S of vectors, so that it is positive semi-definite by construction; this is for a matrix that
    comes from elsewhere.

    - similarity [m, m]: symmetric and positive semi-definite, a millionth of its largest eigenvalue forgiven as
      rounding; cosines, say. m may be 0
    - relevance [m]: r in the unit of half a logarithm, so that what it is multiplied by is the weight of relevance;
      all 0 where None
    - k: at least 0. Fewer are chosen where no item is left that those chosen do not already span: the matrix has a rank

    Raises `ParameterError` for what is not finite, symmetric or positive semi-definite, and says where.
    Cost: O(m³) for the check, O(k² m) for the choice. Chen et al. 2018, Fast greedy MAP inference for determinantal
    point process, NeurIPS, algorithm 1.

    >>> greedy_map([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]], [0.2, 0.3, 0.0], k=2).tolist()  # the first two are alike
    [1, 2]
    """
    matrix = _checked_similarity(similarity)
    quality = np.zeros(len(matrix)) if relevance is None else _checked_relevance(relevance, len(matrix))
    most = min(whole("k", k, least=0), len(matrix))
    chosen = np.zeros(most, np.int64)
    rows, left = np.zeros((most, len(matrix))), np.diagonal(matrix).copy()
    nothing = _NOTHING_NEW * left
    free = np.ones(len(matrix), bool)
    for t in range(most):
        new = np.flatnonzero(free & (left > nothing))
        if not new.size:
            return chosen[:t]
        pick = new[np.argmax(2.0 * quality[new] + np.log(left[new]))]
        chosen[t], free[pick] = pick, False
        rows[t] = (matrix[pick] - rows[:t, pick] @ rows[:t]) / np.sqrt(left[pick])
        left -= rows[t] ** 2
    return chosen


def _checked_similarity(similarity: ArrayLike) -> Floats:
    matrix = _numbers("similarity", similarity)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ParameterError(f"similarity must be a square matrix, got the shape {matrix.shape}")
    if matrix.size:
        _require_symmetric(matrix)
        _require_positive(matrix)
    return matrix


def _checked_relevance(relevance: ArrayLike, m: int) -> Floats:
    quality = _numbers("relevance", relevance)
    if quality.shape != (m,):
        raise ParameterError(
            f"relevance must have a number for each of the {m} rows of similarity, got the shape {quality.shape}"
        )
    return quality


def _numbers(name: str, given: ArrayLike) -> Floats:
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{name} must be numbers, got {type(given).__name__}: {error}") from error
    wrong = np.argwhere(~np.isfinite(values))
    if wrong.size:
        at = ", ".join(map(str, wrong[0].tolist()))
        raise ParameterError(
            f"{name}[{at}] is {values[tuple(wrong[0])]}; every number must be finite ({len(wrong)} are not)"
        )
    return values


def _require_symmetric(matrix: Floats) -> None:
    gap = np.abs(matrix - matrix.T)
    i, j = np.unravel_index(np.argmax(gap), gap.shape)
    if gap[i, j] > _ROUNDING * np.abs(matrix).max():
        raise ParameterError(
            f"similarity must be symmetric: similarity[{i}, {j}] is {matrix[i, j]:g} and similarity[{j}, {i}] is "
            f"{matrix[j, i]:g}; take the mean of the matrix and its transpose if either will do"
        )


def _require_positive(matrix: Floats) -> None:
    """Raise unless no eigenvalue is below 0, naming the rows that the eigenvector of the smallest lies in."""
    eigenvalues, eigenvectors = np.linalg.eigh(matrix)
    least, most = float(eigenvalues[0]), float(np.abs(eigenvalues).max())
    if least < -_ROUNDING * most:
        rows = np.sort(np.argsort(-np.abs(eigenvectors[:, 0]), kind="stable")[:3]).tolist()
        raise ParameterError(
            f"similarity is not positive semi-definite: its smallest eigenvalue is {least:.3g}, most of it from the "
            f"rows {', '.join(map(str, rows))}. Their similarities cannot all be true (two items like a third and not "
            f"like each other, say): compute them from vectors (V @ V.T), or add {-least:.3g} to the diagonal"
        )
