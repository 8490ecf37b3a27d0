"""Exact selection of the k best of each row, and the fixed-order arithmetic that final scores are made with.

Order everywhere: larger score first, equal scores by smaller index. A score proposed by a matrix product depends in its
last bits on how the product was blocked; `rescore` computes each score alone, in one order, so that a user
asked for alone gets exactly what a batch gives.

| symbol | meaning |
|---|---|
| S | float32[b, n] scores of a block of rows |
| blocked | bool[n] items that nobody may be shown |
| ptr, own | items that one row may not be shown (CSR structure, ascending) |
| heap | the k best so far, the worst of them at position 0 |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def _worse(score_a: np.float32, index_a: int, score_b: np.float32, index_b: int) -> bool:
    return bool(score_a < score_b or (score_a == score_b and index_a > index_b))


@kernel
def _sift_down(score: NDArray[np.float32], index: NDArray[np.int32], at: int, size: int) -> None:
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and _worse(score[child + 1], index[child + 1], score[child], index[child]):
            child += 1
        if not _worse(score[child], index[child], score[at], index[at]):
            return
        score[at], score[child] = score[child], score[at]
        index[at], index[child] = index[child], index[at]
        at = child


@kernel
def _sift_up(score: NDArray[np.float32], index: NDArray[np.int32], at: int) -> None:
    while at > 0:
        parent = (at - 1) // 2
        if not _worse(score[at], index[at], score[parent], index[parent]):
            return
        score[at], score[parent] = score[parent], score[at]
        index[at], index[parent] = index[parent], index[at]
        at = parent


@kernel
def sort_heap(score: NDArray[np.float32], index: NDArray[np.int32], size: int) -> None:
    """Turn the heap in the first `size` entries into descending order, in place."""
    for end in range(size - 1, 0, -1):
        score[0], score[end] = score[end], score[0]
        index[0], index[end] = index[end], index[0]
        _sift_down(score, index, 0, end)


@fast_kernel
def _any_at_least(row: NDArray[np.float32], start: int, stop: int, threshold: np.float32) -> bool:
    hit = False
    for j in range(start, stop):
        hit |= row[j] >= threshold
    return hit


@kernel
def select_rows(
    S: NDArray[np.float32],
    blocked: NDArray[np.bool_],
    ptr: NDArray[np.int64],
    own: NDArray[np.int32],
    score: NDArray[np.float32],
    index: NDArray[np.int32],
    count: NDArray[np.int64],
) -> None:
    """Write the k best permitted columns of each row of `S` to score/index [b, k], best first; count[b] of them.

    Cost: one pass over S at about the speed of memory, since 64 scores are tested against the worst of the
    k best at once, plus O(log k) for each of the few that enter.
    """
    n, k = S.shape[1], score.shape[1]
    forbidden = blocked.copy()
    for r in range(S.shape[0]):
        row, best, at = S[r], score[r], index[r]
        forbidden[own[ptr[r] : ptr[r + 1]]] = True
        size = 0
        for start in range(0, n, 64):
            stop = min(start + 64, n)
            if size == k and (k == 0 or not _any_at_least(row, start, stop, best[0])):
                continue
            for j in range(start, stop):
                if forbidden[j]:
                    continue
                if size < k:
                    best[size], at[size] = row[j], j
                    _sift_up(best, at, size)
                    size += 1
                elif row[j] > best[0]:  # columns ascend, so an equal score later on loses the tie
                    best[0], at[0] = row[j], j
                    _sift_down(best, at, 0, size)
        sort_heap(best, at, size)
        count[r] = size
        own_items = own[ptr[r] : ptr[r + 1]]
        for j in own_items:
            forbidden[j] = blocked[j]


@kernel
def _dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    total = 0.0
    for f in range(a.size):
        total += np.float64(a[f]) * np.float64(b[f])
    return total


@kernel
def score_one(
    query: NDArray[np.float32],
    query_offset: float,
    item: NDArray[np.float32],
    item_offset: float,
    euclidean: bool,
) -> np.float32:
    """Return query·item + both offsets, or minus the distance where `euclidean`; summed in float64, in order."""
    if not euclidean:
        return np.float32(_dot(query, item) + query_offset + item_offset)
    total = 0.0
    for f in range(query.size):
        difference = np.float64(query[f]) - np.float64(item[f])
        total += difference * difference
    return np.float32(-np.sqrt(total))


@kernel
def score_pairs(
    queries: NDArray[np.float32],
    query_offsets: NDArray[np.float32],
    items: NDArray[np.float32],
    item_offsets: NDArray[np.float32],
    row: NDArray[np.int64],
    item_idx: NDArray[np.int32],
    out: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write the score of each pair (row, item) in [start, stop) to `out`; the same bits as in a ranked list."""
    for p in range(start, stop):
        u, i = row[p], item_idx[p]
        out[p] = score_one(queries[u], query_offsets[u], items[i], item_offsets[i], False)


@kernel
def rank_proposed(
    query: NDArray[np.float32],
    query_offset: float,
    items: NDArray[np.float32],
    item_offsets: NDArray[np.float32],
    euclidean: bool,
    proposed: NDArray[np.int32],
    count: int,
    score: NDArray[np.float32],
    index: NDArray[np.int32],
) -> int:
    """Rank the first `count` proposals by their fixed-order score; write the k best, best first; return how many."""
    size, k = 0, score.size
    for p in range(count):
        j = proposed[p]
        s = score_one(query, query_offset, items[j], item_offsets[j], euclidean)
        if size < k:
            score[size], index[size] = s, j
            _sift_up(score, index, size)
            size += 1
        elif k > 0 and _worse(score[0], index[0], s, j):
            score[0], index[0] = s, j
            _sift_down(score, index, 0, size)
    sort_heap(score, index, size)
    return size


@kernel
def rescore_rows(
    queries: NDArray[np.float32],
    query_offsets: NDArray[np.float32],
    items: NDArray[np.float32],
    item_offsets: NDArray[np.float32],
    euclidean: bool,
    proposed: NDArray[np.int32],
    count: NDArray[np.int64],
    score: NDArray[np.float32],
    index: NDArray[np.int32],
    kept: NDArray[np.int64],
) -> None:
    """Rank the first count[b] proposals of each row by their fixed-order score; write the k best, best first."""
    for r in range(queries.shape[0]):
        kept[r] = rank_proposed(
            queries[r],
            query_offsets[r],
            items,
            item_offsets,
            euclidean,
            proposed[r],
            count[r],
            score[r],
            index[r],
        )
