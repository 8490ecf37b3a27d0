"""Columns of numbers, times and ids read from a surveyed CSV without making a string of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from shortlist import threads
from shortlist.data import large_arrays
from shortlist.data.cells import to_numbers
from shortlist.data.csv_texts import as_enum
from shortlist.data.ordering import read_only
from shortlist.data.timestamps import read_iso
from shortlist.kernels.csv_numbers import DECIMAL, SKIP, TEXT, TIME, WHOLE, parse_rows
from shortlist.kernels.csv_records import LF
from shortlist.kernels.text_codes import LENGTH_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.csv_survey import Segment, Survey

NumberKind = Literal["id", "number", "value", "time"]
# What a field of each kind is tried as, in turns.
READINGS: Mapping[NumberKind, tuple[int, ...]] = {
    "id": (WHOLE, TEXT),
    "number": (DECIMAL,),
    "value": (DECIMAL,),
    "time": (WHOLE, TIME),
}
# Cells of a column that may be read one by one; beyond it, text of the whole column is faster.
MOST_UNCLEAN, ROWS_AN_UNCLEAN = 64, 512


def read_numbers(survey: Survey, kinds: Mapping[int, NumberKind]) -> dict[int, pl.Series]:
    """Return field → cells of all rows, of those fields in `kinds` that can be read without making text of them.

    - "id": Int64 where every cell is how an int64 prints itself; else Enum of the distinct texts, sorted
    - "number": Float64 where every cell is what `cells.to_numbers` takes, finite
    - "value": Float64 likewise; null, NaN or infinite where `cells.to_numbers` says so
    - "time": Int64 as an "id"; else Datetime in µs UTC of ISO 8601 text, null where a cell is none

    An empty cell is null, but for an Enum. A field with any other cell is left out, and one where too many cells are
    unusual (" 1", "1e3", "", more digits than 15): one in ROWS_AN_UNCLEAN; or, for an Enum, with too many distinct
    ones. Values are those of Python's `int` and `float`, whatever the number of threads.
    Cost: O(bytes), 8 bytes a row and field.
    """
    if not kinds:
        return {}
    columns = _Columns(survey, kinds)
    columns.parse()
    read = {field: columns.series(slot, kinds[field]) for slot, field in enumerate(sorted(kinds))}
    return {field: series for field, series in read.items() if series is not None}


class _Columns:
    # A slot is the place of a field among those that are read.

    def __init__(self, survey: Survey, kinds: Mapping[int, NumberKind]) -> None:
        self._survey = survey
        self._fields = sorted(kinds)
        self._slots = np.zeros(survey.n_fields, np.int64)
        self._slots[self._fields] = np.arange(len(kinds))
        self._left = [list(READINGS[kinds[field]]) for field in self._fields]
        self._reading = np.array([left.pop(0) for left in self._left])
        cells = large_arrays.empty(len(kinds) * survey.n_rows, np.int64)
        self._values = cells.reshape(len(kinds), survey.n_rows)
        self._most = MOST_UNCLEAN + survey.n_rows // ROWS_AN_UNCLEAN
        # (slot, segment) → row, start and end of each cell that is not clean
        self._unclean: dict[tuple[int, int], NDArray[np.int64]] = {}

    def parse(self) -> None:
        """Read all rows, one segment a call; the first segment shows what most fields are."""
        for begin, end in (0, 1), (1, len(self._survey.segments)):
            self._parse(begin, end, np.flatnonzero(self._reading != SKIP))
            while again := [
                slot for slot, left in enumerate(self._left) if self._reading[slot] == SKIP and left
            ]:
                self._reading[again] = [self._left[slot].pop(0) for slot in again]
                self._parse(0, end, np.array(again))

    def _parse(self, begin: int, end: int, slots: NDArray[np.int64]) -> None:
        # These slots of the segments in [begin, end).
        kinds = np.full(self._survey.n_fields, SKIP)
        fields = np.array(self._fields)[slots]
        kinds[fields] = self._reading[slots]

        def block(start: int, stop: int) -> None:
            for at in range(begin + start, begin + stop):
                self._parse_segment(at, kinds, slots)

        threads.run_blocks(block, end - begin, block=1)
        self._reading[slots] = kinds[fields]

    def _parse_segment(self, at: int, kinds: NDArray[np.int64], slots: NDArray[np.int64]) -> None:
        segment = self._survey.segments[at]
        found = np.empty((len(self._fields), self._most, 3), np.int64)
        count = np.zeros(len(self._fields), np.int64)
        data, shift = self._terminated(segment)
        where = data, segment.start - shift, segment.stop - shift, self._survey.delimiter
        gaps = self._survey.gaps(segment) - shift
        parse_rows(*where, gaps, kinds, self._slots, segment.first_row, self._values, found, count)
        for slot in slots.tolist():
            self._unclean[slot, at] = found[slot, : count[slot]] + (0, shift, shift)
            if shift and kinds[self._fields[slot]] == TEXT:
                self._values[slot, segment.first_row :] += shift << LENGTH_BITS

    def _terminated(self, segment: Segment) -> tuple[NDArray[np.uint8], int]:
        # The bytes of the segment, and how many come before. A last line without its end is given one, which cannot
        # be a line feed: a carriage return that stands before the end of the file belongs to its cell.
        data = self._survey.data
        if data[segment.stop - 1] == LF:
            return data, 0
        part = np.append(data[segment.start : segment.stop], np.uint8(self._survey.delimiter))
        return read_only(part), segment.start

    def series(self, slot: int, kind: NumberKind) -> pl.Series | None:
        """Return one column, None where it cannot be read so."""
        reading = self._reading[slot]
        if reading == SKIP:
            return None
        if reading == TEXT:
            return as_enum(self._survey.data, self._values[slot])
        unclean = np.concatenate([self._unclean[slot, at] for at in range(len(self._survey.segments))])
        if len(unclean) > self._most:
            return None
        values = pl.Series(self._values[slot].view(np.float64 if reading == DECIMAL else np.int64))
        if len(unclean):
            texts = pl.Series([self._text(start, end) for _, start, end in unclean.tolist()], dtype=pl.String)
            read = _read(texts, reading, kind)
            if read is None:
                return None
            values = values.scatter(unclean[:, 0], read)
        if reading != TIME:
            return values
        return values.cast(pl.Datetime("us", "UTC")) if values.null_count() < values.len() else None

    def _text(self, start: int, end: int) -> str:
        text = self._survey.data[start:end].tobytes().decode()
        return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _read(texts: pl.Series, reading: int, kind: NumberKind) -> pl.Series | None:
    # What these cells hold, null where they are empty; None where one is nothing that such a column may hold.
    if reading == TIME:
        return read_iso(texts)
    empty = texts == ""
    if reading == WHOLE:
        return pl.repeat(None, texts.len(), dtype=pl.Int64, eager=True) if bool(empty.all()) else None
    numbers = to_numbers(texts)
    if kind == "value" or numbers is None:
        return numbers
    return numbers if bool((empty | numbers.is_finite().fill_null(value=False)).all()) else None
