"""Columns of a feature table as arrays, for stages that know no data frames; numbers of the users of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from shortlist.data.columns import nearest
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.features import FeatureKind, FeatureTable
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import Request

Side = Literal["user", "item"]
NEVER = np.iinfo(np.int64).max


def kind_of(
    table: FeatureTable | None, side: Side, column: str, kinds: Sequence[FeatureKind], asked_by: str
) -> FeatureKind:
    """Return the kind of `column`, which is one of `kinds`.

    Raises `DataError` that says who asks (`asked_by`), which columns there are, and the nearest name.
    """
    if table is None:
        raise DataError(f"{asked_by} needs the {side} feature {column!r}; these data have no {side} features")
    kind, wanted = table.kinds.get(column), " or ".join(kinds)
    if kind is None:
        raise DataError(
            f"{asked_by} needs the {side} feature {column!r}, and there is none{nearest(column, list(table.kinds))}; "
            f"there are: {', '.join(table.kinds) or 'none'}"
        )
    if kind not in kinds:
        raise DataError(
            f"{asked_by} needs the {side} feature {column!r} as {wanted}; here it is {kind}: "
            "declare it otherwise when the data is read"
        )
    return kind


def numbers(table: FeatureTable | None, side: Side, column: str, asked_by: str) -> NDArray[np.float64]:
    """Return float64[n]: a numeric column, NaN where nothing is known. Raises `DataError` as `kind_of`."""
    kind_of(table, side, column, ("numeric",), asked_by)
    assert table is not None
    return np.array(table.frame[column].fill_null(np.nan), np.float64)


def times(table: FeatureTable | None, side: Side, column: str, asked_by: str) -> NDArray[np.int64]:
    """Return int64[n]: a time column in µs since 1970 UTC, `NEVER` where nothing is known. Raises as `kind_of`."""
    kind_of(table, side, column, ("time",), asked_by)
    assert table is not None
    return np.array(table.frame[column].dt.timestamp("us").fill_null(NEVER), np.int64)


def is_missing(table: FeatureTable, column: str) -> NDArray[np.bool_]:
    """Return bool[n]: where a cell is null or NaN. A list of no tags is not missing: it says that there are none."""
    cells = table.frame[column]
    missing = (
        cells.is_null() | cells.is_nan().fill_null(value=True) if cells.dtype.is_float() else cells.is_null()
    )
    return np.array(missing, bool)


def rows_for(table: FeatureTable, items: Vocabulary) -> FeatureTable:
    """Return `table` with one row for each of `items`. Raises `UnknownIdError` naming the ids that are none of them."""
    items.require(table.frame["id"], "item")
    return table.align(items)


def numbers_of_request(column: str, known: NDArray[np.float64], request: Request) -> NDArray[np.float64]:
    """Return float64[n]: the number of each user of the request in a column, NaN where nothing is known.

    `known` float64[n_users] is the column of the data. Who is not in the data has what `request.features` says.
    Raises `ParameterError` for what is no number.
    """
    index = request.user_idx
    out = np.full(index.size, np.nan)
    inside = index >= 0
    out[inside] = known[index[inside]]
    given = request.features.get(column)
    if given is not None:
        for row in np.flatnonzero(~inside).tolist():
            out[row] = _number(column, given[row])
    return out


def _number(column: str, value: object) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise ParameterError(f"features: {column} must be a number or None, got {value!r}")
    return float(value)


def moments(microseconds: Sequence[int]) -> list[str]:
    """Return times in µs since 1970 UTC as ISO 8601 text, for messages.

    >>> moments([0])
    ['1970-01-01T00:00:00']
    """
    return pl.Series(microseconds, dtype=pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S").to_list()
