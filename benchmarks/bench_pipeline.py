"""The whole pipeline at 100,000 items: one person's request by stage, and the lists of everybody.

    python benchmarks/bench_pipeline.py [--items 100000] [--users 10000] [--requests 300] [--fitted DIRECTORY]

Data are drawn (movielens_like.py), with genres, makers, stock, an age limit and countries. Four sources propose, 500
candidates go on to the scorer, four rules forbid, `Freshness` and a `Boost` change scores, and `Select` chooses 20
with all four terms and a cap. "model" scores with WALS, "trees" with a LambdaMARTScorer over it. What a request for
one person takes is measured stage by stage, persons one after another with nothing else to do (latency without load);
then everybody is asked for, 1,000 at a time, on two threads. DIRECTORY keeps the fitted pipelines for the next run.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import results
from movielens_like import movielens_like

import shortlist as sl
from shortlist.experiments.sweep.watched import (
    MERGE,
    RERANKING,
    SCORING,
    Source,
    Stopwatch,
    WatchedAdjustment,
    WatchedChoice,
    WatchedMerge,
    WatchedScorer,
)
from shortlist.stages import ChoosesLists

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAME = "pipeline"
SEED, K, SIZE, DIM = 0, 20, 500, 64
N_GENRES, N_MAKERS, YEARS = 18, 2_000, 3
YEAR = 365 * 86_400_000_000  # µs
START = 1_600_000_000_000_000
BLOCK, WARM_UP = 1_000, 20
COUNTRIES = [f"country {c}" for c in range(20)]
RULES, SELECTION, ADJUSTMENTS, REST, WHOLE = "rules", "selection", "adjustments", "the rest", "whole request"


def data(n_users: int, n_items: int) -> sl.Dataset:
    """Return what people did in three years, and what is known of items and people."""
    rng = np.random.default_rng(SEED)
    matrix = movielens_like(n_users=n_users, n_items=n_items, seed=SEED)
    born = rng.integers(0, (YEARS - 1) * YEAR, n_items)
    user = np.repeat(np.arange(n_users), np.diff(matrix.indptr))
    item = matrix.indices.astype(np.int64)
    since = START + born[item] + (rng.random(item.size) * (YEARS * YEAR - born[item])).astype(np.int64)
    log = pl.DataFrame({"user_id": user, "item_id": item, "timestamp": since}).with_columns(
        pl.col("timestamp").cast(pl.Datetime("us", "UTC"))
    )
    people = pl.DataFrame(
        {
            "user_id": np.arange(n_users),
            "country": rng.choice(COUNTRIES, n_users),
            "age": rng.integers(8, 80, n_users).astype(float),
        }
    )
    kinds = {
        "items": {
            "genres": "tags",
            "maker": "categorical",
            "stock": "numeric",
            "age_from": "numeric",
            "countries": "tags",
        },
        "users": {"country": "categorical", "age": "numeric"},
    }
    return sl.read(log, kind="events", items=catalogue(n_items, rng), users=people, features=kinds)


def catalogue(n: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return what is known of `n` items."""
    genres = np.array([f"genre {g}" for g in range(N_GENRES)])
    weight = 1 / np.arange(1, N_GENRES + 1)
    drawn = rng.choice(N_GENRES, (n, 3), p=weight / weight.sum())
    return pl.DataFrame(
        {
            "item_id": np.arange(n),
            "genres": [
                genres[np.unique(row[:size])].tolist()
                for row, size in zip(drawn, rng.integers(1, 4, n), strict=True)
            ],
            "maker": [f"maker {m}" for m in np.minimum(rng.zipf(1.3, n), N_MAKERS)],
            "stock": rng.integers(0, 20, n).astype(float),
            "age_from": rng.choice([0.0, 0, 0, 0, 12, 16, 18], n),
            "countries": [COUNTRIES[c : c + 18] for c in rng.integers(0, 3, n)],
        }
    )


def pipeline(scorer: str) -> sl.Pipeline:
    """Return the pipeline whose scorer is "model" or "trees"."""
    taste = sl.WALS(dim=DIM, n_epochs=4)
    sources = [
        sl.Nearest(taste, k=300),
        sl.RelatedToRecent(taste, recent=10, per_item=20),
        sl.Popular(k=100),
        sl.Trending(30, k=100),
    ]
    terms = sl.MMR(0.1), sl.DPP(0.1), sl.Calibration("genres", 0.1), sl.Exposure("maker", 0.1)
    rerank = [
        sl.Freshness(180.0),
        sl.Boost("maker", {"maker 1": 0.05}, name="own brand"),
        sl.Select(*terms, caps={"maker": 3}),
    ]
    rules = [
        sl.InStock("stock"),
        sl.AgeLimit("age_from", user_column="age"),
        sl.InCountry("countries"),
        sl.DenyCategory("genres", ["genre 17"]),
    ]
    scores = sl.ModelScorer(taste) if scorer == "model" else sl.LambdaMARTScorer(taste, n_trees=100)
    return sl.Pipeline(sources, scores, rerank, rules=rules, merge=sl.Merge(SIZE))


