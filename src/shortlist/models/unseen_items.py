"""Unseen items: for a user of each draw an item that they have no event with, all equally likely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class UnseenItems:
    """Draws items of `candidates` int32[n] (ascending) that a user has not seen; `seen_*` int[m] are the pairs seen."""

    def __init__(
        self, seen_users: NDArray[np.int32], seen_items: NDArray[np.int32], candidates: NDArray[np.int32]
    ) -> None:
        self._candidates = candidates
        self._n = candidates.size
        place = np.searchsorted(candidates, seen_items)
        inside = place < self._n
        inside[inside] = candidates[place[inside]] == seen_items[inside]
        keys = np.unique(seen_users[inside].astype(np.int64) * (self._n + 1) + place[inside])
        self._users, own = np.divmod(keys, self._n + 1)
        first = np.searchsorted(self._users, self._users)
        # How many unseen items come before each seen one: ascending within a user.
        self._missing_before = self._users * (self._n + 1) + own - (np.arange(keys.size) - first)

    def n_unseen(self, user_idx: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return int64[m]: among how many items each draw would choose."""
        seen = np.searchsorted(self._users, user_idx, "right") - np.searchsorted(self._users, user_idx)
        return self._n - seen

    def draw(self, user_idx: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
        """Return int32[m]: an item for each user int32[m], each of whom must have one. Cost: O(log pairs) each."""
        rank = rng.integers(self.n_unseen(user_idx))
        own = user_idx.astype(np.int64) * (self._n + 1) + rank
        passed = np.searchsorted(self._missing_before, own, "right") - np.searchsorted(self._users, user_idx)
        drawn: NDArray[np.int32] = self._candidates[rank + passed]
        return drawn
