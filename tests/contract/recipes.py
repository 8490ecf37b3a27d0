"""Recipes: random recommenders of every class there is, each with what it must know and list, told by plain sets.

A class that the registry gains needs a maker here; until it has one, a test fails.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

ALL_KINDS = ("ratings", "binary", "events")
PIPELINE = "Pipeline"
LEARNED = "Pipeline-that-learns"


@dataclass(frozen=True)
class Recipe:
    """How to make a `model`, and what is true of it whatever the data.

    knows: world → the users it has something to say about; lists: world → the items that may be on its lists;
    popular: world → how much each item counts for unknown users. `guaranteed` items, if so many are permitted and
    listed, are on every list; None: all of them. `only_past`: listed are only items that the user liked before;
    `agreeing`: the sources of a pipeline that give the scorer's own scores. folds_in: world → the folded-in people
    whom it has something to say about; None: nobody can be folded in. has_vectors: `similar_items` takes a measure;
    has_similarities: it has one of its own only. needs_items: the items must have features;
    needs_preferences: somebody likes some of the liked items and not others. by_history: scores go by
    the past up to the moment asked for, so that of another moment they are others, or there are none. chooses: a
    `Select` makes the lists, so that they need not be ordered by score. denies: the first rule forbids items to all.
    needs_labels: items have a maker and genres. learns: there must be people enough for a scorer to learn from.
    """

    lines: tuple[str, ...]
    kinds: tuple[str, ...]
    knows: Callable
    lists: Callable
    popular: Callable | None = None
    needs_times: bool = False
    needs_items: bool = False
    needs_preferences: bool = False
    folds_in: Callable | None = None
    has_vectors: bool = False
    has_similarities: bool = False
    guaranteed: int | None = None
    only_past: bool = False
    by_history: bool = False
    agreeing: tuple[str, ...] = ()
    scores: bool = True
    chooses: bool = False
    denies: bool = False
    needs_labels: bool = False
    learns: bool = False

    def __post_init__(self) -> None:
        if self.popular is None:
            object.__setattr__(self, "popular", likers)


def recipe_of(rng: np.random.Generator, class_name: str) -> Recipe:
    """Return a random recipe of the class, or of a pipeline."""
    made = {PIPELINE: pipeline, LEARNED: learned_pipeline} | MODELS
    return made[class_name](rng)


# What the models must know, from the events alone.


def everybody(world) -> set:
    return world.people


def who_likes_something(world) -> set:
    return {event.user for event in world.events if world.positive(event)}


def who_likes_something_or_has_a_country(world) -> set:
    return who_likes_something(world) | {user for user, country in world.users or () if country is not None}


def who_prefers_something(world) -> set:
    """Return who likes some of the liked items and not others."""
    return _with_some(world, world.events, liked_items(world))


def strangers_who_prefer_something(world) -> set:
    return _with_some(world, world.strangers, liked_items(world))


def _with_some(world, events, items: set) -> set:
    liked = defaultdict(set)
    for event in events:
        if world.positive(event) and event.item in items:
            liked[event.user].add(event.item)
    return {user for user, own in liked.items() if own < items}


def who_has_an_event(world) -> set:
    return {event.user for event in world.events}


def liked_items(world) -> set:
    return {event.item for event in world.events if world.positive(event)}


def items_of_at_least(n: int) -> Callable:
    def items(world) -> set:
        users = defaultdict(set)
        for event in world.events:
            users[event.item].add(event.user)
        return {item for item, whose in users.items() if len(whose) >= n}

    return items


def items_with_words(world) -> set:
    return {item for item, title in world.items if title is not None and re.search(r"\w\w", title)}


def who_likes_an_item_with_words(world) -> set:
    known = items_with_words(world)
    return {event.user for event in world.events if event.item in known and world.positive(event)}


def strangers_who_like_an_item_with_words(world) -> set:
    known = items_with_words(world)
    return {event.user for event in world.strangers if event.item in known and world.positive(event)}


def rated_or_described(least: int) -> Callable:
    """Return a function of the items with `least` users, those with neither words nor a user left out."""

    def items(world) -> set:
        of_enough = items_of_at_least(least)(world) if least else world.catalogue
        return of_enough & (items_of_at_least(1)(world) | items_with_words(world))

    return items


def strangers_with_a_rated_or_described_item(world) -> set:
    known = rated_or_described(0)(world)
    return {event.user for event in world.strangers if event.item in known}


def strangers_with_an_event(world) -> set:
    known = items_of_at_least(1)(world)
    return {event.user for event in world.strangers if event.item in known}


def strangers_who_like_something(world) -> set:
    known = liked_items(world)
    return {event.user for event in world.strangers if event.item in known and world.positive(event)}


def likers(world) -> dict:
    """Return how many users have a positive event with each item that any has."""
    users = defaultdict(set)
    for event in world.events:
        if world.positive(event):
            users[event.item].add(event.user)
    return {item: len(whose) for item, whose in users.items()}


# Models.


def popularity(rng: np.random.Generator) -> Recipe:
    by = rng.choice(["count", "decayed", "mean"])
    others = f"half_life_days={rng.choice([1e-5, 1.0])}, shrinkage={rng.integers(0, 3)}"
    line = f"model = sl.Popularity({str(by)!r}, {others})"
    return Recipe(
        (line,),
        ALL_KINDS,
        everybody,
        items_of_at_least(1) if by == "mean" else liked_items,
        needs_times=bool(by == "decayed"),
    )


def bpr(rng: np.random.Generator) -> Recipe:
    arguments = {
        "dim": int(rng.integers(1, 6)),
        "n_epochs": int(rng.integers(1, 4)),
        "sampler": str(rng.choice(["uniform", "popularity", "dynamic"])),
        "item_bias": bool(rng.random() < 0.7),
    }
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Recipe(
        (f"model = sl.BPR({text})",),
        ALL_KINDS,
        who_prefers_something,
        liked_items,
        folds_in=strangers_who_prefer_something,
        has_vectors=True,
        needs_preferences=True,
    )


def buy_again(rng: np.random.Generator) -> Recipe:
    half_life, rates = rng.choice([None, 1e-5, 100.0]), rng.random() < 0.5
    line = f"model = sl.BuyAgain({half_life}, repeat_rates={rates}, shrinkage={rng.choice([0.5, 10.0])})"
    return Recipe((line,), ALL_KINDS, who_likes_something, liked_items, only_past=True)


def content_based(rng: np.random.Generator) -> Recipe:
    measure, weight = rng.choice(["cosine", "dot"]), float(rng.choice([0.1, 1.0]))
    return Recipe(
        (f"model = sl.ContentBased(measure={str(measure)!r}, column_weights={{'title': {weight}}})",),
        ALL_KINDS,
        who_likes_an_item_with_words,
        items_with_words,
        needs_items=True,
        folds_in=strangers_who_like_an_item_with_words,
        has_similarities=True,
        by_history=True,
    )


def deep_fm(rng: np.random.Generator) -> Recipe:
    arguments = {
        "dim": int(rng.integers(1, 5)),
        "layers": [(), (4,), (5, 3)][rng.integers(3)],
        "n_epochs": int(rng.integers(1, 3)),
        "batch_size": int(rng.integers(1, 40)),
        "patience": [None, 1][rng.integers(2)],
        "dropout": float(rng.choice([0.0, 0.3])),
    }
    described = bool(rng.random() < 0.5)
    features = "" if described else ", user_columns=[]"
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Recipe(
        (f"model = sl.DeepFM({text}, item_columns=[]{features})",),
        ALL_KINDS,
        who_is_learned_or_from_such_a_country if described else who_is_learned_from,
        what_is_learned_from,
        folds_in=strangers_who_are_learned_from,
        has_similarities=False,
        has_vectors=True,
    )


def _learned(world) -> list:
    return [event for event in world.events if world.kind != "events" or world.positive(event)]


def who_is_learned_from(world) -> set:
    return {event.user for event in _learned(world)}


def what_is_learned_from(world) -> set:
    return {event.item for event in _learned(world)}


def who_is_learned_or_from_such_a_country(world) -> set:
    learned = who_is_learned_from(world)
    countries = {country for user, country in world.users or () if user in learned} - {None}
    return learned | {user for user, country in world.users or () if country in countries}


def ease(rng: np.random.Generator) -> Recipe:
    reg, precision = float(rng.choice([0.5, 50.0])), str(rng.choice(["single", "double"]))
    return Recipe(
        (f"model = sl.EASE({reg}, precision={precision!r})",),
        ALL_KINDS,
        who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_similarities=True,
        by_history=True,
    )


def neighbors(rng: np.random.Generator, name: str, *, has_similarities: bool) -> Recipe:
    common = f"{rng.integers(1, 6)}, shrinkage={rng.choice([0.0, 2.0])}"
    if rng.random() < 0.5:
        similarity = _one(rng, ["cosine", "jaccard", "adjusted_cosine", "pearson"])
        baseline, least = _one(rng, ["biases", "mean"]), rng.integers(1, 3)
        arguments = f"similarity={similarity!r}, baseline={baseline!r}, min_neighbors={least}"
        line = f'model = sl.{name}({common}, feedback="explicit", {arguments})'
        return Recipe(
            (line,),
            ("ratings",),
            who_has_an_event,
            items_of_at_least(1),
            folds_in=strangers_with_an_event,
            has_similarities=has_similarities,
            guaranteed=0,
            by_history=True,
        )
    similarity, weighting = (
        ("jaccard", "binary")
        if rng.random() < 0.3
        else (_one(rng, ["cosine", "dot"]), _one(rng, ["binary", "tfidf", "bm25", "unit"]))
    )
    return Recipe(
        (f"model = sl.{name}({common}, similarity={similarity!r}, weighting={weighting!r})",),
        ALL_KINDS,
        who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_similarities=has_similarities,
        guaranteed=0,
        by_history=True,
    )


def item_neighbors(rng: np.random.Generator) -> Recipe:
    return neighbors(rng, "ItemNeighbors", has_similarities=True)


def user_neighbors(rng: np.random.Generator) -> Recipe:
    return neighbors(rng, "UserNeighbors", has_similarities=False)


def rp3beta(rng: np.random.Generator) -> Recipe:
    exponents = f"{rng.choice([0.0, 0.8, 2.0])}, {rng.choice([0.0, 0.4])}"
    return Recipe(
        (
            f"model = sl.RP3beta({exponents}, n_neighbors={rng.integers(1, 6)}, normalize={rng.random() < 0.5})",
        ),
        ALL_KINDS,
        who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_similarities=True,
        guaranteed=0,
        by_history=True,
    )


def factorization_machine(rng: np.random.Generator) -> Recipe:
    solver = _one(rng, ["gibbs", "gibbs", "adagrad", "sgd"])
    arguments = {
        "dim": int(rng.integers(1, 6)),
        "solver": solver,
        "n_epochs": int(rng.integers(2, 5)),
        "n_negatives": int(rng.integers(1, 4)),
    }
    if solver == "gibbs":
        arguments |= {"burn_in": int(rng.integers(0, 2)), "n_kept": int(rng.integers(1, 4))}
    else:
        arguments |= {"patience": [None, 1][rng.integers(2)]}
    described = bool(rng.random() < 0.5)
    features = "" if described else ", user_columns=[]"
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Recipe(
        (f"model = sl.FactorizationMachine({text}{features})",),
        ALL_KINDS,
        who_is_learned_or_from_such_a_country if described else who_is_learned_from,
        what_is_learned_from,
        folds_in=strangers_who_are_learned_from,
        has_vectors=True,
    )


def strangers_who_are_learned_from(world) -> set:
    known = what_is_learned_from(world)
    strangers = [event for event in world.strangers if world.kind != "events" or world.positive(event)]
    return {event.user for event in strangers if event.item in known}


def graph_filter(rng: np.random.Generator) -> Recipe:
    arguments = {
        "user_exponent": float(rng.choice([0.0, 1.0])),
        "target_exponent": float(rng.choice([0.0, 0.3])),
        "n_neighbors": None if rng.random() < 0.5 else int(rng.integers(1, 4)),
        "dim": int(rng.integers(0, 6)),
        "low_pass": float(rng.choice([0.0, 0.5])),
    }
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Recipe(
        (f"model = sl.GraphFilter({text})",),
        ALL_KINDS,
        who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_similarities=True,
        by_history=True,
    )


def k_means_segments(rng: np.random.Generator) -> Recipe:
    # One segment, since two need two people who like different things; its own tests have more.
    of, shrinkage = str(rng.choice(["users", "items"])), rng.choice([0.0, 2.0])
    return Recipe(
        (f"model = sl.KMeansSegments(1, of={of!r}, dim={rng.integers(9, 12)}, shrinkage={shrinkage})",),
        ALL_KINDS,
        who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_vectors=True,
    )


def linear_on_features(rng: np.random.Generator) -> Recipe:
    least, reg = int(rng.integers(0, 3)), float(rng.choice([0.1, 10.0]))
    arguments = f"['title'], reg={reg}, min_ratings={least}, mean_shrinkage={rng.choice([None, 0.0, 5.0])}"
    solver = str(rng.choice(["closed_form", "gradient"]))
    return Recipe(
        (f"model = sl.LinearOnFeatures({arguments}, solver={solver!r})",),
        ("ratings",),
        who_has_an_event,
        rated_or_described(least),
        needs_items=True,
        folds_in=strangers_with_a_rated_or_described_item,
        has_vectors=True,
    )


def matrix_factorization(rng: np.random.Generator) -> Recipe:
    solver, least = rng.choice(["als", "als", "sgd", "adam"]), int(rng.integers(1, 4))
    objective, kind = [("squared", "ratings"), ("squared", "ratings"), ("binary", "binary")][rng.integers(3)]
    arguments = f"dim={rng.integers(1, 6)}, solver={str(solver)!r}, n_epochs={rng.integers(0, 3)}, min_ratings={least}"
    return Recipe(
        (
            f"model = sl.MatrixFactorization({arguments}, item_bias={rng.random() < 0.5}, objective={objective!r})",
        ),
        (kind,),
        who_has_an_event,
        items_of_at_least(least),
        folds_in=strangers_with_an_event,
        has_vectors=True,
    )


# Of users without any country there is nothing to encode.
WITH_COUNTRIES = (
    ', user_features=data.user_features is not None and data.user_features.frame["country"].count() > 0'
)


def pure_svd(rng: np.random.Generator) -> Recipe:
    """Return a model with more directions than the smallest data has: everybody has a vector."""
    text = f"dim={rng.integers(12, 20)}, item_exponent={rng.choice([0.5, 1.0])}"
    return Recipe(
        (f"model = sl.PureSVD({text})",),
        ALL_KINDS,
        who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_vectors=True,
        by_history=True,
    )


def softmax_net(rng: np.random.Generator) -> Recipe:
    """Return a net of ids, histories or both, now and then with the country too."""
    inputs = {"user_ids": bool(rng.random() < 0.5), "history": bool(rng.random() < 0.6)}
    inputs["history"] |= not inputs["user_ids"]
    arguments = inputs | {
        "dim": int(rng.integers(1, 6)),
        "layers": [int(rng.integers(1, 5))] if rng.random() < 0.4 else [],
        "similarity": _one(rng, ["cosine", "dot"]),
        "item_bias": bool(rng.random() < 0.5),
        "negatives": _one(rng, ["all", "uniform", "popularity", "in_batch"]),
        "n_negatives": int(rng.integers(1, 5)),
        "n_epochs": int(rng.integers(1, 3)),
        "batch_size": int(rng.choice([2, 500])),
    }
    described = bool(rng.random() < 0.4)
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Recipe(
        (f"model = sl.SoftmaxNet({text}{WITH_COUNTRIES if described else ''})",),
        ALL_KINDS,
        who_likes_something_or_has_a_country if described else who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something if inputs["history"] else None,
        has_vectors=True,
        by_history=inputs["history"],
    )


def wals(rng: np.random.Generator) -> Recipe:
    arguments = {
        "dim": int(rng.integers(1, 6)),
        "n_epochs": int(rng.integers(1, 3)),
        "unobserved_weight": float(rng.choice([0.0, 0.1, 1.0])),
        "alpha": float(rng.choice([0.0, 2.0])),
        "unobserved": str(rng.choice(["all", "complement"])),
        "item_weight_exponent": float(rng.choice([0.0, 0.5])),
        "solver": str(rng.choice(["exact", "exact", "cg", "gravity", "sgd"])),
        "user_weight_exponent": float(rng.choice([0.0, 0.0, 1.0])),
    }
    described = arguments["solver"] in ("exact", "cg") and bool(rng.random() < 0.5)
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return Recipe(
        (f"model = sl.WALS({text}{WITH_COUNTRIES if described else ''})",),
        ALL_KINDS,
        who_likes_something_or_has_a_country if described else who_likes_something,
        liked_items,
        folds_in=strangers_who_like_something,
        has_vectors=True,
    )


def blend(rng: np.random.Generator) -> Recipe:
    """Return a blend of WALS or popularity, which list what they list for everybody they know, and up to two more."""
    makers = [*[wals, popularity][int(rng.integers(2)) :], [wals, popularity, buy_again][rng.integers(3)]]
    parts = {f"part_{n}": make(rng) for n, make in enumerate(makers[: 1 + int(rng.integers(3))])}
    weights = {name: float(rng.choice([0.1, 1.0, 2.0])) for name in parts}
    models = ", ".join(f"{name!r}: {part.lines[0].removeprefix('model = ')}" for name, part in parts.items())
    # Where a part cannot fold people in, they are listed what the others list.
    folding = [part.folds_in for part in parts.values()]
    return Recipe(
        (f"model = sl.Blend({{{models}}}, weights={weights})",),
        ALL_KINDS,
        lambda world: set().union(*(part.knows(world) for part in parts.values())),
        lambda world: set().union(*(part.lists(world) for part in parts.values())),
        needs_times=any(part.needs_times for part in parts.values()),
        folds_in=None if None in folding else folding[0],
        by_history=True,
    )


def liked_items_and_new_ones_with_words(world) -> set:
    untouched = world.catalogue - {event.item for event in world.events}
    return liked_items(world) | (items_with_words(world) & untouched)


def feature_mapping(rng: np.random.Generator) -> Recipe:
    """Return a map of titles to the vectors of WALS or BPR, which know no users by their features."""
    part = [wals, bpr][rng.integers(2)](rng)
    line = part.lines[0].removeprefix("model = ").replace(WITH_COUNTRIES, "")
    knows = who_prefers_something if part.needs_preferences else who_likes_something
    return Recipe(
        (f"model = sl.FeatureMapping({{'taste': {line}}}, reg={rng.choice([0.1, 10.0])})",),
        ALL_KINDS,
        knows,
        liked_items_and_new_ones_with_words,
        needs_items=True,
        needs_preferences=part.needs_preferences,
        folds_in=part.folds_in,
        has_vectors=True,
    )


def two_tower(rng: np.random.Generator) -> Recipe:
    """Return towers of any loss, described by countries now and then, with and without ids held back."""
    loss = rng.choice(["None", "'squared'", "'cross_entropy'", "'softmax'"])
    softmax_of = {"None": ("events",), "'softmax'": ALL_KINDS}.get(str(loss), ())
    described = bool(rng.random() < 0.4)
    numbers = (
        f"id_dim={rng.integers(1, 4)}, id_dropout={rng.choice([0.0, 0.3])}, n_epochs={rng.integers(1, 4)}"
    )
    held = f"batch_size={rng.choice([2, 64])}, validation_share={rng.choice([0.0, 0.2])}"
    features = "None" if described else "False"

    def knows(world) -> set:
        liking = who_likes_something if world.kind in softmax_of else who_has_an_event
        countries = {user for user, country in world.users or () if country is not None}
        return liking(world) | (countries if described else set())

    return Recipe(
        (f"model = sl.TwoTower([5, 3], loss={loss}, {numbers}, {held}, user_features={features})",),
        ALL_KINDS if loss in ("None", "'softmax'") else ("ratings", "binary"),
        knows,
        lambda world: liked_items(world) if world.kind in softmax_of else items_of_at_least(1)(world),
        has_vectors=True,
    )


MODELS: dict[str, Callable[[np.random.Generator], Recipe]] = {
    "Blend": blend,
    "BPR": bpr,
    "BuyAgain": buy_again,
    "ContentBased": content_based,
    "DeepFM": deep_fm,
    "EASE": ease,
    "FactorizationMachine": factorization_machine,
    "FeatureMapping": feature_mapping,
    "GraphFilter": graph_filter,
    "ItemNeighbors": item_neighbors,
    "KMeansSegments": k_means_segments,
    "LinearOnFeatures": linear_on_features,
    "MatrixFactorization": matrix_factorization,
    "Popularity": popularity,
    "PureSVD": pure_svd,
    "RP3beta": rp3beta,
    "SoftmaxNet": softmax_net,
    "TwoTower": two_tower,
    "UserNeighbors": user_neighbors,
    "WALS": wals,
}

# Sources: each returns the expression that makes it, given the names of the pipeline's models and their recipes.


def nearest(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    return f"sl.Nearest({_one(rng, list(models))}, k={rng.integers(1, 6)}, name={name!r})"


def related(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str | None:
    comparing = [model for model, recipe in models.items() if recipe.has_vectors or recipe.has_similarities]
    if not comparing:
        return None
    model = _one(rng, comparing)
    measures = [None, "cosine", "dot", "euclidean"] if models[model].has_vectors else [None]
    measure = measures[rng.integers(len(measures))]
    sizes = f"recent={rng.integers(1, 4)}, per_item={rng.integers(1, 4)}"
    return f"sl.RelatedToRecent({model}, {sizes}, measure={measure!r}, name={name!r})"


def popular(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    return f"sl.Popular(k={rng.integers(1, 6)}, name={name!r})"


def again(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    return f"sl.Again(k={rng.integers(1, 6)}, name={name!r})"


def bought_together(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    sizes = f"recent={rng.integers(1, 4)}, per_item={rng.integers(1, 4)}"
    return f"sl.BoughtTogether(within='user', {sizes}, measure={_one(rng, MEASURES)!r}, name={name!r})"


def next_item(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    return f"sl.NextItem(recent={rng.integers(1, 4)}, measure={_one(rng, MEASURES)!r}, name={name!r})"


def fresh(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    return f"sl.Fresh(k={rng.integers(1, 6)}, name={name!r})"


def trending(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    return f"sl.Trending({rng.choice([0.001, 30.0])}, k={rng.integers(1, 6)}, name={name!r})"


def precomputed_lists(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    """Return the lists of what everybody has had already, latest last."""
    columns = (
        f"'{what}_id': data.{what}s.ids.gather(data.interactions.{what}_idx)" for what in ("user", "item")
    )
    return (
        f"sl.PrecomputedLists(pl.DataFrame({{{', '.join(columns)}}}), k={rng.integers(1, 6)}, name={name!r})"
    )


def top_in_segment(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> str:
    segments = f"sl.KMeansSegments(1, dim=10, of={_one(rng, ['users', 'items'])!r})"
    return f"sl.TopInSegment({segments}, k={rng.integers(1, 6)}, name={name!r})"


def of_a_feature(rng: np.random.Generator, models: dict[str, Recipe], name: str) -> None:
    """Return no source: these worlds have no such feature; tests/retrieval/test_every_source.py has."""


MEASURES = ["conditional", "cosine", "lift"]
SOURCES: dict[str, Callable[..., str | None]] = {
    "Again": again,
    "BoughtTogether": bought_together,
    "Fresh": fresh,
    "Nearest": nearest,
    "NextItem": next_item,
    "Popular": popular,
    "PrecomputedLists": precomputed_lists,
    "RelatedToRecent": related,
    "TopInGroup": of_a_feature,
    "TopInSegment": top_in_segment,
    "TopInUserGroup": of_a_feature,
    "Trending": trending,
}
NEED_TIMES = ("sl.Fresh", "sl.NextItem", "sl.Trending")  # the first one is `Freshness` too
SCORERS = {"ModelScorer": lambda model: f"sl.ModelScorer({model})"}
SCORERS_OF_AN_OBJECTIVE = ["sl.ModelScorer(MODEL)", "sl.LambdaMARTScorer(MODEL, n_trees=3, min_rows=2)"]
# Learn from what people took of candidates, of which tiny worlds have too little: they have worlds of their own.
LEARNING_SCORERS: dict[str, Callable[[np.random.Generator, str], str]] = {
    "LambdaMARTScorer": lambda rng, model: (
        f"sl.LambdaMARTScorer({model}, n_trees={rng.integers(1, 6)}, min_rows=2)"
    ),
    "Objective": lambda rng, model: f"sl.Objective({_one(rng, SCORERS_OF_AN_OBJECTIVE)})".replace(
        "MODEL", model
    ),
}
# Models that take every feature of items there is: with makers and genres among them they know other items.
TAKE_ALL_FEATURES = {"ContentBased", "DeepFM", "FactorizationMachine", "FeatureMapping", "TwoTower"}


def pipeline(rng: np.random.Generator) -> Recipe:
    """Return a pipeline of one to three sources over one or two models, with what its scorer's model knows."""
    classes = [_one(rng, list(MODELS)) for _ in range(rng.integers(1, 3))]
    chosen = {f"model_{n}": recipe_of(rng, name) for n, name in enumerate(classes)}
    scoring = _one(rng, list(chosen))
    scorer = SCORERS[_one(rng, list(SCORERS))](scoring)
    return _assembled(rng, chosen, scoring, scorer, labels=not TAKE_ALL_FEATURES & set(classes))


