"""Cold starts: users and items of whom training knows no event.

    python benchmarks/bench_cold_start.py [--only films | products | people] [--splits 5] [--seed 0]

`films`: MovieLens small, a tenth of the users and a quarter of the films hidden (`split.hide`). Films with features
only and with a category only, for users with a past: NDCG@10 of each user's likes among the hidden films alone, and of
all held-out likes over the whole catalogue, where warm and cold films compete.
`products`: the same on online retail, whose products have a description and a price and no category.
`people`: the hidden users. MovieLens: with nothing, and with their answers to a questionnaire of 10 films; users have
no features there. Online retail: with nothing, and with their country.

Parameters are chosen on a validation part, cut off the training part of each split by the same rule, by NDCG@10 among
the hidden items there; how much a mapping is boosted by NDCG@10 over the whole catalogue there. Every figure is a mean
over users, of the mean over the splits that have one; intervals are paired bootstraps over users (95 %), which the draw
of the items is not part of.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import results
from cold_measures import (
    K,
    PerUser,
    best,
    in_random_order,
    in_random_order_within_genres,
    lists_of,
    quality,
    wanted,
)

import shortlist as sl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shortlist.data.split import HiddenSplit

PARTS = ("films", "products", "people")
USERS, ITEMS, LATER = 0.1, 0.25, 0.2
CHANCE, CATEGORY, CONTENT = "in random order", "at random within genres the user likes", "ContentBased"
WARM_ONLY = "WALS, which lists no cold item"
BOOSTED = "FeatureMapping, boosted"
BOOSTS = (1.0, 1.5, 2.0, 3.0, 5.0)
N_QUESTIONS = 10


def wals(**given: Any) -> sl.WALS:
    """Return the factorisation that all mappings start from."""
    return sl.WALS(**{"dim": 64, "unobserved_weight": 0.1, "reg": 0.03, "n_epochs": 8, **given})


def mapping(columns: list[str] | None, penalty: float, **given: Any) -> sl.FeatureMapping:
    """Return WALS whose cold items stand where a regression on `columns` puts them."""
    return sl.FeatureMapping({"taste": wals(**given)}, columns=columns, reg=penalty)


def boosted(columns: list[str] | None, penalty: float, boost: float, **given: Any) -> sl.FeatureMapping:
    """Return a mapping that gives new items more places beside the others."""
    return sl.FeatureMapping({"taste": wals(**given)}, columns=columns, reg=penalty, boost=boost)


def towers(columns: list[str], text: str, n_epochs: int, temperature: float) -> sl.TwoTower:
    """Return two towers: the user's id; the item's features, the text by 64 singular vectors, and no id of it."""
    return sl.TwoTower(
        (128, 64),
        loss="softmax",
        user_features=False,
        item_features=columns,
        encode={text: {"as": "svd", "dim": 64}},
        item_ids=False,
        id_dim=64,
        id_dropout=0.0,
        temperature=temperature,
        batch_size=512,
        n_epochs=n_epochs,
        patience=None,
        validation_share=0.0,
        device="cpu",
    )


def machine(columns: list[str]) -> sl.FactorizationMachine:
    """Return a factorisation machine of user ids and item features."""
    return sl.FactorizationMachine(8, item_columns=columns, n_epochs=60, n_kept=20)


def film_models() -> dict[str, dict[str, Any]]:
    """Return the models for films: name in the table → points to choose from, each a name and a maker."""
    content = {
        "genres": ["genres"],
        "genres, year": ["genres", "year"],
        "genres, title": ["genres", "title"],
        "all": None,
    }
    return {
        CONTENT: {name: partial(sl.ContentBased, columns) for name, columns in content.items()},
        "LinearOnFeatures": {
            f"reg={reg}": partial(sl.LinearOnFeatures, ["genres", "year"], reg=reg) for reg in (10.0, 100.0)
        },
        WARM_ONLY: {"": wals},
        "WALS, cold_items_like genres (category only)": {"genres": partial(wals, cold_items_like="genres")},
        "FeatureMapping of genres (category only)": {
            f"reg={reg}": partial(mapping, ["genres"], reg) for reg in (3.0, 30.0)
        },
        "WALS, item_features": {
            f"{'+'.join(columns)}, weight {weight:g}": partial(
                wals, item_features=columns, feature_weight=weight
            )
            for columns in (["genres"], ["genres", "year"])
            for weight in (0.1, 1.0, 10.0)
        },
        "FactorizationMachine": {"genres+year": partial(machine, ["genres", "year"])},
        "TwoTower": {
            f"temperature={t}": partial(towers, ["genres", "year", "title"], "title", 20, t)
            for t in (0.1, 0.2)
        },
        "FeatureMapping": {
            f"{name}, reg={reg:g}": partial(mapping, columns, reg)
            for name, columns in {"genres+title": ["genres", "title"], "all": None}.items()
            for reg in (3.0, 10.0)
        },
        BOOSTED: {f"boost={boost:g}": partial(boosted, None, 10.0, boost) for boost in BOOSTS},
    }


def product_models() -> dict[str, dict[str, Any]]:
    """Return the models for products."""
    text = ["description"]
    return {
        CONTENT: {"description": partial(sl.ContentBased, text), "all": partial(sl.ContentBased, None)},
        WARM_ONLY: {"": wals},
        "WALS, item_features": {
            f"weight {weight:g}": partial(wals, item_features=text, feature_weight=weight)
            for weight in (0.1, 1.0, 10.0)
        },
        "TwoTower": {
            f"temperature={t}": partial(towers, ["description", "price"], "description", 5, t)
            for t in (0.1, 0.2)
        },
        "FeatureMapping": {
            f"WALS of dim {dim}, reg={reg:g}": partial(mapping, text, 1.0, dim=dim, reg=reg)
            for dim in (64, 256)
            for reg in (0.003, 0.01, 0.03)
        },
        BOOSTED: {
            f"boost={boost:g}": partial(boosted, text, 1.0, boost, dim=256, reg=0.01) for boost in BOOSTS
        },
    }


def as_likes(data: sl.Dataset) -> sl.Dataset:
    """Return the positive events alone, each of value 1: what a model that predicts ratings ranks by otherwise."""
    log = data.interactions
    liked = log.where(log.positive)
    events = sl.Interactions.of(
        liked.user_idx,
        liked.item_idx,
        np.ones(len(liked)),
        liked.timestamp,
        log.n_users,
        log.n_items,
        sl.Feedback.events(),
    )
    return data.with_interactions(events)


def fitted(make: Any, train: sl.Dataset, seed: int) -> Any:
    """Return the fitted model; a factorisation machine is one of likes."""
    model = make()
    return model.fit(as_likes(train) if isinstance(model, sl.FactorizationMachine) else train, rng=seed)


def among_cold(parts: HiddenSplit, model: Any) -> tuple[Any, np.ndarray]:
    """Return whose likes are among the hidden items, of users with a past, and NDCG@10 of lists of these items."""
    truth = wanted(parts.test, ~parts.hidden_users, parts.hidden_items)
    items = np.flatnonzero(parts.hidden_items)
    return truth, quality(lists_of(model, parts.train, truth.users, items), truth)


def in_whole_catalogue(parts: HiddenSplit, model: Any) -> tuple[Any, np.ndarray]:
    """Return what users with a past like in the test part, and NDCG@10 of lists of the whole catalogue."""
    truth = wanted(parts.test, ~parts.hidden_users)
    return truth, quality(lists_of(model, parts.train, truth.users), truth)


def chosen_models(
    models: Mapping[str, Mapping[str, Any]], train: sl.Dataset, seed: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return for each model its best maker by validation within `train`, and the name of the point."""
    inner = sl.split.hide(train, 0.0, ITEMS, LATER, rng=seed + 1000)
    makers, names = {}, {}
    for name, points in models.items():
        at = next(iter(points))
        if len(points) > 1:
            measure = in_whole_catalogue if name == BOOSTED else among_cold
            at, _ = best(
                points,
                lambda make, measure=measure: float(
                    measure(inner, fitted(make, inner.train, seed))[1].mean()
                ),
                name,
            )
        makers[name], names[name] = points[at], at
    return makers, names


