"""FeatureTable: what is known of users or items besides the events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl
from polars.selectors import by_name
from scipy import sparse

from shortlist.errors import DataError, ParameterError
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Vocabulary

FeatureKind = Literal["numeric", "categorical", "tags", "text", "time"]
DTYPES: dict[str, pl.DataType] = {
    "numeric": pl.Float64(),
    "categorical": pl.String(),
    "tags": pl.List(pl.String),
    "text": pl.String(),
    "time": pl.Datetime("us", "UTC"),
}
ID = "id"
# The column that names an item to a person, first one present.
TITLE_COLUMNS = ("title", "name", "description")


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """One row an id, and columns that are declared numeric, categorical, tags (multi-valued), text or time.

    `frame` has the column `id` first; the others have the dtype of their kind (`DTYPES`), null where unknown.
    """

    frame: pl.DataFrame
    kinds: Mapping[str, FeatureKind]

    def __post_init__(self) -> None:
        for name, kind in self.kinds.items():
            if kind not in get_args(FeatureKind):
                raise ParameterError(
                    f"feature {name!r}: kind {kind!r} is not one of {', '.join(get_args(FeatureKind))}"
                )
        if self.frame.columns != [ID, *self.kinds]:
            raise DataError(
                f"a feature table has the columns id, {', '.join(self.kinds)}; got {self.frame.columns}"
            )
        for name, kind in self.kinds.items():
            if self.frame[name].dtype != DTYPES[kind]:
                wrong = f"feature {name!r} is {self.frame[name].dtype}; {kind} needs {DTYPES[kind]}"
                raise DataError(wrong + _no_number(self.frame, name, kind))
        twice = self.frame[ID].is_duplicated()
        if twice.any():
            raise DataError(f"the feature table has several rows for id {self.frame.filter(twice)[ID][0]!r}")

    def __len__(self) -> int:
        return self.frame.height

    def align(self, vocabulary: Vocabulary) -> FeatureTable:
        """Return one row for each id of `vocabulary`, in its order; nulls where this table has no row for it."""
        index = vocabulary.index_of(self.frame[ID])
        source = np.full(len(vocabulary), -1, np.int64)
        source[index[index >= 0]] = np.flatnonzero(index >= 0)
        rows = pl.Series(source, dtype=pl.Int64)
        gathered = self.frame.select(
            by_name(name).as_expr().gather(rows.set(rows < 0, None)) for name in self.kinds
        )
        return FeatureTable(pl.DataFrame([vocabulary.ids.rename(ID), *gathered.get_columns()]), self.kinds)

    def with_columns(self, kinds: Mapping[str, FeatureKind]) -> FeatureTable:
        """Return this table with a column of nulls for each of `kinds` that it does not have."""
        absent = {name: kind for name, kind in kinds.items() if name not in self.kinds}
        nulls = [pl.Series(name, [None] * len(self), dtype=DTYPES[kind]) for name, kind in absent.items()]
        return FeatureTable(self.frame.with_columns(nulls), {**self.kinds, **absent})

    def cells(self) -> dict[str, NDArray[np.object_]]:
        """Return each column as object[n], as `Request.features` has them; tags are lists, null is None."""
        found = {name: np.empty(len(self), object) for name in self.kinds}
        for name, cells in found.items():
            for row, value in enumerate(self.frame[name].to_list()):  # one by one: a list may be a cell
                cells[row] = value
        return found

    @property
    def title_column(self) -> str | None:
        """Return the text column that names a row to a person, None where there is none."""
        return next((name for name in TITLE_COLUMNS if self.kinds.get(name) == "text"), None)

    def tags(self, name: str) -> tuple[sparse.csr_array, list[str]]:
        """Return the multi-hot float32 CSR [rows, labels] of a tags or categorical column, and its sorted labels.

        Raises `ParameterError` where there is no such column. A row without tags is empty.
        """
        if self.kinds.get(name) not in ("tags", "categorical"):
            have = [n for n, kind in self.kinds.items() if kind in ("tags", "categorical")]
            raise ParameterError(
                f"no tags or categorical feature {name!r}; there are: {', '.join(have) or 'none'}"
            )
        column = self.frame[name]
        lists = (
            column
            if self.kinds[name] == "tags"
            else column.to_frame().select(pl.concat_list(by_name(name)))[name]
        )
        # Codes are sorted within their rows, not texts: that takes a hundredth of the time.
        lists = lists.list.drop_nulls().list.unique()
        length = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
        flat = (
            lists.drop_nulls().list.explode(empty_as_null=False)
            if lists.len()
            else pl.Series([], dtype=pl.String)
        )
        labels = flat.unique().sort()
        code = labels.search_sorted(flat).to_numpy().astype(np.int64) if flat.len() else np.zeros(0, np.int64)
        row = np.repeat(np.arange(length.size), length)
        index = (np.sort(row * max(labels.len(), 1) + code) % max(labels.len(), 1)).astype(np.int32)
        shape = (self.frame.height, labels.len())
        return sparse.csr_array(
            (np.ones(index.size, np.float32), index, offsets(length)), shape=shape
        ), labels.to_list()


def _no_number(frame: pl.DataFrame, name: str, kind: FeatureKind) -> str:
    """Return which cell of a column of texts is no number, for an error; "" where that is not what is wrong."""
    column = frame[name]
    if kind != "numeric" or column.dtype != pl.String:
        return ""
    words = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    row = words.arg_max() if words.any() else None
    if row is None:
        return ", and every cell is a number: cast the column"
    return f": row {row} (id {frame[ID][row]!r}) holds {column[row]!r}, which is no number"
