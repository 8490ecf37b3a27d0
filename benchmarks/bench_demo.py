"""The default pipeline beside the best popularity variant, on both bundled data sets.

    python benchmarks/bench_demo.py [--seed 0]

MovieLens small: each user's last ratings; events of other users that are later stand in the training part. Online
retail: a cut in global time. The popularity variant is the best on a validation part of train; on online retail it also
stands behind the pipeline's `Popular` source, which is what new customers get. WALS's parameters for online retail are
the best of a small grid on that validation part, where it scores alone.
Differences are paired bootstraps over users (95 %).
"""

from __future__ import annotations

import argparse
import itertools
from typing import TYPE_CHECKING, Any

import results

import shortlist as sl
from shortlist.experiments.demo import TEST_SHARE, default_pipeline
from shortlist.experiments.popularity_search import PopularitySearch, best_popularity
from shortlist.scoring.ranker_settings import n_teachers, settings_for

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset

K = 10
METRICS = ("ndcg", "recall", "hit_rate")
GRID = list(itertools.product((64, 128), (0.3, 0.8), (0.003, 0.01)))


def taste_pipeline(taste: sl.WALS, popularity: PopularitySearch) -> sl.Pipeline:
    """Return an unfitted pipeline of what `taste` finds and scores, with the best popularity as its popular source."""
    sources = [sl.Nearest(taste), sl.RelatedToRecent(taste), sl.Popular(model=popularity.model.clone())]
    return sl.Pipeline(sources, sl.ModelScorer(taste))


def default_for_retail(taste: sl.WALS, popularity: PopularitySearch, train: Dataset) -> sl.Pipeline:
    """Return an unfitted pipeline of the sources, scorer and selection that `shortlist init` writes for such data."""
    sources = [
        sl.Nearest(taste),
        sl.RelatedToRecent(taste),
        sl.Nearest(sl.ItemNeighbors(), name="Neighbours"),
        sl.Trending(),
        sl.Fresh(),
        sl.BoughtTogether(),
        sl.NextItem(),
        sl.Popular(model=popularity.model.clone()),
    ]
    scorer = sl.LambdaMARTScorer(taste, **settings_for(n_teachers(train.memory)))
    return sl.Pipeline(sources, scorer, [sl.Select(sl.MMR())])


def best_retail_pipeline(
    train: Dataset, popularity: PopularitySearch, seed: int
) -> tuple[sl.Pipeline, dict[str, Any]]:
    """Return the default pipeline, unfitted, with the parameters of WALS that are best on a validation part."""
    fitted_part, validation = sl.split.global_time(train, fraction=TEST_SHARE)
    scores = {}
    for dim, weight, reg in GRID:
        candidate = taste_pipeline(tastes(dim, weight, reg), popularity).fit(fitted_part, rng=seed)
        found = sl.evaluate(candidate, fitted_part, validation, K, exclude_seen=True, n_bootstrap=0)
        scores[dim, weight, reg] = found.result("ndcg", "Pipeline").value
        print("validation", dim, weight, reg, round(scores[dim, weight, reg], 4), flush=True)
    dim, weight, reg = max(scores, key=lambda point: scores[point])
    chosen = {
        "dim": dim,
        "unobserved_weight": weight,
        "reg": reg,
        "validation_ndcg": scores[dim, weight, reg],
    }
    return default_for_retail(tastes(dim, weight, reg), popularity, train), chosen


def tastes(dim: int, weight: float, reg: float) -> sl.WALS:
    """Return the model of a point of the grid, unfitted."""
    return sl.WALS(dim=dim, unobserved_weight=weight, reg=reg, n_epochs=6)


def measure(
    name: str, pipeline: sl.Pipeline, popularity: PopularitySearch, split: Any, seed: int
) -> dict[str, Any]:
    """Return the figures of one data set."""
    train, test = split
    fitted = pipeline.fit(train, rng=seed)
    found = sl.evaluate(
        {"pipeline": fitted, "popular": popularity.model},
        train,
        test,
        K,
        baseline="popular",
        exclude_seen=True,
        rng=seed,
    )
    print(found)
    rows = []
    for metric in METRICS:
        ours, theirs = found.result(metric, "pipeline"), found.result(metric, "popular")
        interval = [ours.difference, ours.difference_low, ours.difference_high]
        rows.append([name, metric, ours.value, theirs.value, *interval])
    return {
        "rows": rows,
        "counts": dict(found.counts),
        "popularity": popularity.name,
        "split": split.description,
    }


def main() -> None:
    """Print both evaluations and write benchmarks/results/demo.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    films, retail = sl.datasets.movielens_small(), sl.datasets.online_retail()
    film_split = sl.split.leave_last_out(films, fraction=TEST_SHARE)
    retail_split = sl.split.global_time(retail, fraction=TEST_SHARE)
    film_popularity = best_popularity(film_split.train, k=K)
    retail_popularity = best_popularity(retail_split.train, k=K)
    retail_best, chosen = best_retail_pipeline(retail_split.train, retail_popularity, seed)
    measured = {
        "movielens": measure("MovieLens small", default_pipeline(), film_popularity, film_split, seed),
        "retail": measure("online retail", retail_best, retail_popularity, retail_split, seed)
        | {"chosen": chosen},
    }
    columns = {"data": "", f"at {K}": "", "pipeline": ".4f", "best popularity": ".4f", "difference": "+.4f"}
    columns |= {"from": "+.4f", "to": "+.4f"}
    tables = {"lists": results.table(columns, [row for part in measured.values() for row in part["rows"]])}
    payload = {"tables": tables, **measured}
    results.write("demo", payload, data_hash=f"{films.fingerprint} {retail.fingerprint}", seed=seed)


if __name__ == "__main__":
    main()
