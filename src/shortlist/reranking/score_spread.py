"""What an adjustment is measured in: how far apart the scores of one request lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.stages import Candidates


def spread_of(candidates: Candidates) -> NDArray[np.float64]:
    """Return float64[n]: largest minus smallest score of the kept candidates of each user, 0 where there is none.

    Scores are ratings for one model and sums of dot products for the next; an amount in this unit means the same for
    all of them.
    """
    spread = np.zeros(len(candidates))
    some = np.flatnonzero(np.diff(candidates.ptr) > 0)
    start, kept = candidates.ptr[some], candidates.kept
    low = np.minimum.reduceat(np.where(kept, candidates.score, np.inf), start)
    high = np.maximum.reduceat(np.where(kept, candidates.score, -np.inf), start)
    spread[some] = np.where(high > low, high - low, 0.0)
    return spread
