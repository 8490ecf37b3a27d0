"""The distinct items of each person's positive events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def distinct_items(
    ptr: NDArray[np.int64],
    item_idx: NDArray[np.int32],
    positive: NDArray[np.bool_],
    out: NDArray[np.int32],
    count: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Write for the rows [start, stop) their distinct items, ascending, to out[ptr[r] :], and how many to count[r]."""
    for r in range(start, stop):
        n = 0
        ascending = True
        for p in range(ptr[r], ptr[r + 1]):
            if positive[p]:
                out[ptr[r] + n] = item_idx[p]
                ascending = ascending and (n == 0 or out[ptr[r] + n - 1] < item_idx[p])
                n += 1
        if not ascending:
            mine = np.sort(out[ptr[r] : ptr[r] + n])
            n = 0
            for item in mine:
                if n == 0 or item != out[ptr[r] + n - 1]:
                    out[ptr[r] + n] = item
                    n += 1
        count[r] = n


@kernel
def close_up(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    out_ptr: NDArray[np.int64],
    out: NDArray[np.int32],
    start: int,
    stop: int,
) -> None:
    """Copy the first out_ptr[r + 1] − out_ptr[r] entries of the rows [start, stop), which begin at ptr[r], to `out`."""
    for r in range(start, stop):
        n = out_ptr[r + 1] - out_ptr[r]
        out[out_ptr[r] : out_ptr[r] + n] = idx[ptr[r] : ptr[r] + n]
