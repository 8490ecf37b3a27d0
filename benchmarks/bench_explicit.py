"""MatrixFactorization beside scikit-surprise on MovieLens small: RMSE of five folds and seconds of a fit.

The folds are scikit-learn's KFold(5, shuffle=True, random_state=0) over the rows of the file; predictions are clipped
to the scale. The two run in turns, each in a process of its own, after a small fit that loads and compiles everything.
Ours is timed from the Dataset to the fitted model, Surprise's from its Trainset. Our defaults were chosen on parts of
the *training* side of the first fold only.

A second table shows what `min_ratings` does to lists of predicted ratings, on each user's last ratings.

Ends with status 1 unless the mean RMSE of the first two folds is at most .858 and a fit at least five times as fast as
SVD's.
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
from rating_data import SCALE, dataset, movielens_folder, read_ratings
from results import alternate, hash_files, median_spread, ratio_interval, table, write
from sklearn.model_selection import KFold

from shortlist import metrics, threads
from shortlist.data import split
from shortlist.models.matrix_factorization import MatrixFactorization

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

FOLDS = 5
NAMED = (0, 1)  # the folds that the target and Surprise's slow algorithms are measured on
RMSE_TARGET, SPEED_TARGET = 0.858, 5.0
SLOW_PEERS = ("SVDpp", "KNNBaseline")
MIN_RATINGS = (1, 2, 3, 5, 10, 20)
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "plain means, no item bias": {"mean_shrinkage": 0.0, "item_bias": False, "bias_reg": 0.0},
}


def our_run(path: str, seed: int) -> dict[str, Any]:
    """Return RMSE and seconds of `fit` with defaults on each fold of the file that `write_folds` made."""
    with np.load(path) as file:
        user, item, rating, fold = (file[name] for name in ("user", "item", "rating", "fold"))
    MatrixFactorization(n_epochs=1).fit(dataset(user[:1000], item[:1000], rating[:1000]))
    rmse, seconds = [], []
    for f in range(FOLDS):
        train, test = fold != f, fold == f
        data = dataset(user[train], item[train], rating[train])
        begun = time.perf_counter()
        model = MatrixFactorization().fit(data, rng=seed)
        seconds.append(time.perf_counter() - begun)
        predicted = model.predict(user[test], item[test])
        rmse.append(metrics.rmse(rating[test], predicted, scale=SCALE))
    return {"rmse": rmse, "seconds": seconds}


def write_folds(ratings: pl.DataFrame, path: Path) -> None:
    """Write user, item, rating, and the fold each row is tested in."""
    fold = np.empty(ratings.height, np.int64)
    for f, (_, test) in enumerate(KFold(FOLDS, shuffle=True, random_state=0).split(fold)):
        fold[test] = f
    columns = {name: ratings[column].to_numpy() for name, column in _COLUMNS.items()}
    np.savez(path, fold=fold, **columns)


_COLUMNS = {"user": "userId", "item": "movieId", "rating": "rating"}


def beside_surprise(ratings: pl.DataFrame, options: argparse.Namespace) -> dict[str, Any]:
    """Return RMSE per fold and seconds of every fit of ours and of each Surprise algorithm, and its version."""
    here = Path(__file__).resolve()
    peer = here.with_name("peer_surprise.py")
    all_folds = [str(f) for f in range(FOLDS)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "folds.npz"
        write_folds(ratings, file)
        commands: dict[str, Sequence[str | Path]] = {
            "shortlist": [sys.executable, here, "--ours", file, "--seed", str(options.seed)],
            "SVD": [options.peer_python, peer, file, "SVD", *all_folds],
        }
        measured = alternate(commands, options.runs)
        once = {"BaselineOnly": all_folds}
        if options.all:
            once |= {name: [str(f) for f in NAMED] for name in SLOW_PEERS}
        for name, folds in once.items():
            measured |= alternate({name: [options.peer_python, peer, file, name, *folds]}, 1)
    return {
        name: {**runs[0], "seconds": [s for run in runs for s in run["seconds"]]}
        for name, runs in measured.items()
    }


def rating_report(measured: dict[str, Any], runs: int, seed: int) -> dict[str, Any]:
    """Print RMSE, seconds and the ratio of a fit; return them for the results file."""
    columns = {"": "", **{f"fold {f + 1}": ".4f" for f in range(FOLDS)}, "folds 1–2": ".4f"}
    rows, times = [], []
    for name, one in measured.items():
        of_folds = [*one["rmse"], *[None] * (FOLDS - len(one["rmse"]))]
        rows.append([name, *of_folds, float(np.mean([one["rmse"][f] for f in NAMED]))])
        spread = median_spread(one["seconds"])
        times.append([name, spread["median"], spread["min"], spread["max"], spread["runs"]])
    ratio = ratio_interval(measured["SVD"]["seconds"], measured["shortlist"]["seconds"], rng=seed)
    print_table([*columns], rows)
    print_table(["", "fit, s", "least", "most", "fits"], times)
    print(
        f"SVD's fit takes {ratio['ratio']:.1f} times ours (95 %: {ratio['low']:.1f} – {ratio['high']:.1f}); "
        f"{runs} runs of {FOLDS} fits each, ours on {threads.num_threads()} threads\n"
    )
    return {
        "tables": {
            "rmse": table(columns, rows),
            "seconds": table({"": "", "fit, s": ".3f", "least": ".3f", "most": ".3f", "fits": "d"}, times),
        },
        "svd_seconds_over_ours": ratio,
        "rmse_named_folds": rows[0][-1],
        "threads": threads.num_threads(),
        "surprise": measured["SVD"]["version"],
        "defaults": MatrixFactorization().params(),
    }


def min_ratings_report(ratings: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Print and return what `min_ratings` does to lists of ten on each user's last fifth of ratings."""
    stamp = ratings["timestamp"].to_numpy() * 1_000_000
    data = dataset(*(ratings[column].to_numpy() for column in _COLUMNS.values()), timestamp=stamp)
    train, test = split.leave_last_out(data, fraction=0.2)
    columns = {
        "model": "",
        "min_ratings": "d",
        "items that may be listed": ",d",
        "places with 1 or 2 ratings": ".1%",
        "median ratings of a listed item": ".0f",
        "their mean held-out rating": ".2f",
        "NDCG@10": ".4f",
    }
    rows = [
        [
            name,
            least,
            *list_quality(
                MatrixFactorization(min_ratings=least, **variant).fit(train, rng=seed), train, test
            ),
        ]
        for name, variant in VARIANTS.items()
        for least in MIN_RATINGS
    ]
    print_table([*columns], rows)
    return table(columns, rows)


