"""Scores of single pairs as a request has them: by the history up to its moment, and for people folded in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.exact_search import pair_scores
from shortlist.models.vectors import DotProduct, EmbeddingModel
from shortlist.stages import Eligible, Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.model import Model
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import Request

# Entries of the masks that pairs are scored by.
_BLOCK_ENTRIES = 1 << 22


def scores_by_request(
    model: Model,
    request: Request,
    row: NDArray[np.int64],
    item_idx: NDArray[np.int32],
    people: UserVectors | None = None,
) -> NDArray[np.float32]:
    """Return float32[m]: the score of each pair (row of the request, item), the same bits as on the model's lists.

    0 for people whom the model does not know and for items that it does not list. `people` are those of the request
    where they are folded in, unless the request holds them itself. What the model remembers of its users answers where
    it is what the request has of them, and the vector of a person folded in where lists are made of nothing else; else
    lists do that hold the pairs and nothing else, the one way that goes by any history.
    Cost: a product for each pair, or a list for each person.
    """
    out = np.zeros(row.size, np.float32)
    people = model.people_of(request) if people is None else people
    request = replace(request, people={})
    known = model.knows(request.user_idx) if people is None else people.known
    spoken = known[row] & model.listed_items_[item_idx]
    kept = remembered(model, request, people)[row]
    plain = np.flatnonzero(spoken & kept)
    out[plain] = model.score_pairs(request.user_idx[row[plain]], item_idx[plain])
    others = np.flatnonzero(spoken & ~kept)
    row, item_idx = row[others], item_idx[others]
    if people is not None and isinstance(model, DotProduct) and model.lists_by_vectors:
        factors = model.item_factors_, model.item_offsets_
        out[others] = pair_scores(people.vectors, people.offsets, *factors, row, item_idx)
    else:
        out[others] = _by_lists(model, request, row, item_idx, people)
    return out


def lists_of(
    model: Model,
    request: Request,
    rows: NDArray[np.int64],
    k: int,
    eligible: Eligible,
    people: UserVectors | None = None,
) -> Lists:
    """Return the model's k best items for the people at `rows`, within `eligible`, which has their rows."""
    user_idx, history = request.user_idx[rows], request.history.take(rows)
    part = replace(request, user_idx=user_idx, history=history, eligible=eligible, k=k)
    return model.rank(part) if people is None else model.rank_folded(people.take(rows), part)


def remembered(model: Model, request: Request, people: UserVectors | None) -> NDArray[np.bool_]:
    """Return bool[n]: of whom `score_pairs` says what the request would."""
    if people is not None or (request.context is not None and model.context_columns):
        return np.zeros(len(request), bool)
    if isinstance(model, EmbeddingModel) and not model.vectors_by_history:
        return np.ones(len(request), bool)  # a vector is the same at any moment
    ptr, user = model.memory_.history.ptr, np.maximum(request.user_idx, 0)
    same: NDArray[np.bool_] = np.diff(request.history.ptr) == ptr[user + 1] - ptr[user]
    return same


def _by_lists(
    model: Model,
    request: Request,
    row: NDArray[np.int64],
    item_idx: NDArray[np.int32],
    people: UserVectors | None,
) -> NDArray[np.float32]:
    out = np.zeros(row.size, np.float32)
    n_items = model.listed_items_.size
    asked, place = np.unique(row, return_inverse=True)
    size = max(1, _BLOCK_ENTRIES // max(n_items, 1))
    for start in range(0, asked.size, size):
        pairs = np.flatnonzero((place >= start) & (place < start + size))
        local, items = place[pairs] - start, item_idx[pairs]
        block = asked[start : start + size]
        k = int(np.bincount(local).max())
        lists = lists_of(model, request, block, k, _only(local, items, block.size, n_items), people)
        out[pairs] = _found(lists, local, items, n_items)
    return out


def _only(local: NDArray[np.int64], item_idx: NDArray[np.int32], n: int, n_items: int) -> Eligible:
    """Return rules by which each of `n` people may be shown the items of their pairs and nothing else."""
    forbidden = np.ones((n, n_items), bool)
    forbidden[local, item_idx] = False
    item = np.nonzero(forbidden)[1].astype(np.int32)
    ptr = offsets(forbidden.sum(axis=1))
    return Eligible(("not asked for",), np.zeros(n_items, np.int8), ptr, item, np.ones(item.size, np.int8))


def _found(
    lists: Lists, local: NDArray[np.int64], item_idx: NDArray[np.int32], n_items: int
) -> NDArray[np.float32]:
    """Return the score that each pair has on the lists, 0 where it is not on them."""
    key, wanted = lists.row * n_items + lists.item_idx, local * n_items + item_idx
    order = np.argsort(key)
    at = np.append(order, order.size)[np.searchsorted(key, wanted, sorter=order)]
    is_there = np.append(key, -1)[at] == wanted
    return np.where(is_there, np.append(lists.score, np.float32(0))[at], np.float32(0))
