"""Ten million items: an approximate index built, saved, mapped and asked, and a whole retrieval timed.

    python benchmarks/bench_ten_million.py [--only PART] [--redo] [--n 10000000]

The items are synthetic vectors of dim 64 around 4,096 centres (`vector_sets.clustered`), stored as int8 and compared by
cosine; the index puts them in cells, for retrievals of 200 items. Parts, each kept as soon as it is done, so that a run
that is cut off goes on:

- `build`: the index is built on two threads and saved to benchmarks/data
- `search`: in a process of its own the index is loaded, mapped, and asked: recall@10 and @200 against exact search of
  what is stored, and p50 and p99 of one query at a time, of the search alone and of a whole retrieval: 200 items of a
  request whose user has seen 50, with a mask that leaves all, 90, 10 and 0.1 % of the items
- `exact`: the same queries by an `ExactIndex` of the float32 vectors

Memory is what the process holds at most (build) and at the end (search).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import results
import vector_sets
from bench_index import resident

import shortlist as sl
from shortlist.retrieval.index.asked import all_permitted
from shortlist.stages import Eligible

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

NAME = "ten_million"
N, DIM, THREADS = 10_000_000, 64, 2
N_QUERIES, N_EXACT, N_SEEN, RETRIEVED = 1000, 100, 50, 200
SHARES = (1.0, 0.9, 0.1, 0.001)
PARTS = ("build", "search", "exact")


def folder_of(n: int) -> Path:
    return results.DATA / f"ten_million_{n}"


def build(n: int) -> dict[str, Any]:
    """Build and save the index; return how long both took, the peak memory and the bytes on disk."""
    vectors = vector_sets.clustered(n, DIM, N_QUERIES)
    made = resident()
    began = time.perf_counter()
    index = sl.ApproximateIndex(
        "cosine", "int8", structure="cells", recall_at=RETRIEVED, build_threads=THREADS
    )
    index.build(vectors.items, queries=vectors.queries)
    built = time.perf_counter() - began
    began = time.perf_counter()
    folder = index.save(folder_of(n))
    return {
        "build_s": built,
        "save_s": time.perf_counter() - began,
        "recall_reported": index.recall_,
        "effort": index.effort_,
        "vectors_mib": made,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "disk_mib": sum(file.stat().st_size for file in (folder / "arrays").iterdir()) / 2**20,
        "data_hash": vectors.data_hash,
    }


def requests(n: int, share: float, rng: np.random.Generator, count: int) -> list[Eligible]:
    """Return what each of `count` users may be shown: a share of the items, without 50 that they have seen."""
    item_rule = (rng.random(n) >= share).astype(np.int8)
    seen = [np.sort(rng.choice(n, N_SEEN, replace=False)).astype(np.int32) for _ in range(count)]
    ptr, rule = np.array([0, N_SEEN]), np.ones(N_SEEN, np.int8)
    return [Eligible(("stock", "seen"), item_rule, ptr, own, rule) for own in seen]


def times(ask: Callable[[int], object], count: int) -> dict[str, float]:
    """Return p50 and p99 in milliseconds of `count` calls, one at a time, after three that do not count."""
    taken = []
    for i in range(-3, count):
        began = time.perf_counter()
        ask(max(i, 0))
        taken.append((time.perf_counter() - began) * 1000)
    return {"p50_ms": float(np.quantile(taken[3:], 0.5)), "p99_ms": float(np.quantile(taken[3:], 0.99))}


def search(n: int) -> dict[str, Any]:
    """Load the index and return its recall, and the times of searches and of whole retrievals."""
    sl.set_num_threads(THREADS)
    queries = vector_sets.clustered(0, DIM, N_QUERIES, n_of_queries=n).queries
    began = time.perf_counter()
    index = sl.ApproximateIndex.load(folder_of(n))
    found: dict[str, Any] = {"load_s": time.perf_counter() - began}
    everything = all_permitted(1, n)
    found["k10"] = times(lambda i: index.rank(queries[i : i + 1], 10, everything), N_QUERIES)
    found["k200"] = times(lambda i: index.rank(queries[i : i + 1], RETRIEVED, everything), N_QUERIES)
    found["recall10"] = index.measured_recall(queries[:N_EXACT], 10)
    found["recall200"] = index.measured_recall(queries[:N_EXACT], RETRIEVED)
    rng = np.random.default_rng(1)
    found["retrieval"] = [
        {"share": share} | retrieval(index, queries, requests(n, share, rng, N_EXACT)) for share in SHARES
    ]
    return found | {"mib": resident()}


def retrieval(
    index: sl.ApproximateIndex, queries: NDArray[np.float32], asked: list[Eligible]
) -> dict[str, Any]:
    """Return times, recall and the shortest list of retrievals of 200 items."""
    found = [index.rank(queries[i : i + 1], RETRIEVED, one) for i, one in enumerate(asked)]
    with index._at_rest() as items:
        none = np.zeros(1, np.float32)
        exact = [items.best(queries[i : i + 1], RETRIEVED, one, none) for i, one in enumerate(asked[:20])]
    hits = [np.isin(b.item_idx, a.item_idx).mean() for a, b in zip(found[: len(exact)], exact, strict=True)]
    timed = times(lambda i: index.rank(queries[i : i + 1], RETRIEVED, asked[i]), len(asked))
    return timed | {"recall": float(np.mean(hits)), "shortest": min(len(one.item_idx) for one in found)}


def exact(n: int) -> dict[str, Any]:
    """Return the times of exact search of the float32 vectors, one query at a time, and the memory."""
    sl.set_num_threads(THREADS)
    vectors = vector_sets.clustered(n, DIM, N_QUERIES)
    index = sl.ExactIndex("cosine").build(vectors.items)
    everything = all_permitted(1, n)
    began = time.perf_counter()
    index.rank(vectors.queries[:1], 10, everything)
    prepared = time.perf_counter() - began
    return {
        "prepare_s": prepared,
        "k10": times(lambda i: index.rank(vectors.queries[i : i + 1], 10, everything), N_EXACT),
        "k200": times(lambda i: index.rank(vectors.queries[i : i + 1], RETRIEVED, everything), N_EXACT),
        "mib": resident(),
    }


def tables(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the tables of the parts that are there."""
    rows: list[list[Any]] = []
    if "search" in parts:
        found = parts["search"]
        rows += [
            ["10 items, approximate", found["recall10"], *found["k10"].values()],
            ["200 items, approximate", found["recall200"], *found["k200"].values()],
        ]
        rows += [
            [f"200 unseen of {one['share']:.1%} of the items", one["recall"], one["p50_ms"], one["p99_ms"]]
            for one in found["retrieval"]
        ]
    if "exact" in parts:
        found = parts["exact"]
        rows += [
            [f"{k} items, exact, float32", 1.0, *found[key].values()]
            for k, key in ((10, "k10"), (200, "k200"))
        ]
    columns = {"retrieval": "", "recall": ".3f", "p50, ms": ".1f", "p99, ms": ".1f"}
    return {"retrieval": results.table(columns, rows)}


