"""RankedLists: items in ranked lists (of a group, after an item, for a user), and the best permitted ones of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shortlist import threads
from shortlist.kernels.first_of_lists import first_of_lists
from shortlist.stages import Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import Eligible


@dataclass(frozen=True, eq=False)
class Found:
    """What was taken from ranked lists: for each entry its row, which asking of that row's it answers, and where.

    row int64[m], ascending; asked int64[m]: position among all askings; place int64[m]: position in the lists; item_idx
    int32[m] and score float32[m]: what stands there.
    """

    row: NDArray[np.int64]
    asked: NDArray[np.int64]
    place: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    score: NDArray[np.float32]

    def ptr(self, n: int) -> NDArray[np.int64]:
        """Return int64[n + 1]: where the entries of each of the n rows begin."""
        return offsets(np.bincount(self.row, minlength=n))


@dataclass(frozen=True, eq=False)
class RankedLists:
    """G lists, best first: ptr int64[G + 1], item_idx int32[m] distinct within a list, score float32[m]."""

    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    score: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        group: NDArray[np.integer[Any]],
        item_idx: NDArray[np.integer[Any]],
        score: NDArray[np.floating[Any]],
        n_groups: int,
    ) -> Self:
        """Return the lists of entries in any order, ties by smaller item. Cost: O(m log m)."""
        order = np.lexsort((item_idx, -score, group))
        ptr = offsets(np.bincount(group, minlength=n_groups))
        return cls(ptr, item_idx[order].astype(np.int32), score[order].astype(np.float32))

    @classmethod
    def one(cls, order: NDArray[np.int32]) -> Self:
        """Return the one list of the items in this order, scores all 0."""
        return cls(np.array([0, order.size]), order, np.zeros(order.size, np.float32))

    def first(
        self,
        ptr: NDArray[np.int64],
        wanted: NDArray[np.int32],
        k: int,
        eligible: Eligible,
        *,
        apart: bool = True,
    ) -> Found:
        """Return the first k permitted items of each list that a row asks for.

        - ptr int64[n + 1], wanted int32[a]: the lists that each row of `eligible` asks for, most wanted first
        - apart: each item once a row, of the list asked for first; else once for each of its lists

        A list gives fewer than k only where it has no more permitted items. Cost: O(k + forbidden items) for each list
        asked for, on all threads.
        """
        longest = int((self.ptr[wanted + 1] - self.ptr[wanted]).max(initial=0))
        out = np.full((wanted.size, min(k, longest)), -1, np.int64)
        lists = self.ptr, self.item_idx, eligible.item_rule, eligible.ptr, eligible.item_idx, apart
        n_items = eligible.item_rule.size

        def block(start: int, stop: int) -> None:
            # Zeros that nobody touches cost nothing, so that one row of a large catalogue is quick.
            first_of_lists(ptr, wanted, *lists, np.zeros(n_items, np.int32), out, start, stop)

        threads.run_blocks(block, len(eligible), 4096)
        asked, rank = np.nonzero(out >= 0)
        at = out[asked, rank]
        row = np.repeat(np.arange(len(eligible)), np.diff(ptr))[asked]
        return Found(row, asked, at, self.item_idx[at], self.score[at])


def one_each(groups: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return (ptr, wanted) of rows that each ask for one list, `groups` int[n]; −1 asks for none.

    >>> one_each(np.array([2, -1, 0]))[0].tolist()
    [0, 1, 1, 2]
    """
    has = groups >= 0
    return offsets(has.astype(np.int64)), groups[has].astype(np.int32)


def best_first(
    row: NDArray[np.int64], item_idx: NDArray[np.int32], score: NDArray[np.float32], n: int
) -> tuple[Lists, NDArray[np.int64]]:
    """Return entries as the lists of `n` rows, best first, ties by smaller item; and int64[m]: where each stood."""
    order = np.lexsort((item_idx, -score, row))
    ptr = offsets(np.bincount(row, minlength=n))
    return Lists(ptr, item_idx[order], score[order]), order
