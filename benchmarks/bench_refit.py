"""A fit that starts from the last model beside one from scratch: processor time, and quality on later events.

    python benchmarks/bench_refit.py [--gowalla DIRECTORY] [--runs N] [--seeds N]

A model is fitted on the training events but the newest 5 or 10 %; then those arrive, and both ways fit on all of them:
"cold" from scratch with the default number of epochs, "warm" from the old model with `refit_epochs`. A third, "brief",
fits from scratch with no more epochs than "warm" has: what the start is worth. "chain" refits ten times, each time
on one tenth of the new events more. Old models, and cold and warm fits, are made once a seed; a user's value is the
mean over the seeds, and the intervals are paired bootstraps over users. A second set of cold fits with other seeds says
how far two sets of cold fits are apart by chance.

- retail: Online Retail, the test part is its last tenth in time; items a customer has bought are not listed
- likes, ratings: MovieLens small. Its users rate everything in one session, so events arrive by the user's own
  order: the test part is each user's last tenth, the new events the ones before
- gowalla: check-ins without times (the data is not part of this repository): the new events are random ones of
  the published training part, the test part is the published one

The fits run in turns, each way in a process of its own, after a small fit that loads and compiles everything. Both
ways use the threads alike, so what is compared is processor time, which other work on the machine hardly moves.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pair_data import part
from results import DATA, alternate, hash_files, median_spread, ratio_interval, table, write

import shortlist as sl
from shortlist import metrics, threads
from shortlist.metrics.intervals import Resampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

SHARES = (0.05, 0.10)
WAYS = ("cold", "warm", "brief", "chain", "other cold")
LINKS = 10
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Arrivals:
    """Events in the order they arrive: `order` float64[m] in [0, 1) of the training events, and the test part."""

    train: Dataset
    test: Dataset
    order: NDArray[np.float64]

    def until(self, share: float) -> Dataset:
        """Return the training data but for the last `share` of its events."""
        return self.train.with_interactions(self.train.interactions.where(self.order < 1 - share))


def retail() -> Arrivals:
    """Return Online Retail, cut at one moment."""
    train, test = sl.split.global_time(sl.datasets.online_retail(), fraction=0.1)
    m = len(train.interactions)
    return Arrivals(train, test, np.arange(m) / m)


def movielens() -> Arrivals:
    """Return MovieLens small, each user's events in their own order."""
    train, test = sl.split.leave_last_out(sl.datasets.movielens_small(), fraction=0.1)
    log = train.interactions
    length = np.bincount(log.user_idx, minlength=log.n_users)
    by_user = np.argsort(log.user_idx, kind="stable")
    order = np.empty(len(log))
    order[by_user] = (np.arange(len(log)) - np.repeat(np.cumsum(length) - length, length)) / np.repeat(
        length, length
    )
    return Arrivals(train, test, order)


def gowalla(folder: Path) -> Arrivals:
    """Return the published split of Gowalla, its training events in a random order."""
    frames = [pl.read_parquet(folder / f"{name}.parquet") for name in ("train", "test")]
    users, items = (sl.Vocabulary.of(*(frame[name] for frame in frames)) for name in ("user_id", "item_id"))
    train, test = (
        part(frame, users, items, name) for frame, name in zip(frames, ("train", "test"), strict=True)
    )
    return Arrivals(train, test, np.random.default_rng(0).random(len(train.interactions)))


@dataclass(frozen=True)
class Case:
    """What is fitted on which data, at most how often; "warm" runs the model's `refit_epochs`, "brief" that many."""

    events: str
    model: Callable[..., sl.Model]
    params: dict[str, Any]
    brief: int
    seeds: int = 5


CASES = {
    "retail, WALS": Case("retail", sl.WALS, {}, 2),
    "MovieLens likes, WALS": Case("movielens", sl.WALS, {"dim": 32}, 2),
    "MovieLens ratings, als": Case("movielens", sl.MatrixFactorization, {}, 2),
    "MovieLens ratings, sgd": Case("movielens", sl.MatrixFactorization, {"solver": "sgd"}, 10),
    "MovieLens ratings, adam": Case("movielens", sl.MatrixFactorization, {"solver": "adam"}, 100),
    "Gowalla, WALS": Case("gowalla", sl.WALS, {"unobserved_weight": 0.01, "reg": 0.01}, 2, seeds=2),
}


