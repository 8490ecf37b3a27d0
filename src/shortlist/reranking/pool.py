"""Pool: the candidates of each person that a list is chosen from, with their relevance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.stages import Candidates


@dataclass(frozen=True, eq=False)
class Pool:
    """The candidates of n people that are looked at: ptr int64[n + 1]; at int64[m], their positions; item_idx int32[m].

    relevance float64[m]: the scores of each person scaled to 0 … 1.
    """

    ptr: NDArray[np.int64]
    at: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    relevance: NDArray[np.float64]

    @classmethod
    def of(cls, pools: Sequence[NDArray[np.int64]], candidates: Candidates) -> Self:
        """Return the candidates at the positions `pools` of each person."""
        at = np.concatenate([np.zeros(0, np.int64), *pools])
        ptr = offsets(np.array([one.size for one in pools], np.int64))
        relevance = [np.zeros(0), *(relevance_of(candidates.score[one]) for one in pools)]
        return cls(ptr, at, candidates.item_idx[at], np.concatenate(relevance))

    @property
    def longest(self) -> int:
        """Return the most candidates that a person has here."""
        return int(np.diff(self.ptr).max(initial=0))

    def positions(self, own: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of the candidates that `own` int64[n, k] names within each person's, −1 for none."""
        row, place = np.nonzero(own >= 0)
        positions: NDArray[np.int64] = self.at[self.ptr[row] + own[row, place]]
        return positions


def relevance_of(score: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return float64[m]: scores of one request scaled to 0 … 1, all 0 where they are equal.

    >>> relevance_of(np.array([2, 4, 3], np.float32)).tolist()
    [0.0, 1.0, 0.5]
    """
    if not score.size:
        return np.zeros(0)
    low, high = float(score.min()), float(score.max())
    return (score.astype(np.float64) - low) / (high - low) if high > low else np.zeros(score.size)
