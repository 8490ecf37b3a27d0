"""Where things are written: results to stdout, notes and progress to stderr."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.text import Text

# Cells on the left and names on the right are broken where space is short; numbers and "whole" columns never.
Side = Literal["left", "right", "whole"]


class Screen(Console):
    """A console that prints text as it is: a title may hold brackets, colons and digits."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Let the error through to the one place that ends the program, instead of ending it here."""
        raise BrokenPipeError


def results() -> Screen:
    """Return the console on stdout; a character that its encoding lacks becomes a question mark."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Screen()


def notes() -> Screen:
    """Return the console on stderr."""
    return Screen(stderr=True)


def write_json(document: Any) -> None:
    """Print `document` as the one JSON document on stdout; text stays readable where stdout can encode it."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=2)
    sys.stdout.write(text + "\n")


def table(columns: Iterable[tuple[str, Side]], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Return a table of `columns`, each with its name and side."""
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for place, (name, side) in enumerate(columns):
        if side == "right":
            longest = max(map(len, [*name.split(), *(row[place] for row in rows)]))
            drawn.add_column(name, justify="right", min_width=longest, overflow="fold")
        else:
            drawn.add_column(name, no_wrap=side == "whole", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def short_float(value: float) -> float:
    """Return a float32 `value` in at most nine digits, which give the same float32 back.

    >>> short_float(0.8732451200485229)
    0.87324512
    """
    return float(f"{value:.9g}")
