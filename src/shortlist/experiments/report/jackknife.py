"""Intervals of figures that are no means over people: the jackknife that leaves out one block of people at a time.

How many distinct items some lists hold, and how evenly, is no function of means: a bootstrap resample, which repeats
people, shows fewer items than the real lists do. Leaving people out does not, and the variance is on average too large
rather than too small (Efron and Stein 1981, The jackknife estimate of variance, Annals of Statistics 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from shortlist.experiments.sweep.figures import Estimate
from shortlist.parameters import generator

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy import sparse

    Floats = NDArray[np.float64]

MOST_BLOCKS = 200


def blocks_of(n: int, rng: np.random.Generator | int | None) -> NDArray[np.int64]:
    """Return int64[n]: the block of each of n people, drawn so that sizes differ by one at most; at most 200 blocks."""
    n_blocks = min(n, MOST_BLOCKS)
    block: NDArray[np.int64] = generator(rng).permutation(np.arange(n) % max(n_blocks, 1))
    return block


def jackknife(whole: float, left_out: ArrayLike, level: float) -> Estimate:
    """Return a figure of all people with its interval, from the figures without each of b blocks, float64[b].

    whole ± t s, s² = (b − 1)/b Σ (θ_i − θ̄)² and t the quantile of Student's t with b − 1 degrees of freedom. No bounds
    for fewer than 2 blocks.

    >>> found = jackknife(2.0, [1.5, 2.0, 2.5], level=0.95)  # s² = 2/3 · 0.5; the mean of 1, 2, 3, one left out each
    >>> round(found.low, 4), round(found.high, 4)
    (-0.4841, 4.4841)
    """
    without = np.asarray(left_out, np.float64)
    b = without.size
    if b < 2:
        return Estimate(whole)
    deviation = float(np.sqrt((b - 1) / b * np.sum((without - without.mean()) ** 2)))
    width = float(stdtrit(b - 1, (1 + level) / 2)) * deviation
    return Estimate(whole, whole - width, whole + width)


def sums_without(amounts: sparse.csr_array, block: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the column sums float64[m] of `amounts` [n, m], and those without each block, float64[b, m].

    A difference of sums that is nothing but rounding is 0.
    """
    n_blocks = int(block.max(initial=-1)) + 1
    by_block = np.zeros((n_blocks, amounts.shape[1]))
    rows = np.repeat(np.arange(amounts.shape[0]), np.diff(amounts.indptr))
    np.add.at(by_block, (block[rows], amounts.indices), amounts.data)
    whole = by_block.sum(axis=0)
    without = whole - by_block
    without[without < whole * 1e-12] = 0.0
    return whole, without
