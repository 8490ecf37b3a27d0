"""Bought within 30 days: DeepFM and FactorizationMachine beside simple and strong peers, with and without context.

    python benchmarks/bench_purchases.py [--seed 0] [--only MODEL …]

Online retail. At a moment every known customer and every product on sale are a candidate; the label says whether the
customer buys the product within the 30 days that follow. Nobody knows what these customers were shown, so this is no
click-through rate: it is P(bought within 30 days | candidate). Candidates without a purchase are sampled at a known
rate and weighed by its inverse, so that the log loss is that of all candidates; the AUC needs no weight, since all of
them are sampled alike.

Test are the candidates of one moment; training those of earlier moments, whose windows have all ended by then.
Parameters are those of the least log loss at a validation moment before the test's, after training on still earlier
ones. Features of customers and products (country, price) are made from what was sold before the first moment of
training. Context is what the purchases up to the moment say of the customer, the product and the two together, and is
cut into tenths as they are in training, one column each, but for the trees, which take numbers. Intervals are
bootstraps over customers (95 %), paired where two models are compared. Predictions are kept in
benchmarks/data/purchases: `--only` measures some models anew, and those without predictions there, and takes the
others from there.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
import results
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import shortlist as sl
from shortlist.data.datasets.online_retail import FILE
from shortlist.data.event_encoder import EventEncoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Predict = Callable[[sl.LabelledCandidates], NDArray[np.floating[Any]]]

TEST = ("2011-11-09",)
VALIDATION = ("2011-10-10",)
EARLIER = ("2011-09-10", "2011-08-11", "2011-07-12")
N_NEGATIVES = 4.0
N_BINS = 10
# Month and weekday are left out: those of the test are not in training.
NUMBERS = (
    "user_events",
    "item_events",
    "pair_events",
    "item_recent_events",
    "user_recency_days",
    "item_recency_days",
    "pair_recency_days",
)
N_BOOTSTRAP = 1000
KEPT = results.DATA / "purchases"


@dataclass(frozen=True)
class Entry:
    """A model by name, how to fit it at a point of its grid, and the points."""

    name: str
    fit: Callable[[sl.LabelledCandidates, Any, int], Predict]
    grid: Sequence[Any]


def retail_before(first: str) -> sl.Dataset:
    """Return the purchases with country and price as the lines before the day `first` say."""
    data = sl.datasets.online_retail()
    with as_file(files("shortlist.data.datasets") / FILE) as path:
        lines = pl.read_parquet(path).filter(pl.col("InvoiceDate") < pl.lit(first).str.to_datetime())
    price = (
        lines.filter(pl.col("UnitPrice") > 0).group_by(id="StockCode").agg(price=pl.col("UnitPrice").median())
    )
    country = lines.drop_nulls("CustomerID").group_by(id=pl.col("CustomerID").cast(pl.Int64))
    country = country.agg(country=pl.col("Country").mode().sort().first().cast(pl.String))
    users = sl.FeatureTable(country, {"country": "categorical"}).align(data.users)
    items = sl.FeatureTable(price.with_columns(pl.col("id").cast(pl.String)), {"price": "numeric"}).align(
        data.items
    )
    return replace(data, user_features=users, item_features=items)


def binned(found: sl.LabelledCandidates, edges: dict[str, NDArray[np.float64]]) -> sl.LabelledCandidates:
    """Return the candidates with each number of the context as the word of its bin."""
    log = found.dataset.interactions
    words = [
        pl.Series(
            name, np.searchsorted(edges[name], log.context[name].fill_null(-1).to_numpy(), "right")
        ).cast(pl.String)
        for name in NUMBERS
    ]
    data = found.dataset.with_interactions(replace(log, context=log.context.with_columns(words)))
    return replace(found, dataset=data)


def bin_edges(found: sl.LabelledCandidates) -> dict[str, NDArray[np.float64]]:
    """Return the distinct tenths of each number of the context; 0, and missing, which is −1, have bins of their own."""
    context = found.dataset.interactions.context
    shares = np.linspace(0, 1, N_BINS + 1)[1:-1]
    tenths = {name: np.quantile(context[name].drop_nulls().to_numpy(), shares) for name in NUMBERS}
    return {name: np.unique(np.concatenate([[0.0, 1e-9], edges])) for name, edges in tenths.items()}


def popularity(train: sl.LabelledCandidates, shrinkage: float, _seed: int) -> Predict:
    """Return the product's own rate of purchase among all candidates, shrunk to the rate of all products."""
    log = train.dataset.interactions
    ones = np.bincount(log.item_idx, train.labels, log.n_items)
    all_of = np.bincount(log.item_idx, train.weights, log.n_items)
    rate = ones.sum() / all_of.sum()
    own = (ones + shrinkage * rate) / (all_of + shrinkage)
    return lambda found: own[found.dataset.interactions.item_idx]


