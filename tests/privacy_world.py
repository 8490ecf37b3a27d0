"""Data in which one person can be told from all others by any number of theirs, and every class fitted on it."""

from functools import cache

import numpy as np
import polars as pl

import shortlist as sl
from shortlist import registry

SECRET = "zq-secret-7731"
BLOCKED = "a maker that one person blocked"
COUNTRY = "Atlantis"
N_USERS, N_ITEMS = 53, 31
DAY = 86_400_000_000
LIKED, DISLIKED = 4.6180339, 1.2345679  # of the secret person; nobody else has such values


def everything() -> sl.Dataset:
    """Return ratings with all times distinct; user n-50 has no event, item 29 is the secret person's alone."""
    rng = np.random.default_rng(2012)
    users = [SECRET, *(f"u{n:02}" for n in range(N_USERS - 1))]
    user = np.concatenate([np.repeat(0, 8), rng.integers(1, N_USERS - 1, 700)])
    item = np.concatenate([[29, 0, 1, 2, 3, 4, 5, 6], rng.integers(0, N_ITEMS - 2, 700)])
    value = rng.integers(1, 6, user.size).astype(np.float64)
    value[:8] = [LIKED] * 5 + [DISLIKED] * 3
    times = 1_400_000_000_000_000 + rng.choice(300 * DAY, user.size, replace=False)
    times[1], times[7] = (
        times.min() - 12_345_678_901,
        times.max() + 987_654_321,
    )  # the first event and the last
    log = pl.DataFrame(
        {
            "user_id": [users[u] for u in user],
            "item_id": [f"i{i:02}" for i in item],
            "value": value,
            "timestamp": pl.Series(times).cast(pl.Datetime("us")),
            "device": rng.choice(["phone", "desk"], user.size),
        }
    )
    return sl.read(
        log,
        kind="ratings",
        scale=(1, 5),
        context=["device"],
        items=_items(rng),
        users=_people(rng, users),
        features={
            "items": {"title": "text", "genres": "tags", "countries": "tags", "released": "time"},
            "users": {"country": "categorical", "age": "numeric"},
        },
        latest="2030-01-01",
    )


