"""What people chose later, to measure lists by: NDCG of each person, and how sure means and differences are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

import shortlist as sl
from shortlist.data.memory import Limits
from shortlist.experiments.truth import Truth
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.split import Split
    from shortlist.stages import Lists, Request

K = 10
N_BOOTSTRAP = 2000


@dataclass(frozen=True, eq=False)
class LaterChoices:
    """The people of a test part who have something relevant there, and what that is.

    - train: what is known when the lists are made; users int32[n], ascending
    - ptr int64[n + 1], item_idx int32[m]: the relevant items of each
    - exclude_seen: whether items of a person's past are neither shown nor relevant
    """

    train: sl.Dataset
    users: NDArray[np.int32]
    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    exclude_seen: bool

    @classmethod
    def of(cls, parts: Split, *, exclude_seen: bool, only_known: bool = False) -> LaterChoices:
        """Return those of the test part; `only_known`: of people with a training event alone."""
        truth = Truth.of(parts.train, parts.test, exclude_seen=exclude_seen)
        asked = truth.is_evaluated
        if only_known:
            asked = asked & np.isin(truth.user_idx, parts.train.interactions.user_idx)
        ptr, item_idx = offsets(truth.n_relevant[asked]), truth.item_idx[asked[truth.row]]
        return cls(parts.train, truth.user_idx[asked], ptr, item_idx, exclude_seen)

    def __len__(self) -> int:
        return self.users.size

    @cached_property
    def have_a_past(self) -> NDArray[np.bool_]:
        """Return bool[n]: who has a training event."""
        return np.isin(self.users, self.train.interactions.user_idx)

    @cached_property
    def resampler(self) -> sl.metrics.Resampler:
        """Return the resamples that every interval is made of, so that differences are paired."""
        return sl.metrics.Resampler(len(self), N_BOOTSTRAP, rng=0)

    def request(self, who: NDArray[np.bool_] | None = None) -> Request:
        """Return the request for a list for everybody, or for those for whom `who` bool[n] holds."""
        users = self.users if who is None else self.users[who]
        return self.train.memory.request(users, K, Limits(exclude_seen=self.exclude_seen))

    def ndcg(self, lists: Lists) -> NDArray[np.float64]:
        """Return NDCG@10 of each person's list, float64[n]."""
        return sl.metrics.ndcg(sl.metrics.find_hits(lists.padded(K), self.ptr, self.item_idx))

    def relevant(self, row: NDArray[np.integer[Any]], item_idx: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool[m]: whether each item is relevant for the person of its row."""
        n_items = len(self.train.items)
        owner = np.repeat(np.arange(len(self)), np.diff(self.ptr))
        return np.isin(row.astype(np.int64) * n_items + item_idx, owner * n_items + self.item_idx)

    def interval(self, values: NDArray[np.float64], other: NDArray[np.float64] | None = None) -> list[float]:
        """Return the mean over people of `values`, or of `values` − `other`, with the ends of its 95 % interval."""
        return list(sl.metrics.mean_interval(values, other, resampler=self.resampler))
