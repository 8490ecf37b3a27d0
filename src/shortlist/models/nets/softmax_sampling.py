"""How likely an item is in a sample, for samples that decide on each item by itself: softmax over a part of all.

Where item j is in the sample with probability q_j, Σ_{j in it} e^{s_j} / q_j is Σ_j e^{s_j} in expectation (Horvitz and
Thompson 1952): subtracting ln q_j from a sampled score corrects for the sampling ("logQ").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MOST_ROUNDS = 100


def inclusion(weights: NDArray[np.floating[Any]], n: int) -> Floats:
    """Return q float64[m] in (0, 1], in proportion to `weights` > 0 where below 1, that sum to `n`; 1 where n ≥ m.

    >>> inclusion(np.array([1.0, 1.0, 6.0]), 2)  # in proportion 0.25, 0.25, 1.5: the last is always in
    array([0.5, 0.5, 1. ])
    """
    q = np.ones(weights.size)
    if n >= weights.size:
        return q
    open_, left = np.ones(weights.size, bool), float(n)
    for _ in range(_MOST_ROUNDS):
        q[open_] = weights[open_] * (left / weights[open_].sum())
        over = open_ & (q >= 1)
        if not over.any():
            break
        q[over] = 1
        open_ &= ~over
        left = float(n - np.count_nonzero(~open_))
    return np.minimum(q, 1.0)


def inclusion_in_batch(counts: NDArray[np.integer[Any]], n_rows: int, batch_size: int) -> Floats:
    """Return float64[m]: how likely a batch of rows, drawn without replacement, holds one that has the item.

    counts int[m] from 0 to n_rows: how many have it. q = 1 − C(n_rows − count, b) / C(n_rows, b), of which the
    quotient is Π_{k < count} (1 − b / (n_rows − k)). Cost: O(m + the largest count).

    >>> inclusion_in_batch(np.array([1, 2, 4]), 4, 2)  # 1 − 3/6, 1 − 1/6, 1
    array([0.5       , 0.83333333, 1.        ])
    """
    missed = np.arange(int(np.max(counts, initial=0)), dtype=np.float64)
    with np.errstate(divide="ignore"):  # ln 0: the batch has no room left to miss one more
        steps = np.log1p(-np.minimum(batch_size / (n_rows - missed), 1.0))
    log_missing = np.concatenate([[0.0], np.cumsum(steps)])
    found: Floats = -np.expm1(log_missing[counts])
    return found
