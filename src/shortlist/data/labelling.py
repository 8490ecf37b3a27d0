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
    from shortlist.data.import_report import TableReport
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
    rows = _LabelRows.load(events, impressions, context, labels)
    reports = rows.screen(limits)
    shown = rows.exposures(labels)
    found, without, late, n_engagements = rows.matched(shown, labels)
    chosen = found.one_a_pair() if labels.per == "pair" else np.arange(found.pair.size)
    ones = int(found.engaged[chosen].sum())
    counts = LabelCounts(
        exposures=found.pair.size,
        engagements=n_engagements,
        neither=rows.n_neither(),
        without_exposure=without,
        too_late=late,
        ones=ones,
        zeros=chosen.size - ones,
    )
    return Events(
        shown.user_id.gather(chosen),
        shown.item_id.gather(chosen),
        found.engaged[chosen].astype(np.float32),
        None if found.engaged_at is None else found.engaged_at[chosen],
        None if shown.context is None else shown.context[chosen],
        Feedback.binary(),
        "",
        reports[0],
        Labelling(labels, counts),
        reports[1] if len(reports) > 1 else None,
    )


@dataclass(frozen=True, eq=False)
class _LabelRows:
    """The rows of one table or two, and which of them are engagements (of `acted`) and exposures (of `exposed`)."""

    acted: EventRows
    engaged: NDArray[np.bool_]
    exposed: EventRows
    shown: NDArray[np.bool_]

    @classmethod
    def load(
        cls, events: TableColumns, impressions: TableColumns | None, context: Sequence[str], labels: Labels
    ) -> _LabelRows:
        """Return the rows with the conditions of the rule evaluated; see `read_labelled`."""
        engaged, shown = labels.engaged_condition, labels.shown_condition
        if impressions is None:
            acted = exposed = _load(events, "interactions", context, engaged, shown)
        else:
            acted = _load(events, "interactions", (), engaged)
            exposed = _load(impressions, "impressions", context, shown)
        return cls(acted, _where(acted, engaged), exposed, _where(exposed, shown))

    def screen(self, limits: TimeLimits) -> list[TableReport]:
        """Read the times and return the report of each table. Raises as `EventRows.report`."""
        tables = [self.acted] if self.exposed is self.acted else [self.acted, self.exposed]
        for rows in tables:
            rows.read_times(limits)
        return [rows.report() for rows in tables]

    def exposures(self, labels: Labels) -> _Marked:
        """Return the exposures. Raises `DataError` where there is none."""
        found = _Marked.of(self.exposed, self.shown)
        if not found.user_id.len():
            raise DataError(
                f"{self.exposed.name}: no row is an exposure by the rule shown={labels.shown!r}; check the rule"
            )
        return found

    def matched(self, shown: _Marked, labels: Labels) -> tuple[Exposures, int, int, int]:
        """Return the exposures `shown` with what became of them, and the counts of engagements.

        The counts: without an exposure, too late after one, and all.
        """
        if self.exposed is self.acted and labels.shown is None:
            engaged = self.engaged[self.acted.screening.keep]
            return (
                Exposures(_pairs(shown, shown)[0], shown.time, engaged, shown.time),
                0,
                0,
                int(engaged.sum()),
            )
        engagements = _Marked.of(self.acted, self.engaged)
        if shown.time is None or engagements.time is None:
            name = (self.exposed if shown.time is None else self.acted).name
            raise DataError(
                f"{name}: an engagement counts only after the exposure, so both need times, and no column of them is "
                'recognised; name it, columns={"timestamp": …}'
            )
        pairs = _pairs(shown, engagements)
        found, without, late = match(pairs[0], shown.time, pairs[1], engagements.time, labels.window)
        return found, without, late, pairs[1].size

    def n_neither(self) -> int:
        """Return how many good rows are neither an engagement nor an exposure."""
        if self.exposed is self.acted:
            return int((self.acted.screening.keep & ~self.engaged & ~self.shown).sum())
        unengaged = self.acted.screening.keep & ~self.engaged
        return int(unengaged.sum() + (self.exposed.screening.keep & ~self.shown).sum())


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


def _pairs(shown: _Marked, others: _Marked) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # A number for each pair of user and item that was shown; −1 where the pair of another row was not.
    users, other_users = one_kind(shown.user_id, others.user_id)
    items, other_items = one_kind(shown.item_id, others.item_id)
    known_users, known_items = Vocabulary.of(users), Vocabulary.of(items)

    def pairs(user_id: pl.Series, item_id: pl.Series) -> NDArray[np.int64]:
        user, item = known_users.index_of(user_id).astype(np.int64), known_items.index_of(item_id)
        return np.where((user < 0) | (item < 0), -1, user * len(known_items) + item)

    return pairs(users, items), pairs(other_users, other_items)
