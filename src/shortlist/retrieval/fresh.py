"""Fresh: the newest items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shortlist.data.feature_arrays import NEVER, kind_of, numbers, times
from shortlist.data.first_events import day_of, first_events
from shortlist.models.stage import Stage
from shortlist.parameters import text, whole
from shortlist.retrieval.ranked_lists import RankedLists, one_each
from shortlist.stages import Candidates, Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.removal import Removal
    from shortlist.stages import Request

DAY = 86_400_000_000  # µs
MOST = float(np.finfo(np.float32).max)


class Fresh(Stage):
    """Proposes the `k` newest items, the same for everybody, ties by smaller item.

    - column: an item feature of the kind time (when it appeared) or numeric (a year, an edition: larger is newer);
      items of which it is not known are not listed. None: the time of an item's first event

    What appears after `request.now` is not there yet and is not listed; that cannot be told of numbers. Scores are
    days since 1970, or the numbers. Forbidden items are left out of the search.
    Raises `DataError` where the column is neither, or without one for data without times. Cost: O(k) a user.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("order_", "newness_", "is_time_")

    order_: NDArray[np.int32]
    newness_: NDArray[np.float64]
    is_time_: bool

    def __init__(self, k: int = 20, column: str | None = None, name: str | None = None) -> None:
        self._set(None, name)
        self.k = whole("k", k, least=1)
        self.column = None if column is None else text("column", column)

    def _prepare(self, dataset: Dataset) -> None:
        newness, known = self._newness(dataset)
        item = np.flatnonzero(known)
        self.order_ = item[np.lexsort((item, -newness[item]))].astype(np.int32)
        self.newness_ = newness[self.order_].astype(np.float64)  # µs are exact up to the year 2255

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the first events of those who stay, where it goes by first events."""
        return fitted if self.column is not None else self._counted_anew(removal, fitted)

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the days of first events in place of their times; the order stays."""
        if self.column is not None:
            return fitted
        return fitted | {"newness_": day_of(self.newness_.astype(np.int64)).astype(np.float64)}

    def _newness(self, dataset: Dataset) -> tuple[NDArray[np.int64] | NDArray[np.float64], NDArray[np.bool_]]:
        table, column = dataset.item_features, self.column
        self.is_time_ = True
        if column is None:
            first = first_events(dataset, self.name)
            return first, first < NEVER
        if kind_of(table, "item", column, ("time", "numeric"), self.name) == "time":
            appeared = times(table, "item", column, self.name)
            return appeared, appeared < NEVER
        self.is_time_ = False
        values = numbers(table, "item", column, self.name)
        return values, np.isfinite(values)

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, newest first."""
        start = 0
        if self.is_time_ and request.now is not None:
            oldest_first = self.newness_[::-1]
            start = oldest_first.size - int(np.searchsorted(oldest_first, request.now, side="right"))
        order = self.order_[start:]
        found = RankedLists.one(order).first(*one_each(np.zeros(len(request), int)), self.k, request.eligible)
        newness = self.newness_[start:][found.place] / (DAY if self.is_time_ else 1)
        score = np.clip(newness, -MOST, MOST).astype(np.float32)
        ranked = Lists(found.ptr(len(request)), found.item_idx, score)
        return Candidates.from_lists(ranked, self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return "new"
