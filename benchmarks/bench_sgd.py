"""MatrixFactorization beside Surprise's SVD on a million synthetic ratings: seconds of a fit, and its error.

The ratings: of 22,136 users × 3,162 items (`bench_sgd_large.py`: ten million, of 70,000 × 10,000), drawn with
Dirichlet(½) activity and popularity; y = 3.5 + b_u + c_i + .15 p_u·q_i + .8 ε, with b, c of standard deviation .4 and
p, q of rank 16, all normal, rounded to half stars and clipped to .5–5; one in fifty is for testing. Surprise's SVD has
its own settings (20 epochs, rate .005, reg .02), with 16 factors, which is the planted rank, and with its default of
100. Ours were chosen on another draw (seed 1).

The runs take turns, each in a process of its own, after a small fit that loads and compiles everything. Ours is timed
from the Dataset to the fitted model, Surprise's from its Trainset. Errors are RMSE on the test ratings, predictions
clipped to the scale.

Says so unless SGD's error is at most that of each SVD and its fit as many times as fast as asked for: ten
times with ten million ratings; three times with a million, where a good part of the time is overhead.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rating_data import SCALE, dataset
from results import DIRECTORY, alternate, hash_files, median_spread, ratio_interval, table, write

from shortlist import metrics, threads
from shortlist.models.matrix_factorization import MatrixFactorization

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

OURS: dict[str, dict[str, Any]] = {
    "shortlist, sgd": {"dim": 16, "solver": "sgd", "n_epochs": 4, "reg": 1.0, "bias_reg": 1.0},
    "shortlist, als": {
        "dim": 15,
        "solver": "als",
        "n_epochs": 5,
        "reg": 6.0,
        "bias_reg": 3.0,
        "reg_exponent": 0.0,
    },
}
FACTORS = {"factors_16": 16, "factors_100": 100}
TEST_SHARE, RANK = 0.02, 16


class Size(NamedTuple):
    """How many ratings, users and items; where the result is written; and how many times as fast ours has to be."""

    n_ratings: int
    n_users: int
    n_items: int
    name: str
    least_ratio: float


SMALL = Size(1_000_000, 22_136, 3_162, "sgd", 3.0)
LARGE = Size(10_000_000, 70_000, 10_000, "sgd_large", 10.0)


def synthetic(size: Size, seed: int) -> dict[str, NDArray[Any]]:
    """Return user, item, rating and test (which rows are for testing), by user and item, no pair twice."""
    rng = np.random.default_rng(seed)
    n = int(1.15 * size.n_ratings)
    of_users, of_items = (rng.dirichlet(np.full(count, 0.5)) for count in (size.n_users, size.n_items))
    pair = rng.choice(size.n_users, n, p=of_users) * size.n_items + rng.choice(size.n_items, n, p=of_items)
    pair = np.sort(rng.permutation(np.unique(pair))[: size.n_ratings])
    user, item = (part.astype(np.int32) for part in np.divmod(pair, size.n_items))
    p, q = (rng.standard_normal((count, RANK), np.float32) for count in (size.n_users, size.n_items))
    rating = (
        3.5 + 0.4 * rng.standard_normal(size.n_users)[user] + 0.4 * rng.standard_normal(size.n_items)[item]
    )
    for f in range(RANK):
        rating += 0.15 * p[user, f] * q[item, f]
    rating += 0.8 * rng.standard_normal(pair.size)
    halves = np.clip(np.rint(2 * rating) / 2, *SCALE).astype(np.float32)
    return {"user": user, "item": item, "rating": halves, "test": rng.random(pair.size) < TEST_SHARE}


def our_run(path: str, name: str) -> dict[str, Any]:
    """Return seconds, RMSE and memory of a fit on the training rows of the file."""
    with np.load(path) as file:
        user, item, rating, test = (file[column] for column in ("user", "item", "rating", "test"))
    MatrixFactorization(**{**OURS[name], "n_epochs": 1}).fit(dataset(user[:1000], item[:1000], rating[:1000]))
    data = dataset(*(column[~test] for column in (user, item, rating)))
    begun = time.perf_counter()
    model = MatrixFactorization(**OURS[name]).fit(data, rng=0)
    seconds = time.perf_counter() - begun
    predicted = model.predict(user[test], item[test])
    return {
        "seconds": seconds,
        "rmse": metrics.rmse(rating[test], predicted, scale=SCALE),
        "gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def measure(size: Size, parts: list[str], options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the runs of ours and of SVD, by name, and the hash of the ratings."""
    here = Path(__file__).resolve()
    peer = here.with_name("peer_surprise_svd.py")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ratings.npz"
        np.savez(file, **synthetic(size, options.seed))
        commands: dict[str, list[str | Path]] = {
            name: [sys.executable, here, "--ours", file, "--name", name] for name in OURS
        }
        for part in parts:
            n_factors = FACTORS[part]
            commands[f"SVD, {n_factors} factors"] = [options.peer_python, peer, file, str(n_factors)]
        return alternate(commands, options.runs), hash_files(file)


