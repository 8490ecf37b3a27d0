"""LabelMasks: which items have any of some labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.row_labels import RowLabels

# Masks kept, of a byte an item each: enough for the countries that most requests come from.
MOST_MASKS = 64


class LabelMasks:
    """The items of each label of a column, and masks of those that have any of a set of labels.

    `tagged` bool[n_items]: which items have a label at all. The masks made last are kept, at most `MOST_MASKS`.
    """

    def __init__(self, items: RowLabels) -> None:
        order = np.argsort(items.code, kind="stable")
        self._item = items.row[order].astype(np.int32)
        self._ptr = offsets(np.bincount(items.code, minlength=len(items.labels)))
        self.tagged: NDArray[np.bool_] = np.diff(items.ptr) > 0
        self._masks: dict[bytes, NDArray[np.bool_]] = {}

    def items_of(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return int32[m]: the distinct items that have any of the labels `codes`, ascending."""
        parts = [self._item[self._ptr[code] : self._ptr[code + 1]] for code in codes.tolist()]
        if len(parts) == 1:
            return parts[0]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int32)

    def n_items_of(self, codes: NDArray[np.int32]) -> int:
        """Return how many items have any of the labels, those that have several counted as often."""
        return int((self._ptr[codes + 1] - self._ptr[codes]).sum())

    def having(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool[n_items], not to be written to: the items that have any of the labels `codes`."""
        key = codes.tobytes()
        mask = self._masks.get(key)
        if mask is None:
            mask = np.zeros(self.tagged.size, bool)
            for code in codes.tolist():
                mask[self._item[self._ptr[code] : self._ptr[code + 1]]] = True
            if len(self._masks) >= MOST_MASKS:
                self._masks = {}  # a new one, since other threads may be reading the old
            self._masks[key] = mask
        return mask
