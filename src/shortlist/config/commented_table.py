"""A table of a configuration file with what each key does; defaults are those of a signature."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shortlist.config.arguments import SEED
from shortlist.config.toml_text import toml, toml_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OFF = "# "
# Where comments begin, and up to which length of an entry they stand beside it.
COLUMN, LONGEST = 38, 60


@dataclass(frozen=True)
class CommentedTable:
    """A table as it stands in a file.

    - head: its first line, such as "[split]"; about: lines of comment above it
    - target: what its keys are arguments of, which says their defaults
    - keys: key → what it does, in order
    - values: key → value of the keys that are set; the others are commented out, with their default or, where
      they have none that a file can hold, with the example in `shown`
    - named: entries that are no arguments, such as type: key → (value, meaning)
    - is_active: False comments out the whole table
    """

    head: str
    target: Callable[..., Any]
    keys: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    is_active: bool = True

    def to_text(self) -> str:
        """Return its lines. Raises `ParameterError` for text that a file cannot hold."""
        mark = "" if self.is_active else OFF
        lines = [f"{OFF}{line}" for line in self.about] + [mark + self.head]
        lines += [entry(key, toml(value), meaning, mark) for key, (value, meaning) in self.named.items()]
        lines += [
            entry(key, toml(self.values[key]), self._meaning(key), mark)
            for key in self.keys
            if key in self.values
        ]
        lines += [
            entry(key, toml(self._default_or_example(key)), meaning, mark + OFF)
            for key, meaning in self.keys.items()
            if key not in self.values
        ]
        return "\n".join(lines)

    def _meaning(self, key: str) -> str:
        default = self._default(key)
        if default is inspect.Parameter.empty or default is None or default == self.values[key]:
            return self.keys[key]
        return f"{self.keys[key]} (default {toml(default)})"

    def _default_or_example(self, key: str) -> Any:
        default = self._default(key)
        return self.shown[key] if default is None or default is inspect.Parameter.empty else default

    def _default(self, key: str) -> Any:
        return inspect.signature(self.target).parameters["rng" if key == SEED else key].default


def entry(key: str, value: str, meaning: str, mark: str = "") -> str:
    """Return a line that sets `key` to the TOML text `value`, with its meaning as a comment; above it where it is long.

    `mark` goes before the line: `OFF` comments it out.

    >>> entry("k", "10", "how long", OFF)
    '# k = 10                                # how long'
    """
    text = f"{mark}{toml_key(key)} = {value}"
    return f"{text:<{COLUMN}}  {OFF}{meaning}" if len(text) <= LONGEST else f"{OFF}{key}: {meaning}\n{text}"