def arrivals_of(case: Case, folder: Path) -> Arrivals:
    """Return the data of a case; `folder` has Gowalla."""
    return (
        gowalla(folder)
        if case.events == "gowalla"
        else {"retail": retail, "movielens": movielens}[case.events]()
    )


def measure(name: str, share: float, way: str, seeds: int, folder: Path) -> dict[str, Any]:
    """Return processor seconds and seconds of each fit, and the users' metrics (a column each), mean over the seeds."""
    case = CASES[name]
    data = arrivals_of(case, folder)
    case.model(**case.params, n_epochs=1).fit(data.until(0.5))
    cpu, seconds, values = [], [], []
    for seed in range(min(seeds, case.seeds)):
        model = case.model(**case.params)
        if way in {"warm", "chain"}:
            old = model.fit(data.until(share), rng=seed)
            for link in range(LINKS - 1, 0, -1) if way == "chain" else ():
                old = model.fit(data.until(share * link / LINKS), rng=seed, start=old)
        if way == "brief":
            model = case.model(**case.params, n_epochs=case.brief)
        start = old if way in {"warm", "chain"} else None
        assert data.train.memory.users  # made once for all models of the data
        begun, used = time.perf_counter(), time.process_time()
        model.fit(data.train, rng=seed + seeds * (1 + (way == "other cold")), start=start)
        cpu.append(time.process_time() - used)
        seconds.append(time.perf_counter() - begun)
        values.append(_squared_errors(model, data) if model.predicts_ratings else _ranking(model, data))
    return {"cpu": cpu, "seconds": seconds, "values": np.mean(values, axis=0).tolist()}


def _ranking(model: sl.Model, data: Arrivals) -> NDArray[np.float64]:
    """Return NDCG@10 and Recall@20 of each user with a liked new item, float64[n, 2]."""
    log = data.test.interactions
    truth = log.where(log.positive).matrix("count")
    seen = data.train.interactions.matrix("count")
    truth = truth - truth.multiply(seen.astype(bool))
    truth.eliminate_zeros()
    truth.sort_indices()
    users = np.flatnonzero(np.diff(truth.indptr))
    shown = model.recommend(data.test.users.ids.gather(users), 20, on_unknown="fallback").lists.padded(20)
    ptr = np.concatenate([[0], np.cumsum(np.diff(truth.indptr)[users])])
    of_ten, of_twenty = (
        metrics.find_hits(shown[:, :k], ptr, truth.indices.astype(np.int32)) for k in (10, 20)
    )
    return np.column_stack([metrics.ndcg(of_ten), metrics.recall(of_twenty)])


def _squared_errors(model: Any, data: Arrivals) -> NDArray[np.float64]:
    """Return the sum of squared errors and the number of test ratings of each user, float64[n_users, 2]."""
    log = data.test.interactions
    predicted = model.predict(
        data.test.users.ids.gather(log.user_idx), data.test.items.ids.gather(log.item_idx)
    )
    error = (predicted.astype(np.float64) - log.value) ** 2
    return np.column_stack(
        [np.bincount(log.user_idx, error, log.n_users), np.bincount(log.user_idx, minlength=log.n_users)]
    )


def figures(values: NDArray[np.float64], *, rating: bool) -> NDArray[np.float64]:
    """Return the metrics from means over users [..., 2]: RMSE, or NDCG@10 and Recall@20."""
    return np.sqrt(values[..., :1] / values[..., 1:]) if rating else values


