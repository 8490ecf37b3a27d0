"""Are explanations by features faithful? The feature they cite is taken out of the tables, and another one, by chance.

MovieLens small: films have genres and a year; where a model has columns of ids, the film itself and the person as such
count as features. For a person and a shown film the cited feature is the one of the largest amount, if that is above 0;
the other one is drawn from those that the film has besides. A film without a feature is a row of a table without the
label or the number, and without itself it is a film of another id with the same features. It is scored by what each
model has for tables: `predict_events`, `fold_in_items`, `map_items`, or a new fit where that changes nothing else
(ContentBased and LinearOnFeatures learn nothing of a film that the person has no event with but its row). An
explanation is faithful where the score falls by more without the cited feature.

Online retail beside it, for features of people: their country, and the price of a product.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import polars as pl
import results
from faithfulness import Cases, row_of
from faithfulness import cases_of as cases_by_history
from scipy import special

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shortlist.models.model import Model

    # Model, data, position of a person, positions of films, what each lacks ("": nothing) → scores float64[m].
    Score = Callable[[Any, Dataset, int, NDArray[np.int32], Sequence[str]], NDArray[np.float64]]

COLUMNS = ["genres", "year"]
SHOWN = 5
ITEM, YOU = "the item itself", "you yourself"
NOBODY = -1
UNSEEN: dict[str, int | str] = {ITEM: "never sold", YOU: NOBODY}
HIDDEN_FILMS = 0.25


class Explained(NamedTuple):
    """A model, how films without a feature are scored, the names of its ids, and the data.

    - data: "labels" are made of the ratings: no scale cuts off their probabilities; "new films" have no rating, and
      are what the model is asked about
    - said: what is said of a person and an item, by position
    """

    model: Model
    score: Score
    ids: tuple[str, ...] = ()
    data: Literal["films", "labels", "new films", "purchases"] = "films"
    said: Callable[[Dataset, int, int], list[str]] | None = None


def models() -> dict[str, Explained]:
    """Return the models that explain scores by features."""
    machine = partial(sl.FactorizationMachine, 8, item_columns=COLUMNS)
    towers = sl.TwoTower(
        (64, 32),
        item_features=COLUMNS,
        item_ids=False,
        n_epochs=8,
        patience=None,
        validation_share=0.0,
        device="cpu",
    )
    deep = sl.DeepFM(8, (32, 16), item_columns=COLUMNS, n_epochs=8, device="cpu")
    bought = sl.FactorizationMachine(
        8, solver="adagrad", n_epochs=5, user_columns=["country"], item_columns=["price"]
    )
    content, linear = sl.ContentBased(COLUMNS), sl.LinearOnFeatures(COLUMNS)
    mapping = sl.FeatureMapping({"taste": sl.WALS(32, n_epochs=8)}, columns=COLUMNS)
    blend = sl.Blend({"content": content, "linear": linear}, weights={"content": 1.0, "linear": 1.0})
    return {
        "FactorizationMachine": Explained(machine(n_epochs=60, n_kept=20), by_events, (ITEM, YOU)),
        "FactorizationMachine, adagrad": Explained(machine(solver="adagrad"), by_events, (ITEM, YOU)),
        "DeepFM, labels": Explained(deep, by_events, (ITEM, YOU), "labels"),
        "TwoTower": Explained(towers, by_vectors, (YOU,)),
        "FeatureMapping, of films without ratings": Explained(mapping, by_vectors, data="new films"),
        "ContentBased": Explained(content, by_fit),
        "ContentBased, by ratings": Explained(sl.ContentBased(COLUMNS, weigh="rating"), by_fit),
        "LinearOnFeatures": Explained(linear, by_fit),
        "Blend of ContentBased and LinearOnFeatures": Explained(blend, by_fit),
        "FactorizationMachine, purchases": Explained(
            bought, by_single_events, (ITEM, YOU), "purchases", said_of_purchase
        ),
    }


def nets() -> dict[str, Model]:
    """Return nets that go by the history, whose items are what is taken away."""
    return {
        "SoftmaxNet, items of the history": sl.SoftmaxNet(n_epochs=20, device="cpu"),
        "SoftmaxNet of two layers, items of the history": sl.SoftmaxNet(
            32, layers=(64,), n_epochs=20, device="cpu"
        ),
    }


def features(n_people: int, seed: int) -> dict[str, Any]:
    """Return the table of all models that explain by features."""
    whole = sl.datasets.movielens_small()
    of = {
        "films": whole,
        "labels": labelled(whole),
        "new films": sl.split.hide(whole, users=0.0, items=HIDDEN_FILMS, rng=seed).train,
        "purchases": sl.datasets.online_retail(),
    }
    rng = np.random.default_rng(seed)
    rows = []
    for name, explained in models().items():
        data = of[explained.data]
        model = explained.model.fit(data, rng=seed)
        known = np.flatnonzero(model.known_users_)
        users = np.sort(rng.choice(known, min(n_people, known.size), replace=False))
        found = row_of(name, cases_of(explained, data, users, rng), seed)
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in found.items()})
        rows.append(found)
    for name, net in nets().items():
        users = np.sort(rng.choice(len(whole.users), min(n_people, len(whole.users)), replace=False))
        cases = cases_by_history(net.fit(whole, rng=seed), users.astype(np.int32), SHOWN, rng)
        rows.append(row_of(name, cases, seed))
        print(
            {key: round(value, 3) if isinstance(value, float) else value for key, value in rows[-1].items()}
        )
    columns = {"model": "", "shown items": ",d", "falls by more": ".3f", "95 % from": ".3f", "to": ".3f"}
    keys = ("model", "cases", "share", "low", "high")
    table = results.table(columns, [[row[key] for key in keys] for row in rows])
    return {"tables": {"features": table}, "rows": rows, "shown": SHOWN}


def cases_of(
    explained: Explained, data: Dataset, users: NDArray[np.int64], rng: np.random.Generator
) -> Cases:
    """Return a case for each person and film shown to them that has two features, one of which speaks for it."""
    model, found, uncited = explained.model, list[tuple[int, float, float]](), 0
    said = explained.said or said_of_film
    cold = np.flatnonzero(np.bincount(data.interactions.item_idx, minlength=len(data.items)) == 0)
    asked = data.items.ids_of(cold.astype(np.int32)).to_list() if explained.data == "new films" else None
    for user in users.tolist():
        request = model.memory_.request(np.array([user], np.int32), SHOWN, Limits(items=asked))
        shown = model.rank(request).item_idx
        parts = model.contributions(request, shown)
        assert parts is not None
        cited, others, kept = [], [], []
        for row, item in enumerate(shown.tolist()):
            best = int(parts.of_features[row].argmax()) if len(parts.features) else 0
            speaks = len(parts.features) > 0 and parts.of_features[row, best] > 0
            present = [*said(data, user, item), *explained.ids]
            if speaks and len(present) > 1:
                cited.append(parts.features[best])
                others.append(str(rng.choice([name for name in present if name != cited[-1]])))
                kept.append(item)
            uncited += not speaks
        if kept:
            items = np.array(kept, np.int32)
            score = partial(explained.score, model, data, user, items)
            with_all = score([""] * len(kept))
            found.extend(
                (user, *drop) for drop in zip(with_all - score(cited), with_all - score(others), strict=True)
            )
    person, of_cited, of_other = (np.array(part) for part in zip(*found, strict=True))
    return Cases(person.astype(np.int64), of_cited, of_other, uncited)


def said_of_film(data: Dataset, _user: int, item: int) -> list[str]:
    """Return the names of the features that a film has."""
    assert data.item_features is not None
    frame = data.item_features.frame
    genres, year = frame["genres"][item], frame["year"][item]
    named = [] if genres is None else [f"genres: {genre}" for genre in genres]
    return named if year is None else [*named, f"year {year:.0f}"]


def said_of_purchase(data: Dataset, user: int, item: int) -> list[str]:
    """Return the names of the features of a person and a product."""
    assert data.user_features is not None
    assert data.item_features is not None
    country, price = data.user_features.frame["country"][user], data.item_features.frame["price"][item]
    return [
        *([] if country is None else [f"country: {country}"]),
        *([] if price is None else [f"price {price:g}"]),
    ]


def rows_at(table: FeatureTable, items: NDArray[np.int32]) -> FeatureTable:
    """Return the rows of films, in that order."""
    return FeatureTable(table.frame[items.tolist()], table.kinds)


def changed(table: FeatureTable, items: NDArray[np.integer], lacking: Sequence[str]) -> FeatureTable:
    """Return the rows of the table, each of `items` (positions in it) without what it is to lack."""
    cells = {name: table.frame[name].to_list() for name in COLUMNS}
    for item, name in zip(items.tolist(), lacking, strict=True):
        if name.startswith("genres: "):
            cells["genres"][item] = [genre for genre in cells["genres"][item] if f"genres: {genre}" != name]
        elif name.startswith("year "):
            cells["year"][item] = None
    new = [pl.Series(name, cells[name], dtype=table.frame[name].dtype) for name in COLUMNS]
    kinds = {name: table.kinds[name] for name in COLUMNS}
    return FeatureTable(pl.DataFrame([table.frame["id"], *new]), kinds)


def by_events(
    model: Any, data: Dataset, user: int, items: NDArray[np.int32], lacking: Sequence[str]
) -> NDArray[np.float64]:
    """Return what the model predicts of events of its own ids, or of ids that it never saw."""
    assert data.item_features is not None
    table = changed(rows_at(data.item_features, items), np.arange(items.size), lacking)
    films, people = (
        data.items.ids_of(items).to_list(),
        data.users.ids_of(np.array([user], np.int32)).to_list(),
    )
    ids = [-film if name == ITEM else film for film, name in zip(films, lacking, strict=True)]
    rows = FeatureTable(table.frame.with_columns(pl.Series("id", ids)), table.kinds)
    item_ids, user_ids = Vocabulary.of(np.array(ids)), Vocabulary.of(np.array([*people, NOBODY]))
    whose = user_ids.index_of([NOBODY if name == YOU else people[0] for name in lacking])
    log = Interactions(
        whose,
        item_ids.index_of(np.array(ids)),
        np.ones(len(ids), np.float32),
        None,
        len(user_ids),
        len(item_ids),
        data.feedback,
    )
    event = Dataset(log, user_ids, item_ids, None, rows.align(item_ids))
    unclipped = {"clip": False} if isinstance(model, sl.FactorizationMachine) else {}
    return np.asarray(model.predict_events(event, **unclipped), np.float64)


def by_single_events(
    model: Any, data: Dataset, user: int, items: NDArray[np.int32], lacking: Sequence[str]
) -> NDArray[np.float64]:
    """Return the log odds of one event after the other: the person's features are among what each may lack."""
    found = []
    for item, name in zip(items.tolist(), lacking, strict=True):
        person, product = (
            alone(data.users, data.user_features, user, name),
            alone(data.items, data.item_features, item, name),
        )
        zero = np.zeros(1, np.int32)
        log = Interactions(zero, zero, np.ones(1, np.float32), None, 1, 1, data.feedback)
        found.append(
            float(model.predict_events(Dataset(log, *person[:1], *product[:1], person[1], product[1]))[0])
        )
    return np.asarray(special.logit(np.array(found)), np.float64)


