"""Random requests to a fitted recommender, in every form in which its arguments may be given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from contract.worlds import START, World

STRANGERS = (-987_654_321, "a stranger")


@dataclass(frozen=True)
class Asked:
    """One call of `recommend` in plain values; `forms` says how `users`, `items`, `exclude` and `at` are written.

    `users` None: the folded-in people. `second` is the moment asked for, seconds since 1970.
    """

    users: tuple[int | str, ...] | None
    k: int
    exclude_seen: bool = True
    items: tuple[int | str, ...] | None = None
    exclude: tuple[int | str, ...] | None = None
    second: int | None = None
    on_unknown: str = "raise"
    forms: tuple[str, str, str, str] = ("list", "list", "list", "iso")

    def source(self, recommender: str = "model") -> str:
        """Return the call as Python source."""
        arguments = ["folded" if self.users is None else written(self.users, self.forms[0])]
        arguments.append(f"k={self.k}")
        if not self.exclude_seen:
            arguments.append("exclude_seen=False")
        if self.items is not None:
            arguments.append(f"items={written(self.items, self.forms[1])}")
        if self.exclude is not None:
            arguments.append(f"exclude={written(self.exclude, self.forms[2])}")
        if self.second is not None:
            arguments.append(f"at={self.moment()}")
        if self.on_unknown != "raise":
            arguments.append(f"on_unknown={self.on_unknown!r}")
        return f"{recommender}.recommend({', '.join(arguments)})"

    def moment(self) -> str:
        """Return Python source of the moment asked for."""
        if self.forms[3] == "microseconds":
            return str(self.second * 1_000_000)
        moment = datetime.fromtimestamp(self.second, UTC)
        if self.forms[3] == "iso":
            return repr(moment.replace(tzinfo=None).isoformat())
        return repr(moment if self.forms[3] == "aware" else moment.replace(tzinfo=None))


def written(ids: Sequence[int | str], form: str) -> str:
    """Return Python source of `ids` as a list, tuple, generator, Series, array, or one id by itself."""
    dtype = "" if not ids else ", dtype=pl.Int64" if isinstance(ids[0], int) else ", dtype=pl.String"
    array = "" if not ids else ", dtype=np.int64" if isinstance(ids[0], int) else ", dtype=object"
    return {
        "list": f"{list(ids)!r}",
        "tuple": f"{tuple(ids)!r}",
        "generator": f"(each for each in {list(ids)!r})",
        "series": f"pl.Series({list(ids)!r}{dtype})",
        "array": f"np.array({list(ids)!r}{array})",
        "one": f"{ids[0]!r}" if len(ids) == 1 else f"{list(ids)!r}",
    }[form]


def asked_of(rng: np.random.Generator, world: World) -> Asked:
    """Return a random request to the world's recommender."""
    catalogue = sorted(world.catalogue, key=str)
    people = sorted(world.people, key=str)
    folded = bool(world.strangers) and rng.random() < 0.3
    strange = type(people[0])(STRANGERS[isinstance(people[0], str)])
    pool = people if rng.random() < 0.5 else [*people, strange]
    n = len(pool) if rng.random() < 0.15 else min(len(pool), int(rng.integers(1, 5)))
    asked = Asked(
        None if folded else tuple(_sample(rng, pool, n)),
        int(rng.choice([0, 1, 2, 3, len(catalogue), len(catalogue) + 2, 10**9])),
        bool(rng.random() < 0.7),
        _some(rng, catalogue, world) if rng.random() < 0.4 else None,
        _some(rng, catalogue, world) if rng.random() < 0.4 else None,
        START + int(rng.integers(-1, 8)) if rng.random() < 0.4 else None,
        str(rng.choice(["raise", "skip", "fallback", "fallback"])),
    )
    ids = ["list", "tuple", "generator", "series", "array"]
    forms = [str(rng.choice([*ids, "one"])), *map(str, rng.choice(ids, 2))]
    return replace(asked, forms=(*forms, str(rng.choice(["iso", "aware", "naive", "microseconds"]))))


def _some(rng: np.random.Generator, catalogue: list, world: World) -> tuple:
    """Return items for a limit: any number, none, all, or what one user has seen, so that nothing may be left."""
    draw = rng.random()
    if draw < 0.1:
        return ()
    if draw < 0.2:
        return tuple(catalogue)
    if draw < 0.35:
        user = world.events[rng.integers(len(world.events))].user
        return tuple(sorted({event.item for event in world.events if event.user == user}, key=str))
    return tuple(_sample(rng, catalogue, int(rng.integers(1, len(catalogue) + 1))))


def _sample(rng: np.random.Generator, values: list, n: int) -> list:
    return [values[p] for p in rng.permutation(len(values))[:n]]
