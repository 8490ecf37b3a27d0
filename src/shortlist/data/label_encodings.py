"""How a column of labels becomes numbers: categories (one a row) and tags (any number a row) alike.

A row's labels are a set: one that stands twice in a row counts once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ParameterError
from shortlist.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

HASH_BYTES = 8
# The name of the feature of rows without a known label, where people see it: country=<unknown>.
UNKNOWN = "<unknown>"


@dataclass(frozen=True)
class LabelEncoding:
    """One feature a label, in the order of code points: 1 where the row has it (one-hot, or multi-hot for tags).

    - min_count: labels in fewer rows than this have no feature
    - unknown: one feature more, the last: 1 in each row that has none of the labels, because its cell is missing or
      empty, or because all that it has is unseen or too rare
    """

    labels: tuple[str, ...]
    unknown: bool = False

    @classmethod
    def fit(cls, column: pl.Series, *, unknown: bool = False, min_count: int = 1) -> Self:
        """Return the encoding of a String column or a column of lists of strings."""
        flag("unknown", unknown)
        whole("min_count", min_count, least=1)
        _, found = distinct_entries(as_lists(column))
        if min_count == 1:
            kept = found.unique()
        else:
            counts = found.rename("label").value_counts(name="n_rows")
            kept = counts.filter(counts["n_rows"] >= min_count)["label"]
        return cls(tuple(kept.sort().to_list()), unknown)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(tuple(values["labels"]), values.get("unknown", False))

    def to_values(self) -> dict[str, Any]:
        """Return the labels, and whether there is a feature for the unknown."""
        return {"labels": list(self.labels), **({"unknown": True} if self.unknown else {})}

    @property
    def width(self) -> int:
        """Return the number of features."""
        return len(self.labels) + self.unknown

    def names(self, column: str) -> list[str]:
        """Return such names as genres=Comedy."""
        return [f"{column}={label}" for label in (*self.labels, *([UNKNOWN] if self.unknown else []))]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, width]."""
        matrix = counts_of(as_lists(column), self.labels)
        matrix.data[:] = 1
        if not self.unknown:
            return matrix
        without = (np.diff(matrix.indptr) == 0).astype(np.float32)
        return side_by_side([matrix, sparse.csr_array(without[:, None])])


@dataclass(frozen=True)
class HashingEncoding:
    """`n_buckets` features, whatever labels there are: each label falls into one by its hash.

    The value is the number of the row's labels in the bucket; with `signed` each counts +1 or −1, by its hash, so that
    the dot product of two rows is on average what it is without collisions. A missing cell sets nothing; a label that
    was never seen has a bucket like any other. Nothing is learned of the column.

    The hash is BLAKE2b of the UTF-8 text, 8 bytes, little-endian: bucket = ⌊h / 2⌋ mod n_buckets, sign by the lowest
    bit (Weinberger et al., Feature Hashing for Large Scale Multitask Learning, 2009, eq. 1). It is the same in every
    process, on every machine and with every version of what is installed.
    """

    n_buckets: int
    signed: bool = False

    @classmethod
    def fit(cls, column: pl.Series, *, n_buckets: int = 1024, signed: bool = False) -> Self:
        """Return the encoding; `column` teaches it nothing."""
        return cls(whole("n_buckets", n_buckets, least=1), flag("signed", signed))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(**values)

    def to_values(self) -> dict[str, Any]:
        """Return the number of buckets and whether labels have signs."""
        return asdict(self)

    @property
    def width(self) -> int:
        """Return the number of features."""
        return self.n_buckets

    def names(self, column: str) -> list[str]:
        """Return such names as country#17."""
        return [f"{column}#{bucket}" for bucket in range(self.n_buckets)]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, n_buckets]. Cost: one hash for each distinct label, about 1 µs."""
        row, label = distinct_entries(as_lists(column))
        known = Vocabulary.of(label) if label.len() else Vocabulary(pl.Series("id", [], dtype=pl.String))
        hashes = label_hashes(known.ids)
        at = known.index_of(label)
        bucket = ((hashes >> np.uint64(1)) % np.uint64(self.n_buckets)).astype(np.int32)
        sign = np.where(hashes & np.uint64(1), np.float32(-1), np.float32(1))
        value = sign[at] if self.signed else np.ones(at.size, np.float32)
        entries = value, (row.astype(np.int32), bucket[at])
        return sparse.coo_array(entries, shape=(column.len(), self.n_buckets)).tocsr()


def label_hashes(labels: pl.Series) -> NDArray[np.uint64]:
    """Return uint64[n]: the hash of each of `labels` String[n] without nulls."""
    digests = (blake2b(label.encode(), digest_size=HASH_BYTES).digest() for label in labels.to_list())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def side_by_side(parts: list[sparse.csr_array]) -> sparse.csr_array:
    """Return the float32 CSR of `parts`, which have the same rows, side by side."""
    joined: sparse.csr_array = sparse.hstack(parts, format="csr", dtype=np.float32)
    return joined


def flag(name: str, value: object) -> bool:
    """Return `value`, True or False; raise `ParameterError` otherwise."""
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be true or false, got {value!r}")
    return value


def as_lists(column: pl.Series) -> pl.Series:
    """Return a column of lists of strings: that of a String column has one entry a row."""
    return column if column.dtype == pl.List else column.reshape((-1, 1)).arr.to_list()


def entries_of(lists: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """Return the row int64[e] of each text in `lists`, and the texts String[e]; missing ones left out."""
    rows = pl.DataFrame({"row": np.arange(lists.len()), "text": lists})
    flat = rows.explode("text").drop_nulls("text")
    return flat["row"].to_numpy(), flat["text"]


def distinct_entries(lists: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    """Return `entries_of` with each text once a row, in the order of its first place."""
    row, text = entries_of(lists)
    if row.size == 0 or not (row[1:] == row[:-1]).any():
        return row, text
    once = pl.DataFrame({"row": row, "text": text}).unique(maintain_order=True)
    return once["row"].to_numpy(), once["text"]


def counts_of(lists: pl.Series, known: tuple[str, ...]) -> sparse.csr_array:
    """Return float32 CSR [rows, known]: how often each of the `known` texts (ascending) is in each row."""
    row, text = entries_of(lists)
    position = Vocabulary(pl.Series("id", known, dtype=pl.String)).index_of(text)
    found = position >= 0
    entries = np.ones(int(found.sum()), np.float32), (row[found].astype(np.int32), position[found])
    # CSR sums the entries of one place, and leaves them ascending.
    return sparse.coo_array(entries, shape=(lists.len(), len(known))).tocsr()
