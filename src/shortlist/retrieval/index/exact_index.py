"""ExactIndex: every permitted vector compared with the query."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final

from shortlist.retrieval.index.vector_index import VectorIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.retrieval.index.indexed_items import IndexedItems
    from shortlist.stages import Eligible, Lists


@final
class ExactIndex(VectorIndex):
    """An index that finds what is best, always: see `VectorIndex` for what it takes and gives.

    Cost of a search: O(n_items · dim) a query, on all threads. The first search after a change prepares the vectors.
    """

    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters."""
        return {"measure": self.measure, "storage": self.storage}

    def _built(self, items: IndexedItems, queries: NDArray[np.float32] | None) -> None:
        self._items = items

    def _changed(
        self,
        items: IndexedItems,
        gone: NDArray[np.integer[Any]],
        fresh: NDArray[np.integer[Any]],
    ) -> None:
        self._items = items

    @contextmanager
    def _at_rest(self) -> Iterator[IndexedItems]:
        yield self._required()  # never changed, only replaced as a whole

    def _rank(
        self,
        items: IndexedItems,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        return items.best(queries, k, eligible, query_offsets)

    def _saved(self) -> tuple[IndexedItems, dict[str, Any], dict[str, NDArray[Any]]]:
        return self._required(), {}, {}

    def _restored(
        self,
        items: IndexedItems,
        values: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        self._items = items
