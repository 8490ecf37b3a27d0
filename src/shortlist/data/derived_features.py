"""DerivedFeatures: means, counts, recency and popularity made from events, without the event that they describe.

A feature that is made of the value which it helps to predict is a leak, and so is one that merely leaves that value
out: within a user (S − y) / (n − 1) falls as y rises, and a tree model reads y back. There are two ways that do not:

- out of fold: the events are shared out into folds, and the features of a row come from the other folds. What a row
  can still tell of its own fold is spread over all events that the user has in it.
- earlier: the features of a row come from strictly earlier events; those of the same moment do not count.

For rows that were not there (test events, people to be served) they come from all events that were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl

from shortlist.data.event_sums import (
    Earlier,
    OfAll,
    OfPast,
    OutOfFold,
    folds,
    latest_before,
    require_times,
)
from shortlist.data.features import ID, FeatureTable
from shortlist.data.memory import microseconds
from shortlist.errors import DataError, ParameterError
from shortlist.parameters import number, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.event_sums import EventSums
    from shortlist.data.interactions import Interactions
    from shortlist.data.memory import Moment
    from shortlist.data.vocabulary import Vocabulary

    Floats = NDArray[np.float64]
    Columns = dict[str, Floats]

Derived = Literal["mean", "count", "recency", "popularity"]
DAY = 86_400 * 10**6


@dataclass(frozen=True, eq=False)
class DerivedRows:
    """Derived features of the events of a log: `values` float32[m, len(names)], NaN where there is nothing to say."""

    names: tuple[str, ...]
    values: NDArray[np.float32]

    def as_context(self, dataset: Dataset) -> Dataset:
        """Return `dataset`, whose events these rows are of, with the features as context columns, null where missing.

        Raises `DataError` for another number of events, `ParameterError` for a context column of the same name.
        """
        log = dataset.interactions
        if len(log) != len(self.values):
            raise DataError(f"these features are of {len(self.values)} events, the dataset has {len(log)}")
        there = [] if log.context is None else log.context.get_columns()
        for column in there:
            if column.name in self.names:
                raise ParameterError(f"there is a context column {column.name!r} already; rename it")
        context = pl.DataFrame([*there, *_series(self.names, self.values)])
        return dataset.with_interactions(replace(log, context=context if context.width else None))

    @property
    def table(self) -> FeatureTable:
        """Return the rows as a table of numbers, for a `FeatureEncoder`; ids are the positions of the events."""
        ids = pl.Series(ID, np.arange(len(self.values)))
        frame = pl.DataFrame([ids, *_series(self.names, self.values)])
        return FeatureTable(frame, dict.fromkeys(self.names, "numeric"))


class DerivedTables(NamedTuple):
    """Derived features of the users and of the items of a dataset, one row an id in the order of the vocabulary."""

    users: FeatureTable
    items: FeatureTable


@dataclass(frozen=True)
class DerivedFeatures:
    """Which features to make of events. Each is of the events that count for a row, whatever the way they are chosen.

    | feature | |
    |---|---|
    | user_mean, item_mean | mean value of the user's, of the item's events, shrunk: (S + s μ) / (n + s) |
    | user_count, item_count | n, the number of the user's, of the item's events |
    | user_recency_days, item_recency_days | days since the last strictly earlier event |
    | item_popularity | the item's share of all events |
    | user_mean:genres=Comedy | the user's mean value of items with the label, shrunk to the user_mean |
    | user_count:genres=Comedy | the number of the user's events of items with the label |

    - features: which of these; all that the data allows where None: means need values that differ (ratings or labels,
      not events), recency needs timestamps
    - labels: columns of the item features, tags or categorical, for the means and counts by label
    - n_labels: of a column with more labels, those of the most events, ties by label
    - shrinkage s ≥ 0: in events; μ is the mean value of all that count

    Without an event that counts for anybody a mean is missing, as recency is without one of the id. A count out of fold
    is multiplied by n_folds / (n_folds − 1), so that it stands for all events, as it does when it is served.
    Cost of each way: linear in events, with an order by id and time for what is earlier; for each label a few passes.
    """

    features: Sequence[Derived] | None = None
    labels: Sequence[str] = ()
    n_labels: int = 32
    shrinkage: float = 5.0

    def __post_init__(self) -> None:
        if self.features is not None and (
            isinstance(self.features, str) or not set(self.features) <= set(get_args(Derived))
        ):
            raise ParameterError(
                f"features must be a list of some of {', '.join(get_args(Derived))}, got {self.features!r}"
            )
        if isinstance(self.labels, str):
            raise ParameterError(f"labels must be a list of columns, got the single text {self.labels!r}")
        whole("n_labels", self.n_labels, least=1)
        number("shrinkage", self.shrinkage)

    def out_of_fold(
        self, dataset: Dataset, *, n_folds: int = 5, rng: np.random.Generator | int | None = None
    ) -> DerivedRows:
        """Return the features of each event of `dataset`, made from the events of the other folds.

        The folds are those of one permutation of the rows of the log. Recency is of strictly earlier events, whatever
        their fold: it holds no value.
        """
        log = dataset.interactions
        return self._rows(dataset, OutOfFold(log, folds(len(log), n_folds, rng), n_folds), log)

    def earlier(self, dataset: Dataset) -> DerivedRows:
        """Return the features of each event of `dataset`, made from strictly earlier events.

        Raises `DataError` for data without timestamps.
        """
        log = dataset.interactions
        require_times(log)
        return self._rows(dataset, Earlier(log), log)

    def of_others(self, past: Dataset, events: Dataset) -> DerivedRows:
        """Return the features of each event of `events` (the test part of a split, say), made from all those of `past`.

        Both have the same users and items. Raises `DataError` for other vocabularies, and where all `events` are in
        `past` too: their features would be made of themselves.
        """
        source, rows = past.interactions, events.interactions
        if not _same(past.users, events.users) or not _same(past.items, events.items):
            raise DataError(
                "past and events have different users or items; make both by one split of one dataset"
            )
        _require_apart(source, rows)
        return self._rows(past, OfPast(source, rows), rows)

    def now(self, dataset: Dataset, at: Moment | None = None) -> DerivedTables:
        """Return the features of users and of items, made from all events of `dataset`, for whom is to be served.

        `at` is the moment that recency counts to, not before the last event, which it is by default.
        Raises `DataError` for an earlier one.
        """
        log = dataset.interactions
        moment = log.now if at is None else microseconds(at)
        if moment is not None and log.now is not None and moment < log.now:
            raise DataError(
                f"at={at!r} is before the last event; cut the events off there first (split.global_time)"
            )
        wanted, sums, labels = self._wanted(log), OfAll(log), self._labels(dataset)
        users = _user_columns(sums, wanted, labels, self.shrinkage)
        items = _item_columns(sums, wanted, self.shrinkage)
        if "recency" in wanted:
            at_us = np.int64(moment or 0)
            users["user_recency_days"] = _days_since(log.user_idx, log, np.arange(log.n_users), at_us)
            items["item_recency_days"] = _days_since(log.item_idx, log, np.arange(log.n_items), at_us)
        return DerivedTables(_table(dataset.users, users), _table(dataset.items, items))

    def _rows(self, dataset: Dataset, sums: EventSums, rows: Interactions) -> DerivedRows:
        wanted = self._wanted(sums.source)
        columns = {
            **_user_columns(sums, wanted, self._labels(dataset), self.shrinkage),
            **_item_columns(sums, wanted, self.shrinkage),
        }
        if "recency" in wanted:
            time = require_times(rows)
            columns["user_recency_days"] = _days_since(sums.source.user_idx, sums.source, rows.user_idx, time)
            columns["item_recency_days"] = _days_since(sums.source.item_idx, sums.source, rows.item_idx, time)
        # One feature after the other: they are made, and mostly used, by column.
        values = np.empty((len(columns), len(rows)), np.float32)
        for at, column in enumerate(columns.values()):
            values[at] = column
        return DerivedRows(tuple(columns), values.T)

    def _wanted(self, log: Interactions) -> set[str]:
        """Return which features to make of `log`; raise `DataError` for one that it does not allow."""
        impossible = {
            **({"mean": "the values of events are all alike: there is no mean of interest"}
               if log.feedback.kind == "events" else {}),
            **({"recency": "these events have no timestamps"} if log.timestamp is None else {}),
        }  # fmt: skip
        for name in self.features or ():
            if name in impossible:
                raise DataError(f"no feature {name!r} of this data: {impossible[name]}")
        return set(get_args(Derived) if self.features is None else self.features) - set(impossible)

    def _labels(self, dataset: Dataset) -> dict[str, Floats]:
        """Return float64[m] for each label: 1 for the events whose item has it."""
        found, log, table = dict[str, "Floats"](), dataset.interactions, dataset.item_features
        if not self.labels:
            return found
        if table is None:
            raise DataError(f"labels names {', '.join(self.labels)}, and this data has no item features")
        for column in self.labels:
            matrix, names = table.tags(column)
            n_events = np.bincount(log.item_idx, minlength=log.n_items) @ matrix
            kept = np.sort(np.argsort(-n_events, kind="stable")[: self.n_labels])
            has = matrix[:, kept].toarray()
            for at, label in enumerate(kept):
                found[f"{column}={names[label]}"] = has[log.item_idx, at].astype(np.float64)
        return found


def _user_columns(sums: EventSums, wanted: set[str], labels: dict[str, Floats], shrinkage: float) -> Columns:
    log, columns = sums.source, dict[str, "Floats"]()
    one, value = np.ones(len(log)), log.value.astype(np.float64)
    count = sums.of_user(one)
    mean = shrunk(sums.of_user(value), count, _mean_of_all(sums), shrinkage)
    if "mean" in wanted:
        columns["user_mean"] = mean
    if "count" in wanted:
        columns["user_count"] = count * sums.scale
    for label, has in labels.items():
        n = sums.of_user(has)
        if "mean" in wanted:
            columns[f"user_mean:{label}"] = shrunk(sums.of_user(has * value), n, mean, shrinkage)
        if "count" in wanted:
            columns[f"user_count:{label}"] = n * sums.scale
    return columns


def _item_columns(sums: EventSums, wanted: set[str], shrinkage: float) -> Columns:
    log, columns = sums.source, dict[str, "Floats"]()
    one, value = np.ones(len(log)), log.value.astype(np.float64)
    count = sums.of_item(one)
    if "mean" in wanted:
        columns["item_mean"] = shrunk(sums.of_item(value), count, _mean_of_all(sums), shrinkage)
    if "count" in wanted:
        columns["item_count"] = count * sums.scale
    if "popularity" in wanted:
        # Without any event nothing is popular.
        columns["item_popularity"] = count / np.maximum(sums.of_all(one), 1)
    return columns


def _mean_of_all(sums: EventSums) -> Floats:
    one, value = np.ones(len(sums.source)), sums.source.value.astype(np.float64)
    return shrunk(sums.of_all(value), sums.of_all(one), np.array(np.nan), 0.0)


def shrunk(total: Floats, count: Floats, prior: Floats, shrinkage: float) -> Floats:
    """Return (total + shrinkage · prior) / (count + shrinkage), `prior` where that is 0 / 0.

    >>> shrunk(np.array([9.0, 0.0]), np.array([2.0, 0.0]), np.array([3.0, 3.0]), 1.0).tolist()
    [4.0, 3.0]
    """
    n = count + shrinkage
    pull = shrinkage * prior if shrinkage else np.zeros(1)
    found: Floats = np.where(n > 0, (total + pull) / np.where(n > 0, n, 1), prior)
    return found


def _days_since(
    index: NDArray[np.int32],
    source: Interactions,
    row_index: NDArray[np.integer[Any]],
    time: NDArray[np.int64] | np.int64,
) -> Floats:
    moments = np.broadcast_to(np.asarray(time, np.int64), row_index.shape)
    # At a moment that is given rather than an event's own, an event of that very moment has happened.
    inclusive = int(np.ndim(time) == 0)
    last = latest_before(index, require_times(source), row_index, moments + inclusive)
    days: Floats = (moments - last) / DAY
    return days


def _series(names: Sequence[str], values: NDArray[np.floating[Any]]) -> list[pl.Series]:
    return [
        pl.Series(name, values[:, at].astype(np.float64), nan_to_null=True) for at, name in enumerate(names)
    ]


def _table(ids: Vocabulary, columns: Columns) -> FeatureTable:
    # The numbers that the rows of a log hold, to the last digit of a float32.
    values = [column.astype(np.float32) for column in columns.values()]
    stacked = np.column_stack(values) if values else np.zeros((len(ids), 0), np.float32)
    frame = pl.DataFrame([ids.ids.rename(ID), *_series(list(columns), stacked)])
    return FeatureTable(frame, dict.fromkeys(columns, "numeric"))


def _same(one: Vocabulary, other: Vocabulary) -> bool:
    return one is other or one.ids.equals(other.ids, check_names=False)


def _require_apart(past: Interactions, events: Interactions) -> None:
    """Raise `DataError` where all `events`, by user, item, value and time, are in `past`; some can be mere repeats."""
    known, rows = _events(past), _events(events)
    if rows.height and rows.join(known, on=known.columns, how="anti").height == 0:
        raise DataError(
            "these events are in past too, so their features would be made of themselves; make them by out_of_fold or "
            "earlier, and by of_others for events that are not in past"
        )


def _events(log: Interactions) -> pl.DataFrame:
    columns = {"user": log.user_idx, "item": log.item_idx, "value": log.value}
    return pl.DataFrame(columns if log.timestamp is None else {**columns, "time": log.timestamp})
