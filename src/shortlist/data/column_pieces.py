"""Pieces of a column, read one after another (files, blocks, batches), joined without losing a digit of any cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = (pl.String, pl.Categorical, pl.Enum)
# Up to it every whole number is a float64 of its own.
LARGEST_EXACT = 2**53


@dataclass(frozen=True, eq=False)
class Piece:
    """Some cells of a column, of one type; `where` names them in messages.

    - not_text Boolean[n]: of a String column, the cells that were written otherwise where they come from, as the
      number 1 beside the text "1" in JSON; None where none was
    """

    values: pl.Series
    where: str
    not_text: pl.Series | None = None


def join_pieces(name: str, column: str, pieces: Sequence[Piece]) -> tuple[pl.Series, str]:
    """Return the whole `column` of the table `name` in one type, and what there is to say about it ("" for nothing).

    Integers stay exact: beside floats they become floats only where float64 holds them all, else both become text.
    Text beside anything else makes text of all; what was said in both ways, the number 1 and the text "1", is one
    then, which is said. Raises `DataError` for types that have nothing in common.
    """
    filled = [piece for piece in pieces if piece.values.dtype != pl.Null]
    target = _common_type(name, column, filled)
    values = pl.concat([piece.values.cast(target) for piece in pieces]).alias(column)
    if target != pl.String:
        return values, ""
    not_text = pl.concat([_not_text(piece) for piece in pieces])
    return values, _note(column, values, not_text) if not_text.any() else ""


def _common_type(name: str, column: str, pieces: Sequence[Piece]) -> pl.DataType:
    types = list(dict.fromkeys(piece.values.dtype for piece in pieces))
    if len(types) <= 1:
        return types[0] if types else pl.Null()
    if all(dtype.is_integer() for dtype in types):
        return pl.Int64() if all(_fits(piece.values) for piece in pieces) else pl.Int128()
    if all(dtype.is_integer() or dtype.is_float() for dtype in types):
        whole = [piece.values for piece in pieces if piece.values.dtype.is_integer()]
        return pl.Float64() if all(_is_exact(values) for values in whole) else pl.String()
    if any(dtype in TEXT for dtype in types) and not any(dtype.is_nested() for dtype in types):
        return pl.String()
    try:
        empty = [pl.Series(column, [], dtype=dtype).to_frame() for dtype in types]
        return pl.concat(empty, how="vertical_relaxed").schema[column]
    except pl.exceptions.PolarsError as error:
        first, other = pieces[0], next(p for p in pieces if p.values.dtype != pieces[0].values.dtype)
        raise DataError(
            f"{name}: the column {column!r} is {first.values.dtype} in {first.where} and {other.values.dtype} in "
            f"{other.where}; make it one type"
        ) from error


def _fits(values: pl.Series) -> bool:
    return values.cast(pl.Int64, strict=False).null_count() == values.null_count()


def _is_exact(values: pl.Series) -> bool:
    within = values.cast(pl.Int128).is_between(-LARGEST_EXACT, LARGEST_EXACT)
    return bool(within.fill_null(value=True).all())


def _not_text(piece: Piece) -> pl.Series:
    if piece.not_text is not None:
        return piece.not_text
    return piece.values.is_not_null() & pl.repeat(
        piece.values.dtype not in TEXT, piece.values.len(), eager=True
    )


def _note(column: str, values: pl.Series, not_text: pl.Series) -> str:
    said, other = values.filter(~not_text).drop_nulls(), values.filter(not_text)
    if not said.len():
        return f"{column} holds whole numbers and fractions that no one type holds exactly; they are taken as text"
    distinct = said.unique()
    both = distinct.filter(distinct.is_in(other.unique().implode())).sort()
    kinds = f"{column} holds text ({said.len():,} rows) and numbers ({other.len():,} rows)"
    if not both.len():
        return f"{kinds}; all are taken as text"
    return f'{kinds}; all are taken as text, so that {both[0]} and "{both[0]}" are one (so for {both.len():,} of them)'
