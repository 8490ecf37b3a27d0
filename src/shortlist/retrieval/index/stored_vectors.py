"""StoredVectors: the vectors of an index as they lie in memory: float32, half or int8 with a scale for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from shortlist.errors import DataError, ParameterError
from shortlist.models.vectors import unit_rows
from shortlist.retrieval.index.item_ids import shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Ids

IndexMeasure = Literal["dot", "cosine", "euclidean"]
Storage = Literal["float32", "half", "int8"]

_LARGEST_CODE = 127
_ENCODED_AT_ONCE = 1 << 16
_DTYPES: dict[str, type[np.generic]] = {"float32": np.float32, "half": np.float16, "int8": np.int8}


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """The vectors of n items; immutable, so that a search works on what was there when it began.

    - codes float32, float16 or int8 [n, dim]; under the cosine the vectors at length 1
    - scale float32[n]: what the int8 codes of an item are multiplied by; None for the other storages
    - offsets float32[n]: added to every score of an item; None for no offsets at all

    int8 takes a vector's largest component for 127, so that a component is off by at most a 254th of that; under the
    cosine the scale then makes the length of the codes 1 again.
    """

    codes: NDArray[Any]
    scale: NDArray[np.float32] | None
    offsets: NDArray[np.float32] | None
    measure: IndexMeasure
    storage: Storage

    @classmethod
    def of(
        cls,
        vectors: NDArray[np.floating],
        ids: Ids,
        *,
        offsets: NDArray[np.floating] | None,
        measure: IndexMeasure,
        storage: Storage,
    ) -> Self:
        """Return `vectors` float[n, dim] as they are stored; `ids` name those that cannot be.

        Raises `DataError` for vectors or offsets that are not finite, zero vectors under the cosine, vectors beyond the
        range of half, and shapes that do not fit; `ParameterError` for offsets under another measure than the dot.
        """
        given = as_matrix(vectors, "vectors")
        _refuse(~np.isfinite(given).all(axis=1), ids, "NaN or infinite in the vector")
        if measure == "cosine":
            _refuse(~given.any(axis=1), ids, "a zero vector has no direction, so no cosine")
        codes, scale = _encoded(given, measure, storage)
        if storage == "half":
            _refuse(
                ~np.isfinite(codes).all(axis=1), ids, "components beyond 65,504 do not fit in half precision"
            )
        return cls(codes, scale, _checked_offsets(offsets, ids, measure), measure, storage)

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    @property
    def dim(self) -> int:
        """Return the length of the vectors."""
        return int(self.codes.shape[1])

    @cached_property
    def item_offsets(self) -> NDArray[np.float32]:
        """Return float32[n]: the offsets, zeros where there are none, which are kept: a search takes less time."""
        return np.zeros(len(self), np.float32) if self.offsets is None else self.offsets

    @property
    def nbytes(self) -> int:
        """Return the bytes of all arrays."""
        return sum(part.nbytes for part in (self.codes, self.scale, self.offsets) if part is not None)

    def decoded(self, rows: NDArray[np.integer[Any]] | slice) -> NDArray[np.float32]:
        """Return float32[m, dim]: the vectors at `rows`, as what they are taken for in every score."""
        codes = self.codes[rows]
        if self.storage == "float32":
            return np.ascontiguousarray(codes, np.float32)
        vectors: NDArray[np.float32] = codes.astype(np.float32)
        if self.scale is not None:
            vectors *= self.scale[rows][:, None]
        return vectors

    def take(self, rows: NDArray[np.integer[Any]]) -> StoredVectors:
        """Return the vectors at `rows`."""
        return self._mapped(lambda part: part[rows])

    def followed_by(self, more: StoredVectors) -> StoredVectors:
        """Return these vectors and behind them `more`, stored alike. Raises `DataError` for another dimension."""
        self._require_dim(more)
        both: dict[str, Any] = {
            name: None if a is None or b is None else np.concatenate([a, b])
            for name, a, b in _pairs(self._with_offsets_as(more), more._with_offsets_as(self))
        }
        return replace(self, **both)

    def with_rows(self, rows: NDArray[np.integer[Any]], others: StoredVectors) -> StoredVectors:
        """Return these vectors with `others` at `rows`. Raises `DataError` for another dimension."""
        self._require_dim(others)
        changed: dict[str, Any] = {}
        for name, old, new in _pairs(self._with_offsets_as(others), others._with_offsets_as(self)):
            if old is not None:
                old = np.array(old)
                old[rows] = new
            changed[name] = old
        return replace(self, **changed)

    def _with_offsets_as(self, other: StoredVectors) -> StoredVectors:
        if self.offsets is None and other.offsets is not None:
            return replace(self, offsets=self.item_offsets)
        return self

    def _mapped(self, function: Any) -> StoredVectors:
        parts = {name: getattr(self, name) for name in ("codes", "scale", "offsets")}
        mapped: dict[str, Any] = {name: None if p is None else function(p) for name, p in parts.items()}
        return replace(self, **mapped)

    def _require_dim(self, other: StoredVectors) -> None:
        if other.dim != self.dim:
            raise DataError(f"vectors of dimension {other.dim} for an index of dimension {self.dim}")


def checked_queries(queries: NDArray[np.floating], dim: int, measure: IndexMeasure) -> NDArray[np.float32]:
    """Return float32[n, dim], of length 1 under the cosine; one query float[dim] becomes a row.

    Raises `DataError` naming the row for another dimension, NaN or infinity, and a zero query under the cosine.
    """
    given = as_matrix(np.atleast_2d(queries), "queries")
    if given.shape[1] != dim:
        raise DataError(f"queries of dimension {given.shape[1]} for an index of dimension {dim}")
    if not np.isfinite(given).all():
        _refuse_rows(~np.isfinite(given).all(axis=1), "NaN or infinite")
    if measure == "cosine":
        _refuse_rows(~given.any(axis=1), "a zero query has no direction, so no cosine")
        return unit_rows(given)
    return given


def as_matrix(vectors: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return `vectors` as float32[n, dim]. Raises `DataError` for what is not a matrix of numbers."""
    array = np.asarray(vectors)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] == 0:
        raise DataError(
            f"{what} must be numbers of shape [n, dim], got {array.dtype} of shape {list(array.shape)}"
        )
    if array.dtype == np.float32 and array.flags.c_contiguous:
        return array
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused as such
        return np.ascontiguousarray(array, np.float32)


