"""Vocabulary: the one place where the caller's ids become dense positions and back."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import numpy as np
import polars as pl

from shortlist import threads
from shortlist.artifacts import State
from shortlist.data import large_arrays
from shortlist.data.csv_texts import codes_of, texts_of
from shortlist.data.ordering import extremes, read_only, taken
from shortlist.errors import DataError, UnknownIdError
from shortlist.kernels.id_tables import look_up, mark_present

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Id = int | str
# A column of ids, as the layers that know no frames name it.
Ids = pl.Series
MAX_SHOWN = 5
MANY = 8  # ids asked for, relative to those known, from which on a whole table of them pays
DENSE = 2  # integers lie close together where their range is at most so many times their number
BLOCK = 1 << 16  # ids that a thread takes at a time


def id_series(values: Iterable[Id] | pl.Series | NDArray[Any]) -> pl.Series:
    """Return `values` as a Series of ids: Int64 or String, without nulls.

    Raises `DataError` for missing ids, for any other kind of value, and where integers and strings are mixed.
    """
    series = values if isinstance(values, pl.Series) else _series_of(values)
    if series.len() == 0:
        return series.cast(pl.String) if not series.dtype.is_integer() else series.cast(pl.Int64)
    if series.null_count():
        raise DataError(f"an id is missing at position {series.is_null().arg_max()}; every id must be given")
    if series.dtype.is_integer():
        try:
            return series.cast(pl.Int64)
        except pl.exceptions.InvalidOperationError as error:
            raise DataError("an integer id does not fit in 64 bits; give such ids as strings") from error
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    raise DataError(
        f"ids must be integers or strings, one kind a column; got {series.dtype} ({series[0]!r}, …)"
    )


def _series_of(values: Iterable[Id] | NDArray[Any]) -> pl.Series:
    if isinstance(values, str | bytes):
        raise DataError(f"expected a list of ids, got the single value {values!r}")
    given: object = values
    if isinstance(given, pl.DataFrame):
        raise DataError(
            f"expected a list of ids, got a frame; give one of its columns: {', '.join(given.columns)}"
        )
    try:
        if isinstance(values, np.ndarray) and values.dtype.kind in "iuUS":
            return pl.Series(values)
        listed = [value.item() if isinstance(value, np.generic) else value for value in values]
        kinds = {type(value).__name__ for value in listed}
        if len(kinds) > 1:
            raise DataError(f"ids must be of one kind, got {' and '.join(sorted(kinds))}")
        if listed and listed[0] is not None and not isinstance(listed[0], int | str):
            raise DataError(f"ids must be integers or strings, got {kinds.pop()}: {reprlib.repr(listed[0])}")
        return pl.Series(listed)
    except (TypeError, pl.exceptions.PolarsError, OverflowError) as error:
        raise DataError(f"these are not ids: {error}") from error


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The sorted, distinct ids of users or of items; the position of an id is its index.

    Integers sort by value, strings by code point, so that a tie broken by index is broken by id.
    `ids` is a Polars Series, Int64 or String. Make one with `Vocabulary.of`.
    """

    ids: pl.Series

    @classmethod
    def of(cls, *columns: Iterable[Id] | pl.Series | NDArray[Any]) -> Vocabulary:
        """Return the vocabulary of all ids in `columns`. Raises `DataError` where kinds differ between them."""
        series = [part for part in map(id_series, map(_distinct_texts, columns)) if part.len()]
        if not series:
            return cls(pl.Series("id", [], dtype=pl.Int64))
        if len({str(part.dtype) for part in series}) > 1:
            raise DataError(
                "the same ids are integers in one place and strings in another: "
                f"{series[0][0]!r} and {next(p for p in series if p.dtype != series[0].dtype)[0]!r}; "
                "make both columns one kind"
            )
        present = _present(series) if series[0].dtype == pl.Int64 else None
        if present is not None:
            return cls(pl.Series("id", present))
        joined = pl.concat([part.rename("id") for part in series])
        return cls(joined.unique().sort())

    def __len__(self) -> int:
        return self.ids.len()

    @property
    def kind(self) -> Literal["integer", "string"]:
        """Return "integer" or "string"."""
        return "integer" if self.ids.dtype == pl.Int64 else "string"

    def index_of(self, ids: Iterable[Id] | pl.Series | NDArray[Any]) -> NDArray[np.int32]:
        """Return int32[n]: the position of each id, −1 where it is unknown.

        An id of the other kind (a string where ids are integers) is unknown too.
        Cost: O(n log |vocabulary|) for few ids, O(n + |vocabulary|) for many.
        """
        if _is_enum(ids) and not ids.null_count():
            # Each text is looked for once.
            return taken(read_only(self.index_of(texts_of(ids))), codes_of(ids))
        wanted = id_series(ids)
        if wanted.len() == 0 or len(self) == 0 or wanted.dtype != self.ids.dtype:
            return np.full(wanted.len(), -1, np.int32)
        if wanted.len() * MANY < len(self):
            return self._search(wanted)
        if self.kind == "integer" and self.ids[-1] - self.ids[0] < DENSE * (len(self) + wanted.len()):
            return self._look_up(wanted)
        positions = pl.DataFrame({"id": self.ids, "position": np.arange(len(self), dtype=np.int32)})
        joined = wanted.rename("id").to_frame().join(positions, on="id", how="left", maintain_order="left")
        return joined["position"].fill_null(-1).to_numpy()

    def _search(self, wanted: pl.Series) -> NDArray[np.int32]:
        if self.kind == "integer":
            known, values = self.ids.to_numpy(), wanted.to_numpy()
            at = np.minimum(np.searchsorted(known, values), len(self) - 1)
            return np.where(known[at] == values, at, -1).astype(np.int32)
        position = self.ids.search_sorted(wanted).to_numpy().astype(np.int64)
        position[position == len(self)] = 0
        found = (self.ids.gather(position) == wanted).to_numpy()
        return np.where(found, position, -1).astype(np.int32)

    def _look_up(self, wanted: pl.Series) -> NDArray[np.int32]:
        # Integers that lie close together, as most do: a table from the lowest to the highest.
        low, high = int(self.ids[0]), int(self.ids[-1])
        table = np.full(high - low + 1, -1, np.int32)
        table[self.ids.to_numpy() - low] = np.arange(len(self))
        values, out = read_only(wanted.to_numpy()), large_arrays.empty(wanted.len(), np.int32)
        threads.run_blocks(
            lambda start, stop: look_up(values, start, stop, low, high, table, out), values.size, BLOCK
        )
        return out

    def require(self, ids: Iterable[Id] | pl.Series | NDArray[Any], what: str) -> NDArray[np.int32]:
        """Return int32[n] positions. Raises `UnknownIdError` naming `what` ("user") and the first unknown ids."""
        wanted = id_series(ids)
        index = self.index_of(wanted)
        missing = np.flatnonzero(index < 0)
        if missing.size:
            raise UnknownIdError(self.unknown_message(wanted.gather(missing).to_list(), what))
        return index

    def unknown_message(self, ids: Sequence[Id], what: str) -> str:
        """Return a sentence that names the unknown `ids` and says what the known ones look like."""
        shown = ", ".join(repr(i) for i in ids[:MAX_SHOWN]) + (", …" if len(ids) > MAX_SHOWN else "")
        examples = ", ".join(repr(i) for i in self.ids.head(3).to_list())
        plural = "s" if len(ids) > 1 else ""
        return f"unknown {what}{plural}: {shown}; the {len(self)} known {what} ids are {self.kind}s such as {examples}"

    def parse(self, text: str) -> Id:
        """Return the id that `text`, as typed on a command line, stands for in this vocabulary."""
        if self.kind == "integer" and is_canonical_integer(text):
            return int(text)
        return text

    def ids_of(self, index: NDArray[np.integer[Any]] | slice) -> pl.Series:
        """Return the ids at `index` (each in [0, len)), unchanged in kind and value."""
        return self.ids[index] if isinstance(index, slice) else self.ids.gather(index)

    def to_state(self) -> State:
        """Return the arrays and values that `from_state` needs; strings as UTF-8 bytes and offsets."""
        if self.kind == "integer":
            return State("Vocabulary", {"kind": "integer"}, {"ids": self.ids.to_numpy()})
        return State("Vocabulary", {"kind": "string"}, pack_strings(self.ids))

    @classmethod
    def from_state(cls, state: State) -> Vocabulary:
        """Return the vocabulary that `to_state` described."""
        if state.values["kind"] == "integer":
            return cls(pl.Series("id", np.array(state.arrays["ids"], np.int64)))
        return cls(unpack_strings(state.arrays).rename("id"))


