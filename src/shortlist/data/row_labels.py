"""RowLabels: the labels that users or items have in a categorical or tags column, as arrays that can be saved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from shortlist.errors import DataError, ParameterError
from shortlist.kernels.taken_rows import taken_rows
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.stages import Request

Side = Literal["user", "item"]
_KINDS = ("categorical", "tags")


@dataclass(frozen=True, eq=False)
class RowLabels:
    """Which labels each of n rows has in one column.

    - column: its name; labels: the distinct labels in the order of their text, whose positions are the codes
    - ptr int64[n + 1], code int32[m]: the codes of each row, distinct and ascending; none where nothing is known
    """

    column: str
    labels: Sequence[str]
    ptr: NDArray[np.int64]
    code: NDArray[np.int32]

    @classmethod
    def of(cls, dataset: Dataset, side: Side, column: str, asked_by: str) -> Self:
        """Return the labels of the users or the items of `dataset`, a row for each of its vocabulary.

        `asked_by` names who needs the column in the error. Raises `DataError` where there are no such features, or no
        such categorical or tags column; it names those that there are.
        """
        table = dataset.user_features if side == "user" else dataset.item_features
        return cls.of_table(table, side, column, asked_by)

    @classmethod
    def of_table(cls, table: FeatureTable | None, side: Side, column: str, asked_by: str) -> Self:
        """Return the labels of the rows of `table`, which has what is known of users or items; as `of` otherwise."""
        if table is None or table.kinds.get(column) not in _KINDS:
            raise DataError(f"{asked_by} needs {_what_is_there(table, side, column)}")
        matrix, labels = table.tags(column)
        return cls(column, labels, matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32))

    def __len__(self) -> int:
        return self.ptr.size - 1

    @property
    def row(self) -> NDArray[np.int64]:
        """Return int64[m]: the row of each code."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    @property
    def first(self) -> NDArray[np.int32]:
        """Return int32[n]: the first code of each row (of a categorical column the only one), −1 for none."""
        has = np.diff(self.ptr) > 0
        first = np.full(len(self), -1, np.int32)
        first[has] = self.code[self.ptr[:-1][has]]
        return first

    def take(self, rows: NDArray[np.integer[Any]]) -> RowLabels:
        """Return the labels of `rows` int[n]; none for each −1."""
        ptr, code = taken_rows(self.ptr, self.code, rows.astype(np.int64))
        return RowLabels(self.column, self.labels, ptr, code)

    def of_request(self, request: Request) -> RowLabels:
        """Return the labels of the users of `request`, where these are the labels of all users of the data.

        Who is in the data has the labels of the data. Others (user_idx −1) have what `request.features` says of this
        column: a text, several of them, or None; a whole number is taken as its text, and a label that nobody in the
        data has is unknown. Raises `ParameterError` for anything else.
        """
        given = request.features.get(self.column)
        strangers = np.flatnonzero(request.user_idx < 0)
        known = self.take(request.user_idx)
        if given is None or not strangers.size:
            return known
        return self._joined(known, strangers, [self._codes(given[at]) for at in strangers.tolist()])

    def _joined(
        self, known: RowLabels, strangers: NDArray[np.int64], codes: Sequence[Sequence[int]]
    ) -> RowLabels:
        row = np.concatenate([known.row, np.repeat(strangers, [len(some) for some in codes])])
        code = np.concatenate([known.code, np.array([c for some in codes for c in some], np.int32)])
        order = np.argsort(row, kind="stable")
        ptr = offsets(np.bincount(row, minlength=len(known)))
        return RowLabels(self.column, self.labels, ptr, code[order])

    def _codes(self, value: object) -> list[int]:
        """Return the codes of one person's value, distinct and ascending."""
        several: Iterable[object] = value if isinstance(value, list | tuple | set | frozenset) else (value,)
        texts = {self._text(one) for one in several if not _is_missing(one)}
        return sorted(self._place[text] for text in texts if text in self._place)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {label: at for at, label in enumerate(self.labels)}

    def _text(self, value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return str(int(value))
        raise ParameterError(
            f"features: {self.column} must be a text, a list of texts or None, got {value!r} "
            f"(labels here are such as {', '.join(map(repr, self.labels[:3]))})"
        )


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _what_is_there(table: FeatureTable | None, side: Side, column: str) -> str:
    wanted = f"the {side} feature {column!r}, categorical or tags; "
    if table is None:
        return wanted + f"these data have no {side} features"
    if column in table.kinds:
        return wanted + f"here it is {table.kinds[column]}: declare it otherwise when the data is read"
    have = [name for name, kind in table.kinds.items() if kind in _KINDS]
    return wanted + f"there are: {', '.join(have) or 'none'}"
