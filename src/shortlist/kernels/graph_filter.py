"""Rows of scores of a graph filter: lists of a person's items added up, and a product with a few spectral columns.

| symbol | meaning |
|---|---|
| ptr, item | CSR of people: the items of each |
| l_ptr, l_idx, l_value | for each item the list of items it leads to, and their values |
| weight | float32[n_items]: what an item of a person counts in the spectral part |
| V | float32[n_items, d]: singular vectors |
| W | float32[d, n_items]: the same, times what they count as targets; columns of one item |
| z | float32[d]: a person in the basis V |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Items that are scored at a time: eight rows of their part of W stay in the first cache while a block of people passes.
_ITEMS = 512


@kernel
def add_lists(
    ptr: NDArray[np.int64],
    item: NDArray[np.int32],
    l_ptr: NDArray[np.int64],
    l_idx: NDArray[np.int32],
    l_value: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write to each row of out float32[b, n_items] the sum of the lists of its items, in their order; else 0."""
    out[:] = 0
    for r in range(out.shape[0]):
        row = out[r]
        for t in range(ptr[r], ptr[r + 1]):
            for p in range(l_ptr[item[t]], l_ptr[item[t] + 1]):
                row[l_idx[p]] += l_value[p]


@kernel
def in_basis(
    ptr: NDArray[np.int64],
    item: NDArray[np.int32],
    weight: NDArray[np.float32],
    V: NDArray[np.float32],
    z: NDArray[np.float32],
) -> None:
    """Write to each row of z float32[b, d] the sum of weight · V over its items, in their order."""
    z[:] = 0
    for r in range(z.shape[0]):
        for t in range(ptr[r], ptr[r + 1]):
            i = item[t]
            for f in range(z.shape[1]):
                z[r, f] += weight[i] * V[i, f]


@fast_kernel
def add_products(z: NDArray[np.float32], W: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Add z · W to out float32[b, n_items]. d is a multiple of 8; each score has one order, whoever stands beside.

    Eight rows of W are added to a sum at once, so that it is read and written once in eight.
    """
    n = W.shape[1]
    for left in range(0, n, _ITEMS):
        right = min(left + _ITEMS, n)
        for f in range(0, z.shape[1], 8):
            w0, w1, w2, w3 = (
                W[f, left:right],
                W[f + 1, left:right],
                W[f + 2, left:right],
                W[f + 3, left:right],
            )
            w4, w5 = W[f + 4, left:right], W[f + 5, left:right]
            w6, w7 = W[f + 6, left:right], W[f + 7, left:right]
            for r in range(z.shape[0]):
                sums = out[r, left:right]
                z0, z1, z2, z3 = z[r, f], z[r, f + 1], z[r, f + 2], z[r, f + 3]
                z4, z5, z6, z7 = z[r, f + 4], z[r, f + 5], z[r, f + 6], z[r, f + 7]
                for j in range(sums.size):
                    first = (z0 * w0[j] + z1 * w1[j]) + (z2 * w2[j] + z3 * w3[j])
                    second = (z4 * w4[j] + z5 * w5[j]) + (z6 * w6[j] + z7 * w7[j])
                    sums[j] += first + second
