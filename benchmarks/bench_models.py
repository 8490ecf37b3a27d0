"""Which model when: every model on both bundled data sets, NDCG@10, Recall@10 and seconds of the fit.

    python benchmarks/bench_models.py [--seed 0] [--only MODEL …]

MovieLens small, likes from 4 stars on, and online retail (new items alone: what a customer had is left out of lists and
truth). Each person's last fifth of events is the test part, and the last fifth of what is left the validation part. A
model takes the point of a short list (`POINTS`) with the largest NDCG@10 on the validation part; its defaults are
always one of them. Then it is fitted on all of train: these are the seconds, without compile time since the search came
first. Intervals are 95 % bootstraps over users. The blend is of the models named in `BLENDED`, as they were chosen; it
finds its weights itself, which its seconds include.

A model that a data set cannot have (predicted ratings of purchases, features that are not there) has no figures.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import results

import shortlist as sl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.data.split import Split

K = 10
ML, RETAIL = "MovieLens small", "online retail"
# What is tried of each model beside its defaults.
POINTS: dict[str, Sequence[Mapping[str, Any]]] = {
    "Popularity": [{"by": "decayed", "half_life_days": days} for days in (30.0, 365.0)],
    "ContentBased": [{"weigh": "rating"}],
    "KMeansSegments": [{"n_segments": 3}, {"n_segments": 20}],
    "LinearOnFeatures": [],
    "MatrixFactorization": [{"min_ratings": 5}, {"min_ratings": 20}],
    "ItemNeighbors": [{"weighting": "bm25"}, {"weighting": "tfidf"}, {"n_neighbors": 400}],
    "UserNeighbors": [{"weighting": "bm25"}, {"weighting": "tfidf"}, {"n_neighbors": 400}],
    "RP3beta": [{"beta": beta} for beta in (0.2, 0.6)],
    "EASE": [{"reg": reg} for reg in (100.0, 500.0, 1000.0)],
    "GraphFilter": [{"low_pass": 0.0}, {"dim": 64}],
    "PureSVD": [{"dim": dim, "item_exponent": d} for dim in (12, 24, 64) for d in (1.0, 0.75)],
    "BPR": [
        {"sampler": "dynamic", "n_candidates": 16, "learning_rate": 0.2, "user_reg": reg, "item_reg": reg}
        for reg in (0.01, 0.03)
    ],
    "WALS": [{"dim": dim, "unobserved_weight": weight} for dim in (32, 128) for weight in (0.05, 0.1, 0.3)],
}
BLENDED = ("ItemNeighbors", "EASE", "WALS")
# Where a model needs what a data set has not.
LEFT_OUT = {
    RETAIL: ("MatrixFactorization", "LinearOnFeatures", "ContentBased"),
}


def made(name: str, point: Mapping[str, Any]) -> sl.Model:
    """Return the unfitted model of the registry with these parameters."""
    model: sl.Model = getattr(sl, name)(**point)
    return model


def measured(model: sl.Model, split: Split, n_bootstrap: int = 0) -> Any:
    """Return the evaluation of a fitted model, new items alone."""
    return sl.evaluate(model, *split, K, exclude_seen=True, n_bootstrap=n_bootstrap, rng=0)


def chosen(name: str, validation: Split, seed: int) -> dict[str, Any]:
    """Return the point with the largest NDCG@10 on the validation part, the first of equals."""
    scores = []
    for point in ({}, *POINTS[name]):
        model = made(name, point).fit(validation.train, rng=seed)
        scores.append((measured(model, validation).result("ndcg").value, dict(point)))
        print("validation", name, point, round(scores[-1][0], 4), flush=True)
    return max(scores, key=lambda pair: pair[0])[1]


def final(model: sl.Model, split: Split, seed: int) -> dict[str, Any]:
    """Return NDCG with its interval, recall, and the seconds of the fit."""
    begun = time.perf_counter()
    model.fit(split.train, rng=seed)
    seconds = time.perf_counter() - begun
    found = measured(model, split, 1000)
    ndcg, recall = found.result("ndcg"), found.result("recall")
    return {
        "ndcg": ndcg.value,
        "low": ndcg.low,
        "high": ndcg.high,
        "recall": recall.value,
        "seconds": seconds,
    }


def of_data(title: str, data: sl.Dataset, names: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the figures of each model on one data set."""
    split = sl.split.leave_last_out(data)
    validation = sl.split.leave_last_out(split.train)
    points: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for name in names:
        if name in LEFT_OUT.get(title, ()):
            continue
        if name == "Blend":
            parts = {part: made(part, points[part]) for part in BLENDED}
            model: sl.Model = sl.Blend(parts)
            model.clone().fit(validation.train, rng=seed)  # compiles what is left to compile
        else:
            points[name] = chosen(name, validation, seed)
            model = made(name, points[name])
        found[name] = final(model, split, seed) | {"point": points.get(name, {})}
        print(title, name, found[name], flush=True)
    return found


def table(found: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return both data sets side by side."""
    columns = {"model": ""}
    for title in (ML, RETAIL):
        columns |= {f"{title}: NDCG@{K}": ".3f", f"± ({title})": ".3f", f"Recall@{K} ({title})": ".3f"}
        columns |= {f"fit, s ({title})": ".2f"}
    rows = []
    for name in names:
        row: list[object] = [name]
        for title in (ML, RETAIL):
            own = found[title].get(name)
            half = own and (own["high"] - own["low"]) / 2
            row += [own["ndcg"], half, own["recall"], own["seconds"]] if own else [None] * 4
        rows.append(row)
    return results.table(columns, rows)


def main() -> None:
    """Measure every model and write benchmarks/results/models.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", nargs="*", choices=tuple(POINTS), help="print these alone and write nothing"
    )
    options = parser.parse_args()
    names = options.only or (*POINTS, "Blend")
    sets = {ML: sl.datasets.movielens_small(), RETAIL: sl.datasets.online_retail()}
    found = {title: of_data(title, data, names, options.seed) for title, data in sets.items()}
    if options.only:
        return
    payload = {"tables": {"models": table(found, names)}, "models": found}
    hashes = " · ".join(data.fingerprint for data in sets.values())
    results.write("models", payload, data_hash=hashes, seed=options.seed)


if __name__ == "__main__":
    main()
