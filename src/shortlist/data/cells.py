"""Cells: how ids and numbers are read from a column, typed or textual; what cannot be read is never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.rejects import Screening

# Beyond it, not every whole number has a float64 of its own, so that digits of an id may have been lost.
LARGEST_FLOAT_ID = 2.0**53
DECIMAL_COMMA = r"^\s*[+-]?\d*,\d+\s*$"
TEXT = (pl.String, pl.Categorical, pl.Enum)


def screen_ids(name: str, column: pl.Series, screening: Screening) -> pl.Series:
    """Return the ids in `column` as Int64 or String, or as the Enum they are; rows without one are rejected.

    Integers too large for 64 bits make the column String. Floats (how pandas holds integers beside missing values)
    are ids where they are whole. Raises `DataError` for a column of another type; `name` says of which table.
    """
    if column.dtype in TEXT:
        text = column if column.dtype == pl.Enum else column.cast(pl.String)
        screening.reject(text.is_null() | (text == ""), column.name, column, "missing id")
        return text
    if column.dtype == pl.Null or column.dtype.is_integer() or column.dtype.is_decimal():
        screening.reject(column.is_null(), column.name, column, "missing id")
        return _whole(name, column)
    if column.dtype.is_float():
        number = column.cast(pl.Float64)
        screening.reject(number.is_null() | number.is_nan(), column.name, column, "missing id")
        whole = (number == number.round()) & (number.abs() <= LARGEST_FLOAT_ID)
        screening.reject(~whole.fill_null(value=False), column.name, column, "id is not a whole number")
        return number.cast(pl.Int64, strict=False)
    raise DataError(f"{name}: the ids in {column.name!r} are {column.dtype}; make them integers or strings")


def _whole(name: str, column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Decimal) and column.dtype.scale:
        raise DataError(
            f"{name}: the ids in {column.name!r} are {column.dtype}; make them integers or strings"
        )
    whole = column.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == column.null_count() else column.cast(pl.String)


def settle_ids(ids: pl.Series, textual: bool) -> pl.Series:
    """Return `ids` (none missing) as Int64 where they are text and every one is canonical integer text.

    Text is canonical when an int64 prints itself so: "7" and "-7", not "07", "+7", "7.0". `textual` says that the
    ids come from text; strings of a typed column stay strings, and so does an Enum that cannot become Int64.
    """
    if not textual or ids.dtype not in TEXT:
        return ids
    if ids.dtype == pl.Enum:
        # The first id mostly tells; looking at all takes longer.
        for some in ids.head(1), ids.unique():
            if settle_ids(some.cast(pl.String), textual).dtype == pl.String:
                return ids
        return ids.cast(pl.String).cast(pl.Int64)
    whole = ids.cast(pl.Int64, strict=False)
    # The cast takes signs and leading zeros, which would not come back.
    starts = ids.str.starts_with
    altered = starts("+") | starts("-0") | (starts("0") & (ids.str.len_bytes() > 1))
    return ids if whole.null_count() or bool(altered.any()) else whole


def is_text(column: pl.Series) -> bool:
    """Return whether the cells of `column` are text, stored in whatever way."""
    return column.dtype in TEXT


def one_kind(*columns: pl.Series) -> tuple[pl.Series, ...]:
    """Return columns of the same ids in one kind: text where any of them is, else unchanged."""
    if len({is_text(column) for column in columns}) == 1:
        return columns
    return tuple(column.cast(pl.String) for column in columns)


def screen_numbers(
    name: str, column: pl.Series, screening: Screening, what: str = "value"
) -> NDArray[np.float64]:
    """Return float64[n]: the numbers in `column`, finite in 32 bits; other rows are rejected as having no such `what`.

    True and False are 1 and 0. Raises `DataError` for a column of another type.
    """
    number = to_numbers(column)
    if number is None:
        raise DataError(f"{name}: the column {column.name!r} is {column.dtype}; a {what} is a number")
    if number.null_count():
        at = number.is_null().arg_true().to_numpy()
        cells = screening.written(column.name, column, at)
        _reject_among(at, is_missing(cells), column, screening, f"missing {what}")
        _reject_among(at, _has_comma(cells), column, screening, f"{what} has a decimal comma")
        screening.reject(number.is_null(), column.name, column, f"unparsable {what}")
    values = number.fill_null(0.0).to_numpy()
    with np.errstate(over="ignore"):
        # NaN is the least and the greatest of what holds it.
        if values.size and not np.isfinite(np.array([values.min(), values.max()], np.float32)).all():
            finite = np.isfinite(values.astype(np.float32))
            screening.reject(~finite, column.name, column, f"{what} is not finite")
    return values


def _reject_among(
    at: NDArray[np.int64], bad: pl.Series, column: pl.Series, screening: Screening, reason: str
) -> None:
    # Those of the rows at positions `at` that are bad.
    found = np.zeros(column.len(), bool)
    found[at] = bad
    screening.reject(found, column.name, column, reason)


def _has_comma(cells: pl.Series) -> pl.Series:
    # 4,5 for 4.5
    if cells.dtype not in TEXT:
        return pl.repeat(False, cells.len(), eager=True)
    return cells.cast(pl.String).str.contains(DECIMAL_COMMA).fill_null(value=False)


def is_missing(column: pl.Series) -> pl.Series:
    """Return bool[n]: whether a cell is empty; for text also when there are only spaces."""
    if column.dtype in TEXT:
        return column.is_null() | (column.cast(pl.String).str.strip_chars() == "").fill_null(value=True)
    return column.is_null()


def to_numbers(column: pl.Series) -> pl.Series | None:
    """Return `column` as Float64, null where a cell is no number; None where the type of the column is none."""
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64)
    if column.dtype not in TEXT:
        return None
    number = column.cast(pl.String).cast(pl.Float64, strict=False)
    left = number.is_null().arg_true()
    if left.len():
        # Spaces around a number are common after a comma.
        stripped = column.gather(left).cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
        number = number.scatter(left, stripped)
    return number


def is_numeric_text(column: pl.Series) -> bool:
    """Return whether every cell of String `column` that is not null is a finite number, and there is one.

    A number that begins with a zero which means nothing (01234) is a code, not a quantity.
    """
    text = column.drop_nulls()
    number = text.cast(pl.Float64, strict=False)
    codes = text.str.contains(r"^[+-]?0[0-9]")
    return (
        text.len() > 0
        and not number.null_count()
        and bool(number.is_finite().all())
        and not bool(codes.any())
    )
