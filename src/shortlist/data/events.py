"""Events: the interactions table read into checked columns, and what its values mean where nobody said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.cells import screen_numbers
from shortlist.data.columns import STRENGTHS, plain
from shortlist.data.duplicate_rows import Duplicates, find_duplicates
from shortlist.data.event_rows import EventRows
from shortlist.data.feedback import Feedback
from shortlist.data.import_report import describe
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.feedback import Kind
    from shortlist.data.import_report import TableReport
    from shortlist.data.labels import Labelling
    from shortlist.data.tables import Table
    from shortlist.data.time_checks import TimeLimits

# No rating scale in use goes beyond it; larger values count something.
LARGEST_RATING = 100.0
OFF_RANGE = {
    "ratings": "value off the scale",
    "binary": "value is neither 0 nor 1",
    "events": "value is negative",
}
DUPLICATE = "duplicate of an earlier row"


@dataclass(frozen=True)
class Meaning:
    """What the caller declared of the values: `kind`, `scale` and `positive_from` of `read`; None is undeclared."""

    kind: Kind | None = None
    scale: tuple[float, float] | None = None
    positive_from: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and len(self.scale) != 2:
            raise ParameterError(f"scale must be (lowest, highest) rating, got {self.scale!r}")


@dataclass(frozen=True, eq=False)
class Events:
    """The usable rows of an interactions table, in its order; or the labels that a rule made of them.

    - user_id, item_id: ids, Int64 or String; value float32[m]; timestamp int64[m] µs UTC or None
    - assumed: what was inferred about the values, "" where it was declared
    - labelling: the rule and what it found, None without one; impressions: the report of their table, None without one
    """

    user_id: pl.Series
    item_id: pl.Series
    value: NDArray[np.float32]
    timestamp: NDArray[np.int64] | None
    context: pl.DataFrame | None
    feedback: Feedback
    assumed: str
    report: TableReport
    labelling: Labelling | None = None
    impressions: TableReport | None = None


def read_events(
    table: Table,
    mapped: Mapping[str, str | None],
    context: Sequence[str],
    meaning: Meaning,
    limits: TimeLimits,
    duplicates: Duplicates,
) -> Events:
    """Return the events in `table`. `mapped`: role → column, as the caller says.

    With `duplicates` "reject", a row that an earlier one equals in user, item, value, time and context is rejected.
    Raises `DataError` when a column that is needed is missing, or when no row can be used.
    """
    rows = EventRows.load(table, "interactions", mapped, context)
    value, feedback, assumed = _read_values(rows, meaning)
    rows.read_times(limits)
    if duplicates == "reject":
        _reject_duplicates(rows, value)
    report = rows.report()
    user_id, item_id = rows.kept_ids()
    kept = rows.screening.kept_array(value).astype(np.float32)
    return Events(user_id, item_id, kept, rows.kept_times(), rows.kept_context(), feedback, assumed, report)


def _reject_duplicates(rows: EventRows, value: NDArray[np.float64]) -> None:
    good = np.flatnonzero(rows.screening.keep)
    columns = [rows.user_id.gather(good), rows.item_id.gather(good), pl.Series(value[good])]
    if rows.timestamp is not None:
        columns.append(pl.Series(rows.timestamp[good]))
    columns += [rows.frame[column].gather(good) for column in rows.context]
    again, first = find_duplicates(pl.DataFrame([c.alias(str(n)) for n, c in enumerate(columns)]))
    rows.screening.reject_as_copies(good[again], good[first], DUPLICATE)


def _read_values(rows: EventRows, meaning: Meaning) -> tuple[NDArray[np.float64], Feedback, str]:
    name, use = rows.name, rows.uses.get("value")
    if use is None:
        if meaning.kind in ("ratings", "binary") or meaning.scale is not None:
            raise DataError(
                f"{name}: {meaning.kind or 'ratings'} need a column of values and none is recognised; "
                'name it, columns={"value": …} (--column value=…), or read the rows as kind="events"'
            )
        feedback = Feedback.of(meaning.kind or "events", meaning.scale, meaning.positive_from)
        assumed = (
            "" if meaning.kind else 'no column of values: every row is an event of value 1 (kind="events")'
        )
        return np.ones(rows.frame.height), feedback, assumed
    column = rows.frame[use.column]
    values = screen_numbers(name, column, rows.screening)
    good = rows.screening.kept_array(values)
    feedback, assumed = settle_feedback(name, column.name, good, meaning)
    if not _all_valid(feedback, good):
        rows.screening.reject(~feedback.is_valid(values), column.name, column, OFF_RANGE[feedback.kind])
    return values, feedback, assumed


def _all_valid(feedback: Feedback, values: NDArray[np.float64]) -> bool:
    if not values.size:
        return True
    # Except for 0 and 1, what is valid lies between two bounds.
    telling = values if feedback.kind == "binary" else np.array([values.min(), values.max()])
    return bool(feedback.is_valid(telling).all())


def settle_feedback(
    name: str, column: str, values: NDArray[np.float64], meaning: Meaning
) -> tuple[Feedback, str]:
    """Return what `values` float64[m] (finite) of `column` mean, and what was assumed for it ("" for nothing).

    What `meaning` declares is taken. Else: only 1 → events; only 0 and 1 → binary; a column that is named for a
    count or a weight, or values beyond any rating scale → events; anything else → ratings on the observed scale.
    Without a value there is nothing to mean.
    """
    if not values.size:
        return Feedback.events(), ""  # every row was rejected before, which is said elsewhere
    low, high = float(values.min()), float(values.max())
    kind = meaning.kind or _infer_kind(column, values, (low, high), meaning)
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


def _infer_kind(
    column: str, values: NDArray[np.float64], bounds: tuple[float, float], meaning: Meaning
) -> Kind:
    low, high = bounds
    if meaning.scale is not None or meaning.positive_from is not None:
        return "ratings"
    if low == high == 1:
        return "events"
    if low >= 0 and high <= 1 and bool(np.all((values == 0) | (values == 1))):
        return "binary"
    counts = plain(column) in STRENGTHS or high > LARGEST_RATING or low == high
    return "events" if counts and low >= 0 else "ratings"
