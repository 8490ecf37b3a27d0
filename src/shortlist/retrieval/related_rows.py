"""Rows of related items, how far each can be trusted, and what becomes of them when items change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from shortlist.retrieval.compared_items import ComparedItems
    from shortlist.stages import Lists

    OnBlock = Callable[[int, int], object]

BLOCK_ITEMS = 8192
BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class RelatedRows:
    """item_idx int32[n_items, width] and score float32[n_items, width], best first, −1 and 0 at the unused end.

    A row holds the best items there are, as many as it holds; whole bool[n_items]: it holds all that there are.
    """

    item_idx: NDArray[np.int32]
    score: NDArray[np.float32]
    whole: NDArray[np.bool_]

    @classmethod
    def empty(cls, n_items: int, width: int) -> Self:
        """Return rows that hold nothing."""
        shape = (n_items, width)
        return cls(np.full(shape, -1, np.int32), np.zeros(shape, np.float32), np.zeros(n_items, bool))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the rows whose `arrays()` these are."""
        return cls(arrays["item_idx"], arrays["score"], arrays["whole"])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name."""
        return {"item_idx": self.item_idx, "score": self.score, "whole": self.whole}

    @property
    def width(self) -> int:
        """Return how many items a row can hold."""
        return int(self.item_idx.shape[1])

    def set(self, rows: NDArray[np.int32], lists: Lists, n_others: int) -> None:
        """Put the lists of `rows` int32[n] in their places; there are `n_others` items to choose from."""
        self.item_idx[rows], self.score[rows] = -1, 0
        self.item_idx[rows[lists.row], lists.rank - 1] = lists.item_idx
        self.score[rows[lists.row], lists.rank - 1] = lists.score
        self.whole[rows] = np.diff(lists.ptr) == n_others

    def lasts(self, n: int) -> NDArray[np.bool_]:
        """Return bool[n_items]: whether the best `n` of a row are known to be on it."""
        lasts: NDArray[np.bool_] = self.whole | ((self.item_idx >= 0).sum(axis=1) >= n)
        return lasts


def related_rows(
    compared: ComparedItems,
    width: int,
    on_block: OnBlock | None = None,
    nearest: Callable[[NDArray[np.int32], int], Lists] | None = None,
) -> RelatedRows:
    """Return the rows of all items that can be compared, searched in blocks; see `search_rows`."""
    rows = RelatedRows.empty(compared.known.size, width)
    search_rows(rows, compared, np.flatnonzero(compared.known).astype(np.int32), on_block, nearest)
    return rows


def search_rows(
    rows: RelatedRows,
    compared: ComparedItems,
    items: NDArray[np.int32],
    on_block: OnBlock | None,
    nearest: Callable[[NDArray[np.int32], int], Lists] | None = None,
) -> None:
    """Fill the rows of `items` by searching the whole catalogue.

    on_block: called with (items done, in all); nearest: searches in place of `compared.nearest`
    """
    n_others, search = int(compared.known.sum()) - 1, nearest or compared.nearest
    for start in range(0, items.size, BLOCK_ITEMS):
        block = items[start : start + BLOCK_ITEMS]
        rows.set(block, search(block, rows.width), n_others)
        if on_block is not None:
            on_block(start + block.size, items.size)


def renewed(
    rows: RelatedRows, position: NDArray[np.int32], same: NDArray[np.bool_], compared: ComparedItems
) -> RelatedRows:
    """Return the rows of the items that `same` bool[n_before] says are unchanged, as they are among those of now.

    `position` int32[n_before] is where an item of before is now, −1: nowhere. A row keeps its unchanged items, the
    changed and new ones enter by their scores, and it ends where an item that it does not hold could come next. Rows
    of changed and new items hold nothing.
    """
    moved = np.where(same, position, -1).astype(np.int32)
    stay = np.flatnonzero(same)
    now = RelatedRows.empty(compared.known.size, rows.width)
    changed = compared.known.copy()
    changed[moved[stay]] = False
    entering = np.flatnonzero(changed).astype(np.int32)
    for start in range(0, stay.size, BLOCK_ROWS):
        block = stay[start : start + BLOCK_ROWS]
        _renew(rows, block, moved, entering, compared, now)
    return now


def _renew(
    rows: RelatedRows,
    block: NDArray[np.intp],
    moved: NDArray[np.int32],
    entering: NDArray[np.int32],
    compared: ComparedItems,
    now: RelatedRows,
) -> None:
    """Fill the rows of `now` that come from the rows `block` of before."""
    width, to = rows.width, moved[block]
    before, score, whole = rows.item_idx[block], rows.score[block], rows.whole[block]
    kept = np.where(before >= 0, moved[np.maximum(before, 0)], -1)
    more = compared.nearest_among(to, entering, width)
    items = np.concatenate([kept, more.padded(width)], axis=1)
    scores = np.concatenate([score, _padded_scores(more, width)], axis=1)
    # Best first, ties by position; what is no item comes last.
    order = np.lexsort((items, -scores, items < 0), axis=1)[:, :width]
    items, scores = np.take_along_axis(items, order, axis=1), np.take_along_axis(scores, order, axis=1)
    n_left = (kept >= 0).sum(axis=1) + entering.size
    held = (items >= 0) & (whole[:, None] | _above_the_cut(before, kept, score, items, scores))
    now.item_idx[to], now.score[to] = np.where(held, items, -1), np.where(held, scores, 0)
    now.whole[to] = whole & (n_left <= width)


def _above_the_cut(
    before: NDArray[np.int32],
    kept: NDArray[np.int32],
    score: NDArray[np.float32],
    items: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return bool[n, width]: the items that come before everything which the row of before did not hold.

    What it did not hold came after its last item. Where that one is gone, ties with it are left out, for which item
    comes first among them is not known.
    """
    n_held = (before >= 0).sum(axis=1)
    row, last = np.arange(before.shape[0]), np.maximum(n_held - 1, 0)
    cut, cut_item = score[row, last][:, None], kept[row, last][:, None]
    above: NDArray[np.bool_] = (scores > cut) | ((scores == cut) & (items <= cut_item))
    named: NDArray[np.bool_] = above & (n_held > 0)[:, None]
    return named


def _padded_scores(lists: Lists, width: int) -> NDArray[np.float32]:
    scores = np.zeros((len(lists), width), np.float32)
    scores[lists.row, lists.rank - 1] = lists.score
    return scores