def _items(rng) -> pl.DataFrame:
    genres = ["drama", "comedy", "war"]
    return pl.DataFrame(
        {
            "item_id": [f"i{i:02}" for i in range(N_ITEMS)],
            "title": [f"title{i} of {'secrets' if i == 29 else 'things'}" for i in range(N_ITEMS)],
            "genres": [[genres[i % 3], genres[(i // 3) % 3]] for i in range(N_ITEMS)],
            "countries": [["France", "Spain", COUNTRY]] * N_ITEMS,
            "maker": [f"maker {i % 4}" for i in range(N_ITEMS)],
            "flags": ["ok"] * N_ITEMS,
            "price": rng.integers(1, 9, N_ITEMS).astype(float),
            "minimum_age": np.where(np.arange(N_ITEMS) % 7 == 3, 18.0, 0.0),
            "stock": [3.0] * N_ITEMS,
            "released": pl.Series(1_300_000_000_000_000 + DAY * np.arange(N_ITEMS)).cast(pl.Datetime("us")),
        }
    )


def _people(rng, users: list[str]) -> pl.DataFrame:
    country = ["France" if n % 3 else "Spain" for n in range(N_USERS)]
    country[0] = COUNTRY
    age = rng.integers(12, 80, N_USERS).astype(float)
    age[0] = 33.125
    return pl.DataFrame({"user_id": users, "country": country, "age": age})


@cache
def data() -> sl.Dataset:
    return everything()


def without_the_secret(dataset: sl.Dataset) -> sl.Dataset:
    """Return the data as if the secret person had never been in it; the items stay."""
    log = dataset.interactions
    keep = np.arange(len(dataset.users)) != dataset.users.index_of([SECRET])[0]
    place = (np.cumsum(keep) - 1).astype(np.int32)
    left = log.where(keep[log.user_idx])
    users = sl.Vocabulary(dataset.users.ids.filter(pl.Series(keep)))
    log = type(left).of(
        place[left.user_idx], left.item_idx, left.value, left.timestamp, len(users), N_ITEMS, left.feedback
    )
    return sl.Dataset(log, users, dataset.items, item_features=dataset.item_features)


ITEM_COLUMNS = ["genres", "maker", "price"]
NET = {"n_epochs": 2, "batch_size": 16}
MODELS = {
    "BPR": lambda: sl.BPR(dim=3, n_epochs=2),
    "Blend": lambda: sl.Blend({"a": wals(), "b": sl.EASE(5.0)}, weights={"a": 1.0, "b": 1.0}),
    "Blend of vectors": lambda: sl.Blend({"a": wals(), "b": sl.Popularity()}, weights={"a": 1.0, "b": 0.5}),
    "BuyAgain": sl.BuyAgain,
    "ContentBased": lambda: sl.ContentBased(["title", "genres"]),
    "DeepFM": lambda: sl.DeepFM(dim=3, layers=(4,), item_columns=ITEM_COLUMNS, context=["device"], **NET),
    "EASE": lambda: sl.EASE(5.0),
    "FactorizationMachine": lambda: sl.FactorizationMachine(3, item_columns=ITEM_COLUMNS, n_epochs=4),
    "FactorizationMachine adagrad": lambda: sl.FactorizationMachine(
        3, item_columns=[], solver="adagrad", context=["device"], n_epochs=3
    ),
    "FeatureMapping": lambda: sl.FeatureMapping(
        {"within": wals()}, columns=ITEM_COLUMNS, user_columns=["country"]
    ),
    "GraphFilter": lambda: sl.GraphFilter(dim=3),
    "ItemNeighbors": lambda: sl.ItemNeighbors(5),
    "ItemNeighbors of ratings": lambda: sl.ItemNeighbors(5, feedback="explicit", min_neighbors=1),
    "KMeansSegments": lambda: sl.KMeansSegments(3, dim=4),
    "KMeansSegments of items": lambda: sl.KMeansSegments(3, of="items", dim=4),
    "LinearOnFeatures": lambda: sl.LinearOnFeatures(["title", "genres"]),
    "MatrixFactorization": lambda: sl.MatrixFactorization(3, n_epochs=3),
    "Popularity": sl.Popularity,
    "PureSVD": lambda: sl.PureSVD(4),
    "RP3beta": sl.RP3beta,
    "SoftmaxNet": lambda: sl.SoftmaxNet(4, user_ids=True, history=True, **NET),
    "SoftmaxNet of ids": lambda: sl.SoftmaxNet(
        4, user_ids=True, history=False, user_features=["country"], **NET
    ),
    "TwoTower": lambda: sl.TwoTower((8, 4), item_features=ITEM_COLUMNS, id_dim=3, **NET),
    "UserNeighbors": lambda: sl.UserNeighbors(7),
    "UserNeighbors of ratings": lambda: sl.UserNeighbors(7, feedback="explicit", min_neighbors=1),
    "WALS": lambda: sl.WALS(dim=3, n_epochs=2, user_features=["country"], cold_items_like="maker"),
}
assert {name.split(" ")[0] for name in MODELS} == set(registry.MODELS)


def wals() -> sl.WALS:
    return sl.WALS(dim=3, n_epochs=2)


@cache
def model(name: str):
    """Return the fitted model called `name` in `MODELS`."""
    return MODELS[name]().fit(data(), rng=1)


def precomputed() -> pl.DataFrame:
    """Return lists made elsewhere, of the secret person and three others."""
    users = data().users.ids.to_list()
    of = [SECRET] * 3 + [u for u in users[:3] for _ in range(3)]
    return pl.DataFrame({"user_id": of, "item_id": [f"i{n % 20:02}" for n in range(len(of))]})


def sources(taste: sl.WALS) -> dict:
    """Return a source of every class, of which none is counted anew when people go."""
    return {
        "Again": sl.Again(5),
        "BoughtTogether": sl.BoughtTogether(gap_minutes=60 * 24 * 9),
        "Fresh": sl.Fresh(5, "released"),
        "Nearest": sl.Nearest(taste, k=6),
        "NextItem": sl.NextItem(),
        "Popular": sl.Popular(),
        "PrecomputedLists": sl.PrecomputedLists(precomputed(), k=5),
        "RelatedToRecent": sl.RelatedToRecent(taste),
        "TopInGroup": sl.TopInGroup("genres"),
        "TopInSegment": sl.TopInSegment(sl.KMeansSegments(2, dim=4)),
        "TopInUserGroup": sl.TopInUserGroup("country", 3),
        "Trending": sl.Trending(),
    }


def rules() -> dict:
    """Return a rule of every class; together they leave most items to most people."""
    return {
        "AgeLimit": sl.AgeLimit(),
        "AllowList": sl.AllowList([f"i{n:02}" for n in range(N_ITEMS) if n != 7]),
        "Available": sl.Available("released", None),
        "ContentPolicy": sl.ContentPolicy(),
        "DenyCategory": sl.DenyCategory("genres", ["war"]),
        "DenyList": sl.DenyList(["i07"]),
        "Disliked": sl.Disliked(),
        "Hidden": sl.Hidden({SECRET: ["i10", "i11"], "u03": ["i12"]}),
        "InCountry": sl.InCountry(),
        "InStock": sl.InStock(),
        "OnlyCategory": sl.OnlyCategory("maker", [f"maker {n}" for n in range(4)]),
        "UserBlocks": sl.UserBlocks({SECRET: [BLOCKED], "u04": ["maker 1"]}, "maker"),
    }


def rerank() -> list:
    """Return a step of every class, with every term."""
    select = sl.Select(
        sl.Calibration("genres"), sl.DPP(on="genres"), sl.Exposure("maker"), sl.MMR(), caps={"maker": 3}
    )
    return [sl.Boost("maker", {"maker 2": 0.1}), sl.Freshness(column="released"), select]


@cache
def pipeline(name: str):
    """Return a fitted pipeline: "all" has every class but what counts anew, "counted" the rest, "learned" a scorer."""
    taste = wals()
    every = sources(taste)
    if name == "all":
        of = [source for which, source in every.items() if which != "Trending"]
        made = sl.Pipeline(of, sl.ModelScorer(taste), rerank(), rules=list(rules().values()))
    elif name == "counted":
        of = [sl.Trending(), sl.Fresh(5), sl.Nearest(taste, k=6), sl.Popular()]
        made = sl.Pipeline(of, sl.ModelScorer(taste), [sl.Freshness()])
    elif name == "learned":
        scorer = sl.LambdaMARTScorer(taste, n_trees=4, min_rows=2)
        made = sl.Pipeline([sl.Nearest(taste, k=25), sl.Popular(k=31)], sl.Objective(scorer))
    else:
        made = sl.Pipeline(
            [sl.Nearest(taste, k=9), sl.RelatedToRecent(taste), sl.Popular()], sl.ModelScorer(taste)
        )
    return made.fit(data(), rng=1)


PIPELINES = ("all", "counted", "learned", "plain")
