"""Who can be among the k best: from scores that are known up to a bound, everything that the bound leaves open.

Each row has a buffer of candidates with a lower and an upper bound of their final score. The k-th largest lower bound
is a floor: whatever lies below it has k better ones, so it never enters the buffer, or leaves it when the buffer is
full. What remains at the end is rescored in the fixed order and ranked: the result is exact for these scores.

| symbol | meaning |
|---|---|
| S | float32[n, b] scores of a block of items, of a matrix product |
| slack | float32[n] how far a score may be from the final one, either way |
| lower, upper | float32[n, parts, capacity] bounds of the candidates; the same array where slack says it all |
| size | int64[n, parts] candidates in each buffer; −1: more were open than it holds |
| floor | float32[n, parts] |
| rule, listed | int8[n_items], bool[n_items] or bool[0]: items of rule 0 that are listed may appear |
| ptr, own | items that one row may not be shown (CSR structure, ascending) |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.int8_dots import block_dots, portable_block_dots
from shortlist.kernels.jit import fast_kernel, kernel
from shortlist.kernels.prefetch import prefetch
from shortlist.kernels.topk import rank_proposed

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 128
"""Scores that are tested at once."""


@kernel
def kth_largest(values: NDArray[np.float32], n: int, k: int) -> np.float32:
    """Return the k-th largest of values[:n], 1 <= k <= n, and change their order (Hoare 1961, quickselect)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    return np.float32(values[k - 1])


@kernel
def _shrink(
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
    index: NDArray[np.int32],
    size: int,
    k: int,
    slack: np.float32,
    floor: np.float32,
) -> tuple[int, np.float32]:
    """Raise the floor to the k-th largest lower bound less `slack`, and drop what lies below it."""
    if size > k:
        floor = max(floor, kth_largest(lower[:size].copy(), size, k) - slack)
    left = 0
    for p in range(size):
        if upper[p] >= floor:
            lower[left], upper[left], index[left] = lower[p], upper[p], index[p]
            left += 1
    return left, floor


@fast_kernel
def _any_reaches(row: NDArray[np.float32], start: int, floor: np.float32) -> bool:
    hit, base = (
        np.int32(0),
        np.uint64(start),
    )  # unsigned: with an index that may be negative nothing is vectorised
    for j in range(CHUNK):
        hit |= np.int32(row[base + np.uint64(j)] >= floor)
    return bool(hit != 0)


@fast_kernel
def _add(scores: NDArray[np.float32], offsets: NDArray[np.float32]) -> None:
    for j in range(scores.size):
        scores[j] += offsets[j]


@kernel
def _enter(
    chunk: NDArray[np.float32],
    first: int,
    floor: np.float32,
    rule: NDArray[np.int8],
    listed: NDArray[np.bool_],
    own: NDArray[np.int32],
    seen: int,
    score: NDArray[np.float32],
    index: NDArray[np.int32],
    size: int,
) -> tuple[int, int]:
    """Add the permitted items of a chunk that reach the floor; return how many there are and the place in `own`."""
    for c in range(chunk.size):
        if chunk[c] < floor:
            continue
        j = first + c
        if rule[j] != 0 or (listed.size > 0 and not listed[j]):
            continue
        while seen < own.size and own[seen] < j:
            seen += 1
        if seen < own.size and own[seen] == j:
            continue
        score[size], index[size] = chunk[c], j
        size += 1
    return size, seen


