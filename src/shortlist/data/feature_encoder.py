"""FeatureEncoder: the columns of a feature table as one sparse matrix with a name for each of its columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from scipy import sparse

from shortlist.data.feature_encodings import ENCODINGS
from shortlist.errors import DataError, ParameterError
from shortlist.parameters import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.data.feature_encodings import Encoding
    from shortlist.data.features import FeatureKind, FeatureTable

Absent = Literal["raise", "missing"]


@dataclass(frozen=True)
class FeatureEncoder:
    """Turns feature tables into numbers, as it learned on one table; make it with `FeatureEncoder.fit`.

    | kind | features | a missing cell | what was not in the table it was fitted on |
    |---|---|---|---|
    | numeric | (x − mean) / std; 0 where all values are equal | 0, the mean | the same formula, cut at ±1e6 |
    | time | the moment, standardised in the same way | 0, the mean | the same |
    | categorical | one a value, 1 or 0 | none set | none set |
    | tags | one a tag, 1 or 0 | none set | none set |
    | text | one a word, TF-IDF, each row of length 1 | none set | none set |

    The order is that of the columns, and within one that of labels or words by code point; it depends on nothing else.
    `feature_encodings` has the formulas. Encoders that are equal encode alike.
    """

    kinds: Mapping[str, FeatureKind]
    encodings: Mapping[str, Encoding]

    @classmethod
    def fit(cls, table: FeatureTable, columns: Sequence[str] | None = None) -> Self:
        """Return the encoder of `columns` of the table, in that order; of all of them where None.

        Raises `ParameterError` for a column that is not in the table or named twice, `DataError` for an infinite
        number.
        """
        chosen = list(table.kinds) if columns is None else _require_columns(table, columns)
        kinds = {name: table.kinds[name] for name in chosen}
        return cls(kinds, {name: ENCODINGS[kind].fit(table.frame[name]) for name, kind in kinds.items()})

    @cached_property
    def names(self) -> list[str]:
        """Return the name of each feature for people: genres=Comedy, year, title:story."""
        return [name for column, encoding in self.encodings.items() for name in encoding.names(column)]

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Return where the features of each column stand."""
        sizes = [len(encoding.names(column)) for column, encoding in self.encodings.items()]
        ends = np.cumsum(sizes).tolist()
        return {
            column: slice(end - size, end)
            for column, size, end in zip(self.encodings, sizes, ends, strict=True)
        }

    def transform(self, table: FeatureTable, *, absent: Absent = "raise") -> sparse.csr_array:
        """Return float32 CSR [rows, len(names)] of the table's rows, indices ascending in each row, no zero stored.

        The table may have other rows and more columns than the one that was fitted on. `absent` says what a column is
        that it does not have: an error ("raise"), or all "missing". Raises `DataError` for it, for a column of another
        kind and for an infinite number. Nothing is made dense: memory is that of the result.
        """
        self._require_fitting(table, absent)
        parts = [
            encoding.transform(table.frame[name])
            if name in table.kinds
            else sparse.coo_array((len(table), len(encoding.names(name))), dtype=np.float32)
            for name, encoding in self.encodings.items()
        ]
        # The first block says how many rows there are, where there is no other.
        nothing = sparse.coo_array((len(table), 0), dtype=np.float32)
        joined: sparse.csr_array = sparse.hstack([nothing, *parts], format="csr", dtype=np.float32)
        joined.eliminate_zeros()
        joined.sort_indices()
        return joined

    def _require_fitting(self, table: FeatureTable, absent: Absent) -> None:
        one_of("absent", absent, Absent)
        for name, kind in self.kinds.items():
            found = table.kinds.get(name, kind if absent == "missing" else None)
            if found is None:
                have = ", ".join(table.kinds) or "none"
                raise DataError(f"the feature table has no column {name!r}, which is needed; it has: {have}")
            if found != kind:
                raise DataError(f"feature {name!r} is {found} here and was {kind} before; declare it {kind}")

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values, from which `from_values` makes an equal encoder."""
        columns = [
            {"name": name, "kind": self.kinds[name], **encoding.to_values()}
            for name, encoding in self.encodings.items()
        ]
        return {"columns": columns}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoder that `to_values` described."""
        kinds = {column["name"]: column["kind"] for column in values["columns"]}
        encodings = {
            column["name"]: ENCODINGS[column["kind"]].from_values(
                {key: value for key, value in column.items() if key not in ("name", "kind")}
            )
            for column in values["columns"]
        }
        return cls(kinds, encodings)


def _require_columns(table: FeatureTable, columns: Sequence[str]) -> list[str]:
    if isinstance(columns, str):
        raise ParameterError(f"columns must be a list of names, got the single text {columns!r}")
    for position, name in enumerate(columns):
        if name not in table.kinds:
            raise ParameterError(f"no feature {name!r}; there are: {', '.join(table.kinds) or 'none'}")
        if name in columns[:position]:
            raise ParameterError(f"feature {name!r} is named twice in columns")
    return list(columns)
