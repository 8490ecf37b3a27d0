"""Tables: what `read` takes its columns from, be it a file or a data frame."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from shortlist.data.csv_file import CsvTable
from shortlist.data.rejects import Places, no_rejects
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.csv_numbers import NumberKind

PARQUET_MAGIC = b"PAR1"
TAB_SUFFIXES = (".tsv", ".tab")
# First bytes of files that are easily mistaken for text.
FOREIGN = {
    b"\x1f\x8b": "is compressed with gzip: unpack it first",
    b"PK\x03\x04": "is a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"ARROW1": "is an Arrow file: read it with polars.read_ipc and give the frame",
    b"SQLite format 3": "is an SQLite database: query it with polars.read_database and give the frame",
}


class ArrowStream(Protocol):
    """Anything that exports Arrow's C stream: a pyarrow Table, a pandas frame, a DuckDB relation."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a PyCapsule with the stream."""


Source = str | os.PathLike[str] | pl.DataFrame | pl.LazyFrame | ArrowStream


class Table(Protocol):
    """One input table.

    `textual` says that all cells are text, "" where nothing stands (CSV). `rejects` are the records that are no
    rows (columns: `shortlist.data.rejects`); everything else is about the others.
    """

    @property
    def name(self) -> str:
        """Return the path, or what the frame is given for."""

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns, distinct unless empty."""

    @property
    def textual(self) -> bool:
        """Return whether all cells are text."""

    @property
    def rejects(self) -> pl.DataFrame:
        """Return the records that are no rows."""

    def load(self, columns: Sequence[str], numbers: Mapping[str, NumberKind] | None = None) -> pl.DataFrame:
        """Return these columns of all rows.

        A column of text that `numbers` names may come as Int64 ("id") or Float64 ("number") where no other cell is
        in it, with null for an empty one; `cells` has the text then.
        """

    def place(self, at: NDArray[np.int64]) -> Places:
        """Return where the rows at positions `at` (ascending) stand."""

    def records(self, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: the rows at positions `at` (ascending), as they stand in a text file, else as JSON."""

    def cells(self, column: str, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: what stands in `column` of the rows at positions `at` (ascending)."""


@dataclass(frozen=True, eq=False)
class FrameTable:
    """A table of typed columns: a data frame, or a Parquet file of which only the columns asked for are read."""

    name: str
    frame: pl.LazyFrame
    columns: list[str]
    textual: bool = False

    @property
    def rejects(self) -> pl.DataFrame:
        """Return none: every record of a frame is a row."""
        return no_rejects()

    def load(self, columns: Sequence[str], numbers: Mapping[str, NumberKind] | None = None) -> pl.DataFrame:
        """Return these columns of all rows, each of its own type, whatever `numbers` names."""
        try:
            return self.frame.select(columns).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{self.name}: cannot be read: {error}") from error

    def place(self, at: NDArray[np.int64]) -> Places:
        """Return the record number (from 1) of the rows at positions `at`; a frame has no lines."""
        return Places(at + 1)

    def records(self, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: the rows at positions `at` as JSON objects."""
        rows = self._rows(self.columns, at)
        # JSON has no place for what these types hold.
        foreign = [name for name, dtype in rows.schema.items() if dtype in (pl.Binary, pl.Object)]
        # Not splitlines: a cell may hold other ends of lines than \n, which JSON escapes.
        lines = rows.drop(foreign).write_ndjson().split("\n")[:-1] if rows.width > len(foreign) else ["{}"] * at.size
        return pl.Series(lines, dtype=pl.String)

    def cells(self, column: str, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: what stands in `column` of the rows at positions `at`."""
        return self._rows([column], at)[column].cast(pl.String, strict=False)

    def _rows(self, columns: Sequence[str], at: NDArray[np.int64]) -> pl.DataFrame:
        return self.load(columns)[at]


def open_table(source: Source, role: str, delimiter: str | None = None, encoding: str | None = None) -> Table:
    """Return `source` as a table; `role` ("interactions", "items", "users") names a frame in messages.

    Files: Parquet by its first bytes, text otherwise; `delimiter` None means a tab for .tsv and .tab, else a comma.
    Raises `DataError` for anything else.
    """
    if isinstance(source, str | os.PathLike):
        return _open_file(Path(source), delimiter)
    frame = _lazy(source, role)
    try:
        return FrameTable(role, frame, frame.collect_schema().names())
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{role}: the query of this LazyFrame fails: {error}") from error


def _open_file(path: Path, delimiter: str | None) -> Table:
    magic = _first_bytes(path)
    if magic.startswith(PARQUET_MAGIC):
        try:
            frame = pl.scan_parquet(path, glob=False)
            return FrameTable(str(path), frame, frame.collect_schema().names())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path}: this Parquet file is damaged or truncated: {error}") from error
    for start, what_to_do in FOREIGN.items():
        if magic.startswith(start):
            raise DataError(f"{path} {what_to_do}")
    return CsvTable.open(path, delimiter or ("\t" if path.suffix.lower() in TAB_SUFFIXES else ","))


def _first_bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""  # a pipe: reading would take the bytes away
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _lazy(source: object, role: str) -> pl.LazyFrame:
    if isinstance(source, pl.LazyFrame):
        return source
    if isinstance(source, pl.DataFrame):
        return source.lazy()
    if not hasattr(source, "__arrow_c_stream__"):
        raise DataError(
            f"{role}: expected the path of a CSV or Parquet file, or a frame (Polars, pandas, Arrow), "
            f"got {type(source).__name__}"
        )
    try:
        return _from_arrow(source).lazy()
    except (ValueError, TypeError, ImportError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{role}: this {type(source).__name__} cannot be converted to Arrow: {error}; "
            "a column must hold values of one type, and pandas needs pyarrow for it"
        ) from error


def _from_arrow(source: Any) -> pl.DataFrame:
    index = getattr(getattr(source, "index", None), "names", None)
    if index is None:
        return pl.DataFrame(source)
    # pandas: NaN stands for a missing value there, and an index without a name numbers the rows only.
    return pl.from_pandas(source, nan_to_null=True, include_index=any(name is not None for name in index))
