"""Conditions: a rule on the columns of a table, such as `event in ["click", "buy"] and watch_seconds >= 30`.

    condition  = all ("or" all)*
    all        = part ("and" part)*
    part       = "(" condition ")" | column operator literal | column "in" "[" literal ("," literal)* "]"
    operator   = "==" | "!=" | "<" | "<=" | ">" | ">="
    literal    = number | "text" | 'text' | true | false
    column     = a name of letters, digits, _ and .; any other name between backquotes, as in `watch seconds`

Nothing of it is ever run as Python. A comparison with an empty cell never holds, be it == or !=.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from shortlist.data.cells import TEXT, is_missing, to_numbers
from shortlist.data.columns import require_column
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.rejects import Screening

Literal = float | str | bool

TOKEN = re.compile(
    r"""\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(?P<text>"[^"]*"|'[^']*')|(?P<name>[^\W\d][\w.]*)"""
    r"""|`(?P<quoted>[^`]+)`|(?P<mark>==|!=|<=|>=|[<>()\[\],]))"""
)
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TRUTH = {"true": True, "false": False}
TRUTH_CELLS = {"true": True, "1": True, "false": False, "0": False}
KINDS = {float: "number", bool: "truth value", str: "text"}


@dataclass(frozen=True)
class Comparison:
    """A column compared with one literal, or with several, one of which it must equal (operator "in")."""

    column: str
    operator: str
    literals: tuple[Literal, ...]

    @property
    def kind(self) -> type[Literal]:
        """Return the type of the literals, which is one."""
        return type(self.literals[0])

    def holds(self, cells: pl.Series) -> pl.Series:
        """Return bool[n]: where the comparison holds; `cells` are of `kind`, null where there is nothing to compare."""
        if self.operator == "in":
            found = cells.is_in(list(self.literals))
        else:
            found = COMPARISONS[self.operator](cells, self.literals[0])
        return found.fill_null(value=False)


@dataclass(frozen=True)
class Junction:
    """Several conditions joined by "and" or "or"."""

    word: str
    parts: tuple[Node, ...]


Node = Comparison | Junction


@dataclass(frozen=True)
class Condition:
    """A rule that was read and is well formed. Make one with `Condition.of`."""

    text: str
    root: Node

    @classmethod
    def of(cls, name: str, text: object) -> Condition:
        """Return the condition that `text` writes; `name` is the parameter that holds it, for messages.

        Raises `ParameterError` that points at the place where something else was expected.

        >>> Condition.of("engaged", 'event in ["click", "buy"] and `seconds watched` >= 30').columns
        ['event', 'seconds watched']
        """
        if not isinstance(text, str):
            raise ParameterError(
                f'{name} must be a condition in text, such as "watch_seconds >= 30"; got {text!r}'
            )
        return cls(text, _Reader(name, text).whole())

    @property
    def columns(self) -> list[str]:
        """Return the columns that are compared, each once."""
        return list(dict.fromkeys(part.column for part in self._comparisons()))

    @property
    def numbers(self) -> list[str]:
        """Return the columns that are compared with numbers alone."""
        kinds = {c: {part.kind for part in self._comparisons() if part.column == c} for c in self.columns}
        return [column for column, found in kinds.items() if found == {float}]

    def require_columns(self, name: str, columns: Sequence[str]) -> None:
        """Raise `DataError`, with the nearest name, where the table `name` with these `columns` lacks one of ours."""
        for column in self.columns:
            require_column(f"{name}, in the rule {self.text!r}", columns, column)

    def holds(self, name: str, frame: pl.DataFrame, screening: Screening) -> NDArray[np.bool_]:
        """Return bool[n]: the rows of `frame` for which the condition holds.

        Rows are rejected where a cell that is not empty is no number (or truth value), though its column is compared
        with nothing else. Raises `DataError` where the type of a column cannot be compared so; `name` says of which
        table. Cost: O(n · comparisons).
        """
        cells = {
            (column, kind): _cells(name, frame[column], kind, self._is_only(column, kind), screening)
            for column, kind in dict.fromkeys((part.column, part.kind) for part in self._comparisons())
        }
        return _holds(self.root, cells).to_numpy()

    def _is_only(self, column: str, kind: type[Literal]) -> bool:
        return all(part.kind is kind for part in self._comparisons() if part.column == column)

    def _comparisons(self) -> list[Comparison]:
        return list(_leaves(self.root))


def _leaves(node: Node) -> Iterator[Comparison]:
    if isinstance(node, Comparison):
        yield node
        return
    for part in node.parts:
        yield from _leaves(part)


def _holds(node: Node, cells: dict[tuple[str, type[Literal]], pl.Series]) -> pl.Series:
    if isinstance(node, Comparison):
        return node.holds(cells[node.column, node.kind])
    found = _holds(node.parts[0], cells)
    for part in node.parts[1:]:
        other = _holds(part, cells)
        found = found & other if node.word == "and" else found | other
    return found