def list_quality(model: MatrixFactorization, train: Dataset, test: Dataset) -> list[float]:
    """Return the figures of one row of the `min_ratings` table."""
    held_out = test.interactions.matrix("last")
    liked = test.interactions.where(test.interactions.positive).matrix("last")
    rows, ptr, _ = metrics.users_with_truth(liked.indptr)
    lists = model.recommend(train.users.ids_of(rows), k=10).lists.padded(10)
    user, place = np.nonzero(lists >= 0)
    listed = lists[user, place]
    n: NDArray[np.intp] = np.bincount(train.interactions.matrix("last").indices, minlength=len(train.items))
    rated = np.asarray(held_out[rows[user], listed]).ravel()
    return [
        int(model.listed_items_.sum()),
        float(np.mean(n[listed] <= 2)),
        float(np.median(n[listed])),
        float(rated[rated > 0].mean()),
        float(metrics.ndcg(metrics.find_hits(lists, ptr, liked.indices)).mean()),
    ]


def print_table(head: list[str], rows: Sequence[Sequence[object]]) -> None:
    def text(cell: object) -> str:
        return "–" if cell is None else f"{cell:.4f}" if isinstance(cell, float) else str(cell)

    cells = [head, *[[text(cell) for cell in row] for row in rows]]
    widths = [max(len(row[c]) for row in cells) for c in range(len(head))]
    for row in cells:
        print(
            "  ".join(
                cell.ljust(w) if c == 0 else cell.rjust(w)
                for c, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
        )
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of ratings.csv and movies.csv")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5, help="how often each of the two runs; at least 1")
    parser.add_argument("--peer-python", default=sys.executable, help="the Python that has scikit-surprise")
    parser.add_argument("--all", action="store_true", help="also SVD++ and KNNBaseline, which take minutes")
    parser.add_argument("--ours", help=argparse.SUPPRESS)  # one run of ours, in a process of its own
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(our_run(options.ours, options.seed)))
        return 0
    folder = movielens_folder(options.data)
    ratings = read_ratings(folder)
    payload = rating_report(beside_surprise(ratings, options), options.runs, options.seed)
    payload["tables"]["min_ratings"] = min_ratings_report(ratings, options.seed)
    write("explicit", payload, data_hash=hash_files(folder / "ratings.csv"), seed=options.seed)
    reached = (
        payload["rmse_named_folds"] <= RMSE_TARGET,
        payload["svd_seconds_over_ours"]["ratio"] >= SPEED_TARGET,
    )
    if not all(reached):
        print(
            f"FAILED: RMSE at most {RMSE_TARGET}: {reached[0]}; {SPEED_TARGET} times as fast: {reached[1]}",
            file=sys.stderr,
        )
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
