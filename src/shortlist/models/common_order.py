"""Ranking where every user has the same scores: the items are sorted once, and each user takes the first permitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.first_permitted import first_permitted
from shortlist.stages import Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import Eligible


def common_order(scores: NDArray[np.float32], listed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return int32[m]: the items for which `listed` bool[n_items] holds, largest score first, ties by smaller index.

    scores float32[n_items], finite. Cost: a sort of the items.
    """
    items = np.flatnonzero(listed)
    return items[np.argsort(-scores[items], kind="stable")].astype(np.int32)


def first_of_order(
    scores: NDArray[np.float32], order: NDArray[np.int32], k: int, eligible: Eligible
) -> Lists:
    """Return for each row of `eligible` the first k permitted items of `order` int32[m], with their scores.

    Cost: O(k + forbidden items) a row, and for several rows a look at every item.
    """
    if len(eligible) > 1:  # not past the same items for each of them
        order = order[eligible.item_rule[order] == 0]
    out = np.empty((len(eligible), min(k, order.size)), np.int32)
    arguments = order, eligible.item_rule, eligible.ptr, eligible.item_idx

    def block(start: int, stop: int) -> None:
        # Zeros that nobody touches cost nothing, so that one row of a large catalogue is quick.
        first_permitted(*arguments, np.zeros(scores.size, np.int32), out, start, stop)

    threads.run_blocks(block, len(eligible), 4096)
    return Lists.from_padded(out, scores[np.maximum(out, 0)])


def best_permitted(
    scores: NDArray[np.float32], listed: NDArray[np.bool_], k: int, eligible: Eligible
) -> Lists:
    """Return for each row of `eligible` its k permitted items of largest score, best first, ties by smaller index.

    scores float32[n_items], finite; listed bool[n_items]: items that may appear at all. Cost: a sort of the items, and
    O(k + forbidden items) a row.
    """
    return first_of_order(scores, common_order(scores, listed & (eligible.item_rule == 0)), k, eligible)
