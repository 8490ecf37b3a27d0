"""Vectors of items that nobody has touched, from the items of their category, maker or tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.features import FeatureTable


@dataclass(frozen=True, eq=False)
class Groups:
    """Who has which label in one column: multi-hot float64 CSR [rows, labels], and the sorted `labels`."""

    membership: sparse.csr_array
    labels: list[str]

    @classmethod
    def of(cls, table: FeatureTable, column: str) -> Groups:
        """Return the groups of the rows of `table`; raise `ParameterError` unless `column` is categorical or tags."""
        membership, labels = table.tags(column)
        return cls(membership.astype(np.float64), labels)

    def means(self, vectors: NDArray[np.float32], counted: NDArray[np.bool_]) -> GroupMeans:
        """Return the means of `vectors` float32[rows, d] over the rows that `counted` bool[rows] holds for.

        Labels of none of them are left out. Sums are float64.
        """
        weight = counted.astype(np.float64)
        size, total = self.membership.T @ weight, self.membership.T @ (vectors * weight[:, None])
        kept = np.flatnonzero(size > 0)
        return GroupMeans(
            [self.labels[at] for at in kept], (total[kept] / size[kept, None]).astype(np.float32)
        )


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """The mean vector float32[n_labels, d] of the items that have each of `labels`."""

    labels: list[str]
    vectors: NDArray[np.float32]

    def vectors_of(self, groups: Groups) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a vector float32[rows, d] for each row of `groups`, and bool[rows]: whether it has a label known here.

        A row of one label gets that label's mean; one of several the mean of their means, each weighing the same. A row
        without a known label gets zeros.
        """
        place = {label: at for at, label in enumerate(self.labels)}
        known = np.array([place.get(label, -1) for label in groups.labels], np.int64)
        chosen = groups.membership[:, np.flatnonzero(known >= 0)]
        size = chosen @ np.ones(chosen.shape[1])
        total = chosen @ self.vectors[known[known >= 0]].astype(np.float64)
        return (total / np.maximum(size, 1)[:, None]).astype(np.float32), size > 0
