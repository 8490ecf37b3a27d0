"""How a feature column of each kind becomes numbers: one class a kind, and the table that names them.

An encoding is fitted on a column, turns any column of that kind into sparse rows, and is made of plain JSON values.
What it was not fitted on (another category, tag or word) sets nothing; neither does a missing cell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.features import FeatureKind

# Runs of two or more letters, digits (½ too) and underscores, in any script.
WORD = r"[\w\p{No}]{2,}"
MAX_WORDS = 50_000
# A table of n rows has no value further than √n standard deviations from its mean; other tables may.
FURTHEST = 1e6


class Encoding(Protocol):
    """What every kind of column can do."""

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
        """Return the encoding of `column`, which has the dtype of its kind."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values, from which `from_values` makes the same encoding."""

    def names(self, column: str) -> list[str]:
        """Return the name of each feature, for people; `column` is the name of the column."""

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, features] of a column of the same kind."""


@dataclass(frozen=True)
class NumericEncoding:
    """One feature: (x − mean) / std, 0 where x is missing, and everywhere where std is 0.

    Mean and standard deviation (of the population) are of the values that are there. Results are cut at ±1e6, which
    no value of the column that it was fitted on reaches.
    """

    mean: float
    std: float

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
        """Return the encoding of a Float64 column. Raises `DataError` for an infinite value; NaN is missing."""
        x = _numbers(column)
        x = x[~np.isnan(x)]
        largest = float(np.abs(x).max(initial=0.0))
        # A constant such as 0.1 has a standard deviation of some 1e-17 by rounding alone.
        if x.size == 0 or x.min() == x.max():
            return cls(float(x[0]) if x.size else 0.0, 0.0)
        std = float(np.std(x / largest)) * largest
        # Below, half the deviation would be no normal number.
        return cls(float(np.mean(x / largest)) * largest, std if std > 1e-300 else 0.0)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(**values)

    def to_values(self) -> dict[str, Any]:
        """Return mean and standard deviation."""
        return asdict(self)

    def names(self, column: str) -> list[str]:
        """Return the name of the column."""
        return [column]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, 1]."""
        x = _numbers(column)
        if self.std == 0:
            return sparse.csr_array(np.zeros((x.size, 1), np.float32))
        # Halves, since the difference of large numbers of unlike sign can be no float64.
        half = np.nan_to_num(x / 2 - self.mean / 2, nan=0.0)
        most = FURTHEST * (self.std / 2)
        scaled = np.clip(half, -most, most) / (self.std / 2)
        return sparse.csr_array(scaled.astype(np.float32)[:, None])


@dataclass(frozen=True)
class TimeEncoding:
    """One feature: the moment, standardised as a number is; mean and standard deviation are in µs since 1970 UTC."""

    scale: NumericEncoding

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
        """Return the encoding of a Datetime column."""
        return cls(NumericEncoding.fit(_moments(column)))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(NumericEncoding.from_values(values))

    def to_values(self) -> dict[str, Any]:
        """Return mean and standard deviation in µs."""
        return self.scale.to_values()

    def names(self, column: str) -> list[str]:
        """Return the name of the column."""
        return [column]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, 1]."""
        return self.scale.transform(_moments(column))


@dataclass(frozen=True)
class LabelEncoding:
    """One feature a label, in the order of code points: 1 where the row has it (one-hot, or multi-hot for tags)."""

    labels: tuple[str, ...]

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
        """Return the encoding of a String column or a column of lists of strings."""
        return cls(tuple(_entries(_as_lists(column))[1].unique().sort().to_list()))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(tuple(values["labels"]))

    def to_values(self) -> dict[str, Any]:
        """Return the labels."""
        return {"labels": list(self.labels)}

    def names(self, column: str) -> list[str]:
        """Return such names as genres=Comedy."""
        return [f"{column}={label}" for label in self.labels]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, labels]; a label that a row has twice is 1 as well."""
        matrix = _counts(_as_lists(column), self.labels)
        matrix.data[:] = 1
        return matrix


@dataclass(frozen=True)
class TextEncoding:
    """One feature a word: TF-IDF, tf · (ln((1 + n) / (1 + df)) + 1), each row at length 1 (0 without a known word).

    Words are lower-case runs of two or more letters, digits and underscores; tf counts a word in its row, df the rows
    that have it, n the rows with a text. Of more than 50,000 words those in most rows are kept, ties by word.
    (scikit-learn's TfidfVectorizer by default does the same.)
    """

    words: tuple[str, ...]
    idf: tuple[float, ...]

    KEPT: ClassVar[int] = MAX_WORDS

    @classmethod
    def fit(cls, column: pl.Series) -> Self:
        """Return the encoding of a String column."""
        row, word = _entries(_words(column))
        pairs = pl.DataFrame({"row": row, "word": word}).unique()
        found = pairs.group_by("word").len("df").sort(["df", "word"], descending=[True, False])
        kept = found.head(cls.KEPT).sort("word")
        n = column.len() - column.null_count()
        idf = np.log((1 + n) / (1 + kept["df"].to_numpy())) + 1
        return cls(tuple(kept["word"].to_list()), tuple(idf.tolist()))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(tuple(values["words"]), tuple(values["idf"]))

    def to_values(self) -> dict[str, Any]:
        """Return the words and their inverse document frequencies."""
        return {"words": list(self.words), "idf": list(self.idf)}

    def names(self, column: str) -> list[str]:
        """Return such names as title:story."""
        return [f"{column}:{word}" for word in self.words]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, words]."""
        matrix = _counts(_words(column), self.words)
        weight = matrix.data * np.array(self.idf)[matrix.indices]
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        length = np.sqrt(np.bincount(row, weight**2, minlength=matrix.shape[0]))
        matrix.data = (weight / length[row]).astype(np.float32)
        return matrix


# Each kind of FeatureTable has a row.
ENCODINGS: dict[FeatureKind, type[Encoding]] = {
    "numeric": NumericEncoding,
    "categorical": LabelEncoding,
    "tags": LabelEncoding,
    "text": TextEncoding,
    "time": TimeEncoding,
}


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    if column.is_infinite().any():
        raise DataError(
            f"feature {column.name!r} is infinite in row {column.is_infinite().arg_max()}; make it finite or missing"
        )
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _moments(column: pl.Series) -> pl.Series:
    return column.dt.epoch("us").cast(pl.Float64)


def _as_lists(column: pl.Series) -> pl.Series:
    return column if column.dtype == pl.List else column.reshape((-1, 1)).arr.to_list()


def _words(column: pl.Series) -> pl.Series:
    return column.str.to_lowercase().str.extract_all(WORD)


def _entries(lists: pl.Series) -> tuple[NDArray[np.int64], pl.Series]:
    # The row of each text in `lists`, and the texts; missing ones left out.
    rows = pl.DataFrame({"row": np.arange(lists.len()), "text": lists})
    flat = rows.explode("text").drop_nulls("text")
    return flat["row"].to_numpy(), flat["text"]


def _counts(lists: pl.Series, known: tuple[str, ...]) -> sparse.csr_array:
    # How often each of the `known` texts (ascending) is in each row.
    row, text = _entries(lists)
    position = Vocabulary(pl.Series("id", known, dtype=pl.String)).index_of(text)
    found = position >= 0
    entries = np.ones(int(found.sum()), np.float32), (row[found].astype(np.int32), position[found])
    # CSR sums the entries of one place, and leaves them ascending.
    return sparse.coo_array(entries, shape=(lists.len(), len(known))).tocsr()
