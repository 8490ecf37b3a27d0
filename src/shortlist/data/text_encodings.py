"""How a column of texts becomes numbers: its words weighed by rarity, or the directions in which they vary together."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.data.label_encodings import counts_of, entries_of
from shortlist.data.truncated_svd import sparse_product, truncated_svd
from shortlist.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Runs of two or more letters, digits (½ too) and underscores, in any script.
WORD = r"[\w\p{No}]{2,}"
MAX_WORDS = 50_000
# Where the search for singular vectors starts; they do not depend on it but by rounding.
START = 0


@dataclass(frozen=True)
class TextEncoding:
    """One feature a word: TF-IDF, tf · (ln((1 + n) / (1 + df)) + 1), each row at length 1 (0 without a known word).

    Words are lower-case runs of two or more letters, digits and underscores; tf counts a word in its row, df the rows
    that have it, n the rows with a text. Of more than `max_words` words those in most rows are kept, ties by word.
    (scikit-learn's TfidfVectorizer by default does the same.)
    """

    words: tuple[str, ...]
    idf: tuple[float, ...]

    @classmethod
    def fit(cls, column: pl.Series, *, max_words: int = MAX_WORDS) -> Self:
        """Return the encoding of a String column."""
        whole("max_words", max_words, least=1)
        row, word = entries_of(_words(column))
        pairs = pl.DataFrame({"row": row, "word": word}).unique()
        found = pairs.group_by("word").len("df").sort(["df", "word"], descending=[True, False])
        kept = found.head(max_words).sort("word")
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

    @property
    def width(self) -> int:
        """Return the number of features."""
        return len(self.words)

    def names(self, column: str) -> list[str]:
        """Return such names as title:story."""
        return [f"{column}:{word}" for word in self.words]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, words]."""
        matrix = counts_of(_words(column), self.words)
        weight = matrix.data * np.array(self.idf)[matrix.indices]
        row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        length = np.sqrt(np.bincount(row, weight**2, minlength=matrix.shape[0]))
        matrix.data = (weight / length[row]).astype(np.float32)
        return matrix


@dataclass(frozen=True)
class TextSvdEncoding:
    """`dim` features: the TF-IDF row x (as `TextEncoding` has it) along the `dim` first right singular vectors, x V.

    V is of the rows that have a word, in the order of falling singular values; the entry of largest size in each
    column of V is positive, so that the signs are fixed. Beyond the rank features are 0. A row without a known word is
    0. No row is longer than 1: what V does not hold of it is missing from its length.
    Source: Deerwester et al., Indexing by Latent Semantic Analysis, 1990, §4.1, without the division by Σ.

    `vectors` are the bytes of V, float32 [words, dim], little-endian.
    """

    text: TextEncoding
    dim: int
    vectors: bytes

    @classmethod
    def fit(cls, column: pl.Series, *, dim: int = 32, max_words: int = MAX_WORDS) -> Self:
        """Return the encoding of a String column. Cost: see `truncated_svd`."""
        whole("dim", dim, least=1)
        text = TextEncoding.fit(column, max_words=max_words)
        rows = text.transform(column)
        rows = rows[np.flatnonzero(np.diff(rows.indptr))]
        empty = np.zeros((len(text.words), dim), np.float32)
        vectors = truncated_svd(rows, dim, np.random.default_rng(START)).right if rows.shape[0] else empty
        return cls(text, dim, vectors.astype("<f4").tobytes())

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(TextEncoding.from_values(values), values["dim"], b64decode(values["vectors"]))

    def to_values(self) -> dict[str, Any]:
        """Return what the words are, and the vectors as base64 text: a number a word and dimension."""
        return {**self.text.to_values(), "dim": self.dim, "vectors": b64encode(self.vectors).decode()}

    @property
    def width(self) -> int:
        """Return the number of features."""
        return self.dim

    def names(self, column: str) -> list[str]:
        """Return the names title~0, title~1 and so on."""
        return [f"{column}~{d}" for d in range(self.dim)]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, dim]."""
        return sparse.csr_array(sparse_product(self.text.transform(column), self._vectors))

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        shape = (len(self.text.words), self.dim)
        return np.frombuffer(self.vectors, "<f4").reshape(shape).astype(np.float32)


def _words(column: pl.Series) -> pl.Series:
    return column.str.to_lowercase().str.extract_all(WORD)
