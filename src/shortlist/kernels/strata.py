"""Sorting pairs into the blocks of a grid, and shuffling each block.

Chunks of pairs are counted, and then moved, at once, since the counts of all of them say where each begins to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def count_blocks(
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    row_part: NDArray[np.int32],
    column_part: NDArray[np.int32],
    n_parts: int,
    start: int,
    stop: int,
    count: NDArray[np.int64],
) -> None:
    """Add to count[n_parts²] how many of the pairs start:stop lie in each block (row part, column part)."""
    for p in range(start, stop):
        count[row_part[rows[p]] * n_parts + column_part[columns[p]]] += 1


@kernel
def place_blocks(
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    row_part: NDArray[np.int32],
    column_part: NDArray[np.int32],
    n_parts: int,
    start: int,
    stop: int,
    place: NDArray[np.int64],
    order: NDArray[np.uint32],
) -> None:
    """Write each position in start:stop to `order`, at the next place of its block, which moves on."""
    for p in range(start, stop):
        block = row_part[rows[p]] * n_parts + column_part[columns[p]]
        order[place[block]] = p
        place[block] += 1


@kernel
def shuffle(order: NDArray[np.uint32], start: int, stop: int, seed: np.uint64) -> None:
    """Put order[start:stop] into a random order that depends on `seed` and the number of elements alone.

    Fisher and Yates, fed by SplitMix64 (Steele, Lea and Flood 2014); the high half of each number, times the number
    of places left, gives the place (the bias of up to 2⁻³² a place is nothing here).
    """
    state = np.uint64(seed)
    for p in range(stop - start - 1, 0, -1):
        state += np.uint64(0x9E3779B97F4A7C15)
        z = state
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        q = np.int64(((z >> np.uint64(32)) * np.uint64(p + 1)) >> np.uint64(32))
        order[start + p], order[start + q] = order[start + q], order[start + p]
