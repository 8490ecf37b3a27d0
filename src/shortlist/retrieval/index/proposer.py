"""Proposer: the library that proposes neighbours (faiss), behind the few calls that an index needs of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import faiss
import numpy as np

from shortlist import threads
from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.retrieval.index.stored_vectors import StoredVectors

Structure = Literal["graph", "cells"]

# Efforts of a search, least first: candidates kept in the graph, cells looked into.
EFFORTS = {"graph": (32, 64, 128, 256, 512, 1024), "cells": (1, 2, 4, 8, 16, 32, 64, 128, 256)}

# The centres of cells are found from so many vectors for each of them, in so many rounds of k-means.
_SAMPLE_A_CELL, _ROUNDS = 40, 8
_AT_ONCE = 1 << 16


class Proposer:
    """Vectors in a graph or in cells; a vector's key says how many were added before it.

    Dot products without offsets are searched as they are. Where there are offsets, which all queries want large and
    which a graph of dot products finds little of, they are one more component b, against a 1 in the query, and
    √(limit − ‖v‖² − b²) is another, against a 0: the nearest by distance is then the largest product (Bachrach et al.,
    Speeding up the Xbox recommender system using a Euclidean transformation for inner-product spaces, RecSys 2014,
    theorem 1). `limit` is the largest squared length at the beginning; longer vectors do not fit in.

    Vectors cannot be taken out: whoever asks leaves out what is no longer wanted. Several threads may search at once;
    who adds must be alone.
    """

    def __init__(self, index: Any, structure: Structure, limit: float | None) -> None:
        self._index, self._structure, self.limit = index, structure, limit
        self._mapped: NDArray[np.uint8] | None = None
        self._settings: dict[int, Any] = {}

    @classmethod
    def of(
        cls, vectors: StoredVectors, structure: Structure, links: int, effort_build: int, n_threads: int
    ) -> Proposer:
        """Return a proposer, without vectors yet, for `vectors`: in single precision, in half where they are coded."""
        limit = limit_of(vectors)
        dim = vectors.dim + (0 if limit is None else 2)
        by_distance = vectors.measure == "euclidean" or limit is not None
        metric = faiss.METRIC_L2 if by_distance else faiss.METRIC_INNER_PRODUCT
        if structure == "cells":
            found = cls(_cells(dim, n_cells(len(vectors)), metric, vectors.storage), structure, limit)
            found._place_cells(vectors, n_threads)
            return found
        return cls(_graph(dim, links, effort_build, metric, vectors.storage), structure, limit)

    @classmethod
    def from_bytes(
        cls,
        saved: NDArray[np.uint8],
        structure: Structure,
        vectors: StoredVectors,
        limit: float | None,
    ) -> Proposer:
        """Return what `to_bytes` gave, read where `saved` lies. Raises `ArtifactError` for anything else."""
        try:
            index = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(saved), saved.size))
        except (RuntimeError, TypeError) as error:
            raise ArtifactError(
                f"the {structure} of the index cannot be read ({error}); build it again"
            ) from error
        found = cls(index, structure, limit)
        found._mapped = saved
        if index.d != vectors.dim + (0 if limit is None else 2):
            raise ArtifactError(f"the {structure} of the index has dimension {index.d}; build it again")
        return found

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def takes(self, vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None) -> bool:
        """Return whether such vectors can be added: with offsets where there are any, and no longer than the limit."""
        if self.limit is None or offsets is None:
            return self.limit is None and offsets is None
        return bool((_squares(vectors, offsets) <= self.limit).all())

    def add(self, vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None, n_threads: int) -> None:
        """Add vectors float32[n, dim], whose keys are the next ones; on one thread always with the same outcome."""
        if self._mapped is not None:  # what lies in a file cannot grow
            self._index, self._mapped = faiss.deserialize_index(self._mapped), None
        with _omp_threads(n_threads):
            self._index.add(self._columns(vectors, offsets))

    def nearest(self, queries: NDArray[np.float32], n: int, effort: int) -> NDArray[np.int64]:
        """Return int64[q, n]: the keys of about the n nearest of each query, −1 where there are fewer."""
        asked = np.ascontiguousarray(queries)
        if self.limit is not None:
            one, zero = np.ones(len(asked), np.float32), np.zeros(len(asked), np.float32)
            asked = np.column_stack([asked, one, zero])
        how = self._search_with(effort)
        if len(asked) == 1:  # faiss takes one thread for one query, and its pool need not be told
            one_row: NDArray[np.int64] = self._index.search(asked, n, params=how)[1]
            return one_row
        keys = np.full((len(asked), n), -1, np.int64)

        def block(start: int, stop: int) -> None:
            with _omp_threads(1):
                keys[start:stop] = self._index.search(asked[start:stop], n, params=how)[1]

        threads.run_blocks(block, len(asked))
        return keys

    def _search_with(self, effort: int) -> Any:
        """Return the settings of a search, kept from one search to the next."""
        if effort not in self._settings:
            graph = self._structure == "graph"
            self._settings[effort] = (
                faiss.SearchParametersHNSW(efSearch=effort)
                if graph
                else faiss.SearchParametersIVF(nprobe=min(effort, self._index.nlist))
            )
        return self._settings[effort]

    def to_bytes(self) -> NDArray[np.uint8]:
        """Return everything as uint8."""
        saved: NDArray[np.uint8] = faiss.serialize_index(self._index)
        return saved

    def _place_cells(self, vectors: StoredVectors, n_threads: int) -> None:
        n = min(len(vectors), _SAMPLE_A_CELL * self._index.nlist)
        chosen = np.sort(np.random.default_rng(0).choice(len(vectors), n, replace=False))
        offsets = None if vectors.offsets is None else vectors.offsets[chosen]
        with _omp_threads(n_threads):
            self._index.train(self._columns(vectors.decoded(chosen), offsets))

    def _columns(
        self, vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        if self.limit is None or offsets is None:
            return np.ascontiguousarray(vectors)
        rest = np.sqrt(np.maximum(self.limit - _squares(vectors, offsets), 0))
        return np.ascontiguousarray(np.column_stack([vectors, offsets, rest]), np.float32)


def _squares(vectors: NDArray[np.float32], offsets: NDArray[np.float32]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = np.einsum("if,if->i", vectors, vectors, dtype=np.float64)
    return squares + offsets.astype(np.float64) ** 2


def limit_of(vectors: StoredVectors) -> float | None:
    """Return the largest ‖v‖² + b² of `vectors`, None where they have no offsets."""
    if vectors.offsets is None:
        return None
    largest = 0.0
    for start in range(0, len(vectors), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        largest = max(largest, float(_squares(vectors.decoded(block), vectors.item_offsets[block]).max()))
    return largest


def n_cells(n: int) -> int:
    """Return into how many cells `n` vectors are put: about 4 √n, a power of 2.

    >>> n_cells(10_000_000)
    16384
    """
    return int(2 ** np.round(np.log2(4 * np.sqrt(max(n, 1)) if n > 16 else 1)))


def _graph(dim: int, links: int, effort_build: int, metric: int, storage: str) -> Any:
    if storage == "float32":
        index = faiss.IndexHNSWFlat(dim, links, metric)
    else:
        index = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_fp16, links, metric)
        index.is_trained = True  # halves need no training
    index.hnsw.efConstruction = effort_build
    return index


def _cells(dim: int, n: int, metric: int, storage: str) -> Any:
    index = faiss.index_factory(dim, f"IVF{n},{'Flat' if storage == 'float32' else 'SQfp16'}", metric)
    index.cp.niter, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = (
        _ROUNDS,
        _SAMPLE_A_CELL,
        1,
    )
    return index


@contextmanager
def _omp_threads(n: int) -> Iterator[None]:
    """Return a context in which faiss, called from this thread, uses `n` threads: it has a pool of its own."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
