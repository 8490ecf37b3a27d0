"""Tables as keyword arguments, checked against the signature of what they are handed to.

The signature is the one definition of each parameter: its name, its type and its default. Two things are spelled
otherwise in a file: a parameter `rng` is the whole number `seed`, and a parameter that takes a model names a table
of [models], one that takes models by name a list of such tables.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from shortlist.config.place import listed, suggest
from shortlist.config.values import UnsuitableError, can_hold, convert
from shortlist.data.feedback import Kind
from shortlist.data.id_lists import GivenIds, GivenPairs
from shortlist.data.tables import Source
from shortlist.data.vocabulary import Id
from shortlist.models.model import Model
from shortlist.models.term_weights import Weighting

if TYPE_CHECKING:
    from shortlist.config.place import Place

SEED = "seed"
_GENERATOR = "rng"
# What annotations may name although their module imports it for type checkers alone.
_NAMES = {
    "Callable": Callable,
    "Collection": Collection,
    "Id": Id,
    "GivenIds": GivenIds,
    "GivenPairs": GivenPairs,
    "Iterable": Iterable,
    "Kind": Kind,
    "Mapping": Mapping,
    "Model": Model,
    "Path": Path,
    "Sequence": Sequence,
    "Source": Source,
    "Weighting": Weighting,
    "datetime": datetime,
}


def arguments(
    place: Place,
    table: Mapping[str, Any],
    target: Callable[..., Any],
    *,
    supplied: Collection[str] = (),
    models: Mapping[str, Model] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Return the keyword arguments for `target` that `table` holds, converted to their annotated types.

    - supplied: parameters that the caller gives itself and a table may not
    - models: what a parameter that takes a model may name
    - seed: for a parameter `rng` where the table has no `seed`

    Raises `ConfigError` for an unknown key (with the nearest right spelling), a value of another type, an unknown model
    and a missing key.
    """
    hints = parameter_types(target)
    allowed = [SEED if name == _GENERATOR else name for name in hints if name not in supplied]
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key not in allowed:
            raise place.at(key).error(
                f"{target.__name__} has no such key.{suggest(key, allowed)} It has {listed(allowed)}"
            )
        if key == SEED and _GENERATOR in hints:
            found[_GENERATOR] = seed_of(place.at(key), value)
        else:
            found[key] = _value(place.at(key), value, hints[key], models or {})
    if _GENERATOR in hints and _GENERATOR not in supplied:
        found.setdefault(_GENERATOR, seed)
    missing = [name for name in _required(target) if name not in found and name not in supplied]
    if missing:
        needs = " and ".join(_spelled(name, hints[name], models or {}) for name in missing)
        raise place.error(f"{target.__name__} needs {needs}")
    return found


def seed_of(place: Place, value: object) -> int:
    """Return a seed, which is a whole number of at least 0. Raises `ConfigError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise place.error(f"needs a whole number of at least 0, not {value!r}")
    return value


def parameter_types(target: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of `target` that a file may set (or that are `rng`), by name, with their types."""
    function = inspect.unwrap(target.__init__ if isinstance(target, type) else target)  # type: ignore[misc]
    parameters = inspect.signature(target).parameters
    hints = {name: _resolved(parameter.annotation, function) for name, parameter in parameters.items()}
    return {
        name: hint
        for name, hint in hints.items()
        if name == _GENERATOR or takes_model(hint) or can_hold(hint)
    }


def takes_model(hint: Any) -> bool:
    """Return whether a parameter of the type `hint` is, or may be, a model, or holds models by name."""
    return any(isinstance(kind, type) and issubclass(kind, Model) for kind in (hint, *get_args(hint)))


def takes_models(hint: Any) -> bool:
    """Return whether a parameter of the type `hint` holds models by name."""
    return get_origin(hint) is Mapping and takes_model(hint)


def _resolved(annotation: Any, function: Callable[..., Any]) -> Any:
    """Return the type that `annotation` names, or what no file can hold where its module does not import the name."""
    holder = type("Holder", (), {"__annotations__": {"it": annotation}})
    try:
        return get_type_hints(holder, globalns=_NAMES | getattr(function, "__globals__", {}))["it"]
    except NameError:
        return None


def _required(target: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(target).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is parameter.empty]


def _value(place: Place, value: object, hint: Any, models: Mapping[str, Model]) -> Any:
    if takes_models(hint):
        return _named_models(place, value, models)
    if takes_model(hint):
        return named(place, value, models, "model")
    try:
        return convert(value, hint, place.file.parent)
    except UnsuitableError as error:
        raise place.error(str(error)) from None


def _named_models(place: Place, value: object, models: Mapping[str, Model]) -> dict[str, Model]:
    if not isinstance(value, list):
        raise place.error(f"needs a list of names of models, not {value!r}; there are {listed(models)}")
    found = {name: named(place, name, models, "model") for name in value}
    if len(found) < len(value):
        twice = next(name for name in found if value.count(name) > 1)
        raise place.error(f"{twice!r} is named twice; leave one out")
    return found


def named(place: Place, value: object, table: Mapping[str, Any], what: str) -> Any:
    """Return what `table` calls `value`. Raises `ConfigError` naming the known names of a `what`."""
    if not isinstance(value, str):
        raise place.error(f"needs the name of a {what} in quotes, not {value!r}; there are {listed(table)}")
    if value not in table:
        raise place.error(f"no {what} is called {value!r}.{suggest(value, table)} There are {listed(table)}")
    return table[value]


def _spelled(name: str, hint: Any, models: Mapping[str, Model]) -> str:
    if takes_models(hint):
        return f"{name} = a list of names of models"
    return f"{name} = one of the models: {listed(models)}" if takes_model(hint) else f"the key {name}"
