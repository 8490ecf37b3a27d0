"""Truth: what the test part says each user should have been shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.errors import DataError, ParameterError
from shortlist.metrics import users_with_truth
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class PositivePairs:
    """The pairs of user and item that have a positive test event, each once: what every protocol's truth is cut from.

    - user_idx int32[n]: every user with a test event, ascending
    - row int64[p], item_idx int32[p]: of each pair the position of its user in `user_idx`, and its item; ascending
    - seen bool[p], new bool[p]: which of them the user has a training event with, and whose item nobody has one with
    """

    user_idx: NDArray[np.int32]
    row: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    seen: NDArray[np.bool_]
    new: NDArray[np.bool_]

    @classmethod
    def of(cls, train: Dataset, test: Dataset) -> PositivePairs:
        """Return the positive pairs of `test`. O((train + test) log(train + test))."""
        n_items = max(len(test.items), 1)
        users = np.flatnonzero(np.bincount(test.interactions.user_idx)).astype(np.int32)
        pairs = _pairs(test.interactions.where(test.interactions.positive))
        seen = np.isin(pairs, _pairs(train.interactions), assume_unique=True)
        item = (pairs % n_items).astype(np.int32)
        new = np.bincount(train.interactions.item_idx, minlength=n_items)[item] == 0
        return cls(users, np.searchsorted(users, pairs // n_items), item, seen, new)

    def among(self, items: NDArray[np.bool_]) -> PositivePairs:
        """Return the pairs of `items` bool[n_items]; the users stay."""
        if items.all():
            return self
        kept = items[self.item_idx]
        return PositivePairs(
            self.user_idx, self.row[kept], self.item_idx[kept], self.seen[kept], self.new[kept]
        )

    @property
    def n_without_positive(self) -> int:
        """Return the number of users without a positive test event."""
        return self.user_idx.size - np.unique(self.row).size

    def truth(self, *, exclude_seen: bool) -> Truth:
        """Return the truth; where seen items are not shown, they are not part of it either.

        Raises `DataError` where no user has a relevant item. O(p).
        """
        kept = ~self.seen if exclude_seen else np.ones(self.seen.size, bool)
        n_positive = np.bincount(self.row, minlength=self.user_idx.size)
        n_relevant = np.bincount(self.row[kept], minlength=self.user_idx.size)
        if not n_relevant.any():
            raise DataError(
                f"none of the {self.user_idx.size} test users has a relevant item: {self.seen.size} positive test "
                f"pairs, {int(self.seen.sum())} of them seen in training; cut the data elsewhere, declare "
                "positive_from lower, or measure with repeats allowed (exclude_seen=False)"
            )
        only_seen = int(np.count_nonzero((n_positive > 0) & (n_relevant == 0)))
        return Truth(self.user_idx, offsets(n_relevant), self.item_idx[kept], n_relevant > 0, only_seen)


@dataclass(frozen=True, eq=False)
class Truth:
    """The relevant items of each test user: those of the user's positive test events, each once.

    - user_idx int32[n]: every user with a test event, ascending
    - ptr int64[n + 1], item_idx int32[m]: relevant items, ascending within a user; a user may have none
    - is_evaluated bool[n]: whether the user has a relevant item
    - n_only_seen: users whose positive items are all seen, and left out because seen items are not shown
    """

    user_idx: NDArray[np.int32]
    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    is_evaluated: NDArray[np.bool_]
    n_only_seen: int

    @classmethod
    def of(cls, train: Dataset, test: Dataset, *, exclude_seen: bool) -> Truth:
        """Return the truth of `test` under one protocol, as `PositivePairs.truth` does."""
        return PositivePairs.of(train, test).truth(exclude_seen=exclude_seen)

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Return int64[m]: the position in `user_idx` of the user of each relevant item."""
        return np.repeat(np.arange(self.user_idx.size), self.n_relevant)

    @property
    def n_relevant(self) -> NDArray[np.int64]:
        """Return int64[n]: the number of relevant items of each user."""
        return np.diff(self.ptr)

    def within(
        self, items: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
        """Return the truth cut to `items` bool[n_items]: rows of users that have any of it left, ptr, item_idx."""
        kept = items[self.item_idx]
        left = users_with_truth(offsets(np.bincount(self.row[kept], minlength=self.user_idx.size)))
        return left.rows, left.ptr, self.item_idx[kept]


def require_comparable(train: Dataset, test: Dataset) -> None:
    """Raise `ParameterError` unless the two are parts of one dataset, and the test events are not training events."""
    for one, other, what in ((train.users, test.users, "users"), (train.items, test.items, "items")):
        if one is not other and not one.ids.equals(other.ids):
            raise ParameterError(f"train and test have different {what}: make both by a split of one dataset")
    if not len(test.interactions):
        raise DataError("the test part has no events")
    timed = test.interactions.timestamp is not None and train.interactions.timestamp is not None
    if timed and _is_part_of(test.interactions, train.interactions):
        raise ParameterError(
            "every test event is a training event too, with the same time: give the training part of the split as train"
        )


def _is_part_of(part: Interactions, whole: Interactions) -> bool:
    events = [
        pl.DataFrame({"user": log.user_idx, "item": log.item_idx, "time": log.timestamp})
        for log in (part, whole)
    ]
    return events[0].join(events[1], on=["user", "item", "time"], how="anti").is_empty()


def _pairs(log: Interactions) -> NDArray[np.int64]:
    """Return the distinct pairs as user · n_items + item, ascending."""
    # Not np.unique: without indices NumPy hashes, which took forty times the time of sorting 300,000 pairs.
    pairs = np.sort(log.user_idx.astype(np.int64) * max(log.n_items, 1) + log.item_idx)
    distinct: NDArray[np.int64] = pairs[np.diff(pairs, prepend=-1) != 0]
    return distinct
