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
    n = len(candidates)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    kept = candidates.kept
    np.minimum.at(low, candidates.row[kept], candidates.score[kept])
    np.maximum.at(high, candidates.row[kept], candidates.score[kept])
    return np.where(high > low, high - low, 0.0)
