"""Tables: what `read` takes its columns from, be it a file or a data frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from shortlist.data.file_lists import find_files, is_one_file
from shortlist.data.file_table import open_file
from shortlist.data.frame_table import FrameTable
from shortlist.data.many_tables import ManyTables
from shortlist.data.sql import Query, run_query
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.csv_numbers import NumberKind
    from shortlist.data.rejects import Places


class ArrowStream(Protocol):
    """Anything that exports Arrow's C stream: a pyarrow Table, a pandas frame, a DuckDB relation."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a PyCapsule with the stream."""


Location = str | os.PathLike[str]
Source = Location | Sequence[Location] | Query | pl.DataFrame | pl.LazyFrame | ArrowStream


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
    def notes(self) -> Mapping[str, str]:
        """Return column → what had to be decided about it, of those that `load` has returned so far."""

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


def open_table(source: Source, role: str, delimiter: str | None = None, encoding: str | None = None) -> Table:
    """Return `source` as a table; `role` ("interactions", "items", "users") names a frame in messages.

    A path may be that of a file (Parquet, JSON Lines or CSV), a pattern such as events/*.csv.gz, or a folder; several
    are one table. `delimiter` and `encoding` are those of text files, see `open_file`. A `Query` is run.
    Raises `DataError` for anything else.
    """
    if isinstance(source, Query):
        return run_query(source)
    if isinstance(source, str | os.PathLike):
        if is_one_file(source):
            return open_file(Path(source), delimiter, encoding)
        return ManyTables.open(str(source), find_files([source]), delimiter, encoding)
    if isinstance(source, Sequence) and all(isinstance(part, str | os.PathLike) for part in source):
        return ManyTables.open(_name_of_list(source), find_files(source), delimiter, encoding)
    return FrameTable.of(role, _lazy(source, role))


def _name_of_list(paths: Sequence[Location]) -> str:
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else "".join(map(str, paths))


def _lazy(source: object, role: str) -> pl.LazyFrame:
    if isinstance(source, pl.LazyFrame):
        return source
    if isinstance(source, pl.DataFrame):
        return source.lazy()
    if not hasattr(source, "__arrow_c_stream__"):
        raise DataError(
            f"{role}: expected a path or a list of paths (CSV, JSON Lines, Parquet), a Query, "
            f"or a frame (Polars, pandas, Arrow), got {type(source).__name__}"
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
