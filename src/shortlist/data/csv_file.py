"""CSV files: every record is either a row with as many cells as the header, or a reject with its line.

The file is surveyed once for where records begin and end (`shortlist.kernels.csv_records` has the grammar). Columns
that are asked for as numbers, and hold nothing else, are then read straight from its bytes (`csv_numbers`). The others
are parsed by Polars: from the file as it is where there are no irregular records, the usual case; else from a copy
without them, with those rewritten of which only the quoting is unusual. Their cells stay text: what they mean is
decided later, over a whole column, so that an id such as 007 survives.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.csv_numbers import read_numbers
from shortlist.data.csv_survey import AFTER, END, FORM, LINE, ROW, START, Survey
from shortlist.data.rejects import Places, joined, no_rejects, rejects_of
from shortlist.data.text_bytes import as_utf8, bytes_at, require_utf8
from shortlist.errors import DataError, ParameterError
from shortlist.kernels.csv_records import CR, LF, RAGGED, UNBALANCED, UNCLOSED, UNUSUAL, next_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.data.csv_numbers import NumberKind

REASONS = {RAGGED: "wrong number of fields", UNBALANCED: "unbalanced quotes"}
OTHER_DELIMITERS = (";", "\t", "|", ",", "::")
LOOKED_AT = 1 << 24  # bytes that show which line ends a file has


@dataclass(frozen=True, eq=False)
class CsvTable:
    """A surveyed CSV. Make one with `CsvTable.open` or `CsvTable.of`.

    - survey: where the records stand in its bytes
    - path: a file with the same bytes that Polars can be given unchanged; None where there is none
    """

    name: str
    columns: list[str]
    delimiter: str
    survey: Survey
    body: int
    path: Path | None = None
    textual: bool = True
    notes: Mapping[str, str] = field(default_factory=dict)  # nothing is decided here

    @classmethod
    def open(cls, path: Path, delimiter: str) -> CsvTable:
        """Return the table in the file at `path`.

        Raises `DataError` for a file that is missing, empty, not UTF-8, without rows, or separated otherwise.
        Cost: O(bytes), without holding the file in memory.
        """
        data, same = bytes_at(path)
        text = as_utf8(str(path), data, None)
        return cls.of(str(path), text, delimiter, path if same and text is data else None)

    @classmethod
    def of(cls, name: str, data: NDArray[np.uint8], delimiter: str, path: Path | None = None) -> CsvTable:
        """Return the table in `data` uint8[bytes], UTF-8, which `name` names in messages.

        `data` is not copied and must not change; `path` is a file with the same bytes, where there is one.
        Raises as `open`.
        """
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise ParameterError(
                f"delimiter={delimiter!r} must be one ASCII character other than a quote or line end"
            )
        data, changed = _with_line_feeds(data)
        begin = _after_blank_lines(data)
        if begin >= data.size:
            require_utf8(name, data, 0, data.size)
            raise DataError(f"{name}: the file is empty; expected a header line and rows")
        header_line = 1 + int(np.count_nonzero(data[:begin] == LF))
        end, body, form, lines = next_record(data, begin, ord(delimiter), 0)
        if form in (UNBALANCED, UNCLOSED):
            require_utf8(name, data, 0, data.size)
            raise DataError(f"{name}, line {header_line}: the quotes of the header do not close")
        require_utf8(name, data, 0, body)
        columns = _cells(data[begin:end], delimiter)
        survey = Survey.of(data, body, header_line + lines, ord(delimiter), len(columns))
        for start, stop in survey.not_ascii:
            require_utf8(name, data, start, stop)
        _require_header(name, columns, delimiter)
        if survey.n_records == 0:
            raise DataError(f"{name}: there is a header ({', '.join(columns)}) and no row below it")
        unusual = changed or len(survey.irregular) or form == UNUSUAL or not header_line == lines == 1
        return cls(name, columns, delimiter, survey, body, None if unusual else path)

    @cached_property
    def rejects(self) -> pl.DataFrame:
        """Return the records that are no rows, with the text of their first line."""
        parts, irregular = [no_rejects()], self.survey.irregular
        for form, reason in REASONS.items():
            found = irregular[irregular[:, FORM] == form]
            texts = self._texts(found[:, [START, END]])
            places = Places(found[:, ROW].copy(), found[:, LINE].copy())
            parts.append(rejects_of(places, None, texts, reason, texts))
        return joined(parts)

    @property
    def n_rows(self) -> int:
        """Return the number of records that are rows."""
        return self.survey.n_rows

    def load(self, columns: Sequence[str], numbers: Mapping[str, NumberKind] | None = None) -> pl.DataFrame:
        """Return these columns of all rows, as text; "" where a cell is empty.

        A column named in `numbers` becomes Int64 ("id") or Float64 ("number"), with null for an empty cell, if every
        other cell is an integer as an int64 prints itself, or a finite number; see `csv_numbers.read_numbers`.
        """
        fields = {name: self.columns.index(name) for name in columns}
        if self.n_rows == 0:
            return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        kinds = {fields[name]: kind for name, kind in (numbers or {}).items() if name in fields}
        read = read_numbers(self.survey, kinds)
        text = self._load_text(sorted(set(fields.values()) - set(read)))
        return pl.DataFrame([(text | read)[field].rename(name) for name, field in fields.items()])

    def _load_text(self, fields: list[int]) -> dict[int, pl.Series]:
        if not fields:
            return {}
        try:
            frame = pl.read_csv(
                self._regular_bytes() if self.path is None else self.path,
                has_header=self.path is not None,
                columns=fields,
                separator=self.delimiter,
                infer_schema=False,
                empty_string_is_null=False,
                glob=False,
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{self.name}: cannot be parsed: {error}") from error
        if frame.height != self.n_rows:
            raise DataError(
                f"{self.name}: {self.n_rows} rows surveyed and {frame.height} read; did the file change?"
            )
        return dict(zip(fields, frame.get_columns(), strict=True))

    def place(self, at: NDArray[np.int64]) -> Places:
        """Return the record number (from 1) and the physical line of the rows at positions `at` (ascending)."""
        found = self.survey.find(at)
        return Places(found[:, 0].copy(), found[:, 1].copy())

    def records(self, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: the text of the rows at positions `at` (ascending), as it stands in the file."""
        return self._texts(self.survey.find(at)[:, 2:])

    def cells(self, column: str, at: NDArray[np.int64]) -> pl.Series:
        """Return String[n]: the text of `column` in the rows at positions `at` (ascending)."""
        field = self.columns.index(column)
        found = [_cells(self.survey.data[start:end], self.delimiter)[field] for start, end in self._spans(at)]
        return pl.Series(column, found, dtype=pl.String)

    def _spans(self, at: NDArray[np.int64]) -> list[list[int]]:
        spans: list[list[int]] = self.survey.find(at)[:, 2:].tolist()
        return spans

    def _texts(self, spans: NDArray[np.int64]) -> pl.Series:
        data = self.survey.data
        return pl.Series([_text(data[start:end]) for start, end in spans.tolist()], dtype=pl.String)

    def _regular_bytes(self) -> bytes:
        # Everything but the irregular records, with the unusual ones quoted.
        data, begin = self.survey.data, self.body
        view = memoryview(data.data)
        parts: list[memoryview | bytes] = []
        for form, start, end, after in self.survey.irregular[:, : AFTER + 1].tolist():
            parts.append(view[begin:start])
            if form == UNUSUAL:
                parts.append(_quoted(_cells(data[start:end], self.delimiter), self.delimiter))
            begin = after
        return b"".join([*parts, view[begin:]])


