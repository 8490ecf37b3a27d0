"""ItemSpace: unit vectors that two items are alike by, from the vectors of a model or the labels of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.vectors import unit_rows

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
            return unit_rows(self.of[item_idx])
        mine = self.of.take(item_idx)
        present, column = np.unique(mine.code, return_inverse=True)
        dense = np.zeros((item_idx.size, max(present.size, 1)), np.float32)
        dense[mine.row, column] = 1.0
        return unit_rows(dense)
