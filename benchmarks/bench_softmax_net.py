"""SoftmaxNet: its quality on Gowalla, ids only, at dim 64; what it is compared with in a step; and folding.

    python benchmarks/bench_softmax_net.py [--data DIRECTORY] [--only PART …]

- gowalla: DIRECTORY holds train.parquet and test.parquet of the split that LightGCN published (`pair_data` has the
  protocol; the data has no licence and is not part of this repository). Parameters, then the number of epochs, are
  found on a random fifth of each user's training events, as `bench_gowalla` finds those of the other models; then the
  net is fitted on all of train and measured on test. The test part is seen by nothing else.
- negatives: on MovieLens small, every way to draw negatives with the same number of steps: quality and seconds.
- folding: of models trained on what was shown alone and of models with negatives, on two kinds of people who share no
  item, and on the genres of MovieLens small.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pair_data
import polars as pl
import results
from bench_gowalla import Part, measured, searched

import shortlist as sl

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "softmax_net"
SEEDS = (0, 1, 2)
# What is the same in every fit on Gowalla: the history alone, 64 numbers an item. The larger the sample the better; the
# best other parameters differ little between samples, so they are searched with a smaller one.
FORM = {
    "dim": 64,
    "item_bias": True,
    "negatives": "uniform",
    "n_negatives": 4096,
    "batch_size": 256,
}
NET = Part(
    "SoftmaxNet, dim 64",
    sl.SoftmaxNet,
    {
        "temperature": (0.08, 0.1, 0.12),
        "learning_rate": (0.005, 0.01, 0.02),
        "target_fraction": (0.3, 0.5, 0.7),
        "user_weight_exponent": (0.5, 1.0),
    },
    {"temperature": 0.1, "learning_rate": 0.01, "target_fraction": 0.5, "user_weight_exponent": 0.5},
    {**FORM, "n_negatives": 2048, "n_epochs": 16},
)
EPOCHS = (20, 40)
PUBLISHED = (
    ("MF-BPR, dim 64", 0.1627, 0.1378),
    ("YouTubeDNN, dim 64", 0.1754, 0.1473),
    ("MF + sampled softmax, dim 64", 0.1759, 0.1395),
    ("LightGCN", 0.1820, 0.1547),
    ("SimpleX", 0.1872, 0.1557),
    ("MF + bilateral softmax, dim 64", 0.1882, 0.1584),
)
SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "all items": {},
    "500 uniform": {"negatives": "uniform", "n_negatives": 500},
    "500 by √popularity": {"negatives": "popularity", "n_negatives": 500},
    "500 by √popularity, no logQ": {"negatives": "popularity", "n_negatives": 500, "logq": False},
    "in batch": {"negatives": "in_batch"},
    "in batch, no logQ": {"negatives": "in_batch", "logq": False},
}
# The vector of an item that few like is mostly where it began.
LEAST_LIKES = 20


def gowalla(folder: Path) -> dict[str, Any]:
    """Return the rows of the net, the published ones, what was chosen and how long it took to choose."""
    train, test, data_hash = pair_data.read(folder)
    start = time.perf_counter()
    found = searched(NET, train)
    begin = {**found, "n_epochs": EPOCHS[0]}
    epochs = replace(NET, values={"n_epochs": EPOCHS}, begin=begin, searched_with=FORM)
    chosen = {**searched(epochs, train), **FORM}
    seconds = time.perf_counter() - start
    rows = measured(NET.title, lambda: sl.SoftmaxNet(**chosen), train, test, SEEDS[:1])
    published = [[f"{name} (published)", recall, ndcg, None] for name, recall, ndcg in PUBLISHED]
    columns = {"": "", "Recall@20": ".4f", "NDCG@20": ".4f", "fit, s": ".0f"}
    return {
        "table": results.table(columns, [*rows, *published]),
        "chosen": chosen,
        "search_seconds": seconds,
        "recall": results.median_spread([row[1] for row in rows]),
        "ndcg": results.median_spread([row[2] for row in rows]),
        "seconds": results.median_spread([row[3] for row in rows]),
        "data_hash": data_hash,
    }


def negatives() -> dict[str, Any]:
    """Return the quality of the net by how negatives are drawn: medians over seeds."""
    train, test = sl.split.leave_last_out(sl.datasets.movielens_small())
    rows = []
    for name, options in SAMPLES.items():
        ndcg, seconds = [], []
        for seed in SEEDS:
            start = time.perf_counter()
            model = sl.SoftmaxNet(32, batch_size=64, learning_rate=0.02, **options).fit(train, rng=seed)
            seconds.append(time.perf_counter() - start)
            ndcg.append(sl.evaluate(model, train, test, k=10, n_bootstrap=0).result("ndcg").value)
        rows.append([name, float(np.median(ndcg)), min(ndcg), max(ndcg), float(np.median(seconds))])
        print(rows[-1], flush=True)
    columns = {"negatives": "", "NDCG@10": ".4f", "least": ".4f", "greatest": ".4f", "fit, s": ".1f"}
    return {"table": results.table(columns, rows)}


def strangers(seed: int = 0, n_items: int = 60, n_users: int = 400) -> tuple[sl.Dataset, np.ndarray]:
    """Return ratings by two kinds of people, each of items of their own, and the kind of each item.

    A person has a place on a ring, and so has each item of their kind: near ones get 5 of 5, far ones 1.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        taste = rng.uniform(0, 2 * np.pi)
        for item in rng.choice(n_items, 20, replace=False):
            match = np.cos(taste - 2 * np.pi * item / n_items)
            rows.append(
                (user, user % 2 * n_items + int(item), float(np.clip(np.round(3 + 2.4 * match), 1, 5)))
            )
    frame = pl.DataFrame(rows, ["user_id", "item_id", "value"], orient="row")
    return sl.read(frame, kind="ratings", scale=(1, 5)), np.repeat([0, 1], n_items)


