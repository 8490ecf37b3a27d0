"""DenseLayers: what a trained net computes, without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.dense_layers import dense_rows, sparse_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse


@dataclass(frozen=True, eq=False)
class DenseLayers:
    """Fully connected layers with ReLU between them and none after the last.

    weights: float32[n_in, n_out] of each layer, first to last; biases: float32[n_out] of each. There is at least one.
    """

    weights: Sequence[NDArray[np.float32]]
    biases: Sequence[NDArray[np.float32]]

    def of_dense(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32[n, n_out] for `rows` float32[n, n_in].

        Each row is computed by itself in one order, so alone it gives, bit for bit, what it gives in a batch.
        Cost: O(n · number of weights).
        """
        return self._from(rows, 0)

    def of_sparse(
        self, rows: sparse.csr_array, beside: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return float32[n, n_out] for `rows` CSR [n, f], followed by the columns of `beside` float32[n, n_in − f].

        The same as `of_dense` of the two side by side, up to rounding; the first layer costs only what is not zero.
        """
        n, n_features = rows.shape
        first = self.weights[0]
        hidden = np.repeat(self.biases[0][None, :], n, axis=0)
        csr = rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data.astype(np.float32)
        _add_products(csr, first[:n_features], hidden)
        if beside is not None:
            own = np.ascontiguousarray(beside, np.float32), np.ascontiguousarray(first[n_features:])
            hidden = _layer(own[0], own[1], np.zeros(first.shape[1], np.float32), relu=False) + hidden
        if len(self.weights) > 1:
            np.maximum(hidden, 0, out=hidden)
        return self._from(hidden, 1)

    def _from(self, rows: NDArray[np.float32], layer: int) -> NDArray[np.float32]:
        last = len(self.weights) - 1
        for at in range(layer, last + 1):
            rows = _layer(rows, self.weights[at], self.biases[at], relu=at < last)
        return rows


def _layer(
    rows: NDArray[np.float32], weights: NDArray[np.float32], bias: NDArray[np.float32], *, relu: bool
) -> NDArray[np.float32]:
    out = np.empty((len(rows), weights.shape[1]), np.float32)
    given = np.ascontiguousarray(rows, np.float32), np.ascontiguousarray(weights), bias
    threads.run_blocks(lambda start, stop: dense_rows(*given, relu, out, start, stop), len(rows))
    return out


def _add_products(
    csr: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    given = np.ascontiguousarray(weights)
    threads.run_blocks(lambda start, stop: sparse_rows(*csr, given, out, start, stop), len(out))