def _encoded(
    given: NDArray[np.float32], measure: IndexMeasure, storage: Storage
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Return codes and scale, made a block at a time so that no second float32 copy of all is needed."""
    codes = np.empty(given.shape, _DTYPES[storage])
    scale = np.empty(given.shape[0], np.float32) if storage == "int8" else None
    for start in range(0, given.shape[0], _ENCODED_AT_ONCE):
        block = slice(start, start + _ENCODED_AT_ONCE)
        rows = unit_rows(given[block]) if measure == "cosine" else given[block]
        if scale is None:
            with np.errstate(over="ignore"):
                codes[block] = rows
        else:
            codes[block], scale[block] = _as_int8(rows, unit=measure == "cosine")
    return codes, scale


def _as_int8(rows: NDArray[np.float32], *, unit: bool) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    largest = np.abs(rows).max(axis=1)
    step = np.where(largest > 0, largest / _LARGEST_CODE, 1).astype(np.float64)
    codes = np.rint(rows / step[:, None]).astype(np.int8)
    if unit:
        step = 1 / np.sqrt(np.einsum("if,if->i", codes, codes, dtype=np.float64))
    return codes, step.astype(np.float32)


def _checked_offsets(
    offsets: NDArray[np.floating] | None, ids: Ids, measure: IndexMeasure
) -> NDArray[np.float32] | None:
    if offsets is None:
        return None
    if measure != "dot":
        raise ParameterError(f"offsets are added to dot products; measure={measure!r} takes none")
    given = np.asarray(offsets)
    if given.shape != (ids.len(),) or given.dtype.kind not in "fiub":
        raise DataError(f"offsets must be numbers of shape [{ids.len()}], got {list(given.shape)}")
    _refuse(~np.isfinite(given), ids, "NaN or infinite offset")
    return given.astype(np.float32)


def _refuse(wrong: NDArray[np.bool_] | np.bool_, ids: Ids, why: str) -> None:
    if wrong.any():
        raise DataError(
            f"{why}: items {shown(ids.gather(np.flatnonzero(wrong)))}; leave them out of the index or mend them"
        )


def _refuse_rows(wrong: NDArray[np.bool_] | np.bool_, why: str) -> None:
    if wrong.any():
        raise DataError(f"{why}: query {int(np.flatnonzero(wrong)[0])} of {wrong.size}")


def _pairs(a: StoredVectors, b: StoredVectors) -> list[tuple[str, Any, Any]]:
    return [(name, getattr(a, name), getattr(b, name)) for name in ("codes", "scale", "offsets")]
