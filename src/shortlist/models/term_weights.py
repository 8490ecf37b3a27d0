"""How much an event says: TF-IDF, BM25 and more, with items (or users) as documents and users (or items) as words.

That two people both have what everybody has says little of them, and two items both had by somebody who has
everything are not alike for it: such words are weighed down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weighting = Literal["binary", "tfidf", "bm25", "unit"]


@dataclass(frozen=True, eq=False)
class TermWeights:
    """What weighs the entries of documents, found on those of the training data.

    - "binary": 1
    - "tfidf": tf (ln((1 + N) / (1 + df)) + 1), as scikit-learn's `TfidfTransformer` has it by default
    - "bm25": idf · tf (k1 + 1) / (tf + k1 (1 − b + b · length / mean length)), idf = ln(1 + (N − df + ½) / (df + ½)),
      length = Σ tf of the document (Robertson and Zaragoza 2009, (3.15); the 1 + in the logarithm keeps idf above 0)
    - "unit": tf · idf, idf = 1 / √(Σ tf² of the word over all documents), which weighs words down the most: with people
      as words, each person's choices together weigh as much as those of anybody else (Deshpande and Karypis 2004, 4.1)

    tf is the value of an entry, N the number of documents that are not empty, df of those that have the word.
    idf float64[n_words]; mean_length > 0.
    """

    weighting: Weighting
    k1: float
    b: float
    idf: NDArray[np.float64]
    mean_length: float

    @classmethod
    def of(
        cls, documents: sparse.csr_array, weighting: Weighting, k1: float = 1.2, b: float = 0.75
    ) -> TermWeights:
        """Return the weights of `documents` float32 CSR [n, n_words] of values above 0."""
        if weighting == "binary":
            return cls(weighting, k1, b, np.ones(documents.shape[1]), 1.0)
        df = np.bincount(documents.indices, minlength=documents.shape[1]).astype(np.float64)
        n = int(np.count_nonzero(np.diff(documents.indptr)))
        if weighting == "bm25":
            idf = np.log1p((n - df + 0.5) / (df + 0.5))
        elif weighting == "unit":
            square = np.bincount(
                documents.indices, documents.data.astype(np.float64) ** 2, minlength=documents.shape[1]
            )
            idf = 1 / np.sqrt(np.where(square > 0, square, 1.0))
        else:
            idf = np.log((1 + n) / (1 + df)) + 1
        return cls(weighting, k1, b, idf, float(documents.data.sum(dtype=np.float64)) / max(n, 1))

    def weigh(self, documents: sparse.csr_array) -> sparse.csr_array:
        """Return `documents` float32 CSR [n, n_words] with the weights for values; the structure is shared."""
        return sparse.csr_array(
            (self._values(documents).astype(np.float32), documents.indices, documents.indptr),
            shape=documents.shape,
        )

    def _values(self, documents: sparse.csr_array) -> NDArray[np.floating]:
        if self.weighting == "binary":
            return np.ones(documents.nnz, np.float32)
        tf = documents.data.astype(np.float64)
        if self.weighting == "bm25":
            row = np.repeat(np.arange(documents.shape[0]), np.diff(documents.indptr))
            length = np.bincount(row, tf, minlength=documents.shape[0])
            norm = self.k1 * (1 - self.b + self.b * length / (self.mean_length or 1.0))
            tf = tf * (self.k1 + 1) / (tf + norm[row])
        values: NDArray[np.floating] = tf * self.idf[documents.indices]
        return values
