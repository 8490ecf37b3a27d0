"""Split: two parts of one dataset, what holds of their order in time, and how events are cut into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions

TimeOrder = Literal["global", "per user", "no"]
# 0.29 × 100 is 28.999…96 in floating point, and means 29.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Split:
    """Two parts of one dataset; unpacks as `train, test`.

    - name: the rule that made it, as it would be called
    - time_ordered: "global": every training event is earlier than every test event; "per user": every training event
      of a user is earlier than that user's test events, while other people's may be later; "no": neither is promised
    """

    train: Dataset
    test: Dataset
    name: str
    time_ordered: TimeOrder

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.train, self.test))

    @property
    def description(self) -> str:
        """Return the rule, the sizes of the parts and what holds of time, in one line for people."""
        sizes = f"{len(self.train.interactions):,} training and {len(self.test.interactions):,} test events"
        return f"{self.name}: {sizes}; {describe_order(self.time_ordered)}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.description})"


def time_order(train: Dataset, test: Dataset) -> TimeOrder:
    """Return the strongest order in time that the events of two parts really have, however they were made.

    "no" where either has no timestamps. A part without events is in order with anything. O(m).
    """
    fit, held = train.interactions, test.interactions
    if fit.timestamp is None or held.timestamp is None:
        return "no"
    if not len(fit) or not len(held) or fit.timestamp[-1] < held.timestamp[0]:
        return "global"
    last = np.full(fit.n_users, np.iinfo(np.int64).min)
    np.maximum.at(last, fit.user_idx, fit.timestamp)
    return "per user" if bool(np.all(last[held.user_idx] < held.timestamp)) else "no"


def describe_order(order: TimeOrder) -> str:
    """Return what an order in time promises, in words for people."""
    return {
        "global": "every training event is earlier than every test event",
        "per user": "ordered in time for each user, not globally: other people's later events are in the training part",
        "no": "no order in time: later events may train earlier ones",
    }[order]


def last_of_each_user(
    log: Interactions, length: NDArray[np.int64], n_test: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return bool[m]: which events are their user's last `n_test` int64[n_users], or tied with the first of those.

    `length` int64[n_users] is the number of each user's events. A user whose events would all be among them has none.
    """
    order = np.argsort(log.user_idx, kind="stable")
    end = np.cumsum(length)
    start = end - length
    # Where the log has no times, the position in it takes their place: then nothing is tied.
    time = np.arange(len(log)) if log.timestamp is None else log.timestamp[order]
    tested = np.flatnonzero(n_test)
    cut = np.full(length.size, np.iinfo(np.int64).max)
    cut[tested] = time[(end - n_test)[tested]]
    whole = tested[time[start[tested]] >= cut[tested]]
    cut[whole] = np.iinfo(np.int64).max
    in_test = np.empty(len(log), bool)
    in_test[order] = time >= np.repeat(cut, length)
    return in_test


def share_of(length: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """Return ⌊fraction · length⌋ int64[n]; raise `ParameterError` unless 0 < fraction < 1."""
    if not 0 < fraction < 1:
        raise ParameterError(f"fraction={fraction!r} must lie between 0 and 1, both excluded")
    share: NDArray[np.int64] = np.floor(length * fraction + _ROUNDING).astype(np.int64)
    return share


def cut(dataset: Dataset, in_test: NDArray[np.bool_], name: str) -> tuple[Dataset, Dataset]:
    """Return the parts of `dataset` by `in_test` bool[m]; raise `DataError`, naming the rule, where one is empty."""
    log, n_test = dataset.interactions, int(np.count_nonzero(in_test))
    if n_test in (0, in_test.size):
        part = "test" if n_test == 0 else "training"
        raise DataError(
            f"{name} leaves the {part} part without events ({in_test.size} in all); cut elsewhere"
        )
    train = replace(dataset, interactions=log.where(~in_test), name=f"{dataset.name}, train of {name}")
    test = replace(dataset, interactions=log.where(in_test), name=f"{dataset.name}, test of {name}")
    return train, test
