"""Exact search: the k items of largest dot product (plus offsets) or smallest distance to each query.

A matrix product proposes k and a margin; a fixed-order kernel rescores and ranks them. Where rounding in the
product could have hidden a better item, which a bound on its error tells, every permitted item of that query is
rescored. The result is therefore exact for the fixed-order scores, and the same whatever the blocking or the number
of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.topk import rescore_rows, score_pairs, select_rows
from shortlist.stages import Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import Eligible

MARGIN = 16
# Scores of one block: 4 MiB stays near the cache of one core.
BLOCK_SCORES = 1 << 20
_EPS = float(np.finfo(np.float32).eps)


def search(
    queries: NDArray[np.float32],
    items: NDArray[np.float32],
    k: int,
    eligible: Eligible,
    *,
    query_offsets: NDArray[np.float32] | None = None,
    item_offsets: NDArray[np.float32] | None = None,
    euclidean: bool = False,
    listed: NDArray[np.bool_] | None = None,
) -> Lists:
    """Return what `ItemSearch(items, item_offsets, euclidean=euclidean).search(...)` returns, prepared for one call."""
    prepared = ItemSearch(items, item_offsets, euclidean=euclidean)
    return prepared.search(queries, k, eligible, query_offsets=query_offsets, listed=listed)


class ItemSearch:
    """Exact search in one catalogue, with what does not depend on the queries prepared once; safe in threads.

    items float32[n_items, d], finite; item_offsets float32[n_items], added to the dots (default none). euclidean: the
    score is −‖query − item‖ and no offsets are used. The arrays are kept, not copied, and must not change.
    """

    def __init__(
        self,
        items: NDArray[np.float32],
        item_offsets: NDArray[np.float32] | None = None,
        *,
        euclidean: bool = False,
    ) -> None:
        self.items, self.item_offsets, self.euclidean = items, item_offsets, euclidean

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        *,
        query_offsets: NDArray[np.float32] | None = None,
        listed: NDArray[np.bool_] | None = None,
    ) -> Lists:
        """Return for each query its k best permitted items, best first, ties by smaller index.

        - queries float32[n, d]; query_offsets float32[n] are added to every score of a query
        - eligible: rows aligned with the queries; listed bool[n_items]: items that may appear at all (default all)

        Cost: O(n · n_items · d) time in single-thread matrix products on the pool, O(threads · 2²⁰) memory.
        """
        items, n, n_items = self.items, queries.shape[0], self.items.shape[0]
        k = min(k, n_items)
        index, score = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
        plan = _Plan(queries, items, query_offsets, self.item_offsets, self.euclidean)
        blocked = eligible.item_rule != 0
        if listed is not None:
            blocked = blocked | ~listed

        def block(start: int, stop: int) -> None:
            _search_block(plan, blocked, eligible, start, stop, score[start:stop], index[start:stop])

        if k > 0:
            with threads.single_blas():
                threads.run_blocks(block, n, max(1, min(256, BLOCK_SCORES // max(n_items, 1))))
        return Lists.from_padded(index, score)


def pair_scores(
    queries: NDArray[np.float32],
    query_offsets: NDArray[np.float32],
    items: NDArray[np.float32],
    item_offsets: NDArray[np.float32],
    row: NDArray[np.int64],
    item_idx: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return float32[m]: the score of each pair (row of queries, item); bit for bit what `search` gives."""
    out = np.empty(row.size, np.float32)
    arguments = (
        queries,
        query_offsets,
        items,
        item_offsets,
        row.astype(np.int64),
        item_idx.astype(np.int32),
        out,
    )
    threads.run_blocks(lambda start, stop: score_pairs(*arguments, start, stop), row.size)
    return out


