"""Interactions: the event log, sorted by time and never collapsed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.data.ordering import is_sorted, read_only, stable_order, stable_order_of_positions, taken
from shortlist.kernels.id_tables import count_repeats
from shortlist.kernels.pair_order import merge_pairs, order_pairs
from shortlist.parameters import one_of
from shortlist.stages import History, offsets

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from shortlist.data.feedback import Feedback

Duplicates = Literal["last", "first", "sum", "mean", "count"]


@dataclass(frozen=True, eq=False)
class Interactions:
    """Events of users with items, in the order of time; events of equal time keep the order they were given in.

    - user_idx, item_idx int32[m]: positions in the dataset's vocabularies, of sizes n_users and n_items
    - value float32[m]: what `feedback` says it is
    - timestamp int64[m]: microseconds since 1970 UTC, or None where the data has no times
    - context: a Polars frame of m rows (day, device, place, …), or None

    Make one with `Interactions.of`, which sorts.
    """

    user_idx: NDArray[np.int32]
    item_idx: NDArray[np.int32]
    value: NDArray[np.float32]
    timestamp: NDArray[np.int64] | None
    n_users: int
    n_items: int
    feedback: Feedback
    context: pl.DataFrame | None = None

    @classmethod
    def of(
        cls,
        user_idx: NDArray[np.integer[Any]],
        item_idx: NDArray[np.integer[Any]],
        value: NDArray[np.floating[Any]],
        timestamp: NDArray[np.int64] | None,
        n_users: int,
        n_items: int,
        feedback: Feedback,
        context: pl.DataFrame | None = None,
    ) -> Interactions:
        """Return the events sorted by time (stable). Arguments as the attributes, in any order of time."""
        log = cls(
            np.ascontiguousarray(user_idx, np.int32),
            np.ascontiguousarray(item_idx, np.int32),
            np.ascontiguousarray(value, np.float32),
            None if timestamp is None else np.ascontiguousarray(timestamp, np.int64),
            n_users,
            n_items,
            feedback,
            context,
        )
        if log.timestamp is None or is_sorted(log.timestamp):
            return log
        return log._in_order(stable_order(log.timestamp))

    def __len__(self) -> int:
        return self.user_idx.size

    def take(self, rows: NDArray[np.integer[Any]]) -> Interactions:
        """Return the events at `rows`, which must ascend unless the caller sorts by time."""
        return replace(
            self,
            user_idx=self.user_idx[rows],
            item_idx=self.item_idx[rows],
            value=self.value[rows],
            timestamp=None if self.timestamp is None else self.timestamp[rows],
            context=None if self.context is None else self.context[rows],
        )

    def _in_order(self, order: NDArray[np.uint32]) -> Interactions:
        return replace(
            self,
            user_idx=taken(self.user_idx, order),
            item_idx=taken(self.item_idx, order),
            value=taken(self.value, order),
            timestamp=None if self.timestamp is None else taken(self.timestamp, order),
            context=None if self.context is None else self.context[order],
        )

    def where(self, keep: NDArray[np.bool_]) -> Interactions:
        """Return the events for which `keep` bool[m] holds; these very events where it holds for all."""
        return self if keep.all() else self.take(np.flatnonzero(keep))

    @cached_property
    def positive(self) -> NDArray[np.bool_]:
        """Return bool[m]: whether each event is positive."""
        return self.feedback.is_positive(self.value)

    @property
    def now(self) -> int | None:
        """Return the time of the last event (µs UTC), None where there is none."""
        return None if self.timestamp is None or len(self) == 0 else int(self.timestamp[-1])

    @cached_property
    def n_repeats(self) -> int:
        """Return how many events have the user and the item of an earlier event. Cost: O(m + n_users + n_items)."""
        user_idx, item_idx, found = read_only(self.user_idx), read_only(self.item_idx), list[int]()

        def count(first: int, last: int) -> None:
            found.append(count_repeats(user_idx, item_idx, first, last, self.n_items))

        # Each call looks at all events, so there is one for each thread.
        threads.run_blocks(count, self.n_users, -(-self.n_users // threads.num_threads()))
        return sum(found)

    def matrix(self, duplicates: Duplicates = "last") -> sparse.csr_array:
        """Return the float32 CSR [n_users, n_items] of values, column indices sorted within a row.

        `duplicates` says what several events of one pair become: the "last" or "first" value in time, their "sum",
        "mean", or "count" (the number of events, whatever their values). A value of 0 stays stored.
        Raises `ParameterError` for another word. Cost: O(m + n_users + n_items); beside the matrix, 4 bytes an event.
        """
        one_of("duplicates", duplicates, Duplicates)
        ptr = offsets(np.bincount(self.user_idx, minlength=self.n_users))
        starts = offsets(np.bincount(self.item_idx, minlength=self.n_items))
        item, data = np.empty(len(self), np.int32), np.empty(len(self), np.float32)
        user_idx, item_idx, value = (read_only(of) for of in (self.user_idx, self.item_idx, self.value))
        order_pairs(user_idx, item_idx, value, ptr[:-1].copy(), starts, item, data)
        if (kept := merge_pairs(ptr, item, data, get_args(Duplicates).index(duplicates))) < len(self):
            item, data = item[:kept].copy(), data[:kept].copy()
        # SciPy widens the column indices to the type of the row pointers.
        narrow = ptr.astype(np.int32) if kept < 2**31 else ptr
        return sparse.csr_array((data, item, narrow), shape=(self.n_users, self.n_items))

    def history(self) -> History:
        """Return the events of each user in the order of time; one row for each of n_users."""
        ptr = offsets(np.bincount(self.user_idx, minlength=self.n_users))
        if is_sorted(self.user_idx):  # one user after the other: the log's own arrays will do
            positive = self.feedback.is_positive(self.value)
            return History(ptr, self.item_idx, self.value, positive, self.timestamp)
        order = stable_order_of_positions(self.user_idx)
        timestamp = None if self.timestamp is None else taken(self.timestamp, order)
        value = taken(self.value, order)
        return History(ptr, taken(self.item_idx, order), value, self.feedback.is_positive(value), timestamp)
