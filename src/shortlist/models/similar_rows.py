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
from shortlist.kernels.shared_users import nearest_in_chunk
from shortlist.models.bit_chunks import Chunks
from shortlist.stages import Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

Similarity = Literal["cosine", "dot", "jaccard", "adjusted_cosine", "pearson"]

# Blocks of queries; each takes every so many-th row, so that busy rows, which stand together, are spread.
_BLOCKS = 64
# Fewer steps than this are over before words of bits are made.
_LEAST_WORK = 30_000_000
_OVERLAP = {"pearson": kernels.PEARSON, "adjusted_cosine": kernels.ADJUSTED}


class _Factors(NamedTuple):
    """The formula of the kernels, a_q and a_c, and the reach of each query and candidate; float64 each."""

    formula: int
    of_query: NDArray[np.float64]
    of_row: NDArray[np.float64]
    query_reach: NDArray[np.float64]
    reach: NDArray[np.float64]


class _Lists(NamedTuple):
    """The part of the inverted lists that is to be added: `idx` from at[level[q], f] to end[f]."""

    level: NDArray[np.int64]
    at: NDArray[np.int64]
    end: NDArray[np.int64]
    idx: NDArray[np.int32]


class Scale(NamedTuple):
    """How products become similarities: times a factor of the query row and one of the candidate row, float64 each."""

    query: NDArray[np.float64]
    candidate: NDArray[np.float64]


class _Queries(NamedTuple):
    """Rows to find the nearest of: CSR, Σ of squared values of each, which row each is itself, whether all are 1."""

    ptr: NDArray[np.int64]
    idx: NDArray[np.int32]
    values: NDArray[np.float32]
    square: NDArray[np.float64]
    own: NDArray[np.int32]
    is_binary: bool


