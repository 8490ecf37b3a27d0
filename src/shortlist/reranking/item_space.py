"""ItemSpace: unit vectors that two items are alike by, from the vectors of a model or the labels of a column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.greedy_selection import Similar
from shortlist.kernels.unit_rows import number_labels, unit_rows_at, write_unit_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.row_labels import RowLabels


@dataclass(frozen=True, eq=False)
class ItemSpace:
    """Where items lie: a row of `vectors` float32[n_items, d] each, or the labels that they have.

    Of labels the vector has a 1 for each label of the item. All vectors are taken at length 1, so that a dot product is
    the cosine; an item of which nothing is known has a zero vector and is like no other.
    """

    of: NDArray[np.float32] | RowLabels

    def unit(self, item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32[m, d]: the vectors of the items at `item_idx` int32[m], of length 1 or 0.

        Of labels, d is the number of those that occur among these items, at least 1.
        """
        if isinstance(self.of, np.ndarray):
            rows = np.empty((item_idx.size, self.of.shape[1]), np.float32)
            unit_rows_at(self.of, item_idx, rows)
            return rows
        labels = self.of.ptr, self.of.code, item_idx
        # Zeros that nobody touches cost nothing, however many labels there are.
        column = np.zeros(self._n_labels, np.int32)
        rows = np.zeros((item_idx.size, max(number_labels(*labels, column), 1)), np.float32)
        write_unit_labels(*labels, column, rows)
        return rows

    def similar(self, item_idx: NDArray[np.int32], epsilon: float) -> Similar:
        """Return what the items at `item_idx` int32[m] are alike by, for the selection; labels as they are."""
        if isinstance(self.of, np.ndarray):
            return Similar(self.unit(item_idx), epsilon)
        mine = self.of.take(item_idx)
        return Similar(np.zeros((0, 1), np.float32), epsilon, mine.ptr, mine.code)

    @cached_property
    def _n_labels(self) -> int:
        return 0 if isinstance(self.of, np.ndarray) else int(self.of.code.max(initial=-1)) + 1
