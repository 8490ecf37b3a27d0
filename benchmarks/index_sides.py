"""The indexes that bench_index.py compares, each behind the same three calls: build, effort, nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import shortlist as sl
from shortlist.retrieval.index.asked import all_permitted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from vector_sets import VectorSet

LINKS, EFFORT_BUILD = 16, 128
EFFORTS = (16, 32, 64, 128, 256, 512)
CELLS = (2, 4, 8, 16, 32, 64, 128)


class Side:
    """A built index: `nearest(queries, k)` gives positions int[n, k] at the effort that `set_effort` was told."""

    def __init__(
        self,
        nearest: Callable[[NDArray[np.float32], int], NDArray[np.integer[Any]]],
        set_effort: Callable[[int], None] = lambda _: None,
        efforts: Sequence[int] = (0,),
    ) -> None:
        self.nearest, self.set_effort, self.efforts = nearest, set_effort, efforts


def build_hnswlib(vectors: VectorSet, n_threads: int) -> Side:
    import hnswlib

    index = hnswlib.Index("ip", vectors.items.shape[1])
    index.init_index(len(vectors.items), M=LINKS, ef_construction=EFFORT_BUILD)
    index.add_items(vectors.items, num_threads=n_threads)
    return Side(
        lambda queries, k: index.knn_query(queries, k, num_threads=n_threads)[0].astype(np.int64),
        index.set_ef,
        EFFORTS,
    )


def build_usearch(vectors: VectorSet, n_threads: int, dtype: str) -> Side:
    from usearch.index import Index

    index = Index(
        ndim=vectors.items.shape[1],
        metric="ip",
        dtype=dtype,
        connectivity=LINKS,
        expansion_add=EFFORT_BUILD,
    )
    index.add(np.arange(len(vectors.items)), vectors.items, threads=n_threads)

    def set_effort(effort: int) -> None:
        index.expansion_search = effort

    def nearest(queries: NDArray[np.float32], k: int) -> NDArray[np.integer[Any]]:
        return np.atleast_2d(index.search(queries, k, threads=n_threads).keys).astype(np.int64)

    return Side(nearest, set_effort, EFFORTS)


def build_faiss_graph(vectors: VectorSet, n_threads: int) -> Side:
    import faiss

    faiss.omp_set_num_threads(n_threads)
    index = faiss.IndexHNSWFlat(vectors.items.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EFFORT_BUILD
    index.add(vectors.items)

    def set_effort(effort: int) -> None:
        index.hnsw.efSearch = effort

    return Side(lambda queries, k: index.search(queries, k)[1], set_effort, EFFORTS)


def build_faiss_cells(vectors: VectorSet, n_threads: int) -> Side:
    import faiss

    faiss.omp_set_num_threads(n_threads)
    n_cells = int(2 ** np.round(np.log2(2 * np.sqrt(len(vectors.items)))))
    index = faiss.index_factory(vectors.items.shape[1], f"IVF{n_cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors.items)
    index.add(vectors.items)

    def set_effort(effort: int) -> None:
        index.nprobe = effort

    return Side(lambda queries, k: index.search(queries, k)[1], set_effort, CELLS)


def build_faiss_flat(vectors: VectorSet, n_threads: int) -> Side:
    import faiss

    faiss.omp_set_num_threads(n_threads)
    index = faiss.IndexFlatIP(vectors.items.shape[1])
    index.add(vectors.items)
    return Side(lambda queries, k: index.search(queries, k)[1])


def build_exact(vectors: VectorSet, n_threads: int) -> Side:
    sl.set_num_threads(n_threads)
    index = sl.ExactIndex("dot").build(vectors.items)

    def nearest(queries: NDArray[np.float32], k: int) -> NDArray[np.integer[Any]]:
        return index.rank(queries, k, all_permitted(len(queries), len(vectors.items))).padded(k)

    nearest(vectors.queries[:1], 10)  # prepared at the first search
    return Side(nearest)


def build_approximate(vectors: VectorSet, n_threads: int) -> Side:
    sl.set_num_threads(n_threads)
    index = sl.ApproximateIndex(
        "dot", links=LINKS, effort_build=EFFORT_BUILD, exact_up_to=0, build_threads=n_threads
    ).build(vectors.items, queries=vectors.queries)

    def set_effort(effort: int) -> None:
        index.effort_ = effort

    def nearest(queries: NDArray[np.float32], k: int) -> NDArray[np.integer[Any]]:
        return index.rank(queries, k, all_permitted(len(queries), len(vectors.items))).padded(k)

    return Side(nearest, set_effort, EFFORTS)


SIDES: dict[str, Callable[[VectorSet, int], Side]] = {
    "ExactIndex": build_exact,
    "ApproximateIndex": build_approximate,
    "faiss HNSW": build_faiss_graph,
    "faiss IVF": build_faiss_cells,
    "hnswlib": build_hnswlib,
    "usearch": lambda vectors, n_threads: build_usearch(vectors, n_threads, "f32"),
    "usearch half": lambda vectors, n_threads: build_usearch(vectors, n_threads, "f16"),
    "faiss IndexFlatIP": build_faiss_flat,
}
EXACT = ("ExactIndex", "faiss IndexFlatIP")
