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


class Proposer:
    """Vectors in a graph or in cells; a vector's key says how many were added before it.

    Offsets are one more component, against a 1 in the query. Vectors cannot be taken out: whoever asks leaves out what
    is no longer wanted. Several threads may search at once; who adds must be alone.
    """

    def __init__(self, index: Any, structure: Structure, has_offsets: bool) -> None:
        self._index, self._structure, self._has_offsets = index, structure, has_offsets
        self._mapped: NDArray[np.uint8] | None = None

    @classmethod
    def of(
        cls, vectors: StoredVectors, structure: Structure, links: int, effort_build: int, n_threads: int
    ) -> Proposer:
        """Return a proposer, without vectors yet, for `vectors`: in single precision, in half where they are coded."""
        has_offsets = vectors.offsets is not None
        dim = vectors.dim + has_offsets
        metric = faiss.METRIC_L2 if vectors.measure == "euclidean" else faiss.METRIC_INNER_PRODUCT
        if structure == "cells":
            found = cls(_cells(dim, n_cells(len(vectors)), metric, vectors.storage), structure, has_offsets)
            found._place_cells(vectors, n_threads)
            return found
        return cls(_graph(dim, links, effort_build, metric, vectors.storage), structure, has_offsets)

    @classmethod
    def from_bytes(cls, saved: NDArray[np.uint8], structure: Structure, vectors: StoredVectors) -> Proposer:
        """Return what `to_bytes` gave, read where `saved` lies. Raises `ArtifactError` for anything else."""
        try:
            index = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(saved), saved.size))
        except (RuntimeError, TypeError) as error:
            raise ArtifactError(
                f"the {structure} of the index cannot be read ({error}); build it again"
            ) from error
        found = cls(index, structure, vectors.offsets is not None)
        found._mapped = saved
        if index.d != vectors.dim + found._has_offsets:
            raise ArtifactError(f"the {structure} of the index has dimension {index.d}; build it again")
        return found

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None, n_threads: int) -> None:
        """Add vectors float32[n, dim], whose keys are the next ones; on one thread always with the same outcome."""
        if self._mapped is not None:  # what lies in a file cannot grow
            self._index, self._mapped = faiss.deserialize_index(self._mapped), None
        with _omp_threads(n_threads):
            self._index.add(self._columns(vectors, offsets))

    def nearest(self, queries: NDArray[np.float32], n: int, effort: int) -> NDArray[np.int64]:
        """Return int64[q, n]: the keys of about the n nearest of each query, −1 where there are fewer."""
        asked = self._columns(queries, np.ones(len(queries), np.float32))
        keys = np.full((len(asked), n), -1, np.int64)
        if self._structure == "graph":
            how = faiss.SearchParametersHNSW(efSearch=effort)
        else:
            how = faiss.SearchParametersIVF(nprobe=min(effort, self._index.nlist))

        def block(start: int, stop: int) -> None:
            with _omp_threads(1):
                keys[start:stop] = self._index.search(asked[start:stop], n, params=how)[1]

        threads.run_blocks(block, len(asked))
        return keys

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
        if not self._has_offsets or offsets is None:
            return np.ascontiguousarray(vectors)
        return np.ascontiguousarray(np.column_stack([vectors, offsets]), np.float32)


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
