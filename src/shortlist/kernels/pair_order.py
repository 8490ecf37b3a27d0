"""Events ordered by row and column, and those of one pair made one: how a log becomes a sparse matrix.

Two counting sorts, by column and then by row, each stable: the events of a pair stay in the order they have. Besides
what comes out, this needs one position for each event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAST, FIRST, SUM, MEAN, COUNT = range(5)


@kernel
def order_pairs(
    row: NDArray[np.int32],
    column: NDArray[np.int32],
    value: NDArray[np.float32],
    row_ptr: NDArray[np.int64],
    column_ptr: NDArray[np.int64],
    columns: NDArray[np.int32],
    values: NDArray[np.float32],
) -> None:
    """Write columns and values of the events by row, then column, then position to `columns[m]` and `values[m]`.

    `row[m]`, `column[m]`, `value[m]` are the events. `row_ptr` and `column_ptr` say where each row and each column
    begins in such an order; both are moved on.
    """
    by_column = np.empty(len(row), np.uint32)
    for e in range(len(row)):
        by_column[column_ptr[column[e]]] = e
        column_ptr[column[e]] += 1
    for place in range(len(row)):
        e = by_column[place]
        at = row_ptr[row[e]]
        columns[at] = column[e]
        values[at] = value[e]
        row_ptr[row[e]] += 1


@kernel
def turn_pairs(
    ptr: NDArray[np.integer[Any]],
    columns: NDArray[np.integer[Any]],
    starts: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> None:
    """Write the row of each pair to `rows[m]`, by column and then by row: the pairs seen from the other side.

    `ptr[n_rows + 1]` and `columns[m]` are the pairs; `starts` says where each column begins, and is moved on.
    """
    for r in range(len(ptr) - 1):
        for e in range(ptr[r], ptr[r + 1]):
            rows[starts[columns[e]]] = r
            starts[columns[e]] += 1


@kernel
def merge_pairs(
    ptr: NDArray[np.int64], columns: NDArray[np.int32], values: NDArray[np.float32], rule: int
) -> int:
    """Make neighbours of equal column within a row one, in place; return how many are left.

    `ptr[n_rows + 1]` becomes that of the merged rows. `rule` is LAST, FIRST, SUM, MEAN or COUNT of the values; sums are
    float64.
    """
    kept = 0
    for r in range(len(ptr) - 1):
        first, last = ptr[r], ptr[r + 1]
        ptr[r] = kept
        while first < last:
            column, until, total = columns[first], first, 0.0
            while until < last and columns[until] == column:
                total += values[until]
                until += 1
            if rule == LAST:
                merged = values[until - 1]
            elif rule == FIRST:
                merged = values[first]
            elif rule == SUM:
                merged = np.float32(total)
            elif rule == MEAN:
                merged = np.float32(total / (until - first))
            else:
                merged = np.float32(until - first)
            columns[kept], values[kept] = column, merged
            kept += 1
            first = until
    ptr[len(ptr) - 1] = kept
    return kept
