"""What people's own files hold: which one is what, how it is to be read, and how it can be cut for a test."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist.data import split
from shortlist.data.columns import ID_OF, SPELLINGS, ColumnMap, TableRole, find_events, find_id
from shortlist.data.import_report import DataWarning
from shortlist.data.read import read
from shortlist.data.tables import open_table
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shortlist.data.columns import ColumnUse
    from shortlist.data.dataset import Dataset
    from shortlist.data.import_report import ImportReport
    from shortlist.data.split import Split
    from shortlist.data.tables import Source, Table

# Tried where the usual delimiter shows no columns of users and items; None stands for the usual one.
DELIMITERS = (None, ";", "\t", "|")
# From this share of events that repeat an earlier pair on, people are taken to come back to items.
MANY_REPEATS = 0.1
# A cut in time is preferred where at least this share of its test users has a past to learn from.
WARM_SHARE = 0.5
_TAGS = ", separated by "


@dataclass(frozen=True)
class Cut:
    """A kind of split, and why it suits the data."""

    kind: str
    why: str


@dataclass(frozen=True, eq=False)
class Discovery:
    """What was found out about a person's files.

    - sources: "interactions", "items", "users" → the source that plays the role, in this order
    - given: the arguments of `read` that the caller gave, of which delimiter may have been found instead
    - data: what `read` makes of them, with its report
    - repeats: whether people come back to the same items; n_repeats: events that do
    - cut: how to hold a test part back
    """

    sources: Mapping[str, Source]
    given: Mapping[str, Any]
    data: Dataset
    repeats: bool
    cut: Cut

    @property
    def report(self) -> ImportReport:
        """Return the import report of the data."""
        if self.data.report is None:
            raise ParameterError("this data was not read from a source")
        return self.data.report

    @property
    def columns(self) -> dict[str, Any]:
        """Return the argument `columns` of `read`: every role that a column of another name plays."""
        found: dict[str, Any] = {}
        for table in self.report.tables:
            uses = {use.role: use.column for use in table.columns if _is_named_otherwise(use)}
            if table.role == "interactions":
                found |= uses
            elif uses:
                found[table.role] = uses
        return found

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """Return the argument `features` of `read`: the kind of every feature."""
        found = {
            table.role: {use.column: _feature(use.meaning) for use in table.columns if use.role == "feature"}
            for table in self.report.tables
            if table.role in ID_OF
        }
        return {role: kinds for role, kinds in found.items() if kinds}


def discover(sources: Sequence[Source], **given: Any) -> Discovery:
    """Return what `sources` hold: the events, and if there are more, what is known of items and users, in any order.

    `given` are arguments of `read`: columns, kind, scale, positive_from, delimiter, encoding, items, users. Which
    table is which is told by the names of their columns; where those of a feature table do not say, by its ids. The
    delimiter of text files is tried where none is given.
    Raises what `read` raises, `ParameterError` for more tables than there are roles, and `DataError` for two tables
    of one role and for data without a positive event. Cost: that of `read`, and of opening each file.
    """
    if not sources:
        raise ParameterError("name at least one file: the interactions")
    options = {name: value for name, value in given.items() if value is not None}
    named: dict[str, Source] = {role: options.pop(role) for role in ("items", "users") if role in options}
    roles, delimiter = _settle(sources, named, options)
    if delimiter is not None:
        options["delimiter"] = delimiter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        data = read(roles["interactions"], **{**roles_but_events(roles), **options})
    if not data.interactions.positive.any():
        raise DataError(
            f"{data.name}: no event is positive ({data.feedback.kind}), so there is nothing to learn from; "
            "declare which are: kind, and positive_from for ratings"
        )
    n_repeats = 0 if data.report is None else data.report.repeats
    repeats = data.feedback.kind == "events" and n_repeats >= MANY_REPEATS * len(data.interactions)
    return Discovery(roles, options, data, repeats, choose_cut(data, repeats=repeats))


def roles_but_events(roles: Mapping[str, Source]) -> dict[str, Source]:
    """Return the roles without that of the interactions."""
    return {role: source for role, source in roles.items() if role != "interactions"}


def choose_cut(data: Dataset, *, repeats: bool) -> Cut:
    """Return the first kind of split, from the strictest on, that leaves something to learn from and to measure.

    A cut in global time also needs that at least half of the users tested are known before it: a test of strangers
    alone tells little of a recommender.
    """
    if data.interactions.timestamp is not None:
        parts = _parts(split.global_time, data)
        if parts is not None and _measurable(parts, repeats):
            share = _warm_share(parts)
            if share >= WARM_SHARE:
                return Cut("global_time", f"{share:.0%} of its test users have a past before the cut")
            why = f"a cut in time would test strangers: {share:.0%} of its test users have a past"
        else:
            why = "a cut in time leaves nothing to measure"
    else:
        why = "the data has no times, so a user's last events are those that stand last"
    for kind, rule in (("leave_last_out", split.leave_last_out), ("random", _random)):
        parts = _parts(rule, data)
        if parts is not None and _measurable(parts, repeats):
            return Cut(kind, why)
    return Cut("leave_last_out", "there is too little data to hold a test part back: measuring will say so")


def _random(data: Dataset) -> Split:
    return split.random(data, rng=0)


def _parts(rule: Callable[[Dataset], Split], data: Dataset) -> Split | None:
    try:
        return rule(data)
    except DataError:
        return None


def _measurable(parts: Split, repeats: bool) -> bool:
    """Return whether the training part has something positive, and the test part something new (or a repeat)."""
    n_items = len(parts.train.items)
    fit, held = parts.train.interactions, parts.test.interactions.where(parts.test.interactions.positive)
    if not fit.positive.any():
        return False
    known = fit.user_idx.astype(np.int64) * n_items + fit.item_idx
    wanted = held.user_idx.astype(np.int64) * n_items + held.item_idx
    return bool(wanted.size) and (repeats or not np.isin(wanted, known).all())


def _warm_share(parts: Split) -> float:
    fit = parts.train.interactions
    tested = np.unique(parts.test.interactions.user_idx)
    return float(np.isin(tested, fit.user_idx[fit.positive]).mean())


def _settle(
    sources: Sequence[Source], named: Mapping[str, Source], options: Mapping[str, Any]
) -> tuple[dict[str, Source], str | None]:
    """Return role → source, and the delimiter that shows the columns.

    Raises what is wrong with the columns that a delimiter shows, else what the usual delimiter raises.
    """
    if len(sources) + len(named) > len(ID_OF) + 1:
        raise ParameterError("at most three files: interactions, items and users")
    first: DataError | None = None
    of_columns: DataError | None = None
    tried = (options["delimiter"],) if "delimiter" in options else DELIMITERS
    for delimiter in tried:
        tables: list[Table] = []
        try:
            tables += [
                open_table(source, "interactions", delimiter, options.get("encoding")) for source in sources
            ]
            at = _roles(tables, ColumnMap.of(options.get("columns")), set(named))
        except DataError as error:
            first = first or error
            if tables and all(len(table.columns) > 1 for table in tables):
                of_columns = of_columns or error
        else:
            found = {**{role: sources[place] for role, place in at.items()}, **named}
            return {role: found[role] for role in ("interactions", *ID_OF) if role in found}, delimiter
    raise of_columns or first or ParameterError("no delimiter was tried")


def _roles(tables: Sequence[Table], names: ColumnMap, taken: set[str]) -> dict[str, int]:
    """Return role → position of its table. Raises `DataError` where one cannot be told."""
    events = [at for at, table in enumerate(tables) if _holds_events(table, names)]
    if not events:
        find_events(tables[0].name, tables[0].columns, names.events)  # says what is missing
    roles = {"interactions": events[0]}
    for at, table in enumerate(tables):
        if at == events[0]:
            continue
        role = _feature_role(table, names, tables[events[0]])
        if role in roles or role in taken:
            raise DataError(
                f"{table.name} holds {role}, and so does another of these files: give one of each"
            )
        roles[role] = at
    return roles


def _holds_events(table: Table, names: ColumnMap) -> bool:
    try:
        find_events(table.name, table.columns, names.events)
    except DataError:
        return False
    return True


def _feature_role(table: Table, names: ColumnMap, events: Table) -> TableRole:
    """Return whether `table` describes items or users: by the name of its id column, else by the ids in it."""
    found: dict[TableRole, ColumnUse] = {}
    missing: DataError | None = None
    for role in ID_OF:
        try:
            found[role] = find_id(table.name, role, table.columns, names.ids.get(role))
        except DataError as error:
            missing = missing or error
    if not found and missing is not None:
        raise missing
    own = [role for role, use in found.items() if use.column not in ("id", "Id", "ID")]
    if len(own) == 1:
        return own[0]
    uses = find_events(events.name, events.columns, names.events)
    shared = {
        role: _n_shared(table, use.column, events, uses[ID_OF[role]].column) for role, use in found.items()
    }
    return max(shared, key=lambda role: shared[role])


def _n_shared(table: Table, column: str, events: Table, other: str) -> int:
    ids, known = (t.load([c]).to_series().cast(pl.String) for t, c in ((table, column), (events, other)))
    return int(ids.unique().is_in(known.unique().implode()).sum())


def _is_named_otherwise(use: ColumnUse) -> bool:
    return use.role in SPELLINGS and use.column != use.role


def _feature(meaning: str) -> Any:
    kind, tags, separator = meaning.partition(_TAGS)
    return {"kind": kind, "separator": separator} if tags else kind
