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


def best_permitted(
    scores: NDArray[np.float32], listed: NDArray[np.bool_], k: int, eligible: Eligible
) -> Lists:
    """Return for each row of `eligible` its k permitted items of largest score, best first, ties by smaller index.

    scores float32[n_items], finite; listed bool[n_items]: items that may appear at all. Cost: a sort of the items, and
    O(k + forbidden items) a row.
    """
    open_to_all = np.flatnonzero(listed & (eligible.item_rule == 0))
    order = open_to_all[np.argsort(-scores[open_to_all], kind="stable")].astype(np.int32)
    out = np.empty((len(eligible), min(k, order.size)), np.int32)
    arguments = order, scores.size, eligible.ptr, eligible.item_idx, out
    threads.run_blocks(lambda start, stop: first_permitted(*arguments, start, stop), len(eligible), 4096)
    return Lists.from_padded(out, scores[np.maximum(out, 0)])
