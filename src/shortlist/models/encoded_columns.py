"""The columns of an `EventEncoder` as a model has parameters for them: fields, ids, and those of an earlier model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from shortlist.data.event_encoder import ITEM_ID, USER_ID, EventEncoder
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset
    from shortlist.data.event_encoder import Side
    from shortlist.data.features import FeatureTable
    from shortlist.data.interactions import Interactions
    from shortlist.data.vocabulary import Id


class Columns(Protocol):
    """The parameters that say which columns a model has, as models of ids, features and context take them."""

    user_ids: bool
    item_ids: bool
    user_columns: list[str] | None
    item_columns: list[str] | None
    context: list[str] | None
    encode: Mapping[str, str | Mapping[str, Any]] | None


class Encoded(NamedTuple):
    """Users and items as an `encoder` that was fitted on events has them.

    - users, items: rows float32 CSR [n, n_columns]
    - known_users, known_items bool[n]: who has an event, or a feature that somebody with an event has too
    """

    encoder: EventEncoder
    users: sparse.csr_array
    items: sparse.csr_array
    known_users: NDArray[np.bool_]
    known_items: NDArray[np.bool_]


def encode_columns(model: str, dataset: Dataset, log: Interactions, columns: Columns) -> Encoded:
    """Return the users and items of `dataset` by the `columns` that are learned from the events `log`.

    Raises `DataError`, which names the `model`, where there is no column at all.
    """
    encoder = EventEncoder.fit(
        dataset.with_interactions(log),
        user_ids=columns.user_ids,
        item_ids=columns.item_ids,
        user_columns=all_but_text(dataset.user_features, columns.user_columns),
        item_columns=all_but_text(dataset.item_features, columns.item_columns),
        context_columns=columns.context,
        encode=columns.encode,
    )
    if not encoder.n_columns:
        raise DataError(
            f"{model} has no column to learn from: ids are off, and the features and context named hold nothing"
        )
    users = encoder.user_rows(dataset.users, dataset.user_features)
    items = encoder.item_rows(dataset.items, dataset.item_features)
    return Encoded(
        encoder,
        users,
        items,
        described(users, log.user_idx, id_columns(encoder, "user")),
        described(items, log.item_idx, id_columns(encoder, "item")),
    )


def checked_names(name: str, columns: object) -> list[str] | None:
    """Return `columns`, a list of names or None; raise `ParameterError` that names the parameter otherwise."""
    if columns is None:
        return None
    if not isinstance(columns, Sequence) or isinstance(columns, str):
        raise ParameterError(f"{name} must be a list of names of columns or None, got {columns!r}")
    if not all(isinstance(column, str) for column in columns):
        raise ParameterError(f"{name} must be names of columns, got {list(columns)!r}")
    return list(columns)


def all_but_text(table: FeatureTable | None, columns: list[str] | None) -> list[str] | None:
    """Return `columns`, and where None all of the `table` but free text, which has as many columns as words."""
    if columns is not None or table is None:
        return columns
    return [name for name, kind in table.kinds.items() if kind != "text"]


def fields_of(encoder: EventEncoder, side: Side) -> list[tuple[int, int]]:
    """Return the first column and the end of each field of a side, in the order of the columns."""
    return [(field.start, field.stop) for field in encoder.fields if field.side == side]


def id_columns(encoder: EventEncoder, side: Side) -> NDArray[np.int64]:
    """Return the columns of the ids of a side, ascending; none where ids have none."""
    for field in encoder.fields:
        if field.side == side and field.name == (USER_ID if side == "user" else ITEM_ID):
            return np.arange(field.start, field.stop)
    return np.zeros(0, np.int64)


def kept_columns(encoder: EventEncoder, gone: Collection[Id], model: str) -> NDArray[np.bool_]:
    """Return bool[n_columns]: which columns are not those of users in `gone`.

    Raises `ParameterError` where no user would have a column: the field would be gone, and the `model` another one.
    """
    kept = np.ones(encoder.n_columns, bool)
    own = id_columns(encoder, "user")
    position = encoder.user_ids.index_of(list(gone))
    kept[own[position[position >= 0]]] = False
    if own.size and not kept[own].any():
        raise ParameterError(
            f"{model} learned from none of those who would be left: fit again without the others"
        )
    return kept


def described(rows: sparse.csr_array, index: NDArray[np.int32], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return bool[n]: which of the encoded `rows` [n, n_columns] are in `index`, or share a column with one that is.

    `index` is who or what the events are of; `ids` are columns that nobody shares.
    """
    found = np.zeros(rows.shape[0], bool)
    found[index] = True
    learned = np.zeros(rows.shape[1], bool)
    learned[rows[np.flatnonzero(found)].indices] = True
    learned[ids] = False
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    found[row[learned[rows.indices]]] = True
    return found


def moved_columns(new: EventEncoder, old: EventEncoder) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the columns of `new` that `old` has too, and where `old` has them; matched by name.

    Raises `ParameterError` where the fields of the two differ.
    """
    fields, before = ([(field.side, field.name) for field in of.fields] for of in (new, old))
    if fields != before:
        raise ParameterError(
            f"start was fitted on the columns {_shown(before)}, this model on {_shown(fields)}: fit without start"
        )
    position = {name: at for at, name in enumerate(old.names)}
    found = [(at, position[name]) for at, name in enumerate(new.names) if name in position]
    here, there = np.array(found, np.int64).reshape(-1, 2).T
    return here, there


def _shown(fields: Sequence[tuple[str, str]]) -> str:
    return ", ".join(name if name in (USER_ID, ITEM_ID) else f"{side}.{name}" for side, name in fields)
