"""Products of a sparse matrix with a dense block of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@fast_kernel
def weighted_sums(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.float32],
    vectors: NDArray[np.float32],
    out: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write `out[r] = sum_q data[q] * vectors[indices[q]]` for rows `start:stop` of the CSR, each in its stored order.

    vectors float32[n_columns, d], out float32[n_rows, d]. The coordinates are independent sums, so a row's result
    depends on nothing but the row. Cost: one gathered vector an entry.
    """
    dim = vectors.shape[1]
    for r in range(start, stop):
        for f in range(dim):
            out[r, f] = 0.0
        for q in range(indptr[r], indptr[r + 1]):
            column = indices[q]
            weight = data[q]
            for f in range(dim):
                out[r, f] += weight * vectors[column, f]
