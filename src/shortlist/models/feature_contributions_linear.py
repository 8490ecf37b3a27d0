"""What features add to scores that are sums over features: exact, and with the base the whole score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.feature_contributions import OfItems, OfPerson
from shortlist.models.feature_contributions_words import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.models.feature_contributions_words import Words

    F64 = NDArray[np.float64]


def added_by(
    rows: sparse.csr_array, weights: F64, words: Words, read_as: NDArray[np.float32] | None = None
) -> OfItems:
    """Return what each feature of encoded `rows` CSR [m, f] adds: its entry times its weight float64[f].

    `read_as` float32[e] are the entries as the encoder made them, where the rows were scaled since. What cannot be
    named stays out of it.
    """
    amounts = rows.data.astype(np.float64) * weights[rows.indices]
    shown = rows.data if read_as is None else read_as
    of, names, kept = list[int](), list[str](), list[int]()
    for at in range(rows.shape[0]):
        entries = slice(rows.indptr[at], rows.indptr[at + 1])
        reading = words.of(Row(rows.indices[entries].astype(np.int64), shown[entries]))
        for entry, name in enumerate(reading, int(rows.indptr[at])):
            if name and amounts[entry] != 0:
                of.append(at)
                names.append(name)
                kept.append(entry)
    return OfItems(np.array(of, np.int64), names, amounts[np.array(kept, np.int64)])


def added_by_person(row: sparse.csr_array, weights: F64, words: Words) -> OfPerson:
    """Return what each feature of one encoded row CSR [1, f] adds for each item; weights float64[f, m]."""
    names = words.of(Row(row.indices.astype(np.int64), row.data))
    kept = [at for at, name in enumerate(names) if name]
    amounts = row.data[kept, None].astype(np.float64) * weights[row.indices[kept]]
    return OfPerson([names[at] for at in kept], amounts)


def total_of(parts: OfItems, m: int) -> F64:
    """Return float64[m]: the sum of the amounts of each item."""
    total: F64 = np.bincount(parts.row, parts.amounts, m).astype(np.float64)
    return total