def _is_enum(ids: object) -> TypeGuard[pl.Series]:
    return isinstance(ids, pl.Series) and ids.dtype == pl.Enum


def _distinct_texts(ids: Iterable[Id] | pl.Series | NDArray[Any]) -> Iterable[Id] | pl.Series | NDArray[Any]:
    if not _is_enum(ids) or ids.null_count():
        return ids
    texts = texts_of(ids)
    occurs: NDArray[np.bool_] = np.zeros(texts.len(), bool)
    occurs[codes_of(ids)] = True
    return texts.filter(pl.Series(occurs))


def _present(columns: Sequence[pl.Series]) -> NDArray[np.int64] | None:
    # The distinct integers of `columns` in ascending order; None where they do not lie close together.
    arrays = [read_only(column.to_numpy()) for column in columns]
    lows, highs = zip(*map(extremes, arrays), strict=True)
    low, high = min(lows), max(highs)
    if high - low >= DENSE * sum(a.size for a in arrays):
        return None
    seen = np.zeros(high - low + 1, bool)

    def mark(values: NDArray[np.int64]) -> None:
        threads.run_blocks(
            lambda start, stop: mark_present(values, start, stop, low, seen), values.size, BLOCK
        )

    for values in arrays:
        mark(values)
    present: NDArray[np.int64] = np.flatnonzero(seen) + low
    return present


def is_canonical_integer(text: str) -> bool:
    """Return whether `text` is how an int64 prints itself: no sign +, no leading zeros, no spaces.

    >>> [is_canonical_integer(t) for t in ("7", "-7", "07", "7.0", " 7", "", "9223372036854775808")]
    [True, True, False, False, False, False, False]
    """
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdecimal() and (digits == "0" or not digits.startswith("0"))
    return plain and text != "-0" and -(2**63) <= int(text) < 2**63


def pack_strings(strings: pl.Series) -> dict[str, NDArray[Any]]:
    """Return a String Series (nulls allowed) as arrays: UTF-8 bytes, offsets int64[n+1], and null bool[n]."""
    encoded = [b"" if text is None else text.encode("utf-8", "surrogatepass") for text in strings.to_list()]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    data = np.frombuffer(b"".join(encoded), np.uint8)
    return {"bytes": data, "offsets": offsets, "null": strings.is_null().to_numpy()}


def unpack_strings(arrays: Mapping[str, NDArray[Any]]) -> pl.Series:
    """Return the String Series that `pack_strings` took apart."""
    data, offsets = arrays["bytes"].tobytes(), arrays["offsets"].tolist()
    texts = [data[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(offsets)]
    null = arrays["null"].tolist()
    return pl.Series([None if n else t for t, n in zip(texts, null, strict=True)], dtype=pl.String)
