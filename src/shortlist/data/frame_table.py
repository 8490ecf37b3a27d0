"""Tables of typed columns: data frames, Parquet files, results of a query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl
from polars.selectors import by_name

from shortlist.data.rejects import Places, no_rejects
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.csv_numbers import NumberKind


@dataclass(frozen=True, eq=False)
class FrameTable:
    """A table of typed columns, of which those asked for are computed or read.

    `notes`: column → what had to be decided about it where it comes from.
    """

    name: str
    frame: pl.LazyFrame
    columns: list[str]
    textual: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, frame: pl.LazyFrame) -> FrameTable:
        """Return `frame` as a table. Raises `DataError` where its query is wrong."""
        try:
            return cls(name, frame, frame.collect_schema().names())
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{name}: the query of this LazyFrame fails: {error}") from error

    @classmethod
    def open(cls, path: Path) -> FrameTable:
        """Return the table in the Parquet file at `path`. Raises `DataError` where it is damaged."""
        try:
            frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            return cls(str(path), frame, frame.collect_schema().names())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path}: this Parquet file is damaged or truncated: {error}") from error

    @property
    def rejects(self) -> pl.DataFrame:
        """Return none: every record of a frame is a row."""
        return no_rejects()

    @property
    def n_rows(self) -> int:
        """Return the number of rows; a Parquet file says it without being read."""
        return int(self.frame.select(pl.len()).collect().item())

    def load(self, columns: Sequence[str], numbers: Mapping[str, NumberKind] | None = None) -> pl.DataFrame:
        """Return these columns of all rows, each of its own type, whatever `numbers` names."""
        try:
            # By selectors: a plain "*" would be every column, and "^a.*$" a pattern.
            return self.frame.select([by_name(column) for column in columns]).collect()
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
        lines = (
            rows.drop(foreign).write_ndjson().split("\n")[:-1]
            if rows.width > len(foreign)
            else ["{}"] * at.size
        )
        return pl.Series(lines, dtype=pl.String)

    def cells(self, column: str, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: what stands in `column` of the rows at positions `at`."""
        return self._rows([column], at)[column].cast(pl.String, strict=False)

    def _rows(self, columns: Sequence[str], at: NDArray[np.int64]) -> pl.DataFrame:
        return self.load(columns)[at]