def logistic_regression(*, context: bool) -> Callable[[sl.LabelledCandidates, Any, int], Predict]:
    """Return the fit of a logistic regression on the columns that the factorisation machines have."""

    def fit(train: sl.LabelledCandidates, point: tuple[bool, float], _seed: int) -> Predict:
        user_ids, strength = point
        columns = NUMBERS if context else ()
        encoder = EventEncoder.fit(train.dataset, user_ids=user_ids, context_columns=columns)
        model = LogisticRegression(C=strength, max_iter=300).fit(encoded(encoder, train), train.labels)
        return lambda found: found.probabilities(model.predict_proba(encoded(encoder, found))[:, 1])

    return fit


def encoded(encoder: EventEncoder, found: sl.LabelledCandidates) -> Any:
    """Return the row of columns of each candidate."""
    data, log = found.dataset, found.dataset.interactions
    users = encoder.user_rows(data.users, data.user_features)[log.user_idx]
    items = encoder.item_rows(data.items, data.item_features)[log.item_idx]
    return users + items + encoder.context_rows(log.context, len(log))


def trees(train: sl.LabelledCandidates, point: tuple[float, int], seed: int) -> Predict:
    """Return gradient-boosted trees on the numbers of the context, country and price."""
    rate, leaves = point
    columns = numbers(train)
    model = HistGradientBoostingClassifier(
        learning_rate=rate, max_leaf_nodes=leaves, max_iter=300, early_stopping=True, random_state=seed
    ).fit(columns, train.labels)
    return lambda found: found.probabilities(model.predict_proba(numbers(found))[:, 1])


def numbers(found: sl.LabelledCandidates) -> NDArray[np.float64]:
    """Return the numbers that trees take, NaN where missing; a country is 1 where it is the United Kingdom."""
    data, log = found.dataset, found.dataset.interactions
    british = (
        (data.user_features.frame["country"] == "United Kingdom")
        .cast(pl.Float64)
        .fill_null(np.nan)
        .to_numpy()
    )
    price = data.item_features.frame["price"].fill_null(np.nan).to_numpy()
    context = log.context.select(pl.col(NUMBERS).fill_null(np.nan)).to_numpy()
    return np.column_stack([context, british[log.user_idx], price[log.item_idx]])


class Shape(NamedTuple):
    """A point of a grid: whether customers have an embedding of their own, its length, the penalty, the epochs."""

    user_ids: bool
    dim: int
    reg: float
    n_epochs: int
    layers: tuple[int, ...] = ()


def deep_fm(*, context: bool) -> Callable[[sl.LabelledCandidates, Any, int], Predict]:
    """Return the fit of a DeepFM."""

    def fit(train: sl.LabelledCandidates, shape: Shape, seed: int) -> Predict:
        model = sl.DeepFM(
            shape.dim,
            shape.layers,
            user_ids=shape.user_ids,
            context=NUMBERS if context else (),
            reg=shape.reg,
            n_epochs=shape.n_epochs,
            batch_size=2048,
            patience=None,
        ).fit(train.dataset, rng=seed)
        return lambda found: found.probabilities(model.predict_events(found.dataset))

    return fit


def machine(*, context: bool) -> Callable[[sl.LabelledCandidates, Any, int], Predict]:
    """Return the fit of a factorisation machine."""

    def fit(train: sl.LabelledCandidates, shape: Shape, seed: int) -> Predict:
        model = sl.FactorizationMachine(
            shape.dim,
            user_ids=shape.user_ids,
            context=NUMBERS if context else (),
            solver="adagrad",
            reg=shape.reg,
            n_epochs=shape.n_epochs,
        ).fit(train.dataset, rng=seed)
        return lambda found: found.probabilities(model.predict_events(found.dataset))

    return fit


