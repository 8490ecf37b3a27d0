"""One side of bench_exact_search.py in a process of its own: `python exact_sides.py SIDE ITEMS.npy QUERIES.npy ...`.

What peers run imports nothing of ours. Prints JSON: the milliseconds of a search, the best of ROUNDS for one query at
a time (the median over the queries), the median of ROUNDS for all queries at once, and the items of each list, sorted.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    # Makes the search for the k best of some queries; a reference that ranks nothing gives None.
    Search = Callable[[Vectors, int], "NDArray[Any] | None"]

N_THREADS = 2
BATCH, K_BATCH = 512, 100
BLOCK = 2048


def ours(items: Vectors) -> Search:
    """Return `ItemSearch`, everything permitted."""
    from shortlist import threads
    from shortlist.models.exact_search import ItemSearch
    from shortlist.stages import Eligible

    threads.set_num_threads(N_THREADS)
    prepared, free = ItemSearch(items), np.zeros(len(items), np.int8)
    nobody = np.zeros(0, np.int32), np.zeros(0, np.int8)

    def search(queries: Vectors, k: int) -> NDArray[Any]:
        eligible = Eligible((), free, np.zeros(len(queries) + 1, np.int64), *nobody)
        return prepared.search(queries, k, eligible).item_idx.reshape(len(queries), k)

    return search


def faiss_flat(items: Vectors) -> Search:
    """Return faiss's `IndexFlatIP`."""
    import faiss

    faiss.omp_set_num_threads(N_THREADS)
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(items)

    def search(queries: Vectors, k: int) -> NDArray[Any]:
        found: NDArray[Any] = index.search(queries, k)[1]
        return found

    return search


def implicit_topk(items: Vectors) -> Search:
    """Return implicit's `topk`, which its models recommend with."""
    from implicit.cpu.topk import topk

    def search(queries: Vectors, k: int) -> NDArray[Any]:
        found: NDArray[Any] = topk(items, queries, k, num_threads=N_THREADS)[0]
        return found

    return search


def product_alone(items: Vectors) -> Search:
    """Return the float32 matrix product alone, in blocks where there are many queries, on two BLAS threads."""

    def search(queries: Vectors, _k: int) -> None:
        if len(queries) == 1:
            np.dot(items, queries[0], out=whole)
            return
        for start in range(0, len(items) - BLOCK + 1, BLOCK):
            np.dot(queries, items[start : start + BLOCK].T, out=block)
        rest = len(items) % BLOCK
        if rest:
            np.dot(queries, items[-rest:].T)

    whole, block = np.empty(len(items), np.float32), np.empty((BATCH, BLOCK), np.float32)
    return search


def product_in_halves(items: Vectors) -> Search:
    """Return the matrix product of half of the queries on each of two threads: without threads of BLAS to wait for."""
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    pool = ThreadPoolExecutor(N_THREADS)

    def half(queries: Vectors) -> None:
        block = np.empty((len(queries), BLOCK), np.float32)
        for start in range(0, len(items) - BLOCK + 1, BLOCK):
            np.dot(queries, items[start : start + BLOCK].T, out=block)
        rest = len(items) % BLOCK
        if rest:
            np.dot(queries, items[-rest:].T)

    def search(queries: Vectors, _k: int) -> None:
        with threadpool_limits(1, "blas"):
            list(pool.map(half, np.array_split(queries, N_THREADS)))

    return search


SIDES: dict[str, Callable[[Vectors], Search]] = {
    "shortlist": ours,
    "faiss IndexFlatIP": faiss_flat,
    "implicit topk": implicit_topk,
    "product alone": product_alone,
    "product alone, in halves": product_in_halves,
}
ONLY_BATCH = ("product alone, in halves",)


def milliseconds(call: Callable[[], object]) -> float:
    """Return how long a call took."""
    begun = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begun)


def one_by_one(search: Search, queries: Vectors, k: int, rounds: int) -> dict[str, Any]:
    """Return the time of a query alone: the best of its rounds, the median over the queries."""
    found = [search(query[None], k) for query in queries]
    times = [[milliseconds(lambda q=query: search(q[None], k)) for query in queries] for _ in range(rounds)]
    return {"ms": float(np.median(np.min(times, axis=0))), "items": _sorted(found)}


def together(search: Search, queries: Vectors, k: int, rounds: int) -> dict[str, Any]:
    """Return the time of all queries at once: the median of the rounds."""
    found = search(queries, k)
    times = [milliseconds(lambda: search(queries, k)) for _ in range(rounds)]
    return {"ms": float(np.median(times)), "items": _sorted([] if found is None else list(found))}


def _sorted(found: list[Any]) -> list[list[int]]:
    return [np.sort(np.ravel(row)).tolist() for row in found if row is not None]


def main(side: str, kind: str, items: str, queries: str, k: str, rounds: str) -> None:
    """Measure and print."""
    search, asked = SIDES[side](np.load(items)), np.load(queries)
    measure = one_by_one if kind == "single" else together
    print(json.dumps(measure(search, asked, int(k), int(rounds))))


if __name__ == "__main__":
    main(*sys.argv[1:])
