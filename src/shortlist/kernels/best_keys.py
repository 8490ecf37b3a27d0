"""The n largest of a stream of (value, index), larger values first, equal ones by smaller index.

A pair becomes one integer that orders as the pairs do: the bits of a float32 above 0 order as the number does, and the
index stands inverted below them. A buffer takes keys until it is full, then all but its n largest are dropped; that
costs a few comparisons a key, where a heap costs log n. What remains at the end does not depend on the order of the
stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INDEX = 0x7FFFFFFF
# Room beyond n: the larger, the rarer a selection.
ROOM = 512


@kernel
def key_of(value: np.float32, index: int) -> int:
    """Return the key of a value above 0 and an index from 0 on."""
    bits = np.int64(np.float32(value).view(np.int32))
    return int((bits << 32) | (_INDEX - np.int64(index)))


@kernel
def value_of(key: int) -> np.float32:
    """Return the value of a key."""
    return np.int32(np.int64(key) >> 32).view(np.float32)


@kernel
def index_of(key: int) -> int:
    """Return the index of a key."""
    return int(_INDEX - (np.int64(key) & 0xFFFFFFFF))


@kernel
def keep_largest(keys: NDArray[np.int64], size: int, n: int) -> int:
    """Move the n largest of the first `size` keys, which are distinct, to the front; return how many there are."""
    if size <= n:
        return size
    low, high = 0, size - 1
    while low < high:
        middle = (low + high) >> 1
        # The median of three, at `middle`, divides; descending order.
        if keys[middle] > keys[low]:
            keys[low], keys[middle] = keys[middle], keys[low]
        if keys[high] > keys[low]:
            keys[low], keys[high] = keys[high], keys[low]
        if keys[high] > keys[middle]:
            keys[middle], keys[high] = keys[high], keys[middle]
        pivot, i, j = keys[middle], low, high
        while i <= j:
            while keys[i] > pivot:
                i += 1
            while keys[j] < pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if n - 1 <= j:
            high = j
        elif n - 1 >= i:
            low = i
        else:
            break
    return n


@kernel
def least_value(keys: NDArray[np.int64], size: int) -> np.float32:
    """Return the least value of the first `size` ≥ 1 keys."""
    least = keys[0]
    for t in range(1, size):
        least = min(least, keys[t])
    return value_of(least)


@kernel
def write_sorted(
    ptr: NDArray[np.int64],
    keys: NDArray[np.int64],
    size: NDArray[np.int64],
    out_ptr: NDArray[np.int64],
    values: NDArray[np.float32],
    index: NDArray[np.int32],
    start: int,
    stop: int,
) -> None:
    """Write the pairs of the rows [start, stop), whose size[r] keys begin at ptr[r], best first, from out_ptr[r] on."""
    for r in range(start, stop):
        ordered = np.sort(keys[ptr[r] : ptr[r] + size[r]])
        for t in range(size[r]):
            key = ordered[size[r] - 1 - t]
            values[out_ptr[r] + t] = value_of(key)
            index[out_ptr[r] + t] = index_of(key)
