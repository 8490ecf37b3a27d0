"""Features made from events: what leave-one-out means give away, and what the honest ways cost.

    python benchmarks/bench_features.py [--seed 0]

`leak`: `shortlist.leak_check` on MovieLens small, over three seeds: mean and count of the user and of the film, once
with the user's mean made without the row itself, which is the planted leak, and in the two honest ways. `cost`: CPU
seconds for a million made-up events of 100,000 users with 20,000 items of 20 genres, and for 100,000 categories.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import results

import shortlist as sl

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = 3
MEANS = sl.DerivedFeatures(["mean", "count"])


def leave_one_out(train: sl.Dataset) -> np.ndarray:
    """Return the features out of fold, but the user's mean and count of all the user's events except the row's own."""
    log, rows = train.interactions, MEANS.out_of_fold(train, rng=0)
    total, count = (np.bincount(log.user_idx, weight) for weight in (log.value, np.ones(len(log))))
    values = rows.values.copy()
    values[:, rows.names.index("user_mean")] = (total[log.user_idx] - log.value) / np.maximum(
        count[log.user_idx] - 1, 1
    )
    values[:, rows.names.index("user_count")] = count[log.user_idx]
    return values


WAYS: dict[str, Callable[[sl.Dataset], np.ndarray]] = {
    "leaving the row's own value out (planted)": leave_one_out,
    "out of fold": lambda train: MEANS.out_of_fold(train, rng=0).values,
    "from earlier events": lambda train: MEANS.earlier(train).values,
}


def leaks(data: sl.Dataset, seed: int) -> list[list[object]]:
    """Return for each way the mean of both errors over the seeds, and in how many of them a leak was found."""
    rows: list[list[object]] = []
    for name, way in WAYS.items():
        found = [
            sl.leak_check(data, way, lambda train, test: MEANS.of_others(train, test).values, rng=seed + n)
            for n in range(SEEDS)
        ]
        seeming, real = (
            float(np.mean([getattr(of, f"{which}_rmse") for of in found])) for which in ("seeming", "real")
        )
        rows.append([name, seeming, real, f"{sum(of.leaks for of in found)} of {SEEDS}"])
        print(rows[-1], flush=True)
    return rows


def made_up(seed: int) -> sl.Dataset:
    """Return a million ratings at random times, few items having most of them, each with one to three genres."""
    rng = np.random.default_rng(seed)
    m, n_users, n_items = 1_000_000, 100_000, 20_000
    events = pl.DataFrame(
        {
            "user_id": rng.integers(0, n_users, m),
            "item_id": (n_items * rng.random(m) ** 3).astype(np.int64),
            "value": rng.integers(1, 11, m) / 2,
            "timestamp": rng.integers(10**9, 16 * 10**8, m),
        }
    )
    genres = [
        [f"genre {n}" for n in rng.choice(20, rng.integers(1, 4), replace=False)] for _ in range(n_items)
    ]
    items = pl.DataFrame({"item_id": np.arange(n_items), "genres": genres})
    return sl.read(events, items=items, kind="ratings", scale=(0.5, 5))


def costs(seed: int) -> list[list[object]]:
    """Return CPU seconds of each step."""
    data, derived = made_up(seed), sl.DerivedFeatures(labels=["genres"])
    labels = pl.Series(
        "maker", [f"maker {n}" for n in np.random.default_rng(seed).integers(0, 100_000, 300_000)]
    )
    table = sl.FeatureTable(
        pl.DataFrame([pl.Series("id", np.arange(labels.len())), labels]), {"maker": "categorical"}
    )
    hashing = {"maker": {"as": "hashing", "n_buckets": 4096}}
    steps: dict[str, Callable[[], object]] = {
        "45 features of 1,000,000 events, out of fold": lambda: derived.out_of_fold(data, rng=seed),
        "the same, from earlier events": lambda: derived.earlier(data),
        "of all users and items, to serve": lambda: derived.now(data),
        "300,000 rows of 100,000 categories, one-hot": lambda: sl.FeatureEncoder.fit(table).transform(table),
        "the same, hashed": lambda: sl.FeatureEncoder.fit(table, encode=hashing).transform(table),
    }
    rows: list[list[object]] = []
    for name, step in steps.items():
        step()
        taken = []
        for _ in range(2):
            start = time.process_time()
            step()
            taken.append(time.process_time() - start)
        rows.append([name, min(taken)])
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and write benchmarks/results/features.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    data = sl.datasets.movielens_small()
    tables = {
        "leak": results.table(
            {
                "the user's mean": "",
                "RMSE it seems to reach": ".3f",
                "RMSE it reaches": ".3f",
                "found to leak": "",
            },
            leaks(data, seed),
        ),
        "cost": results.table({"step": "", "CPU seconds": ".2f"}, costs(seed)),
    }
    results.write("features", {"tables": tables}, data_hash=data.fingerprint, seed=seed)


if __name__ == "__main__":
    main()
