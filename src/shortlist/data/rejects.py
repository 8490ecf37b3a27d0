"""Rejects: the rows of a table that cannot be used, each with its place, the value at fault, and the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.tables import Table

SCHEMA = {
    "row": pl.Int64(),
    "line": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
}
MAX_VALUE_LENGTH = 200


def no_rejects() -> pl.DataFrame:
    """Return a frame of rejects without a row.

    Its columns: row (record number in the table, from 1), line (physical line of a text file, from 1, else null),
    column (null where the record as a whole is wrong), value (as text, cut to 200 characters), reason.
    """
    return pl.DataFrame(schema=SCHEMA)


def rejects_of(
    row: NDArray[np.int64], line: NDArray[np.int64] | None, column: str | None, value: pl.Series, reason: str
) -> pl.DataFrame:
    """Return the rejects at record numbers `row` int64[n] and physical lines `line`, all for one reason."""
    return pl.DataFrame(
        {
            "row": row,
            "line": pl.repeat(None, row.size, dtype=pl.Int64, eager=True) if line is None else line,
            "column": pl.repeat(column, row.size, dtype=pl.String, eager=True),
            "value": value.cast(pl.String, strict=False).str.head(MAX_VALUE_LENGTH),
            "reason": pl.repeat(reason, row.size, dtype=pl.String, eager=True),
        },
        schema=SCHEMA,
    )


def joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return all rejects of one table in the order of its records."""
    return pl.concat([no_rejects(), *parts]).sort("row", maintain_order=True)


class Screening:
    """Which rows of a table are still good; a row is rejected once, for the first reason found.

    - keep bool[n]: rows that nothing was found against so far
    """

    def __init__(self, table: Table, n_rows: int) -> None:
        self.keep: NDArray[np.bool_] = np.ones(n_rows, bool)
        self._table = table
        self._found: list[tuple[NDArray[np.int64], str, pl.Series, str]] = []

    def reject(self, bad: NDArray[np.bool_] | pl.Series, column: str, values: pl.Series, reason: str) -> None:
        """Reject the rows for which `bad` bool[n] holds; `values` is the column at fault, one value a row."""
        mask = bad.to_numpy() if isinstance(bad, pl.Series) else bad
        at = np.flatnonzero(mask & self.keep)
        if at.size:
            self.keep[at] = False
            self._found.append((at, column, values.gather(at), reason))

    def kept(self, values: pl.Series) -> pl.Series:
        """Return `values`, one a row, of the rows that are still good."""
        return values if self.keep.all() else values.filter(pl.Series(self.keep))

    def rejects(self) -> pl.DataFrame:
        """Return everything that was rejected, records that are no rows included."""
        at = np.flatnonzero(~self.keep)
        if not at.size:
            return self._table.rejects
        row, line = self._table.place(at)
        parts = [self._table.rejects]
        for rows, column, values, reason in self._found:
            among = np.searchsorted(at, rows)
            parts.append(
                rejects_of(row[among], None if line is None else line[among], column, values, reason)
            )
        return joined(parts)
