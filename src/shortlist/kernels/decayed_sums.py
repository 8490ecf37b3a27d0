"""Sums of decaying weights after each event of sorted lists of events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def decayed_sums(
    ptr: NDArray[np.int64],
    time: NDArray[np.int64],
    gain: NDArray[np.float64],
    half_life: float,
    out: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Write out[e] = Σ gain[d] · 2^(−(time[e] − time[d]) / half_life) over d ≤ e of the lists `start` to `stop`.

    Events of a list, from ptr[r] on, ascend in time. Each sum is made of the one before, so nothing runs over or under
    however long ago an event was.
    """
    for r in range(start, stop):
        total = 0.0
        for e in range(ptr[r], ptr[r + 1]):
            if e > ptr[r]:
                total *= np.exp2(-(time[e] - time[e - 1]) / half_life)
            total += gain[e]
            out[e] = total
