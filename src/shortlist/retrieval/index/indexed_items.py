"""IndexedItems: ids and vectors of an index at one moment; every change makes another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from shortlist.data.vocabulary import id_series
from shortlist.errors import DataError
from shortlist.models.exact_search import ItemSearch
from shortlist.models.model import Model
from shortlist.retrieval.index.exact_among import best_among
from shortlist.retrieval.index.item_ids import ItemIds, require_distinct
from shortlist.retrieval.index.stored_vectors import StoredVectors, as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id
    from shortlist.retrieval.index.stored_vectors import IndexMeasure, Storage
    from shortlist.stages import Eligible, Lists

# From this share of permitted items downward these are gathered and searched alone.
_FEW = 1 / 16


@dataclass(frozen=True, eq=False)
class IndexedItems:
    """The ids and vectors of n items, aligned, and the `space` of the model that the vectors are of (or None)."""

    ids: ItemIds
    vectors: StoredVectors
    space: str | None

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.floating],
        ids: Iterable[Id] | None,
        *,
        offsets: NDArray[np.floating] | None,
        measure: IndexMeasure,
        storage: Storage,
        space: Model | str | None = None,
    ) -> Self:
        """Return the items with what is wrong refused: see `ItemIds.of` and `StoredVectors.of`."""
        matrix = as_matrix(vectors, "vectors")
        own = ItemIds.of(ids, matrix.shape[0])
        stored = StoredVectors.of(matrix, own.ids, offsets=offsets, measure=measure, storage=storage)
        return cls(own, stored, space.space if isinstance(space, Model) else space)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _prepared(self) -> ItemSearch:
        vectors = self.vectors
        return ItemSearch(vectors.codes, vectors.offsets, euclidean=vectors.measure == "euclidean")

    def best(
        self, queries: NDArray[np.float32], k: int, eligible: Eligible, query_offsets: NDArray[np.float32]
    ) -> Lists:
        """Return for each query its k best permitted items, best first, ties by smaller position.

        Cost: O(n · permitted · dim) time. float32 vectors are prepared at the first search of many; of other storages
        what may be found is decoded block by block.
        """
        if self.vectors.storage == "float32" and eligible.n_open > _FEW * len(self):
            return self._prepared.search(queries, k, eligible, query_offsets=query_offsets)
        permitted = np.flatnonzero(eligible.item_rule == 0)
        return best_among(self.vectors, permitted, queries, k, eligible, query_offsets)

    def added(self, more: IndexedItems) -> IndexedItems:
        """Return these items and behind them `more`. Raises `DataError` for ids that are there already."""
        return replace(
            self, ids=self.ids.followed_by(more.ids), vectors=self.vectors.followed_by(more.vectors)
        )

    def replaced(self, others: IndexedItems) -> tuple[IndexedItems, NDArray[np.int32]]:
        """Return the items with the vectors of `others`, by id, and their positions. Raises `UnknownIdError`."""
        at = self.ids.positions(others.ids.ids)
        return replace(self, vectors=self.vectors.with_rows(at, others.vectors)), at

    def removed(self, ids: Iterable[Id]) -> tuple[IndexedItems, NDArray[np.int32]]:
        """Return the items without those of `ids`, and the positions they had.

        Raises `UnknownIdError` for an id that is not there, `DataError` for one that is given twice.
        """
        wanted = id_series(ids)
        at = self.ids.positions(wanted)
        require_distinct(wanted)
        kept = np.delete(np.arange(len(self)), at)
        return replace(self, ids=self.ids.keep(kept), vectors=self.vectors.take(kept)), at


def require_some(items: IndexedItems) -> IndexedItems:
    """Return `items`; raise `DataError` where there is none."""
    if not len(items):
        raise DataError("an index is built from at least one vector; start without any and `add` them later")
    return items
