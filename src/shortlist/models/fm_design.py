"""Examples of a factorisation machine, and which columns each has, by way of its user, its item and its moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.event_encoder import Field

SideName = Literal["user", "item", "context"]
PART = 1 << 13
"""Examples of a part of a column that has more than twice as many: such a column is worked on by several threads."""


class Rows(NamedTuple):
    """A CSR matrix as kernels take it: ptr int64[n + 1], columns int32[nnz], values float32[nnz]."""

    ptr: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> Rows:
        """Return the rows of a SciPy matrix."""
        return cls(
            matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
        )

    def __len__(self) -> int:
        return self.ptr.size - 1

    def at(self, rows: NDArray[np.integer]) -> Rows:
        """Return the rows at `rows`, each ≥ 0."""
        length = self.ptr[rows + 1] - self.ptr[rows]
        ptr = offsets(length)
        at = np.arange(ptr[-1]) + np.repeat(self.ptr[rows] - ptr[:-1], length)
        return Rows(ptr, self.columns[at], self.values[at])

    def without(self, columns: NDArray[np.integer]) -> Rows:
        """Return the rows without their entries in `columns`."""
        kept = np.flatnonzero(~np.isin(self.columns, columns))
        return Rows(np.searchsorted(kept, self.ptr), self.columns[kept], self.values[kept])

    def has(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return bool[n]: whether a row has an entry in one of the `wanted` columns bool[n_columns]."""
        hits = offsets((wanted[self.columns] & (self.values != 0)).astype(np.int64))
        found: NDArray[np.bool_] = hits[self.ptr[1:]] > hits[self.ptr[:-1]]
        return found

    def by_column(self, n_columns: int) -> Rows:
        """Return the transpose: for each column the rows that it has, ascending."""
        shape = (len(self), n_columns)
        columns = sparse.csr_array((self.values, self.columns, self.ptr), shape=shape).T.tocsr()
        return Rows.of(columns)


def no_rows() -> Rows:
    """Return one row without entries, that of every moment where there is no context."""
    return Rows(np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learned from: `target` float32[m] of users, items and moments, rows int32[m] of their sides."""

    user_idx: NDArray[np.int32]
    item_idx: NDArray[np.int32]
    context_idx: NDArray[np.int32]
    target: NDArray[np.float32]

    def __len__(self) -> int:
        return self.target.size

    def take(self, order: NDArray[np.integer]) -> Examples:
        """Return the examples at `order`."""
        return Examples(
            self.user_idx[order], self.item_idx[order], self.context_idx[order], self.target[order]
        )

    def joined(self, others: Sequence[Examples]) -> Examples:
        """Return these examples, and after them those of `others`."""
        parts = [self, *others]
        return Examples(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("user_idx", "item_idx", "context_idx", "target")
            )
        )


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the examples: `rows` of its entities, `of` int32[m] which of them each example has."""

    rows: Rows
    of: NDArray[np.int32]

    @cached_property
    def example_ptr(self) -> NDArray[np.int64]:
        """Return int64[n_entities + 1]: where the examples of each entity begin in `examples`."""
        return offsets(np.bincount(self.of, minlength=len(self.rows)))

    @cached_property
    def examples(self) -> NDArray[np.int32]:
        """Return int32[m]: the examples entity by entity."""
        return np.argsort(self.of, kind="stable").astype(np.int32)


@dataclass(frozen=True, eq=False)
class Design:
    """Examples with the rows of their three sides, and the fields that the columns are of."""

    users: Rows
    items: Rows
    context: Rows
    fields: tuple[Field, ...]
    n_columns: int
    examples: Examples

    def with_examples(self, examples: Examples) -> Design:
        """Return the design of other examples of the same users, items and moments."""
        return replace(self, examples=examples)

    def sides(self) -> dict[SideName, Side]:
        """Return the three sides by name."""
        of = self.examples
        return {
            "user": Side(self.users, of.user_idx),
            "item": Side(self.items, of.item_idx),
            "context": Side(self.context, of.context_idx),
        }

    def row_arguments(self) -> tuple[Any, ...]:
        """Return what kernels take of the three sides: for each the row of each example, and the rows."""
        of = self.examples
        return (of.user_idx, *self.users, of.item_idx, *self.items, of.context_idx, *self.context)

    @cached_property
    def n_examples_of_column(self) -> NDArray[np.int64]:
        """Return int64[n_columns]: how many examples have something in each column."""
        total = np.zeros(self.n_columns, np.int64)
        for side in self.sides().values():
            n = np.diff(side.example_ptr)
            length = np.diff(side.rows.ptr)
            per_entry = np.where(side.rows.values != 0, np.repeat(n, length), 0)
            total += np.bincount(side.rows.columns, per_entry, self.n_columns).astype(np.int64)
        return total


@dataclass(frozen=True, eq=False)
class FieldColumns:
    """The columns of a field that occur in examples, and how they are worked through.

    - columns int32[n], n_examples int64[n]: where they are exclusive, the columns with most examples first
    - exclusive: no example has two of them, so that they may be drawn at once
    - runs: slices of `columns`; a run of one with `parts` is a long column, cut at `parts` int64[p + 1] of its entities
    """

    name: str
    side: SideName
    columns: NDArray[np.int32]
    n_examples: NDArray[np.int64]
    exclusive: bool
    runs: tuple[tuple[slice, NDArray[np.int64] | None], ...]


def field_columns(design: Design, by_column: Rows, side: Side, field: Field) -> FieldColumns:
    """Return how the columns of `field` are worked through; `by_column` is the transpose of the side's rows."""
    counts = design.n_examples_of_column[field.start : field.stop]
    columns = (field.start + np.flatnonzero(counts > 0)).astype(np.int32)
    inside = (side.rows.columns >= field.start) & (side.rows.columns < field.stop)
    per_row = np.diff(offsets(inside.astype(np.int64))[side.rows.ptr])
    exclusive = bool(per_row.max(initial=0) <= 1)
    if exclusive:
        columns = columns[np.argsort(-design.n_examples_of_column[columns], kind="stable")]
    n_examples = design.n_examples_of_column[columns]
    n_of_entity = np.diff(side.example_ptr)
    runs: list[tuple[slice, NDArray[np.int64] | None]] = []
    begun = 0
    for at in np.flatnonzero(n_examples > 2 * PART).tolist():
        if at > begun:
            runs.append((slice(begun, at), None))
        runs.append((slice(at, at + 1), _parts(by_column, int(columns[at]), n_of_entity)))
        begun = at + 1
    if begun < columns.size:
        runs.append((slice(begun, columns.size), None))
    return FieldColumns(field.name, field.side, columns, n_examples, exclusive, tuple(runs))


def _parts(by_column: Rows, column: int, n_of_entity: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the entities of a column are cut into parts of about `PART` examples each."""
    first, last = by_column.ptr[column], by_column.ptr[column + 1]
    before = offsets(n_of_entity[by_column.columns[first:last]])
    cuts = np.searchsorted(before, np.arange(0, before[-1], PART))
    bounds: NDArray[np.int64] = first + np.unique(np.append(cuts, last - first))
    return bounds
