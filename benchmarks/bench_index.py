"""Approximate indexes beside exact search: build time, memory, and recall@10 against queries a second.

    python benchmarks/bench_index.py [--only PART] [--redo] [--data benchmarks/data/gowalla]

Parts: `glove`, 399,000 word vectors of dim 50 by cosine; `wals`, the item vectors of a WALS model of Gowalla, dim 64,
for users; `crossing`, exact search beside the graph on parts of the GloVe vectors, which says below how many items
exact search is the faster one (the default of `ApproximateIndex(exact_up_to=)`). Each index is built and asked in a
process of its own, on two threads; queries come one at a time ("single") and 512 at once ("batch"). Every graph has 16
links and an effort of 128 at building; what varies is the effort of a search. The peers are usearch, hnswlib and faiss,
and their recall is that of the items they name, before any rescoring. Parts are kept as they are measured. With
`glove` and `wals` the chart docs/images/vector-search.png can be drawn (docs/images/make_vector_search.py).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import results
import vector_sets
from index_sides import EXACT, SIDES, Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from vector_sets import VectorSet

NAME = "index"
K, THREADS, BATCH = 10, 2, 512
WANTED = 0.95
SECONDS_A_POINT = 1.0
SIZES = (10_000, 20_000, 50_000, 100_000, 200_000, 399_000)
PARTS = ("glove", "wals", "crossing")
SCAN = "float32 scan"


def vectors_of(part: str, folder: Path, n: int | None) -> VectorSet:
    return vector_sets.wals(folder) if part == "wals" else vector_sets.glove(n)


def best(vectors: VectorSet, queries: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return int64[n, K]: the exact answers, by NumPy."""
    found = np.empty((len(queries), K), np.int64)
    for start in range(0, len(queries), 64):
        scores = queries[start : start + 64] @ vectors.items.T
        found[start : start + 64] = np.argpartition(-scores, K, axis=1)[:, :K]
    return found


def recall(found: NDArray[np.integer[Any]], exact: NDArray[np.int64]) -> float:
    shared = [len(set(a) & set(b)) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]
    return sum(shared) / exact.size


def rate(ask: Callable[[NDArray[np.float32]], object], queries: NDArray[np.float32], size: int) -> float:
    """Return queries a second, asked `size` at a time for about `SECONDS_A_POINT`."""
    ask(queries[:size])
    began, n = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS_A_POINT:
        start = n % max(len(queries) - size + 1, 1)
        ask(queries[start : start + size])
        n += size
    return n / (time.perf_counter() - began)