def alone(ids: Vocabulary, table: FeatureTable | None, at: int, name: str) -> tuple[Vocabulary, FeatureTable]:
    """Return one id and its row, without what is called `name`."""
    assert table is not None
    itself = YOU if "country" in table.kinds else ITEM
    own = Vocabulary.of([UNSEEN[itself]] if name == itself else ids.ids_of(np.array([at])))
    nulls = [
        pl.lit(None, table.frame[column].dtype).alias(column)
        for column in table.kinds
        if name.startswith(column)
    ]
    frame = table.frame[[at]].with_columns(own.ids.alias("id"), *nulls)
    return own, FeatureTable(frame, table.kinds)


def by_vectors(
    model: Any, data: Dataset, user: int, items: NDArray[np.int32], lacking: Sequence[str]
) -> NDArray[np.float64]:
    """Return the product of the person's vector and those that the model gives the rows of films.

    Of two towers a prediction for somebody whom they never saw is what is left without the person as such, and one of a
    film that they never saw what is left of a film without its only feature.
    """
    assert data.item_features is not None
    table = changed(rows_at(data.item_features, items), np.arange(items.size), lacking)
    rows = FeatureTable(table.frame.sort("id"), table.kinds)
    mapping = isinstance(model, sl.FeatureMapping)
    placed = model.map_items(rows) if mapping else model.fold_in_items(features=rows)
    vectors, offsets = model.user_vectors(np.array([user], np.int32))
    scores = placed.vectors.astype(np.float64) @ vectors[0] + offsets[0]
    order, films = rows.frame["id"].to_list(), data.items.ids_of(items).to_list()
    if mapping:
        scores += placed.offsets
    else:
        person = data.users.ids_of(np.array([user])).to_list()
        scores[~placed.known] = model.predict(person, [NOBODY])[0]
    return np.array(
        [
            model.predict([NOBODY], [film])[0] if name == YOU else scores[order.index(film)]
            for film, name in zip(films, lacking, strict=True)
        ]
    )


def by_fit(
    model: Any, data: Dataset, user: int, items: NDArray[np.int32], lacking: Sequence[str]
) -> NDArray[np.float64]:
    """Return the scores of a model fitted on the same events, and on the table without the features."""
    assert data.item_features is not None
    again = model
    if any(lacking):
        again = model.clone().fit(
            replace(data, item_features=changed(data.item_features, items, lacking)), rng=0
        )
    films = data.items.ids_of(items).to_list()
    known = again.known_items_[items]
    scores = np.zeros(items.size)
    person = data.users.ids_of(np.array([user], np.int32)).to_list() * int(known.sum())
    scores[known] = again.score(person, [film for film, there in zip(films, known, strict=True) if there])
    return scores


def labelled(data: Dataset) -> Dataset:
    """Return the same events with 1 for a positive rating and 0 for another."""
    log = data.interactions
    value = log.positive.astype(np.float32)
    return data.with_interactions(replace(log, value=value, feedback=Feedback.binary()))
