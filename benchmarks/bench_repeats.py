"""New items and repeats on online retail: popularity, BuyAgain, WALS, and a pipeline of the last two.

    python benchmarks/bench_repeats.py [--seed 0]

A cut in global time. Under each protocol the popularity variant, BuyAgain's half-life and WALS's parameters are those
of the largest NDCG@10 under that protocol on a validation part of train, cut by the same rule. The pipelines take
candidates from WALS and BuyAgain, and from the popular source for new customers; one scores them with WALS, the other
with BuyAgain, under which an item that is new to a customer scores 0. Intervals are bootstraps over users (95 %),
differences are paired and from the best popularity.
"""

from __future__ import annotations

import argparse
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import results

import shortlist as sl
from shortlist.experiments.popularity_search import best_popularity
from shortlist.experiments.protocols import DEFINITIONS, excludes_seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shortlist.data.split import Split
    from shortlist.experiments.evaluation import Evaluation
    from shortlist.models.model import Model

K, TEST_SHARE = 10, 0.2
CUT = partial(sl.split.global_time, fraction=TEST_SHARE)
HALF_LIVES_DAYS = (30.0, 90.0, 180.0, 365.0, None)
WALS_GRID = list(itertools.product((64, 128), (0.1, 0.3, 0.8), (0.003, 0.01)))
BASELINE = "best popularity"


def best_of(
    points: Iterable[Any], make: Callable[[Any], Model], validation: Split, protocol: str, seed: int
) -> tuple[Any, float]:
    """Return the point whose model has the largest NDCG@10 on the validation part, the first of equals, and that."""
    scores = {}
    for point in points:
        model = make(point).fit(validation.train, rng=seed)
        found = sl.evaluate(model, *validation, K, exclude_seen=excludes_seen(protocol), n_bootstrap=0)
        scores[point] = found.result("ndcg").value
        print("validation", protocol, point, round(scores[point], 4), flush=True)
    best = max(scores, key=lambda point: scores[point])
    return best, scores[best]


def wals(point: tuple[int, float, float]) -> sl.WALS:
    """Return the unfitted model of a point of the grid."""
    dim, weight, reg = point
    return sl.WALS(dim=dim, unobserved_weight=weight, reg=reg, n_epochs=6)


def measure(split: Split, protocol: str, seed: int) -> dict[str, Any]:
    """Return the figures of one protocol."""
    validation = CUT(split.train)
    popularity = best_popularity(split.train, k=K, split=CUT, exclude_seen=excludes_seen(protocol))
    half_life, again_ndcg = best_of(HALF_LIVES_DAYS, sl.BuyAgain, validation, protocol, seed)
    point, wals_ndcg = best_of(WALS_GRID, wals, validation, protocol, seed)
    again, taste = sl.BuyAgain(half_life).fit(split.train), wals(point).fit(split.train, rng=seed)
    sources = [sl.Nearest(taste), sl.Nearest(again, name="Again"), sl.Popular(model=popularity.model)]
    models = {
        BASELINE: popularity.model,
        "BuyAgain": again,
        "WALS": taste,
        "WALS + BuyAgain, scored by WALS": sl.Pipeline(sources, sl.ModelScorer(taste)).fit(split.train),
        "WALS + BuyAgain, scored by BuyAgain": sl.Pipeline(sources, sl.ModelScorer(again)).fit(split.train),
    }
    found = sl.evaluate(models, *split, K, baseline=BASELINE, exclude_seen=excludes_seen(protocol), rng=seed)
    print(found)
    return {
        "rows": [[protocol, *row(found, name)] for name in models],
        "counts": dict(found.counts),
        "popularity": popularity.name,
        "chosen": {
            "half_life_days": half_life,
            "wals": dict(zip(("dim", "unobserved_weight", "reg"), point, strict=True)),
            "validation_ndcg": {"BuyAgain": again_ndcg, "WALS": wals_ndcg},
        },
        "warm_users": {name: found.result("ndcg", name, "warm users").value for name in models},
    }


def row(found: Evaluation, name: str) -> list[Any]:
    """Return the cells of one model: NDCG and its interval, that of warm users, hit rate, difference and interval."""
    all_users, warm = found.result("ndcg", name), found.result("ndcg", name, "warm users")
    difference = [all_users.difference, all_users.difference_low, all_users.difference_high]
    hits = found.result("hit_rate", name).value
    return [name, all_users.value, all_users.low, all_users.high, warm.value, hits, *difference]


def main() -> None:
    """Print both evaluations and write benchmarks/results/repeats.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    retail = sl.datasets.online_retail()
    split = CUT(retail)
    measured = {protocol: measure(split, protocol, seed) for protocol in DEFINITIONS}
    columns = {"protocol": "", "": "", f"NDCG@{K}": ".4f", "from": ".4f", "to": ".4f", "warm users": ".4f"}
    columns |= {f"hit rate@{K}": ".4f", "difference": "+.4f", "from ": "+.4f", "to ": "+.4f"}
    rows = [row for part in measured.values() for row in part["rows"]]
    counts = measured["new items"]["counts"]
    payload = {
        "tables": {"ndcg": results.table(columns, rows)},
        "split": split.description,
        "repeat_share": counts["pairs_seen"] / counts["pairs_positive"],
        **measured,
    }
    results.write("repeats", payload, data_hash=retail.fingerprint, seed=seed)


if __name__ == "__main__":
    main()
