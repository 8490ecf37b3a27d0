"""ItemFacts: what is known of every item at the end of some data, as columns that a scorer learns from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shortlist.artifacts import State
from shortlist.data.feature_arrays import NEVER, numbers, times
from shortlist.data.first_events import day_of
from shortlist.data.row_labels import RowLabels
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.removal import Removal

DAY = 86_400_000_000  # µs
RECENT_DAYS = 30.0


@dataclass(frozen=True, eq=False)
class ItemFacts:
    """Of each item: how popular, how old, its numbers and its labels.

    - n_positive float64[n_items]: users with a positive event
    - n_recent float64[n_items]: positive events, each weighing 2^(−age / 30 days) at the last event of the data
    - first, last int64[n_items]: µs of the first and the last event, `NEVER` where there is none or no time
    - numbers float64[n_items, c] NaN where nothing is known; moments int64[n_items, t] µs or `NEVER`
    - label_ptr int64[n_items + 1], label int32[x]: the labels of all label columns, those of column j being the codes
      label_start[j] … label_start[j + 1]
    - the names of the columns
    """

    n_positive: NDArray[np.float64]
    n_recent: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    numbers: NDArray[np.float64]
    moments: NDArray[np.int64]
    label_ptr: NDArray[np.int64]
    label: NDArray[np.int32]
    label_start: NDArray[np.int64]
    number_columns: Sequence[str]
    moment_columns: Sequence[str]
    label_columns: Sequence[str]

    @classmethod
    def of(cls, dataset: Dataset, asked_by: str) -> Self:
        """Return the facts of the items of `dataset`, from its events and from its item features."""
        table, n_items = dataset.item_features, len(dataset.items)
        number_columns, moment_columns = columns_of(table, "numeric"), columns_of(table, "time")
        label_columns = [*columns_of(table, "categorical"), *columns_of(table, "tags")]
        labels = [RowLabels.of(dataset, "item", column, asked_by) for column in label_columns]
        start = offsets(np.array([len(some.labels) for some in labels], np.int64))
        ptr, label = _side_by_side(labels, start, n_items)
        return cls(
            *_counts(dataset),
            *_span(dataset),
            _stacked(
                [numbers(table, "item", column, asked_by) for column in number_columns], n_items, np.float64
            ),
            _stacked(
                [times(table, "item", column, asked_by) for column in moment_columns], n_items, np.int64
            ),
            ptr,
            label,
            start,
            number_columns,
            moment_columns,
            label_columns,
        )

    def without_users(self, removal: Removal) -> Self:
        """Return the facts with first and last events of those who stay; counts are as they were learned with."""
        if not removal.memory.has_histories:
            return self
        first, last = _span(removal.dataset)
        return replace(self, first=first, last=last)

    def without_histories(self) -> Self:
        """Return the facts with the days of first and last events in place of their times."""
        return replace(self, first=day_of(self.first), last=day_of(self.last))

    def to_state(self) -> State:
        """Return the arrays and the names."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
        return State(
            "ItemFacts", {name: value for name, value in found.items() if name not in arrays}, arrays
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return what `to_state` described."""
        found: dict[str, Any] = {**state.arrays, **state.values}
        return cls(**found)


def columns_of(table: FeatureTable | None, kind: str) -> list[str]:
    """Return the names of the columns of one kind, none where there is no table."""
    return [] if table is None else [name for name, its in table.kinds.items() if its == kind]


def _stacked(columns: Sequence[NDArray[Any]], n: int, dtype: Any) -> NDArray[Any]:
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0), dtype)


def _side_by_side(
    labels: Sequence[RowLabels], start: NDArray[np.int64], n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    row = np.concatenate([np.zeros(0, np.int64), *(some.row for some in labels)])
    code = [some.code + at for some, at in zip(labels, start.tolist(), strict=False)]
    order = np.argsort(row, kind="stable")
    ptr = offsets(np.bincount(row, minlength=n_items))
    return ptr, np.concatenate([np.zeros(0, np.int32), *code])[order].astype(np.int32)


def _counts(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    log, n_items = dataset.interactions, len(dataset.items)
    n_positive = dataset.memory.n_positive.astype(np.float64)
    if log.timestamp is None or log.now is None:
        return n_positive, np.full(n_items, np.nan)
    positive = log.positive
    age = (log.now - log.timestamp[positive]) / DAY
    recent = np.bincount(log.item_idx[positive], np.exp2(-age / RECENT_DAYS), n_items)
    return n_positive, recent.astype(np.float64)


def _span(dataset: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    log, n_items = dataset.interactions, len(dataset.items)
    first, last = np.full(n_items, NEVER), np.full(n_items, NEVER)
    if log.timestamp is not None:
        last[log.item_idx] = log.timestamp  # the log is in the order of time: the last one stays
        first[log.item_idx[::-1]] = log.timestamp[::-1]
    return first, last