# How many epochs is a parameter, since held-out rows of the same windows cannot tell when to stop: an id that has
# learned who bought in a window is right about those, too.
DEEP_GRID = (
    Shape(True, 2, 0.3, 1, (8,)),
    Shape(True, 2, 1.0, 1, (8,)),
    Shape(True, 4, 1.0, 1, (16,)),
    Shape(False, 16, 0.03, 2, (64, 32)),
    Shape(False, 16, 0.1, 3, (64, 32)),
    Shape(False, 8, 0.1, 3, (16,)),
)
MACHINE_GRID = (
    Shape(True, 2, 0.1, 1),
    Shape(True, 2, 0.3, 3),
    Shape(True, 8, 0.3, 3),
    Shape(False, 8, 0.005, 3),
    Shape(False, 8, 0.02, 10),
    Shape(False, 8, 0.3, 10),
)
REGRESSION_GRID = ((True, 0.003), (True, 0.01), (True, 0.1), (True, 0.3), (False, 0.01), (False, 0.1))
TREES = "gradient-boosted trees, context"
ENTRIES = (
    Entry("popularity", popularity, (100.0, 1000.0, 10_000.0)),
    Entry("logistic regression", logistic_regression(context=False), REGRESSION_GRID),
    Entry("FactorizationMachine", machine(context=False), MACHINE_GRID),
    Entry("DeepFM", deep_fm(context=False), DEEP_GRID),
    Entry(TREES, trees, ((0.03, 15), (0.05, 15), (0.05, 31), (0.1, 31))),
    Entry("logistic regression, context", logistic_regression(context=True), REGRESSION_GRID),
    Entry("FactorizationMachine, context", machine(context=True), MACHINE_GRID),
    Entry("DeepFM, context", deep_fm(context=True), DEEP_GRID),
)
CONTRASTS = (
    ("DeepFM, context", "DeepFM"),
    ("FactorizationMachine, context", "FactorizationMachine"),
    ("DeepFM, context", "FactorizationMachine, context"),
    ("DeepFM", "FactorizationMachine"),
    ("DeepFM, context", TREES),
    ("DeepFM, context", "logistic regression, context"),
    ("DeepFM", "popularity"),
)


@dataclass(frozen=True, eq=False)
class Task:
    """Candidates to fit on and to measure on, with the context as numbers and in words."""

    train: sl.LabelledCandidates
    test: sl.LabelledCandidates

    @classmethod
    def of(cls, data: sl.Dataset, train: Sequence[str], test: Sequence[str], seed: int) -> Task:
        """Return the candidates at the moments `train` and `test`."""
        fit, measured = (
            sl.labelled_candidates(data, list(at), n_negatives=N_NEGATIVES, rng=seed + n)
            for n, at in enumerate((train, test))
        )
        assert fit.precedes(measured)
        return cls(fit, measured)

    def for_model(self, name: str) -> Task:
        """Return the candidates as the model takes them."""
        if name == TREES:
            return self
        edges = bin_edges(self.train)
        return Task(binned(self.train, edges), binned(self.test, edges))


def loss_of(found: sl.LabelledCandidates, predicted: NDArray[np.floating[Any]]) -> float:
    """Return the log loss of all candidates."""
    return sl.metrics.log_loss(found.labels, predicted, found.weights)


