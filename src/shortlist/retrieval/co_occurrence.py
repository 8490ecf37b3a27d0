"""Co-occurrence: for every item those that stand with it, or after it, most; never items × items at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from shortlist.models.similar_rows import Scale, SimilarRows
from shortlist.retrieval.anchors import best_of_each, recent_positive
from shortlist.retrieval.ranked_lists import RankedLists, best_first
from shortlist.stages import Candidates, distinct, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import Request

Together = Literal["conditional", "cosine", "lift"]


def incidence(
    item: NDArray[np.int32], place: NDArray[np.int64], n_items: int, n_places: int
) -> sparse.csr_array:
    """Return float32 CSR [n_items, n_places]: a 1 for each item and place (basket, moment) that occur, ascending.

    item int32[m], place int64[m] in [0, n_places): pairs, in any order and as often as they occur.
    """
    row, column = np.divmod(distinct(item.astype(np.int64) * max(n_places, 1) + place), max(n_places, 1))
    ptr = offsets(np.bincount(row, minlength=n_items))
    ones = np.ones(row.size, np.float32)
    return sparse.csr_array((ones, column.astype(np.int32), ptr), shape=(n_items, n_places))


def lists_after(
    before: sparse.csr_array, after: sparse.csr_array, n: int, measure: Together, shrinkage: float
) -> RankedLists:
    """Return for each item the n others of largest value by `measure`, ties by smaller item; only counts above 0.

    - before, after: float32 CSR [n_items, places] of ones with the same places; c_ij is in how many places i stands
      before and j after, n_i and m_j in how many each does at all, N how many places have both
    - measure: "conditional" c_ij / n_i, the share of i's places that lead to j; "lift" c_ij N / (n_i m_j), how many
      times more often than j follows anything; "cosine" c_ij / √(n_i m_j), between the two
    - shrinkage s >= 0: all are multiplied by c_ij / (c_ij + s), so that a few places prove little

    Cost: that of `SimilarRows.nearest`, Σ over places of the pairs in each at most; O(n_items · n) memory.
    """
    own = np.arange(before.shape[0], dtype=np.int32)
    if measure == "cosine":
        found = SimilarRows.of(after, "cosine", shrinkage).nearest(before, n, own)
        return RankedLists(found.ptr, found.item_idx, found.score)
    n_before = np.maximum(np.diff(before.indptr), 1)
    n_after = np.maximum(np.diff(after.indptr), 1)
    scale = Scale(1 / n_before, np.ones(n_after.size))
    if measure == "lift":
        both = np.intersect1d(before.indices, after.indices).size
        scale = Scale(both / n_before, 1 / n_after)
    found = SimilarRows.of(after, "dot", shrinkage).nearest(before, n, own, scale)
    return RankedLists(found.ptr, found.item_idx, found.score)


def propose_after(
    lists: RankedLists, request: Request, recent: int, per_item: int, source: str
) -> Candidates:
    """Return the first `per_item` permitted of the list of each of a user's last `recent` distinct positive items.

    An item on several lists counts once, with the anchor that gives it the largest score, then the most recent.
    """
    row, anchor, age = recent_positive(request.history, np.ones(lists.ptr.size - 1, bool), recent)
    ptr = offsets(np.bincount(row, minlength=len(request)))
    found = lists.first(ptr, anchor, per_item, request.eligible, apart=False)
    best = best_of_each(found.row, found.item_idx, found.score, age[found.asked])
    ranked, order = best_first(found.row[best], found.item_idx[best], found.score[best], len(request))
    return Candidates.from_lists(ranked, source, anchor[found.asked[best]][order])
