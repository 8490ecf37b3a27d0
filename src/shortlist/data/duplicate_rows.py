"""Duplicate rows: rows that say the same in every column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from shortlist import threads
from shortlist.data.ordering import read_only
from shortlist.kernels.same_moment import mark_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions

Duplicates = Literal["keep", "reject"]
BLOCK = 1 << 18  # events


def find_duplicates(frame: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions int64[m], ascending, of the rows of `frame` that an earlier row equals, and its position.

    Nulls are equal, and NaN is. Cost: O(n) for the hashes of all rows; the rows whose hashes are equal are compared.
    """
    suspects = np.flatnonzero(frame.hash_rows().is_duplicated().to_numpy())
    if not suspects.size:
        return suspects, suspects
    rows = [column.alias(str(at)) for at, column in enumerate(frame[suspects].get_columns())]
    numbered = pl.DataFrame([pl.Series("at", suspects), *rows])
    first = numbered.select(pl.col("at").min().over(numbered.columns[1:])).to_series().to_numpy()
    again = first != suspects
    return suspects[again], first[again]


def count_duplicates(log: Interactions) -> int:
    """Return how many events have the user, item, value, time and context of an earlier one.

    Only events that share user, item and time with another are compared in the rest. Cost: O(m), a few percent of what
    reading takes; without times, where all events are at one moment and their values differ, about a third of it.
    """
    if log.timestamp is None and log.context is None and len(log) and log.value.min() == log.value.max():
        return log.n_repeats
    at = np.flatnonzero(_same_moment(log))
    if not at.size:
        return 0
    frame = pl.DataFrame({"user": log.user_idx[at], "item": log.item_idx[at], "value": log.value[at]})
    if log.timestamp is not None:
        frame = frame.with_columns(time=log.timestamp[at])
    if log.context is not None:
        frame = frame.hstack(log.context[at].rename({c: f"context {c}" for c in log.context.columns}))
    return find_duplicates(frame)[0].size


def _same_moment(log: Interactions) -> NDArray[np.bool_]:
    user_idx, item_idx = read_only(log.user_idx), read_only(log.item_idx)
    time = np.zeros(len(log), np.int64) if log.timestamp is None else log.timestamp
    time, marked = read_only(time), np.zeros(len(log), bool)
    threads.run_blocks(
        lambda start, stop: mark_pairs(user_idx, item_idx, time, start, stop, marked), len(log), BLOCK
    )
    return marked
