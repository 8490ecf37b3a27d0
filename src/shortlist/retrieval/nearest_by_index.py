"""NearestByIndex: most of the items most similar to an item, by an approximate index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError
from shortlist.retrieval.index.approximate_index import ApproximateIndex
from shortlist.stages import Eligible, Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.retrieval.compared_items import ComparedItems


class NearestByIndex:
    """An `ApproximateIndex` over the vectors that items are compared by; small catalogues are searched exactly there.

    `recall` is the share of the most similar items that it finds, measured on a sample. Scores are those of an exact
    search, bit for bit. Raises `ParameterError` where items are not compared by vectors.
    """

    def __init__(self, compared: ComparedItems, target_recall: float, recall_at: int) -> None:
        if compared.search is None:
            raise ParameterError(
                f"target_recall={target_recall}: {type(compared.model).__name__} compares items by a measure of its "
                "own, not by vectors, and is exact; leave it out"
            )
        catalogue = compared.search.catalogue
        self._known = np.flatnonzero(compared.known).astype(np.int32)
        self._vectors = catalogue.items
        self._index = ApproximateIndex(
            "euclidean" if catalogue.euclidean else "dot", target_recall=target_recall, recall_at=recall_at
        )
        if self._known.size:
            self._index.build(self._vectors[self._known])

    @property
    def recall(self) -> float:
        """Return the measured share; 1 where search is exact."""
        return 1.0 if self._index.recall_ is None else self._index.recall_

    def nearest(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        """Return what `ComparedItems.nearest` returns, most of it."""
        own = np.searchsorted(self._known, item_idx).astype(np.int32)
        nobody, itself = np.zeros(self._known.size, np.int8), np.ones(own.size, np.int8)
        others = Eligible(("itself",), nobody, np.arange(own.size + 1), own, itself)
        found = self._index.rank(self._vectors[item_idx], k, others)
        return Lists(found.ptr, self._known[found.item_idx], found.score)
