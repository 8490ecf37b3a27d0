"""Lists by a weighted sum of models, exact, found from the models' own lists: users × items never stands in memory.

This is the threshold algorithm of Fagin, Lotem and Naor 2003, "Optimal aggregation algorithms for middleware"
(section 4): an item on none of the lists down to some depth scores at most the weighted sum of where the lists end
there, so once k items score more than that, they are the best. Deviation: lists are taken whole, to a depth that grows
for the people who need it, not item by item. The bound is summed in the same order as the scores, so that rounding
cannot hide an item.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.scores_by_request import lists_of, scores_by_request
from shortlist.stages import Eligible, Lists, distinct, offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.models.model import Model
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import Request

_FIRST_DEPTH = 100
_DEPTH_PER_ITEM = 2
_DEEPER = 4
# Entries of all lists of one block of people.
_BLOCK_ENTRIES = 1 << 19


@dataclass(frozen=True, eq=False)
class Voice:
    """A fitted model and its weight > 0, asked about the people of one request; `people` where they are folded in.

    It speaks of people that it knows and of items that it lists; to everything else it gives 0.
    """

    model: Model
    weight: float
    request: Request
    people: UserVectors | None = None

    def lists(self, rows: NDArray[np.int64], k: int, eligible: Eligible) -> Lists:
        """Return the model's k best items for the people at `rows`, within `eligible`, which has their rows."""
        return lists_of(self.model, self.request, rows, k, eligible, self.people)

    def scores(self, row: NDArray[np.int64], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32[m]: the score of each pair (row of the request, item), the same bits as in `lists`."""
        return scores_by_request(self.model, self.request, row, item_idx, self.people)

    def unit(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return float64[n]: what the scores of the people at `rows` are divided by, whatever they may be shown.

        Their best score among items that their history does not hold (among all items for a model that lists nothing
        else), and 1 where that is not above 0.
        """
        history = self.request.history.take(rows)
        new = Eligible.of(self.model.known_items_.size, history, exclude_seen=not self.model.only_past)
        return best_of_each(self.lists(rows, 1, new))

    @cached_property
    def is_limited(self) -> bool:
        """Return whether `unit` is not simply the first of each list: the request allows other items."""
        mine, item_rule = self.request.eligible, self.request.eligible.item_rule
        new = Eligible.of(item_rule.size, self.request.history, exclude_seen=not self.model.only_past)
        same = np.array_equal(mine.ptr, new.ptr) and np.array_equal(mine.item_idx, new.item_idx)
        return bool(item_rule.any()) or not same


@dataclass(frozen=True, eq=False)
class Pool:
    """Items of people with what each voice gives them: row int64[m], item_idx int32[m], both ascending; scaled [m, V].

    ends float64[n, V]: what an item that is not in the pool has at most from each voice; exhausted bool[n]: no further
    item is on any list.
    """

    row: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    scaled: NDArray[np.float64]
    ends: NDArray[np.float64]
    exhausted: NDArray[np.bool_]


def blended_lists(voices: Sequence[Voice], request: Request) -> Lists:
    """Return the request's k best items by the weighted sum of `voices`, best first, ties by smaller index.

    Cost: a list of each model to the depth needed, and a score of each listed item by the models that do not list it.
    """
    n, n_items = len(request), request.eligible.item_rule.size
    k = min(request.k, n_items)
    index, score = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
    units = np.empty((n, len(voices)))
    todo, depth, first = np.arange(n if k else 0), max(_FIRST_DEPTH, _DEPTH_PER_ITEM * k), True
    while todo.size:
        block_size = max(64, _BLOCK_ENTRIES // (depth * len(voices)))
        left = []
        for start in range(0, todo.size, block_size):
            rows = todo[start : start + block_size]
            pool = pool_of(voices, request, rows, min(depth, n_items), units, find_units=first)
            done = _fill(pool, voices, rows, index, score)
            left.append(rows[~done])
        todo, depth, first = np.concatenate(left), depth * _DEEPER, False
    return Lists.from_padded(index, score)


def pool_of(
    voices: Sequence[Voice],
    request: Request,
    rows: NDArray[np.int64],
    depth: int,
    units: NDArray[np.float64],
    *,
    find_units: bool = True,
) -> Pool:
    """Return what the lists of `voices` hold for the people at `rows` down to `depth`.

    `units` float64[len(request), V] is what scores are divided by; its `rows` are written first where `find_units`.
    """
    eligible = request.eligible.rows(rows)
    lists = [voice.lists(rows, depth, eligible) for voice in voices]
    if find_units:
        for v, voice in enumerate(voices):
            units[rows, v] = voice.unit(rows) if voice.is_limited else best_of_each(lists[v])
    n_items = max(request.eligible.item_rule.size, 1)
    keys = [some.row * n_items + some.item_idx for some in lists]
    union = distinct(np.concatenate(keys))
    row, item_idx = union // n_items, (union % n_items).astype(np.int32)
    scaled, ends = np.empty((union.size, len(voices))), np.zeros((rows.size, len(voices)))
    for v, voice in enumerate(voices):
        scores = _completed(voice, lists[v], np.searchsorted(union, keys[v]), rows[row], item_idx)
        scaled[:, v] = scores / units[rows[row], v]
        ends[:, v] = _end_of_each(lists[v], depth) / units[rows, v]
    ended = np.all([np.diff(some.ptr) < depth for some in lists], axis=0)
    return Pool(row, item_idx, scaled, ends, ended | (depth >= n_items))


def weighted_sum(voices: Sequence[Voice], scaled: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return float32[m]: Σ_v weight · scaled [m, V], summed in float64 in the order of the voices."""
    total = np.zeros(len(scaled))
    for v, voice in enumerate(voices):
        total += voice.weight * scaled[:, v]
    return total.astype(np.float32)


def best_of_each(lists: Lists) -> NDArray[np.float64]:
    """Return float64[n]: the first score of each list; 1 where that is not above 0, or there is none."""
    best = np.ones(len(lists))
    filled = np.flatnonzero(np.diff(lists.ptr))
    best[filled] = lists.score[lists.ptr[filled]]
    return np.where(best > 0, best, 1.0)


def _fill(
    pool: Pool,
    voices: Sequence[Voice],
    rows: NDArray[np.int64],
    index: NDArray[np.int32],
    score: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Write the best of the pool to `index` and `score` at `rows`; return whose list is certain."""
    k = index.shape[1]
    blended = weighted_sum(voices, pool.scaled)
    order = np.lexsort((pool.item_idx, -blended, pool.row))
    length = np.bincount(pool.row, minlength=rows.size)
    ranked = Lists(offsets(length), pool.item_idx[order], blended[order])
    first = ranked.rank <= k
    at = rows[ranked.row[first]], ranked.rank[first] - 1
    index[at], score[at] = ranked.item_idx[first], ranked.score[first]
    # An item that ties with the bound could come before by its index: it is looked for.
    last, beyond = score[rows, k - 1], weighted_sum(voices, pool.ends)
    certain: NDArray[np.bool_] = (length >= k) & (last > beyond)
    return certain | pool.exhausted


def _completed(
    voice: Voice, lists: Lists, at: NDArray[np.int64], row: NDArray[np.int64], item_idx: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the voice's score of each pair: those `at` which its own lists stand from there, the others asked for."""
    scores = np.empty(row.size, np.float32)
    asked = np.ones(row.size, bool)
    scores[at], asked[at] = lists.score, False
    scores[asked] = voice.scores(row[asked], item_idx[asked])
    return scores


def _end_of_each(lists: Lists, depth: int) -> NDArray[np.float64]:
    """Return float64[n]: what a further item scores at most: as the last one, or 0 if it may not be spoken of."""
    full = np.flatnonzero(np.diff(lists.ptr) == depth)
    ends = np.zeros(len(lists))
    ends[full] = np.maximum(lists.score[lists.ptr[full + 1] - 1], 0)
    return ends
