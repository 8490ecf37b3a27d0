"""Tables over integers that lie close together: which of them occur, and the position of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def mark_present(values: NDArray[np.int64], start: int, stop: int, low: int, seen: NDArray[np.bool_]) -> None:
    """Set seen[v − low] for all v in values[start:stop], which must lie in [low, low + seen.size)."""
    for i in range(start, stop):
        seen[values[i] - low] = True


@kernel
def look_up(
    values: NDArray[np.int64],
    start: int,
    stop: int,
    low: int,
    high: int,
    table: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Write table[v − low] to `out` for each v in values[start:stop]; −1 where it is not in [low, high]."""
    for i in range(start, stop):
        v = values[i]
        out[i] = table[v - low] if low <= v <= high else np.int32(-1)


@kernel
def count_repeats(
    user_idx: NDArray[np.int32], item_idx: NDArray[np.int32], first: int, last: int, n_items: int
) -> int:
    """Return how many events of the users in [first, last) have the item of another event of theirs before them."""
    # The items of each user in a row, then a mark on each item by the user seen with it last.
    begin = np.zeros(last - first + 1, np.int64)
    for user in user_idx:
        if first <= user < last:
            begin[user - first + 1] += 1
    for user in range(last - first):
        begin[user + 1] += begin[user]
    items, place = np.empty(begin[-1], np.int32), begin[:-1].copy()
    for i in range(user_idx.size):
        user = user_idx[i] - first
        if 0 <= user < last - first:
            items[place[user]] = item_idx[i]
            place[user] += 1
    n, seen_by = 0, np.full(n_items, -1, np.int32)
    for user in range(last - first):
        for at in range(begin[user], begin[user + 1]):
            item = items[at]
            n += seen_by[item] == user
            seen_by[item] = user
    return n
