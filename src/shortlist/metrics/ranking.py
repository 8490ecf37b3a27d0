"""How well a list ranks what turned out to be relevant: one value a user, float64[n_users].

The lists are padded arrays (`shortlist.metrics.lists`). The truth is a CSR: the relevant items of user row u
are `item_idx[ptr[u]:ptr[u + 1]]`, sorted and distinct. `find_hits` joins the two once; each metric is then a
few sums over the hits.

Conventions. The truth is over the whole eligible catalogue, never a sample of it. A user without a relevant
item has no value: `users_with_truth` drops and counts them. A user with an empty list stays, with 0. The places
that a short list leaves empty count as misses. Order in the list is the ranking, so there are no ties.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shortlist.errors import ParameterError
from shortlist.metrics.lists import MAX_ITEM, checked_lists

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Positions = NDArray[np.int64]


class UsersWithTruth(NamedTuple):
    """The users that can be evaluated.

    `rows` int64[n_kept] are their rows, ascending; `ptr` int64[n_kept + 1] is the truth's pointer for these
    rows alone (its `item_idx` and gains stay as they are); `n_dropped` users had no relevant item.
    """

    rows: Positions
    ptr: Positions
    n_dropped: int


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The relevant items that the lists contain, in order of user and rank, as made by `find_hits`.

    `user` int64[h] is the row, `rank` int64[h] counts from 1, `nth` int64[h] says which hit of its user it is
    (from 1), `gain` float64[h] is > 0. `n_relevant` int64[n_users] is >= 1; `ideal_gain` float64[sum of
    n_relevant] holds each user's gains in descending order; `width` is the largest k that can be asked for.
    """

    user: Positions
    rank: Positions
    nth: Positions
    gain: Floats
    n_relevant: Positions
    ideal_gain: Floats
    width: int

    @property
    def n_users(self) -> int:
        """The number of users, those without a hit included."""
        return self.n_relevant.size


def users_with_truth(ptr: ArrayLike) -> UsersWithTruth:
    """Return the rows that have a relevant item, the pointer for these rows, and how many others there are.

    Rows without a relevant item take no place in `item_idx`, so that array needs no change. O(n_users).

    Raises `ParameterError` when `ptr` is not a CSR pointer.

    >>> rows, kept_ptr, n_dropped = users_with_truth([0, 2, 2, 5])
    >>> rows.tolist(), kept_ptr.tolist(), n_dropped
    ([0, 2], [0, 2, 5], 1)
    """
    counts = np.diff(_checked_ptr(ptr))
    rows = np.flatnonzero(counts)
    kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts[rows])])
    return UsersWithTruth(rows, kept, int(counts.size - rows.size))


def find_hits(
    recommended: ArrayLike, ptr: ArrayLike, item_idx: ArrayLike, gains: ArrayLike | None = None
) -> Hits:
    """Return where each user's list meets the user's relevant items.

    `recommended` int[n_users, width], padded with -1 at the end; `ptr` int[n_users + 1] and `item_idx` int[m]
    are the truth, at least one item a user, ascending within a user; `gains` float[m], all > 0, are what a hit
    is worth to `ndcg` (None: 1 each), and every other metric counts an item of the truth as relevant whatever
    its gain. No user at all gives no hits. Time O((n_users × width + m) log m), memory O(n_users × width + m).

    Raises `ParameterError` naming the row for malformed lists (wrong shape, duplicates, gaps) or truth (wrong
    pointer, not ascending, a user without a relevant item), and for gains that are not positive and finite.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> hits.user.tolist(), hits.rank.tolist(), hits.nth.tolist(), hits.n_relevant.tolist()
    ([0, 1, 1], [2, 1, 2], [1, 1, 2], [2, 3])
    """
    lists = checked_lists(recommended)
    start, relevant = _checked_truth(ptr, item_idx, lists.shape[0])
    worth = _checked_gains(gains, relevant.size)
    counts = np.diff(start)
    owner = np.repeat(np.arange(counts.size), counts)

    # (user, item) as one int64 key: the truth ascends in it, so membership is one binary search.
    stride = 1 + max(int(lists.max(initial=0)), int(relevant.max(initial=0)))
    truth_key = owner * stride + relevant
    _require_ascending(truth_key, owner)
    user, place = np.nonzero(lists >= 0)
    key = user * stride + lists[user, place]
    at = np.searchsorted(truth_key, key)
    at[at == truth_key.size] = 0  # beyond the last key: any position will compare unequal
    found = truth_key[at] == key if truth_key.size else np.zeros(key.size, np.bool_)

    hit_user = user[found]
    return Hits(
        user=hit_user,
        rank=place[found] + 1,
        nth=_number_within(hit_user, counts.size),
        gain=worth[at[found]],
        n_relevant=counts,
        ideal_gain=worth if gains is None else worth[np.lexsort((-worth, owner))],
        width=lists.shape[1],
    )


