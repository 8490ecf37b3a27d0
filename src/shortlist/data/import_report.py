"""ImportReport: what was read, what was rejected and why, and what was assumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from shortlist.data.columns import ColumnUse
    from shortlist.data.feedback import Feedback

SHOWN_REJECTS = 10


class DataWarning(UserWarning):
    """Rows were rejected while data was read; the report of the dataset lists them."""


@dataclass(frozen=True, eq=False)
class TableReport:
    """What became of one table.

    rows_read == rows_kept + rows_rejected, always. `rejects` has one row a rejected record: file (of several files, the
    one that holds it, else null), row (record number, from 1), line (physical line of a text file, from 1, else null),
    column (null where the whole record is wrong), value, reason. `unused` columns were not taken; `notes` say what was
    decided without being told.
    """

    name: str
    role: str
    rows_read: int
    rows_kept: int
    rejects: pl.DataFrame
    columns: tuple[ColumnUse, ...]
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rows_rejected(self) -> int:
        """Return how many records were rejected."""
        return self.rejects.height

    @cached_property
    def reasons(self) -> dict[str, int]:
        """Return reason → number of records rejected for it, most frequent first."""
        counts = self.rejects.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
        return dict(counts.iter_rows())

    def first_rejects(self, n: int = SHOWN_REJECTS) -> list[str]:
        """Return a sentence for each of the first `n` rejects."""
        return [_sentence(reject) for reject in self.rejects.head(n).iter_rows(named=True)]

    def to_text(self) -> str:
        """Return the report of this table for people, several lines."""
        lines = [
            (
                f"{self.name} ({self.role}): {_count(self.rows_read, 'row')} read, "
                f"{self.rows_kept:,} kept, {self.rows_rejected:,} rejected"
            )
        ]
        lines += [f"  {n:,} × {reason}" for reason, n in self.reasons.items()]
        lines += [f"    {sentence}" for sentence in self.first_rejects()]
        if self.rows_rejected > SHOWN_REJECTS:
            lines.append(f"    … and {self.rows_rejected - SHOWN_REJECTS:,} more, in .rejects")
        lines += [f"  {use.role} ← {use.column} ({_how(use)})" for use in self.columns]
        if self.unused:
            lines.append(f"  not used: {', '.join(self.unused)}")
        return "\n".join(lines + [f"  {note}" for note in self.notes])

    def to_values(self, max_rejects: int | None = None) -> dict[str, Any]:
        """Return plain JSON values, with the first `max_rejects` rejects (None: all of them)."""
        rejects = self.rejects if max_rejects is None else self.rejects.head(max_rejects)
        return {
            "name": self.name,
            "role": self.role,
            "rows_read": self.rows_read,
            "rows_kept": self.rows_kept,
            "rows_rejected": self.rows_rejected,
            "reasons": self.reasons,
            "columns": [asdict(use) for use in self.columns],
            "unused": list(self.unused),
            "notes": list(self.notes),
            "rejects": rejects.to_dicts(),
        }


@dataclass(frozen=True, eq=False)
class ImportReport:
    """What `read` found, table by table, and the events that came of it.

    - repeats: events whose user had an earlier or equal event with the same item; all events are kept
    - first, last: µs UTC of the first and the last event, None where the data has no times
    - id_kinds: "integer" or "string" for "users" and "items"
    - without_events: "users" and "items" → ids of the feature table that no event has; they stay in the catalogue
    - without_features: "users" and "items" → ids of the events that the feature table, where there is one, lacks
    - assumed: what was inferred about the meaning of the values; empty where the caller declared it
    """

    tables: tuple[TableReport, ...]
    feedback: Feedback
    n_events: int
    n_users: int
    n_items: int
    repeats: int
    first: int | None
    last: int | None
    id_kinds: dict[str, str]
    without_events: dict[str, int]
    without_features: dict[str, int]
    assumed: str = ""

    @property
    def ok(self) -> bool:
        """Return whether no row of any table was rejected."""
        return not any(table.rows_rejected for table in self.tables)

    @cached_property
    def rejects(self) -> pl.DataFrame:
        """Return the rejects of all tables: table, then the columns of `TableReport.rejects`."""
        named = [table.rejects.select(pl.lit(table.name).alias("table"), pl.all()) for table in self.tables]
        return pl.concat(named)

    def summary(self) -> str:
        """Return one sentence that counts the rejected rows of each table, with the reasons."""
        return "; ".join(
            f"{table.rows_rejected:,} of {_count(table.rows_read, 'row')} of {table.name} rejected "
            f"({', '.join(f'{n:,} {reason}' for reason, n in table.reasons.items())})"
            for table in self.tables
            if table.rows_rejected
        )

    def to_text(self) -> str:
        """Return the report for people, several lines."""
        lines = [table.to_text() for table in self.tables]
        lines.append(
            f"{_count(self.n_events, 'event')} of {_count(self.n_users, 'user')} and {_count(self.n_items, 'item')}"
            f"{self._span()}; {self.repeats:,} repeat an earlier pair of user and item"
        )
        lines.append(f"ids: users are {self.id_kinds['users']}s, items are {self.id_kinds['items']}s")
        lines += [
            f"{kind} with features and without events: {n:,}" for kind, n in self.without_events.items() if n
        ]
        lines += [
            f"{kind} with events and without features: {n:,}"
            for kind, n in self.without_features.items()
            if n
        ]
        lines.append(f"ASSUMED: {self.assumed}" if self.assumed else f"values: {describe(self.feedback)}")
        return "\n".join(lines)

    def to_values(self, max_rejects: int | None = None) -> dict[str, Any]:
        """Return plain JSON values, with the first `max_rejects` rejects of each table (None: all of them)."""
        return {
            "ok": self.ok,
            "tables": [table.to_values(max_rejects) for table in self.tables],
            "feedback": self.feedback.to_values(),
            "assumed": self.assumed,
            "events": self.n_events,
            "users": self.n_users,
            "items": self.n_items,
            "repeats": self.repeats,
            "first": None if self.first is None else iso_time(self.first),
            "last": None if self.last is None else iso_time(self.last),
            "id_kinds": self.id_kinds,
            "without_events": self.without_events,
            "without_features": self.without_features,
        }

    def _span(self) -> str:
        if self.first is None or self.last is None:
            return ", without times"
        return f", {iso_time(self.first)} to {iso_time(self.last)}"


def describe(feedback: Feedback) -> str:
    """Return what the values mean, in words.

    >>> from shortlist.data.feedback import Feedback
    >>> describe(Feedback.ratings(0.5, 5))
    'ratings from 0.5 to 5, positive from 4'
    """
    if feedback.scale is not None and feedback.kind == "ratings":
        return f"ratings from {feedback.scale[0]:g} to {feedback.scale[1]:g}, positive from {feedback.positive_from:g}"
    return "labels 0 and 1" if feedback.kind == "binary" else "implicit events, positive above 0"


def iso_time(microseconds: int) -> str:
    """Return µs since 1970 as ISO 8601.

    >>> iso_time(964_982_703_000_000)
    '2000-07-30T18:45:03Z'
    """
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _how(use: ColumnUse) -> str:
    return f"{use.how}; {use.meaning}" if use.meaning else use.how


def _sentence(reject: dict[str, Any]) -> str:
    file = "" if reject["file"] is None else f"{reject['file']}, "
    line = "" if reject["line"] is None else f" (line {reject['line']:,})"
    column = "" if reject["column"] is None else f", column {reject['column']}"
    value = "empty" if reject["value"] in (None, "") else repr(reject["value"])
    return f"{file}row {reject['row']:,}{line}{column}: {reject['reason']}: {value}"
