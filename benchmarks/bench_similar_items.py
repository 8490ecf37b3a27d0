"""What popularity does to each measure of similarity: how often the neighbours of a film were liked.

    python benchmarks/bench_similar_items.py [--seed 0]

For films in five groups of equal size by the number of people who liked them, the median number of likes of their 10
nearest neighbours by cosine, dot product and Euclidean distance, under WALS and under MatrixFactorization.
"""

from __future__ import annotations

import argparse

import numpy as np
import results

import shortlist as sl

K = 10
MEASURES = ("cosine", "dot", "euclidean")
GROUPS = 5


def neighbour_likes(model: sl.Model, likes: np.ndarray, items: np.ndarray, measure: str) -> float:
    """Return the median number of likes of the K nearest neighbours of `items`."""
    return float(np.median(likes[model.similar(items, K, measure).item_idx]))


def main() -> None:
    """Print the table and write it to benchmarks/results/similar_items.json."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    seed = arguments.parse_args().seed
    data = sl.datasets.movielens_small()
    likes = data.memory.n_positive
    rows = []
    for model in (sl.WALS(), sl.MatrixFactorization()):
        model.fit(data, rng=seed)
        known = np.flatnonzero(model.known_items_ & (likes > 0)).astype(np.int32)
        by_likes = known[np.argsort(likes[known], kind="stable")]
        for items in np.array_split(by_likes, GROUPS):
            near = [neighbour_likes(model, likes, items, measure) for measure in MEASURES]
            rows.append([type(model).__name__, float(np.median(likes[items])), *near])
            print(rows[-1], flush=True)
    columns = {"model": "", "likes of the film": ".0f"} | dict.fromkeys(MEASURES, ".0f")
    payload = {"k": K, "tables": {"likes": results.table(columns, rows)}}
    results.write("similar_items", payload, data_hash=data.fingerprint, seed=seed)


if __name__ == "__main__":
    main()