def learned_pipeline(rng: np.random.Generator) -> Recipe:
    """Return a pipeline whose scorer learns from candidates: it knows everybody, and lists what it is given."""
    chosen = {"model_0": wals(rng)}
    scorer = LEARNING_SCORERS[_one(rng, list(LEARNING_SCORERS))](rng, "model_0")
    sources = (f"sl.Popular(k=9, name={'popular'!r})", nearest(rng, chosen, "nearest"))
    made = _assembled(rng, chosen, "model_0", scorer, sources, labels=True)
    return replace(
        made,
        knows=lambda world: world.people,
        lists=lambda world: world.catalogue,
        guaranteed=0,
        agreeing=(),
        by_history=True,
        learns=True,
    )


def _assembled(
    rng: np.random.Generator,
    chosen: dict[str, Recipe],
    scoring: str,
    scorer: str,
    sources: tuple[str, ...] = (),
    *,
    labels: bool,
) -> Recipe:
    """Return the pipeline of these sources, all proposals merged, or of one to three random ones and a random merge."""
    given = bool(sources)
    while not sources:
        makers = [SOURCES[_one(rng, list(SOURCES))] for _ in range(rng.integers(1, 4))]
        made = [make(rng, chosen, f"source {n}") for n, make in enumerate(makers)]
        sources = tuple(source for source in made if source is not None)
    lines = [
        line.replace("model =", f"{name} =", 1) for name, recipe in chosen.items() for line in recipe.lines
    ]
    own = [source for source in sources if source.startswith(f"sl.Nearest({scoring},")]
    used = [name for name in chosen if name == scoring or any(f"({name}," in source for source in sources)]
    recipes = [chosen[name] for name in used]
    merge, promised = ("", 0) if given else _merge(rng, own)
    steps = _adjustments(rng, labels=labels)
    select, most = _select(rng, {name: chosen[name] for name in used}, labels=labels)
    chain = ", ".join([*steps, *([select] if select else [])])
    denied = rng.random() < 0.3
    rules = f", rules=[sl.DenyList([{_any_item(rng)}])]" if denied else ""
    lines.append(f"model = sl.Pipeline([{', '.join(sources)}], {scorer}, [{chain}]{rules}{merge})")
    return replace(
        chosen[scoring],
        lines=tuple(line for line in lines if line.split(" =")[0] in (*used, "model")),
        kinds=tuple(kind for kind in ALL_KINDS if all(kind in recipe.kinds for recipe in recipes)),
        needs_times=any(recipe.needs_times for recipe in recipes)
        or any(source.startswith(NEED_TIMES) for source in (*sources, *steps)),
        needs_items=any(recipe.needs_items for recipe in recipes) or "maker" in chain or "genres" in chain,
        needs_labels="maker" in chain or "genres" in chain,
        needs_preferences=any(recipe.needs_preferences for recipe in recipes),
        folds_in=None,
        has_vectors=False,
        has_similarities=False,
        guaranteed=min(promised, most) if chosen[scoring].guaranteed is None else 0,
        by_history=any(recipe.by_history for recipe in recipes),
        agreeing=tuple(map(_name_of, own)),
        scores=False,
        chooses=bool(select),
        denies=denied,
    )