def measured(
    entry: Entry, validation: Task, final: Task, seed: int
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Return the predictions of the test candidates by the point that is best for validation, and how it went."""
    own, losses = validation.for_model(entry.name), []
    for point in entry.grid:
        losses.append(loss_of(own.test, entry.fit(own.train, point, seed)(own.test)))
        print(entry.name, point, f"{losses[-1]:.6f}", flush=True)
    best = entry.grid[int(np.argmin(losses))]
    own, began = final.for_model(entry.name), time.perf_counter()
    predict = entry.fit(own.train, best, seed)
    took = time.perf_counter() - began
    predicted = np.asarray(predict(own.test), np.float64)
    print(entry.name, best, f"test {loss_of(own.test, predicted):.6f}, fitted in {took:.1f} s", flush=True)
    return predicted, {"chosen": best, "validation_losses": losses, "fit_s": took}


def cells(draws: NDArray[np.float64], point: float) -> list[float]:
    """Return a figure and the ends of its interval."""
    return list(sl.metrics.percentile_interval(point, draws))


class Measures:
    """AUC and log loss of each model on the test candidates, with the same resamples of customers."""

    def __init__(
        self, found: sl.LabelledCandidates, predictions: dict[str, NDArray[np.float64]], seed: int
    ) -> None:
        log = found.dataset.interactions
        users, owner = np.unique(log.user_idx, return_inverse=True)
        resampler = sl.metrics.Resampler(users.size, N_BOOTSTRAP, rng=seed)
        self.points, self.draws = {}, {}
        for name, predicted in predictions.items():
            within, _ = sl.metrics.auc_of_users(found.labels, predicted, owner)
            self.points[name] = (
                sl.metrics.auc(found.labels, predicted),
                loss_of(found, predicted),
                float(within.mean()),
            )
            self.draws[name] = (
                sl.metrics.auc_draws(found.labels, predicted, owner, resampler=resampler),
                sl.metrics.log_loss_draws(found.labels, predicted, owner, found.weights, resampler=resampler),
            )
            print(name, *(f"{point:.5f}" for point in self.points[name]), flush=True)

    def row(self, name: str) -> list[Any]:
        """Return the cells of one model."""
        area, loss, within = self.points[name]
        areas, losses = self.draws[name]
        return [name, *cells(areas, area), *cells(losses, loss), within]

    def difference(self, name: str, other: str) -> list[Any]:
        """Return the cells of a comparison."""
        pairs = zip(self.draws[name], self.draws[other], self.points[name], self.points[other], strict=False)
        both = [cells(one - two, first - second) for one, two, first, second in pairs]
        return [f"{name} − {other}", *both[0], *both[1]]


def main() -> None:
    """Print the figures and write benchmarks/results/purchases.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=None, help="names of the models to measure anew")
    options = parser.parse_args()
    data = retail_before(EARLIER[-1])
    final = Task.of(data, (*VALIDATION, *EARLIER[:-1]), TEST, options.seed)
    validation = Task.of(data, EARLIER, VALIDATION, options.seed)
    print(final.train.to_text(), final.test.to_text(), sep="\n", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    predictions, fits = {}, {}
    for entry in ENTRIES:
        kept = KEPT / f"{entry.name.replace(' ', '_')}_{final.test.dataset.fingerprint[:12]}.npy"
        if options.only is None or entry.name in options.only or not kept.is_file():
            predicted, how = measured(entry, validation, final, options.seed)
            np.save(kept, predicted)
            kept.with_suffix(".json").write_text(json.dumps(how) + "\n", encoding="utf-8")
        predictions[entry.name] = np.load(kept)
        fits[entry.name] = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
    found = Measures(final.test, predictions, options.seed)
    ends = {"from": ".4f", "to": ".4f"}
    columns = {
        "": "",
        "AUC": ".4f",
        **ends,
        "log loss": ".5f",
        "from ": ".5f",
        "to ": ".5f",
        "AUC within a customer": ".4f",
    }
    differences = {
        "": "",
        "AUC": "+.4f",
        "from": "+.4f",
        "to": "+.4f",
        "log loss": "+.5f",
        "from ": "+.5f",
        "to ": "+.5f",
    }
    payload = {
        "tables": {
            "models": results.table(columns, [found.row(name) for name in predictions]),
            "contrasts": results.table(differences, [found.difference(*pair) for pair in CONTRASTS]),
        },
        "train": final.train.to_text(),
        "test": final.test.to_text(),
        "rate": float(final.test.n_ones / final.test.n_candidates),
        "sampling_rate": float(final.test.sampling_rate[0]),
        "fits": fits,
    }
    results.write("purchases", payload, data_hash=data.fingerprint, seed=options.seed)


if __name__ == "__main__":
    main()
