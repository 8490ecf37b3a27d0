"""Some rows of lists that lie one after the other (CSR)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def taken_rows(
    ptr: NDArray[np.int64], entry: NDArray[np.int32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return ptr int64[m + 1] and the entries of the rows at `rows` int64[m]; none for each below 0."""
    out_ptr = np.zeros(rows.size + 1, np.int64)
    for at in range(rows.size):
        length = ptr[rows[at] + 1] - ptr[rows[at]] if rows[at] >= 0 else 0
        out_ptr[at + 1] = out_ptr[at] + length
    out = np.empty(out_ptr[rows.size], entry.dtype)
    for at in range(rows.size):
        for x in range(out_ptr[at + 1] - out_ptr[at]):
            out[out_ptr[at] + x] = entry[ptr[rows[at]] + x]
    return out_ptr, out
