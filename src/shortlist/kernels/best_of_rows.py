"""The best entries of each row of scored entries, by insertion: rows are short, and few of their entries are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@kernel
def best_of_rows(
    ptr: NDArray[np.int64],
    item: NDArray[np.int32],
    score: NDArray[np.float32],
    is_open: NDArray[np.bool_],
    out_item: NDArray[np.int32],
    out_score: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write the k best open entries of the rows [start, stop), best first, ties by smaller item.

    ptr int64[n + 1]; item, score and is_open [m]; out_item int32[n, k] is −1 where nothing is written.
    Cost: O(k) for an entry at most.
    """
    k = out_item.shape[1]
    for row in range(start, stop):
        n_best = 0
        for entry in range(ptr[row], ptr[row + 1]):
            if not is_open[entry]:
                continue
            place = n_best
            while place > 0 and (
                score[entry] > out_score[row, place - 1]
                or (score[entry] == out_score[row, place - 1] and item[entry] < out_item[row, place - 1])
            ):
                if place < k:
                    out_item[row, place] = out_item[row, place - 1]
                    out_score[row, place] = out_score[row, place - 1]
                place -= 1
            if place < k:
                out_item[row, place], out_score[row, place] = item[entry], score[entry]
                n_best = min(n_best + 1, k)