def resident() -> float:
    """Return the memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def time_side(name: str, vectors: VectorSet) -> dict[str, Any]:
    """Return build time, memory and the points of one index."""
    if name == SCAN:
        return time_scan(vectors)
    exact, before = best(vectors, vectors.queries), resident()
    began = time.perf_counter()
    side = SIDES[name](vectors, THREADS)
    built = {"build_s": time.perf_counter() - began, "mib": resident() - before}
    return built | {"points": [point(side, effort, vectors, exact) for effort in side.efforts]}


def point(side: Side, effort: int, vectors: VectorSet, exact: NDArray[np.int64]) -> dict[str, float]:
    side.set_effort(effort)

    def ask(queries: NDArray[np.float32]) -> object:
        return side.nearest(queries, K)

    return {
        "effort": effort,
        "recall": recall(side.nearest(vectors.queries, K), exact),
        "single": rate(ask, vectors.queries, 1),
        "batch": rate(ask, vectors.queries, BATCH),
    }


def time_scan(vectors: VectorSet) -> dict[str, Any]:
    """Return the rate of the bare matrix product, nothing chosen from it; in batches of 64, which fit in memory."""
    items = vectors.items
    single = rate(lambda queries: items @ queries[0], vectors.queries, 1)
    batch = rate(lambda queries: queries @ items.T, vectors.queries, 64)
    return {
        "build_s": 0.0,
        "mib": 0.0,
        "points": [{"effort": 0, "recall": 1.0, "single": single, "batch": batch}],
    }


def measured(part: str, folder: Path, names: tuple[str, ...], n: int | None = None) -> dict[str, Any]:
    """Return what each of `names` measures in a process of its own; a run that was cut off goes on where it was."""
    command = [sys.executable, __file__, "--only", part, "--data", str(folder), "--n", str(n or 0)]
    done = results.DATA / f"{NAME}-{part}-{n or 'all'}.json"
    found = json.loads(done.read_text(encoding="utf-8")) if done.is_file() else {}
    for name in names:
        if name in found:
            continue
        side = {name: [*command, "--side", name]}
        found[name] = results.alternate(side, 1, env={"OPENBLAS_NUM_THREADS": str(THREADS)})[name][0]
        print(part, n or "", name, json.dumps(found[name]), flush=True)
        done.parent.mkdir(parents=True, exist_ok=True)
        done.write_text(json.dumps(found) + "\n", encoding="utf-8")
    done.unlink(missing_ok=True)
    return {name: found[name] for name in names}


def at_recall(points: list[dict[str, float]], kind: str) -> float | None:
    """Return the rate at a recall of `WANTED`, between the points on both sides of it (log rate); None below it."""
    above = [p for p in points if p["recall"] >= WANTED]
    if not above:
        return None
    first = min(above, key=lambda p: p["recall"])
    below = [p for p in points if p["recall"] < WANTED]
    if not below:
        return first[kind]
    last = max(below, key=lambda p: p["recall"])
    share = (WANTED - last["recall"]) / (first["recall"] - last["recall"])
    return float(np.exp((1 - share) * np.log(last[kind]) + share * np.log(first[kind])))


def libraries(part: str, folder: Path) -> dict[str, Any]:
    vectors = vectors_of(part, folder, None)
    found = measured(part, folder, (*SIDES, SCAN))
    scan = {kind: found[SCAN]["points"][0][kind] for kind in ("single", "batch")}
    rows = []
    for name, one in found.items():
        rates = [at_recall(one["points"], kind) for kind in ("single", "batch")]
        times = [rate / scan[kind] if rate else None for rate, kind in zip(rates, scan, strict=True)]
        built = [one["build_s"], one["mib"]] if name not in {*EXACT, SCAN} else [None, None]
        rows.append([name, *built, rates[0], times[0], rates[1], times[1]])
    columns = {
        "index": "",
        "build, s": ".1f",
        "memory, MiB": ".0f",
        "single, queries/s": ",.0f",
        "× the scan": ".1f",
        "batch, queries/s": ",.0f",
        "× the scan ": ".1f",
    }
    return {
        "n": len(vectors.items),
        "dim": vectors.items.shape[1],
        "data_hash": vectors.data_hash,
        "sides": found,
        "table": results.table(columns, rows),
    }


def crossing(folder: Path) -> dict[str, Any]:
    """Return the rates of exact search and the graph by the number of items, and where they cross."""
    rows = []
    for n in SIZES:
        found = measured("crossing", folder, ("ExactIndex", "ApproximateIndex"), n)
        row: list[Any] = [n]
        for kind in ("single", "batch"):
            exact = found["ExactIndex"]["points"][0][kind]
            row += [exact, at_recall(found["ApproximateIndex"]["points"], kind)]
        rows.append(row)
    columns = {
        "items": ",d",
        "single, exact": ",.0f",
        "single, graph": ",.0f",
        "batch, exact": ",.0f",
        "batch, graph": ",.0f",
    }
    return {
        "single": crossed(rows, 1),
        "batch": crossed(rows, 3),
        "table": results.table(columns, rows),
    }


def crossed(rows: list[list[Any]], at: int) -> float | None:
    """Return the number of items at which the graph becomes as fast as exact search; None where it never does."""
    before: tuple[float, float] | None = None
    for row in rows:
        ahead = float(np.log(row[at + 1] / row[at]))
        size = float(np.log(row[0]))
        if ahead >= 0:
            if before is None:
                return float(row[0])
            share = -before[1] / (ahead - before[1])
            return float(np.exp(before[0] + share * (size - before[0])))
        before = size, ahead
    return None


def main() -> None:
    """Measure one side and print it as JSON, or the parts that are asked for and write results/index.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", "--part", choices=PARTS)
    parser.add_argument("--redo", action="store_true")
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--output", type=Path, default=results.DIRECTORY / f"{NAME}.json")
    parser.add_argument("--side", choices=[*SIDES, SCAN])
    parser.add_argument("--n", type=int, default=0)
    given = parser.parse_args()
    if given.side is not None:
        vectors = vectors_of(given.only, given.data, given.n or None)
        print(json.dumps(time_side(given.side, vectors)))
        return
    kept = json.loads(given.output.read_text(encoding="utf-8"))["results"] if given.output.is_file() else {}
    parts = kept.get("parts", {})
    for part in (given.only,) if given.only else PARTS:
        if part in parts and not (given.redo or given.only):
            continue
        parts[part] = crossing(given.data) if part == "crossing" else libraries(part, given.data)
        tables = {name: one["table"] for name, one in parts.items()}
        payload = {"k": K, "threads": THREADS, "recall": WANTED, "parts": parts, "tables": tables}
        results.write(NAME, payload, data_hash="vectors in parts", seed=0, path=given.output)


if __name__ == "__main__":
    main()
