"""Place: where in a configuration file something stands, so that every error says it the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from shortlist.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True)
class Place:
    """A table of a configuration file, or with `key` one entry of it."""

    file: Path
    table: str = ""
    key: str = ""

    def at(self, key: str) -> Place:
        """Return the place of `key` in this table."""
        return replace(self, key=key)

    def error(self, message: str) -> ConfigError:
        """Return the error that says `message` of this place."""
        parts = (str(self.file), self.table, self.key)
        return ConfigError(f"{': '.join(part for part in parts if part)}: {message}")

    def __str__(self) -> str:
        return self.table or "the top level"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'dim'?" for the known word that `word` is nearest to, "" where none is near.

    >>> suggest("wals", ["WALS", "Popularity"])
    " Did you mean 'WALS'?"
    >>> suggest("xyz", ["WALS", "Popularity"])
    ''
    """
    spelling = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), spelling, n=1)
    return f" Did you mean {spelling[near[0]]!r}?" if near else ""


def listed(words: Iterable[str]) -> str:
    """Return the words in order, separated by commas; "none" where there are none."""
    return ", ".join(words) or "none"
