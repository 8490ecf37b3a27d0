"""Events of one user and item at one moment, found moment by moment in a log that is sorted by time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: spreads keys over the high bits


@kernel
def mark_pairs(
    user_idx: NDArray[np.int32],
    item_idx: NDArray[np.int32],
    time: NDArray[np.int64],
    start: int,
    stop: int,
    marked: NDArray[np.bool_],
) -> None:
    """Set `marked` bool[m] for events that share user, item and time with another event.

    Looked at are the moments that begin in [start, stop); `time` int64[m] ascends. Cost: O(events of those moments),
    in a table of places that is as large as twice the events of one moment.
    """
    table = np.empty(0, np.int64)
    while 0 < start < stop and time[start] == time[start - 1]:
        start += 1
    while start < stop:
        end = start + 1
        while end < time.size and time[end] == time[start]:
            end += 1
        if end - start > 1:
            bits = 1
            while (1 << bits) < 2 * (end - start):
                bits += 1
            if table.size < 1 << bits:
                table = np.empty(1 << bits, np.int64)
            _mark_moment(user_idx, item_idx, start, end, table[: 1 << bits], bits, marked)
        start = end


@kernel
def _mark_moment(
    user_idx: NDArray[np.int32],
    item_idx: NDArray[np.int32],
    start: int,
    end: int,
    table: NDArray[np.int64],
    bits: int,
    marked: NDArray[np.bool_],
) -> None:
    # Open addressing: a place holds the first event of a pair, −1 none.
    table[:] = -1
    for at in range(start, end):
        key = (np.uint64(user_idx[at]) << np.uint64(32)) | np.uint64(item_idx[at])
        place = np.int64((key * GOLDEN) >> np.uint64(64 - bits))
        while table[place] >= 0:
            other = table[place]
            if user_idx[other] == user_idx[at] and item_idx[other] == item_idx[at]:
                marked[at] = True
                marked[other] = True
                break
            place = (place + 1) & (table.size - 1)
        else:
            table[place] = at
