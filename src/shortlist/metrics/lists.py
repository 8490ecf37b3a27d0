"""Recommended lists in padded form: an integer array [n_lists, width], best item first.

A place without an item holds -1, and only the end of a row may: a short list is honest, a gap is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Integers = NDArray[np.integer[Any]]

MAX_ITEM = int(np.iinfo(np.int32).max)


class SelectedLists(NamedTuple):
    """Which lists are long enough: `rows` int64[n_kept], ascending, and how many were dropped."""

    rows: NDArray[np.int64]
    n_dropped: int


def select_lists(recommended: ArrayLike, min_items: int) -> SelectedLists:
    """Return the rows whose list has at least `min_items` items, and the count of the others.

    Novelty needs 1 item, intra-list diversity 2. O(lists × width).

    Raises `ParameterError` when the lists are malformed or `min_items` < 0.

    >>> rows, n_dropped = select_lists([[4, 2], [7, -1], [-1, -1]], min_items=1)
    >>> rows.tolist(), n_dropped
    ([0, 1], 1)
    """
    if min_items < 0:
        raise ParameterError(f"min_items must be at least 0, got {min_items}")
    lengths = list_lengths(checked_lists(recommended))
    rows = np.flatnonzero(lengths >= min_items)
    return SelectedLists(rows, int(lengths.size - rows.size))


def list_lengths(recommended: ArrayLike) -> NDArray[np.int64]:
    """Return the number of items in each list, int64[n_lists], between 0 and the width.

    >>> list_lengths([[4, 2], [7, -1], [-1, -1]]).tolist()
    [2, 1, 0]
    """
    lengths: NDArray[np.int64] = np.sum(np.asarray(recommended) >= 0, axis=1, dtype=np.int64)
    return lengths


def checked_lists(recommended: ArrayLike) -> Integers:
    """Return `recommended` as an array after checking that every row is a list of distinct items.

    O(lists × width × log width).

    Raises `ParameterError` naming the row when the array is not two-dimensional and of integers, an entry is
    below -1 or beyond int32, an item follows a -1, or an item stands twice in a list.
    """
    lists = np.asarray(recommended)
    if lists.ndim != 2 or lists.shape[1] == 0:
        raise ParameterError(f"lists must have shape [n_lists, width >= 1], got {lists.shape}")
    if lists.dtype.kind != "i":
        raise ParameterError(f"lists must hold signed integer item positions, got {lists.dtype}")
    _refuse(lists > MAX_ITEM, f"row {{row}} has an item above {MAX_ITEM}; positions must fit int32")
    _refuse(lists < -1, "row {row} has an entry below -1; -1 alone marks a place without an item")
    _refuse(
        (lists[:, :-1] < 0) & (lists[:, 1:] >= 0),
        "row {row} has an item after -1; put the places without an item at the end",
    )
    # Sorted, equal items are neighbours; pads are equal neighbours too and allowed.
    ordered = np.sort(lists, axis=1)
    same = (ordered[:, :-1] == ordered[:, 1:]) & (ordered[:, 1:] >= 0)
    _refuse(same, "row {row} holds an item twice; a list must have distinct items")
    return lists


def checked_items(recommended: ArrayLike, n_items: int) -> Integers:
    """Return `recommended` checked by `checked_lists`, with every item below `n_items`."""
    lists = checked_lists(recommended)
    _refuse(lists >= n_items, f"row {{row}} holds an item that is not below n_items = {n_items}")
    return lists


def _refuse(bad: NDArray[np.bool_], message: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad.any(axis=1))[0])
        raise ParameterError("lists: " + message.format(row=row))
