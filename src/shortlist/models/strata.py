"""Strata: pairs sorted into a grid of blocks, so that stochastic steps run in parallel with one fixed result.

Rows are cut into n parts of about equally many pairs, and so are columns: n² blocks. The blocks (p, p + d mod n) of one
diagonal d share no row and no column, so their steps touch nothing in common: they run at once, and the result is
that of any order of them. Diagonals follow one another. The number of parts depends on the number of pairs alone, and
so the result does not depend on the number of threads. Blocks are also small enough for the caches: the rows and
columns that one needs stay there while its pairs are visited.

Source: Gemulla, Nijkamp, Haas and Sismanis 2011, "Large-scale matrix factorization with distributed stochastic
gradient descent" (DSGD); what they call a stratum is a diagonal here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from shortlist import threads
from shortlist.errors import ParameterError
from shortlist.kernels import strata as kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Step = Callable[[int, int, int], object]

Scalar = TypeVar("Scalar", bound=np.generic)

# With fewer pairs a block, handing it to a thread costs more than its steps; more parts would serve no machine.
PAIRS_A_BLOCK, MOST_PARTS = 8192, 32
_CHUNKS = 64


@dataclass(frozen=True, eq=False)
class Strata:
    """Pairs sorted into the blocks of an n_parts × n_parts grid, shuffled inside each.

    - order uint32[m]: the positions of the pairs, block after block
    - ptr int64[n_parts² + 1]: block b = row part · n_parts + column part has order[ptr[b]:ptr[b + 1]]
    - row_part int32[n_rows], column_part int32[n_columns]: the part of each row and column
    """

    order: NDArray[np.uint32]
    ptr: NDArray[np.int64]
    n_parts: int
    row_part: NDArray[np.int32]
    column_part: NDArray[np.int32]

    def arranged(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return `values`[m], one of each pair, in the order of the blocks, so that a block's lie side by side."""
        out = np.empty_like(values)

        def gather(start: int, stop: int) -> None:
            np.take(values, self.order[start:stop], out=out[start:stop], mode="clip")

        threads.run_blocks(gather, self.order.size)
        return out

    def columns_by_part(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the columns part after part: ptr int64[n_parts + 1] and columns int32[n_columns], ascending."""
        order = np.argsort(self.column_part, kind="stable").astype(np.int32)
        return np.searchsorted(self.column_part[order], np.arange(self.n_parts + 1)), order

    def sweep(self, step: Step, rng: np.random.Generator) -> None:
        """Call `step(start, stop, block)` once for each block that has pairs, diagonals in a fresh random order.

        `start` and `stop` are places in `order` (and in what `arranged` returns). The blocks of a diagonal run on the
        pool of threads, and `step` may change what belongs to rows and columns of its block alone: row part
        block // n_parts, column part block % n_parts. Randomness of a step must come from `block`, not from the
        sequence of calls.
        """
        n = self.n_parts
        for diagonal in rng.permutation(n).tolist():

            def run(first: int, last: int, d: int = diagonal) -> None:
                for part in range(first, last):
                    block = part * n + (part + d) % n
                    start, stop = int(self.ptr[block]), int(self.ptr[block + 1])
                    if start < stop:
                        step(start, stop, block)

            threads.run_blocks(run, n, 1)


def stratify(
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    n_rows: int,
    n_columns: int,
    rng: np.random.Generator,
    *,
    n_parts: int | None = None,
) -> Strata:
    """Return the pairs (rows[p], columns[p]) as `Strata`; `n_parts` None: as many as `parts_for` says.

    Which rows share a part is random, and so is the order of a block's pairs. Cost: O(m + n_rows + n_columns), a few
    passes, in parallel; 4 bytes a pair. Raises `ParameterError` from 2³² pairs on.
    """
    if rows.size >= 2**32:
        raise ParameterError(
            f"stochastic steps over {rows.size:,} pairs are not supported; the most is 2^32 - 1"
        )
    n = parts_for(rows.size) if n_parts is None else n_parts
    row_part = _equal_parts(np.bincount(rows, minlength=n_rows), n, rng)
    column_part = _equal_parts(np.bincount(columns, minlength=n_columns), n, rng)
    order, ptr = _by_block(rows, columns, row_part, column_part, n)
    seeds = rng.integers(2**64, size=n * n, dtype=np.uint64)

    def shuffle(start: int, stop: int) -> None:
        for block in range(start, stop):
            kernels.shuffle(order, ptr[block], ptr[block + 1], seeds[block])

    threads.run_blocks(shuffle, n * n)
    return Strata(order, ptr, n, row_part, column_part)


def parts_for(n_pairs: int) -> int:
    """Return the number of parts for so many pairs: 1 up to about 32,000 of them, 32 from 8 million on.

    >>> [parts_for(n) for n in (0, 30_000, 100_000, 1_000_000, 10_000_000)]
    [1, 1, 3, 11, 32]
    """
    return min(max(int(np.sqrt(n_pairs / PAIRS_A_BLOCK)), 1), MOST_PARTS)


def _equal_parts(n_pairs: NDArray[np.int64], n_parts: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return the part of each row, int32[n_rows]: runs of a random order, cut where shares of the pairs end."""
    shuffled = rng.permutation(n_pairs.size)
    # A row goes where its middle pair falls.
    middle = np.cumsum(n_pairs[shuffled]) - n_pairs[shuffled] / 2
    part = np.empty(n_pairs.size, np.int32)
    part[shuffled] = np.minimum(middle * (n_parts / max(n_pairs.sum(), 1)), n_parts - 1)
    return part


def _by_block(
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    row_part: NDArray[np.int32],
    column_part: NDArray[np.int32],
    n_parts: int,
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the positions of the pairs by block, ascending within each, and where each block begins."""
    row, column = (np.require(array, np.int32, ("C", "W")) for array in (rows, columns))
    pairs = row, column, row_part, column_part
    bounds = np.linspace(0, rows.size, _CHUNKS + 1).astype(int).tolist()
    count = np.zeros((_CHUNKS, n_parts * n_parts), np.int64)
    order = np.empty(rows.size, np.uint32)

    def tally(start: int, stop: int) -> None:
        for chunk in range(start, stop):
            kernels.count_blocks(*pairs, n_parts, bounds[chunk], bounds[chunk + 1], count[chunk])

    threads.run_blocks(tally, _CHUNKS, 1)
    ptr = np.concatenate([[0], np.cumsum(count.sum(axis=0))])
    place = ptr[:-1] + np.cumsum(count, axis=0) - count

    def move(start: int, stop: int) -> None:
        for chunk in range(start, stop):
            kernels.place_blocks(*pairs, n_parts, bounds[chunk], bounds[chunk + 1], place[chunk], order)

    threads.run_blocks(move, _CHUNKS, 1)
    return order, ptr
