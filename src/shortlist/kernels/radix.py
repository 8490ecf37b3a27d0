"""Stable sorting by unsigned integers, a digit at a time from the lowest, and gathering by the order that comes out.

Each pass counts the digits of each block of rows, and then moves every row to its place. Blocks can be counted, and
moved, at once, since the counts of all of them say where each begins to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def common_step(values: NDArray[np.int64], start: int, stop: int, low: int) -> int:
    """Return the greatest common divisor of values[start:stop] − low; 0 where all are `low`.

    All differences must fit in 63 bits.
    """
    step = 0
    for i in range(start, stop):
        rest = values[i] - low
        if step == 1:
            break
        if step > 0 and rest % step == 0:
            continue
        while rest:
            step, rest = rest, step % rest
    return step


@kernel
def write_keys(
    values: NDArray[np.int64],
    order: NDArray[np.uint32],
    start: int,
    stop: int,
    low: int,
    step: int,
    shift: int,
    keys: NDArray[np.uint32],
) -> None:
    """Write to keys[start:stop] the 32 bits from `shift` on of (values − low) / step, in the given order.

    An empty `order` is that of the values themselves.
    """
    as_they_are, divisor = order.size == 0, np.uint64(step)
    for i in range(start, stop):
        value = values[i] if as_they_are else values[order[i]]
        keys[i] = np.uint32((np.uint64(value - low) // divisor) >> np.uint64(shift))


@kernel
def count_digits(
    keys: NDArray[np.uint32], start: int, stop: int, shift: int, count: NDArray[np.int64]
) -> None:
    """Count in `count` int64[2^b] the digits (keys >> shift) % 2^b of the rows in [start, stop)."""
    mask = np.uint32(count.size - 1)
    for i in range(start, stop):
        count[(keys[i] >> np.uint32(shift)) & mask] += 1


@kernel
def move_rows(
    keys: NDArray[np.uint32],
    order: NDArray[np.uint32],
    start: int,
    stop: int,
    shift: int,
    place: NDArray[np.int64],
    keys_out: NDArray[np.uint32],
    order_out: NDArray[np.uint32],
) -> None:
    """Move the rows in [start, stop), in their order, to where `place` int64[2^b] says that their digits begin.

    An empty `order` is that of the rows themselves. `place` is moved on.
    """
    mask, first = np.uint32(place.size - 1), order.size == 0
    for i in range(start, stop):
        key = keys[i]
        digit = (key >> np.uint32(shift)) & mask
        at = place[digit]
        place[digit] = at + 1
        keys_out[at] = key
        order_out[at] = np.uint32(i) if first else order[i]


@kernel
def gather(values: NDArray[Any], order: NDArray[np.uint32], start: int, stop: int, out: NDArray[Any]) -> None:
    """Write values[order[start:stop]] to out[start:stop]."""
    for i in range(start, stop):
        out[i] = values[order[i]]
