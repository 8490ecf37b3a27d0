"""Duplicate rows: rows that say the same in every column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions

Duplicates = Literal["keep", "reject"]


def find_duplicates(frame: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions int64[m], ascending, of the rows of `frame` that an earlier row equals, and its position.

    Nulls are equal, and NaN is. Cost: O(n) for the hashes of all rows; the rows whose hashes are equal are compared.
    """
    suspects = np.flatnonzero(frame.hash_rows().is_duplicated().to_numpy())
    if not suspects.size:
        return suspects, suspects
    rows = [_comparable(column).alias(str(at)) for at, column in enumerate(frame[suspects].get_columns())]
    numbered = pl.DataFrame([pl.Series("at", suspects), *rows])
    first = numbered.select(pl.col("at").min().over(numbered.columns[1:])).to_series().to_numpy()
    again = first != suspects
    return suspects[again], first[again]


def _comparable(column: pl.Series) -> pl.Series:
    # Polars takes an empty list and a list of one null for the same group.
    if not column.dtype.is_nested():
        return column
    return column.to_frame("it").select(pl.struct("it").struct.json_encode()).to_series()


def count_duplicates(log: Interactions) -> int:
    """Return how many events have the user, item, value, time and context of an earlier one.

    Events that stand alone at their moment are none, so only the others are compared. Cost: O(m) at most.
    """
    frame = pl.DataFrame({"user": log.user_idx, "item": log.item_idx, "value": log.value})
    if log.context is not None:
        frame = frame.hstack(log.context.rename({c: f"context {c}" for c in log.context.columns}))
    if log.timestamp is not None:
        together = log.timestamp[1:] == log.timestamp[:-1]
        at = np.flatnonzero(np.r_[together, False] | np.r_[False, together])
        frame = frame[at].with_columns(time=log.timestamp[at])
    return find_duplicates(frame)[0].size