class _Plan:
    """The vectors with everything that does not depend on the block."""

    def __init__(
        self,
        queries: NDArray[np.float32],
        items: NDArray[np.float32],
        query_offsets: NDArray[np.float32] | None,
        item_offsets: NDArray[np.float32] | None,
        euclidean: bool,
    ) -> None:
        self.queries = np.ascontiguousarray(queries, np.float32)
        self.items = np.ascontiguousarray(items, np.float32)
        self.query_offsets = _or_zeros(query_offsets, queries.shape[0])
        self.item_offsets = _or_zeros(item_offsets, items.shape[0])
        self.euclidean = euclidean
        squared = np.einsum("if,if->i", self.items, self.items, dtype=np.float64)
        # The nearest item has the largest q·v − ‖v‖²/2.
        self.proposal_offsets = (-0.5 * squared).astype(np.float32) if euclidean else self.item_offsets
        self.largest_norm = float(np.sqrt(squared.max(initial=0.0)))
        self.largest_offset = float(np.abs(self.proposal_offsets).max(initial=0.0))

    def proposal_value(self, score: NDArray[np.float32], row: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return final scores in the units of the proposal (dot + item offset, or the half-squared form)."""
        exact: NDArray[np.float64] = score.astype(np.float64)
        if self.euclidean:
            norm = np.einsum("rf,rf->r", self.queries[row], self.queries[row], dtype=np.float64)
            exact = 0.5 * (norm - exact**2)
        return exact - (0.0 if self.euclidean else self.query_offsets[row])

    def error_bound(self, score: NDArray[np.float32], row: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return how far the product, its float32 sum and the rounded final score can be from exact arithmetic.

        γ_d ‖q‖ max‖v‖ for the dot (Higham 2002, (3.5), any order of summation), one rounding for each offset
        and for the final score; all doubled for slack.
        """
        dim = self.queries.shape[1]
        norm = np.sqrt(np.einsum("rf,rf->r", self.queries[row], self.queries[row], dtype=np.float64))
        product = (dim + 2) * norm * self.largest_norm if dim else 0.0
        final = np.abs(score.astype(np.float64))
        rounding = final**2 + norm**2 if self.euclidean else final + np.abs(self.query_offsets[row])
        if dim == 0 and not self.euclidean and not self.query_offsets[row].any():
            return np.zeros(row.size)  # the proposal is the offset itself
        return 2 * _EPS * (product + self.largest_offset + rounding)


def _search_block(
    plan: _Plan,
    blocked: NDArray[np.bool_],
    eligible: Eligible,
    start: int,
    stop: int,
    score: NDArray[np.float32],
    index: NDArray[np.int32],
) -> None:
    rows, k, n_items = np.arange(start, stop), score.shape[1], plan.items.shape[0]
    own = eligible.rows(rows)
    products = plan.queries[start:stop] @ plan.items.T
    products += plan.proposal_offsets
    width = min(k + MARGIN, n_items)
    proposed_score = np.empty((rows.size, width), np.float32)
    proposed = np.empty((rows.size, width), np.int32)
    count = np.empty(rows.size, np.int64)
    select_rows(products, blocked, own.ptr, own.item_idx, proposed_score, proposed, count)
    kept = np.empty(rows.size, np.int64)
    _rescore(plan, rows, proposed, count, score, index, kept)
    for r in np.flatnonzero((count == width) & (width < n_items)):
        if _could_hide(plan, rows[r : r + 1], score[r, k - 1 : k], proposed_score[r, width - 1]):
            everything = _permitted(blocked, own.item_idx[own.ptr[r] : own.ptr[r + 1]])
            size = np.array([everything.size], np.int64)
            one = slice(r, r + 1)
            _rescore(plan, rows[one], everything[None, :], size, score[one], index[one], kept[one])
    index[np.arange(k) >= kept[:, None]] = -1


def _could_hide(plan: _Plan, row: NDArray[np.intp], last: NDArray[np.float32], cut: np.float32) -> bool:
    bound = plan.error_bound(last, row)
    value = plan.proposal_value(last, row)
    # With no error an item at the cut has lost the tie by its index already.
    return bool(value[0] < cut if bound[0] == 0 else value[0] <= cut + bound[0])


def _permitted(blocked: NDArray[np.bool_], own: NDArray[np.int32]) -> NDArray[np.int32]:
    forbidden = blocked.copy()
    forbidden[own] = True
    return np.flatnonzero(~forbidden).astype(np.int32)


def _rescore(
    plan: _Plan,
    rows: NDArray[np.intp],
    proposed: NDArray[np.int32],
    count: NDArray[np.int64],
    score: NDArray[np.float32],
    index: NDArray[np.int32],
    kept: NDArray[np.int64],
) -> None:
    queries, query_offsets = plan.queries[rows], plan.query_offsets[rows]
    rescore_rows(
        queries,
        query_offsets,
        plan.items,
        plan.item_offsets,
        plan.euclidean,
        proposed,
        count,
        score,
        index,
        kept,
    )


def _or_zeros(offsets: NDArray[np.float32] | None, n: int) -> NDArray[np.float32]:
    return np.zeros(n, np.float32) if offsets is None else np.ascontiguousarray(offsets, np.float32)
