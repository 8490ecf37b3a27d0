"""What a rating is expected to be before any neighbour is asked: means, or biases of users and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

Baseline = Literal["biases", "mean"]
BaselineKind = Literal["biases", "item_mean", "user_mean"]


@dataclass(frozen=True, eq=False)
class RatingBaseline:
    """b_ui = item part + user part, both in units of ratings.

    - biases: μ + b_i + b_u, b_i = Σ_u (r_ui − μ) / (item_reg + n_i), b_u = Σ_i (r_ui − μ − b_i) / (user_reg + n_u)
      (Koren, Factor in the neighbors, TKDD 4:1, 2010, section 2.1)
    - item_mean: r̄_i alone (Sarwar et al. 2001); user_mean: r̄_u alone (Resnick et al. 1994). Without ratings, the mean
      of all ratings

    global_mean μ; item_part float64[n_items] (μ + b_i, r̄_i or 0).
    """

    kind: BaselineKind
    global_mean: float
    item_part: NDArray[np.float64]
    user_reg: float

    @classmethod
    def of(
        cls,
        ratings: sparse.csr_array,
        kind: BaselineKind,
        item_reg: float = 25.0,
        user_reg: float = 10.0,
    ) -> RatingBaseline:
        """Return the baseline of `ratings` CSR [n_users, n_items], at least one. Cost: O(nnz)."""
        mean = float(ratings.data.mean(dtype=np.float64))
        total = np.bincount(
            ratings.indices, ratings.data.astype(np.float64) - mean, minlength=ratings.shape[1]
        )
        n = np.bincount(ratings.indices, minlength=ratings.shape[1])
        weight = n + (item_reg if kind == "biases" else 0.0)
        item_part = mean + total / np.where(weight > 0, weight, 1.0)
        return cls(kind, mean, item_part * (kind != "user_mean"), user_reg)

    def user_part(self, ratings: sparse.csr_array) -> NDArray[np.float64]:
        """Return float64[n]: the user part of people with `ratings` CSR [n, n_items]. Cost: O(nnz)."""
        n = np.diff(ratings.indptr)
        if self.kind == "item_mean":
            return np.zeros(n.size)
        row = np.repeat(np.arange(n.size), n)
        total = np.bincount(row, ratings.data - self.item_part[ratings.indices], minlength=n.size)
        if self.kind == "biases":
            return total / np.where(n > 0, n + self.user_reg, 1.0)
        return np.where(n > 0, total / np.maximum(n, 1), self.global_mean)

    def of_strangers(self) -> float:
        """Return the user part of a person without ratings."""
        return self.global_mean if self.kind == "user_mean" else 0.0

    def of_new_items(self) -> float:
        """Return the item part of an item without ratings."""
        return 0.0 if self.kind == "user_mean" else self.global_mean

    def deviations(self, ratings: sparse.csr_array, user_part: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return float32[nnz]: how far each rating lies from its baseline."""
        row = np.repeat(np.arange(user_part.size), np.diff(ratings.indptr))
        apart = ratings.data - self.item_part[ratings.indices] - user_part[row]
        return apart.astype(np.float32)
