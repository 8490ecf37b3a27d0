"""Labelling: a table of events, and one of impressions where there is one, read by a rule into labels 1 and 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.cells import one_kind
from shortlist.data.event_rows import EventRows
from shortlist.data.events import Events
from shortlist.data.feedback import Feedback
from shortlist.data.labels import Exposures, LabelCounts, Labelling, match
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.conditions import Condition
    from shortlist.data.labels import Labels
    from shortlist.data.tables import Table
    from shortlist.data.time_checks import TimeLimits


@dataclass(frozen=True, eq=False)
class TableColumns:
    """A table of events or impressions and its columns as the caller names them: role → column."""

    table: Table
    mapped: Mapping[str, str | None]


def read_labelled(
    events: TableColumns,
    impressions: TableColumns | None,
    context: Sequence[str],
    labels: Labels,
    limits: TimeLimits,
) -> Events:
    """Return the labels that the rule makes of the tables, as events of kind "binary"; see `Labels`.

    `impressions` None: the exposures are in the table of events. `context` columns are those of the exposures.
    Raises `DataError` as `read_events` does, where no row is an exposure, and where exposures are told apart from
    engagements and either have no times; `ParameterError` for an incomplete rule. Cost: O(rows log rows).
    """
    labels.require_complete(impressions=impressions is not None)
    if impressions is None:
        acted = exposed = _load(
            events, "interactions", context, labels.engaged_condition, labels.shown_condition
        )
    else:
        acted = _load(events, "interactions", (), labels.engaged_condition)
        exposed = _load(impressions, "impressions", context, labels.shown_condition)
    engaged, shown = _where(acted, labels.engaged_condition), _where(exposed, labels.shown_condition)
    tables = [acted] if exposed is acted else [acted, exposed]
    for rows in tables:
        rows.read_times(limits)
    reports = [rows.report() for rows in tables]
    found = _Marked.of(exposed, shown)
    if not found.user_id.len():
        raise DataError(
            f"{exposed.name}: no row is an exposure by the rule shown={labels.shown!r}; check the rule"
        )
    if impressions is None and labels.shown is None:
        result, without, late = _row_by_row(found, engaged[acted.screening.keep]), 0, 0
        n_engagements = int(result.engaged.sum())
    else:
        engagements = _Marked.of(acted, engaged)
        result, without, late = _matched(exposed.name, found, engagements, labels.window)
        n_engagements = engagements.user_id.len()
    chosen = result.one_a_pair() if labels.per == "pair" else np.arange(result.pair.size)
    ones = int(result.engaged[chosen].sum())
    counts = LabelCounts(
        exposures=result.pair.size,
        engagements=n_engagements,
        neither=_n_neither(acted, engaged, exposed, shown),
        without_exposure=without,
        too_late=late,
        ones=ones,
        zeros=chosen.size - ones,
    )
    return Events(
        found.user_id.gather(chosen),
        found.item_id.gather(chosen),
        result.engaged[chosen].astype(np.float32),
        None if result.engaged_at is None else result.engaged_at[chosen],
        None if found.context is None else found.context[chosen],
        Feedback.binary(),
        "",
        reports[0],
        Labelling(labels, counts),
        reports[1] if len(reports) > 1 else None,
    )


@dataclass(frozen=True, eq=False)
class _Marked:
    """The good rows of a table for which a condition holds."""

    user_id: pl.Series
    item_id: pl.Series
    time: NDArray[np.int64] | None
    context: pl.DataFrame | None

    @classmethod
    def of(cls, rows: EventRows, holds: NDArray[np.bool_]) -> _Marked:
        """Return the rows for which `holds` bool[n]. Ids are of the kind that all good rows of the table have."""
        marked = pl.Series(holds[rows.screening.keep])
        (users, items), times, context = rows.kept_ids(), rows.kept_times(), rows.kept_context()
        return cls(
            users.filter(marked),
            items.filter(marked),
            None if times is None else times[marked.to_numpy()],
            None if context is None else context.filter(marked),
        )


def _load(
    source: TableColumns, role: str, context: Sequence[str], *conditions: Condition | None
) -> EventRows:
    table, rules = source.table, [condition for condition in conditions if condition is not None]
    if source.mapped.get("value") is not None:
        raise ParameterError(
            f"columns: labels make the values, so the value {source.mapped['value']!r} would not be used; leave it out"
        )
    for rule in rules:
        rule.require_columns(table.name, table.columns)
    compared = list(dict.fromkeys(column for rule in rules for column in rule.columns))
    numeric = {c for c in compared if all(c in rule.numbers for rule in rules if c in rule.columns)}
    mapped = {**source.mapped, "value": None}
    return EventRows.load(table, role, mapped, context, compared=compared, numeric=numeric)


def _where(rows: EventRows, condition: Condition | None) -> NDArray[np.bool_]:
    if condition is None:
        return np.ones(rows.frame.height, bool)
    return condition.holds(rows.name, rows.frame, rows.screening)


def _row_by_row(rows: _Marked, engaged: NDArray[np.bool_]) -> Exposures:
    return Exposures(_pairs(rows, rows)[0], rows.time, engaged, rows.time)


def _matched(name: str, shown: _Marked, engagements: _Marked, window: int) -> tuple[Exposures, int, int]:
    if shown.time is None or engagements.time is None:
        raise DataError(
            f"{name}: an engagement counts only after the exposure, so both need times, and no column of them is "
            'recognised; name it, columns={"timestamp": …}'
        )
    of_shown, of_engagements = _pairs(shown, engagements)
    return match(of_shown, shown.time, of_engagements, engagements.time, window)


def _pairs(shown: _Marked, others: _Marked) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # A number for each pair of user and item that was shown; −1 where the pair of another row was not.
    users, other_users = one_kind(shown.user_id, others.user_id)
    items, other_items = one_kind(shown.item_id, others.item_id)
    known_users, known_items = Vocabulary.of(users), Vocabulary.of(items)

    def pairs(user_id: pl.Series, item_id: pl.Series) -> NDArray[np.int64]:
        user, item = known_users.index_of(user_id).astype(np.int64), known_items.index_of(item_id)
        return np.where((user < 0) | (item < 0), -1, user * len(known_items) + item)

    return pairs(users, items), pairs(other_users, other_items)


def _n_neither(
    acted: EventRows, engaged: NDArray[np.bool_], exposed: EventRows, shown: NDArray[np.bool_]
) -> int:
    if exposed is acted:
        return int((acted.screening.keep & ~engaged & ~shown).sum())
    return int((acted.screening.keep & ~engaged).sum() + (exposed.screening.keep & ~shown).sum())
