"""Timestamps: numbers, ISO 8601 text and date columns become microseconds since 1970 UTC, one reading a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EARLIEST = -62_135_596_800_000_000  # 0001-01-01
LATEST = 253_402_300_799_999_999  # 9999-12-31
# (bound of the median magnitude, unit, how many make a second): 1e11 s is the year 5138, 1e11 ms is 1973.
UNITS = ((1e11, "seconds", 1), (1e14, "milliseconds", 10**3), (1e17, "microseconds", 10**6))
SMALLEST_UNIT = ("nanoseconds", 10**9)
PER_SECOND = {unit: n for _, unit, n in UNITS} | dict([SMALLEST_UNIT])
MICRO = 10**6
MEDIAN_SAMPLE = 1 << 16  # evenly spaced cells are enough
FIRST_DAY, LAST_DAY = 1900_01_01, 2100_12_31
NAIVE = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M%#z")
DAYS = "days written YYYYMMDD, at midnight UTC"
ISO = "ISO 8601 text, UTC unless it names an offset"


@dataclass(frozen=True, eq=False)
class Times:
    """Times read from a column.

    - microseconds int64[n]: since 1970 UTC; 0 where `readable` bool[n] is false
    - readable: false where the cell is no time, or one outside the years 1 to 9999
    - missing bool[n]: where the cell is empty
    - meaning: how the cells were read, for the import report
    - unit: what the numbers of the column count, None where they are no count of a unit since 1970
    """

    microseconds: NDArray[np.int64]
    readable: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    meaning: str
    unit: str | None = None

    @classmethod
    def of(cls, microseconds: pl.Series, missing: pl.Series, meaning: str, unit: str | None = None) -> Times:
        """Return the times at `microseconds` Int64, null where a cell is unreadable."""
        if _all_between(microseconds, EARLIEST, LATEST) and not microseconds.null_count():
            readable = np.ones(microseconds.len(), bool)
            return cls(microseconds.to_numpy(), readable, missing.to_numpy(), meaning, unit)
        inside = microseconds.is_between(EARLIEST, LATEST).fill_null(value=False)
        kept = microseconds.set(~inside, 0)
        return cls(kept.to_numpy(), inside.to_numpy(), missing.to_numpy(), meaning, unit)


def read_times(name: str, column: pl.Series) -> Times:
    """Return the times in `column`: text, integers, floats, dates or datetimes.

    Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970, whichever the median of their
    magnitudes says (of evenly spaced cells, in a long column; 0 says nothing), or days written YYYYMMDD when at least
    half of them are. Text is such a number or ISO 8601. What names no offset is UTC. Fractions of a microsecond are
    lost.
    Raises `DataError` for a column of another type; `name` says of which table.
    """
    dtype = column.dtype
    if dtype in (pl.Date, pl.Datetime):
        return Times.of(_physical(column), column.is_null(), _meaning_of(dtype))
    if dtype == pl.String:
        return _from_text(column)
    if dtype.is_integer() or dtype == pl.Null:
        microseconds, unit = _from_numbers(column.cast(pl.Int64, strict=False), None)
        return Times.of(microseconds, column.is_null(), _since(unit), unit)
    if dtype.is_float() or dtype.is_decimal():
        number = column.cast(pl.Float64).fill_nan(None)
        microseconds, unit = _from_numbers(None, number)
        return Times.of(microseconds, number.is_null(), _since(unit), unit)
    raise DataError(
        f"{name}: the column {column.name!r} is {dtype}; a time is a number, ISO 8601 text, or a date"
    )


def _physical(column: pl.Series) -> pl.Series:
    return column.cast(pl.Datetime("us", getattr(column.dtype, "time_zone", None))).to_physical()


def _meaning_of(dtype: pl.DataType) -> str:
    if dtype == pl.Date:
        return "dates, at midnight UTC"
    zone = getattr(dtype, "time_zone", None)
    return "datetimes, taken as UTC" if zone is None else f"datetimes in {zone}, converted to UTC"


def _from_text(column: pl.Series) -> Times:
    whole = column.cast(pl.Int64, strict=False)
    if not whole.null_count():
        microseconds, unit = _from_numbers(whole, None)
        return Times.of(microseconds, column.is_null(), _since(unit), unit)
    text = column.str.strip_chars()
    missing = text.is_null() | (text == "")
    whole = text.cast(pl.Int64, strict=False)
    number = text.set(whole.is_not_null(), None).cast(pl.Float64, strict=False)
    iso = _from_iso(text.set(missing | whole.is_not_null() | number.is_not_null(), None))
    from_numbers, unit = _from_numbers(whole, number)
    meaning = _since(unit)
    if iso.null_count() < iso.len():
        numeric = whole.null_count() + number.null_count() < 2 * iso.len()
        meaning, unit = (f"{meaning}, or {ISO}", unit) if numeric else (ISO, None)
    filled = iso.zip_with(iso.is_not_null(), from_numbers)
    return Times.of(filled, missing.fill_null(value=True), meaning, unit)


def read_iso(cells: pl.Series) -> pl.Series | None:
    """Return Int64[n]: the times (µs UTC) in `cells` String[n] of ISO 8601, null where a cell is none.

    None where a cell is a number, which has a meaning only beside the others of its column.
    """
    text = cells.str.strip_chars()
    if text.cast(pl.Float64, strict=False).null_count() < text.len():
        return None
    return _from_iso(text.set(text == "", None))


def _from_iso(text: pl.Series) -> pl.Series:
    text = text.str.replace(r"\s*UTC$", "Z")
    microseconds = pl.repeat(None, text.len(), dtype=pl.Int64, eager=True)
    for form in (*NAIVE, *ZONED):
        left = (text.is_not_null() & microseconds.is_null()).arg_true()
        if not left.len():
            break
        zone = "UTC" if form in ZONED else None
        times = text.gather(left).str.to_datetime(form, time_unit="us", time_zone=zone, strict=False)
        microseconds = microseconds.scatter(left, times.to_physical())
    return microseconds


def _all_between(value: pl.Series, low: int, high: int) -> bool:
    # Whether each that is not null is; the least and the greatest say so without a column of answers.
    bounds = value.is_nan().any() if value.dtype.is_float() else False
    if bounds or value.null_count() == value.len():
        return False
    return bool(value.min() >= low and value.max() <= high)  # type: ignore[operator]


def _since(unit: str | None) -> str:
    return DAYS if unit is None else f"{unit} since 1970"


def _from_numbers(whole: pl.Series | None, number: pl.Series | None) -> tuple[pl.Series, str | None]:
    # Microseconds, and the unit they were in, None for days.
    # `whole` Int64 is converted exactly; `number` Float64 holds what has a fraction. Both null where it is neither.
    both = [part for part in (whole, number) if part is not None]
    median = _typical_magnitude(both)
    if whole is not None and FIRST_DAY <= median <= LAST_DAY:
        days = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False)
        if 2 * days.null_count() <= whole.len() + whole.null_count():
            return _physical(days), None
    unit, per_second = next(((unit, n) for bound, unit, n in UNITS if median < bound), SMALLEST_UNIT)
    converted = [_scaled(part, per_second) for part in both]
    microseconds = (
        converted[0] if len(both) == 1 else converted[0].zip_with(converted[0].is_not_null(), converted[1])
    )
    return microseconds, unit


def _typical_magnitude(parts: Sequence[pl.Series]) -> float:
    filled = [part.drop_nulls() for part in parts]
    stride = 1 + sum(part.len() for part in filled) // MEDIAN_SAMPLE
    sample = pl.concat([part.gather_every(stride).cast(pl.Float64) for part in filled])
    # 0 is the same moment in every unit, and often stands for a missing time.
    magnitude = sample.filter(sample.is_finite() & (sample != 0)).abs().median()
    return magnitude if isinstance(magnitude, float) else 0.0


def _scaled(value: pl.Series, per_second: int) -> pl.Series:
    if per_second > MICRO:
        return (value // (per_second // MICRO)).cast(pl.Int64, strict=False)
    factor = MICRO // per_second
    # Checked before the product, which would wrap around.
    low, high = EARLIEST // factor, LATEST // factor
    inside = value if _all_between(value, low, high) else value.set(~value.is_between(low, high), None)
    scaled = inside * factor
    return scaled.cast(pl.Int64) if value.dtype == pl.Int64 else scaled.round().cast(pl.Int64, strict=False)
