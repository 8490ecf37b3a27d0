"""Parameters of a factorisation machine, one set or several: predictions, vectors and offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist import threads
from shortlist.kernels import fm_rows as kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design, Rows


class Parameters(NamedTuple):
    """S sets: intercepts float64[S], weights float32[n_columns, S], factors float32[n_columns, S, dim]."""

    intercepts: NDArray[np.float64]
    weights: NDArray[np.float32]
    factors: NDArray[np.float32]

    @classmethod
    def zeros(cls, n_columns: int, n_samples: int, dim: int) -> Parameters:
        """Return parameters that are all 0."""
        return cls(
            np.zeros(n_samples),
            np.zeros((n_columns, n_samples), np.float32),
            np.zeros((n_columns, n_samples, dim), np.float32),
        )

    @property
    def n_samples(self) -> int:
        """Return S."""
        return self.intercepts.size

    def first(self, n: int) -> Parameters:
        """Return the first `n` sets."""
        return Parameters(self.intercepts[:n], *(np.ascontiguousarray(of[:, :n]) for of in self[1:]))

    def predictions(self, design: Design) -> NDArray[np.float64]:
        """Return float64[m, S]: ŷ of each example by each set. Cost: O(columns of an example · S · dim) each."""
        out = np.empty((len(design.examples), self.n_samples))
        arguments = *design.row_arguments(), self.weights, self.factors, out
        threads.run_blocks(lambda start, stop: kernels.predictions(start, stop, *arguments), len(out))
        return out + self.intercepts

    def side(self, rows: Rows) -> Sums:
        """Return the vectors and offsets of rows that are one side of an example; the intercept is not in them."""
        n, (_, n_samples, dim) = len(rows), self.factors.shape
        sums = Sums(np.empty((n, n_samples, dim), np.float32), np.empty((n, n_samples)))
        arguments = *rows, self.weights, self.factors, *sums
        threads.run_blocks(lambda start, stop: kernels.side_sums(start, stop, *arguments), n)
        return sums


class Sums(NamedTuple):
    """Of n rows of one side: vectors float32[n, S, dim] and offsets float64[n, S].

    ŷ of an example of two sides is intercept + offset + offset + vector · vector, by each of the S sets.
    """

    vectors: NDArray[np.float32]
    offsets: NDArray[np.float64]

    def beside(self, other: Sums) -> Sums:
        """Return the sums of rows that have the columns of `other`, one row, as well."""
        vectors = self.vectors + other.vectors
        # Row by row in a fixed order: one row alone gives what it gives among others.
        products = np.zeros_like(self.offsets)
        for f in range(self.vectors.shape[2]):
            products += self.vectors[:, :, f].astype(np.float64) * other.vectors[:, :, f]
        return Sums(vectors, self.offsets + other.offsets + products)

    @property
    def joined(self) -> NDArray[np.float32]:
        """Return float32[n, S · dim]: the vectors of all sets one after the other."""
        n, n_samples, dim = self.vectors.shape
        return self.vectors.reshape(n, n_samples * dim)

    @property
    def mean_offsets(self) -> NDArray[np.float32]:
        """Return float32[n]: the offsets' mean over the sets, summed in a fixed order."""
        total = np.zeros(len(self.offsets))
        for sample in range(self.offsets.shape[1]):
            total += self.offsets[:, sample]
        mean: NDArray[np.float32] = (total / self.offsets.shape[1]).astype(np.float32)
        return mean