class Found:
    """What all splits found: NDCG among cold items and over the whole catalogue, and what was chosen."""

    def __init__(self) -> None:
        self.cold, self.together = PerUser(), PerUser()
        self.shares: dict[str, list[float]] = {}
        self.chosen: list[dict[str, str]] = []

    def take_up(self, parts: HiddenSplit, models: Mapping[str, Any], category: str | None, seed: int) -> None:
        """Measure one split."""
        makers, names = chosen_models(models, parts.train, seed)
        self.chosen.append(names)
        truth = wanted(parts.test, ~parts.hidden_users, parts.hidden_items)
        items, rng = np.flatnonzero(parts.hidden_items), np.random.default_rng(seed)
        self.cold.add(CHANCE, truth.users, quality(in_random_order(truth.users, items, rng), truth))
        if category is not None:
            lists = in_random_order_within_genres(parts.train, truth.users, items, category, rng)
            self.cold.add(CATEGORY, truth.users, quality(lists, truth))
        self._in_whole_catalogue("Popularity", sl.Popularity().fit(parts.train), parts)
        for name, make in makers.items():
            model = fitted(make, parts.train, seed)
            self.cold.add(name, truth.users, among_cold(parts, model)[1])
            self._in_whole_catalogue(name, model, parts)
            print(seed, name, names[name], round(float(self.cold.values(name).mean()), 4), flush=True)

    def _in_whole_catalogue(self, name: str, model: Any, parts: HiddenSplit) -> None:
        truth = wanted(parts.test, ~parts.hidden_users)
        lists = lists_of(model, parts.train, truth.users)
        self.together.add(name, truth.users, quality(lists, truth))
        self.shares.setdefault(name, []).append(float(parts.hidden_items[lists[lists >= 0]].mean()))


