"""Every implicit model on the Gowalla split: Recall@20 and NDCG@20, parameters chosen on a validation part of train.

    python benchmarks/bench_gowalla.py --data DIRECTORY [--only PART …] [--resume]

DIRECTORY holds train.parquet and test.parquet (user_id, item_id) of the split that LightGCN published; the data has
no licence and is not part of this repository. `pair_data` has the protocol. The validation part is a random fifth of
each user's training events. Each model's parameters are found there by a search along one parameter after another,
measured on some of the users; then the model is fitted on all of train and measured on test, once a seed. WALS is
searched at a smaller dim than it is fitted with. The blend is made of the models as they were found; it finds its
weights itself, in a fit on train alone, and is then fitted with these weights.

A part is one model. `--resume` keeps the parts that are measured already, `--only` measures some and keeps the others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pair_data
import results

import shortlist as sl

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset

NAME = "gowalla"
SEARCH_USERS = 5000
SEEDS = (0, 1, 2)
PUBLISHED = (
    ("ItemCF, 100 neighbours", 0.1570, 0.1214),
    ("EASE, λ=80", 0.1765, 0.1467),
    ("LightGCN", 0.1820, 0.1547),
    ("RP3β", 0.1829, 0.1520),
    ("GF-CF", 0.1849, 0.1518),
    ("UltraGCN", 0.1862, 0.1580),
    ("SimpleX", 0.1872, 0.1557),
    ("BSPM-EM", 0.1920, 0.1597),
)
# What WALS is fitted with, and what it is searched with: the best other parameters differ little between the two.
WALS_FIT = {"dim": 1024, "n_epochs": 6, "solver": "cg", "cg_steps": 2}
WALS_SEARCH = {"dim": 256, "n_epochs": 4, "solver": "cg", "cg_steps": 2}
WALS_BLENDED = {"dim": 768, "n_epochs": 4, "solver": "cg", "cg_steps": 2}


@dataclass(frozen=True)
class Part:
    """A model: how it is made of parameters, the values that are searched of each, in order, and where that begins."""

    title: str
    make: Callable[..., sl.Model]
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    begin: Mapping[str, Any] = field(default_factory=dict)
    searched_with: Mapping[str, Any] = field(default_factory=dict)
    fitted_with: Mapping[str, Any] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)


PARTS = {
    "item_neighbors": Part(
        "ItemNeighbors",
        sl.ItemNeighbors,
        {
            "weighting": ("binary", "bm25", "unit"),
            "neighbors_of": ("scored", "past"),
            "shrinkage": (0.0, 3.0, 10.0, 30.0),
            "n_neighbors": (50, 100, 200, 400),
        },
        {"weighting": "unit", "neighbors_of": "past", "shrinkage": 10.0, "n_neighbors": 100},
    ),
    "rp3beta": Part(
        "RP3beta",
        sl.RP3beta,
        {
            "alpha": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
            "beta": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
            "n_neighbors": (100, 200, 500),
            "normalize": (False, True),
        },
        {"alpha": 0.7, "beta": 0.3, "n_neighbors": 200, "normalize": True},
    ),
    "graph_filter": Part(
        "GraphFilter",
        sl.GraphFilter,
        {
            "low_pass": (0.3, 0.5, 0.8),
            "user_exponent": (0.6, 0.7, 0.8),
        },
        {"low_pass": 0.5, "dim": 256, "user_exponent": 0.7, "item_exponent": 0.5, "target_exponent": 0.3},
    ),
    "wals": Part(
        f"WALS, dim {WALS_FIT['dim']}",
        sl.WALS,
        {
            "item_weight_exponent": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
            "unobserved_weight": (0.003, 0.005, 0.007, 0.01, 0.014, 0.02),
            "reg": (0.003, 0.005, 0.007, 0.01, 0.014),
        },
        {"item_weight_exponent": 0.3, "unobserved_weight": 0.007, "reg": 0.007},
        WALS_SEARCH,
        WALS_FIT,
        SEEDS,
    ),
    "ease": Part("EASE, λ=80", sl.EASE, fitted_with={"reg": 80.0}),
    "bpr": Part(
        "BPR, dim 64",
        sl.BPR,
        {
            "learning_rate": (0.05, 0.1, 0.2),
            "item_reg": (0.003, 0.01, 0.03),
            "user_reg": (0.003, 0.01, 0.03),
        },
        {"learning_rate": 0.1, "item_reg": 0.01, "user_reg": 0.01},
        {"n_epochs": 20},
        {"n_epochs": 80},
    ),
}
BLENDED = ("wals", "graph_filter")
BLEND = "blend"


def searched(part: Part, train: Dataset) -> dict[str, Any]:
    """Return the point of the part's values that no step along one of them improves on a validation part."""
    fitted_part, held_back = pair_data.held_out(train, np.random.default_rng(0))
    validation = pair_data.of_some_users(held_back, SEARCH_USERS, np.random.default_rng(1))
    measured: dict[str, float] = {}

    def value(point: Mapping[str, Any]) -> float:
        key = json.dumps(point)
        if key not in measured:
            model = part.make(**{**point, **part.searched_with}).fit(fitted_part, rng=0)
            recall, ndcg = pair_data.quality(model, validation)
            measured[key] = recall + ndcg
            print(f"  validation {key}: recall {recall:.4f} ndcg {ndcg:.4f}", flush=True)
        return measured[key]

    best, before = dict(part.begin), None
    while best != before:
        before = dict(best)
        for name, values in part.values.items():
            best = _along(best, name, values, value)
    return best


