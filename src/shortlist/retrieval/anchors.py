"""Anchors: the items of a person's past that lead to others, and which of them an item came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import History


def recent_positive(
    history: History, known: NDArray[np.bool_], recent: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Return (row, item, age from 0) of each user's last `recent` distinct positive items, newest first."""
    liked = history.where(history.positive & known[history.item_idx])
    newest_first = np.lexsort((-np.arange(liked.item_idx.size), liked.row))
    row, item = liked.row[newest_first], liked.item_idx[newest_first]
    _, first = np.unique(row * known.size + item, return_index=True)
    first.sort()
    row, item = row[first], item[first]
    age = np.arange(row.size) - offsets(np.bincount(row, minlength=len(history)))[row]
    keep = age < recent
    return row[keep], item[keep], age[keep]


def best_of_each(
    row: NDArray[np.int64], item: NDArray[np.int32], score: NDArray[np.float32], age: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the positions of the most similar, then most recent, proposal of each (row, item); −1 items dropped."""
    order = np.lexsort((age, -score, item, row))
    order = order[item[order] >= 0]
    same = (row[order][1:] == row[order][:-1]) & (item[order][1:] == item[order][:-1])
    return order[np.r_[True, ~same]] if order.size else order
