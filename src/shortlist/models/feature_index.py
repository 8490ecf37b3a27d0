"""FeatureIndex: sparse rows of features of items, and an inverted index over them, for scores by content."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.kernels.content import Rows, count_features, make_profile, score_by_content

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Profiles of one block: well below a second of work.
_BLOCK = 256


class Profile(NamedTuple):
    """The features of a profile that are not 0: their positions int64[m] ascending, and values float64[m]."""

    feature: NDArray[np.int64]
    value: NDArray[np.float64]


class FeatureIndex:
    """Rows of items float32 CSR [n_items, n_features], and what they score for weighted sums of rows.

    A person is a row of weights over the items and, as columns from n_items on, over `stated` rows (none by default).
    Their profile is the weighted sum of those rows: at length 1 where `cosine`, else divided by the sum of the absolute
    weights of rows that have features. What is left of a feature whose parts cancel to 1e-12 is 0.
    """

    def __init__(self, rows: sparse.csr_array, *, cosine: bool) -> None:
        self.rows = rows
        self.cosine = cosine

    @cached_property
    def _items(self) -> Rows:
        return _as_rows(self.rows)

    @cached_property
    def _inverted(self) -> Rows:
        return _as_rows(self.rows.T.tocsr())

    def scores(
        self, weights: sparse.csr_array, stated: sparse.csr_array | None = None
    ) -> NDArray[np.float32]:
        """Return float32[people, n_items], profile · row; −inf throughout for a person without a profile."""
        out = np.empty((weights.shape[0], self.rows.shape[0]), np.float32)
        score_by_content(
            _as_weights(weights), self._items, self._stated(stated), self._inverted, self.cosine, out
        )
        return out

    def profile(self, weights: sparse.csr_array, stated: sparse.csr_array | None = None) -> Profile:
        """Return the profile of the one person of `weights` [1, …]."""
        p, mass = np.empty(self.rows.shape[1]), np.empty(self.rows.shape[1])
        make_profile(_as_weights(weights), 0, self._items, self._stated(stated), self.cosine, p, mass)
        feature = np.flatnonzero(p)
        return Profile(feature, p[feature])

    def has_profile(
        self, weights: sparse.csr_array, stated: sparse.csr_array | None = None
    ) -> NDArray[np.bool_]:
        """Return bool[people]: whether a feature of the profile is not 0."""
        out = np.zeros(weights.shape[0], np.int64)
        arguments = _as_weights(weights), self._items, self._stated(stated), self.rows.shape[1], out
        threads.run_blocks(lambda start, stop: count_features(*arguments, start, stop), out.size, _BLOCK)
        return out > 0

    def _stated(self, stated: sparse.csr_array | None) -> Rows:
        return _as_rows(self.rows[:0]) if stated is None else _as_rows(stated)


def unit_length(rows: sparse.csr_array) -> sparse.csr_array:
    """Return the rows at length 1; an empty one stays empty."""
    return with_values(rows, (rows.data / lengths(rows)[_row_of(rows)]).astype(np.float32))


def lengths(rows: sparse.csr_array) -> NDArray[np.float64]:
    """Return float64[n]: the Euclidean length of each row."""
    length: NDArray[np.float64] = np.sqrt(
        np.bincount(_row_of(rows), rows.data.astype(np.float64) ** 2, rows.shape[0])
    )
    return length


def with_values(rows: sparse.csr_array, values: NDArray[np.float32]) -> sparse.csr_array:
    """Return a matrix with other `values` at the places of `rows`."""
    return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)


def _row_of(rows: sparse.csr_array) -> NDArray[np.int64]:
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))


def _as_rows(matrix: sparse.csr_array) -> Rows:
    ptr, column = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    return Rows(ptr, column, matrix.data.astype(np.float32))


def _as_weights(matrix: sparse.csr_array) -> Rows:
    rows = _as_rows(matrix)
    return Rows(rows.ptr, rows.column, matrix.data.astype(np.float64))
