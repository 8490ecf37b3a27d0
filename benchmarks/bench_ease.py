"""EASE beside the bare inversion of its matrix: what all the rest of a fit takes.

    python benchmarks/bench_ease.py [--runs 5]

Each side runs in a process of its own, in turns, with as many threads as there are cores. "EASE" is one whole fit from
a dataset, compiled before. "LAPACK" is `potrf` and `potri` in single precision, in place, on the same matrix XᵀX + λI,
which was made before: the least that any implementation of the closed form does. "numpy.linalg.inv" is what is often
written; it is measured on the smaller set alone. The data are sets of the shape of MovieLens with the number of items
cut to size (`movielens_like`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

import movielens_like
import numpy as np
import results
from scipy.linalg import lapack

import shortlist as sl
from shortlist import threads
from shortlist.data.interactions import Interactions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scipy import sparse

NAME = "ease"
SIZES = {"5,000 items": (20_000, 5_000), "10,000 items": (40_000, 10_000)}
MOST_ITEMS_OF_NUMPY = 5_000
REG = 250.0
CORES = threads.num_threads()


def choices(n_users: int, n_items: int) -> sparse.csr_matrix:
    """Return the 0/1 matrix of the set of this size."""
    return movielens_like.movielens_like(
        results.DATA / NAME / f"{n_items}.npz", n_users=n_users, n_items=n_items
    )


def dataset_of(X: sparse.csr_matrix) -> sl.Dataset:
    """Return the pairs of `X` as events."""
    n_users, n_items = X.shape
    users, items = (sl.Vocabulary.of(np.arange(n)) for n in X.shape)
    user = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(X.indptr))
    log = Interactions.of(user, X.indices, X.data, None, n_users, n_items, sl.Feedback.events())
    return sl.Dataset(log, users, items, name="like MovieLens")


def gram(X: sparse.csr_matrix) -> np.ndarray:
    """Return XᵀX + λI, float32, in the order LAPACK takes without a copy."""
    G = np.asfortranarray((X.T @ X).toarray(order="F"), np.float32)
    G[np.diag_indices_from(G)] += np.float32(REG)
    return G


def fit(X: sparse.csr_matrix) -> Callable[[], object]:
    """Return one fit of EASE on `X`; everything that it runs is compiled."""
    model, data = sl.EASE(REG), dataset_of(X)
    model.clone().fit(dataset_of(X[:50]))
    return lambda: model.fit(data)


def potrf_potri(X: sparse.csr_matrix) -> Callable[[], object]:
    """Return the inversion of one triangle by LAPACK, in place."""
    G = gram(X)

    def invert() -> None:
        factor, failed = lapack.spotrf(G, lower=1, overwrite_a=1, clean=0)
        _, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
        if failed or failed_too:
            raise RuntimeError("the matrix is not positive definite")

    return invert


def numpy_inv(X: sparse.csr_matrix) -> Callable[[], object]:
    """Return the inversion by `numpy.linalg.inv`."""
    G = gram(X)
    return lambda: np.linalg.inv(G)


SIDES: Mapping[str, Callable[[sparse.csr_matrix], Callable[[], object]]] = {
    "EASE": fit,
    "LAPACK": potrf_potri,
    "numpy.linalg.inv": numpy_inv,
}


def time_side(side: str, size: str) -> dict[str, float]:
    """Return the seconds of one run of a side and the peak memory of this process, GiB."""
    run = SIDES[side](choices(*SIZES[size]))
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def measure(size: str, runs: int) -> tuple[list[list[Any]], dict[str, Any]]:
    """Return the rows of the table for one size, and the ratio of EASE to LAPACK with its interval."""
    X = choices(*SIZES[size])
    sides = [side for side in SIDES if side != "numpy.linalg.inv" or X.shape[1] <= MOST_ITEMS_OF_NUMPY]
    commands = {side: [sys.executable, __file__, "--side", side, "--size", size] for side in sides}
    found = results.alternate(commands, runs)
    seconds = {side: [one["seconds"] for one in found[side]] for side in sides}
    ratio = results.ratio_interval(seconds["EASE"], seconds["LAPACK"], rng=0)
    rows = []
    for side in sides:
        middle = results.median_spread(seconds[side])["median"]
        versus = middle / results.median_spread(seconds["LAPACK"])["median"]
        peak = max(one["gib"] for one in found[side])
        rows.append([size, X.nnz, side, middle, versus, X.shape[1] ** 3 / middle / 1e9, peak])
        print(rows[-1], flush=True)
    print(ratio, flush=True)
    return rows, ratio


def main() -> None:
    """Measure one side and print it as JSON, or all of them and write benchmarks/results/ease.json."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--side", choices=list(SIDES))
    arguments.add_argument("--size", choices=list(SIZES))
    given = arguments.parse_args()
    if given.side is not None:
        print(json.dumps(time_side(given.side, given.size)))
        return
    measured = {size: measure(size, given.runs) for size in SIZES}
    columns = {
        "size": "",
        "pairs": ",",
        "": "",
        "seconds": ".2f",
        "÷ LAPACK": ".2f",
        "10⁹ operations a second": ".0f",
        "peak memory, GiB": ".2f",
    }
    rows = [row for found, _ in measured.values() for row in found]
    payload = {
        "runs": given.runs,
        "cores": CORES,
        "reg": REG,
        "ratio": {size: ratio for size, (_, ratio) in measured.items()},
        "tables": {"inversion": results.table(columns, rows)},
    }
    digest = hashlib.sha256(b"".join(choices(*size).indices.tobytes() for size in SIZES.values()))
    results.write(NAME, payload, data_hash=digest.hexdigest(), seed=0)


if __name__ == "__main__":
    main()
