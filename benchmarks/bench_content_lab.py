"""The course's content lab: two towers beside a plain PyTorch loop, and its honest counterpart on MovieLens small.

    python benchmarks/bench_content_lab.py [--only speed|lab] [--seed 0]

`speed`: a table of the lab's shape (58,187 rows, 14 user and 16 item inputs, of which scikit-learn's 80/20 split with
random_state=1 leaves 46,549 to train on), batches of 32, Adam .01, 256-128-32 units: ours and the loop of
`peer_torch_loop.py` in turns, in processes of their own. The values are made up; the work is the lab's, of which both
sides do the first epochs (--epochs 30: all of them; an epoch takes as long as any other).

`lab`: the films since 2001 with at least ten ratings, one row a rating. User inputs are the mean ratings of the 14
largest genres, item inputs the year, the mean rating and those genres. The lab's table holds a rating once for each
genre of its film, on both sides of its split, and its means and scalers have seen the test rows; here every mean is
made from other rows (out of fold in training, from the training rows for the test), and scalers from training rows.
Parameters of all are chosen on a fifth of the training rows. Intervals are paired, over users.

Each part keeps the results of the other.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import results
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import shortlist as sl
from shortlist.data.derived_features import DerivedFeatures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Predict = Callable[["Rows"], Array]

ROWS, USER_INPUTS, ITEM_INPUTS, EPOCHS = 58_187, 14, 16, 4
RUNS, THREADS = 5, 2
COURSE = {"first_loss": 0.1254, "last_loss": 0.0985, "test": 0.1045, "parameters": 82_240}

SINCE, LEAST_RATINGS, N_GENRES = 2001, 10, 14
LOW, HIGH = 0.5, 5.0
DERIVED = DerivedFeatures(["mean", "count"], labels=["genres"], n_labels=N_GENRES)
SEEDS = 3
RIDGE = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
BOOSTING = tuple(
    {"learning_rate": rate, "max_leaf_nodes": leaves}
    for rate, leaves in ((0.05, 31), (0.05, 63), (0.05, 127), (0.05, 255), (0.02, 127))
)
BIASES = tuple((item, user) for item in (2.0, 5.0, 10.0) for user in (2.0, 5.0, 10.0))
NETS = tuple(
    {"learning_rate": rate, "batch_size": size, "weight_penalty": penalty}
    for rate, size, penalty in (
        (0.001, 128, 0.0),
        (0.001, 128, 1e-4),
        (0.0005, 64, 1e-4),
        (0.001, 512, 0.0),
        (0.002, 256, 1e-4),
    )
)
NEW_USER_LIKES = ("Comedy", "Romance", "Sci-Fi")
SHOWN = 10


# The speed of training.


def lab_table(path: Path, seed: int) -> None:
    """Write a made-up table of the lab's shape: users' tastes times films' genres, noise, cut to the scale."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (400, USER_INPUTS))
    film = np.column_stack([rng.normal(0, 1, (850, 2)), rng.random((850, USER_INPUTS)) < 0.2])
    user, item = rng.integers(0, 400, ROWS), rng.integers(0, 850, ROWS)
    rating = (
        3.5 + 0.5 * (taste[user] * film[item, 2:]).sum(1) + 0.3 * film[item, 0] + rng.normal(0, 0.8, ROWS)
    )
    target = np.clip(np.round(2 * rating) / 2, LOW, HIGH)
    tables = {"user": taste[user], "item": film[item]}
    scaled = {name: StandardScaler().fit_transform(rows) for name, rows in tables.items()}
    scaled["target"] = (2 * target - HIGH - LOW) / (HIGH - LOW)
    train, test = train_test_split(np.arange(ROWS), train_size=0.8, shuffle=True, random_state=1)
    parts = {name: rows[train].astype(np.float32) for name, rows in scaled.items()}
    parts |= {f"{name}_test": rows[test].astype(np.float32) for name, rows in scaled.items()}
    np.savez(path, **parts)


def ours(path: str, n_epochs: int, seed: int) -> None:
    """Print as JSON what `peer_torch_loop.py` prints, of `TwoTower.course`."""
    with np.load(path) as file:
        table = dict(file)
    train, test = ([table[name + part] for name in ("user", "item", "target")] for part in ("", "_test"))
    model = sl.TwoTower(**{**sl.TwoTower.course().params(), "n_epochs": n_epochs})
    model.fit_pairs(*(rows[:64] for rows in train), rng=seed)
    begun = time.perf_counter()
    model.fit_pairs(*train, rng=seed)
    seconds = time.perf_counter() - begun
    error = float(np.mean((model.predict_pairs(*test[:2]) - test[2]) ** 2))
    print(json.dumps({"seconds": seconds, "loss": model.pairs_.loss_history[-1], "test": error}))


