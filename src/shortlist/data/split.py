"""Splits: the events of a dataset cut into a part to fit on and a part to measure on.

Both parts keep the parent's vocabularies and features, and are disjoint and sum to its events. The rows of a split
are the rows of the event log, which is sorted by time: a fold here is not the fold that the same permutation makes
of the rows of a file in another order.

A cut in time never separates events of the same time: those tied with the earliest test event go to the test
part with it, so that part can be somewhat larger than asked for. Strictly later events never train earlier ones there.
`hide` cuts by who and what takes part, and no order in time holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.cold_split import HiddenSplit, hide
from shortlist.data.memory import Moment, microseconds
from shortlist.data.split_parts import (
    Split,
    TimeOrder,
    cut,
    describe_order,
    last_of_each_user,
    share_of,
    time_order,
)
from shortlist.errors import DataError, ParameterError
from shortlist.parameters import generator, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

__all__ = [
    "HiddenSplit",
    "Split",
    "TimeOrder",
    "describe_order",
    "global_time",
    "hide",
    "k_fold",
    "leave_last_out",
    "random",
    "time_order",
]

TEST_SHARE = 0.2


def random(
    dataset: Dataset, fraction: float = TEST_SHARE, rng: np.random.Generator | int | None = None
) -> Split:
    """Return a split whose test part is `fraction` of the events, drawn without replacement.

    The test part has ⌊fraction · m⌋ of m events. No order in time holds: later events train earlier ones, which
    flatters every model that learns what was popular when. Several events of one pair may fall on both sides.
    Raises `ParameterError` unless 0 < fraction < 1, `DataError` when a part would be empty. O(m).
    """
    m = len(dataset.interactions)
    n_test = int(share_of(np.array([m]), fraction)[0])
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
        name, n_test = f"leave_last_out(fraction={fraction:g})", share_of(length, fraction)
    else:
        _require_one(fraction, "n", n)
        whole("n", n, least=1)
        name, n_test = f"leave_last_out(n={n})", np.where(length > n, n, 0)
    return _parts(
        dataset, last_of_each_user(log, length, n_test), name, "no" if log.timestamp is None else "per user"
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
        n_test = int(share_of(np.array([len(log)]), fraction)[0])
        moment = int(log.timestamp[-n_test]) if n_test else np.iinfo(np.int64).max
        name = f"global_time(fraction={fraction:g})"
    else:
        _require_one(fraction, "at", at)
        moment = microseconds(at)
        name = f"global_time(at={np.datetime64(moment, 'us')}Z)"
    return _parts(dataset, log.timestamp >= moment, name, "global")


def _require_one(fraction: float, name: str, value: object) -> None:
    if fraction != TEST_SHARE:
        raise ParameterError(f"give fraction={fraction!r} or {name}={value!r}, not both")


def _parts(dataset: Dataset, in_test: NDArray[np.bool_], name: str, order: TimeOrder) -> Split:
    return Split(*cut(dataset, in_test, name), name, order)
