"""Orders: the stable order of a column of integers, and columns brought into it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import threads
from shortlist.data import large_arrays
from shortlist.kernels.radix import common_step, count_digits, gather, move_rows, write_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 1 << 15  # rows that are sorted at once
KEY_BITS = 32
DIGIT_BITS = 11  # as many places to write to as a processor's second cache follows well
LEAST_BLOCK = 1 << 16


def stable_order(values: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return uint32[n]: the positions of `values` int64[n] in ascending order, equal ones in the order they have.

    n must be below 2^32. Cost: O(n) for each 11 bits of the range, counted in the largest step that all differences are
    multiples of: three passes over the seconds of forty years, whatever their unit.
    """
    if values.size < FEW:
        return np.argsort(values, kind="stable").astype(np.uint32)
    values = read_only(values)
    low, high = extremes(values)
    if high - low >= 2**63:
        return np.argsort(values, kind="stable").astype(np.uint32)
    step = _common_step(values, low)
    top = (high - low) // step
    order = np.zeros(0, np.uint32)
    for shift in range(0, max(top.bit_length(), 1), KEY_BITS):
        order = _sorted_further(_keys(values, low, step, shift, order), order, min(top >> shift, 2**32 - 1))
    return order


def extremes(values: NDArray[np.int64]) -> tuple[int, int]:
    """Return the least and the greatest of `values` int64[n], n > 0."""
    lows: list[int] = []
    highs: list[int] = []

    def look(start: int, stop: int) -> None:
        lows.append(int(values[start:stop].min()))
        highs.append(int(values[start:stop].max()))

    threads.run_blocks(look, values.size, LEAST_BLOCK)
    return min(lows), max(highs)


def is_sorted(values: NDArray[np.integer[Any]]) -> bool:
    """Return whether `values` [n] never descend. Cost: O(n), and little where they descend early."""
    starts = range(0, values.size, LEAST_BLOCK)
    # Blocks overlap by one, so that the step between them is seen.
    parts = (values[max(start - 1, 0) : start + LEAST_BLOCK] for start in starts)
    return all(bool(np.all(part[1:] >= part[:-1])) for part in parts)


def stable_order_of_positions(positions: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Return `stable_order` of `positions` int32[n], all at least 0."""
    if positions.size < FEW:
        return np.argsort(positions, kind="stable").astype(np.uint32)
    return _sorted_further(positions.view(np.uint32), np.zeros(0, np.uint32), int(positions.max()))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of `array` that cannot be written to, so that a kernel is compiled once and not for both kinds."""
    view = array.view()
    view.flags.writeable = False
    return view


def taken(values: NDArray[Any], order: NDArray[np.uint32]) -> NDArray[Any]:
    """Return `values`[n] of 4 or 8 bytes each in the given order of rows."""
    out = large_arrays.empty(order.size, values.dtype)
    plain = np.uint32 if values.itemsize == 4 else np.uint64
    source, target, order = read_only(values.view(plain)), out.view(plain), read_only(order)
    threads.run_blocks(
        lambda start, stop: gather(source, order, start, stop, target), order.size, _block(order.size)
    )
    return out


def _common_step(values: NDArray[np.int64], low: int) -> int:
    steps: list[int] = []
    threads.run_blocks(
        lambda start, stop: steps.append(common_step(values, start, stop, low)),
        values.size,
        _block(values.size),
    )
    return math.gcd(*steps) or 1


def _keys(
    values: NDArray[np.int64], low: int, step: int, shift: int, order: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    # 32 bits of the values, in the order so far.
    keys, order = large_arrays.empty(values.size, np.uint32), read_only(order)
    threads.run_blocks(
        lambda start, stop: write_keys(values, order, start, stop, low, step, shift, keys),
        values.size,
        _block(values.size),
    )
    return keys


def _sorted_further(keys: NDArray[np.uint32], order: NDArray[np.uint32], top: int) -> NDArray[np.uint32]:
    # `order`, which `keys` are in (none: that of the rows), sorted by them, of which `top` is the largest.
    bits = max(top.bit_length(), 1)
    n_passes = -(-bits // DIGIT_BITS)
    digit = -(-bits // n_passes)
    n, block = keys.size, _block(keys.size)
    # Two buffers are written to in turns; what the caller gave is not one of them.
    buffers: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]] = []
    for number in range(n_passes):
        if number < 2:
            buffers.append((large_arrays.empty(n, np.uint32), large_arrays.empty(n, np.uint32)))
        target = buffers[number % 2]
        place = _places(keys, number * digit, 1 << digit, block)
        _move(keys, order, number * digit, place, block, *target)
        keys, order = target
    return order


def _places(keys: NDArray[np.uint32], shift: int, n_digits: int, block: int) -> NDArray[np.int64]:
    # int64[blocks, digits]: where the rows of each block with each digit go.
    count, keys = np.zeros((-(-keys.size // block), n_digits), np.int64), read_only(keys)
    threads.run_blocks(
        lambda start, stop: count_digits(keys, start, stop, shift, count[start // block]), keys.size, block
    )
    ends = np.cumsum(count.T.ravel())
    return np.ascontiguousarray((ends - count.T.ravel()).reshape(n_digits, -1).T)


def _move(
    keys: NDArray[np.uint32],
    order: NDArray[np.uint32],
    shift: int,
    place: NDArray[np.int64],
    block: int,
    keys_out: NDArray[np.uint32],
    order_out: NDArray[np.uint32],
) -> None:
    keys, order = read_only(keys), read_only(order)
    threads.run_blocks(
        lambda start, stop: move_rows(
            keys, order, start, stop, shift, place[start // block], keys_out, order_out
        ),
        keys.size,
        block,
    )


def _block(n: int) -> int:
    return max(LEAST_BLOCK, -(-n // (4 * threads.num_threads())))
