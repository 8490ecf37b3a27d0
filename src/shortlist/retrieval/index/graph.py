"""Graph: the library that proposes neighbours, behind the few calls that an index needs of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from usearch.index import Index

from shortlist import threads
from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.retrieval.index.stored_vectors import StoredVectors

_SCALARS = {"float32": "f32", "half": "f16", "int8": "f16"}


class Graph:
    """A navigable graph of vectors by keys (usearch).

    Offsets are one more component, against a 1 in the query. Several threads may search at once; who adds or removes
    is alone.
    """

    def __init__(self, index: Index, has_offsets: bool) -> None:
        self._index = index
        self._has_offsets = has_offsets

    @classmethod
    def of(cls, vectors: StoredVectors, links: int, effort_build: int) -> Self:
        """Return a graph without vectors for such as `vectors`."""
        has_offsets = vectors.offsets is not None
        index = Index(
            ndim=vectors.dim + has_offsets,
            metric="l2sq" if vectors.measure == "euclidean" else "ip",
            dtype=_SCALARS[vectors.storage],
            connectivity=links,
            expansion_add=effort_build,
        )
        return cls(index, has_offsets)

    def filled(self, saved: NDArray[np.uint8]) -> Self:
        """Return this graph with what `to_bytes` gave. Raises `ArtifactError` for anything else."""
        try:
            self._index.load(saved.tobytes())
        except (RuntimeError, ValueError) as error:
            raise ArtifactError(f"the graph of the index cannot be read ({error}); build it again") from error
        return self

    def add(
        self, keys: NDArray[np.int64], vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None
    ) -> None:
        """Add vectors under keys that were never used."""
        self._index.add(keys, self._columns(vectors, offsets), threads=1)

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove the vectors of these keys."""
        if keys.size:
            self._index.remove(keys)

    def nearest(self, queries: NDArray[np.float32], n: int, effort: int) -> NDArray[np.int64]:
        """Return int64[q, n]: the keys of about the n nearest of each query, in no order, −1 where there are fewer."""
        asked = self._columns(queries, np.ones(len(queries), np.float32))
        keys = np.full((len(asked), n), -1, np.int64)
        self._index.expansion_search = effort

        def block(start: int, stop: int) -> None:
            found = self._index.search(asked[start:stop], n, threads=1)
            one = np.atleast_2d(found.keys).astype(np.int64)
            keys[start:stop, : one.shape[1]] = one

        threads.run_blocks(block, len(asked))
        return keys

    def to_bytes(self) -> NDArray[np.uint8]:
        """Return the graph as uint8."""
        return np.frombuffer(self._index.save(), np.uint8)

    def _columns(
        self, vectors: NDArray[np.float32], offsets: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        if not self._has_offsets or offsets is None:
            return np.ascontiguousarray(vectors)
        return np.ascontiguousarray(np.column_stack([vectors, offsets]), np.float32)
