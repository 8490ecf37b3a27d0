"""Precomputed lists: recommendations made elsewhere, as ranked lists of the positions of items."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist.data.cells import settle_ids
from shortlist.data.columns import nearest
from shortlist.data.import_report import DataWarning
from shortlist.data.tables import open_table
from shortlist.data.vocabulary import id_series
from shortlist.errors import DataError
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.tables import Source, Table
    from shortlist.data.vocabulary import Vocabulary

MAX_SHOWN = 5


@dataclass(frozen=True, eq=False)
class PrecomputedRows:
    """The lists of all n users, best first, and what of the table is not among the ids known.

    - ptr int64[n + 1], item_idx int32[m] distinct within a user, score float32[m] finite
    - unknown: n_rows that name an unknown user or item, n_users and n_items that are, and the first ids of each
    """

    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    score: NDArray[np.float32]
    unknown: dict[str, Any]


def precomputed_rows(source: Source, users: Vocabulary, items: Vocabulary, asked_by: str) -> PrecomputedRows:
    """Return the lists in a table of user_id, item_id, and rank (1: best) or score (largest: best), or both.

    Order is by rank, else by score, else that of the rows; ties by smaller item, and of several rows of one user and
    item the best counts. The score of a row without one is 1 / (its place in the list).
    Rows with an unknown user or item are left out, which one `DataWarning` says. Raises `DataError` for a missing
    column or id, a rank or score that is no number, and where no row is left.
    """
    table = open_table(source, asked_by)
    where = f"{asked_by}: {table.name}"
    names = _columns(table, where)
    frame = table.load(names)
    user_ids, item_ids = (_ids(frame[name], where, table.textual) for name in ("user_id", "item_id"))
    user, item = users.index_of(user_ids), items.index_of(item_ids)
    order, score = _order_and_score(frame, names, where)
    known = (user >= 0) & (item >= 0)
    unknown = _unknown(user_ids, item_ids, user, item)
    if user.size and not known.any():
        raise DataError(
            f"{where}: no row has a user and an item of the data; its users are such as {unknown['users']}, its items "
            f"such as {unknown['items']}, here {users.ids.head(3).to_list()} and {items.ids.head(3).to_list()}"
        )
    if unknown["n_rows"]:
        warnings.warn(f"{where}: {_summary(unknown, user.size)}", DataWarning, stacklevel=2)
    ptr, best = _ranked(user, item, order, known, len(users))
    place = np.arange(best.size) - np.repeat(ptr[:-1], np.diff(ptr)) + 1
    return PrecomputedRows(
        ptr, item[best], (1 / place).astype(np.float32) if score is None else score[best], unknown
    )


def _columns(table: Table, where: str) -> list[str]:
    for name in ("user_id", "item_id"):
        if name not in table.columns:
            raise DataError(
                f"{where} has no column {name!r}{nearest(name, table.columns)}; "
                f"columns: {', '.join(table.columns)}"
            )
    return [name for name in ("user_id", "item_id", "rank", "score") if name in table.columns]


def _ids(cells: pl.Series, where: str, textual: bool) -> pl.Series:
    empty = cells.is_null() | (cells == "") if cells.dtype == pl.String else cells.is_null()
    if empty.any():
        raise DataError(f"{where}: {cells.name} is empty in row {empty.arg_max()} (from 0)")
    try:
        return id_series(settle_ids(cells, textual))
    except DataError as error:
        raise DataError(f"{where}: column {cells.name!r}: {error}") from error


def _order_and_score(
    frame: pl.DataFrame, names: list[str], where: str
) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
    """Return what rows are ordered by, smallest first, and their scores, None where there are none."""
    score = _numbers(frame["score"], where) if "score" in names else None
    if "rank" in names:
        order = _numbers(frame["rank"], where)
    else:
        order = np.arange(frame.height, dtype=np.float64) if score is None else -score
    return order, None if score is None else score.astype(np.float32)


def _numbers(cells: pl.Series, where: str) -> NDArray[np.float64]:
    values = np.array(cells.cast(pl.Float64, strict=False).fill_null(np.nan), np.float64)
    wrong = ~(np.abs(values) <= np.finfo(np.float32).max)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{where}: {cells.name} in row {row} (from 0) is {cells[row]!r}, which is no number")
    return values


def _ranked(
    user: NDArray[np.int32],
    item: NDArray[np.int32],
    order: NDArray[np.float64],
    known: NDArray[np.bool_],
    n_users: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each user's list begins, and the rows of all lists, best first."""
    rows = np.flatnonzero(known)
    by_pair = rows[np.lexsort((order[rows], item[rows], user[rows]))]
    again = np.zeros(by_pair.size, bool)
    again[1:] = (np.diff(user[by_pair]) == 0) & (np.diff(item[by_pair]) == 0)
    best = by_pair[~again]
    best = best[np.lexsort((item[best], order[best], user[best]))]
    return offsets(np.bincount(user[best], minlength=n_users)), best


def _unknown(
    user_ids: pl.Series, item_ids: pl.Series, user: NDArray[np.int32], item: NDArray[np.int32]
) -> dict[str, Any]:
    users = user_ids.filter(pl.Series(user < 0)).unique(maintain_order=True)
    items = item_ids.filter(pl.Series(item < 0)).unique(maintain_order=True)
    return {
        "n_rows": int(((user < 0) | (item < 0)).sum()),
        "n_users": users.len(),
        "n_items": items.len(),
        "users": users.head(MAX_SHOWN).to_list(),
        "items": items.head(MAX_SHOWN).to_list(),
    }


def _summary(unknown: dict[str, Any], n_rows: int) -> str:
    parts = [
        f"{unknown[f'n_{what}']} unknown {what} such as {', '.join(map(repr, unknown[what]))}"
        for what in ("users", "items")
        if unknown[f"n_{what}"]
    ]
    return f"{unknown['n_rows']} of {n_rows} rows are left out: {'; '.join(parts)}"