@fast_kernel
def _bound_above(
    dots: NDArray[np.int32],
    shift: np.int32,
    unit: np.float32,
    radius: np.float32,
    slack: np.float32,
    step: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for j in range(step.size):
        out[j] = step[j] * (np.float32(dots[j] - shift) * unit + radius) + slack


@kernel
def collect_rows(
    S: NDArray[np.float32],
    first: int,
    offsets: NDArray[np.float32],
    rule: NDArray[np.int8],
    listed: NDArray[np.bool_],
    ptr: NDArray[np.int64],
    own: NDArray[np.int32],
    own_at: NDArray[np.int64],
    slack: NDArray[np.float32],
    k: int,
    part: int,
    score: NDArray[np.float32],
    index: NDArray[np.int32],
    size: NDArray[np.int64],
    floor: NDArray[np.float32],
) -> None:
    """Add the permitted items first, first + 1, … of the columns of S, with their offsets, to the buffers of `part`.

    offsets float32[n_items], or float32[0] for none; own_at int64[n]: where in `own` each row stands (begin with
    ptr[:-1], for blocks in ascending order). Cost: one pass over S, and little more for what enters.
    """
    capacity = score.shape[2]
    for r in range(S.shape[0]):
        row, best, at, n = S[r], score[r, part], index[r, part], size[r, part]
        limit, seen, theirs = floor[r, part], own_at[r] - ptr[r], own[ptr[r] : ptr[r + 1]]
        if offsets.size > 0:
            _add(row, offsets[first : first + row.size])
        for start in range(0, row.size if n >= 0 else 0, CHUNK):
            if start + CHUNK <= row.size and not _any_reaches(row, start, limit):
                continue
            chunk = row[start : start + CHUNK]
            n, seen = _enter(chunk, first + start, limit, rule, listed, theirs, seen, best, at, n)
            if n > capacity - CHUNK:
                n, limit = _shrink(best, best, at, n, k, np.float32(2.0) * slack[r], limit)
                if n > capacity - CHUNK:
                    n = -1
                    break
        size[r, part], floor[r, part], own_at[r] = n, limit, seen + ptr[r]


@kernel
def scan_packed(
    packed: NDArray[np.uint8],
    step: NDArray[np.float32],
    offsets: NDArray[np.float32],
    query8: NDArray[np.int32],
    query16: NDArray[np.int16],
    unit: np.float32,
    radius: np.float32,
    slack: np.float32,
    portable: bool,
    rule: NDArray[np.int8],
    listed: NDArray[np.bool_],
    own: NDArray[np.int32],
    k: int,
    part: int,
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
    index: NDArray[np.int32],
    size: NDArray[np.int64],
    floor: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Add the permitted items [start, stop) whose bytes say that they may be among the k best to the buffer of `part`.

    The final score lies within step · radius + slack of step · unit · dot + offset. `start` is a multiple of CHUNK;
    floor float32[1] is shared by all parts: each takes what the others have raised it to, and any value that was ever
    written there is a true floor, whoever wrote last.
    """
    dots, most = np.empty(CHUNK, np.int32), np.empty(CHUNK, np.float32)
    words = query8.size * 64
    shift = np.int32(0)
    for f in range(query16.size):
        shift += np.int32(128) * np.int32(query16[f])
    low, up, at, capacity = lower[0, part], upper[0, part], index[0, part], lower.shape[2]
    n, limit, seen = 0, floor[0], 0
    for first in range(start, stop, CHUNK):
        last = min(first + CHUNK, stop)
        for b in range((last - first + 15) // 16):
            if portable:
                portable_block_dots(packed, (first // 16 + b) * words, query8, query16, dots, b * 16)
            else:
                block_dots(packed, (first // 16 + b) * words, query8, query16, dots, b * 16)
        _bound_above(dots, shift, unit, radius, slack, step[first:last], most)
        if offsets.size > 0:
            _add(most, offsets[first:last])
        if last == first + CHUNK and not _any_reaches(most, 0, limit):
            continue
        before = n
        n, seen = _enter(most[: last - first], first, limit, rule, listed, own, seen, up, at, n)
        for p in range(before, n):
            low[p] = up[p] - np.float32(2.0) * (step[at[p]] * radius + slack)
        if n > capacity - CHUNK:
            n, limit = _shrink(low, up, at, n, k, np.float32(0.0), limit)
            if n > capacity - CHUNK:
                n = -1
                break
            limit = max(limit, floor[0])
            floor[0] = limit
    if n > k:
        n, limit = _shrink(low, up, at, n, k, np.float32(0.0), limit)
        floor[0] = max(limit, floor[0])
    size[0, part] = n


@kernel
def rank_candidates(
    queries: NDArray[np.float32],
    query_offsets: NDArray[np.float32],
    items: NDArray[np.float32],
    item_offsets: NDArray[np.float32],
    euclidean: bool,
    slack: NDArray[np.float32],
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
    index: NDArray[np.int32],
    size: NDArray[np.int64],
    out_score: NDArray[np.float32],
    out_index: NDArray[np.int32],
    kept: NDArray[np.int64],
) -> None:
    """Write the k best candidates of each row by their fixed-order score, best first, and how many; −1: not known.

    slack float32[n]: what is still to be taken off the lower bounds and added to the upper ones.
    """
    k, parts, capacity = out_score.shape[1], index.shape[1], index.shape[2]
    for r in range(queries.shape[0]):
        kept[r] = -1
        low, up, at = lower[r].ravel(), upper[r].ravel(), index[r].ravel()
        n = 0
        for part in range(parts):
            if size[r, part] < 0:
                n = -1
                break
            for p in range(part * capacity, part * capacity + size[r, part]):
                low[n], up[n], at[n] = low[p], up[p], at[p]
                n += 1
        if n < 0:
            continue
        n, _ = _shrink(low, up, at, n, k, np.float32(2.0) * slack[r], np.float32(-np.inf))
        for p in range(n):
            for f in range(0, items.shape[1], 16):
                prefetch(items, at[p], f)
        kept[r] = rank_proposed(
            queries[r], query_offsets[r], items, item_offsets, euclidean, at, n, out_score[r], out_index[r]
        )


@fast_kernel
def square_norms(rows: NDArray[np.float32], out: NDArray[np.float64], start: int, stop: int) -> None:
    """Write the squared length of rows [start, stop) to out float64[n]."""
    for r in range(start, stop):
        total = 0.0
        for f in range(rows.shape[1]):
            total += np.float64(rows[r, f]) * np.float64(rows[r, f])
        out[r] = total