def fitted(scorer: str, dataset: sl.Dataset, folder: Path | None) -> sl.Pipeline:
    """Return the fitted pipeline, from `folder` where it was kept there over these data."""
    kept = None if folder is None else folder / f"{scorer}_{dataset.fingerprint[:12]}"
    if kept is not None and kept.is_dir():
        return sl.load(kept)
    start = time.perf_counter()
    made = pipeline(scorer).fit(dataset, rng=SEED)
    print(f"{scorer}: fitted in {time.perf_counter() - start:.0f} s", flush=True)
    if kept is not None:
        made.save(kept)
    return made


class TimedPipeline:
    """A fitted pipeline whose stages are timed at each request."""

    def __init__(self, given: sl.Pipeline) -> None:
        self.watch, self.adjusting, self.choosing = Stopwatch(), Stopwatch(), Stopwatch()
        self.pipeline = copy.copy(given)
        self.pipeline.sources_ = tuple(Source(source, self.watch, keeps=False) for source in given.sources_)
        self.pipeline.scorer_ = WatchedScorer(given.scorer_, self.watch)
        self.pipeline.merge = WatchedMerge(given.merge, self.watch)
        self.pipeline.rerank_ = tuple(
            WatchedChoice(step, self.choosing)
            if isinstance(step, ChoosesLists)
            else WatchedAdjustment(step, self.adjusting)
            for step in given.rerank_
        )
        # The rules are asked where a request is parted into those who share a mask.
        self.pipeline._alike = lambda request: self.watch.timed(RULES, lambda: list(given._alike(request)))
        self.sources = [source.name for source in given.sources_]
        self.stages = [RULES, *self.sources, MERGE, SCORING, ADJUSTMENTS, SELECTION]

    def seconds(self, user: int) -> dict[str, float]:
        """Return what one request took: of each stage, of what is between them, and in all."""
        start = time.perf_counter()
        shown = self.pipeline.recommend(user, K)
        assert shown.frame.height == K
        whole = time.perf_counter() - start
        taken = self.watch.taken()
        taken[ADJUSTMENTS] = self.adjusting.taken()[RERANKING]
        taken[SELECTION] = self.choosing.taken()[RERANKING]
        stages = {stage: taken[stage] for stage in self.stages}
        return stages | {REST: whole - sum(stages.values()), WHOLE: whole}


def one_at_a_time(given: sl.Pipeline, n_requests: int) -> dict[str, Floats]:
    """Return the milliseconds of each stage over requests for people drawn."""
    timed = TimedPipeline(given)
    people = np.random.default_rng(SEED).permutation(len(given.memory_.users))[: n_requests + WARM_UP]
    taken = [timed.seconds(int(user)) for user in people][WARM_UP:]
    return {stage: 1e3 * np.array([one[stage] for one in taken]) for stage in taken[0]}


def everybody(given: sl.Pipeline) -> dict[str, float]:
    """Return how long the lists of all people take, and how many people a second that is."""
    n = len(given.memory_.users)
    given.recommend(range(min(BLOCK, n)), K)
    start = time.perf_counter()
    for at in range(0, n, BLOCK):
        given.recommend(range(at, min(at + BLOCK, n)), K)
    taken = time.perf_counter() - start
    return {"people": n, "seconds": taken, "people a second": n / taken}


def stage_table(found: Mapping[str, Mapping[str, Floats]]) -> dict[str, Any]:
    """Return a row for each stage: median and 99th percentile with each scorer."""
    columns = {"stage": ""}
    for scorer in found:
        columns |= {f"{scorer}: ms": ".2f", f"{scorer}: 99th percentile": ".2f"}
    stages = next(iter(found.values()))
    rows = [
        [stage, *(float(np.quantile(of[stage], q)) for of in found.values() for q in (0.5, 0.99))]
        for stage in stages
    ]
    return results.table(columns, rows)


def main() -> None:
    """Measure both scorers and write benchmarks/results/pipeline.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fitted", type=Path, help="keep the fitted pipelines here, and take them from here")
    parser.add_argument("--output", type=Path, default=results.DIRECTORY / f"{NAME}.json")
    given = parser.parse_args()
    sl.set_num_threads(given.threads)
    dataset = data(given.users, given.items)
    print(f"{len(dataset.interactions):,} events", flush=True)
    latency, rates = {}, {}
    for scorer in ("model", "trees"):
        made = fitted(scorer, dataset, given.fitted)
        latency[scorer] = one_at_a_time(made, given.requests)
        rates[scorer] = everybody(made)
        print(scorer, {stage: round(float(np.median(ms)), 3) for stage, ms in latency[scorer].items()})
        print(scorer, rates[scorer], flush=True)
    payload = {
        "items": given.items,
        "events": len(dataset.interactions),
        "candidates": SIZE,
        "shown": K,
        "threads": given.threads,
        "requests": given.requests,
        "ms": {scorer: {stage: _quantiles(ms) for stage, ms in of.items()} for scorer, of in latency.items()},
        "everybody": rates,
        "tables": {
            "stages": stage_table(latency),
            "everybody": results.table(
                {"scorer": "", "people": ",d", "seconds": ".1f", "people a second": ",.0f"},
                [[scorer, *of.values()] for scorer, of in rates.items()],
            ),
        },
    }
    results.write(NAME, payload, data_hash=dataset.fingerprint, seed=SEED, path=given.output)


def _quantiles(ms: Floats) -> dict[str, float]:
    return {"p50": float(np.quantile(ms, 0.5)), "p99": float(np.quantile(ms, 0.99))}


if __name__ == "__main__":
    main()
