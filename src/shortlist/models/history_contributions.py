"""What each item of a person's history adds to their scores, where scores are sums over the history.

| symbol | meaning |
|---|---|
| i, m | the items scored, `item_idx` int32[m] |
| j, h | the items of the history that count, `past_item` int32[h], distinct; several events with one count together |
| of_past | float64[m, h]: what j adds to the score of i; the base is what of the score no j adds |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shortlist import threads
from shortlist.contributions import Contributions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.vectors import UserVectors
    from shortlist.stages import Request

    Floats = NDArray[np.floating[Any]]


class ScoresByVectors(Protocol):
    """A model whose score is a dot product, as it answers a request."""

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, d] and offsets float32[n] of known users."""

    def people_of(self, request: Request) -> UserVectors | None:
        """Return the people of the request as the model folded them in, None for users of the data."""


def shown_scores(
    model: ScoresByVectors, request: Request, item_idx: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return float64[m]: the scores that the one person of the request is shown, by the model's vectors."""
    vector, offset = shown_vector(model, request)
    factors = model.item_factors_[item_idx].astype(np.float64)
    return factors @ vector + model.item_offsets_[item_idx] + offset


def shown_vector(model: ScoresByVectors, request: Request) -> tuple[NDArray[np.float64], float]:
    """Return the vector float64[d] and the offset that the one person of the request is scored by."""
    people = model.people_of(request)
    if people is None:
        vectors, offsets = model.user_vectors(request.user_idx)
    else:
        vectors, offsets = people.vectors, people.offsets
    return vectors[0].astype(np.float64), float(offsets[0])


def sums_to(
    shown: NDArray[np.float64],
    item_idx: NDArray[np.int32],
    past_item: NDArray[np.int32],
    of_past: NDArray[np.float64],
) -> Contributions:
    """Return contributions that sum to the scores `shown` float64[m]; the base is what the history leaves over.

    >>> parts = sums_to(np.array([4.0]), np.array([7]), np.array([1, 2]), np.array([[0.75, -0.25]]))
    >>> parts.base.tolist(), parts.adds_up  # 4 - 0.75 + 0.25
    ([3.5], True)
    """
    return Contributions(item_idx, past_item, of_past, base=shown - of_past.sum(axis=1))


def of_lists(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    values: NDArray[np.float32],
    past_item: NDArray[np.int32],
    item_idx: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Return float64[m, h]: the value that list j of each past item has for each of `item_idx`, 0 where it has none.

    Lists as in `kernels.neighbor_sums`: j holds the items idx[ptr[j]:ptr[j + 1]], each once. O(their length + m h).

    >>> ptr, idx = np.array([0, 2, 3]), np.array([4, 5, 4], np.int32)
    >>> of_lists(ptr, idx, np.array([0.5, 0.25, 1.0], np.float32), np.array([0, 1]), np.array([5, 4]))
    array([[0.25, 0.  ],
           [0.5 , 1.  ]])
    """
    distinct, row = np.unique(item_idx, return_inverse=True)
    length = ptr[past_item + 1] - ptr[past_item]
    column = np.repeat(np.arange(past_item.size), length)
    begins = np.cumsum(length) - length
    at = np.arange(column.size) + np.repeat(ptr[past_item] - begins, length)
    place = np.searchsorted(distinct, idx[at])
    wanted = np.append(distinct, -1)[place] == idx[at]
    out = np.zeros((distinct.size, past_item.size))
    out[place[wanted], column[wanted]] = values[at[wanted]]
    return out[row]


def of_ridge(matrix: NDArray[np.float64], items: Floats, past: Floats, right: Floats) -> NDArray[np.float64]:
    """Return float64[m, h]: y_i·A⁻¹ (c_j y_j), what event j adds to i where a vector solves A x = Σ_j c_j y_j.

    `matrix` A float64[d, d], symmetric and not negative; y_i `items` [m, d], y_j `past` [h, d], c `right` [h]. Where A
    is singular the shortest solution counts. Hu, Koren and Volinsky 2008, section 5, with A⁻¹ for their W^u, if A is
    the matrix of the least-squares problem. O(d³ + (h + m) d² + m h d).

    >>> of_ridge(np.diag([2.0, 4.0]), np.array([[1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 3.0]))
    array([[0.5 , 0.75]])
    """
    with threads.single_blas():
        solved = np.linalg.pinv(matrix, hermitian=True) @ items.astype(np.float64).T
        amounts: NDArray[np.float64] = (solved.T @ past.astype(np.float64).T) * right
    return amounts
