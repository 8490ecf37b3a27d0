"""What DeepFM learns from, and what it minimises: handed to the training, which needs PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

Objective = Literal["squared", "binary", "negatives"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Encoded users, items and moments, and the events to learn from.

    - users, items: float32 CSR [n_users | n_items, n_columns]; moments: of the context, a row an event
    - user_idx, item_idx int64[m]; target float32[m]
    - fields: (first column, end) of each field, in the order of the columns, by side: users, items, context
    """

    users: sparse.csr_array
    items: sparse.csr_array
    moments: sparse.csr_array
    user_idx: NDArray[np.int64]
    item_idx: NDArray[np.int64]
    target: NDArray[np.float32]
    fields: tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]], Sequence[tuple[int, int]]]

    def columns_of(self, events: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return bool[n_columns]: which columns are set in one of the `events`."""
        found = np.zeros(self.users.shape[1], bool)
        sides = (
            (self.users, self.user_idx[events]),
            (self.items, self.item_idx[events]),
            (self.moments, events),
        )
        for rows, index in sides:
            found[rows[np.unique(index)].indices] = True
        return found


@dataclass(frozen=True)
class Learning:
    """What is minimised: the mean loss of the examples, plus reg/2 Σ_F (‖e_F‖² + (Σ_F w x)²) of each.

    - objective: "squared" errors of the targets; "binary": cross-entropy of targets 0 and 1; "negatives": of the
      examples as 1s and `n_negatives` items each as 0s, drawn evenly from `drawn` int64[…] without those that the user
      has an example with
    - dropout: the share of units of each layer that is left out in a step
    """

    objective: Objective
    reg: float
    dropout: float
    n_negatives: int
    drawn: NDArray[np.int64]
