"""KeyedItems: items with the keys that a graph knows them by, which never mean another vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.retrieval.index.indexed_items import IndexedItems


@dataclass(frozen=True, eq=False)
class KeyedItems:
    """Items at one moment, and which vector of a graph is whose.

    - key int64[n]: of the item at each position
    - position int32[n_keys]: of each key up to then, −1 where its vector is none of these items'
    """

    items: IndexedItems
    key: NDArray[np.int64]
    position: NDArray[np.int32]

    @classmethod
    def of(cls, items: IndexedItems, key: NDArray[np.int64], n_keys: int) -> Self:
        """Return `items` with their keys, all below `n_keys`."""
        position = np.full(n_keys, -1, np.int32)
        position[key] = np.arange(key.size, dtype=np.int32)
        return cls(items, key, position)

    def changed(
        self,
        items: IndexedItems,
        gone: NDArray[np.integer[Any]],
        fresh: NDArray[np.integer[Any]],
        first_key: int,
    ) -> KeyedItems:
        """Return `items`, which are these without those at `gone` and with new vectors at `fresh`.

        The keys of the new vectors go up from `first_key`. Positions that are in both are items whose vector is
        replaced.
        """
        replaced = np.intersect1d(gone, fresh)
        kept = np.delete(self.key, np.setdiff1d(gone, replaced))
        key = np.empty(len(items), np.int64)
        key[: kept.size] = kept
        key[fresh] = first_key + np.arange(fresh.size)
        return KeyedItems.of(items, key, first_key + fresh.size)
