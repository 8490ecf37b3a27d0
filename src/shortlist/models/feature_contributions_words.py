"""What an encoded row says, in words that a person reads, and the row that is left without one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse, special

from shortlist.data.context_columns import request_table
from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.data.label_encodings import LabelEncoding
from shortlist.data.number_encodings import NumericEncoding, QuantileEncoding
from shortlist.data.text_encodings import TextEncoding
from shortlist.data.time_encodings import TimeEncoding
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from shortlist.data.feature_encodings import Encoding
    from shortlist.stages import Request

    Ints = NDArray[np.integer]
    Floats = NDArray[np.float32]

YOURS = "your "
# A float32 of standardised values holds a number to so many parts of it.
EXACT_TO = 1e-5
HOUR = 3_600_000_000  # µs


class Row(NamedTuple):
    """The entries of one encoded row: columns int64[e], values float32[e]."""

    columns: Ints
    values: Floats


class Variants(NamedTuple):
    """Rows without one of their features each: of which row int64[v], without what, and the rows CSR [v, width]."""

    of: NDArray[np.int64]
    names: list[str]
    rows: sparse.csr_array


@dataclass(frozen=True, eq=False)
class Words:
    """How rows read whose columns from `start` on are those of `encoder`, of `width` columns in all.

    - ids [first, end): columns of ids, read as `itself`; a row without its id has 1 in the column `stand_in`, where
      there is one
    - shared: columns of features that the other side has too, under the same name; these are the person's own

    A label reads "genres: Comedy", a word of a text "title: story", a number "year 1994", a time "released 1994-05-03".
    Of what cannot be read back (hashed labels, parts of a time, singular vectors) the column is one feature, "title".
    What says that something is missing is no feature. Without a feature a row is what the encoder gives where that
    is missing: the other words of a text weigh more, and a column without a value says so if it has a mark for it.
    """

    encoder: FeatureEncoder
    width: int
    start: int = 0
    ids: tuple[int, int] = (0, 0)
    itself: str = ""
    stand_in: int | None = None
    shared: Collection[str] = ()

    def of(self, row: Row) -> list[str]:
        """Return what each entry of a row reads as, "" where it is no feature."""
        names = [""] * row.columns.size
        for column, found in self.encoder.slices.items():
            encoding = self.encoder.encodings[column]
            told = f"{YOURS}{column}" if column in self.shared else column
            for at in np.flatnonzero(self._within(row, found)).tolist():
                place = int(row.columns[at]) - self.start - found.start
                names[at] = _read(encoding, told, place, float(row.values[at]))
        for at in np.flatnonzero((row.columns >= self.ids[0]) & (row.columns < self.ids[1])).tolist():
            names[at] = self.itself
        return names

    def without_each(self, rows: sparse.csr_array) -> Variants:
        """Return the rows without each of their features, row by row in the order of the columns."""
        of, names, found = list[int](), list[str](), list[Row]()
        for at in range(rows.shape[0]):
            entries = slice(rows.indptr[at], rows.indptr[at + 1])
            row = Row(rows.indices[entries].astype(np.int64), rows.data[entries])
            reading = self.of(row)
            for name in dict.fromkeys(name for name in reading if name):
                of.append(at)
                names.append(name)
                found.append(self._without(row, np.array([other == name for other in reading])))
        return Variants(np.array(of, np.int64), names, _stacked(found, self.width))

    def _within(self, row: Row, found: slice) -> NDArray[np.bool_]:
        place = row.columns - self.start
        within: NDArray[np.bool_] = (place >= found.start) & (place < found.stop)
        return within

    def _without(self, row: Row, gone: NDArray[np.bool_]) -> Row:
        columns, values = row.columns[~gone], row.values[~gone]
        first = int(row.columns[gone][0])
        if self.ids[0] <= first < self.ids[1]:
            return _with(Row(columns, values), self.stand_in)
        found, encoding = self._encoding_at(first)
        left = self._within(Row(columns, values), found)
        if isinstance(encoding, TextEncoding) and left.any():
            values = values.copy()
            values[left] /= np.sqrt(np.square(values[left], dtype=np.float64).sum())
        mark = self.start + found.stop - 1 if _marks_missing(encoding) and not left.any() else None
        return _with(Row(columns, values), mark)

    def _encoding_at(self, column: int) -> tuple[slice, Encoding]:
        place = column - self.start
        return next(
            (found, self.encoder.encodings[name])
            for name, found in self.encoder.slices.items()
            if found.start <= place < found.stop
        )


def encoder_of(encoding: dict[str, Any] | None) -> FeatureEncoder:
    """Return the encoder of `encoding`, one without columns where it is None."""
    return FeatureEncoder({}, {}) if encoding is None else FeatureEncoder.from_values(encoding)


def said_of(request: Request, encoder: FeatureEncoder) -> sparse.csr_array:
    """Return float32 CSR [1, encoder.width]: what the request says of its one person, who is not in the data."""
    said = {name: cells[0] for name, cells in request.features.items() if name in encoder.kinds}
    return encoder.transform(request_table(said, encoder.kinds))


def _read(encoding: Encoding, column: str, place: int, value: float) -> str:
    """Return how the feature at `place` of a column reads; "" for a mark of what is missing."""
    match encoding:
        case LabelEncoding():
            return f"{column}: {encoding.labels[place]}" if place < len(encoding.labels) else ""
        case TextEncoding():
            return f"{column}: {encoding.words[place]}"
        case NumericEncoding() | QuantileEncoding() | TimeEncoding():
            return f"{column} {_before(encoding, value)}" if place == 0 else ""
        case _:
            return column


def _before(encoding: NumericEncoding | QuantileEncoding | TimeEncoding, value: float) -> str:
    """Return the number or the day that became `value`."""
    if isinstance(encoding, TimeEncoding):
        return _day(value * encoding.scale.std + encoding.scale.mean)
    if isinstance(encoding, NumericEncoding):
        return _plain(value * encoding.std + encoding.mean)
    share = special.ndtr(value) if encoding.shape == "normal" else (value + 1) / 2
    if encoding.shape == "normal":  # which cuts the ends off
        least = (0.5 + EXACT_TO) / encoding.n_quantiles
        share = 0.0 if share <= least else 1.0 if share >= 1 - least else share
    return _plain(float(np.interp(share, encoding.shares, encoding.knots)))


def _plain(number: float) -> str:
    """Return a number that was a float32 in passing, without the digits that it lost.

    >>> _plain(1994.00003), _plain(2.9500001), _plain(-0.123456789)
    ('1994', '2.95', '-0.12346')
    """
    nearest = round(number)
    return str(nearest) if abs(number - nearest) <= EXACT_TO * max(1, abs(number)) else f"{number:.5g}"


def _day(moment: float) -> str:
    """Return the day of a moment in µs since 1970 UTC, to the nearest hour: float32 has no more.

    >>> _day(86_400e6 - 1e6)
    '1970-01-02'
    """
    return str(np.datetime64(round(moment / HOUR), "h").astype("datetime64[D]"))


def _marks_missing(encoding: Encoding) -> bool:
    """Return whether the last feature of a column is 1 in the rows that have no other."""
    match encoding:
        case LabelEncoding():
            return encoding.unknown
        case NumericEncoding() | QuantileEncoding():
            return encoding.missing
        case TimeEncoding():
            return encoding.scale.missing
        case _:
            return False


def _with(row: Row, column: int | None) -> Row:
    """Return the row with a 1 in `column`, where there is one; columns ascend."""
    if column is None:
        return row
    at = int(np.searchsorted(row.columns, column))
    return Row(np.insert(row.columns, at, column), np.insert(row.values, at, np.float32(1)))


def _stacked(rows: list[Row], width: int) -> sparse.csr_array:
    ptr = offsets(np.array([row.columns.size for row in rows], np.int64))
    columns = np.concatenate([np.zeros(0, np.int32), *(row.columns for row in rows)]).astype(np.int32)
    values = np.concatenate([np.zeros(0, np.float32), *(row.values for row in rows)]).astype(np.float32)
    return sparse.csr_array((values, columns, ptr.astype(np.int32)), shape=(len(rows), width))