def _with_line_feeds(data: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bool]:
    # The bytes as kernels want them, and whether they were changed.
    if data.ctypes.data % 8:
        data = data.copy()
    if not np.any(data[:LOOKED_AT] == LF) and np.any(data == CR):
        # Lines that end in CR alone, as old spreadsheets on a Mac write them.
        return np.frombuffer(data.tobytes().replace(b"\r", b"\n"), np.uint8), True
    data = data.view()
    data.flags.writeable = False
    return data, False


def _after_blank_lines(data: NDArray[np.uint8]) -> int:
    start = len(codecs.BOM_UTF8) if data[:3].tobytes() == codecs.BOM_UTF8 else 0
    while start < data.size and data[start] in (LF, CR):
        start += 1
    return start


def _require_header(name: str, columns: list[str], delimiter: str) -> None:
    named = [column for column in columns if column]
    twice = next((column for column in named if named.count(column) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: two columns are called {twice!r}; rename one of them")
    if len(columns) > 1:
        return
    other = next((mark for mark in OTHER_DELIMITERS if mark != delimiter and mark in columns[0]), None)
    if other is not None:
        what_to_do = "separate the columns by one character"
        if len(other) == 1:
            what_to_do = f"pass delimiter={other!r} (--delimiter {other!r})"
        raise DataError(
            f"{name}: one column found, {columns[0]!r}, where {delimiter!r} separates columns; "
            f"this file is separated by {other!r}: {what_to_do}"
        )


def _cells(record: NDArray[np.uint8], delimiter: str) -> list[str]:
    mark = re.escape(delimiter)
    fields = re.findall(rf'(?:^|{mark})(?:"((?:[^"]|"")*)"|([^{mark}]*))', _text(record))
    return [quoted.replace('""', '"') or plain for quoted, plain in fields]


def _quoted(cells: Sequence[str], delimiter: str) -> bytes:
    return (delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n").encode()


def _text(record: NDArray[np.uint8]) -> str:
    return record.tobytes().decode()
