"""How many candidates to retrieve: sweeps on MovieLens small, online retail and Gowalla.

    python benchmarks/bench_sweep.py [--data DIRECTORY] [--only PART …] [--resume] [--users N] [--requests N]

MovieLens small and online retail are swept as examples/sweep-movielens.toml and examples/sweep-retail.toml describe.
DIRECTORY holds train.parquet and test.parquet (user_id, item_id) of the Gowalla split that LightGCN published, which
has no licence and is not part of this repository; without it that part is left out, and what was measured of it stays.
WALS and RP3beta have the parameters that bench_gowalla found on a validation part, WALS at a smaller dim.

A part is one data set. `--resume` keeps the parts that are measured already, `--only` measures some and keeps the
others. `--users` measures so many users of each, drawn, `--requests` times so many requests at each size: one user
each, one after another, with nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pair_data
import results

import shortlist as sl
from shortlist import config
from shortlist.experiments.sweep.figures import P50, P99
from shortlist.experiments.sweep.outcome import Sweep
from shortlist.experiments.sweep.sweep import N_REQUESTS, VERSUS
from shortlist.experiments.sweep.tables import verdict
from shortlist.experiments.sweep.times import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "sweep"
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
GOWALLA_K = 20
SIZES = (20, 50, 100, 200, 500, 1000)


def of_example(name: str, **effort: Any) -> Sweep:
    """Return the sweep that an example describes, as `shortlist sweep` makes it."""
    asked = config.read(EXAMPLES / name)
    parts = asked.split(asked.dataset())
    told = {"rng": asked.seed, "split": parts.name, "on_step": say}
    return sl.sweep(asked.recommender, parts.train, parts.test, SIZES, **told, **effort)


def of_gowalla(folder: Path, **effort: Any) -> Sweep:
    """Return the sweep on Gowalla: WALS, similar items and popular ones retrieve, RP3beta scores."""
    pairs = pair_data.read(folder)
    taste = sl.WALS(
        dim=256,
        item_weight_exponent=0.3,
        unobserved_weight=0.007,
        reg=0.007,
        n_epochs=6,
        solver="cg",
        cg_steps=2,
    )
    near = sl.ItemNeighbors(weighting="unit", neighbors_of="past")
    pipeline = sl.Pipeline(
        [sl.Nearest(taste), sl.RelatedToRecent(near, recent=20, per_item=20), sl.Popular()],
        sl.ModelScorer(sl.RP3beta(alpha=0.7, beta=0.3, n_neighbors=1000)),
    )
    train = replace(pairs.train, name="Gowalla, train of the split of LightGCN")
    return sl.sweep(pipeline, train, pairs.test, SIZES, GOWALLA_K, on_step=say, **effort)


PARTS: dict[str, Callable[..., Sweep]] = {
    "movielens": lambda _, **effort: of_example("sweep-movielens.toml", **effort),
    "retail": lambda _, **effort: of_example("sweep-retail.toml", **effort),
    "gowalla": of_gowalla,
}


def say(step: str) -> None:
    """Say what has begun, and when."""
    print(f"{time.strftime('%H:%M:%S')} {step}", flush=True)


def tables(name: str, found: Sweep) -> dict[str, Any]:
    """Return the tables of one data set."""
    figures = {
        "retrieve": "d",
        "candidates": ".0f",
        "recall of candidates": ".3f",
        f"ndcg@{found.setting.k}": ".4f",
        "from": ".4f",
        "to": ".4f",
        f"lost beside {found.largest.size}": "+.4f",
        "from ": "+.4f",
        "to ": "+.4f",
        f"precision@{found.setting.k}": ".4f",
        "ms": ".2f",
        "ms, 99th percentile": ".2f",
    }
    quality = [
        [
            of.size,
            of.n_candidates,
            of.figures["candidate_recall"].value,
            *_cells(of.figures["ndcg"]),
            *(_cells(of.lost["ndcg"]) if of is not found.largest else [None] * 3),
            of.figures["precision"].value,
            *(of.milliseconds[WHOLE][q].value for q in (P50, P99)),
        ]
        for of in found.sizes
    ]
    parts = {
        "retrieve": "d",
        "source": "",
        "of the shown": ".1%",
        "of the hits": ".1%",
        "recall lost without it": "+.4f",
        "from": "+.4f",
        "to": "+.4f",
        "ndcg lost without it": "+.4f",
        "from ": "+.4f",
        "to ": "+.4f",
    }
    sources = [
        [
            of.size,
            one.name,
            *(None if share is None else share.value for share in (one.shown, one.hits)),
            *_cells(one.recall_lost),
            *_cells(one.ndcg_lost),
        ]
        for of in found.sizes
        if of.size in VERSUS
        for one in of.sources
    ]
    return {
        name: results.table(figures, quality),
        f"{name}_sources": results.table(parts, sources),
        f"{name}_stages": _stages(found),
    }


def answers(sweeps: dict[str, Sweep]) -> dict[str, Any]:
    """Return the table of what each sweep says about how many to retrieve."""
    columns = {
        "data": "",
        "users": ",d",
        "knee": "d",
        "recall bends at": "d",
        "ndcg, 500 minus 100": "+.4f",
        "from": "+.4f",
        "to": "+.4f",
        "ms at 100": ".2f",
        "ms at 500": ".2f",
        "load a core": ".1f",
        "100 or 500?": "",
    }
    rows = []
    for found in sweeps.values():
        by_size = {of.size: of for of in found.sizes}
        assert found.contrast is not None, "100 and 500 are among SIZES"
        more = found.contrast.differences["ndcg"]
        ndcg = by_size[500].figures["ndcg"].value
        rows.append(
            [
                found.parts.name,
                found.setting.n_users,
                found.knee,
                found.bend,
                *_cells(more),
                *(by_size[size].milliseconds[WHOLE][P50].value for size in (100, 500)),
                found.setting.load,
                verdict(more, ndcg, found.setting.margin, (100, 500)).rstrip("."),
            ]
        )
    return results.table(columns, rows)


def _stages(found: Sweep) -> dict[str, Any]:
    stages = list(found.largest.milliseconds)
    columns = {"retrieve": "d"} | dict.fromkeys(stages, ".2f")
    rows = [[of.size, *(of.milliseconds[stage][P50].value for stage in stages)] for of in found.sizes]
    return results.table(columns, rows)


def _cells(estimate: Any) -> list[float | None]:
    return [None] * 3 if estimate is None else [estimate.value, estimate.low, estimate.high]


def main() -> None:
    """Sweep what is asked for, and write after each part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=results.DATA / "gowalla")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--users", type=int)
    parser.add_argument("--requests", type=int, default=N_REQUESTS)
    arguments = parser.parse_args()
    for name in arguments.only:
        if arguments.resume and name in kept():
            continue
        if name == "gowalla" and not (arguments.data / "train.parquet").is_file():
            if arguments.only == [name]:
                results.leave_out(f"no train.parquet in {arguments.data}; give --data")
            print(f"left out: {name}, no train.parquet in {arguments.data}; give --data", flush=True)
            continue
        start = time.perf_counter()
        found = PARTS[name](arguments.data, n_users=arguments.users, n_requests=arguments.requests)
        print(found.to_text(), flush=True)
        write(kept() | {name: found.to_values() | {"seconds": time.perf_counter() - start}})


def kept() -> dict[str, Any]:
    """Return the parts that are measured already, by name."""
    file = results.DIRECTORY / f"{NAME}.json"
    found: dict[str, Any] = json.loads(file.read_text())["results"]["sweeps"] if file.is_file() else {}
    return found


def write(sweeps: dict[str, Any]) -> None:
    """Write all parts that were measured, in the order of `PARTS`."""
    ordered = {name: sweeps[name] for name in PARTS if name in sweeps}
    swept = {name: Sweep.from_values(values) for name, values in ordered.items()}
    found = {"answers": answers(swept)}
    for name, sweep in swept.items():
        found |= tables(name, sweep)
    hashes = "; ".join(f"{name} {values['data']['train_sha256']}" for name, values in ordered.items())
    results.write(NAME, {"sweeps": ordered, "tables": found}, data_hash=hashes, seed=0)


if __name__ == "__main__":
    main()
