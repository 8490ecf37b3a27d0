"""Several tables of the same columns as one, row after row; a place in it names the table too."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from polars.selectors import by_name

from shortlist.data.cells import settle_ids
from shortlist.data.column_pieces import Piece, join_pieces
from shortlist.data.file_table import open_file
from shortlist.data.json_lines import JsonTable
from shortlist.data.rejects import Places, joined
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.csv_file import CsvTable
    from shortlist.data.csv_numbers import NumberKind
    from shortlist.data.file_lists import PartFile
    from shortlist.data.frame_table import FrameTable

    FileTable = CsvTable | FrameTable | JsonTable


@dataclass(frozen=True, eq=False)
class ManyTables:
    """Tables as one. Make it with `ManyTables.open`.

    - partitions: the values that a whole table has in columns which it does not hold, one row a table
    - notes: column → what had to be decided about it
    """

    name: str
    columns: list[str]
    tables: tuple[FileTable, ...]
    partitions: pl.DataFrame
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls, name: str, files: Sequence[PartFile], delimiter: str | None, encoding: str | None
    ) -> ManyTables:
        """Return `files` as one table, called `name`.

        A key of their partitions becomes a column unless the files hold one of that name. The columns of the first
        file, in its order, are those of all; of JSON Lines, where a key may be missing, all that occur are.
        Raises `DataError` where columns or formats differ, and what `open_file` raises.
        """
        tables = tuple(open_file(file.path, delimiter, encoding) for file in files)
        for table in tables[1:]:
            _require_alike(name, tables[0], table)
        columns = list(dict.fromkeys(column for table in tables for column in table.columns))
        partitions = _partitions(name, files, columns)
        return cls(name, [*columns, *partitions.columns], tables, partitions)

    @property
    def textual(self) -> bool:
        """Return whether all cells are text."""
        return self.tables[0].textual

    @cached_property
    def rejects(self) -> pl.DataFrame:
        """Return the records of all tables that are no rows."""
        named = [table.rejects.with_columns(file=pl.lit(table.name)) for table in self.tables]
        return joined(named)

    def load(self, columns: Sequence[str], numbers: Mapping[str, NumberKind] | None = None) -> pl.DataFrame:
        """Return these columns of all rows.

        A column that `numbers` names comes as numbers where every table has it so, else as text of all.
        """
        held = [column for column in columns if column not in self.partitions.columns]
        # A column tells how many rows there are, if none is asked for.
        asked = held or self.columns[:1]
        frames = [_load(table, asked, numbers or {}) for table in self.tables]
        if self.textual:
            frames = self._of_one_type(frames)
        for table in self.tables:
            self.notes.update({column: f"{table.name}: {note}" for column, note in table.notes.items()})
        heights = [frame.height for frame in frames]
        found = {column: self._joined(column, frames) for column in held}
        found |= {
            column: self._partition(column, heights)
            for column in columns
            if column in self.partitions.columns
        }
        return pl.DataFrame([found[column] for column in columns])

    def place(self, at: NDArray[np.int64]) -> Places:
        """Return the file, and the record and line in it, of the rows at positions `at` (ascending)."""
        parts = [(table, table.place(inside)) for table, inside in self._by_table(at)]
        files = [table.name for table, places in parts for _ in range(places.row.size)]
        row = np.concatenate([places.row for _, places in parts]) if parts else np.zeros(0, np.int64)
        lines = [places.line for _, places in parts if places.line is not None]
        line = np.concatenate(lines) if lines else None
        return Places(row, line, pl.Series(files, dtype=pl.String))

    def records(self, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: the rows at positions `at` (ascending), as their tables give them."""
        return _concatenated(table.records(inside) for table, inside in self._by_table(at))

    def cells(self, column: str, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: what stands in `column` of the rows at positions `at` (ascending)."""
        if column in self.partitions.columns:
            which = np.searchsorted(self._ends, at, side="right")
            return self.partitions[column].gather(which).cast(pl.String)
        return _concatenated(_cells(table, column, inside) for table, inside in self._by_table(at))

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([table.n_rows for table in self.tables])

    def _by_table(self, at: NDArray[np.int64]) -> Iterator[tuple[FileTable, NDArray[np.int64]]]:
        which = np.searchsorted(self._ends, at, side="right")
        for number in np.unique(which).tolist():
            before = self._ends[number - 1] if number else 0
            yield self.tables[number], at[which == number] - before

    def _of_one_type(self, frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
        # What one file has as text is text in all: its cells, not the numbers printed anew.
        mixed = [c for c in frames[0].columns if len({frame.schema[c] for frame in frames}) > 1]
        if not mixed:
            return frames
        again = [[column for column in mixed if frame.schema[column] != pl.String] for frame in frames]
        return [
            frame.with_columns(table.load(columns)) if columns else frame
            for frame, table, columns in zip(frames, self.tables, again, strict=True)
        ]

    def _joined(self, column: str, frames: Sequence[pl.DataFrame]) -> pl.Series:
        pieces = [Piece(frame[column], table.name) for frame, table in zip(frames, self.tables, strict=True)]
        values, note = join_pieces(self.name, column, pieces)
        if note:
            self.notes[column] = note
        return values

    def _partition(self, column: str, heights: Sequence[int]) -> pl.Series:
        values = self.partitions[column].gather(np.repeat(np.arange(len(heights)), heights))
        # A text table has "" where nothing stands.
        return values.cast(pl.String).fill_null("") if self.textual else values


def _load(table: FileTable, columns: Sequence[str], numbers: Mapping[str, NumberKind]) -> pl.DataFrame:
    held = [column for column in columns if column in table.columns]
    frame = table.load(held or table.columns[:1], numbers)
    return frame.select(
        by_name(column) if column in held else pl.repeat(None, pl.len(), dtype=pl.Null).alias(column)
        for column in columns
    )


def _cells(table: FileTable, column: str, at: NDArray[np.int64]) -> pl.Series:
    if column in table.columns:
        return table.cells(column, at)
    return pl.repeat(None, at.size, dtype=pl.String, eager=True)


def _concatenated(parts: Iterator[pl.Series]) -> pl.Series:
    return pl.concat([pl.Series([], dtype=pl.String), *parts])


def _require_alike(name: str, first: FileTable, other: FileTable) -> None:
    if type(first) is not type(other):
        raise DataError(f"{name}: {first.name} and {other.name} are of different formats; read files of one")
    if isinstance(first, JsonTable):
        return
    lacking = [repr(column) for column in first.columns if column not in other.columns]
    besides = [repr(column) for column in other.columns if column not in first.columns]
    if lacking or besides:
        difference = [f"it lacks {', '.join(lacking)}"] if lacking else []
        difference += [f"it has {', '.join(besides)} besides"] if besides else []
        raise DataError(f"{other.name} has not the columns of {first.name}: {' and '.join(difference)}")


def _partitions(name: str, files: Sequence[PartFile], columns: Sequence[str]) -> pl.DataFrame:
    keys = list(files[0].partition)
    for file in files:
        if list(file.partition) != keys:
            raise DataError(
                f"{name}: {files[0].path} lies in folders of {_listed(keys)} and {file.path} in those of "
                f"{_listed(list(file.partition))}; partition all files alike"
            )
    values: dict[str, Any] = {
        key: [file.partition[key] for file in files] for key in keys if key not in columns
    }
    frame = pl.DataFrame(values, schema=dict.fromkeys(values, pl.String))
    return frame.with_columns(
        frame[key].cast(settle_ids(frame[key].drop_nulls(), True).dtype) for key in values
    )


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(f"{key}=…" for key in keys) or "no partition"
