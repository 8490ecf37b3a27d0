"""A configuration file written anew with other values, its comments and order kept."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shortlist.config.arguments import parameter_types
from shortlist.config.document import text_of
from shortlist.config.values import UnsuitableError, convert
from shortlist.data.read import read as read_data
from shortlist.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Keys = tuple[str | int, ...]


def rewritten(file: Path, changes: Mapping[str, Any], *, folder: Path, heading: Iterable[str] = ()) -> str:
    """Return the text of the configuration `file` with other values, as it is to stand in `folder`.

    - changes: address → value: "models.NAME.dim", "sources.NAME.k", "scorer.…"; a key that is not there is added as the
      last of its table
    - heading: lines of a comment at the top; the one that an earlier call wrote goes

    Relative paths of [data] are made relative to `folder`. Raises `ConfigError` for an address that the file has no
    table for, `MissingExtraError` without tomlkit.
    """
    lines = list(heading)
    text = _without_heading(text_of(file), lines)
    top = tomllib.loads(text)
    new = {keys_of(file, top, address): value for address, value in changes.items()}
    moved = _moved(top.get("data", {}), file.parent, folder)
    for keys, value in (new | {("data", name): value for name, value in moved.items()}).items():
        text = _with(file, text, keys, value)
    newline = "\r\n" if "\r\n" in text else "\n"
    return "".join(f"# {line}{newline}" for line in lines) + (newline if lines else "") + text


def keys_of(file: Path, top: Mapping[str, Any], address: str) -> Keys:
    """Return the keys and list positions that lead to `address` in the tables of the file."""
    kind, _, rest = address.partition(".")
    if kind == "scorer":
        return kind, rest
    if kind == "models":
        for name in top.get("models", {}):
            if rest.startswith(f"{name}."):
                return kind, name, rest.removeprefix(f"{name}.")
    if kind == "sources":
        for at, table in enumerate(top.get("sources", [])):
            name = table.get("name", table["type"])
            if rest.startswith(f"{name}."):
                return kind, at, rest.removeprefix(f"{name}.")
    raise ConfigError(f"{file}: there is no table for {address}")


def _without_heading(text: str, heading: list[str]) -> str:
    """Return `text` without a comment at its top that begins with the words that `heading` begins with."""
    words = " ".join(heading[0].split()[:3]) if heading else ""
    if not words or not text.startswith(f"# {words}"):
        return text
    lines = text.splitlines(keepends=True)
    end = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[end:]).lstrip("\r\n")


def _moved(data: Mapping[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """Return the entries of [data] that hold a relative path, as they are spelled in another folder."""
    if "dataset" in data or os.path.realpath(old) == os.path.realpath(new):
        return {}
    hints = parameter_types(read_data)
    found = {name: _spelled(value, hints.get(name), old, new) for name, value in data.items()}
    return {name: value for name, value in found.items() if value != data[name]}


def _spelled(value: Any, hint: Any, old: Path, new: Path) -> Any:
    """Return `value` with each path in it that is relative to `old` made relative to `new`."""
    try:
        return _respelled(value, convert(value, hint, old), convert(value, hint, new), new)
    except UnsuitableError:
        return value


def _respelled(value: Any, here: Any, there: Any, new: Path) -> Any:
    """Return `value`, which means `here` where it stands and would mean `there` in `new`, such that it means `here`."""
    if isinstance(here, Path) and here != there:
        return Path(os.path.relpath(here.absolute(), os.path.realpath(new))).as_posix()
    if isinstance(value, list):
        return [_respelled(*parts, new) for parts in zip(value, here, there, strict=True)]
    if isinstance(value, dict):
        # A table may stand for an object with paths that it leaves out.
        ours, theirs = (one if isinstance(one, dict) else vars(one) for one in (here, there))
        spelled = {key: _respelled(value.get(key), ours[key], theirs[key], new) for key in ours}
        return {key: one for key, one in spelled.items() if key in value or one is not None}
    return value


def _with(file: Path, text: str, keys: Keys, value: Any) -> str:
    """Return `text` with `value` at `keys`; whether it says just that is checked."""
    expected = tomllib.loads(text)
    table: Any = expected
    for key in keys[:-1]:
        table = table[key]
    is_new = keys[-1] not in table
    table[keys[-1]] = value
    for write in (_added, _set) if is_new else (_set,):
        changed = write(text, keys, value)
        if changed is not None and tomllib.loads(changed) == expected:
            return changed
    raise ConfigError(f"{file}: {'.'.join(map(str, keys))} = {value!r} could not be written; set it by hand")


def _set(text: str, keys: Keys, value: Any) -> str:
    document = _tomlkit().parse(text)
    table: Any = document
    for key in keys[:-1]:
        table = table[key]
    table[keys[-1]] = value
    changed: str = document.as_string()
    return changed


def _added(text: str, keys: Keys, value: Any) -> str | None:
    """Return `text` with a new last key in its table: before the comment that announces the next, where `_set` is not.

    None where the table is not written below a header of its own.
    """
    tomlkit = _tomlkit()
    document = tomlkit.parse(text)
    table: Any = document
    for key in keys[:-1]:
        table = table[key]
    if not isinstance(table, tomlkit.items.Table):
        return None
    items = [item for key, item in table.value.body if key is not None and not _is_table(tomlkit, item)]
    if not items:
        return None
    last = items[-1].trivia
    newline = "\r\n" if "\r\n" in text else "\n"
    said = f"{tomlkit.key([str(keys[-1])]).as_string()} = {tomlkit.item(value).as_string()}"
    last.trail = (last.trail or newline) + last.indent + said + newline
    changed: str = document.as_string()
    return changed


def _is_table(tomlkit: Any, item: Any) -> bool:
    return isinstance(item, tomlkit.items.Table | tomlkit.items.AoT)


def require_writer() -> None:
    """Raise `MissingExtraError` where `rewritten` could not work."""
    _tomlkit()


def _tomlkit() -> Any:
    try:
        import tomlkit
        import tomlkit.items
    except ImportError as error:
        raise MissingExtraError(
            "writing a configuration needs tomlkit, which is not installed: pip install 'shortlist[experiments]'"
        ) from error
    return tomlkit
