"""best_among: exact search over some of the stored vectors, decoded a block at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.exact_search import search
from shortlist.stages import Eligible, Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.retrieval.index.stored_vectors import StoredVectors

# Items decoded at once: 16 MiB of float32 at dim 64.
BLOCK_ITEMS = 1 << 16


def best_among(
    vectors: StoredVectors,
    positions: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
    eligible: Eligible,
    query_offsets: NDArray[np.float32] | None = None,
) -> Lists:
    """Return for each query the k best permitted of the items at `positions` (ascending), ties by smaller position.

    Cost: O(n · positions · dim) time; the memory of a block of float32 vectors, whatever the storage.
    """
    best = Lists.empty(queries.shape[0])
    for start in range(0, positions.size, BLOCK_ITEMS):
        block = positions[start : start + BLOCK_ITEMS]
        found = search(
            queries,
            vectors.decoded(_as_slice(block)),
            k,
            eligible_among(eligible, block),
            query_offsets=query_offsets,
            item_offsets=None if vectors.offsets is None else vectors.offsets[block],
            euclidean=vectors.measure == "euclidean",
        )
        own = Lists(found.ptr, block[found.item_idx].astype(np.int32), found.score)
        best = best_of_both(best, own, k)
    return best


def best_of_both(a: Lists, b: Lists, k: int) -> Lists:
    """Return the k best of the union of both lists of each row; no item is on both."""
    if not a.item_idx.size:
        return b
    row = np.concatenate([a.row, b.row])
    item, score = np.concatenate([a.item_idx, b.item_idx]), np.concatenate([a.score, b.score])
    order = np.lexsort((item, -score, row))
    row = row[order]
    place = np.arange(row.size) - offsets(np.bincount(row, minlength=len(a)))[row]
    order = order[place < k]
    ptr = offsets(np.bincount(row[place < k], minlength=len(a)))
    return Lists(ptr, item[order], score[order])


def _as_slice(positions: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    # Neighbours in memory are read as they lie, without a copy of what is float32 already.
    first, last = int(positions[0]), int(positions[-1])
    return slice(first, last + 1) if last - first + 1 == positions.size else positions


def eligible_among(eligible: Eligible, positions: NDArray[np.int64]) -> Eligible:
    """Return the rules for the items at `positions` only, numbered from 0."""
    at = np.minimum(np.searchsorted(positions, eligible.item_idx), positions.size - 1)
    mine = positions[at] == eligible.item_idx
    row = np.repeat(np.arange(len(eligible)), np.diff(eligible.ptr))[mine]
    return Eligible(
        eligible.rules,
        eligible.item_rule[positions],
        offsets(np.bincount(row, minlength=len(eligible))),
        at[mine].astype(np.int32),
        eligible.rule[mine],
    )
