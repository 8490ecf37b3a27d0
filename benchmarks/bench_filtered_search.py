"""Filtered search: recall, lists that run short, and the time of a query, by the share of items that a mask leaves.

    python benchmarks/bench_filtered_search.py [--n 399000]

An `ApproximateIndex` of the GloVe vectors is asked for 10 items under masks that leave 50, 10, 1, 0.1 and 0.01 % of
them, drawn at random or the items least like the queries ("far": those that come last of all by the mean of the
queries), and for each user without 50 items that are nearest to them ("seen"). The same masks go to an `ExactIndex`.
The last column is what would be left of a list by sifting the 100 nearest items after a search without the mask. Times
are of one query at a time, on two threads.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import results
import vector_sets

import shortlist as sl
from shortlist.retrieval.index.asked import all_permitted
from shortlist.stages import Eligible

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vector_sets import VectorSet

    from shortlist.stages import Lists

NAME = "filtered_search"
K, THREADS, N_QUERIES, N_SEEN = 10, 2, 200, 50
SHARES = (1.0, 0.5, 0.1, 0.01, 0.001, 0.0001)


def masks(vectors: VectorSet, share: float) -> dict[str, NDArray[np.int8]]:
    """Return int8[n] by kind: 0 for the items that may be found."""
    n = len(vectors.items)
    least = max(K, round(share * n))
    at_random, far = np.ones(n, np.int8), np.ones(n, np.int8)
    at_random[np.random.default_rng(0).choice(n, least, replace=False)] = 0
    far[np.argsort(vectors.items @ vectors.queries.mean(axis=0), kind="stable")[:least]] = 0
    return {"random": at_random, "far": far} if share < 1 else {"all": np.zeros(n, np.int8)}


def asked(item_rule: NDArray[np.int8], seen: NDArray[np.int32] | None) -> list[Eligible]:
    """Return what each query may find, one at a time."""
    none = np.zeros(0, np.int32)
    own = [none] * N_QUERIES if seen is None else [np.sort(row) for row in seen]
    return [
        Eligible(("mask", "seen"), item_rule, np.array([0, one.size]), one, np.ones(one.size, np.int8))
        for one in own
    ]


def answers(
    index: sl.ExactIndex | sl.ApproximateIndex, queries: NDArray[np.float32], limits: list[Eligible]
) -> tuple[list[Lists], float]:
    """Return a list for each query and the median time of one in milliseconds."""
    found, taken = [], []
    for i, one in enumerate(limits):
        began = time.perf_counter()
        found.append(index.rank(queries[i : i + 1], K, one))
        taken.append((time.perf_counter() - began) * 1000)
    return found, float(np.median(taken))


def sifted(index: sl.ApproximateIndex, queries: NDArray[np.float32], limits: list[Eligible]) -> list[int]:
    """Return how many items of each query's 100 nearest of all are permitted: what is left by sifting afterwards."""
    nearest = index.rank(queries, 100, all_permitted(len(queries), len(index)))
    return [
        int(np.count_nonzero(one.rule_of(np.zeros(100, np.int64), nearest.item_idx[a : a + 100]) == 0))
        for one, a in zip(limits, nearest.ptr[:-1], strict=True)
    ]


def row(
    kind: str,
    share: float,
    approximate: sl.ApproximateIndex,
    exact: sl.ExactIndex,
    queries: NDArray[np.float32],
    limits: list[Eligible],
) -> list[Any]:
    found, approximate_ms = answers(approximate, queries, limits)
    best, exact_ms = answers(exact, queries, limits)
    hits = [np.isin(b.item_idx, a.item_idx).sum() for a, b in zip(found, best, strict=True)]
    wanted = [min(K, int(one.n_allowed()[0])) for one in limits]
    short = sum(len(one.item_idx) < n for one, n in zip(found, wanted, strict=True))
    left = [min(n, K) / K for n in sifted(approximate, queries, limits)]
    return [
        kind,
        share,
        float(sum(hits)) / sum(wanted),
        short,
        approximate_ms,
        exact_ms,
        float(np.mean(left)),
    ]


def main() -> None:
    """Measure and write benchmarks/results/filtered_search.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=0)
    parser.add_argument("--output", type=Path, default=results.DIRECTORY / f"{NAME}.json")
    given = parser.parse_args()
    sl.set_num_threads(THREADS)
    vectors = vector_sets.glove(given.n or None)
    queries = vectors.queries[:N_QUERIES]
    exact = sl.ExactIndex("cosine").build(vectors.items)
    index = sl.ApproximateIndex("cosine", build_threads=THREADS).build(vectors.items, queries=vectors.queries)
    nearest = exact.rank(queries, N_SEEN, all_permitted(N_QUERIES, len(index))).padded(N_SEEN)
    rows = []
    for share in SHARES:
        for kind, item_rule in masks(vectors, share).items():
            for seen in (None, nearest):
                name = kind if seen is None else f"{kind}, seen left out"
                limits = asked(item_rule, seen)
                rows.append(row(name, share, index, exact, queries, limits))
                print(rows[-1], flush=True)
    columns = {
        "items that may be found": "",
        "share": ".2%",
        "recall@10": ".3f",
        "short lists": ",d",
        "approximate, ms": ".2f",
        "exact, ms": ".2f",
        "share of a list left by sifting 100": ".0%",
    }
    payload = {
        "n": len(index),
        "recall_reported": index.recall_,
        "least_recall": min(one[2] for one in rows),
        "short": sum(one[3] for one in rows),
        "tables": {"shares": results.table(columns, rows)},
    }
    results.write(NAME, payload, data_hash=vectors.data_hash, seed=0, path=given.output)


if __name__ == "__main__":
    main()
