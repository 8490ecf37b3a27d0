"""What the unobserved are worth to a weighted factorisation, how its solvers descend, and what features give newcomers.

    python benchmarks/bench_weighted.py [--seed 0]

On MovieLens small, films liked from 4 stars on, the last fifth of each person's ratings held out for NDCG@10:

- unobserved: the mean score of liked pairs and of pairs nobody touched, by the weight w0 of the latter. With none (and
  for a MatrixFactorization that is shown nothing but likes) all scores go to 1
- solvers: how far J is from the least value found, as a share of it, after some epochs of each solver
- new_films: films that were left out of the fit, placed by their genres, by the mean of their genres' films, by three
  of their likes, and by likes and genres: the share of pairs (liked, rated but not liked) scored in the right order
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import results

import shortlist as sl
from shortlist.data.feedback import Feedback
from shortlist.models.weighted_squares import Observed, objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

WEIGHTS = (0.0, 0.001, 0.01, 0.1, 1.0)
EPOCHS = (1, 3, 6, 12, 24)
DIM = 32
N_PAIRS = 200_000
FEW = 3  # likes of a new film


def liked_only(data: Dataset) -> Dataset:
    """Return the likes of `data` as ratings that are all 1: what a model that sees nothing else is shown."""
    log = data.interactions
    likes = replace(log.where(log.positive), feedback=Feedback.ratings(0, 1, positive_from=1))
    return data.with_interactions(replace(likes, value=np.ones(len(likes), np.float32)))


def mean_scores(model: sl.Model, train: Dataset, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the mean score of liked and of untouched pairs, and the share of the latter above 0.9."""
    log = train.interactions
    likes = log.matrix("last")
    likes.data = log.feedback.is_positive(likes.data).astype(np.float32)
    likes.eliminate_zeros()
    users, items = np.flatnonzero(model.known_users_), np.flatnonzero(model.known_items_)
    user_idx, item_idx = (rng.choice(side, N_PAIRS).astype(np.int32) for side in (users, items))
    untouched = np.asarray(log.matrix("count")[user_idx, item_idx]).ravel() == 0
    row, column = (side.astype(np.int32) for side in likes.nonzero())
    both = [
        model.score_pairs(row, column),
        model.score_pairs(user_idx[untouched], item_idx[untouched]),
    ]
    return float(both[0].mean()), float(both[1].mean()), float((both[1] > 0.9).mean())


def unobserved(parts: sl.split.Split, seed: int) -> dict[str, Any]:
    """Return the table of what w0 does, with MatrixFactorization and PureSVD beside it."""
    candidates: dict[str, tuple[sl.Model, Dataset]] = {
        "MatrixFactorization, likes only": (
            sl.MatrixFactorization(DIM, mean_shrinkage=0.0, min_ratings=1),
            liked_only(parts.train),
        )
    }
    candidates |= {f"WALS, w0 = {w0:g}": (sl.WALS(DIM, unobserved_weight=w0), parts.train) for w0 in WEIGHTS}
    candidates["PureSVD"] = (sl.PureSVD(DIM), parts.train)
    rows = []
    for name, (model, data) in candidates.items():
        model.fit(data, rng=seed)
        found = (
            sl.evaluate(model, parts.train, parts.test, k=10, n_bootstrap=0) if data is parts.train else None
        )
        quality = None if found is None else found.result("ndcg").value
        rows.append([name, *mean_scores(model, parts.train, np.random.default_rng(seed)), quality])
        print(rows[-1], flush=True)
    columns = {
        "model": "",
        "mean score, liked": ".2f",
        "untouched": ".2f",
        "untouched above 0.9": ".1%",
        "NDCG@10": ".4f",
    }
    return results.table(columns, rows)


