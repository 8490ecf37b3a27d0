"""The context of pairs at a moment: what the events up to it say of the user, of the item and of the two together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.time_encodings import WORDS, place_of
from shortlist.errors import DataError
from shortlist.stages import distinct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions

DAY = 86_400 * 10**6


def moment_context(
    past: Interactions, now: int, user: NDArray[np.int64], item: NDArray[np.int64], recent: int
) -> pl.DataFrame:
    """Return a row for each pair (user[p], item[p]), positions in the vocabularies, as `past` says at `now` (µs UTC).

    | column | |
    |---|---|
    | month, weekday (String) | of the moment, UTC: "January", …; "Monday", … |
    | user_events, item_events, pair_events | events of the user, of the item, of the user with the item |
    | item_recent_events | events of the item in the last `recent` µs |
    | user_recency_days, item_recency_days, pair_recency_days | days since the last of them; null where there is none |

    Numbers are Float64. `past` has times and no event after `now`: raises `DataError` otherwise. Cost: O(m log m) of
    the events, O(log m) a pair.
    """
    time = past.timestamp
    if time is None or (len(past) and time[-1] > now):
        raise DataError("the past has an event after the moment, or none has a time")
    moment = pl.Series([now]).cast(pl.Datetime("us", "UTC"))
    keys = past.user_idx.astype(np.int64) * past.n_items + past.item_idx
    pairs = distinct(keys)
    # A pair without an event is at the place after the last.
    wanted, place = user * past.n_items + item, np.searchsorted(pairs, keys)
    at = np.searchsorted(pairs, wanted)
    at = np.where(np.append(pairs, -1)[at] == wanted, at, pairs.size)
    users = _Past.of(past.user_idx, past.n_users, time)
    items = _Past.of(past.item_idx, past.n_items, time)
    both = _Past.of(place, pairs.size + 1, time)
    lately = np.bincount(past.item_idx[time > now - recent], minlength=past.n_items)
    columns = {
        "user_events": users.count[user],
        "item_events": items.count[item],
        "pair_events": both.count[at],
        "item_recent_events": lately[item],
        "user_recency_days": users.days(now)[user],
        "item_recency_days": items.days(now)[item],
        "pair_recency_days": both.days(now)[at],
    }
    frame = pl.DataFrame(
        {name: values.astype(np.float64) for name, values in columns.items()}, nan_to_null=True
    )
    words = [pl.lit(WORDS[part][place_of(part, moment)[0]]).alias(part) for part in ("month", "weekday")]
    return frame.select(*words, *columns)


class _Past:
    """How many events each of n has, and when the last one was."""

    def __init__(self, count: NDArray[np.int64], last: NDArray[np.float64]) -> None:
        self.count = count
        self.last = last

    @classmethod
    def of(cls, whose: NDArray[np.integer], n: int, time: NDArray[np.int64]) -> _Past:
        """Return that of events in the order of time."""
        last = np.full(n, np.nan)
        last[whose] = time  # of several the last one stays
        return cls(np.bincount(whose, minlength=n), last)

    def days(self, now: int) -> NDArray[np.float64]:
        """Return float64[n]: days since the last event, NaN where there is none."""
        return (now - self.last) / DAY
