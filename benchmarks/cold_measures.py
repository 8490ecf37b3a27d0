"""Measuring cold starts: who should have been shown what, by which lists, and how surely, over several splits."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import shortlist as sl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

K = 10


class Wanted(NamedTuple):
    """What each of `users` int32[n] (positions) likes in the test part: ptr int64[n + 1], item_idx int32[m]."""

    users: NDArray[np.int32]
    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]


def wanted(test: sl.Dataset, users: NDArray[np.bool_], items: NDArray[np.bool_] | None = None) -> Wanted:
    """Return what `users` bool[n_users] like in `test`, cut to `items` bool[n_items]; who likes none of it is out."""
    log = test.interactions
    kept = log.positive & users[log.user_idx]
    if items is not None:
        kept &= items[log.item_idx]
    pairs = np.unique(log.user_idx[kept].astype(np.int64) * log.n_items + log.item_idx[kept])
    who, counts = np.unique(pairs // log.n_items, return_counts=True)
    ptr = np.concatenate([[0], np.cumsum(counts)])
    return Wanted(who.astype(np.int32), ptr, (pairs % log.n_items).astype(np.int32))


def quality(lists: NDArray[np.int32], truth: Wanted) -> NDArray[np.float64]:
    """Return NDCG@K of each user's list, int32[n, K] with −1 at the unused end."""
    return sl.metrics.ndcg(sl.metrics.find_hits(lists, truth.ptr, truth.item_idx), K)


def lists_of(
    model: Any, data: sl.Dataset, users: NDArray[np.int32], items: NDArray[np.int64] | None = None
) -> NDArray[np.int32]:
    """Return the lists of the users, of `items` alone where given; who is unknown gets the popular items."""
    only = None if items is None else data.items.ids_of(items.astype(np.int32))
    shown = model.recommend(data.users.ids_of(users), K, items=only, on_unknown="fallback")
    return shown.lists.padded(K)


def in_random_order(users: NDArray[np.int32], items: NDArray[np.int64], rng: Any) -> NDArray[np.int32]:
    """Return for each user K of the items, drawn at random."""
    return np.stack([rng.permutation(items)[:K] for _ in users]).astype(np.int32)


def in_random_order_within_genres(
    train: sl.Dataset, users: NDArray[np.int32], items: NDArray[np.int64], column: str, rng: Any
) -> NDArray[np.int32]:
    """Return for each user K of the items, each of a genre that one of their likes, drawn at random, has.

    Without replacement; where no item of such a genre is left, any other will do.
    """
    labels, _ = train.item_features.tags(column)
    labels = labels.tocsr()
    likes = train.memory.history.where(train.memory.history.positive)
    of_genre = [items[np.flatnonzero(row)] for row in labels[items].T.toarray()]
    lists = np.empty((users.size, K), np.int32)
    for row, user in enumerate(users):
        own = likes.item_idx[likes.ptr[user] : likes.ptr[user + 1]]
        genres = labels[own].indices if own.size else labels.indices
        taken: dict[int, None] = {}
        for genre in rng.choice(genres, 20 * K) if genres.size else ():
            if of_genre[genre].size and len(taken) < K:
                taken[int(rng.choice(of_genre[genre]))] = None
        rest = rng.permutation(items)
        lists[row] = [*taken, *(item for item in rest if item not in taken)][:K]
    return lists


class PerUser:
    """A figure of each user and model, from several splits: the mean over the splits that have one."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, name: str, users: NDArray[np.int32], values: NDArray[np.float64]) -> None:
        """Take up the values of one split."""
        for user, value in zip(users.tolist(), values.tolist(), strict=True):
            self._sums[name][user].append(value)

    def values(self, name: str) -> NDArray[np.float64]:
        """Return float64[users], in the order of their positions."""
        return np.array([np.mean(self._sums[name][user]) for user in sorted(self._sums[name])])

    @property
    def names(self) -> list[str]:
        """Return the names, in the order of taking up."""
        return list(self._sums)

    def interval(self, name: str, baseline: str | None = None, *, seed: int = 0) -> list[float]:
        """Return mean, low and high of a name, or of its difference from the baseline: a bootstrap over users."""
        values = self.values(name)
        other = None if baseline is None else self.values(baseline)
        resampler = sl.metrics.Resampler(values.size, 2000, rng=seed)
        return list(sl.metrics.mean_interval(values, other, resampler=resampler))


def best(points: Mapping[str, Any], measure: Callable[[Any], float], what: str) -> tuple[str, float]:
    """Return the name of the point with the largest measure, the first of equals, and the measure."""
    found = {}
    for name, point in points.items():
        found[name] = measure(point)
        print("validation", what, name, round(found[name], 4), flush=True)
    chosen = max(found, key=lambda name: found[name])
    return chosen, found[chosen]
