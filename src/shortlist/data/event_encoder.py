"""EventEncoder: who, what and in what circumstances, as one row of numbers for each user, item and moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.data.context_columns import context_table, request_table
from shortlist.data.feature_encoder import FeatureEncoder, require_encode
from shortlist.data.features import ID, FeatureTable
from shortlist.data.label_encodings import side_by_side
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.feature_encodings import Encode

Side = Literal["user", "item", "context"]
USER_ID, ITEM_ID = "user_id", "item_id"
NOTHING = FeatureEncoder({}, {})


@dataclass(frozen=True)
class Field:
    """The columns [start, stop) that one id or feature column became; `side` says whether of user, item or context."""

    name: str
    side: Side
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class EventEncoder:
    """Turns users, items and moments into sparse rows; the row of an event is the sum of the three.

    Columns are laid out [user id | user features | item id | item features | context]. An id has one column, 1 or 0,
    where it had an event in the data that was fitted on: others set nothing there and are what their features say.
    Feature columns are as `FeatureEncoder` makes them. Make one with `EventEncoder.fit`.

    - user_ids, item_ids: the ids with a column, in the order of the columns; none where ids have none
    - users, items, context: the encoders of the feature columns
    """

    user_ids: Vocabulary
    item_ids: Vocabulary
    users: FeatureEncoder
    items: FeatureEncoder
    context: FeatureEncoder

    @classmethod
    def fit(
        cls,
        dataset: Dataset,
        *,
        user_ids: bool = True,
        item_ids: bool = True,
        user_columns: Sequence[str] | None = None,
        item_columns: Sequence[str] | None = None,
        context_columns: Sequence[str] | None = (),
        encode: Encode | None = None,
    ) -> Self:
        """Return the encoder of the dataset's ids and of these columns; None are all there are, () none.

        `encode` is as in `FeatureEncoder.fit`; a name means that column wherever it stands. Context columns are
        categorical (text, true or false), numeric, time or tags by the type that they have.
        Raises `ParameterError` for a column that is not there and for a wrong `encode`, `DataError` for named columns
        of a table that the data does not have.
        """
        log = dataset.interactions
        sides = (
            _chosen(dataset.user_features, user_columns, "user"),
            _chosen(dataset.item_features, item_columns, "item"),
            _context(log.context, context_columns),
        )
        said = require_encode(encode, list(dict.fromkeys(name for table in sides for name in table.kinds)))
        encoders = [
            FeatureEncoder.fit(table, encode={name: how for name, how in said.items() if name in table.kinds})
            for table in sides
        ]
        return cls(
            _with_events(dataset.users, log.user_idx, user_ids),
            _with_events(dataset.items, log.item_idx, item_ids),
            *encoders,
        )

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Return the fields in the order of their columns; what became no column is no field."""
        widths: list[tuple[str, Side, int]] = [
            (USER_ID, "user", len(self.user_ids)),
            *((name, "user", encoding.width) for name, encoding in self.users.encodings.items()),
            (ITEM_ID, "item", len(self.item_ids)),
            *((name, "item", encoding.width) for name, encoding in self.items.encodings.items()),
            *((name, "context", encoding.width) for name, encoding in self.context.encodings.items()),
        ]
        found, start = [], 0
        for name, side, width in widths:
            if width:
                found.append(Field(name, side, start, start + width))
            start += width
        return tuple(found)

    @property
    def n_columns(self) -> int:
        """Return the number of columns."""
        return self._context_start + self.context.width

    @property
    def _item_start(self) -> int:
        return len(self.user_ids) + self.users.width

    @property
    def _context_start(self) -> int:
        return self._item_start + len(self.item_ids) + self.items.width

    @cached_property
    def names(self) -> list[str]:
        """Return the name of each column for people: user_id=7, user.age, item.genres=Comedy, context.hour=9."""
        return [
            *(f"{USER_ID}={of}" for of in self.user_ids.ids.to_list()),
            *(f"user.{name}" for name in self.users.names),
            *(f"{ITEM_ID}={of}" for of in self.item_ids.ids.to_list()),
            *(f"item.{name}" for name in self.items.names),
            *(f"context.{name}" for name in self.context.names),
        ]

    def user_rows(self, users: Vocabulary, table: FeatureTable | None) -> sparse.csr_array:
        """Return float32 CSR [len(users), n_columns]: id and features of each of `users`, no zero stored.

        `table` has the features by id, in any order; who is not in it, and a column that it does not have, is missing.
        Indices ascend in each row. Raises `DataError` for a column of another kind than before.
        """
        return self._rows(users, table, self.user_ids, self.users, 0)

    def item_rows(self, items: Vocabulary, table: FeatureTable | None) -> sparse.csr_array:
        """Return float32 CSR [len(items), n_columns], as `user_rows` does for users."""
        return self._rows(items, table, self.item_ids, self.items, self._item_start)

    def context_rows(self, context: pl.DataFrame | None, n: int) -> sparse.csr_array:
        """Return float32 CSR [n, n_columns] of the `n` rows of the context of an event log; all missing where None.

        A column that the frame does not have is missing. Raises `DataError` for another number of rows and for a column
        of another kind than before.
        """
        frame = pl.DataFrame() if context is None else context
        if context is not None and context.height != n:
            raise DataError(
                f"the context has {context.height} rows for {n} events; it must have one for each"
            )
        there = [name for name in self.context.kinds if name in frame.columns]
        table = context_table(frame, there, self.context.kinds) if there else _ids_alone(np.arange(n))
        return self._placed([self.context.transform(table, absent="missing")], self._context_start)

    def request_row(self, context: Mapping[str, Any] | None) -> sparse.csr_array:
        """Return float32 CSR [1, n_columns]: what a request says of its moment, by the name of the context column.

        What it does not say is missing. A category that was never seen is what the encoding makes of one. Raises
        `ParameterError` for another column, and for a value that its kind of column cannot have.
        """
        table = request_table(context or {}, self.context.kinds)
        return self._placed([self.context.transform(table)], self._context_start)

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values, from which `from_values` makes an encoder that encodes alike."""
        return {
            "user_ids": self.user_ids.ids.to_list(),
            "item_ids": self.item_ids.ids.to_list(),
            "users": self.users.to_values(),
            "items": self.items.to_values(),
            "context": self.context.to_values(),
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoder that `to_values` described."""
        return cls(
            Vocabulary.of(values["user_ids"]),
            Vocabulary.of(values["item_ids"]),
            *(FeatureEncoder.from_values(values[side]) for side in ("users", "items", "context")),
        )

    def _rows(
        self,
        ids: Vocabulary,
        table: FeatureTable | None,
        known: Vocabulary,
        encoder: FeatureEncoder,
        start: int,
    ) -> sparse.csr_array:
        if table is None:
            aligned = _ids_alone(ids.ids)
        else:
            aligned = table if table.frame[ID].equals(ids.ids, check_names=False) else table.align(ids)
        return self._placed([_one_hot(known, ids), encoder.transform(aligned, absent="missing")], start)

    def _placed(self, parts: list[sparse.csr_array], start: int) -> sparse.csr_array:
        """Return the matrices `parts` side by side, from column `start` of all on."""
        joined = side_by_side(parts)
        index = joined.indices.astype(np.int32) + np.int32(start)
        shape = (joined.shape[0], self.n_columns)
        return sparse.csr_array((joined.data, index, joined.indptr.astype(np.int32)), shape=shape)


