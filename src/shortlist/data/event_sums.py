"""Sums over the events that a feature may be made of: of all of them, of a user's, and of an item's.

A weight is float64[m], one number for each event of the source; a sum is made for each row of what is asked about. The
four sources differ in which events count for a row, and in nothing else:

| source | rows | events that count for a row |
|---|---|---|
| `OutOfFold` | the events themselves | those of the other folds |
| `Earlier` | the events themselves | those strictly earlier; of the same moment none |
| `OfPast` | other events | all of the source |
| `OfAll` | users, or items | all of the source |

None of the first two leaves out the row alone: what remains would fall as the row's own value rises.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from shortlist.data.ordering import stable_order_of_positions
from shortlist.errors import DataError
from shortlist.parameters import generator, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions

    Floats = NDArray[np.float64]


class EventSums(Protocol):
    """What every source can do."""

    @property
    def scale(self) -> float:
        """Return how many events one that is counted stands for."""

    @property
    def source(self) -> Interactions:
        """Return the events that are summed."""

    def of_all(self, weight: Floats) -> Floats:
        """Return for each row the sum of `weight` over the events that count for it."""

    def of_user(self, weight: Floats) -> Floats:
        """Return the sum over those of them that are of the row's user."""

    def of_item(self, weight: Floats) -> Floats:
        """Return the sum over those of them that are of the row's item."""


