"""Worlds: random data and a recommender fitted on it, written as a Python script that anybody can run.

A world is made by running its script, so that what a failure prints is what failed.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import starmap

import numpy as np
from contract import recipes, strange_ids
from contract.recipes import Recipe

SCALE = (1, 5)
START = 1_600_000_000  # seconds; whole ones, so that every form of a time says the same
KINDS = ("ratings", "binary", "events")
TITLES = ("Amélie", "x\ny", "[bold]b[/bold]", '"q"', "שלום", "👍🏽", "a,b", "{}", "nul\0nul")
IMPORTS = "import datetime\n\nimport numpy as np\nimport polars as pl\n\nimport shortlist as sl"


@dataclass(frozen=True)
class Event:
    user: int | str
    item: int | str
    value: int
    second: int | None


@dataclass(frozen=True)
class World:
    """Data in plain Python values, and the recipe of what is fitted on it.

    `items` and `users` are the rows of the feature tables (id → title or country, None: not known), or None;
    `strangers` are events of people to fold in, ids of their own; `labels` the maker and the genres of items, where the
    recipe goes by them.
    """

    kind: str
    events: tuple[Event, ...]
    items: tuple[tuple[int | str, str | None], ...] | None
    users: tuple[tuple[int | str, str | None], ...] | None
    recipe: Recipe
    strangers: tuple[Event, ...] = ()
    seed: int = 0
    labels: tuple[tuple[int | str, str | None, tuple[str, ...]], ...] = ()

    @cached_property
    def catalogue(self) -> set:
        """Return every item there is."""
        return {event.item for event in self.events} | {item for item, _ in self.items or ()}

    @cached_property
    def people(self) -> set:
        """Return every user there is."""
        return {event.user for event in self.events} | {user for user, _ in self.users or ()}

    @cached_property
    def pasts(self) -> dict:
        """Return user → [(item, second, positive)]."""
        return self._pasts(self.events)

    @cached_property
    def pasts_of_strangers(self) -> dict:
        """Return the same of the people to fold in."""
        return self._pasts(self.strangers)

    @cached_property
    def maker_of(self) -> dict:
        """Return item → maker."""
        return {item: maker for item, maker, _ in self.labels}

    @cached_property
    def genres_of(self) -> dict:
        """Return item → genres."""
        return {item: genres for item, _, genres in self.labels}

    def _pasts(self, events: tuple[Event, ...]) -> dict:
        pasts: dict = {}
        for event in events:
            pasts.setdefault(event.user, []).append((event.item, event.second, self.positive(event)))
        return pasts

    def positive(self, event: Event) -> bool:
        """Return whether the event is positive: four of five stars, label 1, a strength above 0."""
        return event.value >= {"ratings": 4, "binary": 1, "events": 1}[self.kind]

    def script(self) -> str:
        """Return the Python source that makes `data`, `model` and, where people are folded in, `folded`."""
        lines = [IMPORTS, "", f"data = {self._read(self.events, self.items, self.users)}", *self.recipe.lines]
        lines.append(f"model = model.fit(data, rng={self.seed})")
        if self.strangers:
            lines.append(f"folded = model.fold_in_users({self._read(self.strangers, None, None)})")
        return "\n".join(lines)

    def _read(self, events, items, users) -> str:
        columns = {
            "user_id": [event.user for event in events],
            "item_id": [event.item for event in events],
            "value": [event.value for event in events],
        }
        if events[0].second is not None:
            columns["timestamp"] = [event.second for event in events]
        arguments = [f"pl.DataFrame({columns!r})", f"kind={self.kind!r}"]
        if self.kind == "ratings":
            arguments.append(f"scale={SCALE}")
        features = {}
        for table, key, column, rows in (
            ("items", "item_id", "title", items),
            ("users", "user_id", "country", users),
        ):
            if rows is not None:
                values = {key: [row[0] for row in rows], column: [row[1] for row in rows]}
                types = f'"{column}": pl.String'
                if table == "items" and self.labels:
                    values |= {"maker": [self.maker_of[row[0]] for row in rows]}
                    values |= {"genres": [list(self.genres_of[row[0]]) for row in rows]}
                    types += ', "maker": pl.String, "genres": pl.List(pl.String)'
                arguments.append(f"{table}=pl.DataFrame({values!r}, schema_overrides={{{types}}})")
                features[table] = {column: "text" if column == "title" else "categorical"}
                if table == "items" and self.labels:
                    features[table] |= {"maker": "categorical", "genres": "tags"}
        if features:
            arguments.append(f"features={features!r}")
        return f"sl.read({', '.join(arguments)})"


def run(script: str) -> dict:
    """Return the names that the script defines."""
    names: dict = {}
    exec(compile(script, "<world>", "exec"), names)
    return names


def world_of(rng: np.random.Generator, class_name: str) -> World:
    """Return a random world whose recommender is of the class: tiny mostly, now and then of hundreds of users."""
    recipe = recipes.recipe_of(rng, class_name)
    kind = str(rng.choice(recipe.kinds))
    large = rng.random() < 0.02 and not recipe.learns
    n_users, n_items = (int(rng.integers(300, 700)), int(rng.integers(20, 60))) if large else _tiny_size(rng)
    if recipe.learns:
        n_users, n_items = 40, int(rng.integers(10, 16))
    if recipe.needs_preferences:
        n_users, n_items = max(n_users, 2), max(n_items, 2)
    many = ("integer", "nearby integer", "number text")
    user_kind, item_kind = (str(rng.choice(many if large else tuple(strange_ids.MAKERS))) for _ in range(2))
    users, items = strange_ids.ids(rng, n_users, user_kind), strange_ids.ids(rng, n_items, item_kind)
    timed = recipe.needs_times or rng.random() < 0.6
    events = _events(rng, kind, users, items, timed, n_users * 6 if large else int(rng.integers(1, 30)))
    if rng.random() < 0.3:
        events += [replace(events[0], user=users[0], item=item) for item in items]
    world = World(
        kind,
        tuple(events),
        tuple((item, _maybe(rng, TITLES)) for item in items)
        if rng.random() < 0.6 or recipe.needs_items
        else None,
        tuple((user, _maybe(rng, ("NO", "SE"))) for user in users) if rng.random() < 0.4 else None,
        recipe,
        seed=int(rng.integers(100)),
    )
    if not any(map(world.positive, world.events)):
        world = replace(world, events=(replace(events[0], value=5 if kind == "ratings" else 1), *events[1:]))
    if recipe.needs_preferences and not recipes.who_prefers_something(world):
        world = replace(world, events=_with_a_preference(world, users, items))
    if recipe.learns:
        world = replace(world, events=_with_a_taste(rng, world, users, items))
    if recipe.needs_labels:
        world = replace(world, labels=tuple(_labelled(rng, world)))
    if recipe.folds_in and rng.random() < 0.5:
        world = replace(world, strangers=_strangers(rng, world))
    return world


def _with_a_preference(world: World, users, items) -> tuple[Event, ...]:
    """Return the events such that the first user likes the first item alone, and the second user the second too."""
    liked = replace(world.events[0], value=5 if world.kind == "ratings" else 1)
    others = (event for event in world.events if event.user != users[0])
    both = zip(users[:2], items[:2], strict=True)
    return (*others, *(replace(liked, user=user, item=item) for user, item in both))


def _with_a_taste(rng: np.random.Generator, world: World, users, items) -> tuple[Event, ...]:
    """Return events by which everybody likes six items, most of one half of the catalogue: enough to learn from."""
    liked = {"ratings": 5}.get(world.kind, 1)
    events = []
    for n, user in enumerate(users):
        weight = np.where(np.arange(len(items)) % 2 == n % 2, 4.0, 1.0)
        taken = rng.choice(len(items), 6, replace=False, p=weight / weight.sum())
        seconds = [None if world.events[0].second is None else START + at for at in range(6)]
        events += [
            Event(user, items[item], liked, second) for item, second in zip(taken, seconds, strict=True)
        ]
    return (*world.events, *events)


def _labelled(rng: np.random.Generator, world: World) -> list[tuple]:
    """Return (item, maker, genres) of every item; the first has both, and the maker A."""
    items = sorted(world.catalogue, key=str)
    makers = ["A", *(_maybe(rng, ("A", "B", "c\nd")) for _ in items[1:])]
    genres = [
        ("g",),
        *(tuple(np.unique(rng.choice(["g", "h", "[i]"], rng.integers(0, 3))).tolist()) for _ in items[1:]),
    ]
    return list(zip(items, makers, genres, strict=True))


def _tiny_size(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(1, 7)), int(rng.integers(1, 10))


def _events(rng, kind, users, items, timed, n) -> list[Event]:
    low, high = {"ratings": (1, 5), "binary": (0, 1), "events": (0, 3)}[kind]
    values = rng.integers(low, high, n, endpoint=True).tolist()
    seconds = (START + rng.integers(0, 6, n)).tolist() if timed else [None] * n
    who, what = rng.integers(0, len(users), n).tolist(), rng.integers(0, len(items), n).tolist()
    pairs = zip((users[u] for u in who), (items[i] for i in what), values, seconds, strict=True)
    return list(starmap(Event, pairs))


def _strangers(rng: np.random.Generator, world: World) -> tuple[Event, ...]:
    """Return events of up to three people: with items of the catalogue and one outside, at times past the data too."""
    kind = "integer" if isinstance(next(iter(world.catalogue)), int) else "string"
    items = [*sorted(world.catalogue, key=str), *strange_ids.ids(rng, 1, kind)]
    people = strange_ids.ids(rng, 3, str(rng.choice(["integer", "string"])))
    events = _events(rng, world.kind, people, items, rng.random() < 0.6, int(rng.integers(1, 12)))
    return tuple(replace(e, second=e.second and e.second + int(rng.integers(0, 6))) for e in events)


def _maybe(rng: np.random.Generator, values: tuple[str, ...]) -> str | None:
    return None if rng.random() < 0.2 else str(values[rng.integers(len(values))])
