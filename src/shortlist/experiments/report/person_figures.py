"""What each person's list is like in itself and beside what the person likes: one value a person and figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shortlist import metrics
from shortlist.reranking.effects import divergence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.data.row_labels import RowLabels
    from shortlist.experiments.report.group_columns import GroupColumn
    from shortlist.experiments.report.shown import Shown

    Floats = NDArray[np.float64]

RELEVANCE, DIVERSITY, MISCALIBRATION = "relevance", "diversity", "miscalibration"
LIFT, NOVELTY = "popularity_lift", "novelty"
# Of the mix of a list so much is the person's own, so that a group that is not on the list costs no infinity.
ALPHA = 0.01


@dataclass(frozen=True, eq=False)
class PersonFigure:
    """One figure of n people: that of all of them is Σ shown / Σ weight.

    - name: which; of: the column or the vectors that it goes by, "" where it goes by none
    - shown, by_score float64[n]: 0 where the person has no value; by_score None where nothing re-ranks
    - weight float64[n]: 1 for a mean over people, 0 for a person without a value
    - n_people: how many have a value
    """

    name: str
    of: str
    shown: Floats
    by_score: Floats | None
    weight: Floats
    n_people: int


def person_figures(
    shown: Shown, memory: Memory, columns: Sequence[GroupColumn], vectors: tuple[str, Any] | None
) -> list[PersonFigure]:
    """Return the figures of single lists.

    `vectors` are a name and float32[n_items, d], None where no model has any.
    """
    found = []
    if shown.relevance is not None and shown.relevance_by_score is not None:
        found.append(_mean(RELEVANCE, "", shown.relevance, shown.relevance_by_score))
    by_vectors = [] if vectors is None else [vectors]
    for name, features in [*((one.column, _multi_hot(one.groups)) for one in columns), *by_vectors]:
        found.append(_of_both(shown, DIVERSITY, name, _diversity(features)))
    found += [
        _of_both(shown, MISCALIBRATION, one.column, _miscalibration(shown, one.groups)) for one in columns
    ]
    return [*found, _lift(shown, memory), _of_both(shown, NOVELTY, "", _novelty(memory))]


def _of_both(
    shown: Shown, name: str, of: str, measure: Callable[[NDArray[np.int32]], Floats]
) -> PersonFigure:
    plain = None if shown.by_score is None else measure(shown.by_score)
    return _mean(name, of, measure(shown.lists), plain)


def _mean(name: str, of: str, shown: Floats, by_score: Floats | None) -> PersonFigure:
    """Return a mean over people of values that are NaN where there is none."""
    has = np.isfinite(shown) if by_score is None else np.isfinite(shown) & np.isfinite(by_score)
    plain = None if by_score is None else np.where(has, by_score, 0.0)
    n_people = int(np.count_nonzero(has))
    return PersonFigure(name, of, np.where(has, shown, 0.0), plain, has.astype(np.float64), n_people)


def _multi_hot(groups: RowLabels) -> sparse.csr_array:
    """Return float64[n_items, n_labels] without the column of those that have no label: they are like no other."""
    shape = len(groups), len(groups.labels)
    hot = sparse.csr_array((np.ones(groups.code.size), groups.code, groups.ptr), shape=shape)
    return hot[:, :-1]


def _diversity(features: Any) -> Callable[[NDArray[np.int32]], Floats]:
    def measure(lists: NDArray[np.int32]) -> Floats:
        long_enough = metrics.select_lists(lists, 2).rows
        return _spread(metrics.intra_list_diversity(lists[long_enough], features), long_enough, len(lists))

    return measure


def _novelty(memory: Memory) -> Callable[[NDArray[np.int32]], Floats]:
    n_users = max(len(memory.users), 1)
    return lambda lists: metrics.novelty(lists, memory.n_positive, n_users)


def _spread(values: Floats, rows: NDArray[np.int64], n: int) -> Floats:
    out = np.full(n, np.nan)
    out[rows] = values
    return out


def _miscalibration(shown: Shown, groups: RowLabels) -> Callable[[NDArray[np.int32]], Floats]:
    own = mixes(shown.liked_ptr, shown.liked, groups)

    def measure(lists: NDArray[np.int32]) -> Floats:
        ptr, items = flattened(lists)
        listed = mixes(ptr, items, groups)
        return np.array([_divergence(own, listed, row) for row in range(len(shown))])

    return measure


def _divergence(own: sparse.csr_array, listed: sparse.csr_array, row: int) -> float:
    """Return KL(p ‖ q̃) of one person over the groups that the person likes; NaN for somebody who likes nothing."""
    mine = slice(own.indptr[row], own.indptr[row + 1])
    theirs = slice(listed.indptr[row], listed.indptr[row + 1])
    p, q = own.data[mine], np.zeros(mine.stop - mine.start)
    at = np.searchsorted(own.indices[mine], listed.indices[theirs])
    inside = at < q.size
    inside[inside] = own.indices[mine][at[inside]] == listed.indices[theirs][inside]
    q[at[inside]] = listed.data[theirs][inside]
    return divergence(p, q, ALPHA)


def mixes(
    ptr: NDArray[np.int64], item_idx: NDArray[np.int32], groups: RowLabels, amount: Floats | None = None
) -> sparse.csr_array:
    """Return float64[n, n_groups] in rows of sum 1: the share of each group among the items of each person.

    ptr int64[n + 1], item_idx int32[x]; `amount` float64[x] is what each item weighs, all alike where it is None. An
    item is divided evenly among its groups; a person without items has a row of zeros.
    """
    n, row = ptr.size - 1, np.repeat(np.arange(ptr.size - 1), np.diff(ptr))
    weight = np.ones(item_idx.size) if amount is None else amount
    weight = weight / np.maximum(np.bincount(row, weight, n), np.finfo(np.float64).tiny)[row]
    mine = groups.take(item_idx)
    share = (weight / np.maximum(np.diff(mine.ptr), 1))[mine.row]
    found = sparse.csr_array((share, (row[mine.row], mine.code)), shape=(n, len(groups.labels)))
    found.sum_duplicates()
    return found


def flattened(lists: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return ptr int64[n + 1] and the items int32[x] of padded lists."""
    used = lists >= 0
    return np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64), lists[used]


def _lift(shown: Shown, memory: Memory) -> PersonFigure:
    """Return how many other people like the items of a list, for one of those who like the items of the person's past.

    Σ over people of the mean of a list, over Σ of the mean of a past (the popularity lift of Abdollahpouri et al. 2019,
    The unfairness of popularity bias in recommendation, which takes 1 off), each person not counted among those who
    like what the person likes. Who likes nothing has no value.
    """
    row = np.repeat(np.arange(len(shown)), np.diff(shown.liked_ptr))
    n_liked = np.diff(shown.liked_ptr)
    own = np.bincount(row, memory.n_positive[shown.liked] - 1.0, len(shown)) / np.maximum(n_liked, 1)
    has = n_liked > 0
    width = max(len(memory.items), 1)
    likes = row * width + shown.liked

    def popularity(lists: NDArray[np.int32]) -> Floats:
        ptr, items = flattened(lists)
        of = np.repeat(np.arange(len(shown)), np.diff(ptr))
        others = memory.n_positive[items] - np.isin(of * width + items, likes)
        return np.where(has, np.bincount(of, others, len(shown)) / np.maximum(np.diff(ptr), 1), 0.0)

    plain = None if shown.by_score is None else popularity(shown.by_score)
    weight = np.where(has, own, 0.0)
    return PersonFigure(LIFT, "", popularity(shown.lists), plain, weight, int(np.count_nonzero(has)))