def _along(
    point: dict[str, Any], name: str, values: Sequence[Any], value: Callable[[Mapping[str, Any]], float]
) -> dict[str, Any]:
    """Return the best point that steps to neighbouring values of one parameter lead to; words are tried all."""
    best = point
    if isinstance(values[0], str):
        return max([best, *({**point, name: word} for word in values)], key=value)
    for step in (1, -1):
        while 0 <= (at := values.index(best[name]) + step) < len(values):
            tried = {**best, name: values[at]}
            if value(tried) <= value(best):
                break
            best = tried
    return best


def measured(
    title: str, make: Callable[[], sl.Model], train: Dataset, test: Dataset, seeds: Sequence[int]
) -> list[list[Any]]:
    """Return a row a seed: title, Recall@20, NDCG@20 and the seconds of the fit."""
    rows = []
    for seed in seeds:
        start = time.perf_counter()
        model = make().fit(train, rng=seed)
        seconds = time.perf_counter() - start
        name = title if len(seeds) == 1 else f"{title}, seed {seed}"
        rows.append([name, *pair_data.quality(model, test), seconds])
        print(rows[-1], flush=True)
    return rows


def measure_model(part: Part, train: Dataset, test: Dataset) -> dict[str, Any]:
    """Return the rows of a model and the parameters it was fitted with."""
    chosen = {**searched(part, train), **part.fitted_with} if part.values else dict(part.fitted_with)
    return {
        "rows": measured(part.title, lambda: part.make(**chosen), train, test, part.seeds),
        "chosen": chosen,
    }


def measure_blend(done: Mapping[str, Any], train: Dataset, test: Dataset) -> dict[str, Any]:
    """Return the rows of the blend of the models as they were found, its weights, and how long finding them took."""
    chosen = {name: done[name]["chosen"] | (WALS_BLENDED if name == "wals" else {}) for name in BLENDED}
    models = {name: PARTS[name].make(**params) for name, params in chosen.items()}
    start = time.perf_counter()
    weights = sl.Blend(models).fit(train, rng=0).weights_
    seconds = time.perf_counter() - start
    print("weights", weights, f"{seconds:.0f} s", flush=True)
    # A model that adds nothing need not be fitted.
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    models = {name: models[name] for name in weights}
    title = f"Blend of {', '.join(PARTS[name].title.partition(',')[0] for name in models)}"
    rows = measured(title, lambda: sl.Blend(models, weights=weights), train, test, SEEDS)
    return {"rows": rows, "chosen": {"weights": weights, "models": chosen}, "seconds_with_weights": seconds}


def kept_parts(data_hash: str) -> dict[str, Any]:
    """Return the parts of an earlier run on the same data."""
    path = results.DIRECTORY / f"{NAME}.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return document["results"]["parts"] if document.get("data_hash") == data_hash else {}


def write(done: Mapping[str, Any], data_hash: str) -> None:
    """Write what is measured so far to benchmarks/results/gowalla.json."""
    columns = {"": "", "Recall@20": ".4f", "NDCG@20": ".4f", "fit, s": ".0f"}
    ours = [row for name in (*PARTS, BLEND) if name in done for row in done[name]["rows"]]
    published = [[f"{name} (published)", recall, ndcg, None] for name, recall, ndcg in PUBLISHED]
    spread = {
        name: {
            "recall": results.median_spread([row[1] for row in part["rows"]]),
            "ndcg": results.median_spread([row[2] for row in part["rows"]]),
            "seconds": results.median_spread([row[3] for row in part["rows"]]),
        }
        for name, part in done.items()
    }
    payload = {
        "tables": {"quality": results.table(columns, [*ours, *published])},
        "spread": spread,
        "parts": done,
    }
    results.write(NAME, payload, data_hash=data_hash, seed=0)


def main() -> None:
    """Choose, fit and measure part by part, and write benchmarks/results/gowalla.json after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, BLEND], default=[*PARTS, BLEND])
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    train, test, data_hash = pair_data.read(arguments.data)
    everything = set(arguments.only) == {*PARTS, BLEND}
    done = kept_parts(data_hash) if arguments.resume or not everything else {}
    for name in arguments.only:
        if arguments.resume and name in done:
            continue
        print(name, flush=True)
        if name == BLEND and (missing := [model for model in BLENDED if model not in done]):
            parser.error(f"the blend is made of parts that are not measured yet: {' '.join(missing)}")
        done[name] = (
            measure_blend(done, train, test) if name == BLEND else measure_model(PARTS[name], train, test)
        )
        write(done, data_hash)


if __name__ == "__main__":
    main()
