"""Ranking by whole rows of scores, for models that score a person by the items of their past.

Such a model is a function from histories to rows over all items. Rows are made for a block of people at a time, so that
users × items never stands in memory, and each row depends on nothing but its own history: one person alone gets, bit
for bit, what a batch gives. Since the history is the request's, `at=` and people folded in need nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.kernels.distinct_items import close_up, distinct_items
from shortlist.kernels.topk import select_rows
from shortlist.models.fold_in import at_known_items
from shortlist.models.vectors import UserVectors
from shortlist.stages import History, Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.memory import Memory
    from shortlist.models.model import Model
    from shortlist.stages import Request

NOTHING = np.float32(-np.inf)
"""In a row of scores: the model has nothing to say about this item for this person, so it is not listed."""

RowsOf = Callable[[History], "NDArray[np.float32]"]
"""Histories of b people → float32[b, n_items], finite or `NOTHING`."""

# Scores of one block: 4 MiB stays near the cache of one core.
_BLOCK_SCORES = 1 << 20


def rank_rows(rows_of: RowsOf, request: Request, listed: NDArray[np.bool_]) -> Lists:
    """Return the k best permitted items of `listed` bool[n_items] for each person, best first, ties by smaller index.

    Items that the row says `NOTHING` about are left off. Cost: the rows, one pass over them, and O(threads · 2²⁰)
    memory, a row of n_items at least.
    """
    return rank_blocks(lambda rows: rows_of(request.history.take(rows)), request, listed)


def rank_blocks(
    scores_of: Callable[[NDArray[np.int64]], NDArray[np.float32]], request: Request, listed: NDArray[np.bool_]
) -> Lists:
    """Return what `rank_rows` does, of scores that need not go by histories.

    `scores_of` gives float32[b, n_items] for rows int64[b] of the request, each row of it whatever the others are.
    """
    n, k = len(request), min(request.k, listed.size)
    index, score = np.full((n, k), -1, np.int32), np.zeros((n, k), np.float32)
    blocked = (request.eligible.item_rule != 0) | ~listed

    def block(start: int, stop: int) -> None:
        rows = np.arange(start, stop)
        own = request.eligible.rows(rows)
        scores = scores_of(rows)
        count = np.empty(rows.size, np.int64)
        best, at = score[start:stop], index[start:stop]
        select_rows(scores, blocked, own.ptr, own.item_idx, best, at, count)
        at[(np.arange(k) >= count[:, None]) | (best == NOTHING)] = -1

    if k > 0:
        threads.run_blocks(block, n, _rows_a_block(listed.size))
    return Lists.from_padded(index, score)


def score_rows(
    rows_of: RowsOf, memory: Memory, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return float32[m]: the score of each pair of a user of the training data and an item, as `rank_rows` has it.

    0 where the model has nothing to say. Cost: a row for each distinct user.
    """
    users, row = np.unique(user_idx, return_inverse=True)
    # Pairs in the order of their rows, so that a block of rows answers a run of pairs.
    order = np.argsort(row, kind="stable")
    ptr = offsets(np.bincount(row, minlength=users.size))
    out = np.empty(user_idx.size, np.float32)

    def block(start: int, stop: int) -> None:
        scores = rows_of(memory.history.take(users[start:stop]))
        pairs = order[ptr[start] : ptr[stop]]
        found = scores[row[pairs] - start, item_idx[pairs]]
        out[pairs] = np.where(found == NOTHING, np.float32(0), found)

    threads.run_blocks(block, users.size, _rows_a_block(len(memory.items)))
    return out


def history_vectors(events: Dataset, model: Model) -> UserVectors:
    """Return the people of `events` for a model that needs nothing of them but their history: vectors float32[n, 0].

    Items are matched by id; those that the model does not know say nothing. Known are people with a positive event at
    an item that it knows. Raises `DataError` unless the values mean what they did in training.
    """
    log = at_known_items(events, model.memory_)
    said = log.where(log.positive & model.known_items_[log.item_idx])
    known = np.bincount(said.user_idx, minlength=log.n_users) > 0
    empty = np.zeros((log.n_users, 0), np.float32)
    zeros = np.zeros(log.n_users, np.float32)
    return UserVectors(empty, zeros, known, events.users.ids, log.history(), model.space)


def positive_items(history: History, n_items: int) -> sparse.csr_array:
    """Return float32 CSR [n, n_items]: a 1 for each item that the person has a positive event with, indices ascending.

    Cost: O(m) for m events, and a sort of each history whose items do not ascend.
    """
    n = len(history)
    found, count = np.empty(history.item_idx.size, np.int32), np.zeros(n, np.int64)
    events = history.ptr, history.item_idx, history.positive
    threads.run_blocks(lambda start, stop: distinct_items(*events, found, count, start, stop), n)
    ptr = offsets(count)
    item = found
    if ptr[-1] < found.size:
        item = np.empty(ptr[-1], np.int32)
        threads.run_blocks(lambda start, stop: close_up(history.ptr, found, ptr, item, start, stop), n)
    return sparse.csr_array((np.ones(item.size, np.float32), item, ptr), shape=(n, n_items))


def _rows_a_block(n_items: int) -> int:
    return max(1, min(256, _BLOCK_SCORES // max(n_items, 1)))
