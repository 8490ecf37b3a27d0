"""FactorizationMachine beside myFM on MovieLens small: RMSE of two folds and seconds of a fit; and what features add.

The folds are the first two of scikit-learn's KFold(5, shuffle=True, random_state=0) over the rows of the file;
predictions are clipped to the scale. Both have factors of length 8 and 200 sweeps, the first 20 left out, on ids alone;
myFM keeps the other 180 draws, ours every second one (its default). They run in turns, each in a process of its own on
as many threads, with three seeds; ours after a small fit that compiles. Ours is timed from the Dataset to the fitted
model, myFM's `fit` from the encoded matrix. Then ours with the genres and the year of the title, and by gradient steps,
whose penalties and rates were chosen on the training side of the first fold.

A second table shows what it costs to keep fewer draws, a third how often the spread covers a held-out rating.

Ends with status 1 unless RMSE on ids alone is below myFM's, sweeps are three times as fast, and features lower RMSE.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rating_data import SCALE, movielens_folder, read_ratings
from results import alternate, hash_files, median_spread, ratio_interval, table, write
from sklearn.model_selection import KFold

from shortlist import metrics, threads
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.models.factorization_machine import FactorizationMachine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FOLDS = (0, 1)  # the two that the targets name
SEEDS = (0, 1, 2)
RANK, SWEEPS, BURN_IN = 8, 200, 20
SPEED_TARGET = 3.0
PEER = "myFM"
VARIANTS: dict[str, dict[str, Any]] = {
    "shortlist, ids": {"item_columns": []},
    "shortlist, ids + genres + year": {},
    "shortlist, ids, adagrad": {"item_columns": [], "solver": "adagrad"},
    "shortlist, ids, sgd": {"item_columns": [], "solver": "sgd"},
}
IDS, FEATURES = list(VARIANTS)[:2]
KEPT = (10, 30, 90, 180)


def write_folds(ratings: pl.DataFrame, movies: pl.DataFrame, folder: Path) -> None:
    """Write the ratings with the fold that each is tested in, and the movies."""
    fold = np.full(ratings.height, -1, np.int64)
    for f, (_, test) in enumerate(KFold(5, shuffle=True, random_state=0).split(fold)):
        fold[test] = f
    names = {"user": "userId", "item": "movieId", "rating": "rating"}
    np.savez(
        folder / "folds.npz", fold=fold, **{key: ratings[name].to_numpy() for key, name in names.items()}
    )
    movies.write_parquet(folder / "movies.parquet")


def read_movies(folder: Path) -> pl.DataFrame:
    """Return id, genres (a list) and year (of the title, null where it has none) of each movie."""
    genres = pl.col("genres").str.replace("(no genres listed)", "", literal=True).str.split("|")
    return pl.read_csv(folder / "movies.csv").select(
        pl.col("movieId").alias("id"),
        genres.list.eval(pl.element().filter(pl.element() != "")),
        pl.col("title").str.extract(r"\((\d{4})\)\s*$").cast(pl.Float64).alias("year"),
    )


class Ratings:
    """The ratings of the file that `write_folds` made, as Datasets of all its movies."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "folds.npz") as file:
            self.user, self.item, self.rating, self.fold = (
                file[name] for name in ("user", "item", "rating", "fold")
            )
        movies = pl.read_parquet(folder / "movies.parquet")
        self._items, self._users = Vocabulary.of(movies["id"], self.item), Vocabulary.of(self.user)
        self._movies = FeatureTable(movies, {"genres": "tags", "year": "numeric"}).align(self._items)

    def dataset(self, rows: NDArray[np.bool_]) -> Dataset:
        """Return the ratings at `rows`."""
        log = Interactions.of(
            self._users.index_of(self.user[rows]),
            self._items.index_of(self.item[rows]),
            self.rating[rows],
            None,
            len(self._users),
            len(self._items),
            Feedback.ratings(*SCALE),
        )
        return Dataset(log, self._users, self._items, item_features=self._movies)

    def rmse(self, model: FactorizationMachine, rows: NDArray[np.bool_]) -> float:
        """Return the error of predictions that are clipped to the scale."""
        predicted = model.predict(self.user[rows], self.item[rows])
        return float(metrics.rmse(self.rating[rows], predicted, scale=SCALE))


