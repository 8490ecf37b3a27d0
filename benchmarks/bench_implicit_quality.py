"""WALS on the Gowalla split: Recall@20 and NDCG@20, parameters chosen on a validation part of train.

    python benchmarks/bench_implicit_quality.py --data DIRECTORY

DIRECTORY holds train.parquet and test.parquet (user_id, item_id) of the split that LightGCN published; the data has
no licence and is not part of this repository. Full ranking over all items, train items left out; recall divides by all
test items of a user, NDCG's ideal list is cut at min(20, |test|); means over test users. The validation part is a
random fifth of each user's training events (none of a user with fewer than five). The search is at a smaller dim than
the final fit; its grid was laid where coarser ones at dim 128 had their best validation values.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import results

import shortlist as sl
from shortlist import metrics
from shortlist.data.interactions import Interactions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

K = 20
SEARCH_DIM = 256
GRID = list(itertools.product((0.004, 0.007), (0.004, 0.007, 0.012)))
PUBLISHED = (("EASE, λ=80", 0.1765, 0.1467), ("LightGCN", 0.1820, 0.1547), ("UltraGCN", 0.1862, 0.1580))


def part(frame: pl.DataFrame, users: sl.Vocabulary, items: sl.Vocabulary, name: str) -> Dataset:
    """Return a dataset of one of the files over the vocabularies of both."""
    log = Interactions.of(
        users.index_of(frame["user_id"]),
        items.index_of(frame["item_id"]),
        np.ones(frame.height, np.float32),
        None,
        len(users),
        len(items),
        sl.Feedback.events(),
    )
    return sl.Dataset(log, users, items, name=name)


def held_out(train: Dataset, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Return a random four fifths of each user's events, and the rest."""
    log = train.interactions
    order = np.lexsort((rng.random(len(log)), log.user_idx))
    count = np.bincount(log.user_idx, minlength=log.n_users)
    rank = np.arange(len(log)) - np.repeat(np.cumsum(count) - count, count)
    last = np.zeros(len(log), bool)
    last[order] = rank < (count // 5)[log.user_idx[order]]
    return train.with_interactions(log.where(~last)), train.with_interactions(log.where(last))


def quality(model: sl.Model, test: Dataset) -> tuple[float, float]:
    """Return mean Recall@20 and NDCG@20 over the users of `test`."""
    truth = test.interactions.matrix("count")
    users: NDArray[np.int64] = np.flatnonzero(np.diff(truth.indptr))
    shown = model.recommend(test.users.ids.gather(users), K, on_unknown="fallback").lists.padded(K)
    ptr = np.concatenate([[0], np.cumsum(np.diff(truth.indptr)[users])])
    hits = metrics.find_hits(shown, ptr, truth.indices.astype(np.int32))
    return float(metrics.recall(hits).mean()), float(metrics.ndcg(hits).mean())


def chosen_on_validation(train: Dataset, seed: int) -> dict[str, float]:
    """Return the point of the grid with the largest sum of validation Recall@20 and NDCG@20."""
    fitted_part, validation = held_out(train, np.random.default_rng(seed))
    best: tuple[float, dict[str, float]] = (-1.0, {})
    for weight, reg in GRID:
        point = {"unobserved_weight": weight, "reg": reg}
        model = sl.WALS(SEARCH_DIM, n_epochs=6, **point).fit(fitted_part, rng=seed)
        recall, ndcg = quality(model, validation)
        print("validation", point, f"recall {recall:.4f} ndcg {ndcg:.4f}", flush=True)
        best = max(best, (recall + ndcg, point), key=lambda pair: pair[0])
    return best[1]


def main() -> None:
    """Choose, fit, measure on test once a seed, and write benchmarks/results/implicit_quality.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    files = [arguments.data / f"{name}.parquet" for name in ("train", "test")]
    if not all(file.is_file() for file in files):
        results.leave_out(f"no train.parquet and test.parquet in {arguments.data}; give --data")
    frames = [pl.read_parquet(file) for file in files]
    users = sl.Vocabulary.of(*(frame["user_id"] for frame in frames))
    items = sl.Vocabulary.of(*(frame["item_id"] for frame in frames))
    train, test = (
        part(frame, users, items, name) for frame, name in zip(frames, ("train", "test"), strict=True)
    )
    chosen = chosen_on_validation(train, seed=0)
    rows = []
    for seed in range(arguments.seeds):
        start = time.perf_counter()
        model = sl.WALS(arguments.dim, n_epochs=arguments.epochs, **chosen).fit(train, rng=seed)
        seconds = time.perf_counter() - start
        recall, ndcg = quality(model, test)
        rows.append([f"shortlist WALS, dim {arguments.dim}, seed {seed}", recall, ndcg, seconds])
        print(rows[-1], flush=True)
    columns = {"": "", "Recall@20": ".4f", "NDCG@20": ".4f", "fit, s": ".0f"}
    published = [[f"{name} (published)", recall, ndcg, None] for name, recall, ndcg in PUBLISHED]
    payload = {
        "tables": {"gowalla": results.table(columns, [*rows, *published])},
        "chosen": chosen | {"dim": arguments.dim, "n_epochs": arguments.epochs},
        "recall": results.median_spread([row[1] for row in rows]),
        "ndcg": results.median_spread([row[2] for row in rows]),
    }
    results.write("implicit_quality", payload, data_hash=results.hash_files(*files), seed=0)


if __name__ == "__main__":
    main()
