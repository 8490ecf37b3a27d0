"""Dot products at the stored pairs of a sparse matrix, and their transpose: sums of vectors over each row's pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]


@fast_kernel
def add_pair_dots(
    start: int,
    stop: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    rows: F64,
    columns: F64,
    out: F64,
) -> None:
    """Add rows[r] · columns[j] to `out[e]` for each stored pair e = (r, j) of rows `start` to `stop`."""
    for r in range(start, stop):
        for e in range(indptr[r], indptr[r + 1]):
            column, total = columns[indices[e]], 0.0
            for k in range(rows.shape[1]):
                total += rows[r, k] * column[k]
            out[e] += total


@fast_kernel
def add_weighted_columns(
    start: int,
    stop: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    coefficient: F64,
    columns: F64,
    out: F64,
) -> None:
    """Add Σ_e coefficient[e] columns[j] over the stored pairs e = (r, j) to each `out[r]`, rows `start` to `stop`."""
    for r in range(start, stop):
        for e in range(indptr[r], indptr[r + 1]):
            column, c = columns[indices[e]], coefficient[e]
            for k in range(out.shape[1]):
                out[r, k] += c * column[k]
