"""The steps of a net's answer that are the same for every net, each row summed by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.dense_layers import dense_rows
from shortlist.kernels.sparse_products import weighted_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


def weighted_sums_of(matrix: sparse.csr_array, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `matrix` float32 CSR [n, m] times `table` [m, w], each row summed in its stored order."""
    out = np.empty((matrix.shape[0], table.shape[1]), np.float32)
    arguments = (
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float32),
        np.ascontiguousarray(table),
        out,
    )
    threads.run_blocks(lambda start, stop: weighted_sums(*arguments, start, stop), len(out))
    return out


def dense_rows_of(
    rows: NDArray[np.float32], weights: NDArray[np.float32], biases: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return `rows` float32[n, n_in] times `weights` [n_in, n_out], plus `biases`, without a ReLU."""
    out = np.empty((len(rows), biases.size), np.float32)
    threads.run_blocks(
        lambda start, stop: dense_rows(rows, weights, biases, False, out, start, stop), len(rows)
    )
    return out


def scattered(rows: NDArray[np.float32], at: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return float32[n, …]: `rows` where `at` bool[n] is True, in order, and zeros elsewhere."""
    out = np.zeros((at.size, *rows.shape[1:]), np.float32)
    out[at] = rows
    return out
