"""Rejects: the rows of a table that cannot be used, each with its place, the value at fault, and the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.tables import Table

SCHEMA = {
    "file": pl.String(),
    "row": pl.Int64(),
    "line": pl.Int64(),
    "column": pl.String(),
    "value": pl.String(),
    "reason": pl.String(),
    "record": pl.String(),
}
MAX_VALUE_LENGTH = 200
FEW = 1000  # rows without which a column is copied in pieces


@dataclass(frozen=True, eq=False)
class Places:
    """Where rows of a table stand.

    - row int64[n]: record number, from 1, in the table or in its file
    - line int64[n]: physical line of a text file, from 1; None where there are no lines
    - file String[n]: of several files, the one that holds the row; None where the table is no list of files
    """

    row: NDArray[np.int64]
    line: NDArray[np.int64] | None = None
    file: pl.Series | None = None

    def take(self, at: NDArray[np.int64]) -> Places:
        """Return the places at positions `at`."""
        line = None if self.line is None else self.line[at]
        return Places(self.row[at], line, None if self.file is None else self.file.gather(at))


def no_rejects() -> pl.DataFrame:
    """Return a frame of rejects without a row.

    Its columns: file (of several files, the one that holds the record, else null), row (record number in the table or
    in that file, from 1), line (physical line of a text file, from 1, else null),
    column (null where the record as a whole is wrong), value (as text, cut to 200 characters), reason, record (the
    whole record as it stands in a text file, else as a JSON object; null where its table does not say).
    """
    return pl.DataFrame(schema=SCHEMA)


def rejects_of(
    places: Places, column: str | None, value: pl.Series, reason: str, record: pl.Series | None = None
) -> pl.DataFrame:
    """Return the rejects at `places`, all for one reason.

    `value` is what stands in `column` there, `record` String[n] the whole records, None where they are not known.
    """
    n = value.len()
    return pl.DataFrame(
        {
            "file": _repeated(None, n, pl.String) if places.file is None else places.file,
            "row": places.row,
            "line": _repeated(None, n, pl.Int64) if places.line is None else places.line,
            "column": _repeated(column, n, pl.String),
            "value": value.cast(pl.String, strict=False).str.head(MAX_VALUE_LENGTH),
            "reason": _repeated(reason, n, pl.String),
            "record": _repeated(None, n, pl.String) if record is None else record,
        },
        schema=SCHEMA,
    )


def _repeated(value: str | None, n: int, dtype: type[pl.DataType]) -> pl.Series:
    return pl.repeat(value, n, dtype=dtype, eager=True)


def joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return all rejects of one table in the order of its records, file by file."""
    return pl.concat([no_rejects(), *parts]).sort("file", "row", maintain_order=True)


class Screening:
    """Which rows of a table are still good; a row is rejected once, for the first reason found.

    - keep bool[n]: rows that nothing was found against so far
    """

    def __init__(self, table: Table, n_rows: int) -> None:
        self.keep: NDArray[np.bool_] = np.ones(n_rows, bool)
        self._table = table
        self._found: list[tuple[NDArray[np.int64], str | None, pl.Series, str]] = []

    def reject(self, bad: NDArray[np.bool_] | pl.Series, column: str, values: pl.Series, reason: str) -> None:
        """Reject the rows for which `bad` bool[n] holds; `values` is the column at fault, one value a row."""
        mask = bad.to_numpy() if isinstance(bad, pl.Series) else bad
        if not mask.any():
            return
        at = np.flatnonzero(mask & self.keep)
        if at.size:
            self.keep[at] = False
            self._found.append((at, column, self.written(column, values, at), reason))

    def written(self, column: str, values: pl.Series, at: NDArray[np.int64]) -> pl.Series:
        """Return the cells of `column` at positions `at` (ascending): as they were written, where they were text.

        `values` is the column, one value a row.
        """
        if self._table.textual and values.dtype != pl.String:
            return self._table.cells(column, at)
        return values.gather(at)

    def reject_as_copies(self, at: NDArray[np.int64], first: NDArray[np.int64], reason: str) -> None:
        """Reject the rows at `at` int64[m], ascending; `first` int64[m] are the rows that they repeat."""
        if not at.size:
            return
        distinct, among = np.unique(first, return_inverse=True)
        places = self._table.place(distinct)
        texts = pl.select(pl.format("row {}", pl.lit(pl.Series(places.row)))).to_series()
        if places.file is not None:
            texts = texts + " of " + places.file
        self.keep[at] = False
        self._found.append((at, None, texts.gather(among), reason))

    def kept(self, values: pl.Series) -> pl.Series:
        """Return `values`, one a row, of the rows that are still good."""
        pieces = self._pieces
        if pieces is None:
            return values.filter(pl.Series(self.keep))
        return values if len(pieces) == 1 else pl.concat([values[piece] for piece in pieces], rechunk=True)

    def kept_array(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return `values` [n], one a row, of the rows that are still good; no copy where all are."""
        pieces = self._pieces
        if pieces is None:
            return values[self.keep]
        return values if len(pieces) == 1 else np.concatenate([values[piece] for piece in pieces])

    @property
    def _pieces(self) -> list[slice] | None:
        # The runs of rows between rejected ones, which are copied at once; None where there are many.
        if self.keep.all():
            return [slice(0, self.keep.size)]
        gone = np.flatnonzero(~self.keep)
        if gone.size > FEW:
            return None
        ends = zip([0, *(gone + 1).tolist()], [*gone.tolist(), self.keep.size], strict=True)
        return [slice(begin, end) for begin, end in ends]

    def rejects(self) -> pl.DataFrame:
        """Return everything that was rejected, records that are no rows included."""
        at = np.flatnonzero(~self.keep)
        if not at.size:
            return self._table.rejects
        places, records = self._table.place(at), self._table.records(at)
        parts = [self._table.rejects]
        for rows, column, values, reason in self._found:
            among = np.searchsorted(at, rows)
            parts.append(rejects_of(places.take(among), column, values, reason, records.gather(among)))
        return joined(parts)