def main() -> None:
    """Measure the parts that are asked for and not there, each in a process of its own, and keep them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", "--part", choices=PARTS)
    parser.add_argument("--redo", action="store_true")
    parser.add_argument("--n", type=int, default=N)
    parser.add_argument("--output", type=Path, default=results.DIRECTORY / f"{NAME}.json")
    parser.add_argument("--here", action="store_true", help="measure one part in this process")
    given = parser.parse_args()
    if given.here:
        print(json.dumps({"build": build, "search": search, "exact": exact}[given.only](given.n)))
        return
    kept = json.loads(given.output.read_text(encoding="utf-8"))["results"] if given.output.is_file() else {}
    parts = kept.get("parts", {})
    for part in (given.only,) if given.only else PARTS:
        if part in parts and not (given.redo or given.only):
            continue
        command = [sys.executable, __file__, "--only", part, "--n", str(given.n), "--here"]
        parts[part] = results.alternate({part: command}, 1)[part][0]
        print(part, json.dumps(parts[part]), flush=True)
        payload = {"n": given.n, "dim": DIM, "threads": THREADS, "parts": parts, "tables": tables(parts)}
        data_hash = parts.get("build", {}).get("data_hash", "vector_sets.clustered, seed 0")
        results.write(NAME, payload, data_hash=data_hash, seed=0, path=given.output)


if __name__ == "__main__":
    main()