# Steps of re-ranking.


def _adjustments(rng: np.random.Generator, *, labels: bool) -> list[str]:
    """Return up to two adjustments."""
    steps = []
    if rng.random() < 0.25:
        steps.append(f"sl.Freshness({rng.choice([1e-5, 30.0])}, {rng.choice([0.0, 0.5])})")
    if labels and rng.random() < 0.3:
        steps.append(f"sl.Boost('maker', {{'A': {rng.choice([-1.0, 0.5])}}}, name='own brand')")
    return [steps[n] for n in rng.permutation(len(steps))]


def _select(rng: np.random.Generator, models: dict[str, Recipe], *, labels: bool) -> tuple[str | None, int]:
    """Return a `Select` of random terms, caps and pins, or none; and how many items it lists if there are so many."""
    if rng.random() < 0.4:
        return None, 10**9
    comparing = [f"model={name}" for name, recipe in models.items() if recipe.has_vectors]
    comparing += ["on='maker'", "on='genres'"] if labels else []
    terms = [
        f"sl.{kind}({rng.choice([0.0, 0.2, 0.3])}, {_one(rng, comparing)})"
        for kind in ("MMR", "DPP")
        if comparing and rng.random() < 0.5
    ]
    if labels and rng.random() < 0.5:
        terms.append(f"sl.Calibration({_one(rng, ['maker', 'genres'])!r}, {rng.choice([0.1, 0.2])})")
    if labels and rng.random() < 0.5:
        target = _one(rng, ["catalogue", "equal"])
        terms.append(f"sl.Exposure({_one(rng, ['maker', 'genres'])!r}, 0.2, target={target!r})")
    capped = labels and rng.random() < 0.4
    caps = f", caps={{{_one(rng, ['maker', 'genres'])!r}: {rng.integers(1, 4)}}}" if capped else ""
    pool = int(rng.choice([1, 3, 500]))
    given = f"{', '.join(terms)}{', ' if terms else ''}pool={pool}{caps}{_pins(rng)}"
    return f"sl.Select({given})", 0 if capped else pool


