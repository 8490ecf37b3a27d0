"""Recall of an index: how much of what exact search finds it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.stages import Eligible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.retrieval.index.indexed_items import IndexedItems
    from shortlist.stages import Lists


def recall_of(found: Lists, exact: Lists) -> float:
    """Return the share in [0, 1] of the places of the `exact` lists that `found` filled as well; 1 without places.

    An item that scores as much as the last one of the exact list counts: which of several equal items is found is no
    matter of recall.

    >>> from shortlist.stages import Lists
    >>> lists = lambda item: Lists(np.array([0, 2]), np.array(item, np.int32), np.array([2, 1], np.float32))
    >>> recall_of(lists([4, 7]), lists([4, 9]))
    1.0
    """
    places = np.diff(exact.ptr)
    if not places.sum():
        return 1.0
    last = np.full(len(exact), np.inf, np.float32)
    some = places > 0
    last[some] = exact.score[exact.ptr[1:][some] - 1]
    hits = np.bincount(found.row[found.score >= last[found.row]], minlength=len(exact))
    return float(np.minimum(hits, places).sum() / places.sum())


def sampled_queries(
    items: IndexedItems, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Eligible]:
    """Return the vectors of `n` items as queries, each of which may not find itself."""
    chosen = np.sort(rng.choice(len(items), min(n, len(items)), replace=False))
    itself = Eligible(
        ("itself",),
        np.zeros(len(items), np.int8),
        np.arange(chosen.size + 1),
        chosen.astype(np.int32),
        np.ones(chosen.size, np.int8),
    )
    return items.vectors.decoded(chosen), itself