def solvers(train: Dataset, seed: int) -> dict[str, Any]:
    """Return the table of J above the least value found, by solver and epoch."""
    likes = train.interactions.where(train.interactions.positive).matrix("count")
    likes.data[:] = 1
    pairs = Observed.of(likes)
    found: dict[str, list[float]] = {}
    for solver in ("exact", "cg", "gravity", "sgd"):
        curve: list[float] = []

        def watch(epoch: Any, curve: list[float] = curve) -> None:
            model = epoch.model
            curve.append(objective(pairs, model.user_factors_, model.item_factors_, model.loss))

        n_epochs = max(EPOCHS)
        sl.WALS(DIM, solver=solver, n_epochs=n_epochs).fit(train, rng=seed, on_epoch=watch)
        found[solver] = curve
    least = min(min(curve) for curve in found.values())
    rows = [[solver, *(curve[n - 1] / least - 1 for n in EPOCHS)] for solver, curve in found.items()]
    for row in rows:
        print(row, flush=True)
    return results.table({"solver": ""} | {f"epoch {n}": ".2%" for n in EPOCHS}, rows)


def new_films(data: Dataset, seed: int) -> dict[str, Any]:
    """Return the table of how well films that were left out are placed."""
    rng, log = np.random.default_rng(seed), data.interactions
    likes = np.bincount(log.item_idx[log.positive], minlength=log.n_items)
    held = rng.permutation(np.flatnonzero(likes >= 10))[:300]
    is_held = np.isin(np.arange(log.n_items), held)
    warm = data.with_interactions(log.where(~is_held[log.item_idx]))
    of_held = log.where(is_held[log.item_idx])
    # Three likes of each, drawn at random, are what is known of it; the others are to be told.
    order = rng.permutation(np.flatnonzero(of_held.positive))
    order = order[np.argsort(of_held.item_idx[order], kind="stable")]
    first = np.flatnonzero(np.diff(of_held.item_idx[order], prepend=-1))
    place = np.arange(order.size) - np.repeat(first, np.diff(np.r_[first, order.size]))
    given = np.zeros(len(of_held), bool)
    given[order[place < FEW]] = True
    known, told = data.with_interactions(of_held.where(given)), of_held.where(~given)
    plain = sl.WALS(DIM, cold_items_like="genres").fit(warm, rng=seed)
    with_genres = sl.WALS(DIM, item_features=["genres"], feature_weight=10.0).fit(warm, rng=seed)
    genres = data.item_features
    nothing = data.with_interactions(log.where(np.zeros(len(log), bool)))
    ways = {
        "its genres": (with_genres, with_genres.fold_in_items(nothing, features=genres)),
        "the mean of its genres' films": (plain, plain.item_vectors_like("genres", genres)),
        "three likes": (plain, plain.fold_in_items(replace(known, item_features=None))),
        "three likes and its genres": (with_genres, with_genres.fold_in_items(known, features=genres)),
    }
    rows = []
    for name, (model, placed) in ways.items():
        scores = np.einsum("ef,ef->e", model.user_factors_[told.user_idx], placed.vectors[told.item_idx])
        rows.append([name, ordered(scores, told.positive, told.user_idx)])
        print(rows[-1], flush=True)
    return results.table({"what is known of a film": "", "pairs in the right order": ".3f"}, rows)


def ordered(scores: NDArray[np.float64], liked: NDArray[np.bool_], user_idx: NDArray[np.int32]) -> float:
    """Return the mean over people of the share of (liked, not liked) pairs of films that are scored in that order."""
    shares = []
    for user in np.unique(user_idx):
        mine = user_idx == user
        good, bad = scores[mine & liked], scores[mine & ~liked]
        if good.size and bad.size:
            shares.append((good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean())
    return float(np.mean(shares))


def main() -> None:
    """Print the tables and write them to benchmarks/results/weighted.json."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=0)
    seed = arguments.parse_args().seed
    data = sl.datasets.movielens_small()
    parts = sl.split.leave_last_out(data)
    payload = {
        "tables": {
            "unobserved": unobserved(parts, seed),
            "solvers": solvers(parts.train, seed),
            "new_films": new_films(data, seed),
        }
    }
    results.write("weighted", payload, data_hash=data.fingerprint, seed=seed)


if __name__ == "__main__":
    main()
