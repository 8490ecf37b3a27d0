"""Random catalogues, people and chains of rules: as plain values for the oracle, and as data and rules."""

import numpy as np
import polars as pl

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary

KINDS = {
    "stock": "numeric",
    "state": "categorical",
    "starts": "time",
    "ends": "time",
    "lands": "tags",
    "banned": "tags",
    "from_age": "numeric",
    "to_age": "numeric",
    "genre": "categorical",
    "topics": "tags",
    "flags": "categorical",
    "marks": "tags",
    "spam": "numeric",
    "maker": "categorical",
}
USER_KINDS = {"country": "categorical", "age": "numeric", "likes": "tags"}
COUNTRIES = ["BE", "FR", "NL"]
GENRES = ["art", "crime", "play"]
MAKERS = ["ann", "bob", "cat"]
FLAGS = ["ok", "Hate", "scam", "hate_speech", "fine"]
LATEST = 9


class World:
    """Items and users as dicts, events (user, item, value, µs), and the dataset of them. The last user liked all."""

    def __init__(self, rng, n_users=5, n_items=8):
        self.rng = rng
        self.items = [{"id": 10 + i, **self._item()} for i in range(n_items)]
        self.users = [{"id": f"u{u}", **self.person()} for u in range(n_users)]
        rows = [
            (
                int(rng.integers(n_users - 1)),
                int(rng.integers(n_items)),
                int(rng.choice([1, 5])),
                int(rng.integers(9)),
            )
            for _ in range(int(rng.integers(1, 15)))
        ]
        rows += [(n_users - 1, i, 5, LATEST) for i in range(n_items)]
        self.events = sorted(rows, key=lambda row: row[3])
        user, item, value, time = (np.array(column) for column in zip(*self.events, strict=True))
        log = Interactions.of(
            user,
            item,
            value.astype(np.float32),
            time.astype(np.int64),
            n_users,
            n_items,
            Feedback.ratings(1, 5),
        )
        self.data = Dataset(
            log,
            Vocabulary.of([user["id"] for user in self.users]),
            Vocabulary.of([item["id"] for item in self.items]),
            features(self.users, USER_KINDS),
            self.table(),
        )

    def _item(self):
        starts = self._maybe(int(self.rng.integers(12)))
        ends = self._maybe(int(self.rng.integers(starts or 0, 14)))
        lands = self._some(COUNTRIES)
        from_age = self._maybe(float(self.rng.choice([0, 0, 12, 18])))
        return {
            "stock": self._maybe(float(self.rng.integers(0, 3))),
            "state": self._maybe(str(self.rng.choice(["yes", "no", "soon"]))),
            "starts": starts,
            "ends": ends,
            "lands": lands,
            "banned": [land for land in self._some(COUNTRIES) or [] if land not in (lands or [])] or None,
            "from_age": from_age,
            "to_age": self._maybe(float((from_age or 0) + self.rng.integers(0, 40))),
            "genre": self._maybe(str(self.rng.choice(GENRES))),
            "topics": self._some(GENRES),
            "flags": self._maybe(str(self.rng.choice(FLAGS))),
            "marks": self._some(FLAGS),
            "spam": self._maybe(float(self.rng.choice([0, 0, 1]))),
            "maker": self._maybe(str(self.rng.choice(MAKERS))),
        }

    def person(self):
        """Return what is known of somebody; "ZZ" and "odd" are what no item has."""
        return {
            "country": self._maybe(str(self.rng.choice([*COUNTRIES, "ZZ"]))),
            "age": self._maybe(float(self.rng.choice([-1, 5, 12, 17, 18, 30, 80]))),
            "likes": self._some([*GENRES, "odd"]),
        }

    def _maybe(self, value):
        return None if self.rng.random() < 0.2 else value

    def _some(self, values):
        chosen = [value for value in values if self.rng.random() < 0.5]
        return self._maybe(chosen)

    def table(self, items=None):
        """Return the features of `items`, all of them by default."""
        return features(self.items if items is None else items, KINDS)

    def past(self, user, now=LATEST):
        """Return [(item id, liked)] of the user at a position, until `now`."""
        return [
            (self.items[i]["id"], value >= 4) for u, i, value, at in self.events if u == user and at <= now
        ]