def our_run(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Return RMSE and seconds of `fit` on each fold."""
    data, rmse, seconds = Ratings(folder), [], []
    warm = {key: value for key, value in VARIANTS[name].items() if key != "item_columns"}
    FactorizationMachine(RANK, n_epochs=3, **warm).fit(data.dataset(np.arange(data.fold.size) < 1000), rng=0)
    for f in FOLDS:
        train = data.dataset(data.fold != f)
        begun = time.perf_counter()
        model = FactorizationMachine(RANK, **VARIANTS[name]).fit(train, rng=seed)
        seconds.append(time.perf_counter() - begun)
        rmse.append(data.rmse(model, data.fold == f))
    return {"rmse": rmse, "seconds": seconds, "epochs": len(model.loss_history_)}


def in_turns(folder: Path, options: argparse.Namespace) -> dict[str, list[Any]]:
    """Return the runs of each variant and of myFM, one a seed."""
    here = Path(__file__).resolve()
    cores = str(threads.num_threads())
    environment = {"SHORTLIST_NUM_THREADS": cores, "OMP_NUM_THREADS": cores}
    measured: dict[str, list[Any]] = {}
    for seed in SEEDS:
        commands: dict[str, Sequence[str | Path]] = {
            name: [sys.executable, here, "--ours", folder, "--name", name, "--seed", str(seed)]
            for name in VARIANTS
        }
        numbers = map(str, (seed, RANK, SWEEPS, BURN_IN, *FOLDS))
        peer = here.with_name("peer_myfm.py")
        commands[PEER] = [options.peer_python, peer, folder / "folds.npz", *numbers]
        for name, runs in alternate(commands, options.runs, env=environment).items():
            measured.setdefault(name, []).extend(runs)
            print(f"seed {seed}  {name:32} RMSE {np.mean(runs[0]['rmse']):.4f}", flush=True)
    return measured


def report(measured: Mapping[str, list[Any]], seed: int) -> dict[str, Any]:
    """Print and return RMSE and seconds of each, and how many times as long as our sweep myFM's takes."""
    columns = {"": "", "fold 1": ".4f", "fold 2": ".4f", "RMSE": ".4f", "least": ".4f", "most": ".4f"}
    columns |= {"fit, s": ".2f", "ms a sweep": ".1f"}
    rows, per_sweep = [], {}
    for name, runs in measured.items():
        errors = np.array([run["rmse"] for run in runs])
        seconds = [s for run in runs for s in run["seconds"]]
        sweeps = runs[0].get("epochs", SWEEPS)
        per_sweep[name] = [s / sweeps for s in seconds]
        by_seed = errors.mean(axis=1)
        spread = median_spread(seconds)["median"]
        shown = [*errors.mean(axis=0), by_seed.mean(), by_seed.min(), by_seed.max()]
        rows.append([name, *map(float, shown), spread, 1000 * float(np.median(per_sweep[name]))])
        print(f"{name:32} RMSE {by_seed.mean():.4f}  fit {spread:.2f} s", flush=True)
    ratio = ratio_interval(per_sweep[PEER], per_sweep[IDS], rng=seed)
    print(f"a sweep of myFM takes {ratio['ratio']:.1f} times ours ({ratio['low']:.1f} – {ratio['high']:.1f})")
    return {
        "tables": {"folds": table(columns, rows)},
        "sweep_over_ours": ratio,
        "rmse": {row[0]: row[3] for row in rows},
        "runs": measured,
        "threads": threads.num_threads(),
        "myfm": measured[PEER][0]["version"],
    }


def kept_table(data: Ratings) -> dict[str, Any]:
    """Print and return the RMSE of the first fold by how many draws of the same chains are kept."""
    test, rows = data.fold == FOLDS[0], []
    train = data.dataset(~test)
    for kept in KEPT:
        models = (
            FactorizationMachine(RANK, n_kept=kept, **VARIANTS[IDS]).fit(train, rng=seed) for seed in SEEDS
        )
        rows.append(
            [kept, float(np.mean([data.rmse(model, test) for model in models])), 4 * kept * (RANK + 1)]
        )
        print(f"{kept:4} draws kept: RMSE {rows[-1][1]:.4f}", flush=True)
    return table({"draws kept": "d", "RMSE, fold 1": ".4f", "bytes a column": ",d"}, rows)


def cover_table(data: Ratings) -> dict[str, Any]:
    """Print and return how often held-out ratings of the first fold lie within the spread, by how wide that is."""
    test = data.fold == FOLDS[0]
    model = FactorizationMachine(RANK).fit(data.dataset(~test), rng=SEEDS[0])
    held_out = data.dataset(test)
    found = model.predict_spread(held_out, clip=False)
    off = np.abs(found.mean - held_out.interactions.value)
    rows = []
    edges = np.quantile(found.of_mean, [0, 0.25, 0.5, 0.75, 1])
    for name, low, high in zip(
        ("narrowest", "second", "third", "widest"), edges[:-1], edges[1:], strict=True
    ):
        own = (found.of_mean >= low) & (found.of_mean <= high)
        one, two = (float(np.mean(off[own] <= n * found.of_value[own])) for n in (1, 2))
        rmse = float(np.sqrt(np.mean(off[own] ** 2)))
        rows.append(
            [name, float(found.of_mean[own].mean()), float(found.of_value[own].mean()), rmse, one, two]
        )
    columns = {"quarter": "", "of_mean": ".2f", "of_value": ".2f", "RMSE": ".3f"}
    columns |= {"within 1": ".1%", "within 2": ".1%"}
    return table(columns, rows)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of ratings.csv and movies.csv")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=1, help="how often each runs with each seed; at least 1")
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has myfm")
    parser.add_argument(
        "--ours", type=Path, help=argparse.SUPPRESS
    )  # one run of ours, in a process of its own
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(our_run(options.ours, options.name, options.seed)))
        return 0
    folder = movielens_folder(options.data)
    with tempfile.TemporaryDirectory() as temporary:
        write_folds(read_ratings(folder), read_movies(folder), Path(temporary))
        payload = report(in_turns(Path(temporary), options), options.seed)
        data = Ratings(Path(temporary))
        payload["tables"] |= {"kept": kept_table(data), "cover": cover_table(data)}
    write(
        "fm", payload, data_hash=hash_files(folder / "ratings.csv", folder / "movies.csv"), seed=options.seed
    )
    return verdict(payload)


def verdict(payload: Mapping[str, Any]) -> int:
    """Return 0 where all targets are reached, else 1, saying which are not."""
    rmse = payload["rmse"]
    reached = {
        "RMSE below myFM's": rmse[IDS] < rmse[PEER],
        f"sweeps {SPEED_TARGET:g} times as fast": payload["sweep_over_ours"]["ratio"] >= SPEED_TARGET,
        "features lower RMSE": rmse[FEATURES] < rmse[IDS],
    }
    missed = [name for name, is_so in reached.items() if not is_so]
    if missed:
        print(f"FAILED: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
