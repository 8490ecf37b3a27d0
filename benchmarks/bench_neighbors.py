"""ItemNeighbors beside implicit's CosineRecommender: the 100 items most similar to each, two threads each.

    python benchmarks/bench_neighbors.py [--data benchmarks/data/gowalla] [--runs 5] [--full]

Each side runs in a process of its own, in turns. Ours is a whole `fit` from a dataset, with `shrinkage=0`, and its part
from the sparse matrix on, which is all that implicit does; implicit keeps 101 neighbours, since an item is its own
first. Compilation is done before and measured apart, in a process with an empty cache. The data are a synthetic set of
the size of MovieLens-20M (`movielens_like`) and, where it is, the Gowalla split. `--full` adds TF-IDF weights, which
are not counted by bits.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import movielens_like
import numpy as np
import pair_data
import results
from scipy import sparse

import shortlist as sl
from shortlist.data.interactions import Interactions
from shortlist.models.neighborhood import Comparison
from shortlist.models.similar_rows import SimilarRows

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "neighbors"
N_NEIGHBORS = 100
THREADS = 2
SYNTHETIC, GOWALLA = "like MovieLens-20M", "Gowalla"
SIDES = {"cosine": ("ours", "implicit"), "tfidf": ("ours tfidf", "implicit tfidf")}


def dataset_of(X: sparse.csr_matrix) -> sl.Dataset:
    """Return the pairs of `X` as events."""
    users, items = (sl.Vocabulary.of(np.arange(n)) for n in X.shape)
    user = np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))
    log = Interactions.of(user, X.indices, X.data, None, *X.shape, sl.Feedback.events())
    return sl.Dataset(log, users, items, name="pairs")


def matrix_of(name: str, folder: Path) -> sparse.csr_matrix:
    """Return the 0/1 matrix of a set."""
    if name == SYNTHETIC:
        return movielens_like.movielens_like(results.DATA / "movielens_like.npz")
    return sparse.csr_matrix(pair_data.read(folder).train.interactions.matrix("last"))


def warm_up(model: sl.ItemNeighbors) -> None:
    """Run every kernel once; a dense set is counted by bits."""
    rng = np.random.default_rng(0)
    X = sparse.csr_matrix((rng.random((400, 2000)) < 0.3).astype(np.float32))
    model.clone().fit(dataset_of(X))


def ours(X: sparse.csr_matrix, model: sl.ItemNeighbors) -> dict[str, float]:
    """Return the seconds of a fit, and of its part from the matrix on."""
    sl.set_num_threads(THREADS)
    warm_up(model)
    data = dataset_of(X)
    whole = seconds_of(lambda: model.fit(data))

    def similarities() -> None:
        rows = sparse.csr_array(X).T.tocsr()
        rows = Comparison.of(model, rows)(rows)
        index = SimilarRows.of(rows, model.similarity, model.shrinkage)
        index.nearest(rows, N_NEIGHBORS, np.arange(rows.shape[0], dtype=np.int32))

    return {"seconds": seconds_of(similarities), "whole": whole}


def implicits(X: sparse.csr_matrix, name: str) -> dict[str, float]:
    """Return the seconds of a fit of implicit's recommender of that name."""
    from implicit import nearest_neighbours

    model = getattr(nearest_neighbours, name)(K=N_NEIGHBORS + 1, num_threads=THREADS)
    return {"seconds": seconds_of(lambda: model.fit(X, show_progress=False))}


def seconds_of(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def time_side(side: str, name: str, folder: Path) -> dict[str, float]:
    """Return the seconds of one run of a side and the peak memory of this process, GiB."""
    if side == "compile":
        model = sl.ItemNeighbors(N_NEIGHBORS, shrinkage=0)
        return {"seconds": seconds_of(lambda: warm_up(model)) - seconds_of(lambda: warm_up(model))}
    X = matrix_of(name, folder)
    weighting = "tfidf" if side.endswith("tfidf") else "binary"
    if side.startswith("ours"):
        found = ours(X, sl.ItemNeighbors(N_NEIGHBORS, shrinkage=0, weighting=weighting))
    else:
        found = implicits(X, "TFIDFRecommender" if weighting == "tfidf" else "CosineRecommender")
    return found | {"gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def command(side: str, name: str, folder: Path) -> list[str]:
    """Return the command that times one side in a process of its own."""
    return [sys.executable, __file__, "--side", side, "--set", name, "--data", str(folder)]


def measure(name: str, what: str, folder: Path, runs: int) -> tuple[list[list[Any]], dict[str, Any]]:
    """Return the rows of the table for one set and weighting, and the ratio of the times with its interval."""
    mine, peer = SIDES[what]
    found = results.alternate({side: command(side, name, folder) for side in (mine, peer)}, runs)
    seconds = {side: [one["seconds"] for one in found[side]] for side in (mine, peer)}
    whole = [one["whole"] for one in found[mine]]
    ratio = results.ratio_interval(seconds[peer], seconds[mine], rng=0)
    ratio |= {"whole_fit": results.ratio_interval(seconds[peer], whole, rng=0)}
    rows = [
        [name, what, "ItemNeighbors, from the matrix on", np.median(seconds[mine]), ratio["ratio"]],
        [name, what, "ItemNeighbors, whole fit", np.median(whole), ratio["whole_fit"]["ratio"]],
        [name, what, "implicit", np.median(seconds[peer]), 1.0],
    ]
    for row, side in zip(rows, (mine, mine, peer), strict=True):
        row.append(max(one["gib"] for one in found[side]))
        print(row, flush=True)
    return rows, ratio


def compile_seconds(folder: Path) -> float:
    """Return how long the kernels take to compile, in a process with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {"NUMBA_CACHE_DIR": cache}
        found = results.alternate({"compile": command("compile", SYNTHETIC, folder)}, 1, env=environment)
    return float(found["compile"][0]["seconds"])


def main() -> None:
    """Measure one side and print it as JSON, or all of them and write benchmarks/results/neighbors.json."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--full", action="store_true")
    arguments.add_argument("--side", choices=["compile", *(side for pair in SIDES.values() for side in pair)])
    arguments.add_argument("--set", choices=[SYNTHETIC, GOWALLA], default=SYNTHETIC)
    given = arguments.parse_args()
    if given.side is not None:
        print(json.dumps(time_side(given.side, given.set, given.data)))
        return
    sets = [SYNTHETIC]
    if (given.data / "train.parquet").is_file():
        sets.append(GOWALLA)
    else:
        print(f"{GOWALLA} is left out: no train.parquet in {given.data}; give --data", file=sys.stderr)
    made = movielens_like.describe(matrix_of(SYNTHETIC, given.data))
    measured = [
        (name, what, *measure(name, what, given.data, given.runs))
        for name in sets
        for what in (SIDES if given.full else ["cosine"])
    ]
    columns = {"set": "", "weights": "", "": "", "seconds": ".2f", "times faster": ".2f", "peak GiB": ".2f"}
    payload = {
        "runs": given.runs,
        "threads": THREADS,
        "n_neighbors": N_NEIGHBORS,
        "compile_seconds": compile_seconds(given.data),
        "synthetic": made,
        "ratios": {f"{name}, {what}": ratio for name, what, _, ratio in measured},
        "tables": {"fit": results.table(columns, [row for _, _, rows, _ in measured for row in rows])},
    }
    print(json.dumps({key: payload[key] for key in ("compile_seconds", "ratios")}), flush=True)
    results.write(NAME, payload, data_hash="movielens_like, seed 0", seed=0)


if __name__ == "__main__":
    main()