def precision(hits: Hits, k: int | None = None) -> Floats:
    """Return |hits in the first k| / k for each user, in [0, 1].

    Divides by k also where the list is shorter: an empty place is a miss, so that a system cannot gain by
    showing less. `k` is at most the lists' width (None: the width). O(hits + n_users).

    Raises `ParameterError` when k is below 1 or beyond the width.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> precision(hits).round(4).tolist()  # 1/3, 2/3
    [0.3333, 0.6667]
    """
    cut = _cutoff(hits, k)
    return _count(hits, cut) / cut


def recall(hits: Hits, k: int | None = None) -> Floats:
    """Return |hits in the first k| / |relevant| for each user, in [0, 1].

    Below 1 whatever is shown when |relevant| > k; `recall_capped` is the other common form. `k` and errors as
    for `precision`.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> recall(hits, k=2).round(4).tolist()  # 1/2, 2/3
    [0.5, 0.6667]
    """
    return _count(hits, _cutoff(hits, k)) / hits.n_relevant


def recall_capped(hits: Hits, k: int | None = None) -> Floats:
    """Return |hits in the first k| / min(k, |relevant|) for each user, in [0, 1]; 1 is always within reach.

    The form of Liang et al. (2018), Variational Autoencoders for Collaborative Filtering, section 4.2. `k` and
    errors as for `precision`.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> recall_capped(hits, k=2).tolist()  # 1/min(2, 2), 2/min(2, 3)
    [0.5, 1.0]
    """
    cut = _cutoff(hits, k)
    return _count(hits, cut) / np.minimum(cut, hits.n_relevant)


def hit_rate(hits: Hits, k: int | None = None) -> Floats:
    """Return 1.0 for each user with a hit in the first k, else 0.0. `k` and errors as for `precision`.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> hit_rate(hits, k=1).tolist()  # 3 is not relevant to the first user, 2 is to the second
    [0.0, 1.0]
    """
    return (_count(hits, _cutoff(hits, k)) > 0).astype(np.float64)


def reciprocal_rank(hits: Hits, k: int | None = None) -> Floats:
    """Return 1 / rank of the first hit in the first k for each user, 0 without one; its mean is MRR@k.

    `k` and errors as for `precision`.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> reciprocal_rank(hits).tolist()  # 1/2, 1/1
    [0.5, 1.0]
    """
    return _sum(hits, (hits.nth == 1) / hits.rank, _cutoff(hits, k))


def average_precision(hits: Hits, k: int | None = None) -> Floats:
    """Return Σ over hits in the first k of (hits up to here / rank) / min(k, |relevant|) for each user.

    In [0, 1]; its mean is MAP@k. Dividing by min(k, |relevant|) keeps 1 within reach of a list of k items; the
    trec_eval form divides by |relevant| and is this times min(k, |relevant|) / |relevant|. `k` and errors as
    for `precision`.

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> average_precision(hits).round(4).tolist()  # (1/2)/2, (1/1 + 2/2)/3
    [0.25, 0.6667]
    """
    cut = _cutoff(hits, k)
    return _sum(hits, hits.nth / hits.rank, cut) / np.minimum(cut, hits.n_relevant)


def ndcg(hits: Hits, k: int | None = None) -> Floats:
    """Return DCG / ideal DCG at k for each user, in [0, 1].

    DCG = Σ over hits in the first k of gain / log2(rank + 1). The ideal list holds the user's
    min(k, |relevant|) largest gains in descending order. The gain enters as it is, as in Järvelin and
    Kekäläinen (2002), Cumulated Gain-Based Evaluation of IR Techniques, with the discount 1 / log2(rank + 1)
    that is now usual in place of their eq. 2 (which treats ranks 1 and 2 alike); for the exponential form give
    2^rel - 1 as gains. `k` and errors as for `precision`. O(hits + m).

    >>> hits = find_hits([[3, 1, 7], [2, 5, -1]], ptr=[0, 2, 5], item_idx=[1, 4, 2, 5, 8])
    >>> ndcg(hits).round(4).tolist()  # 0.6309/(1 + 0.6309), (1 + 0.6309)/(1 + 0.6309 + 0.5)
    [0.3869, 0.7654]
    >>> graded = find_hits([[3, 1, 7]], ptr=[0, 2], item_idx=[1, 4], gains=[1.0, 3.0])
    >>> ndcg(graded, k=2).round(4).tolist()  # 1 × 0.6309 / (3 × 1 + 1 × 0.6309)
    [0.1738]
    """
    cut = _cutoff(hits, k)
    dcg = _sum(hits, hits.gain / np.log2(hits.rank + 1), cut)
    owner = np.repeat(np.arange(hits.n_users), hits.n_relevant)
    rank = _number_within(owner, hits.n_users)
    inside = rank <= cut
    # Both sums run in order of rank: a perfect list gives 1 to the last bit.
    discounted = hits.ideal_gain[inside] / np.log2(rank[inside] + 1)
    return dcg / _sum_by(owner[inside], discounted, hits.n_users)