def measure_items(
    data: sl.Dataset, models: Mapping[str, Mapping[str, Any]], category: str | None, seeds: list[int]
) -> dict[str, Any]:
    """Return the tables of cold items."""
    found = Found()
    for seed in seeds:
        found.take_up(sl.split.hide(data, USERS, ITEMS, LATER, rng=seed), models, category, seed)
    return {
        "tables": {"cold": table_of_cold(found.cold, category), "together": table_of_all(found)},
        "chosen": found.chosen,
        "users": int(found.cold.values(CONTENT).size),
    }


def table_of_cold(cold: PerUser, category: str | None) -> dict[str, Any]:
    """Return the table of lists of cold items alone."""
    columns = {"model": "", f"NDCG@{K}": ".4f", "from": ".4f", "to": ".4f"}
    columns |= {"minus ContentBased": "+.4f", "from ": "+.4f", "to ": "+.4f"}
    others = [CONTENT]
    if category is not None:
        columns |= {"minus random within genres": "+.4f", "from  ": "+.4f", "to  ": "+.4f"}
        others.append(CATEGORY)
    rows = [
        [name, *cold.interval(name), *(x for other in others for x in difference(cold, name, other))]
        for name in cold.names
    ]
    return results.table(columns, rows)


def table_of_all(found: Found) -> dict[str, Any]:
    """Return the table of lists of warm and cold items together."""
    columns = {"model": "", f"NDCG@{K}": ".4f", "from": ".4f", "to": ".4f"}
    columns |= {"minus Popularity": "+.4f", "from ": "+.4f", "to ": "+.4f"}
    of = found.together
    rows = [
        [name, *of.interval(name), *difference(of, name, "Popularity"), float(np.mean(found.shares[name]))]
        for name in of.names
    ]
    return results.table(columns | {"cold items on the lists": ".1%"}, rows)


def difference(values: PerUser, name: str, baseline: str) -> list[float | None]:
    """Return the difference from the baseline and its interval, nothing for the baseline itself."""
    return [None] * 3 if name == baseline else list(values.interval(name, baseline))


