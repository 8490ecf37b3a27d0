"""The fully connected layers of a net, a row at a time in one order, so that a row alone gives what a batch gives.

| symbol | meaning |
|---|---|
| X | float32[n, n_in] rows that enter; those of the first layer are CSR (ptr, index, value) |
| W, b | float32[n_in, n_out] and float32[n_out] of the layer |
| Z | float32[n, n_out], what leaves: X W + b, cut at 0 where `relu` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def _add_row(x: np.float32, weights: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for j in range(out.size):
        out[j] += x * weights[j]


@kernel
def _cut(out: NDArray[np.float32]) -> None:
    for j in range(out.size):
        out[j] = max(out[j], np.float32(0.0))


@kernel
def dense_rows(
    X: NDArray[np.float32],
    W: NDArray[np.float32],
    b: NDArray[np.float32],
    relu: bool,
    Z: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write the rows `start` to `stop` of Z. What is 0 in X costs nothing: after a ReLU that is about half."""
    for r in range(start, stop):
        Z[r] = b
        for i in range(X.shape[1]):
            if X[r, i] != 0:
                _add_row(X[r, i], W[i], Z[r])
        if relu:
            _cut(Z[r])


@kernel
def sparse_rows(
    ptr: NDArray[np.int64],
    index: NDArray[np.int32],
    value: NDArray[np.float32],
    W: NDArray[np.float32],
    Z: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Add the product of the rows `start` to `stop` of a CSR matrix with W to those of Z."""
    for r in range(start, stop):
        for at in range(ptr[r], ptr[r + 1]):
            _add_row(value[at], W[index[at]], Z[r])
