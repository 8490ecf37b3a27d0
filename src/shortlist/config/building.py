"""Objects made from tables of a configuration file: of the class that a table names, with its entries as arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist import registry
from shortlist.config.arguments import arguments, named
from shortlist.config.place import Place
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shortlist.models.model import Model


@dataclass(frozen=True)
class Call:
    """A function with its keyword arguments, whose refusals are errors of the file."""

    place: Place
    function: Callable[..., Any]
    keywords: Mapping[str, Any]

    def __call__(self, *given: Any) -> Any:
        """Return what the function returns. Raises `ConfigError` where it refuses an argument."""
        try:
            return self.function(*given, **self.keywords)
        except ParameterError as error:
            raise self.place.error(str(error)) from error


def listed_tables(file: Path, entries: object, name: str) -> list[tuple[Place, object]]:
    """Return the tables of a list such as [[sources]], each with its place."""
    if not isinstance(entries, list) or not entries:
        raise Place(file, f"[[{name}]]").error(
            f"it is a list of tables: write each as [[{name}]], in double brackets"
        )
    return [(Place(file, f"[[{name}]] no. {number}"), entry) for number, entry in enumerate(entries, 1)]


def listed_stages(
    file: Path, entries: object, name: str, classes: Mapping[str, str], models: Mapping[str, Model]
) -> list[Any]:
    """Return the stages of a list of tables."""
    tables = listed_tables(file, entries, name)
    return [made(place, entry, classes, name.removesuffix("s"), models) for place, entry in tables]


def made(
    place: Place, table: object, classes: Mapping[str, str], what: str, models: Mapping[str, Model]
) -> Any:
    """Return the object of the class that `table` names under type, made from its other entries."""
    name, rest = kind_of(place, table, "type", {name: name for name in classes}, f"type of {what}")
    cls = registry.class_of(name)
    try:
        return Call(place, cls, arguments(place, rest, cls, models=models))()
    except DataError as error:  # of a table that the file names
        raise place.error(str(error)) from error


def kind_of(
    place: Place, table: object, key: str, choices: Mapping[str, Any], what: str
) -> tuple[Any, dict[str, Any]]:
    """Return what `table` names under `key`, and its other entries."""
    if not isinstance(table, dict):
        raise place.error(f"it is a table; write {place.table} and its entries below")
    if key not in table:
        raise place.error(f"needs {key} = {spelled(choices)}")
    chosen = named(place.at(key), table[key], choices, what)
    return chosen, {name: value for name, value in table.items() if name != key}


def spelled(table: Mapping[str, Any]) -> str:
    """Return the names of a table as a file may spell them."""
    return " | ".join(f'"{name}"' for name in table)
