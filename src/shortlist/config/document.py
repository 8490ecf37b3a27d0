"""The text of a configuration file as tables, with errors that give line and column."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from shortlist.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def tables(file: Path) -> dict[str, Any]:
    """Return what the TOML file says. Raises `ConfigError` when it cannot be read or is not TOML."""
    text = text_of(file)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(file, text, str(error)) from error


def text_of(file: Path) -> str:
    """Return the text of the file, without a byte order mark. Raises `ConfigError` when it cannot be read."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}, line {line}: not UTF-8 text; save the file as UTF-8") from error


def _syntax_error(file: Path, text: str, message: str) -> ConfigError:
    # tomllib names the position in its message alone, and no numbers where the text ends too early.
    lines = text.splitlines() or [""]
    found = _POSITION.search(message)
    said = message[: found.start()] if found else message
    line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(lines), len(lines[-1]) + 1)
    shown = lines[line - 1].rstrip() if line <= len(lines) else ""
    pointer = " " * (column - 1) + "^"
    return ConfigError(f"{file}, line {line}, column {column}: {said}\n  {shown}\n  {pointer}")
