"""JSON Lines: one object a line is one row, a key one column, a key that is not there a missing cell.

The text is taken in blocks. A block of nothing but objects, one a line, goes to Polars as it is. Any other is looked
through line by line: what is no object is a reject with its line, and Polars gets the rest.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist.data.column_pieces import LARGEST_EXACT, Piece, join_pieces
from shortlist.data.rejects import Places, joined, rejects_of
from shortlist.data.text_bytes import require_utf8
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.csv_numbers import NumberKind

BLOCK = 1 << 25
LF = 10
NO_OBJECT, UNREADABLE = "no JSON object", "unreadable JSON"
# Half of a surrogate pair, which no text has; the first alternative is a high one alone, the second a low one.
LONE = rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
LARGE_WHOLE = r"^-?\d{16,}$"
SCALARS = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String()}


@dataclass(frozen=True, eq=False)
class Block:
    """Whole lines of the text, none of their bytes copied where every line is a row.

    - start, stop: in the bytes; n_rows of its lines are rows, `types` are those of their keys
    - rows: number of records before, then lines before
    - text: the lines that are rows, where some are not; `records` and `lines` int64[n_rows] are their places then
    - rejects: (record, line, text, reason) of the others
    """

    start: int
    stop: int
    n_rows: int
    types: dict[str, pl.DataType]
    records_before: int
    lines_before: int
    text: bytes | None = None
    records: NDArray[np.int64] | None = None
    lines: NDArray[np.int64] | None = None
    rejects: tuple[tuple[int, int, str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class JsonTable:
    """The table in a JSON Lines text. Make one with `JsonTable.of`.

    - data uint8[bytes]: the text; blocks: what is known of it, in order
    - notes: column → what `load` had to decide about it
    """

    name: str
    columns: list[str]
    data: NDArray[np.uint8]
    blocks: tuple[Block, ...]
    textual: bool = False
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, data: NDArray[np.uint8]) -> JsonTable:
        """Return the table in `data` uint8[bytes], UTF-8, which `name` names in messages and which must not change.

        Raises `DataError` for text that is empty, not UTF-8, or one JSON array.
        Cost: O(bytes); only lines beside those that are no rows are copied.
        """
        blocks: list[Block] = []
        records = lines = 0
        for start, stop in _spans(name, data):
            block, n_records, n_lines = _survey(data, start, stop, records, lines)
            blocks.append(block)
            records, lines = records + n_records, lines + n_lines
        if not records:
            raise DataError(f"{name}: the file is empty; expected one JSON object a line")
        return cls(name, list(dict.fromkeys(key for b in blocks for key in b.types)), data, tuple(blocks))

    @property
    def n_rows(self) -> int:
        """Return the number of lines that are rows."""
        return int(self._ends[-1])

    @cached_property
    def rejects(self) -> pl.DataFrame:
        """Return the lines that are no objects."""
        parts = []
        for record, line, text, reason in (reject for block in self.blocks for reject in block.rejects):
            places, record_text = Places(np.array([record]), np.array([line])), pl.Series([text])
            parts.append(rejects_of(places, None, record_text, reason, record_text))
        return joined(parts)

    def load(self, columns: Sequence[str], numbers: Mapping[str, NumberKind] | None = None) -> pl.DataFrame:
        """Return these columns of all rows, each of its own type, whatever `numbers` names."""
        frames = [self._pieces(block, columns) for block in self.blocks]
        found = []
        for column in columns:
            values, note = join_pieces(self.name, column, [pieces[column] for pieces in frames])
            found.append(values)
            if note:
                self.notes[column] = note
        return pl.DataFrame(found) if found else pl.DataFrame(height=self.n_rows)

    def place(self, at: NDArray[np.int64]) -> Places:
        """Return the record number (from 1, blank lines not counted) and the line of the rows at positions `at`."""
        record, line = np.empty((2, at.size), np.int64)
        for block, mine, inside in self._by_block(at):
            record[mine] = (
                block.records_before + inside + 1 if block.records is None else block.records[inside]
            )
            line[mine] = block.lines_before + inside + 1 if block.lines is None else block.lines[inside]
        return Places(record, line)

    def records(self, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: the lines of the rows at positions `at` (ascending)."""
        texts: list[str] = []
        for block, _, inside in self._by_block(at):
            lines = self._text(block).split(b"\n")
            texts.extend(lines[i].decode().rstrip("\r") for i in inside.tolist())
        return pl.Series(texts, dtype=pl.String)

    def cells(self, column: str, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: what stands in `column` of the rows at positions `at` (ascending)."""
        found = [json.loads(text).get(column) for text in self.records(at)]
        texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in found]
        return pl.Series(column, texts, dtype=pl.String)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([block.n_rows for block in self.blocks])

    def _by_block(
        self, at: NDArray[np.int64]
    ) -> Iterator[tuple[Block, NDArray[np.int64], NDArray[np.int64]]]:
        # Block, which of `at` are in it, and their positions in it.
        which = np.searchsorted(self._ends, at, side="right")
        for number in np.unique(which).tolist():
            block, mine = self.blocks[number], np.flatnonzero(which == number)
            yield block, mine, at[mine] - (self._ends[number] - block.n_rows)

    def _text(self, block: Block) -> bytes:
        return self.data[block.start : block.stop].tobytes() if block.text is None else block.text

    def _pieces(self, block: Block, columns: Sequence[str]) -> dict[str, Piece]:
        where = f"the lines from {block.lines_before + 1:,} on"
        missing = pl.repeat(None, block.n_rows, dtype=pl.Null, eager=True)
        pieces = {column: Piece(missing, where) for column in columns}
        types = {column: block.types[column] for column in columns if column in block.types}
        if types and block.n_rows:
            text = self._text(block)
            frame = _parsed(self.name, text, types)
            other = _not_text(text, [column for column in types if frame.schema[column] == pl.String])
            pieces |= {name: Piece(frame[name], where, other.get(name)) for name in types}
        return pieces


def _spans(name: str, data: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    # Where blocks begin and end: at the ends of lines.
    start = len(codecs.BOM_UTF8) if data[:3].tobytes() == codecs.BOM_UTF8 else 0
    if data[start : start + 64].tobytes().lstrip().startswith(b"["):
        raise DataError(
            f"{name}: this is one JSON array; write one object a line (jq -c '.[]' FILE > NEW.jsonl)"
        )
    while start < data.size:
        stop = min(start + BLOCK, data.size)
        while stop < data.size and data[stop - 1] != LF:
            ends = np.flatnonzero(data[stop : stop + BLOCK] == LF)
            stop = stop + int(ends[0]) + 1 if ends.size else min(stop + BLOCK, data.size)
        require_utf8(name, data, start, stop)
        yield start, stop
        start = stop


def _survey(
    data: NDArray[np.uint8], start: int, stop: int, records: int, lines: int
) -> tuple[Block, int, int]:
    # The block, how many records it holds, rejects among them, and how many lines.
    text = data[start:stop].tobytes()
    n_lines = text.count(b"\n") + (not text.endswith(b"\n"))
    objects = text.startswith(b"{") and text.count(b"\n{") == n_lines - 1
    types = _types(text) if objects and not _has_lone_surrogate(text) else None
    if types is not None:
        return Block(start, stop, n_lines, types, records, lines), n_lines, n_lines
    good, rejects = _look_through(text.split(b"\n"), records, lines)
    kept = b"\n".join(line for _, _, line in good)
    places = np.array([(record, line) for record, line, _ in good], np.int64).reshape(-1, 2)
    types = _types(kept)
    if types is None:
        types = _types_one_by_one(line for _, _, line in good)
    block = Block(start, stop, len(good), types, records, lines, kept, places[:, 0], places[:, 1], rejects)
    return block, len(good) + len(rejects), n_lines


def _types(text: bytes) -> dict[str, pl.DataType] | None:
    # None where Polars cannot read all of it, or not in one type a key.
    if not text:
        return {}
    try:
        return dict(pl.scan_ndjson(text, infer_schema_length=None).collect_schema())
    except (pl.exceptions.PolarsError, RecursionError):
        return None


def _parsed(name: str, text: bytes, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    try:
        return _exact(text, types)
    except (pl.exceptions.PolarsError, RecursionError):
        # Polars takes true for a kind of number until it meets one.
        known = _types_one_by_one(text.split(b"\n"))
    try:
        return _exact(text, {column: known[column] for column in types})
    except (pl.exceptions.PolarsError, RecursionError) as error:
        raise DataError(f"{name}: cannot be parsed: {error}") from error


def _exact(text: bytes, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    frame = pl.read_ndjson(text, schema=types)
    large = [column for column, dtype in types.items() if dtype == pl.Float64 and _is_large(frame[column])]
    if not large:
        return frame
    # Of a large whole number beside a fraction, digits were lost.
    texts = pl.read_ndjson(text, schema=dict.fromkeys(large, pl.String()))
    return frame.with_columns(column for column in texts if column.str.contains(LARGE_WHOLE).any())


def _is_large(values: pl.Series) -> bool:
    # Not only above: the next whole number was rounded down to it.
    return bool((values.abs() >= LARGEST_EXACT).any())


def _not_text(text: bytes, columns: Sequence[str]) -> dict[str, pl.Series]:
    # Column → Boolean[n]: the cells that are no text in JSON, of those columns where some are.
    mixed = [column for column in columns if _may_hold_others(text, column)]
    if not mixed:
        return {}
    rows = [json.loads(line) for line in text.split(b"\n") if line]
    kinds = {c: [not isinstance(row.get(c), str | None) for row in rows] for c in mixed}
    return {column: pl.Series(other) for column, other in kinds.items() if any(other)}


def _may_hold_others(text: bytes, column: str) -> bool:
    keys = {json.dumps(column), json.dumps(column, ensure_ascii=False)}
    spelled = b"|".join(re.escape(key.encode()) for key in keys)
    return re.search(rb"(?:" + spelled + rb")\s*:\s*[-0-9tf\[{]", text) is not None


def _has_lone_surrogate(text: bytes) -> bool:
    return (rb"\ud" in text or rb"\uD" in text) and re.search(LONE, text) is not None


def _look_through(
    lines: list[bytes], records: int, before: int
) -> tuple[list[tuple[int, int, bytes]], tuple[tuple[int, int, str, str], ...]]:
    # (record, line, text) of the rows, and the rejects.
    good, rejects = [], []
    for number, line in enumerate(lines, before + 1):
        if not line.strip():
            continue
        records += 1
        reason = _fault(line)
        if reason is None:
            good.append((records, number, line.strip()))
        else:
            rejects.append((records, number, line.decode().strip(), reason))
    unread = set(_unparsable([line for _, _, line in good], 0))
    rejects += [(*good[i][:2], good[i][2].decode(), UNREADABLE) for i in unread]
    return [row for i, row in enumerate(good) if i not in unread], tuple(sorted(rejects))


def _fault(line: bytes) -> str | None:
    try:
        value = json.loads(line, parse_constant=_refuse)
        if _has_lone_surrogate(line):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return UNREADABLE
    return None if isinstance(value, dict) else NO_OBJECT


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON


def _unparsable(lines: list[bytes], first: int) -> list[int]:
    # Lines that Python takes and Polars does not, such as numbers of 50 digits, found by halving.
    if not lines or _is_grammatical(b"\n".join(lines)):
        return []
    if len(lines) == 1:
        return [first]
    half = len(lines) // 2
    return _unparsable(lines[:half], first) + _unparsable(lines[half:], first + half)


def _is_grammatical(text: bytes) -> bool:
    try:
        # Of a key that no line has, so that types do not matter.
        pl.read_ndjson(text, schema={"\0": pl.Null()})
    except (pl.exceptions.PolarsError, RecursionError):
        return False
    return True


def _types_one_by_one(lines: Iterable[bytes]) -> dict[str, pl.DataType]:
    # Keys whose values have no type in common become text.
    kinds: dict[str, set[Any]] = {}
    for line in filter(None, lines):
        for key, value in json.loads(line).items():
            kinds.setdefault(key, set()).add(_kind(value))
    return {key: _type_of(found - {None}) for key, found in kinds.items()}


def _kind(value: object) -> object:
    if isinstance(value, list):
        return list if all(not isinstance(entry, dict | list) for entry in value) else dict
    if type(value) is int and not -(2**63) <= value < 2**63:
        return str
    return None if value is None else type(value)


def _type_of(kinds: set[Any]) -> pl.DataType:
    if kinds == {list}:
        return pl.List(pl.String())
    if kinds == {int, float}:
        return pl.Float64()
    only = next(iter(kinds)) if len(kinds) == 1 else str
    return SCALARS.get(only, pl.String()) if kinds else pl.Null()
