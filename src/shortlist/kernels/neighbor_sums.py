"""Rows of scores from lists: each entry of a row leads to a list of items, and what the lists say is added up.

A row is a person. Its entries are items of their past, each leading to the items it is a neighbour of; or people like
them, each leading to the items those have. Sums run in the order of the entries, in float64, so that a row depends on
nothing but its own entries.

| symbol | meaning |
|---|---|
| ptr, idx, weight | CSR of rows: the lists that each leads to, and the weight of each |
| l_ptr, l_idx, l_value | the lists: items and their values |
| out | float32[b, n_items], −∞ where no list of the row has the item |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def sum_lists(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    weight: NDArray[np.float32],
    l_ptr: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_value: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write Σ weight · value over the lists of each row."""
    total, touched = np.zeros(out.shape[1], np.float64), np.zeros(out.shape[1], np.bool_)
    for r in range(out.shape[0]):
        for t in range(ptr[r], ptr[r + 1]):
            for p in range(l_ptr[idx[t]], l_ptr[idx[t] + 1]):
                total[l_idx[p]] += np.float64(weight[t]) * np.float64(l_value[p])
                touched[l_idx[p]] = True
        for i in range(out.shape[1]):
            out[r, i] = total[i] if touched[i] else -np.inf
        total[:] = 0
        touched[:] = False


@kernel
def average_lists(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    weight: NDArray[np.float32],
    l_ptr: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_value: NDArray[np.float32],
    by_entry: bool,
    least: int,
    out: NDArray[np.float32],
) -> None:
    """Write Σ weight · value / Σ similarity over the lists of each row, where at least `least` lists have the item.

    The similarities are the weights of the entries where `by_entry`, else the values of the lists.
    """
    n = out.shape[1]
    above, below, lists = np.zeros(n, np.float64), np.zeros(n, np.float64), np.zeros(n, np.int32)
    for r in range(out.shape[0]):
        for t in range(ptr[r], ptr[r + 1]):
            w = np.float64(weight[t])
            for p in range(l_ptr[idx[t]], l_ptr[idx[t] + 1]):
                i, x = l_idx[p], np.float64(l_value[p])
                above[i] += w * x
                below[i] += w if by_entry else x
                lists[i] += 1
        for i in range(n):
            out[r, i] = above[i] / below[i] if lists[i] >= least else -np.inf
        above[:] = 0
        below[:] = 0
        lists[:] = 0