def _chosen(table: FeatureTable | None, columns: Sequence[str] | None, side: str) -> FeatureTable:
    """Return the columns of a feature table that are to be encoded, with their kinds."""
    if isinstance(columns, str):
        raise ParameterError(f"{side}_columns must be a list of names, got the single text {columns!r}")
    if table is None:
        if columns:
            raise DataError(
                f"{side}_columns names {', '.join(columns)}, and this data has no {side} features: read them with it"
            )
        return _ids_alone(pl.Series([], dtype=pl.Int64))
    wanted = list(table.kinds) if columns is None else list(columns)
    _require_names(f"{side}_columns", wanted, list(table.kinds))
    return FeatureTable(table.frame.select(ID, *wanted), {name: table.kinds[name] for name in wanted})


def _context(frame: pl.DataFrame | None, columns: Sequence[str] | None) -> FeatureTable:
    """Return the context columns that are to be encoded, with their kinds."""
    if isinstance(columns, str):
        raise ParameterError(f"context_columns must be a list of names, got the single text {columns!r}")
    there = [] if frame is None else frame.columns
    wanted = there if columns is None else list(columns)
    _require_names("context_columns", wanted, there)
    if frame is None or not wanted:
        return _ids_alone(pl.Series([], dtype=pl.Int64))
    return context_table(frame, wanted)


def _require_names(parameter: str, wanted: Sequence[str], there: Sequence[str]) -> None:
    for position, name in enumerate(wanted):
        if name not in there:
            raise ParameterError(
                f"{parameter} names {name!r}, which is not there; there are: {', '.join(there) or 'none'}"
            )
        if name in wanted[:position]:
            raise ParameterError(f"{parameter} names {name!r} twice")


def _ids_alone(ids: pl.Series | NDArray[np.int64]) -> FeatureTable:
    return FeatureTable(pl.DataFrame({ID: ids}), {})


def _with_events(ids: Vocabulary, index: NDArray[np.int32], wanted: bool) -> Vocabulary:
    """Return the ids that stand in the log, none where they are not wanted."""
    if not wanted:
        return Vocabulary(ids.ids.head(0))
    seen = np.zeros(len(ids), bool)
    seen[index] = True
    return Vocabulary(ids.ids.filter(pl.Series(seen)))


def _one_hot(known: Vocabulary, ids: Vocabulary) -> sparse.csr_array:
    """Return float32 CSR [len(ids), len(known)]: 1 in the column of each id that is known."""
    position = known.index_of(ids.ids)
    found = np.flatnonzero(position >= 0).astype(np.int32)
    entries = np.ones(found.size, np.float32), (found, position[found])
    return sparse.coo_array(entries, shape=(len(ids), len(known))).tocsr()