def report(size: Size, measured: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Print and return the table of all runs, and how many times as long as ours each SVD takes."""
    columns = {"": "", "RMSE": ".4f", "fit, s": ".2f", "least": ".2f", "most": ".2f", "memory, GiB": ".1f"}
    columns |= {"SVD's time over SGD's": ".1f", "from": ".1f", "to": ".1f"}
    ours = [run["seconds"] for run in measured["shortlist, sgd"]]
    rows, ratios = [], {}
    for name, runs in measured.items():
        seconds = [run["seconds"] for run in runs]
        spread, over = median_spread(seconds), None
        if name not in OURS:
            ratios[name] = over = ratio_interval(seconds, ours, rng=seed)
        error, memory = (float(np.median([run[key] for run in runs])) for key in ("rmse", "gib"))
        of_ratio = [None] * 3 if over is None else [over["ratio"], over["low"], over["high"]]
        rows.append([name, error, spread["median"], spread["min"], spread["max"], memory, *of_ratio])
        shown = (
            ""
            if over is None
            else f"   {over['ratio']:.1f} times ours ({over['low']:.1f}–{over['high']:.1f})"
        )
        print(f"{name:16} RMSE {error:.4f}  {spread['median']:7.2f} s  {memory:.1f} GiB{shown}", flush=True)
    return {
        "tables": {"fits": table(columns, rows)},
        "ratios": ratios,
        "runs": {name: list(runs) for name, runs in measured.items()},
        "ours": OURS,
        "n_ratings": size.n_ratings,
        "threads": threads.num_threads(),
    }


def earlier(size: Size, data_hash: str) -> dict[str, Any]:
    """Return the runs that stand in the result file, if they are of these ratings."""
    file = DIRECTORY / f"{size.name}.json"
    if not file.is_file():
        return {}
    document = json.loads(file.read_text(encoding="utf-8"))
    return dict(document["results"]["runs"]) if document["data_hash"] == data_hash else {}


def failures(size: Size, payload: Mapping[str, Any]) -> list[str]:
    """Return what falls short of the target, for people."""
    error = {name: float(np.median([run["rmse"] for run in runs])) for name, runs in payload["runs"].items()}
    ours = error["shortlist, sgd"]
    found = [
        f"SGD's RMSE {ours:.4f} is above {error[name]:.4f} of {name}"
        for name in payload["ratios"]
        if ours > error[name]
    ]
    return found + [
        f"{name} takes {ratio['ratio']:.1f} times as long as SGD, not {size.least_ratio:.0f}"
        for name, ratio in payload["ratios"].items()
        if ratio["ratio"] < size.least_ratio
    ]


def main(size: Size) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", choices=[*FACTORS], nargs="+", help="these parts; others keep what was measured"
    )
    parser.add_argument("--runs", type=int, default=3, help="how often each; at least 2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has scikit-surprise")
    parser.add_argument("--ours", help=argparse.SUPPRESS)  # one run of ours, in a process of its own
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(our_run(options.ours, options.name)))
        return
    measured, data_hash = measure(size, options.only or [*FACTORS], options)
    kept = earlier(size, data_hash) if options.only else {}
    payload = report(size, kept | measured, options.seed)
    write(size.name, payload, data_hash=data_hash, seed=options.seed)
    for line in failures(size, payload):
        print(f"short of the target: {line}", file=sys.stderr)


if __name__ == "__main__":
    main(SMALL)
