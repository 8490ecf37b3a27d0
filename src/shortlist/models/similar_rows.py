"""Similar rows: the n most similar rows of a sparse matrix for rows of the same kind, never all pairs at once.

Items are rows over users, or users are rows over items. Sources: Sarwar, Karypis, Konstan and Riedl, Item-based
collaborative filtering recommendation algorithms, WWW 2001 (cosine, correlation, adjusted cosine, section 3.1);
Koren, Factorization meets the neighborhood, KDD 2008, (2) (shrinkage).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from shortlist import threads
from shortlist.kernels import nearest_rows as kernels
from shortlist.kernels.best_keys import write_sorted
from shortlist.stages import Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

Similarity = Literal["cosine", "dot", "jaccard", "adjusted_cosine", "pearson"]

# Blocks of queries; each takes every so many-th row, so that busy rows, which stand together, are spread.
_BLOCKS = 64
_OVERLAP = {"pearson": kernels.PEARSON, "adjusted_cosine": kernels.ADJUSTED}


class Scale(NamedTuple):
    """How products become similarities: times a factor of the query row and one of the candidate row, float64 each."""

    query: NDArray[np.float64]
    candidate: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimilarRows:
    """Rows to compare others with, kept as one list for each feature (column) of the rows that have it.

    - ptr int64[n_features + 1], row_idx int32[nnz], values float32[nnz]: the lists; rows are numbered by how many
      features they have, most first, which keeps those that many lists lead to near each other in memory
    - place int32[n_rows]: the caller's number of each; number int32[n_rows]: the inverse
    - square float64[n_rows]: Σ of the squared values of each row, by number; for Jaccard, how many there are
    - is_binary: all values are 1
    """

    ptr: NDArray[np.int64]
    row_idx: NDArray[np.int32]
    values: NDArray[np.float32]
    place: NDArray[np.int32]
    number: NDArray[np.int32]
    square: NDArray[np.float64]
    is_binary: bool
    similarity: Similarity
    shrinkage: float

    @classmethod
    def of(cls, rows: sparse.csr_array, similarity: Similarity, shrinkage: float = 0.0) -> SimilarRows:
        """Return the index of `rows` float32 CSR [n_rows, n_features], indices ascending within a row.

        For "cosine", "dot" and "jaccard" all values are above 0; "jaccard" takes them as 1.
        Cost: O(nnz) time and memory.
        """
        count = np.diff(rows.indptr)
        place = np.argsort(-count, kind="stable").astype(np.int32)
        number = np.empty_like(place)
        number[place] = np.arange(place.size, dtype=np.int32)
        lists = rows[place].tocsc()
        binary = similarity == "jaccard" or bool(np.all(lists.data == 1))
        values = np.ones(lists.nnz, np.float32) if binary else lists.data.astype(np.float32, copy=False)
        return cls(
            lists.indptr.astype(np.int64),
            lists.indices.astype(np.int32, copy=False),
            values,
            place,
            number,
            _squares(rows, binary)[place],
            binary,
            similarity,
            shrinkage,
        )

    def nearest(
        self,
        queries: sparse.csr_array,
        n: int,
        own: NDArray[np.int32] | None = None,
        scale: Scale | None = None,
    ) -> Lists:
        """Return for each row of `queries` float32 CSR [q, n_features] its n most similar rows, best first.

        Ties go by smaller row; only similarities above 0 count, so lists may be short. `own` int32[q]: the row that a
        query is itself and that is not on its list, −1 for none. `scale` makes "dot" a product with factors.

        Cost: for each query the length of the lists of its features; O(q · n) memory at most, plus O(n_rows) a thread.
        """
        q = queries.shape[0]
        itself = np.full(q, -1, np.int32) if own is None else np.where(own < 0, -1, self.number[own])
        size = np.zeros(q, np.int64)
        ptr = offsets(np.minimum(n, self._reachable(queries)))
        kept = np.empty(ptr[-1], np.int64)
        block = self._block(queries, itself.astype(np.int32), scale, (ptr, kept, size))
        threads.run_blocks(block, min(q, _BLOCKS), 1)
        return _sorted(ptr, kept, size)

    def _reachable(self, queries: sparse.csr_array) -> NDArray[np.int64]:
        """Return int64[q]: how long the lists of each query's features are together, so a bound on its neighbours."""
        length = np.zeros(queries.shape[0], np.int64)
        arguments = (_wide(queries.indptr), queries.indices, self.ptr[:-1], self.ptr[1:], length)
        threads.run_blocks(lambda start, stop: kernels.list_lengths(*arguments, start, stop), length.size)
        return np.minimum(length, self.place.size)

    def _block(self, queries, own, scale, keeping):  # type: ignore[no-untyped-def]
        data = np.ones(queries.nnz, np.float32) if self.similarity == "jaccard" else queries.data
        lists = (self.ptr[:-1], self.ptr[1:], self.row_idx, self.values)
        rows = (
            _wide(queries.indptr),
            queries.indices.astype(np.int32, copy=False),
            data.astype(np.float32, copy=False),
        )
        square = _squares(queries, self.similarity == "jaccard")
        q, step = queries.shape[0], min(queries.shape[0], _BLOCKS)
        formula = self._overlap_formula
        if formula is not None:
            return lambda start, _: kernels.nearest_rows_by_overlap(
                *rows,
                square,
                own,
                *lists,
                self.square,
                self.place,
                formula,
                self.shrinkage,
                *keeping,
                start,
                q,
                step,
            )
        if self.similarity == "dot":
            ones = Scale(np.ones(q), np.ones(self.place.size))
            of_query, of_row = scale or ones
            of_row = of_row[self.place]
            query_reach, reach, formula = of_query, of_row, kernels.SCALED
        else:
            of_query, of_row = square, self.square
            query_reach, reach = _inverse_roots(square), _inverse_roots(self.square)
            formula = kernels.COSINE if self.similarity == "cosine" else kernels.JACCARD
        return lambda start, _: kernels.nearest_rows(
            *rows,
            of_query,
            query_reach,
            own,
            *lists,
            of_row,
            reach,
            self.place,
            formula,
            self.shrinkage,
            *keeping,
            start,
            q,
            step,
        )

    @property
    def _overlap_formula(self) -> int | None:
        """Return the formula that needs more than the product of two rows, None where the product is enough."""
        if self.similarity in _OVERLAP:
            return _OVERLAP[self.similarity]
        return kernels.WHOLE if self.shrinkage > 0 and not self.is_binary else None


def _squares(rows: sparse.csr_array, binary: bool) -> NDArray[np.float64]:
    if binary:
        return np.diff(rows.indptr).astype(np.float64)
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.bincount(row, rows.data.astype(np.float64) ** 2, minlength=rows.shape[0])


def _inverse_roots(square: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / np.sqrt(np.where(square > 0, square, 1.0))


def _wide(ptr: NDArray[np.integer]) -> NDArray[np.int64]:
    return ptr.astype(np.int64, copy=False)


def _sorted(ptr: NDArray[np.int64], kept: NDArray[np.int64], size: NDArray[np.int64]) -> Lists:
    lists = Lists(offsets(size), np.empty(size.sum(), np.int32), np.empty(size.sum(), np.float32))
    arguments = (ptr, kept, size, lists.ptr, lists.score, lists.item_idx)
    threads.run_blocks(lambda start, stop: write_sorted(*arguments, start, stop), size.size)
    return lists