def features(rows, kinds):
    """Return the dicts `rows` as a feature table."""
    ids = Vocabulary.of([row["id"] for row in rows]).ids.rename("id")
    columns = [pl.Series(name, [row[name] for row in rows], strict=False) for name in kinds]
    typed = [
        (
            column.cast(pl.Int64).cast(pl.Datetime("us", "UTC")) if kinds[column.name] == "time" else column
        ).cast(DTYPES[kinds[column.name]])
        for column in columns
    ]
    return FeatureTable(pl.DataFrame([ids, *typed]), kinds)


def chain_of(world, length):
    """Return a random chain of rules as the oracle takes them: [(name, kind, parameters)], without contradictions."""
    kinds = world.rng.permutation(sorted(MAKERS_OF_RULES))[:length].tolist()
    chain = [
        (f"rule {at} {kind}", kind, MAKERS_OF_RULES[kind](world, world.rng)) for at, kind in enumerate(kinds)
    ]
    _deny_what_no_rule_demands({kind: parameters for _, kind, parameters in chain})
    return chain


def _deny_what_no_rule_demands(parameters):
    """Let DenyCategory go by the other column where it would deny what OnlyCategory allows, which is refused."""
    only, deny = parameters.get("OnlyCategory"), parameters.get("DenyCategory")
    if not only or not deny or only["column"] != deny["column"]:
        return
    if set(only["values"] or ()) & set(deny["values"] or ()):
        deny["column"] = {"genre": "topics", "topics": "genre"}[only["column"]]


def rules_of(chain):
    """Return the rules of a chain as stages."""
    return [
        getattr(sl, kind)(**parameters, **EXTRA.get(kind, {}), name=name) for name, kind, parameters in chain
    ]


def _pairs(world, rng, values):
    return [
        [world.users[int(rng.integers(len(world.users)))]["id"], values[int(rng.integers(len(values)))]]
        for _ in range(int(rng.integers(1, 6)))
    ]


def _subset(rng, values):
    return [value for value in values if rng.random() < 0.6] or values[:1]


def _missing(rng):
    return str(rng.choice(["deny", "allow"]))


def _ids(world, half):
    # Halves that do not meet, so that the lists do not contradict each other.
    return [item["id"] for item in world.items if item["id"] % 5 in half]


def _category(world, rng):
    column = str(rng.choice(["genre", "topics"]))
    by_user = rng.random() < 0.5
    return {
        "column": column,
        "values": None if by_user else _subset(rng, GENRES),
        "user_column": "likes" if by_user else None,
        "missing": _missing(rng),
    }


def _country(world, rng):
    allowed, forbidden = [("lands", None), (None, "banned"), ("lands", "banned")][int(rng.integers(3))]
    return {
        "allowed": allowed,
        "forbidden": forbidden,
        "missing": _missing(rng),
        "unknown_user": _missing(rng),
    }


def _stock(world, rng):
    if rng.random() < 0.5:
        return {"column": "state", "words": ["yes", "soon"], "missing": _missing(rng)}
    return {"column": "stock", "least": float(rng.integers(1, 3)), "missing": _missing(rng)}


def _policy(world, rng):
    flags = _subset(rng, ["flags", "marks", "spam"])
    by_maker = rng.random() < 0.5
    return {"flags": flags} | ({"maker": "maker", "refused_makers": ["Bob"]} if by_maker else {})


# What the oracle need not know: values that no item happens to have are skipped.
EXTRA = {"OnlyCategory": {"on_unknown": "skip"}, "DenyCategory": {"on_unknown": "skip"}}
MAKERS_OF_RULES = {
    "AgeLimit": lambda world, rng: {"minimum": "from_age", "maximum": [None, "to_age"][int(rng.integers(2))]},
    "AllowList": lambda world, rng: {"items": _ids(world, (0, 1, 2, 3))},
    "Available": lambda world, rng: {"start": "starts", "end": "ends", "missing": _missing(rng)},
    "ContentPolicy": _policy,
    "DenyCategory": _category,
    "DenyList": lambda world, rng: {"items": _ids(world, (4,))},
    "Disliked": lambda world, rng: {},
    "Hidden": lambda world, rng: {"pairs": _pairs(world, rng, [item["id"] for item in world.items])},
    "InCountry": _country,
    "InStock": _stock,
    "OnlyCategory": lambda world, rng: _category(world, rng) | {"unknown_user": _missing(rng)},
    "UserBlocks": lambda world, rng: {"blocks": _pairs(world, rng, MAKERS), "column": "maker"},
}
