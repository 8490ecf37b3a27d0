"""From the keys that an approximate index proposes to the positions that may be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def permitted_positions(
    keys: NDArray[np.int64],
    position: NDArray[np.int32],
    item_rule: NDArray[np.int8],
    ptr: NDArray[np.int64],
    own: NDArray[np.int32],
    out: NDArray[np.int32],
    count: NDArray[np.int64],
) -> None:
    """Write the positions of those `keys` [n, m] of each row that may be found to the front of `out`, count[n] of them.

    A key means nothing where it is below 0 or has no position (−1, or none in `position`). Forbidden are positions
    with a rule, and those of a row's `own` (from ptr[r] to ptr[r + 1], ascending).
    """
    for r in range(keys.shape[0]):
        kept = 0
        for c in range(keys.shape[1]):
            key = keys[r, c]
            if key < 0 or key >= position.size:
                continue
            at = position[key]
            if at < 0 or item_rule[at] != 0:
                continue
            low, high = ptr[r], ptr[r + 1]
            while low < high:
                middle = (low + high) // 2
                if own[middle] < at:
                    low = middle + 1
                else:
                    high = middle
            if low < ptr[r + 1] and own[low] == at:
                continue
            out[r, kept] = at
            kept += 1
        count[r] = kept
