"""Trending: what people choose now, older choices counting less and less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shortlist import threads
from shortlist.errors import DataError
from shortlist.kernels.decayed_sums import decayed_sums
from shortlist.models.stage import Stage
from shortlist.parameters import number, whole
from shortlist.retrieval.ranked_lists import RankedLists, one_each
from shortlist.stages import Candidates, Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.data.removal import Removal
    from shortlist.stages import Request

DAY = 86_400_000_000  # µs


class Trending(Stage):
    """Proposes the `k` items of largest Σ_u 2^(−age_u / h), the same for everybody, exactly as of `request.now`.

    age_u is the time since the last positive event of user u with the item up to now; later events do not count, so
    that `at=` a moment of the past gives what was trending then. Ties by smaller item; items without such an event are
    not listed. Forbidden items are left out of the search.

    - half_life_days: h

    Raises `DataError` for data without times. Cost: after the last event of the data O(k) a user, for its order no
    longer changes; at an earlier moment O(n_items log m) a request. Memory: 24 bytes a positive event.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("event_ptr_", "event_time_", "event_sum_", "order_", "latest_")

    event_ptr_: NDArray[np.int64]
    event_time_: NDArray[np.int64]
    event_sum_: NDArray[np.float64]
    order_: NDArray[np.int32]
    latest_: int

    def __init__(self, half_life_days: float = 14.0, k: int = 20, name: str | None = None) -> None:
        self._set(None, name)
        self.half_life_days = number("half_life_days", half_life_days, above_zero=True)
        self.k = whole("k", k, least=1)

    def _prepare(self, dataset: Dataset) -> None:
        log = dataset.interactions
        if log.timestamp is None:
            raise DataError(f"{self.name} needs timestamps, and these interactions have none")
        liked = log.where(log.positive)
        order = np.argsort(liked.item_idx, kind="stable")  # within an item the log's order, that of time
        gain = _gains(liked, self.half_life_days * DAY)[order]
        self.event_ptr_ = offsets(np.bincount(liked.item_idx, minlength=liked.n_items))
        self.event_time_ = log.timestamp[log.positive][order]
        self.event_sum_ = np.empty(order.size)
        arguments = self.event_ptr_, self.event_time_, gain, self.half_life_days * DAY, self.event_sum_
        threads.run_blocks(lambda start, stop: decayed_sums(*arguments, start, stop), liked.n_items)
        self.latest_ = int(self.event_time_.max(initial=0))
        self.order_ = self._order(self.latest_)

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the sums of those who stay, whose times are all that is left."""
        return self._counted_anew(removal, fitted)

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return one sum an item, as of the end of the last day: at an earlier moment nothing is proposed."""
        now = -(-self.latest_ // DAY) * DAY
        item = np.sort(self.order_)
        last = self.event_ptr_[1:][item] - 1
        age_days = (now - self.event_time_[last]) / DAY
        return {
            "event_ptr_": offsets(np.isin(np.arange(self.event_ptr_.size - 1), item).astype(np.int64)),
            "event_time_": np.full(item.size, now),
            "event_sum_": self.event_sum_[last] * np.exp2(-age_days / self.half_life_days),
            "order_": self.order_,
            "latest_": now,
        }

    def _order(self, now: int) -> NDArray[np.int32]:
        """Return the items with an event up to `now`, largest sum first; of logarithms, which do not run under."""
        start, end = self.event_ptr_[:-1], self._end(now)
        item = np.flatnonzero(end > start)
        last = end[item] - 1
        age_days = (self.latest_ - self.event_time_[last]) / DAY
        trend = np.log2(self.event_sum_[last]) - age_days / self.half_life_days
        return item[np.lexsort((item, -trend))].astype(np.int32)

    def _end(self, now: int) -> NDArray[np.int64]:
        """Return int64[n_items]: where the events of each item that are not later than `now` end."""
        if now >= self.latest_:
            return self.event_ptr_[1:]
        before = offsets((self.event_time_ <= now).astype(np.int64))
        return self.event_ptr_[:-1] + before[self.event_ptr_[1:]] - before[self.event_ptr_[:-1]]

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, most trending first."""
        now = self.latest_ if request.now is None else request.now
        order = self.order_ if now >= self.latest_ else self._order(now)
        found = RankedLists.one(order).first(*one_each(np.zeros(len(request), int)), self.k, request.eligible)
        ranked = Lists(found.ptr(len(request)), found.item_idx, self._sums(found.item_idx, now))
        return Candidates.from_lists(ranked, self.name)

    def _sums(self, item_idx: NDArray[np.int32], now: int) -> NDArray[np.float32]:
        last = self._end(now)[item_idx] - 1
        age_days = (now - self.event_time_[last]) / DAY
        sums: NDArray[np.float64] = self.event_sum_[last] * np.exp2(-age_days / self.half_life_days)
        return sums.astype(np.float32)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return "trending now"


def _gains(liked: Interactions, half_life: float) -> NDArray[np.float64]:
    """Return what each event adds to its item's sum: 1, less what is left there of the same user's event before."""
    assert liked.timestamp is not None
    key = liked.user_idx.astype(np.int64) * max(liked.n_items, 1) + liked.item_idx
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(key[order][1:] == key[order][:-1]) + 1
    gap = liked.timestamp[order[again]] - liked.timestamp[order[again - 1]]
    gain = np.ones(key.size)
    gain[order[again]] = 1 - np.exp2(-gap / half_life)
    return gain
