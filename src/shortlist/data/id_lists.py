"""Lists and pairs of ids as a caller gives them (values, a table, a file), as plain values that JSON can hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from shortlist.data.cells import settle_ids
from shortlist.data.columns import nearest
from shortlist.data.tables import open_table
from shortlist.data.vocabulary import Id, id_series
from shortlist.errors import DataError, ParameterError, UnknownIdError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Vocabulary

# What a caller, or a configuration, may give: values, or the path of a table; in Python a table, too.
GivenIds = str | os.PathLike[str] | Sequence[Id]
GivenPairs = str | os.PathLike[str] | Sequence[Sequence[Id]] | Mapping[Id, Sequence[Id]]
OnUnknownId = Literal["raise", "skip"]


def listed_ids(given: object, who: str) -> list[Id]:
    """Return distinct ids in the order given: an iterable of ids, a table, or the path of one.

    A table has one column, or one called item_id. `who` names who asks, in errors. Raises `DataError` and
    `ParameterError` for anything else.
    """
    if _is_table(given):
        [ids] = _columns(given, who, ["item_id"])
    else:
        ids = _series(given, who)
    return list(dict.fromkeys(ids.to_list()))


def paired_ids(given: object, who: str, second: str) -> list[list[Id]]:
    """Return distinct pairs [user, `second`] in the order given.

    - given: user → one or several values; pairs; a table of two columns, or with user_id and `second`; its path

    Raises `DataError` and `ParameterError` for anything else.
    """
    if _is_table(given):
        users, values = _columns(given, who, ["user_id", second])
    else:
        pairs = _pairs(given, who, second)
        users, values = (_series([pair[side] for pair in pairs], who) for side in (0, 1))
    return [list(pair) for pair in dict.fromkeys(zip(users.to_list(), values.to_list(), strict=True))]


def positions(
    ids: Iterable[Id], vocabulary: Vocabulary, what: str, on_unknown: OnUnknownId, who: str
) -> NDArray[np.int32]:
    """Return int32[n]: the position of each id, −1 where it is unknown and `on_unknown` is "skip".

    Raises `UnknownIdError` naming `who` and the ids where it is "raise".
    """
    wanted = id_series(list(ids))
    index = vocabulary.index_of(wanted)
    missing = np.flatnonzero(index < 0)
    if missing.size and on_unknown == "raise":
        message = vocabulary.unknown_message(wanted.gather(missing).to_list(), what)
        raise UnknownIdError(f'{who}: {message}; on_unknown="skip" leaves such ids out')
    return index


def _is_table(given: object) -> bool:
    return isinstance(given, str | os.PathLike) or hasattr(given, "columns")


def _columns(given: Any, who: str, names: list[str]) -> list[pl.Series]:
    """Return the columns `names` of a table, or all of its columns where they are as many."""
    table = open_table(given, who)
    if set(names) <= set(table.columns):
        found = names
    elif len(table.columns) == len(names):
        found = list(table.columns)
    else:
        missing = next(name for name in names if name not in table.columns)
        raise DataError(
            f"{who}: {table.name} has no column {missing!r}{nearest(missing, table.columns)}; "
            f"columns: {', '.join(table.columns)}"
        )
    frame = table.load(found)
    return [_settled(frame[name], f"{who}: {table.name}, column {name!r}", table.textual) for name in found]


def _settled(cells: pl.Series, where: str, textual: bool) -> pl.Series:
    cells = cells.cast(pl.String) if cells.dtype in (pl.Categorical, pl.Enum) else cells
    empty = cells.is_null() | (cells == "") if cells.dtype == pl.String else cells.is_null()
    if empty.any():
        raise DataError(f"{where}: row {empty.arg_max()} (from 0) is empty; every id must be given")
    try:
        return id_series(settle_ids(cells, textual))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


def _series(given: object, who: str) -> pl.Series:
    if not isinstance(given, Iterable):
        raise ParameterError(f"{who} takes ids, a table or the path of one, got {given!r}")
    try:
        return id_series(given)
    except DataError as error:
        raise DataError(f"{who}: {error}") from error


def _pairs(given: object, who: str, second: str) -> list[tuple[Id, Id]]:
    if isinstance(given, Mapping):
        return [(user, value) for user, values in given.items() for value in _several(values)]
    if not isinstance(given, Iterable):
        raise ParameterError(f"{who} takes pairs (user, {second}), got {given!r}")
    pairs = list(given)
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ParameterError(f"{who} takes pairs (user, {second}); one of them is {pair!r}")
    return [(user, value) for user, value in pairs]


def _several(values: object) -> list[Any]:
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else [values]
