"""Preferences: how much each item of a person's history says of what they like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from shortlist.models.score_rows import positive_items
from shortlist.stages import History, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weigh = Literal["liked", "rating"]


@dataclass(frozen=True)
class Preferences:
    """Weights of the items of a history.

    "liked": 1 for each item with a positive event. "rating": y − m for the last value y of each item, where
    m = (Σy + s·μ) / (n + s) is the mean of the person's last values, shrunk to μ with s ratings.
    """

    weigh: Weigh
    mean: float
    shrinkage: float

    def of(self, history: History, n_items: int) -> sparse.csr_array:
        """Return float64 CSR [n, n_items], indices ascending in each row; every weight depends on its row alone."""
        if self.weigh == "liked":
            liked = positive_items(history, n_items)
            return sparse.csr_array((liked.data.astype(np.float64), liked.indices, liked.indptr), liked.shape)
        values = last_values(history, n_items)
        row = np.repeat(np.arange(len(history)), np.diff(values.indptr))
        total = np.bincount(row, values.data, len(history)) + self.shrinkage * self.mean
        count = np.bincount(row, minlength=len(history)) + self.shrinkage
        values.data -= total[row] / count[row]
        return values


def last_values(history: History, n_items: int) -> sparse.csr_array:
    """Return float64 CSR [n, n_items]: the last value of each item of each person, indices ascending. O(m log m)."""
    key = history.row * max(n_items, 1) + history.item_idx
    order = np.argsort(key, kind="stable")
    last = order[np.append(np.diff(key[order]) != 0, True)[: order.size]]
    ptr = offsets(np.bincount(history.row[last], minlength=len(history)))
    entries = history.value[last].astype(np.float64), history.item_idx[last], ptr
    return sparse.csr_array(entries, shape=(len(history), n_items))


def with_stated(history: History, stated: NDArray[np.integer[Any]], n_items: int) -> History:
    """Return `history` with one item more for each person whose `stated` int[n] is not −1: number n_items + stated.

    What a person states of their taste thus travels with their events, and stands behind them. Times are left out.
    """
    has = np.flatnonzero(stated >= 0)
    ptr: NDArray[np.int64] = history.ptr + offsets((stated >= 0).astype(np.int64))
    end = history.ptr[1:][has]
    item = np.insert(history.item_idx, end, stated[has].astype(np.int32) + n_items)
    value, positive = np.insert(history.value, end, 0), np.insert(history.positive, end, True)
    return History(ptr, item, value, positive, None)


def stated_in(history: History, n_items: int) -> tuple[History, NDArray[np.int64]]:
    """Return the history without what `with_stated` added, and what that was: int64[n], −1 where nothing."""
    added = history.item_idx >= n_items
    stated = np.full(len(history), -1, np.int64)
    stated[history.row[added]] = history.item_idx[added] - n_items
    return history.where(~added), stated


def beside(
    weights: sparse.csr_array, stated: NDArray[np.int64], weight: float, n_stated: int
) -> sparse.csr_array:
    """Return `weights` [n, c] with `n_stated` columns more: `weight` in column c + stated[r] of row r (−1: nowhere)."""
    has = stated >= 0
    more = (np.full(int(has.sum()), weight), stated[has], offsets(has.astype(np.int64)))
    added = sparse.csr_array(more, shape=(weights.shape[0], n_stated))
    joined: sparse.csr_array = sparse.hstack([weights, added], format="csr")
    return joined
