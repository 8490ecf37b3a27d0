"""Histories as sparse matrices: one row a person, one entry a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import History


def last_values(history: History, n_items: int) -> sparse.csr_array:
    """Return float32 CSR [n, n_items]: the value of the last event of each pair, indices ascending."""
    item, row, first, order = _pairs(history, n_items)
    last = np.append(first[1:], order.size)[: first.size] - 1
    return _matrix(row[first], item[first], history.value[order[last]], len(history), n_items)


def positive_values(history: History, n_items: int) -> sparse.csr_array:
    """Return float32 CSR [n, n_items]: the sum of the values of the positive events of each pair, indices ascending."""
    liked = history.where(history.positive)
    item, row, first, order = _pairs(liked, n_items)
    values = liked.value[order].astype(np.float64)
    total = np.add.reduceat(values, first) if first.size else np.zeros(0)
    return _matrix(row[first], item[first], total.astype(np.float32), len(history), n_items)


def _pairs(
    history: History, n_items: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return items and rows of the events by pair, where each pair begins, and the order they are taken in."""
    key = history.row * max(n_items, 1) + history.item_idx
    order = np.argsort(key, kind="stable")  # within a pair the events stay in the order of time
    ordered = key[order]
    first = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: ordered.size])
    return history.item_idx[order], history.row[order], first, order


def _matrix(
    row: NDArray[np.int64], item: NDArray[np.int32], value: NDArray[np.float32], n: int, n_items: int
) -> sparse.csr_array:
    return sparse.csr_array((value, item, offsets(np.bincount(row, minlength=n))), shape=(n, n_items))
