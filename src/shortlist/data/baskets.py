"""Baskets: which events of a person belong together, and which moments follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.columns import nearest
from shortlist.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions

MINUTE = 60_000_000  # µs


def baskets_of_column(log: Interactions, column: str, asked_by: str) -> NDArray[np.int64]:
    """Return int64[m]: a number from 0 for each event of `log`, equal for events of one user and one value of `column`.

    −1 where the value is unknown. `column` is one of the context; raises `DataError`, naming `asked_by` and the columns
    there are, where it is not. O(m log m).
    """
    there = [] if log.context is None else log.context.columns
    if log.context is None or column not in there:
        raise DataError(
            f"{asked_by}: the events have no column {column!r}{nearest(column, there)}; "
            f"there are: {', '.join(there) or 'none'}"
        )
    code = np.array(log.context[column].rank("dense").fill_null(0), np.int64) - 1
    key = np.where(code < 0, -1, log.user_idx.astype(np.int64) * (int(code.max(initial=0)) + 1) + code)
    return _numbered(key)


def baskets_of_gap(log: Interactions, gap_minutes: float, asked_by: str) -> NDArray[np.int64]:
    """Return int64[m]: a number from 0 for each event, equal for the events of a user one after the other within a gap.

    `gap_minutes` is the longest time between one event and the next. Raises `DataError` where the events have no times.
    O(m log m).
    """
    if log.timestamp is None:
        raise DataError(
            f"{asked_by} needs timestamps, and these interactions have none: "
            'within="user" takes all events of a user as one basket'
        )
    order = np.argsort(log.user_idx, kind="stable")  # within a user the log's order, that of time
    apart = np.diff(log.timestamp[order]) > gap_minutes * MINUTE
    begins = np.ones(order.size, bool)
    begins[1:] = apart | (np.diff(log.user_idx[order]) != 0)
    basket = np.empty(order.size, np.int64)
    basket[order] = np.cumsum(begins) - 1
    return basket


def moments(log: Interactions, asked_by: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return int64[m]: the number of each event's moment, and int32: the user of each moment.

    A moment is a user with a time; moments are numbered by user, then time. Raises `DataError` where the events have no
    times. O(m log m).
    """
    if log.timestamp is None:
        raise DataError(f"{asked_by} needs timestamps, and these interactions have none")
    order = np.argsort(log.user_idx, kind="stable")
    user, time = log.user_idx[order], log.timestamp[order]
    begins = np.ones(order.size, bool)
    begins[1:] = (np.diff(user) != 0) | (np.diff(time) != 0)
    moment = np.empty(order.size, np.int64)
    moment[order] = np.cumsum(begins) - 1
    return moment, user[begins]


def _numbered(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each key among the distinct keys that are not −1, −1 for those that are."""
    found, at = np.unique(key, return_inverse=True)
    return at - int(found.size > 0 and found[0] == -1)
