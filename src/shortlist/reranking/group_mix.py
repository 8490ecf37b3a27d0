"""The groups of items, those without one in a group of their own, and the mix of groups that some items have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_GROUP = "(none)"


def groups_of(labels: RowLabels) -> RowLabels:
    """Return `labels` with one more label at the end, `NO_GROUP`, for the items that have none."""
    length = np.diff(labels.ptr)
    lone = np.flatnonzero(length == 0)
    row = np.concatenate([labels.row, lone])
    code = np.concatenate([labels.code, np.full(lone.size, len(labels.labels), np.int32)])
    order = np.argsort(row, kind="stable")
    return RowLabels(labels.column, (*labels.labels, NO_GROUP), offsets(np.maximum(length, 1)), code[order])


def mix_of(groups: RowLabels, item_idx: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return float64[n_groups], of sum 1: the mean over the items of 1/|G_i| for each group of item i; 0 of no item.

    >>> groups = RowLabels("genre", ("a", "b"), np.array([0, 1, 3]), np.array([0, 0, 1], np.int32))
    >>> mix_of(groups, np.array([0, 1], np.int32)).tolist()  # a: (1 + 1/2) / 2
    [0.75, 0.25]
    """
    mix: NDArray[np.float64] = mixes_of(groups, np.array([0, item_idx.size]), item_idx)[0]
    return mix


def mixes_of(groups: RowLabels, ptr: NDArray[np.int64], item_idx: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return float64[n, n_groups]: the mix of the items of each of n lists, ptr int64[n + 1] and item_idx int32[m]."""
    mine, length = groups.take(item_idx), ptr[1:] - ptr[:-1]
    size, n_groups = mine.ptr[1:] - mine.ptr[:-1], len(groups.labels)
    row = np.repeat(np.repeat(np.arange(length.size), length), size)
    share = np.repeat(1.0 / np.maximum(size, 1), size)
    total = np.bincount(row * n_groups + mine.code, share, length.size * n_groups)
    mixes: NDArray[np.float64] = total.reshape(length.size, n_groups) / np.maximum(length, 1)[:, None]
    return mixes
