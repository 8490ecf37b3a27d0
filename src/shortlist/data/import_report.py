"""ImportReport: what was read, what was rejected and why, and what was assumed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.data.reject_file import write_rejects
from shortlist.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from shortlist.data.columns import ColumnUse
    from shortlist.data.feedback import Feedback
    from shortlist.data.id_collisions import Collision
    from shortlist.data.labels import Labelling
    from shortlist.data.vocabulary import Id

SHOWN_REJECTS = 10
SHOWN_IDS = 5
# How a reason begins → what to do about it.
HINTS = {
    "missing id": "every event needs its user and item",
    "id is not a whole number": "give such ids as strings",
    "wrong number of fields": "put fields that hold the delimiter in quotes, or give another delimiter",
    "unbalanced quotes": "close each quote, and write a quote inside quotes twice",
    "no JSON object": 'write one object a line, such as {"user_id": 1, "item_id": 2}',
    "unreadable JSON": "write one object a line, and escape line ends in texts as \\n",
    "missing value": 'fill it in, or leave the column out: columns={"value": None}',
    "value has a decimal comma": "write 4.5, not 4,5, and 1234, not 1,234",
    "value off the scale": "declare the whole scale, scale=(lowest, highest), or correct the values",
    "value is not finite": "NaN and infinity are no values",
    "value is negative": 'an event has a strength of at least 0; ratings below 0 are kind="ratings" with a scale',
    "value is neither 0 nor 1": 'other values are kind="ratings" or kind="events"',
    "unparsable value": "write values as numbers, such as 4.5",
    "unparsable number": "write numbers as 4.5; a feature that is none has another kind",
    "number is not finite": "NaN and infinity are no features",
    "unparsable truth value": "write true or false, or 1 or 0",
    "missing timestamp": 'fill it in, or leave the column out: columns={"timestamp": None}',
    "unparsable time": "write times as ISO 8601, such as 2018-09-24T14:27:30, or as seconds since 1970",
    "timestamp in the future": "correct the clock that wrote it; latest=… declares up to when times are right",
    "timestamp far": "often stands for a missing time; earliest=… declares from when on times are right",
    "timestamp before": "earliest=… declares it",
    "timestamp after": "latest=… declares it",
    "timestamp in": "bring the column to one unit",
    "an earlier row has this id": "keep one row an id",
    "duplicate of an earlier row": 'duplicates="keep" keeps such rows',
}


class DataWarning(UserWarning):
    """Rows were rejected while data was read; the report of the dataset lists them."""


class NoUsableRowsError(DataError):
    """Every row of a table was rejected; `report` is that of the table, and has the rejects."""

    def __init__(self, message: str, report: TableReport) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True, eq=False)
class TableReport:
    """What became of one table.

    rows_read == rows_kept + rows_rejected, always. `rejects` has one row a rejected record: file (of several files, the
    one that holds it, else null), row (record number, from 1), line (physical line of a text file, from 1, else null),
    column (null where the whole record is wrong), value, reason, record (the whole of it, as it stands in a text file,
    else as a JSON object). `unused` columns were not taken; `notes` say what was
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
    def named_rejects(self) -> pl.DataFrame:
        """Return the rejects after a column with the name of the table."""
        return self.rejects.select(pl.lit(self.name).alias("table"), pl.all())

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
        lines += [f"  {n:,} × {reason}{hint_for(reason, ' (', ')')}" for reason, n in self.reasons.items()]
        lines += [f"    {sentence}" for sentence in self.first_rejects()]
        if self.rows_rejected > SHOWN_REJECTS:
            lines.append(
                f"    … and {self.rows_rejected - SHOWN_REJECTS:,} more; write_rejects (--rejects FILE) keeps all"
            )
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

    - repeats: events whose user had an earlier or equal event with the same item; all of them are kept
    - duplicates: of these, the events that also have the value, time and context of an earlier one; kept unless
      `read` was asked to reject them, which leaves none
    - first, last: µs UTC of the first and the last event, None where the data has no times
    - id_kinds: "integer" or "string" for "users" and "items"
    - without_events: "users" and "items" → ids of the feature table that no event has; they stay in the catalogue
    - without_features: "users" and "items" → ids of the events that the feature table, where there is one, lacks
    - assumed: what was inferred about the meaning of the values; empty where the caller declared it
    - examples: "users" and "items" → up to five of the ids that `without_events` counts
    - collisions: ids that differ only in how they are written
    - mixed_ids: sides whose ids are integers in one table and strings in another, which made strings of all
    - labelling: the rule that made labels, and what it found; None without one
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
    duplicates: int = 0
    examples: dict[str, tuple[Id, ...]] = field(default_factory=dict)
    collisions: tuple[Collision, ...] = ()
    mixed_ids: tuple[str, ...] = ()
    labelling: Labelling | None = None

    @property
    def ok(self) -> bool:
        """Return whether no row of any table was rejected."""
        return not any(table.rows_rejected for table in self.tables)

    @cached_property
    def rejects(self) -> pl.DataFrame:
        """Return the rejects of all tables: table, then the columns of `TableReport.rejects`."""
        return pl.concat([table.named_rejects for table in self.tables])

    def summary(self) -> str:
        """Return one sentence that counts the rejected rows of each table, with the reasons."""
        return "; ".join(
            f"{table.rows_rejected:,} of {_count(table.rows_read, 'row')} of {table.name} rejected "
            f"({', '.join(f'{n:,} {reason}' for reason, n in table.reasons.items())})"
            for table in self.tables
            if table.rows_rejected
        )

    def write_rejects(self, path: str | Path) -> int:
        """Write every rejected row of all tables to `path`, and return how many there are.

        The columns are those of `rejects`. The suffix says the format: .csv, .jsonl or .parquet. The file is whole or
        untouched. Raises `ParameterError` for another suffix, `OSError` where it cannot be written.
        """
        return write_rejects(self.rejects, path)

    def to_text(self) -> str:
        """Return the report for people, several lines."""
        lines = [table.to_text() for table in self.tables]
        if self.labelling is not None:
            lines.append(self.labelling.to_text())
        lines.append(
            f"{_count(self.n_events, 'event')} of {_count(self.n_users, 'user')} and {_count(self.n_items, 'item')}"
            f"{self._span()}; {self.repeats:,} repeat an earlier pair of user and item{self._copies()}"
        )
        lines.append(f"ids: users are {self.id_kinds['users']}s, items are {self.id_kinds['items']}s")
        lines += [*self._id_lines(), *self._feature_lines()]
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
            "duplicates": self.duplicates,
            "first": None if self.first is None else iso_time(self.first),
            "last": None if self.last is None else iso_time(self.last),
            "id_kinds": self.id_kinds,
            "without_events": self.without_events,
            "without_features": self.without_features,
            "examples": {side: list(ids) for side, ids in self.examples.items()},
            "collisions": [collision.to_values() for collision in self.collisions],
            "mixed_ids": list(self.mixed_ids),
            "labels": None if self.labelling is None else self.labelling.to_values(),
        }

    def _copies(self) -> str:
        if not self.duplicates:
            return ""
        return f', {self.duplicates:,} of them with its value, time and context too (duplicates="reject" rejects these)'

    def _id_lines(self) -> list[str]:
        lines = [
            f"  {side}: integers in one table and strings in another, so all are compared as strings"
            for side in self.mixed_ids
        ]
        lines += [f"  {collision.to_text()}" for collision in self.collisions]
        if self.collisions:
            lines.append(
                "  such ids stay different ones; where they mean the same, write them alike in the source"
            )
        return lines

    def _feature_lines(self) -> list[str]:
        lines = []
        for side, n in self.without_events.items():
            if n:
                shown = ", ".join(repr(id_) for id_ in self.examples.get(side, ()))
                lines.append(
                    f"{side} with features and without events: {n:,}{f', such as {shown}' if shown else ''}"
                )
        lines += [
            f"{side} with events and without features: {n:,}"
            for side, n in self.without_features.items()
            if n
        ]
        for side, n in self.without_features.items():
            if n and n == (self.n_users if side == "users" else self.n_items) - self.without_events[side]:
                lines.append(
                    f"  no id of the {side} with events has features: are the ids of both tables the same?"
                )
        return lines

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


def hint_for(reason: str, before: str = "", after: str = "") -> str:
    """Return what to do about rows rejected for `reason`, between two texts; "" where there is nothing to say.

    >>> hint_for("timestamp in milliseconds, where the column counts seconds")
    'bring the column to one unit'
    """
    hint = next((hint for start, hint in HINTS.items() if reason.startswith(start)), None)
    return "" if hint is None else f"{before}{hint}{after}"


def require_rows(report: TableReport) -> None:
    """Raise `NoUsableRowsError` when every row of a table was rejected, with the reasons and the first rejects."""
    if report.rows_kept:
        return
    if not report.rows_read:
        raise DataError(f"{report.name}: there are no rows")
    reasons = ", ".join(f"{n:,} × {reason}" for reason, n in report.reasons.items())
    lines = [f"{report.name}: none of the {report.rows_read:,} rows can be used: {reasons}"]
    lines += [f"  {sentence}" for sentence in report.first_rejects(3)]
    lines += [hint for reason in report.reasons if (hint := hint_for(reason, f"{reason}: "))]
    raise NoUsableRowsError("\n".join(lines), report)


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
