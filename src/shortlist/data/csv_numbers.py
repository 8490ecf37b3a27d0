"""Columns of numbers read from a surveyed CSV without making text of their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from shortlist import threads
from shortlist.data import large_arrays
from shortlist.data.cells import to_numbers
from shortlist.data.ordering import read_only
from shortlist.kernels.csv_numbers import DECIMAL, SKIP, WHOLE, parse_rows
from shortlist.kernels.csv_records import LF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.csv_survey import Segment, Survey

NumberKind = Literal["id", "number"]
KINDS: Mapping[NumberKind, int] = {"id": WHOLE, "number": DECIMAL}
# Cells of a column that may be read one by one; beyond it, text of the whole column is faster.
MOST_UNCLEAN, ROWS_AN_UNCLEAN = 64, 512


def read_numbers(survey: Survey, kinds: Mapping[int, NumberKind]) -> dict[int, pl.Series]:
    """Return field → Int64 ("id") or Float64 ("number") of all rows, of those fields in `kinds` that hold nothing else.

    An empty cell is null. An "id" is how an int64 prints itself; a "number" is what `cells.to_numbers` takes, finite.
    A field with any other cell is left out, and one where too many cells are unusual (" 1", "1e3", "", more digits
    than 15): one in ROWS_AN_UNCLEAN. Values are those of Python's `int` and `float`, whatever the number of threads.
    Cost: O(bytes), 8 bytes a row and field.
    """
    if not kinds:
        return {}
    fields = sorted(kinds)
    columns = _Columns(survey, fields, [KINDS[kinds[field]] for field in fields])
    columns.parse()
    read = {}
    for slot, field in enumerate(fields):
        series = columns.series(slot, kinds[field])
        if series is not None:
            read[field] = series
    return read


class _Columns:
    def __init__(self, survey: Survey, fields: list[int], kinds: list[int]) -> None:
        self._survey = survey
        self._fields = fields
        self._kinds = np.full(survey.n_fields, SKIP, np.int64)
        self._kinds[fields] = kinds
        self._slots = np.zeros(survey.n_fields, np.int64)
        self._slots[fields] = np.arange(len(fields))
        cells = large_arrays.empty(len(fields) * survey.n_rows, np.int64)
        self._values = cells.reshape(len(fields), survey.n_rows)
        self._most = MOST_UNCLEAN + survey.n_rows // ROWS_AN_UNCLEAN
        self._unclean: list[NDArray[np.int64]] = [np.zeros((0, 4), np.int64)] * len(survey.segments)

    def parse(self) -> None:
        """Read all rows, one segment a call."""
        segments = self._survey.segments

        def block(begin: int, end: int) -> None:
            for at in range(begin, end):
                self._unclean[at] = self._parse(segments[at])

        threads.run_blocks(block, len(segments), block=1)

    def _parse(self, segment: Segment) -> NDArray[np.int64]:
        # The cells that are not clean: slot, row, start, end.
        found = np.empty((len(self._fields), self._most, 3), np.int64)
        count = np.zeros(len(self._fields), np.int64)
        data, shift = self._terminated(segment)
        parse_rows(
            data,
            segment.start - shift,
            segment.stop - shift,
            self._survey.delimiter,
            self._survey.gaps(segment) - shift,
            self._kinds,
            self._slots,
            segment.first_row,
            self._values,
            found,
            count,
        )
        parts = [found[slot, :n] + (0, shift, shift) for slot, n in enumerate(count.tolist())]
        slots = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return np.column_stack([slots, np.concatenate(parts)])

    def _terminated(self, segment: Segment) -> tuple[NDArray[np.uint8], int]:
        # The bytes of the segment, and how many come before. A last line without its end is given one, which cannot
        # be a line feed: a carriage return that stands before the end of the file belongs to its cell.
        data = self._survey.data
        if data[segment.stop - 1] == LF:
            return data, 0
        part = np.append(data[segment.start : segment.stop], np.uint8(self._survey.delimiter))
        return read_only(part), segment.start

    def series(self, slot: int, kind: NumberKind) -> pl.Series | None:
        """Return one column, None where a cell of it is neither empty nor a number."""
        if self._kinds[self._fields[slot]] == SKIP:
            return None
        unclean = np.concatenate([part[part[:, 0] == slot, 1:] for part in self._unclean])
        if len(unclean) > self._most:
            return None
        values = self._values[slot] if kind == "id" else self._values[slot].view(np.float64)
        if not len(unclean):
            return pl.Series(values)
        texts = pl.Series([self._text(start, end) for _, start, end in unclean.tolist()], dtype=pl.String)
        numbers = _read(texts, kind)
        if numbers is None:
            return None
        return pl.Series(values).scatter(unclean[:, 0], numbers)

    def _text(self, start: int, end: int) -> str:
        text = self._survey.data[start:end].tobytes().decode()
        return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _read(texts: pl.Series, kind: NumberKind) -> pl.Series | None:
    # Numbers, null where a text is empty; None where one is neither.
    empty = texts == ""
    if kind == "id":
        return pl.repeat(None, texts.len(), dtype=pl.Int64, eager=True) if bool(empty.all()) else None
    numbers = to_numbers(texts)
    readable = numbers is not None and bool((empty | numbers.is_finite().fill_null(value=False)).all())
    return numbers if readable else None
