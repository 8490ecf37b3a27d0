"""Graph: the library that proposes neighbours (faiss), behind the few calls that an index needs of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from shortlist import threads
from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.retrieval.index.stored_vectors import StoredVectors


class Graph:
    """A navigable graph of vectors; a vector's key says how many were added before it.

    Offsets are one more component, against a 1 in the query. Vectors cannot be taken out: whoever asks leaves out what
    is no longer wanted. Several threads may search at once; who adds must be alone.
    """

    def __init__(self, index: Any, has_offsets: bool, mapped: NDArray[np.uint8] | None = None) -> None:
        self._index = index
        self._has_offsets = has_offsets
        self._mapped = mapped

    @classmethod
    def of(cls, vectors: StoredVectors, links: int, effort_build: int) -> Graph:
        """Return a graph without vectors for such as `vectors`: in single precision, in half where they are coded."""
        has_offsets = vectors.offsets is not None
        dim = vectors.dim + has_offsets
        metric = faiss.METRIC_L2 if vectors.measure == "euclidean" else faiss.METRIC_INNER_PRODUCT
        if vectors.storage == "float32":
            index = faiss.IndexHNSWFlat(dim, links, metric)
        else:
            index = faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_fp16, links, metric)
            index.is_trained = True  # halves need no training
        index.hnsw.efConstruction = effort_build
        return cls(index, has_offsets)

    @classmethod
    def from_bytes(cls, saved: NDArray[np.uint8], vectors: StoredVectors) -> Graph:
        """Return the graph that `to_bytes` gave, reading where `saved` lies. Raises `ArtifactError` for another one."""
        try:
            index = faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(saved), saved.size))
        except RuntimeError as error:
            raise ArtifactError(f"the graph of the index cannot be read ({error}); build it again") from error
        graph = cls(index, vectors.offsets is not None, saved)
        if index.d != vectors.dim + graph._has_offsets:
            raise ArtifactError(f"the graph of the index is of dimension {index.d}; build it again")
        return graph

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(
        self,
        vectors: NDArray[np.float32],
        offsets: NDArray[np.float32] | None,
        n_threads: int,
    ) -> None:
        """Add vectors float32[n, dim], whose keys are the next ones; on one thread always to the same graph."""
        if self._mapped is not None:  # what lies in a file cannot grow
            self._index, self._mapped = faiss.deserialize_index(self._mapped), None
        with _omp_threads(n_threads):
            self._index.add(self._columns(vectors, offsets))

    def nearest(self, queries: NDArray[np.float32], n: int, effort: int) -> NDArray[np.int64]:
        """Return int64[q, n]: the keys of about the n nearest of each query, −1 where there are fewer."""
        asked = self._columns(queries, np.ones(len(queries), np.float32))
        keys = np.full((len(asked), n), -1, np.int64)
        how = faiss.SearchParametersHNSW(efSearch=effort)

        def block(start: int, stop: int) -> None:
            with _omp_threads(1):
                keys[start:stop] = self._index.search(asked[start:stop], n, params=how)[1]

        threads.run_blocks(block, len(asked))
        return keys

    def to_bytes(self) -> NDArray[np.uint8]:
        """Return the graph as uint8."""
        saved: NDArray[np.uint8] = faiss.serialize_index(self._index)
        return saved

    def _columns(
        self, vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        if not self._has_offsets or offsets is None:
            return np.ascontiguousarray(vectors)
        return np.ascontiguousarray(np.column_stack([vectors, offsets]), np.float32)


@contextmanager
def _omp_threads(n: int) -> Iterator[None]:
    """Return a context in which faiss, called from this thread, uses `n` threads: it has a pool of its own."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
