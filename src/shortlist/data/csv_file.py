"""CSV files: every record is either a row with as many cells as the header, or a reject with its line.

The file is surveyed once for where records begin and end (`shortlist.kernels.csv_records` has the grammar). A file
without irregular records, the usual case, is then parsed by Polars as it is; from any other the irregular records
are cut out, or rewritten where only their quoting is unusual, and Polars parses the rest. Cells stay text: what
they mean is decided later, over a whole column, so that an id such as 007 survives.
"""

from __future__ import annotations

import codecs
import mmap
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.rejects import Places, joined, no_rejects, rejects_of
from shortlist.errors import DataError, ParameterError
from shortlist.kernels.csv_records import RAGGED, UNBALANCED, UNUSUAL, find_lines, next_record, survey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

REASONS = {RAGGED: "wrong number of fields", UNBALANCED: "unbalanced quotes"}
OTHER_DELIMITERS = (";", "\t", "|", ",", "::")
UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
CHUNK = 1 << 24
FORM, START, END, AFTER, ROW, LINE = range(6)  # columns of `irregular`


@dataclass(frozen=True, eq=False)
class CsvTable:
    """A surveyed CSV file. Make one with `CsvTable.open`.

    - data uint8[bytes]: the file; its first record after the header begins at `body`, on line `body_line`
    - irregular int64[m, 6]: see `kernels.csv_records.survey`
    - as_it_is: whether Polars can be given the file unchanged
    """

    name: str
    path: Path
    columns: list[str]
    delimiter: str
    data: NDArray[np.uint8]
    body: int
    body_line: int
    n_records: int
    irregular: NDArray[np.int64]
    as_it_is: bool
    textual: bool = True

    @classmethod
    def open(cls, path: Path, delimiter: str) -> CsvTable:
        """Return the table in the file at `path`.

        Raises `DataError` for a file that is missing, empty, not UTF-8, without rows, or separated otherwise.
        Cost: O(bytes), without holding the file in memory.
        """
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise ParameterError(
                f"delimiter={delimiter!r} must be one ASCII character other than a quote or line end"
            )
        name, (data, verbatim) = str(path), _bytes_of(path)
        _require_utf8(name, data)
        start = _after_blank_lines(data)
        if start >= data.size:
            raise DataError(f"{name}: the file is empty; expected a header line and rows")
        begin, header_line = start, 1 + int(np.count_nonzero(data[:start] == 10))
        end, body, form, lines = next_record(data, begin, ord(delimiter), 0)
        if form == UNBALANCED:
            raise DataError(f"{name}, line {header_line}: the quotes of the header do not close")
        columns = _cells(data[begin:end], delimiter)
        _require_header(name, columns, delimiter)
        where = (data, body, header_line + lines, ord(delimiter), len(columns))
        n_records, n_irregular = survey(*where, np.zeros((0, 6), np.int64))
        if n_records == 0:
            raise DataError(f"{name}: there is a header ({', '.join(columns)}) and no row below it")
        irregular = np.zeros((n_irregular, 6), np.int64)
        if n_irregular:
            survey(*where, irregular)
        as_it_is = verbatim and n_irregular == 0 and form != UNUSUAL and header_line == lines == 1
        return cls(
            name, path, columns, delimiter, data, body, header_line + lines, n_records, irregular, as_it_is
        )

    @cached_property
    def rejects(self) -> pl.DataFrame:
        """Return the records that are no rows, with the text of their first line."""
        parts = [no_rejects()]
        for form, reason in REASONS.items():
            found = self.irregular[self.irregular[:, FORM] == form]
            texts = pl.Series([_text(self.data[r[START] : r[END]]) for r in found], dtype=pl.String)
            places = Places(found[:, ROW].copy(), found[:, LINE].copy())
            parts.append(rejects_of(places, None, texts, reason))
        return joined(parts)

    @property
    def n_rows(self) -> int:
        """Return the number of records that are rows."""
        return self.n_records - self.rejects.height

    def load(self, columns: Sequence[str]) -> pl.DataFrame:
        """Return these columns of all rows, as text; "" where a cell is empty."""
        if self.n_rows == 0:
            return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        at = sorted(self.columns.index(name) for name in columns)
        try:
            frame = pl.read_csv(
                self.path if self.as_it_is else self._regular_bytes(),
                has_header=self.as_it_is,
                columns=at,
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
        frame.columns = [self.columns[i] for i in at]
        return frame.select(columns)

    def place(self, at: NDArray[np.int64]) -> Places:
        """Return the record number (from 1) and the physical line of the rows at positions `at` (ascending)."""
        rejected = self.rejects["row"].to_numpy()
        rows_before = rejected - 1 - np.arange(rejected.size)
        row = at + 1 + np.searchsorted(rows_before, at, side="right")
        line = np.zeros(row.size, np.int64)
        find_lines(self.data, self.body, self.body_line, ord(self.delimiter), len(self.columns), row, line)
        return Places(row, line)

    def _regular_bytes(self) -> bytes:
        # Everything but the irregular records, with the unusual ones quoted.
        view, begin = memoryview(self.data.data), self.body
        parts: list[memoryview | bytes] = []
        for form, start, end, after in self.irregular[:, : AFTER + 1].tolist():
            parts.append(view[begin:start])
            if form == UNUSUAL:
                parts.append(_quoted(_cells(self.data[start:end], self.delimiter), self.delimiter))
            begin = after
        return b"".join([*parts, view[begin:]])


def _bytes_of(path: Path) -> tuple[NDArray[np.uint8], bool]:
    # And whether a second reader would find the same bytes at `path`.
    try:
        with path.open("rb") as file:
            # A pipe cannot be mapped, and an empty file neither.
            mapped = path.is_file() and path.stat().st_size > 0
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if mapped else file.read()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; check the path") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    data = np.frombuffer(content, np.uint8)
    if not np.any(data[:CHUNK] == 10) and np.any(data == 13):
        # Lines that end in CR alone, as old spreadsheets on a Mac write them.
        return np.frombuffer(data.tobytes().replace(b"\r", b"\n"), np.uint8), False
    return data, mapped


def _require_utf8(name: str, data: NDArray[np.uint8]) -> None:
    if data[:2].tobytes() in UTF16_BOMS:
        raise DataError(f"{name} is encoded as UTF-16; save it as UTF-8")
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, data.size, CHUNK):
        chunk = data[start : start + CHUNK].tobytes()
        pending = len(decoder.getstate()[0])
        if chunk.isascii() and not pending:
            continue
        try:
            decoder.decode(chunk, final=start + CHUNK >= data.size)
        except UnicodeDecodeError as error:
            at = max(start - pending + error.start, 0)
            line = 1 + int(np.count_nonzero(data[:at] == 10))
            raise DataError(
                f"{name}, line {line}: byte 0x{data[at]:02x} is not UTF-8; the file seems to be in another encoding, "
                f"such as Windows-1252: save it as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW)"
            ) from error


def _after_blank_lines(data: NDArray[np.uint8]) -> int:
    start = len(codecs.BOM_UTF8) if data[:3].tobytes() == codecs.BOM_UTF8 else 0
    while start < data.size and data[start] in (10, 13):
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
        what_to_do = (
            f"pass delimiter={other!r}" if len(other) == 1 else "separate the columns by one character"
        )
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
