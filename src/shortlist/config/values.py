"""Whether a value of a TOML file suits a parameter's annotated type, and the value as that type.

The annotations of constructors and functions are the one definition of what a key may hold.
"""

from __future__ import annotations

import inspect
import os
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from shortlist.config.place import listed, suggest
from shortlist.errors import ParameterError

_PLAIN: dict[Any, str] = {
    Any: "any value",
    object: "any value",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    os.PathLike: "a path",
    Path: "a path",
    datetime: "a date with a time",
    date: "a date",
}
_ANYTHING = (Any, object)
_LISTS = (list, tuple, Sequence, Iterable, Collection)
_TABLES = (dict, Mapping)
_PATHS = (Path, os.PathLike)


class UnsuitableError(Exception):
    """A value does not suit a type; the message says what is needed instead."""


def convert(value: object, hint: Any, folder: Path) -> Any:
    """Return `value`, as `tomllib` gives it, as an instance of the type `hint`; paths are relative to `folder`.

    A whole number serves where a number is needed, and a list where a tuple is. A table makes a dataclass whose fields
    a file can hold: its keys are the arguments of the constructor.
    Raises `UnsuitableError` for any other difference, where a constructor refuses its arguments, and where a file
    cannot hold the type (a function, say).
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _ANYTHING:
        return value
    if origin is Literal:
        return _of_literal(value, hint)
    if origin in (Union, types.UnionType):
        return _of_union(value, hint, folder)
    if origin in _LISTS or hint in _LISTS:
        return _of_list(value, hint, origin or hint, arguments, folder)
    if origin in _TABLES or hint in _TABLES:
        return _of_table(value, hint, arguments, folder)
    return _of_fields(value, hint, folder) if _fields(hint) else _of_plain(value, hint, folder)


def can_hold(hint: Any) -> bool:
    """Return whether a file can hold some value of the type `hint`."""
    origin = get_origin(hint) or hint
    if origin in (Union, types.UnionType):
        return any(can_hold(part) for part in get_args(hint))
    return origin in (*_ANYTHING, Literal, *_LISTS, *_TABLES, *_PLAIN) or bool(_fields(origin))


def describe(hint: Any) -> str:
    """Return what the type `hint` needs, in words.

    >>> describe(Literal["count", "mean"] | None)
    '"count" or "mean"'
    >>> describe(tuple[float, float])
    'a list of 2: a number, a number'
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(_toml(choice) for choice in arguments)
    if origin in (Union, types.UnionType):
        possible = [part for part in arguments if can_hold(part)]
        return " or ".join(dict.fromkeys(map(describe, possible))) if possible else describe(None)
    if origin is tuple and arguments[-1:] != (...,):
        return f"a list of {len(arguments)}: {', '.join(describe(part) for part in arguments)}"
    if origin in _LISTS or hint in _LISTS:
        return f"a list; each entry {describe(arguments[0])}" if arguments else "a list"
    if origin in _TABLES or hint in _TABLES:
        return f"a table; each entry {describe(arguments[1])}" if arguments else "a table"
    fields = _fields(hint)
    other = f"a table of {listed(fields)}" if fields else "something that a file cannot hold"
    return _PLAIN.get(origin or hint, other)


def _of_literal(value: object, hint: Any) -> object:
    # 1 == True in Python, not in a file.
    if any(type(value) is type(choice) and value == choice for choice in get_args(hint)):
        return value
    raise _unsuitable(value, hint)


def _of_union(value: object, hint: Any, folder: Path) -> Any:
    parts = [part for part in get_args(hint) if can_hold(part)]
    if isinstance(value, dict):
        # Of a table, the one type that is made from its keys can say best what is wrong with it.
        parts = [part for part in parts if _fields(part)] or parts
    if len(parts) == 1:
        return convert(value, parts[0], folder)
    # A path before plain text, so that it is resolved; the exact type first, so that 1 stays whole in `float | int`.
    parts.sort(key=lambda part: (not _is_path(part), part is not type(value)))
    for part in parts:
        try:
            return convert(value, part, folder)
        except UnsuitableError:
            continue
    raise _unsuitable(value, hint)


def _of_list(value: object, hint: Any, origin: Any, arguments: tuple[Any, ...], folder: Path) -> Any:
    if not isinstance(value, list | tuple):  # a tuple is a parameter's default
        raise _unsuitable(value, hint)
    if origin is tuple and arguments and arguments[-1] is not ...:
        if len(value) != len(arguments):
            raise UnsuitableError(f"needs {describe(hint)}; got {len(value)}")
        return tuple(convert(entry, part, folder) for entry, part in zip(value, arguments, strict=True))
    entries = [convert(entry, arguments[0], folder) for entry in value] if arguments else value
    return tuple(entries) if origin is tuple or isinstance(value, tuple) else entries


def _of_table(value: object, hint: Any, arguments: tuple[Any, ...], folder: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unsuitable(value, hint)
    if not arguments:
        return value
    return {key: convert(entry, arguments[1], folder) for key, entry in value.items()}


def _fields(hint: Any) -> dict[str, Any]:
    """Return the arguments of the dataclass `hint` with their types; none where a file cannot hold it."""
    if not (isinstance(hint, type) and is_dataclass(hint)):
        return {}
    try:
        hints = get_type_hints(hint)
    except NameError:  # a type that its module imports for type checkers alone
        return {}
    fields = {name: hints[name] for name in inspect.signature(hint).parameters}
    return fields if all(map(can_hold, fields.values())) else {}


def _of_fields(value: object, hint: Any, folder: Path) -> Any:
    fields = _fields(hint)
    if not isinstance(value, dict):
        raise _unsuitable(value, hint)
    found = {}
    for key, entry in value.items():
        if key not in fields:
            raise UnsuitableError(f"has no key {key!r}.{suggest(key, fields)} It has {listed(fields)}")
        try:
            found[key] = convert(entry, fields[key], folder)
        except UnsuitableError as error:
            raise UnsuitableError(f"{key}: {error}") from None
    parameters = inspect.signature(hint).parameters.values()
    for parameter in parameters:
        if isinstance(parameter.default, Path):
            found.setdefault(parameter.name, folder / parameter.default)
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in found]
    if missing:
        raise UnsuitableError(f"needs {listed(missing)}")
    try:
        return hint(**found)
    except ParameterError as error:
        raise UnsuitableError(str(error)) from error


def _of_plain(value: object, hint: Any, folder: Path) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if _is_path(hint) and isinstance(value, str):
        return folder / Path(value).expanduser()
    # bool is a kind of int, and datetime a kind of date, in Python only.
    if hint in _PLAIN and type(value) is hint:
        return value
    raise _unsuitable(value, hint)


def _is_path(hint: Any) -> bool:
    return (get_origin(hint) or hint) in _PATHS


def _unsuitable(value: object, hint: Any) -> UnsuitableError:
    return UnsuitableError(f"needs {describe(hint)}, not {_toml(value)}")


def _toml(value: object) -> str:
    """Return `value` about as it stands in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return f"a table ({', '.join(value)})"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else str(value)
