"""Rows of length 1 for some items: their vectors, or a column for each label that one of them has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@fast_kernel
def unit_rows_at(vectors: NDArray[np.float32], item_idx: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """Write the rows of `vectors` at `item_idx` int32[m] at length 1 to `out` [m, d]; a zero row stays zero."""
    for i in range(item_idx.size):
        row = vectors[item_idx[i]]
        total = 0.0
        for f in range(row.size):
            total += np.float64(row[f]) * np.float64(row[f])
        scale = 1.0 / np.sqrt(total) if total > 0.0 else 0.0
        for f in range(row.size):
            out[i, f] = np.float32(row[f] * scale)


@kernel
def number_labels(
    ptr: NDArray[np.int64], code: NDArray[np.int32], item_idx: NDArray[np.int32], column: NDArray[np.int32]
) -> int:
    """Number the labels of the items from 1, in the order in which they occur; return how many there are.

    `column` int32[n_labels] is all 0, and keeps the number of each label.
    """
    n = 0
    for item in item_idx:
        for at in range(ptr[item], ptr[item + 1]):
            if column[code[at]] == 0:
                n += 1
                column[code[at]] = n
    return n


@kernel
def write_unit_labels(
    ptr: NDArray[np.int64],
    code: NDArray[np.int32],
    item_idx: NDArray[np.int32],
    column: NDArray[np.int32],
    out: NDArray[np.float32],
) -> None:
    """Write to `out` [m, n], all 0, the same positive number in the column of each label, a row of length 1."""
    for i in range(item_idx.size):
        start, stop = ptr[item_idx[i]], ptr[item_idx[i] + 1]
        for at in range(start, stop):
            out[i, column[code[at]] - 1] = np.float32(1.0 / np.sqrt(stop - start))
