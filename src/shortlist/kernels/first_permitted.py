"""The first permitted items of one order that holds for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def first_permitted(
    order: NDArray[np.int32],
    item_rule: NDArray[np.int8],
    ptr: NDArray[np.int64],
    forbidden: NDArray[np.int32],
    mark: NDArray[np.int32],
    out: NDArray[np.int32],
    start: int,
    stop: int,
) -> None:
    """Write into rows `start` to `stop` of `out` [n, k] the first k of `order` that nothing forbids.

    `order` int32[m] holds distinct items; `item_rule` int8[n_items] is not 0 for those forbidden to every row, row r
    forbids `forbidden[ptr[r]:ptr[r + 1]]` too. `mark` int32[n_items] is all 0, and row r marks with r − start + 1. The
    unused end of a row becomes −1. Cost: k and the number of forbidden items a row.
    """
    for row in range(start, stop):
        own = row - start + 1
        for at in range(ptr[row], ptr[row + 1]):
            mark[forbidden[at]] = own
        found = 0
        for item in order:
            if found == out.shape[1]:
                break
            if item_rule[item] == 0 and mark[item] != own:
                out[row, found] = item
                found += 1
        for rest in range(found, out.shape[1]):
            out[row, rest] = -1