def speed(seed: int, n_epochs: int, runs: int) -> dict[str, Any]:
    """Return the runs of both sides and their ratio; the loop on one thread and on two."""
    loop = Path(__file__).with_name("peer_torch_loop.py")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.npz"
        lab_table(path, seed)
        own = [sys.executable, __file__, "--worker", path, "--epochs", n_epochs, "--seed", seed]
        plain = [sys.executable, loop, path, n_epochs, seed]
        found = results.alternate(
            {"ours": own, "loop, 1 thread": [*plain, 1], f"loop, {THREADS} threads": [*plain, THREADS]},
            runs,
            env={"SHORTLIST_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)},
        )
    seconds = {name: [run["seconds"] for run in own_runs] for name, own_runs in found.items()}
    best = min((name for name in seconds if name != "ours"), key=lambda name: float(np.median(seconds[name])))
    return {
        "epochs": n_epochs,
        "seconds": {name: results.median_spread(values) for name, values in seconds.items()},
        "loss": {name: found[name][0]["loss"] for name in found},
        "test": {name: found[name][0]["test"] for name in found},
        "best_loop": best,
        "share_of_the_loop": results.ratio_interval(seconds["ours"], seconds[best], rng=0)
        if runs > 1
        else None,
        "torch": found[best][0]["version"],
    }


def speed_table(found: Mapping[str, Any]) -> dict[str, Any]:
    names = {"ours": "shortlist", **{name: f"PyTorch {name}" for name in found["seconds"] if name != "ours"}}
    return results.table(
        {
            "": "",
            f"{found['epochs']} epochs, s": ".1f",
            "from": ".1f",
            "to": ".1f",
            "training loss": ".4f",
            "test loss": ".4f",
        },
        [
            [names[key], of["median"], of["min"], of["max"], found["loss"][key], found["test"][key]]
            for key, of in found["seconds"].items()
        ],
    )


# The honest lab.


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of ratings with the inputs of both towers: user [m, 14], item [m, 16], rating [m]; who and what."""

    user: Array
    item: Array
    rating: Array
    user_idx: NDArray[np.int32]
    item_idx: NDArray[np.int32]

    @property
    def both(self) -> Array:
        """Return the inputs of both sides in one row, for models that have but one."""
        return np.hstack([self.user, self.item])


def lab_data() -> sl.Dataset:
    """Return the ratings of films since 2001 with at least ten ratings."""
    data = sl.datasets.movielens_small()
    log = data.interactions
    year = data.item_features.frame["year"].fill_null(0).to_numpy()
    kept = (year >= SINCE) & (np.bincount(log.item_idx, minlength=len(data.items)) >= LEAST_RATINGS)
    return data.with_interactions(log.where(kept[log.item_idx]))


def genres_of(names: tuple[str, ...]) -> list[str]:
    return [name.partition(":genres=")[2] for name in names if name.startswith("user_mean:")]


def rows_of(data: sl.Dataset, derived: Any, genres: list[str]) -> Rows:
    """Return the rows of the events of `data`, whose `derived` features were made from other events."""
    log = data.interactions
    at = {name: position for position, name in enumerate(derived.names)}
    user = np.column_stack([derived.values[:, at[f"user_mean:genres={genre}"]] for genre in genres])
    mean = derived.values[:, at["item_mean"]]
    item = np.column_stack([item_facts(data, genres)[log.item_idx], mean])
    return Rows(user.astype(float), item, log.value.astype(float), log.user_idx, log.item_idx)


def item_facts(data: sl.Dataset, genres: list[str]) -> Array:
    """Return float64[n_items, 15]: the year, then 1 for each of `genres` that the film has."""
    tags, labels = data.item_features.tags("genres")
    has = tags[:, [labels.index(genre) for genre in genres]].toarray()
    return np.column_stack([data.item_features.frame["year"].fill_null(SINCE).to_numpy(), has]).astype(float)


def split_rows(train: sl.Dataset, test: sl.Dataset, seed: int) -> tuple[Rows, Rows, list[str]]:
    """Return rows to fit on, their means out of fold, and rows to test on, their means from all of `train`."""
    own = DERIVED.out_of_fold(train, rng=seed)
    genres = genres_of(own.names)
    return rows_of(train, own, genres), rows_of(test, DERIVED.of_others(train, test), genres), genres


def mean_of_all(fit: Rows) -> Predict:
    return lambda rows: np.full(rows.rating.size, fit.rating.mean())


def biases(fit: Rows, choice: tuple[float, float]) -> Predict:
    """Return the baseline mu + b_i + b_u, shrunk."""
    n_users, n_items = fit.user_idx.max() + 1, fit.item_idx.max() + 1
    item_reg, user_reg = choice
    mean = fit.rating.mean()

    def shrunk_sums(index: NDArray[np.int32], values: Array, reg: float, n: int) -> Array:
        return np.bincount(index, values, n) / (reg + np.bincount(index, minlength=n))

    of_item = shrunk_sums(fit.item_idx, fit.rating - mean, item_reg, n_items)
    of_user = shrunk_sums(fit.user_idx, fit.rating - mean - of_item[fit.item_idx], user_reg, n_users)

    def predict(rows: Rows) -> Array:
        item = np.where(rows.item_idx < n_items, of_item[np.minimum(rows.item_idx, n_items - 1)], 0)
        user = np.where(rows.user_idx < n_users, of_user[np.minimum(rows.user_idx, n_users - 1)], 0)
        return np.clip(mean + item + user, LOW, HIGH)

    return predict


def ridge(fit: Rows, alpha: float) -> Predict:
    model = make_pipeline(StandardScaler(), Ridge(alpha)).fit(fit.both, fit.rating)
    return lambda rows: np.clip(model.predict(rows.both), LOW, HIGH)


def boosted(fit: Rows, choice: Mapping[str, Any]) -> Predict:
    model = HistGradientBoostingRegressor(
        max_iter=2000, early_stopping=True, validation_fraction=0.1, random_state=0, **choice
    ).fit(fit.both, fit.rating)
    return lambda rows: np.clip(model.predict(rows.both), LOW, HIGH)


def net_of(fit: Rows, choice: Mapping[str, Any], seed: int) -> sl.TwoTower:
    model = sl.TwoTower(loss="squared", validation_share=0.1, patience=5, n_epochs=60, **choice)
    return model.fit_pairs(fit.user, fit.item, fit.rating, rng=seed)


def net(fit: Rows, choice: Mapping[str, Any], seed: int = 0) -> Predict:
    model = net_of(fit, choice, seed)
    return lambda rows: model.predict_pairs(rows.user, rows.item).astype(float)


def rmse(predict: Predict, rows: Rows) -> float:
    return float(np.sqrt(np.mean((predict(rows) - rows.rating) ** 2)))


def chosen(make: Callable[[Rows, Any], Predict], choices: tuple[Any, ...], fit: Rows, check: Rows) -> Any:
    """Return the choice of least error on the rows to choose by."""
    found = []
    for choice in choices:
        found.append(rmse(make(fit, choice), check))
        print(f"  {make.__name__} {choice}: {found[-1]:.4f}", flush=True)
    return choices[int(np.argmin(found))]


def difference(one: Array, other: Array, user_idx: NDArray[np.int32]) -> dict[str, float]:
    """Return RMSE(one) − RMSE(other) of squared errors, with the 95 % interval of resampled users."""
    rng = np.random.default_rng(0)
    users, at = np.unique(user_idx, return_inverse=True)
    sums = [np.bincount(at, values) for values in (one, other, np.ones(at.size))]
    weights = rng.multinomial(users.size, np.full(users.size, 1 / users.size), 4000)
    first, second, n = (weights @ own for own in sums)
    low, high = np.quantile(np.sqrt(first / n) - np.sqrt(second / n), [0.025, 0.975])
    point = float(np.sqrt(one.mean()) - np.sqrt(other.mean()))
    return {"difference": point, "low": float(low), "high": float(high)}


def lab(seed: int) -> dict[str, Any]:
    data = lab_data()
    train, test = sl.split.random(data, 0.2, rng=seed)
    inner, outer = sl.split.random(train, 0.2, rng=seed + 1)
    fit, check, _ = split_rows(inner, outer, seed)
    whole, final, genres = split_rows(train, test, seed)
    choices = {
        "biases": chosen(biases, BIASES, fit, check),
        "ridge": chosen(ridge, RIDGE, fit, check),
        "boosted trees": chosen(boosted, BOOSTING, fit, check),
        "two towers": chosen(net, NETS, fit, check),
    }
    makers: dict[str, list[Predict]] = {
        "mean rating": [mean_of_all(whole)],
        "user and item bias": [biases(whole, choices["biases"])],
        "ridge": [ridge(whole, choices["ridge"])],
        "boosted trees": [boosted(whole, choices["boosted trees"])],
        "two towers": [net(whole, choices["two towers"], seed + own) for own in range(SEEDS)],
    }
    # Of several seeds the mean squared error of each row: the error of one net drawn among them.
    squares = {
        name: np.mean([(predict(final) - final.rating) ** 2 for predict in own], axis=0)
        for name, own in makers.items()
    }
    return {
        "films": int(np.unique(data.interactions.item_idx).size),
        "users": int(np.unique(data.interactions.user_idx).size),
        "ratings": len(data.interactions),
        "test_ratings": final.rating.size,
        "user_inputs": whole.user.shape[1],
        "item_inputs": whole.item.shape[1],
        "genres": genres,
        "choices": choices,
        "rmse": {name: float(np.sqrt(own.mean())) for name, own in squares.items()},
        "scaled_mse": {name: float(own.mean()) * (2 / (HIGH - LOW)) ** 2 for name, own in squares.items()},
        "net_less": {
            name: difference(squares["two towers"], own, final.user_idx)
            for name, own in squares.items()
            if name != "two towers"
        },
        "seeds": SEEDS,
        "shown": shown(train, whole, final, genres, choices["two towers"], seed),
    }


def lab_table_of(found: Mapping[str, Any]) -> dict[str, Any]:
    nothing = {"difference": None, "low": None, "high": None}
    return results.table(
        {
            "": "",
            "test RMSE": ".4f",
            "MSE, targets in [−1, 1]": ".4f",
            "towers less this": "+.4f",
            "from": "+.4f",
            "to": "+.4f",
        },
        [
            [
                name,
                found["rmse"][name],
                found["scaled_mse"][name],
                *found["net_less"].get(name, nothing).values(),
            ]
            for name in found["rmse"]
        ],
    )


# What it predicts, as the course shows it.


def shown(
    train: sl.Dataset, whole: Rows, final: Rows, genres: list[str], choice: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Return the tables of a new user, who gave tastes only, and of a user with many test ratings."""
    model = net_of(whole, choice, seed)
    facts, mean = item_facts(train, genres), DERIVED.now(train).items.frame["item_mean"].to_numpy()
    rated = np.bincount(train.interactions.item_idx, minlength=len(train.items))
    films = np.flatnonzero(rated >= LEAST_RATINGS)
    items = np.column_stack([facts, mean])[films]
    tastes = np.array([HIGH if genre in NEW_USER_LIKES else 1.0 for genre in genres])
    predicted = model.predict_pairs(np.repeat(tastes[None], films.size, axis=0), items)
    best = np.argsort(-predicted, kind="stable")[:SHOWN]
    rows = [[float(predicted[at]), *described(train, films[at], mean)] for at in best]
    user = int(np.bincount(final.user_idx).argmax())
    own = np.flatnonzero(final.user_idx == user)
    estimate = model.predict_pairs(final.user[own], final.item[own])
    order = np.argsort(-estimate, kind="stable")
    picked = order[np.linspace(0, order.size - 1, SHOWN).round().astype(int)]
    of_user = [
        [float(estimate[at]), float(final.rating[own[at]]), *described(train, final.item_idx[own[at]], mean)]
        for at in picked
    ]
    return {
        "new user": rows,
        "user": of_user,
        "user_id": train.users.ids[user],
        "user_test_ratings": own.size,
        "user_rmse": float(np.sqrt(np.mean((estimate - final.rating[own]) ** 2))),
    }


def described(data: sl.Dataset, item: int, mean: Array) -> list[object]:
    """Return the mean rating, the title and the genres of a film."""
    row = data.item_features.frame.row(int(item), named=True)
    return [float(mean[item]), row["title"], ", ".join(row["genres"] or [])]


def shown_tables(found: Mapping[str, Any]) -> dict[str, Any]:
    film = {"mean": ".1f", "film": "", "genres": ""}
    return {
        "new_user": results.table({"predicted": ".1f", **film}, found["new user"]),
        "existing_user": results.table({"predicted": ".1f", "true": ".1f", **film}, found["user"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["speed", "lab"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of the speed part")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--out", type=Path, default=results.DIRECTORY / "content_lab.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        ours(options.worker, options.epochs, options.seed)
        return 0
    parts = {
        "speed": partial(speed, options.seed, options.epochs, options.runs),
        "lab": partial(lab, options.seed),
    }
    before = json.loads(options.out.read_text(encoding="utf-8"))["results"] if options.out.is_file() else {}
    found = {name: before[name] for name in parts if name in before}
    found |= {name: part() for name, part in parts.items() if options.only in (None, name)}
    tables = {"speed": speed_table(found["speed"])} if "speed" in found else {}
    if "lab" in found:
        tables |= {"lab": lab_table_of(found["lab"]), **shown_tables(found["lab"]["shown"])}
    data_hash = sl.datasets.movielens_small().fingerprint
    payload = {**found, "course": COURSE, "tables": tables}
    print(results.write("content_lab", payload, data_hash=data_hash, seed=options.seed, path=options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