def _cutoff(hits: Hits, k: int | None) -> int:
    if k is None:
        return hits.width
    cut = operator.index(k)
    if not 1 <= cut <= hits.width:
        raise ParameterError(
            f"k={k} must be from 1 to {hits.width}, the width of the lists given to find_hits"
        )
    return cut


def _sum(hits: Hits, worth: Floats, cut: int) -> Floats:
    inside = hits.rank <= cut
    return _sum_by(hits.user[inside], worth[inside], hits.n_users)


def _sum_by(group: Positions, worth: Floats, n_groups: int) -> Floats:
    """Return the sum of `worth` in each group, added in the order given; 0 for a group without any."""
    total = np.bincount(group, weights=worth, minlength=n_groups)
    return total.astype(np.float64, copy=False)


def _count(hits: Hits, cut: int) -> NDArray[np.intp]:
    return np.bincount(hits.user[hits.rank <= cut], minlength=hits.n_users)


def _number_within(group: Positions, n_groups: int) -> Positions:
    """Return 1, 2, … within each run of the ascending array `group`."""
    counts = np.bincount(group, minlength=n_groups)
    before = np.cumsum(counts) - counts
    return np.arange(1, group.size + 1) - before[group]


def _checked_ptr(ptr: ArrayLike) -> Positions:
    start = _integers("ptr", ptr)
    if start.size == 0 or start[0] != 0 or bool((np.diff(start) < 0).any()):
        raise ParameterError("ptr must start at 0 and never fall: it is the CSR pointer of the truth")
    return start


def _checked_truth(ptr: ArrayLike, item_idx: ArrayLike, n_users: int) -> tuple[Positions, Positions]:
    start, items = _checked_ptr(ptr), _integers("item_idx", item_idx)
    if start.size != n_users + 1:
        raise ParameterError(f"ptr has {start.size} entries; {n_users} lists need {n_users + 1}")
    if start[-1] != items.size:
        raise ParameterError(f"ptr ends at {start[-1]} but item_idx has {items.size} entries")
    bad = np.flatnonzero((items < 0) | (items > MAX_ITEM))
    if bad.size:
        raise ParameterError(
            f"item_idx[{bad[0]}] is {items[bad[0]]}; positions lie from 0 to {MAX_ITEM}, "
            "and the truth has no pads"
        )
    empty = np.flatnonzero(np.diff(start) == 0)
    if empty.size:
        raise ParameterError(
            f"row {empty[0]} has no relevant item ({empty.size} such rows), so its metrics are undefined: "
            "keep the rows that users_with_truth(ptr) selects"
        )
    return start, items


def _require_ascending(truth_key: Positions, owner: Positions) -> None:
    bad = np.flatnonzero(np.diff(truth_key) <= 0)
    if bad.size:
        raise ParameterError(
            f"item_idx of row {owner[bad[0] + 1]} is not ascending and distinct: sort it and drop repeats"
        )


def _checked_gains(gains: ArrayLike | None, n_relevant: int) -> Floats:
    if gains is None:
        return np.ones(n_relevant)
    worth = np.asarray(gains, dtype=np.float64)
    if worth.shape != (n_relevant,):
        raise ParameterError(f"gains has shape {worth.shape}; item_idx has {n_relevant} entries")
    bad = np.flatnonzero(~(np.isfinite(worth) & (worth > 0)))
    if bad.size:
        raise ParameterError(
            f"gains[{bad[0]}] is {worth[bad[0]]}; a relevant item's gain is finite and above 0 "
            "(leave an item without gain out of the truth)"
        )
    return worth


def _integers(name: str, values: ArrayLike) -> Positions:
    array: NDArray[Any] = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise ParameterError(
            f"{name} must be one-dimensional and of integers, got {array.dtype}{array.shape}"
        )
    return array.astype(np.int64, copy=False)
