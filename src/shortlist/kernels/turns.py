"""Sources that take turns at choosing candidates: weighted interleaving of their lists, user by user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOBODY = -1


@kernel
def take_turns(
    ptr: NDArray[np.int64],
    place: NDArray[np.int64],
    is_open: NDArray[np.bool_],
    weight: NDArray[np.float64],
    least: NDArray[np.int64],
    most: NDArray[np.int64],
    size: int,
    turn: NDArray[np.int32],
    start: int,
    stop: int,
) -> None:
    """Write to `turn` int32[m] when each of at most `size` candidates of each user in [start, stop) is taken, from 1.

    Those that are not taken keep 0.

    - ptr int64[S, n + 1]: where the list of each source for each user begins and ends in `place`
    - place int64[p]: the candidate that each proposal became, best first within a list
    - is_open bool[m]: whether a candidate may be taken
    - weight float64[S]; least int64[S] and most int64[S]: turns of each source
    """
    n_sources = weight.size
    for user in range(start, stop):
        at = ptr[:, user].copy()
        count = np.zeros(n_sources, np.int64)
        n_taken = 0
        for goal in (least, most):
            until = goal.copy()
            while n_taken < size:
                source = _next(count, until, weight)
                if source == NOBODY:
                    break
                end = ptr[source, user + 1]
                while at[source] < end and (turn[place[at[source]]] > 0 or not is_open[place[at[source]]]):
                    at[source] += 1
                if at[source] == end:
                    until[source] = 0  # it has no more
                else:
                    count[source] += 1
                    n_taken += 1
                    turn[place[at[source]]] = n_taken


@kernel
def _next(count: NDArray[np.int64], until: NDArray[np.int64], weight: NDArray[np.float64]) -> int:
    """Return the source whose turn it is: of least (count + 1) / weight; those of weight 0 after all others, in turn.

    Ties go to the earlier source. A source is out once it had `until` turns; NOBODY where all are.
    """
    best, best_pass, best_counts = NOBODY, np.inf, False
    for source in range(count.size):
        if count[source] >= until[source]:
            continue
        counts = weight[source] > 0
        turn = (count[source] + 1) / (weight[source] if counts else 1.0)
        if best == NOBODY or (counts and not best_counts) or (counts == best_counts and turn < best_pass):
            best, best_pass, best_counts = source, turn, counts
    return best
