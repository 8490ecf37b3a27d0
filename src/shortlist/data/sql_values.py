"""Values as a database driver gives them, Python objects, as a column of one type."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.data.column_pieces import LARGEST_EXACT, Piece
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 2**63
MOST_DIGITS = 38  # of a decimal in Arrow
PLAIN: dict[type, pl.DataType] = {
    bool: pl.Boolean(),
    bytes: pl.Binary(),
    date: pl.Date(),
    float: pl.Float64(),
    str: pl.String(),
    time: pl.Time(),
    timedelta: pl.Duration("us"),
}


def column_piece(column: str, values: Sequence[Any], where: str) -> Piece:
    """Return `values` (None: missing) of `column` in the type that holds all of them exactly.

    Integers are Int64, or text beyond 64 bits; decimals stay decimals, times of a zone become UTC. Values of several
    kinds, and kinds that columns have no type for, become text. Raises `DataError` for times with and without a zone.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) == 1 and next(iter(kinds)) in PLAIN:
        return Piece(pl.Series(column, values, dtype=PLAIN[next(iter(kinds))]), where)
    if not kinds:
        return Piece(pl.Series(column, values, dtype=pl.Null), where)
    if kinds <= {int, float, Decimal, bool}:
        return Piece(_numbers(column, values, kinds), where)
    if kinds == {datetime}:
        return Piece(_moments(column, values), where)
    if kinds == {list}:
        return Piece(_lists(column, values), where)
    other = pl.Series([value is not None and not isinstance(value, str) for value in values])
    return Piece(pl.Series(column, [_text(value) for value in values], dtype=pl.String), where, other)


def _numbers(column: str, values: Sequence[Any], kinds: set[type]) -> pl.Series:
    if Decimal in kinds and float not in kinds:
        values, kinds = _decimals_as_whole(values, kinds)
    if Decimal in kinds:
        return _decimals(column, values)
    if float not in kinds:
        fits = all(value is None or -LARGEST <= value < LARGEST for value in values)
        return pl.Series(column, values if fits else [_text(value) for value in values], strict=False)
    exact = all(value is None or type(value) is float or abs(value) <= LARGEST_EXACT for value in values)
    if exact:
        return pl.Series(column, values, dtype=pl.Float64, strict=False)
    return pl.Series(column, [_text(value) for value in values], dtype=pl.String)


def _decimals_as_whole(values: Sequence[Any], kinds: set[type]) -> tuple[Sequence[Any], set[type]]:
    # numeric(20, 0) holds whole numbers, such as ids; 3.00 is written with a fraction, and stays a decimal.
    exponents = (value.as_tuple().exponent for value in values if type(value) is Decimal)
    if not all(isinstance(exponent, int) and exponent >= 0 for exponent in exponents):
        return values, kinds
    return [None if value is None else int(value) for value in values], {int}


def _decimals(column: str, values: Sequence[Any]) -> pl.Series:
    numbers = [None if value is None else Decimal(value) for value in values]
    finite = [number.as_tuple() for number in numbers if number is not None and number.is_finite()]
    if len(finite) < sum(number is not None for number in numbers):  # NaN, Infinity
        return pl.Series(column, [None if n is None else float(n) for n in numbers], dtype=pl.Float64)
    scale = max(-int(parts.exponent) for parts in finite)
    whole = max(len(parts.digits) + int(parts.exponent) for parts in finite)
    if scale >= 0 and scale + max(whole, 0) <= MOST_DIGITS:
        return pl.Series(column, numbers, dtype=pl.Decimal(MOST_DIGITS, scale))
    return pl.Series(column, [_text(number) for number in numbers], dtype=pl.String)


def _moments(column: str, values: Sequence[datetime | None]) -> pl.Series:
    zoned = {value.tzinfo is not None for value in values if value is not None}
    if zoned == {True}:
        in_utc = [None if value is None else value.astimezone(UTC) for value in values]
        return pl.Series(column, in_utc, dtype=pl.Datetime("us", "UTC"))
    if zoned == {False}:
        return pl.Series(column, values, dtype=pl.Datetime("us"))
    raise DataError(f"the column {column!r} holds times with and without a zone; convert them in the query")


def _lists(column: str, values: Sequence[list[Any] | None]) -> pl.Series:
    texts = [None if value is None else [_text(entry) for entry in value] for value in values]
    return pl.Series(column, texts, dtype=pl.List(pl.String))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
