"""Splits: the events of a dataset cut into a part to fit on and a part to measure on.

Both parts keep the parent's vocabularies and features, and are disjoint and sum to its events. The rows of a split
are the rows of the event log, which is sorted by time: a fold here is not the fold that the same permutation makes
of the rows of a file in another order.

A cut in time never separates events of the same time: those tied with the earliest test event go to the test
part with it, so that part can be somewhat larger than asked for. Strictly later events never train earlier ones there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from shortlist.data.memory import Moment, microseconds
from shortlist.errors import DataError, ParameterError
from shortlist.parameters import generator, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions

TimeOrder = Literal["global", "per user", "no"]
TEST_SHARE = 0.2
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
        return f"Split({self.description})"


def random(
    dataset: Dataset, fraction: float = TEST_SHARE, rng: np.random.Generator | int | None = None
) -> Split:
    """Return a split whose test part is `fraction` of the events, drawn without replacement.

    The test part has ⌊fraction · m⌋ of m events. No order in time holds: later events train earlier ones, which
    flatters every model that learns what was popular when. Several events of one pair may fall on both sides.
    Raises `ParameterError` unless 0 < fraction < 1, `DataError` when a part would be empty. O(m).
    """
    m = len(dataset.interactions)
    n_test = int(_share(np.array([m]), fraction)[0])
    in_test = np.zeros(m, bool)
    in_test[generator(rng).permutation(m)[:n_test]] = True
    return _parts(dataset, in_test, f"random(fraction={fraction:g})", "no")


def k_fold(
    dataset: Dataset, n_folds: int = 5, rng: np.random.Generator | int | None = None
) -> Iterator[Split]:
    """Return an iterator of `n_folds` splits whose test parts share out the events; sizes differ by at most one.

    The rows of the log are permuted once. No order in time holds, as in `random`.
    Raises `ParameterError` unless 2 ≤ n_folds, `DataError` for fewer events than folds. O(m) a fold.
    """
    m = len(dataset.interactions)
    whole("n_folds", n_folds, least=2)
    if m < n_folds:
        raise DataError(f"{m} events cannot be shared out among {n_folds} folds; ask for fewer folds")
    fold = np.empty(m, np.int64)
    fold[generator(rng).permutation(m)] = np.arange(m) % n_folds
    names = [f"k_fold(n_folds={n_folds}), fold {f + 1}" for f in range(n_folds)]
    return (_parts(dataset, fold == f, name, "no") for f, name in enumerate(names))


def leave_last_out(dataset: Dataset, fraction: float = TEST_SHARE, *, n: int | None = None) -> Split:
    """Return a split whose test part is each user's last events.

    - fraction: ⌊fraction · n_u⌋ of the n_u events of a user
    - n: this many of each user instead (leave `fraction` alone then)

    Order in time holds for each user, not globally: what others do later is in the training part, and so is later
    popularity. Events of a user at the time of the earliest test event join the test part; where that would leave
    the user nothing to train on, or there are too few events (⌊fraction · n_u⌋ = 0, or n_u ≤ n), all of that user's
    events stay in train. So every user with a test event has a training event. Without timestamps the last
    events are the last of the log, and no order in time is promised.
    Raises `ParameterError` unless 0 < fraction < 1 or n ≥ 1, `DataError` when a part would be empty. O(m log m).
    """
    log = dataset.interactions
    length = np.bincount(log.user_idx, minlength=log.n_users)
    if n is None:
        name, n_test = f"leave_last_out(fraction={fraction:g})", _share(length, fraction)
    else:
        _require_one(fraction, "n", n)
        whole("n", n, least=1)
        name, n_test = f"leave_last_out(n={n})", np.where(length > n, n, 0)
    return _parts(
        dataset, _last_of_each_user(log, length, n_test), name, "no" if log.timestamp is None else "per user"
    )


def global_time(dataset: Dataset, fraction: float = TEST_SHARE, *, at: Moment | None = None) -> Split:
    """Return a split at one moment: earlier events train, later ones test.

    - fraction: the moment is the time of the first of the last ⌊fraction · m⌋ events
    - at: the moment itself, as datetime, ISO 8601 text or µs (leave `fraction` alone then)

    Order in time holds globally. Events at the very moment are test events. Users and items that first appear later
    have nothing in train.
    Raises `ParameterError` unless 0 < fraction < 1, `DataError` without timestamps or when a part would be empty. O(m).
    """
    log = dataset.interactions
    if log.timestamp is None:
        raise DataError(
            "global_time needs timestamps, and these interactions have none; use random or leave_last_out"
        )
    if at is None:
        n_test = int(_share(np.array([len(log)]), fraction)[0])
        moment = int(log.timestamp[-n_test]) if n_test else np.iinfo(np.int64).max
        name = f"global_time(fraction={fraction:g})"
    else:
        _require_one(fraction, "at", at)
        moment = microseconds(at)
        name = f"global_time(at={np.datetime64(moment, 'us')}Z)"
    return _parts(dataset, log.timestamp >= moment, name, "global")


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


def _last_of_each_user(
    log: Interactions, length: NDArray[np.int64], n_test: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return bool[m]: which events are their user's last `n_test` int64[n_users], or tied with the first of those."""
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


def _share(length: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    if not 0 < fraction < 1:
        raise ParameterError(f"fraction={fraction!r} must lie between 0 and 1, both excluded")
    share: NDArray[np.int64] = np.floor(length * fraction + _ROUNDING).astype(np.int64)
    return share


def _require_one(fraction: float, name: str, value: object) -> None:
    if fraction != TEST_SHARE:
        raise ParameterError(f"give fraction={fraction!r} or {name}={value!r}, not both")


def _parts(dataset: Dataset, in_test: NDArray[np.bool_], name: str, order: TimeOrder) -> Split:
    log, n_test = dataset.interactions, int(np.count_nonzero(in_test))
    if n_test in (0, in_test.size):
        part = "test" if n_test == 0 else "training"
        raise DataError(
            f"{name} leaves the {part} part without events ({in_test.size} in all); cut elsewhere"
        )
    train = replace(dataset, interactions=log.where(~in_test), name=f"{dataset.name}, train of {name}")
    test = replace(dataset, interactions=log.where(in_test), name=f"{dataset.name}, test of {name}")
    return Split(train, test, name, order)
