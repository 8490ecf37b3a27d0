"""From what a graph proposes to exact lists: what is forbidden left out, the rest rescored in a fixed order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.permitted_keys import permitted_positions
from shortlist.kernels.topk import rescore_rows
from shortlist.stages import Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.retrieval.index.keyed_items import KeyedItems
    from shortlist.retrieval.index.stored_vectors import StoredVectors
    from shortlist.stages import Eligible


def permitted_first(
    keys: NDArray[np.int64], keyed: KeyedItems, eligible: Eligible
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return int32[n, m] with the positions of each row's `keys` that may be found first, and int64[n] how many.

    `eligible` has a row for each of `keys`; what stands behind the permitted ones is 0.
    """
    proposed, count = np.zeros(keys.shape, np.int32), np.zeros(len(keys), np.int64)
    permitted_positions(
        keys, keyed.position, eligible.item_rule, eligible.ptr, eligible.item_idx, proposed, count
    )
    return proposed, count


def rescored(
    vectors: StoredVectors,
    proposed: NDArray[np.int32],
    count: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
    query_offsets: NDArray[np.float32],
) -> Lists:
    """Return the k best of the first `count` proposals of each row by their exact scores, ties by smaller position.

    Cost: O(proposals · dim); of coded vectors the distinct proposals are decoded.
    """
    n = proposed.shape[0]
    index, score = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
    kept = np.zeros(n, np.int64)
    distinct, local = _distinct(vectors, proposed)
    items = vectors.codes if distinct is None else vectors.decoded(distinct)
    offsets = vectors.item_offsets if distinct is None else vectors.item_offsets[distinct]

    def block(start: int, stop: int) -> None:
        own = slice(start, stop)
        rescore_rows(
            queries[own],
            query_offsets[own],
            items,
            offsets,
            vectors.measure == "euclidean",
            local[own],
            count[own],
            score[own],
            index[own],
            kept[own],
        )

    threads.run_blocks(block, n)
    index[np.arange(k) >= kept[:, None]] = -1
    if distinct is not None:
        index = np.where(index >= 0, distinct[index], -1).astype(np.int32)
    return Lists.from_padded(index, score)


def _distinct(
    vectors: StoredVectors, proposed: NDArray[np.int32]
) -> tuple[NDArray[np.int32] | None, NDArray[np.int32]]:
    """Return the items to decode, ascending so that ties stay as they are, and the proposals as places among them."""
    if vectors.storage == "float32":
        return None, proposed
    distinct, local = np.unique(proposed, return_inverse=True)
    return distinct, local.reshape(proposed.shape).astype(np.int32)
