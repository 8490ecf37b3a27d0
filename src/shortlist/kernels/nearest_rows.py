"""The n most similar sparse rows of each query row, without a matrix of all pairs.

A query is a sparse row over features; for each feature there is a list of the rows that have it (an inverted index).
Adding up the lists of a query's features gives its products with every row that shares a feature, and a buffer
keeps the best (`best_keys`).

| symbol | meaning |
|---|---|
| q, c | a query row, a candidate row |
| total | Σ_f q_f c_f over the features both have, in the order of the query's features; float64 |
| common | the number of features both have; equal to total where all values are 1 |
| a_q, a_c | of a row: Σ_f c_f² (cosine), its number of features (Jaccard), or a factor (scaled) |
| reach | of a candidate: what its total is multiplied with for a bound that its similarity cannot exceed |
| place | where a candidate stands in the caller's order; ties go by it |
| at[level], end | where the part of a feature's list that is still to be added begins and ends |
| kept, size | of a query, from kept_ptr on: the keys of its best so far, and how many there are |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.best_keys import ROOM, keep_largest, key_of, least_value
from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

COSINE, JACCARD, SCALED = 0, 1, 2
PEARSON, ADJUSTED, WHOLE, PRODUCT = 0, 1, 2, 3
# Bounds are compared with the worst similarity kept, which was rounded to float32.
SLACK = 1 - 1e-6
_STRIP = 64
# What rounding leaves of sums that should cancel: a variance or a product below this share of the squares is none.
_NO_VARIANCE = 1e-12


@kernel
def similarity(formula: int, total: float, a_q: float, a_c: float, shrinkage: float) -> np.float32:
    """Return total / √(a_q a_c), total / (a_q + a_c − total) or total · a_q · a_c, times total / (total + shrinkage).

    With a shrinkage above 0, all values are 1.
    """
    if formula == COSINE:
        value = total / np.sqrt(a_q * a_c)
    elif formula == JACCARD:
        value = total / (a_q + a_c - total)
    else:
        value = total * a_q * a_c
    if shrinkage > 0:
        value *= total / (total + shrinkage)
    return np.float32(value)


@kernel
def list_lengths(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    l_ptr: NDArray[np.int64],
    out: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Write for the queries [start, stop) how long the lists of their features are together."""
    for q in range(start, stop):
        length = 0
        for t in range(ptr[q], ptr[q + 1]):
            length += l_ptr[idx[t] + 1] - l_ptr[idx[t]]
        out[q] = length


@kernel
def least_kept(buffer: NDArray[np.int64], size: int, n: int) -> float:
    """Return what a bound must reach for its candidate to have a chance among n: 0 until there are n."""
    return np.float64(least_value(buffer, size)) * SLACK if size == n else 0.0


@kernel
def _any_reaches(
    total: NDArray[np.float64], reach: NDArray[np.float64], start: int, stop: int, cut: float
) -> bool:
    hit = False
    for c in range(start, stop):
        hit |= total[c] * reach[c] >= cut
    return hit


@kernel
def _add_touched(
    idx: NDArray[np.int32],
    values: NDArray[np.float32],
    at: NDArray[np.int64],
    end: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_values: NDArray[np.float32],
    total: NDArray[np.float64],
    touched: NDArray[np.int32],
) -> int:
    """Add the lists of one query to `total`, which is all 0; write whom they touched and return how many that are."""
    n = 0
    for t in range(idx.size):
        f, x = idx[t], np.float64(values[t])
        for p in range(at[f], end[f]):
            c = l_idx[p]
            touched[n] = c
            n += total[c] == 0
            total[c] += x * l_values[p]
    return n


@kernel
def _add_all(
    idx: NDArray[np.int32],
    values: NDArray[np.float32],
    at: NDArray[np.int64],
    end: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_values: NDArray[np.float32],
    total: NDArray[np.float64],
) -> None:
    """Add the lists of one query to `total`, in the same order as `_add_touched`."""
    for t in range(idx.size):
        f, x = idx[t], np.float64(values[t])
        for p in range(at[f], end[f]):
            total[l_idx[p]] += x * l_values[p]


