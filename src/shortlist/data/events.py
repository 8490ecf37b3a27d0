"""Events: the interactions table read into checked columns, and what its values mean where nobody said so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.cells import is_numeric_text, screen_ids, screen_numbers, settle_ids
from shortlist.data.columns import STRENGTHS, ColumnUse, find_events, plain, require_column
from shortlist.data.feedback import Feedback
from shortlist.data.import_report import TableReport, describe
from shortlist.data.rejects import Screening
from shortlist.data.timestamps import read_times
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.tables import Table

# No rating scale in use goes beyond it; larger values count something.
LARGEST_RATING = 100.0
OFF_RANGE = {
    "ratings": "value off the scale",
    "binary": "value is neither 0 nor 1",
    "events": "value is negative",
}


@dataclass(frozen=True)
class Meaning:
    """What the caller declared of the values: `kind`, `scale` and `positive_from` of `read`; None is undeclared."""

    kind: str | None = None
    scale: tuple[float, float] | None = None
    positive_from: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and len(self.scale) != 2:
            raise ParameterError(f"scale must be (lowest, highest) rating, got {self.scale!r}")


@dataclass(frozen=True, eq=False)
class Events:
    """The usable rows of an interactions table, in its order.

    - user_id, item_id: ids, Int64 or String; value float32[m]; timestamp int64[m] µs UTC or None
    - assumed: what was inferred about the values, "" where it was declared
    """

    user_id: pl.Series
    item_id: pl.Series
    value: NDArray[np.float32]
    timestamp: NDArray[np.int64] | None
    context: pl.DataFrame | None
    feedback: Feedback
    assumed: str
    report: TableReport


def read_events(
    table: Table, mapped: Mapping[str, str | None], context: Sequence[str], meaning: Meaning
) -> Events:
    """Return the events in `table`. `mapped`: role → column, as the caller says.

    Raises `DataError` when a column that is needed is missing, or when no row can be used.
    """
    uses = find_events(table.name, table.columns, mapped)
    for column in context:
        require_column(table.name, table.columns, column)
    frame = table.load(list(dict.fromkeys([*(use.column for use in uses.values()), *context])))
    screening = Screening(table, frame.height)
    ids = [screen_ids(table.name, frame[uses[role].column], screening) for role in ("user_id", "item_id")]
    value, feedback, assumed = _read_values(table.name, frame, uses, screening, meaning)
    timestamp, uses = _read_timestamps(table.name, frame, uses, screening)
    keep = screening.keep
    context_uses = [ColumnUse(column, "context", "mapped") for column in context]
    report = TableReport(
        table.name,
        "interactions",
        rows_read=frame.height + table.rejects.height,
        rows_kept=int(keep.sum()),
        rejects=screening.rejects(),
        columns=(*uses.values(), *context_uses),
        unused=tuple(c for c in table.columns if c not in frame.columns),
    )
    require_rows(report)
    kept = [settle_ids(screening.kept(column), table.textual) for column in ids]
    return Events(
        kept[0],
        kept[1],
        value[keep].astype(np.float32),
        None if timestamp is None else timestamp[keep],
        _read_context([screening.kept(frame[column]) for column in context], table.textual),
        feedback,
        assumed,
        report,
    )


def require_rows(report: TableReport) -> None:
    """Raise `DataError` when every row of a table was rejected, with the reasons and the first rejects."""
    if report.rows_kept:
        return
    if not report.rows_read:
        raise DataError(f"{report.name}: there are no rows")
    reasons = ", ".join(f"{n:,} × {reason}" for reason, n in report.reasons.items())
    first = "\n  ".join(report.first_rejects(3))
    raise DataError(f"{report.name}: none of the {report.rows_read:,} rows can be used: {reasons}\n  {first}")


def _read_values(
    name: str, frame: pl.DataFrame, uses: Mapping[str, ColumnUse], screening: Screening, meaning: Meaning
) -> tuple[NDArray[np.float64], Feedback, str]:
    if "value" not in uses:
        if meaning.kind in ("ratings", "binary") or meaning.scale is not None:
            raise DataError(
                f"{name}: {meaning.kind or 'ratings'} need a column of values and none is recognised; "
                'name it, columns={"value": …}, or read the rows as kind="events"'
            )
        feedback = Feedback.of(meaning.kind or "events", meaning.scale, meaning.positive_from)
        assumed = (
            "" if meaning.kind else 'no column of values: every row is an event of value 1 (kind="events")'
        )
        return np.ones(frame.height), feedback, assumed
    column = frame[uses["value"].column]
    values = screen_numbers(name, column, screening)
    feedback, assumed = settle_feedback(name, column.name, values[screening.keep], meaning)
    screening.reject(~feedback.is_valid(values), column.name, column, OFF_RANGE[feedback.kind])
    return values, feedback, assumed


def settle_feedback(
    name: str, column: str, values: NDArray[np.float64], meaning: Meaning
) -> tuple[Feedback, str]:
    """Return what `values` float64[m] (finite) of `column` mean, and what was assumed for it ("" for nothing).

    What `meaning` declares is taken. Else: only 1 → events; only 0 and 1 → binary; a column that is named for a
    count or a weight, or values beyond any rating scale → events; anything else → ratings on the observed scale.
    """
    kind = meaning.kind or _infer_kind(column, values, meaning)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if kind != "ratings" or meaning.scale is not None:
        feedback = Feedback.of(kind, meaning.scale, meaning.positive_from)
        return (
            feedback,
            "" if meaning.kind or meaning.scale else f'{column} holds {describe(feedback)} (kind="{kind}")',
        )
    if low == high:
        raise DataError(
            f"{name}: every rating in {column!r} is {low:g}; declare the scale, such as scale=(1, 5)"
        )
    if low < 0 and meaning.positive_from is None:
        raise DataError(
            f"{name}: {column!r} holds values from {low:g} to {high:g}; "
            "declare the scale and which ratings are positive: scale=(…, …), positive_from=…"
        )
    feedback = Feedback.ratings(low, high, meaning.positive_from)
    return (
        feedback,
        f"{column} holds {describe(feedback)}; this scale is the observed one: declare scale=(low, high)",
    )


def _infer_kind(column: str, values: NDArray[np.float64], meaning: Meaning) -> str:
    if meaning.scale is not None or meaning.positive_from is not None:
        return "ratings"
    if not values.size or bool(np.all(values == 1)):
        return "events"
    if values.min() >= 0 and values.max() <= 1 and bool(np.all((values == 0) | (values == 1))):
        return "binary"
    counts = plain(column) in STRENGTHS or values.max() > LARGEST_RATING or values.min() == values.max()
    return "events" if counts and values.min() >= 0 else "ratings"


def _read_timestamps(
    name: str, frame: pl.DataFrame, uses: Mapping[str, ColumnUse], screening: Screening
) -> tuple[NDArray[np.int64] | None, dict[str, ColumnUse]]:
    if "timestamp" not in uses:
        return None, dict(uses)
    column = frame[uses["timestamp"].column]
    times = read_times(name, column)
    screening.reject(times.missing, column.name, column, "missing timestamp")
    screening.reject(~times.readable, column.name, column, "unparsable timestamp")
    return times.microseconds, {**uses, "timestamp": replace(uses["timestamp"], meaning=times.meaning)}


def _read_context(columns: Sequence[pl.Series], textual: bool) -> pl.DataFrame | None:
    if not columns:
        return None
    return pl.DataFrame([_context_column(column) if textual else column for column in columns])


def _context_column(text: pl.Series) -> pl.Series:
    filled = text.set(text == "", None)
    if not is_numeric_text(filled):
        return filled
    whole = filled.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == filled.null_count() else filled.cast(pl.Float64)
