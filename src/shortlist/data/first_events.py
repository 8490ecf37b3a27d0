"""When each item was first seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.feature_arrays import NEVER
from shortlist.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset


DAY = 86_400_000_000  # µs


def day_of(moments: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the midnight (UTC) before each moment int64[n] µs; `NEVER` stays.

    >>> (day_of(np.array([3 * DAY + 5, NEVER])) == np.array([3 * DAY, NEVER])).tolist()
    [True, True]
    """
    return np.where(moments == NEVER, NEVER, moments - moments % DAY)


def first_events(dataset: Dataset, asked_by: str) -> NDArray[np.int64]:
    """Return int64[n_items]: µs of the first event of each item, `NEVER` of one without events.

    Raises `DataError` for data without times.
    """
    log = dataset.interactions
    if log.timestamp is None:
        raise DataError(
            f"{asked_by} needs timestamps, and these interactions have none: name a column= of the item features"
        )
    first = np.full(log.n_items, NEVER)
    np.minimum.at(first, log.item_idx, log.timestamp)
    return first