def _pins(rng: np.random.Generator) -> str:
    """Return the argument pins=: up to two items of the data, whatever their ids."""
    if rng.random() < 0.5:
        return ""
    places = {
        f"data.items.ids[{rng.integers(0, 9)} % len(data.items)]": n for n in rng.permutation(4)[:2] + 1
    }
    return f", pins=list({{{', '.join(f'{item}: {place}' for item, place in places.items())}}}.items())"


def _any_item(rng: np.random.Generator) -> str:
    """Return the id of some item of the data, whatever ids there are."""
    return f"data.items.ids[{rng.integers(0, 9)} % len(data.items)]"


def _merge(rng: np.random.Generator, own: list[str]) -> tuple[str, int]:
    """Return the argument merge= and how many candidates of the sources `own` it lets through for sure."""
    if rng.random() < 0.5:
        return "", max(map(_k_of, own), default=0)
    least, more = rng.integers(1, 4), rng.integers(0, 5)
    quotas = {_name_of(own[0]): [int(least), int(least + more)]} if own else {}
    sure = min(_k_of(own[0]), int(least)) if own else 0
    return f", merge=sl.Merge({least + more}, quotas={quotas})", sure


def _name_of(source: str) -> str:
    return source.split("name='")[1].split("'", maxsplit=1)[0]


def _k_of(source: str) -> int:
    return int(source.split("k=", 1)[1].split(",", 1)[0])


def _one(rng: np.random.Generator, values: list) -> str:
    return str(values[rng.integers(len(values))])