@kernel
def nearest_rows(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    values: NDArray[np.float32],
    a_q: NDArray[np.float64],
    q_reach: NDArray[np.float64],
    own: NDArray[np.int32],
    level: NDArray[np.int64],
    at: NDArray[np.int64],
    end: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_values: NDArray[np.float32],
    a_c: NDArray[np.float64],
    reach: NDArray[np.float64],
    place: NDArray[np.int32],
    formula: int,
    shrinkage: float,
    kept_ptr: NDArray[np.int64],
    kept: NDArray[np.int64],
    size: NDArray[np.int64],
    asked: NDArray[np.int64],
    start: int,
    step: int,
) -> None:
    """Keep for every `step`-th query of `asked`, from `start` on, the best candidates that share a feature with it.

    All values are above 0. `own` is the candidate that a query is itself, −1 for none; it is not kept. A short
    query notes which candidates it has touched, a long one looks at all of them, 64 at once against the worst kept.
    """
    n = a_c.size
    total, touched = np.zeros(n, np.float64), np.empty(n + 1, np.int32)
    for turn in range(start, asked.size, step):
        q = asked[turn]
        mine = kept[kept_ptr[q] : kept_ptr[q + 1]]
        if mine.size == 0:
            continue
        begin = at[level[q]]
        its, xs = idx[ptr[q] : ptr[q + 1]], values[ptr[q] : ptr[q + 1]]
        # By lists of the mean length: a guess, which decides what is quicker and nothing else.
        if its.size * l_idx.size < n * end.size // 2:
            n_touched = _add_touched(its, xs, begin, end, l_idx, l_values, total, touched)
        else:
            _add_all(its, xs, begin, end, l_idx, l_values, total)
            n_touched = n
        if own[q] >= 0:
            total[own[q]] = 0
        buffer = np.empty(mine.size + ROOM, np.int64)
        m = size[q]
        buffer[:m] = mine[:m]
        cut = least_kept(buffer, m, mine.size)
        # Where most are touched, a look at all of them, many at once, is quicker than one at each that was touched.
        strip = 1 if 8 * n_touched < n else _STRIP
        stop = n_touched if strip == 1 else n
        for first in range(0, stop, strip):
            last = min(first + strip, stop)
            if strip > 1 and not _any_reaches(total, reach, first, last, cut / q_reach[q]):
                continue
            for t in range(first, last):
                c = touched[t] if strip == 1 else t
                if total[c] > 0 and total[c] * reach[c] * q_reach[q] >= cut:
                    buffer[m] = key_of(similarity(formula, total[c], a_q[q], a_c[c], shrinkage), place[c])
                    m += 1
                    if m == buffer.size:
                        m = keep_largest(buffer, m, mine.size)
                        cut = least_kept(buffer, m, mine.size)
        if strip == 1:
            for t in range(n_touched):
                total[touched[t]] = 0
        else:
            total[:] = 0
        size[q] = keep_largest(buffer, m, mine.size)
        mine[: size[q]] = buffer[: size[q]]


@kernel
def _overlap_similarity(
    formula: int, sums: NDArray[np.float64], a_q: float, a_c: float, shrinkage: float
) -> np.float32:
    """Return the similarity of two rows from Σ1, Σx, Σy, Σxy, Σxx, Σyy over the features both have; 0 if undefined.

    PEARSON takes means and norms over those features, ADJUSTED only norms, WHOLE the norms √a of whole rows, PRODUCT
    neither.
    """
    n, x, y, xy, xx, yy = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    if formula == PRODUCT:
        return np.float32(xy * n / (n + shrinkage))
    if formula == PEARSON:
        xy -= x * y / n
        x_left, y_left = xx - x * x / n, yy - y * y / n
    elif formula == ADJUSTED:
        x_left, y_left = xx, yy
    else:
        x_left, y_left = a_q, a_c
    none = _NO_VARIANCE
    if x_left <= none * xx or y_left <= none * yy or xy <= none * np.sqrt(xx * yy):
        return np.float32(0)
    # Rounding must not take a correlation beyond 1.
    return np.float32(min(xy / np.sqrt(x_left * y_left), 1.0) * n / (n + shrinkage))


@kernel
def nearest_rows_by_overlap(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    values: NDArray[np.float32],
    a_q: NDArray[np.float64],
    own: NDArray[np.int32],
    l_ptr: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_values: NDArray[np.float32],
    a_c: NDArray[np.float64],
    place: NDArray[np.int32],
    formula: int,
    shrinkage: float,
    kept_ptr: NDArray[np.int64],
    kept: NDArray[np.int64],
    size: NDArray[np.int64],
    start: int,
    stop: int,
    step: int,
) -> None:
    """Keep for every `step`-th query of [start, stop) the best candidates of similarity above 0.

    Values may have either sign. Arguments as those of `nearest_rows`.
    """
    n = a_c.size
    sums, touched = np.zeros((n, 6), np.float64), np.empty(n + 1, np.int32)
    for q in range(start, stop, step):
        m = 0
        for t in range(ptr[q], ptr[q + 1]):
            f, x = idx[t], np.float64(values[t])
            for p in range(l_ptr[f], l_ptr[f + 1]):
                c, y = l_idx[p], np.float64(l_values[p])
                row = sums[c]
                touched[m] = c
                m += row[0] == 0
                row[0] += 1
                row[1] += x
                row[2] += y
                row[3] += x * y
                row[4] += x * x
                row[5] += y * y
        mine = kept[kept_ptr[q] : kept_ptr[q + 1]]
        buffer = np.empty(mine.size + ROOM, np.int64)
        size[q] = 0
        for p in range(m):
            c = touched[p]
            if c != own[q]:
                value = _overlap_similarity(formula, sums[c], a_q[q], a_c[c], shrinkage)
                if value > 0:
                    buffer[size[q]] = key_of(value, place[c])
                    size[q] += 1
                    if size[q] == buffer.size:
                        size[q] = keep_largest(buffer, size[q], mine.size)
            sums[c] = 0
        size[q] = keep_largest(buffer, size[q], mine.size)
        mine[: size[q]] = buffer[: size[q]]
