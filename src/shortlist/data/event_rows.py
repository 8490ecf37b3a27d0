"""EventRows: the rows of a table of events or impressions while they are read and screened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.cells import is_missing, is_numeric_text, screen_ids, settle_ids
from shortlist.data.columns import ColumnUse, find_events, require_column
from shortlist.data.import_report import TableReport, require_rows
from shortlist.data.rejects import Screening
from shortlist.data.time_checks import screen_times
from shortlist.data.timestamps import ISO, read_times

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.csv_numbers import NumberKind
    from shortlist.data.tables import Table
    from shortlist.data.time_checks import TimeLimits
    from shortlist.data.timestamps import Times


@dataclass(eq=False)
class EventRows:
    """Rows of `table`, which is `role` ("interactions" or "impressions"), and what was found in them so far.

    - uses: role → the column that plays it; frame: the columns that are used, of all rows
    - user_id, item_id: ids, one a row; timestamp int64[n] µs UTC, None before `read_times` and where there are none
    """

    table: Table
    role: str
    uses: dict[str, ColumnUse]
    frame: pl.DataFrame
    screening: Screening
    user_id: pl.Series
    item_id: pl.Series
    timestamp: NDArray[np.int64] | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def load(
        cls,
        table: Table,
        role: str,
        mapped: Mapping[str, str | None],
        context: Sequence[str],
        *,
        compared: Sequence[str] = (),
        numeric: Collection[str] = (),
    ) -> EventRows:
        """Return the rows with their ids screened.

        `mapped`: role → column, as the caller says; `context` and `compared` columns are loaded too, of which
        `numeric` ones hold numbers. Raises `DataError` when a column that is needed is missing.
        """
        uses = find_events(table.name, table.columns, mapped)
        for column in context:
            require_column(table.name, table.columns, column)
        uses |= {f"context {column}": ColumnUse(column, "context", "mapped") for column in context}
        uses |= {f"rule {column}": ColumnUse(column, "rule", "mapped") for column in compared}
        frame = table.load(list(dict.fromkeys(use.column for use in uses.values())), _readings(uses, numeric))
        screening = Screening(table, frame.height)
        users, items = (
            screen_ids(table.name, frame[uses[id_].column], screening) for id_ in ("user_id", "item_id")
        )
        return cls(table, role, uses, frame, screening, users, items)

    @property
    def name(self) -> str:
        """Return the name of the table."""
        return self.table.name

    @property
    def context(self) -> list[str]:
        """Return the context columns."""
        return [use.column for use in self.uses.values() if use.role == "context"]

    def read_times(self, limits: TimeLimits) -> None:
        """Read the column of times, where there is one, and reject rows whose time is none or cannot be one."""
        use = self.uses.get("timestamp")
        if use is None:
            return
        column = self.frame[use.column]
        times = read_times(self.name, column)
        if self.table.textual and column.dtype == pl.Datetime:
            times = self._as_written(column, times)
        self.notes += screen_times(column, times, limits, self.screening)
        self.timestamp = times.microseconds
        self.uses["timestamp"] = replace(use, meaning=times.meaning)

    def _as_written(self, column: pl.Series, times: Times) -> Times:
        # Text was read as times at once: null is no time, and missing only where nothing is written.
        missing = np.zeros(column.len(), bool)
        if column.null_count():
            at = column.is_null().arg_true().to_numpy()
            missing[at] = is_missing(self.screening.written(column.name, column, at))
        return replace(times, missing=missing, meaning=ISO)

    def kept_ids(self) -> tuple[pl.Series, pl.Series]:
        """Return the ids of the users and of the items of the rows that are still good."""
        users, items = (self.screening.kept(ids) for ids in (self.user_id, self.item_id))
        return settle_ids(users, self.table.textual), settle_ids(items, self.table.textual)

    def kept_times(self) -> NDArray[np.int64] | None:
        """Return the times of the rows that are still good."""
        return None if self.timestamp is None else self.screening.kept_array(self.timestamp)

    def kept_context(self) -> pl.DataFrame | None:
        """Return the context columns of the rows that are still good, None without any."""
        if not self.context:
            return None
        kept = [self.screening.kept(self.frame[column]) for column in self.context]
        return pl.DataFrame([_context_column(column) if self.table.textual else column for column in kept])

    def report(self) -> TableReport:
        """Return what became of the table. Raises `NoUsableRowsError` when every row was rejected."""
        report = TableReport(
            self.name,
            self.role,
            rows_read=self.frame.height + self.table.rejects.height,
            rows_kept=int(self.screening.keep.sum()),
            rejects=self.screening.rejects(),
            columns=tuple(self.uses.values()),
            unused=tuple(column for column in self.table.columns if column not in self.frame.columns),
            notes=(*self.table.notes.values(), *self.notes),
        )
        require_rows(report)
        return report


def _readings(uses: Mapping[str, ColumnUse], numeric: Collection[str]) -> dict[str, NumberKind]:
    # How columns of text may be read at once: those of one use, which are not compared with text.
    readings: dict[str, NumberKind] = {
        "user_id": "id",
        "item_id": "id",
        "value": "value",
        "timestamp": "time",
    }
    n_uses = Counter(use.column for use in uses.values())
    found = {use.column: readings[role] for role, use in uses.items() if role in readings}
    found |= dict.fromkeys(numeric, "number")
    return {column: reading for column, reading in found.items() if n_uses[column] == 1}


def _context_column(cells: pl.Series) -> pl.Series:
    if cells.dtype != pl.String:
        return cells
    filled = cells.set(cells == "", None)
    if not is_numeric_text(filled):
        return filled
    whole = filled.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == filled.null_count() else filled.cast(pl.Float64)
