"""Sums over people of a sparse matrix of what each chose: the item × item Gram matrix, and rows of dense weights.

| symbol | meaning |
|---|---|
| X | 0/1 matrix [users, items] by user (ptr, item), items ascending |
| item_ptr, user, end | the users of each item, and where its entry among the items of that user ends |
| G | XᵀX + λI |
| B | weights float32[items, items] |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Columns that are summed at a time: 16 KiB of sums stay in the first cache while rows of B stream past.
_COLUMNS = 4096


@kernel
def gram_lower(
    item_ptr: NDArray[np.int64],
    user: NDArray[np.int32],
    end: NDArray[np.int64],
    ptr: NDArray[np.int64],
    item: NDArray[np.uint32],
    reg: float,
    G: NDArray[np.floating[Any]],
    start: int,
    stop: int,
) -> None:
    """Write rows [start, stop) of the lower triangle of XᵀX + reg·I; what stands above it is left alone."""
    for i in range(start, stop):
        row = G[i, : i + 1]
        row[:] = 0
        row[i] = reg
        for p in range(item_ptr[i], item_ptr[i + 1]):
            for j in item[ptr[user[p]] : end[p]]:
                row[j] += 1


@fast_kernel
def sum_dense_rows(
    ptr: NDArray[np.int64], item: NDArray[np.int32], B: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write to each row of out float32[b, n] the sum of the rows of B that its items name, in their order."""
    n = B.shape[1]
    for r in range(out.shape[0]):
        for left in range(0, n, _COLUMNS):
            right = min(left + _COLUMNS, n)
            sums = out[r, left:right]
            sums[:] = 0
            for p in range(ptr[r], ptr[r + 1]):
                row = B[item[p], left:right]
                for j in range(sums.size):
                    sums[j] += row[j]
