"""Past items: what each person chose before, how often, and how lately."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.data.recommendations import popular_reason

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from shortlist.data.recommendations import Recommendations
    from shortlist.stages import History, Lists, Request

DAY = 86_400_000_000  # µs


class PastItems(NamedTuple):
    """The items that rows of a history have a positive event with, each once, ascending by row, then item.

    row int64[p], item_idx int32[p]; times int64[p] ≥ 1: at how many moments; weight float64[p]: the same, decayed.
    """

    row: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    times: NDArray[np.int64]
    weight: NDArray[np.float64]

    def find(self, row: NDArray[np.integer[Any]], item_idx: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return int64[m]: the position of each (row, item) among the p, −1 where it is not of the past. O(m log p)."""
        if not self.row.size:
            return np.full(row.size, -1, np.int64)
        stride = 1 + max(int(self.item_idx.max()), int(item_idx.max(initial=0)))
        own, wanted = self.row * stride + self.item_idx, row.astype(np.int64) * stride + item_idx
        at = np.minimum(np.searchsorted(own, wanted), own.size - 1)
        return np.where(own[at] == wanted, at, -1)


def not_after(history: History, now: int | None) -> History:
    """Return `history` with events later than `now` (of people whom the data does not know) moved to it."""
    if now is None or history.timestamp is None or not np.any(history.timestamp > now):
        return history
    return replace(history, timestamp=np.minimum(history.timestamp, now))


def past_items(history: History, half_life_days: float | None = None, now: int | None = None) -> PastItems:
    """Return the past items of every row of `history`.

    Several positive events of one person and item at the same moment (lines of one invoice) count once. Each moment
    weighs 2^(−age / `half_life_days`), its age counted until `now` (µs); 1 where there is no half-life, no now, or no
    times. O(m log m) for m events.
    """
    liked = history.where(history.positive)
    # Stable: within a pair the events stay in the order of time.
    order = np.lexsort((liked.item_idx, liked.row))
    row, item = liked.row[order], liked.item_idx[order]
    time = None if liked.timestamp is None else liked.timestamp[order]
    same_pair = (row[1:] == row[:-1]) & (item[1:] == item[:-1])
    if time is not None:
        moment = np.r_[True, ~(same_pair & (time[1:] == time[:-1]))][: row.size]
        row, item, time = row[moment], item[moment], time[moment]
        same_pair = (row[1:] == row[:-1]) & (item[1:] == item[:-1])
    first = np.r_[True, ~same_pair][: row.size]
    pair = np.cumsum(first) - 1
    times = np.bincount(pair)
    weight: NDArray[np.float64] = times.astype(np.float64)
    if time is not None and half_life_days is not None and now is not None:
        weight = np.bincount(pair, np.exp2((time - now) / DAY / half_life_days)).astype(np.float64)
    return PastItems(row[first], item[first], times.astype(np.int64), weight)


def times_chosen(history: History, lists: Lists) -> NDArray[np.int64]:
    """Return int64[m]: at how many moments its user had chosen each item of `lists` before; 0 for a new item."""
    past = past_items(history)
    # One place more, which new items read.
    return np.append(past.times, 0)[past.find(lists.row, lists.item_idx)]


def again_reason(times: int) -> str:
    """Return why an item of a person's own past is shown.

    >>> again_reason(1), again_reason(3)
    ('again: you chose this once before', 'again: you chose this 3 times before')
    """
    return f"again: you chose this {'once' if times == 1 else f'{times} times'} before"


def again_reasons(request: Request, shown: Recommendations) -> list[str]:
    """Return why each item is shown, where all but the popular lists hold nothing but past items."""
    lists = shown.lists
    users = shown.user_ids.gather(lists.row).to_list()
    liked_by = shown.memory.n_positive[lists.item_idx].tolist()
    times = times_chosen(request.history, lists).tolist()
    return [
        popular_reason(n) if user in shown.fallback else again_reason(own)
        for user, n, own in zip(users, liked_by, times, strict=True)
    ]