def compared(measured: dict[str, list[dict[str, Any]]], *, rating: bool) -> dict[str, Any]:
    """Return for each way its metrics, their differences from "cold" with intervals, and the seconds."""
    values = {way: np.array(runs[0]["values"]) for way, runs in measured.items()}
    n = len(values["cold"])
    draws = Resampler(n, N_RESAMPLES, rng=0).means(np.hstack(list(values.values())))
    of_way = {way: figures(draws[:, 2 * at : 2 * at + 2], rating=rating) for at, way in enumerate(values)}
    found: dict[str, Any] = {"users": n}
    for way, own in values.items():
        point = figures(own.mean(axis=0), rating=rating)
        difference = point - figures(values["cold"].mean(axis=0), rating=rating)
        low, high = np.quantile(of_way[way] - of_way["cold"], [0.025, 0.975], axis=0)
        found[way] = {
            "metrics": point.tolist(),
            "difference": difference.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "cpu_seconds": median_spread(_all(measured[way], "cpu")),
            "seconds": median_spread(_all(measured[way], "seconds")),
        }
    found["saving"] = ratio_interval(_all(measured["cold"], "cpu"), _all(measured["warm"], "cpu"), rng=0)
    return found


def _all(runs: list[dict[str, Any]], key: str) -> list[float]:
    return [value for run in runs for value in run[key]]


def rows_of(name: str, share: float, found: dict[str, Any], *, rating: bool) -> list[list[Any]]:
    """Return the rows of a case: a metric each."""
    rows = []
    for at, metric in enumerate(["RMSE"] if rating else ["NDCG@10", "Recall@20"]):
        cold, warm = found["cold"], found["warm"]
        interval = f"[{warm['low'][at]:+.4f}, {warm['high'][at]:+.4f}]"
        rows.append(
            [
                name,
                share,
                metric,
                cold["metrics"][at],
                warm["metrics"][at],
                interval,
                found["brief"]["metrics"][at],
                found["chain"]["metrics"][at],
                found["other cold"]["metrics"][at],
                cold["cpu_seconds"]["median"],
                warm["cpu_seconds"]["median"],
                found["saving"]["ratio"],
            ]
        )
    return rows


COLUMNS = {
    "data, model": "",
    "new events": ".0%",
    "metric": "",
    "cold": ".4f",
    "warm": ".4f",
    "warm − cold, 95 %": "",
    "cold, as few epochs": ".4f",
    "ten refits in a row": ".4f",
    "cold, other seeds": ".4f",
    "cold fit, CPU s": ".2f",
    "warm fit, CPU s": ".2f",
    "cold ÷ warm": ".1f",
}


def main() -> None:
    """Measure every case, print the table, and write benchmarks/results/refit.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gowalla", type=Path, default=DATA / "gowalla")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--one", nargs=3, metavar=("CASE", "SHARE", "WAY"), help="measure one way, print JSON"
    )
    options = parser.parse_args()
    if options.one:
        name, share, way = options.one
        print(json.dumps(measure(name, float(share), way, options.seeds, options.gowalla)))
        return
    files = [options.gowalla / f"{name}.parquet" for name in ("train", "test")]
    has_gowalla = all(file.is_file() for file in files)
    rows, found = [], {}
    for name, case in CASES.items():
        if case.events == "gowalla" and not has_gowalla:
            print(f"left out: no train.parquet and test.parquet in {options.gowalla}", file=sys.stderr)
            continue
        rating = case.model is sl.MatrixFactorization
        for share in SHARES:
            common = ["--seeds", str(options.seeds), "--gowalla", options.gowalla]
            commands = {
                way: [sys.executable, Path(__file__), *common, "--one", name, str(share), way] for way in WAYS
            }
            found[f"{name}, {share:.0%}"] = compared(alternate(commands, options.runs), rating=rating)
            rows += rows_of(name, share, found[f"{name}, {share:.0%}"], rating=rating)
            for row in rows[-1 if rating else -2 :]:
                print(
                    *(format(cell, spec) for cell, spec in zip(row, COLUMNS.values(), strict=True)), sep=" | "
                )
    payload = {
        "tables": {"refit": table(COLUMNS, rows)},
        "cases": found,
        "seeds": options.seeds,
        "threads": threads.num_threads(),
    }
    bundled = [retail().train.fingerprint, movielens().train.fingerprint]
    data_hash = "+".join([*bundled, *([hash_files(*files)] if has_gowalla else [])])
    write("refit", payload, data_hash=data_hash, seed=0)


if __name__ == "__main__":
    main()