def _cells(name: str, column: pl.Series, kind: type[Literal], only: bool, screening: Screening) -> pl.Series:
    # The cells as `kind`, null where they are empty or no such thing.
    cells = {float: to_numbers, bool: _truths, str: _texts}[kind](column)
    if cells is None:
        raise DataError(
            f"{name}: the column {column.name!r} is {column.dtype} and cannot be compared with a {KINDS[kind]}"
        )
    if only and kind is not str:
        screening.reject(
            cells.is_null() & ~is_missing(column), column.name, column, f"unparsable {KINDS[kind]}"
        )
    return cells.fill_nan(None) if kind is float else cells


def _truths(column: pl.Series) -> pl.Series | None:
    if column.dtype in TEXT:
        text = column.cast(pl.String).str.strip_chars().str.to_lowercase()
        return text.replace_strict(TRUTH_CELLS, default=None, return_dtype=pl.Boolean)
    if column.dtype == pl.Boolean:
        return column
    if column.dtype.is_integer():
        return column.set(~column.is_between(0, 1), None).cast(pl.Boolean)
    return None


def _texts(column: pl.Series) -> pl.Series | None:
    if column.dtype in TEXT:
        text = column.cast(pl.String)
        return text.set(is_missing(text), None)
    return column.cast(pl.String) if column.dtype == pl.Date else None


class _Reader:
    """Reads a condition from left to right by the grammar at the top of this file."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.tokens = list(self._split())
        self.at = 0

    def whole(self) -> Node:
        """Return all of the text as one condition."""
        found = self._joined("or")
        if self._kind() != "end":
            raise self._error('"and", "or" or the end')
        return found

    def _split(self) -> Iterator[tuple[str, str, int]]:
        # (kind, what it says, where it begins)
        at, end = 0, len(self.text.rstrip())
        while at < end:
            match = TOKEN.match(self.text, at)
            if match is None or match.lastgroup is None:
                start = at + len(self.text[at:]) - len(self.text[at:].lstrip())
                yield "unknown", self.text[start:end], start
                break
            start = match.start(match.lastgroup) - (match.lastgroup == "quoted")
            yield match.lastgroup, match[match.lastgroup], start
            at = match.end()
        yield "end", "", end

    def _kind(self) -> str:
        return self.tokens[self.at][0]

    def _take(self, *marks: str) -> str | None:
        # The next word or mark, if it is one of these.
        kind, said, _ = self.tokens[self.at]
        if kind not in ("name", "mark") or said not in marks:
            return None
        self.at += 1
        return said

    def _require(self, mark: str) -> None:
        if self._take(mark) is None:
            raise self._error(f'"{mark}"')

    def _joined(self, word: str) -> Node:
        parts = [self._part(word)]
        while self._take(word):
            parts.append(self._part(word))
        return parts[0] if len(parts) == 1 else Junction(word, tuple(parts))

    def _part(self, word: str) -> Node:
        if word == "or":
            return self._joined("and")
        if self._take("("):
            found = self._joined("or")
            self._require(")")
            return found
        return self._comparison()

    def _comparison(self) -> Comparison:
        column = self._column()
        if self._take("in"):
            return Comparison(column, "in", self._list())
        compared = self._take(*COMPARISONS)
        if compared is None:
            raise self._error(f"a comparison ({', '.join(COMPARISONS)}, in) after the column {column!r}")
        return Comparison(column, compared, (self._literal(),))

    def _column(self) -> str:
        kind, said, _ = self.tokens[self.at]
        if kind not in ("name", "quoted") or (kind == "name" and said in ("and", "or", "in", *TRUTH)):
            raise self._error("the name of a column")
        self.at += 1
        return said

    def _list(self) -> tuple[Literal, ...]:
        self._require("[")
        literals = [self._literal()]
        while self._take(","):
            start = self.at
            literals.append(self._literal())
            if type(literals[-1]) is not type(literals[0]):
                self.at = start
                raise self._error(f"a {KINDS[type(literals[0])]}, as the first of the list is")
        self._require("]")
        return tuple(literals)

    def _literal(self) -> Literal:
        kind, said, _ = self.tokens[self.at]
        if kind == "number":
            literal: Literal = float(said)
        elif kind == "text":
            literal = said[1:-1]
        elif kind == "name" and said in TRUTH:
            literal = TRUTH[said]
        else:
            quoted = f'; text stands in quotes: "{said}"' if kind == "name" else ""
            raise self._error(f"a number, a text in quotes, true or false{quoted}")
        self.at += 1
        return literal

    def _error(self, expected: str) -> ParameterError:
        _, said, start = self.tokens[self.at]
        found = f"found {said!r}" if said else "the text ends"
        hint = "; equality is written ==" if said.startswith("=") else ""
        return ParameterError(
            f"{self.name}: at character {start + 1}, expected {expected}, and {found}{hint}\n"
            f"  {self.text}\n  {' ' * start}^"
        )
