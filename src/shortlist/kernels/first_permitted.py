"""The first permitted items of one order that holds for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def first_permitted(
    order: NDArray[np.int32],
    n_items: int,
    ptr: NDArray[np.int64],
    forbidden: NDArray[np.int32],
    out: NDArray[np.int32],
    start: int,
    stop: int,
) -> None:
    """Write into rows `start` to `stop` of `out` [n, k] the first k of `order` that the row does not forbid.

    `order` int32[m] holds distinct items below `n_items`; row r forbids `forbidden[ptr[r]:ptr[r + 1]]`. The unused end
    of a row becomes −1. Cost: k and the number of forbidden items a row.
    """
    forbidden_to = np.full(n_items, -1, np.int64)
    for row in range(start, stop):
        for at in range(ptr[row], ptr[row + 1]):
            forbidden_to[forbidden[at]] = row
        found = 0
        for item in order:
            if found == out.shape[1]:
                break
            if forbidden_to[item] != row:
                out[row, found] = item
                found += 1
        for rest in range(found, out.shape[1]):
            out[row, rest] = -1