def measure_people(seeds: list[int]) -> dict[str, Any]:
    """Return the table of hidden users: with nothing, with answers, with features."""
    films, products = PerUser(), PerUser()
    for seed in seeds:
        with_answers(films, seed)
        with_features(products, seed)
        print(seed, films.interval("WALS, folded in"), products.interval("Popularity"), flush=True)
    columns = {"data": "", "what is known of the user": "", "model": "", f"NDCG@{K}": ".4f"}
    columns |= {
        "from": ".4f",
        "to": ".4f",
        "minus Popularity": "+.4f",
        "from ": "+.4f",
        "to ": "+.4f",
    }
    known = {"Popularity": "nothing"}
    rows = [
        [data, known.get(name, what), name, *of.interval(name), *difference(of, name, "Popularity")]
        for data, what, of in (
            ("MovieLens small", f"answers about {N_QUESTIONS} films", films),
            ("online retail", "country", products),
        )
        for name in of.names
    ]
    return {"tables": {"lists": results.table(columns, rows)}}


def with_answers(found: PerUser, seed: int) -> None:
    """Take up the lists of new users who answered about the films of a questionnaire."""
    data = sl.datasets.movielens_small()
    parts = sl.split.hide(data, 0.25, 0, LATER, rng=seed)
    known, rest = parts.answers()
    truth = wanted(rest, parts.hidden_users)
    asked = sl.onboarding_items(parts.train, N_QUESTIONS, by="popularity").item_ids
    log = known.interactions
    about = np.isin(log.item_idx, data.items.index_of(asked))
    answers = known.with_interactions(log.where(about))
    found.add(
        "Popularity",
        truth.users,
        quality(lists_of(sl.Popularity().fit(parts.train), data, truth.users), truth),
    )
    for name, model in {
        "ContentBased, folded in": sl.ContentBased(),
        "WALS, folded in": wals(dim=32),
    }.items():
        folded = model.fit(parts.train, rng=seed).fold_in_users(answers)
        shown = model.recommend(folded.take(truth.users), K, on_unknown="fallback")
        found.add(name, truth.users, quality(shown.lists.padded(K), truth))


def with_features(found: PerUser, seed: int) -> None:
    """Take up the lists of new customers of whom the country is known."""
    data = sl.datasets.online_retail()
    parts = sl.split.hide(data, 0.25, 0, LATER, rng=seed)
    truth = wanted(parts.test, parts.hidden_users)
    models = {
        "Popularity": sl.Popularity(),
        "WALS, user_features": wals(dim=32, user_features=["country"]),
        "FeatureMapping": sl.FeatureMapping(
            {"taste": wals(dim=32)}, columns=[], user_columns=["country"], user_reg=30.0
        ),
    }
    for name, model in models.items():
        lists = lists_of(model.fit(parts.train, rng=seed), data, truth.users)
        found.add(name, truth.users, quality(lists, truth))


def main() -> None:
    """Measure the parts asked for, keep the others, and write benchmarks/results/cold_start.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seeds = [options.seed + n for n in range(options.splits)]
    films, products = sl.datasets.movielens_small(), sl.datasets.online_retail()
    sources = {"films": (films, film_models(), "genres"), "products": (products, product_models(), None)}
    for part in PARTS if options.only is None else (options.only,):
        found = measure_people(seeds) if part == "people" else measure_items(*sources[part], seeds)
        # Read only now, so that another part may have been measured meanwhile.
        payload = kept()
        payload["tables"] |= {f"{part}_{name}": table for name, table in found.pop("tables").items()}
        payload[part] = {**found, "splits": options.splits}
        hashes = f"{films.fingerprint}, {products.fingerprint}"
        results.write("cold_start", payload, data_hash=hashes, seed=options.seed)


def kept() -> dict[str, Any]:
    """Return the results of the parts that were measured before."""
    path = results.DIRECTORY / "cold_start.json"
    if not path.is_file():
        return {"tables": {}}
    payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return payload


if __name__ == "__main__":
    main()