class _Kept(NamedTuple):
    """The best of each query so far, as keys in no order: size[q] of them from ptr[q] on."""

    ptr: NDArray[np.int64]
    keys: NDArray[np.int64]
    size: NDArray[np.int64]


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

        Cost: for each query the length of the lists of its features, far less for many queries where all values are
        1; O(q · n) memory at most, plus O(n_rows) a thread.
        """
        asked = self._asked(queries, own)
        length = self._reachable(asked)
        ptr = offsets(np.minimum(length, n))
        kept = _Kept(ptr, np.empty(ptr[-1], np.int64), np.zeros(length.size, np.int64))
        formula = self._overlap_formula(asked)
        if formula is None:
            self._by_products(asked, scale, kept, int(length.sum()))
        else:
            self._by_overlap(asked, formula, kept)
        return _sorted(kept)

    def _asked(self, queries: sparse.csr_array, own: NDArray[np.int32] | None) -> _Queries:
        binary = self.similarity == "jaccard" or bool(np.all(queries.data == 1))
        values = np.ones(queries.nnz, np.float32) if binary else queries.data.astype(np.float32, copy=False)
        itself = np.full(queries.shape[0], -1) if own is None else np.where(own < 0, -1, self.number[own])
        return _Queries(
            queries.indptr.astype(np.int64, copy=False),
            queries.indices.astype(np.int32, copy=False),
            values,
            _squares(queries, binary),
            itself.astype(np.int32),
            binary and self.is_binary,
        )

    def _reachable(self, asked: _Queries) -> NDArray[np.int64]:
        """Return int64[q]: how long the lists of each query's features are together, so a bound on its neighbours."""
        length = np.zeros(asked.own.size, np.int64)

        def block(start: int, stop: int) -> None:
            kernels.list_lengths(asked.ptr, asked.idx, self.ptr, length, start, stop)

        threads.run_blocks(block, length.size)
        return length

    def _overlap_formula(self, asked: _Queries) -> int | None:
        """Return the formula that needs more than the product of two rows, None where the product is enough."""
        if self.similarity in _OVERLAP:
            return _OVERLAP[self.similarity]
        positive = self.values.min(initial=1) > 0 and asked.values.min(initial=1) > 0
        counted = self.shrinkage == 0 or asked.is_binary
        if positive and counted:
            return None
        return kernels.PRODUCT if self.similarity == "dot" else kernels.WHOLE

    def _by_overlap(self, asked: _Queries, formula: int, kept: _Kept) -> None:
        q = asked.own.size

        def block(start: int, _: int) -> None:
            kernels.nearest_rows_by_overlap(
                asked.ptr,
                asked.idx,
                asked.values,
                asked.square,
                asked.own,
                self.ptr,
                self.row_idx,
                self.values,
                self.square,
                self.place,
                formula,
                self.shrinkage,
                kept.ptr,
                kept.keys,
                kept.size,
                start,
                q,
                min(q, _BLOCKS),
            )

        threads.run_blocks(block, min(q, _BLOCKS), 1)

    def _by_products(self, asked: _Queries, scale: Scale | None, kept: _Kept, work: int) -> None:
        q = asked.own.size
        factors = self._factors(asked, scale)
        chunks = Chunks.none(self.ptr, self.row_idx, q)
        if asked.is_binary and work > _LEAST_WORK and bool(np.all(np.diff(factors.reach) >= 0)):
            chunks = Chunks.of(self.ptr, self.row_idx, asked.ptr, asked.idx, self.place.size)
        for number, bits in chunks.bits(self.row_idx):
            self._in_chunk(asked, factors, kept, chunks.level, number, bits)
        whole = _Lists(chunks.level, chunks.at, self.ptr[1:], self.row_idx)
        self._by_lists(asked, factors, kept, np.flatnonzero(~chunks.full), whole)
        # Where there are chunks all values are 1, so that the rest needs none of its own.
        rest = _Lists(np.zeros(q, np.int64), chunks.rest_ptr[None, :-1], chunks.rest_ptr[1:], chunks.rest_idx)
        self._by_lists(asked, factors, kept, np.flatnonzero(chunks.full), rest)

    def _in_chunk(
        self,
        asked: _Queries,
        factors: _Factors,
        kept: _Kept,
        level: NDArray[np.int64],
        chunk: int,
        bits: NDArray[np.int64],
    ) -> None:
        """Keep the best of the rows of one chunk, whose features stand as `bits`."""
        q = asked.own.size

        def block(start: int, _: int) -> None:
            nearest_in_chunk(
                asked.ptr,
                asked.idx,
                factors.of_query,
                factors.query_reach,
                asked.own,
                level,
                chunk,
                bits,
                factors.of_row,
                factors.reach,
                self.place,
                factors.formula,
                self.shrinkage,
                kept.ptr,
                kept.keys,
                kept.size,
                start,
                q,
                min(q, _BLOCKS),
            )

        threads.run_blocks(block, min(q, _BLOCKS), 1)

    def _by_lists(
        self, asked: _Queries, factors: _Factors, kept: _Kept, chosen: NDArray[np.int64], lists: _Lists
    ) -> None:
        """Keep the best for the queries `chosen` by adding up the `lists` of their features."""
        step = min(chosen.size, _BLOCKS)

        def block(start: int, _: int) -> None:
            kernels.nearest_rows(
                asked.ptr,
                asked.idx,
                asked.values,
                factors.of_query,
                factors.query_reach,
                asked.own,
                lists.level,
                lists.at,
                lists.end,
                lists.idx,
                self.values,
                factors.of_row,
                factors.reach,
                self.place,
                factors.formula,
                self.shrinkage,
                kept.ptr,
                kept.keys,
                kept.size,
                chosen,
                start,
                step,
            )

        threads.run_blocks(block, step, 1)

    def _factors(self, asked: _Queries, scale: Scale | None) -> _Factors:
        """Return formula, a_q, a_c and both reaches of the kernels."""
        if self.similarity == "dot":
            of_query = np.ones(asked.own.size) if scale is None else scale.query.astype(np.float64)
            of_row = np.ones(self.place.size) if scale is None else scale.candidate[self.place]
            return _Factors(kernels.SCALED, of_query, of_row, of_query, of_row)
        formula = kernels.COSINE if self.similarity == "cosine" else kernels.JACCARD
        roots = _inverse_roots(asked.square), _inverse_roots(self.square)
        return _Factors(formula, asked.square, self.square, *roots)


def _squares(rows: sparse.csr_array, binary: bool) -> NDArray[np.float64]:
    if binary:
        return np.diff(rows.indptr).astype(np.float64)
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    return np.bincount(row, rows.data.astype(np.float64) ** 2, minlength=rows.shape[0]).astype(np.float64)


def _inverse_roots(square: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / np.sqrt(np.where(square > 0, square, 1.0))


def _sorted(kept: _Kept) -> Lists:
    ptr, n = offsets(kept.size), int(kept.size.sum())
    lists = Lists(ptr, np.empty(n, np.int32), np.empty(n, np.float32))

    def block(start: int, stop: int) -> None:
        write_sorted(kept.ptr, kept.keys, kept.size, ptr, lists.score, lists.item_idx, start, stop)

    threads.run_blocks(block, kept.size.size)
    return lists