def folds(n_events: int, n_folds: int, rng: np.random.Generator | int | None) -> NDArray[np.int64]:
    """Return int64[n_events]: the fold of each event, by one permutation; sizes differ by at most one.

    Raises `ParameterError` for fewer than 2 folds, `DataError` for fewer events than folds.
    """
    whole("n_folds", n_folds, least=2)
    if n_events < n_folds:
        raise DataError(f"{n_events} events cannot be shared out among {n_folds} folds; ask for fewer folds")
    fold = np.empty(n_events, np.int64)
    fold[generator(rng).permutation(n_events)] = np.arange(n_events) % n_folds
    return fold


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Sums over the events of the other folds; `fold` int64[m] as `folds` gives it. O(m + n_folds · ids) a sum."""

    source: Interactions
    fold: NDArray[np.int64]
    n_folds: int

    @property
    def scale(self) -> float:
        """Return n_folds / (n_folds − 1): the other folds are so much less than all."""
        return self.n_folds / (self.n_folds - 1)

    def of_all(self, weight: Floats) -> Floats:
        """Return float64[m]."""
        return self._others(np.zeros(self.fold.size, np.int64), 1, weight)

    def of_user(self, weight: Floats) -> Floats:
        """Return float64[m]."""
        return self._others(self.source.user_idx, self.source.n_users, weight)

    def of_item(self, weight: Floats) -> Floats:
        """Return float64[m]."""
        return self._others(self.source.item_idx, self.source.n_items, weight)

    def _others(self, index: NDArray[np.integer[Any]], n: int, weight: Floats) -> Floats:
        cell = index.astype(np.int64) * self.n_folds + self.fold
        own = _totals(cell, weight, n * self.n_folds).reshape(n, self.n_folds)
        others: Floats = (own.sum(axis=1, keepdims=True) - own).ravel()[cell]
        return others


@dataclass(frozen=True, eq=False)
class Earlier:
    """Sums over the strictly earlier events. O(m) a sum, once the events have been put in order."""

    source: Interactions
    scale: float = 1.0

    def of_all(self, weight: Floats) -> Floats:
        """Return float64[m]."""
        return self._all.before(weight)

    def of_user(self, weight: Floats) -> Floats:
        """Return float64[m]."""
        return self._of_user.before(weight)

    def of_item(self, weight: Floats) -> Floats:
        """Return float64[m]."""
        return self._of_item.before(weight)

    @cached_property
    def _all(self) -> Runs:
        return Runs.of(np.zeros(len(self.source), np.int32), require_times(self.source))

    @cached_property
    def _of_user(self) -> Runs:
        return Runs.of(self.source.user_idx, require_times(self.source))

    @cached_property
    def _of_item(self) -> Runs:
        return Runs.of(self.source.item_idx, require_times(self.source))


@dataclass(frozen=True, eq=False)
class Runs:
    """Events by id and, within an id, by time.

    - order [m]: the events in that order
    - begin, run int64[m]: for each place of the order, where its id begins, and where its id's events of the same
      moment do
    """

    order: NDArray[np.uint32]
    begin: NDArray[np.int64]
    run: NDArray[np.int64]

    @classmethod
    def of(cls, index: NDArray[np.int32], time: NDArray[np.int64]) -> Runs:
        """Return the runs of events with the ids `index`, whose `time` never falls."""
        order = stable_order_of_positions(index)
        ids, moments = index[order], time[order]
        begins = _changes(ids)
        return cls(order, _last_start(begins), _last_start(begins | _changes(moments)))

    def before(self, weight: Floats) -> Floats:
        """Return float64[m]: for each event the sum of `weight` over the strictly earlier ones of its id."""
        total = np.zeros(weight.size + 1)
        np.cumsum(weight[self.order], out=total[1:])
        found = np.empty(weight.size)
        found[self.order] = total[self.run] - total[self.begin]
        return found


@dataclass(frozen=True, eq=False)
class OfPast:
    """Sums over all events of `source` for the rows of other events of the same users and items."""

    source: Interactions
    rows: Interactions
    scale: float = 1.0

    def of_all(self, weight: Floats) -> Floats:
        """Return float64[rows]."""
        return np.full(len(self.rows), weight.sum())

    def of_user(self, weight: Floats) -> Floats:
        """Return float64[rows]."""
        return OfAll(self.source).of_user(weight)[self.rows.user_idx]

    def of_item(self, weight: Floats) -> Floats:
        """Return float64[rows]."""
        return OfAll(self.source).of_item(weight)[self.rows.item_idx]


@dataclass(frozen=True, eq=False)
class OfAll:
    """Sums over all events of `source`: one row a user in `of_user`, one an item in `of_item`, one in `of_all`."""

    source: Interactions
    scale: float = 1.0

    def of_all(self, weight: Floats) -> Floats:
        """Return float64[1]."""
        return np.array([weight.sum()])

    def of_user(self, weight: Floats) -> Floats:
        """Return float64[n_users]."""
        return _totals(self.source.user_idx, weight, self.source.n_users)

    def of_item(self, weight: Floats) -> Floats:
        """Return float64[n_items]."""
        return _totals(self.source.item_idx, weight, self.source.n_items)


def require_times(log: Interactions) -> NDArray[np.int64]:
    """Return the times of `log`, which ascend; raise `DataError` where it has none."""
    if log.timestamp is None:
        raise DataError(
            "these events have no timestamps, so none is earlier than another; make features out of fold"
        )
    return log.timestamp


def latest_before(
    index: NDArray[np.int32],
    time: NDArray[np.int64],
    row_index: NDArray[np.integer[Any]],
    row_time: NDArray[np.int64],
) -> Floats:
    """Return float64[rows]: of each row the time of its id's last event strictly before the row's, NaN where none is.

    `index`, `time` [m]: the events; times never fall. Cost: O(m + rows log m).
    """
    changes = _changes(time)
    moments, of_event = time[changes], np.cumsum(changes) - 1
    # Id and moment as one number, in which the place of a row is that of its moment among all.
    n = moments.size + 1
    order = stable_order_of_positions(index)
    key = index[order].astype(np.int64) * n + of_event[order]
    place = np.searchsorted(key, row_index.astype(np.int64) * n + np.searchsorted(moments, row_time)) - 1
    found = np.full(place.size, np.nan)
    own = np.flatnonzero(place >= 0)
    own = own[key[place[own]] // n == row_index[own]]
    found[own] = moments[key[place[own]] % n]
    return found


def _totals(index: NDArray[np.integer[Any]], weight: Floats, n: int) -> Floats:
    return np.bincount(index, weight, n).astype(np.float64, copy=False)


def _changes(values: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    changed = np.ones(values.size, bool)
    changed[1:] = values[1:] != values[:-1]
    return changed


def _last_start(starts: NDArray[np.bool_]) -> NDArray[np.int64]:
    # For each place the last place up to it that is a start.
    return np.maximum.accumulate(np.where(starts, np.arange(starts.size), 0))