def folding() -> dict[str, Any]:
    """Return the folding number of each model on both data sets: medians over seeds."""
    films = sl.datasets.movielens_small()
    assert films.item_features is not None
    genres = sl.FeatureEncoder.fit(films.item_features, ["genres"]).transform(films.item_features)
    likes = films.memory.n_positive
    planted, kinds = strangers()
    # On the planted data, ratings alone call for two numbers an item; to lie apart, both rings need a third.
    makers = {
        "shown ratings alone (MatrixFactorization)": (2, partial(sl.MatrixFactorization, min_ratings=1)),
        "all pairs (WALS)": (3, sl.WALS),
        "softmax over all items (SoftmaxNet)": (3, partial(sl.SoftmaxNet, batch_size=32, learning_rate=0.02)),
    }
    rows = []
    for name, (dim, make) in makers.items():
        two, by_genre = [], []
        for seed in SEEDS:
            model = make(dim).fit(planted, rng=seed)
            two.append(sl.metrics.folding(model.item_factors_, kinds))
            vectors = make(32).fit(films, rng=seed).item_factors_
            by_genre.append(sl.metrics.folding(vectors * (likes >= LEAST_LIKES)[:, None], genres))
        rows.append([name, float(np.median(two)), float(np.median(by_genre))])
        print(rows[-1], flush=True)
    columns = {"trained with": "", "two kinds of people": ".3f", "genres of films": ".3f"}
    return {"table": results.table(columns, rows), "least_likes": LEAST_LIKES}


PARTS = ("gowalla", "negatives", "folding")


def write(done: Mapping[str, Any]) -> None:
    """Write the parts that are measured to benchmarks/results/softmax_net.json."""
    tables = {name: part["table"] for name, part in done.items()}
    hashes = {name: part.get("data_hash") for name, part in done.items()}
    of_films = sl.datasets.movielens_small().fingerprint
    payload = {"tables": tables, "parts": done, "hashes": hashes}
    results.write(NAME, payload, data_hash=of_films, seed=0)


def kept_parts() -> dict[str, Any]:
    """Return the parts of an earlier run."""
    path = results.DIRECTORY / f"{NAME}.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return document["results"]["parts"] if document else {}


def main() -> None:
    """Measure the parts asked for, keep the others, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    done = kept_parts()
    for name in arguments.only:
        print(name, flush=True)
        done[name] = gowalla(arguments.data) if name == "gowalla" else globals()[name]()
        write(done)


if __name__ == "__main__":
    main()
