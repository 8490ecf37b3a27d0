"""Which columns are counted as words of bits, for which rows, and the words themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.shared_users import CHUNK, WORDS, chunk_starts, copy_ends, set_bits
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Nanoseconds, measured: a column of a list counted alone; the words of one user added up; what a row and a chunk cost
# beyond that; the words of one user made. They decide what is quicker, never what comes out.
ONE_COLUMN, ONE_USER, ONE_ROW, MAKE_USER = 0.7, 4.0, 600.0, 20.0
_MOST_CHUNKS = 16


@dataclass(frozen=True, eq=False)
class Chunks:
    """The first columns, the most popular, in chunks of 1,024: row q takes the first level[q] chunks as bits.

    level int64[q]; at int64[n_chunks + 1, n_features]: where the list of a feature reaches each chunk, and the rest.
    rest_ptr int64[n_features + 1], rest_idx int32[m]: the rest of the lists alone, close together in memory.
    """

    level: NDArray[np.int64]
    at: NDArray[np.int64]
    rest_ptr: NDArray[np.int64]
    rest_idx: NDArray[np.int32]

    @property
    def full(self) -> NDArray[np.bool_]:
        """Return bool[q]: which rows take all chunks, so that only the rest is left for them."""
        taken: NDArray[np.bool_] = self.level == self.at.shape[0] - 1
        return taken

    @classmethod
    def none(cls, ptr: NDArray[np.int64], idx: NDArray[np.int32], q: int) -> Chunks:
        """Return no chunk for `q` rows: all columns are counted alone."""
        return cls(np.zeros(q, np.int64), ptr[None, :-1], ptr, idx)

    @classmethod
    def of(
        cls,
        ptr: NDArray[np.int64],
        idx: NDArray[np.int32],
        q_ptr: NDArray[np.int64],
        q_idx: NDArray[np.int32],
        n_columns: int,
    ) -> Chunks:
        """Return the chunks that save time for rows (q_ptr, q_idx) over features with lists (ptr, idx) of columns."""
        n_features = ptr.size - 1
        at = np.empty((min(_MOST_CHUNKS, -(-n_columns // CHUNK)) + 1, n_features), np.int64)
        threads.run_blocks(lambda start, stop: chunk_starts(ptr, idx, at, start, stop), n_features)
        length = np.diff(q_ptr)
        times_asked = np.bincount(q_idx, minlength=n_features)
        level = np.zeros(length.size, np.int64)
        for chunk in range(at.shape[0] - 1):
            # How many columns of the chunk a feature of a row leads to, in the mean.
            mean = float(times_asked @ (at[chunk + 1] - at[chunk])) / max(int(q_ptr[-1]), 1)
            saved = length * (ONE_COLUMN * mean - ONE_USER) - ONE_ROW
            gains = (saved > 0) & (level == chunk)
            if saved[gains].sum() < MAKE_USER * n_features:
                break
            level[gains] += 1
        at = at[: int(level.max(initial=0)) + 1]
        if at.shape[0] == 1:
            return cls.none(ptr, idx, level.size)
        rest_ptr = offsets(ptr[1:] - at[-1])
        rest_idx = np.empty(rest_ptr[-1], np.int32)

        def copy(start: int, stop: int) -> None:
            copy_ends(at[-1], ptr[1:], idx, rest_ptr, rest_idx, start, stop)

        threads.run_blocks(copy, n_features)
        return cls(level, at, rest_ptr, rest_idx)

    def bits(self, idx: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield each chunk's number and the words of its columns, of which there is one set at a time."""
        n_features = self.at.shape[1]
        size = (n_features + 1) * WORDS if self.at.shape[0] > 1 else 0
        words = np.zeros(size + 8, np.int64)
        first = -(words.ctypes.data >> 3) & 7
        words = words[first : first + size]  # each user's words begin a cache line
        for chunk in range(self.at.shape[0] - 1):

            def block(start: int, stop: int, chunk: int = chunk) -> None:
                set_bits(self.at[chunk], self.at[chunk + 1], idx, chunk * CHUNK, words, start, stop)

            threads.run_blocks(block, n_features)
            yield chunk, words
