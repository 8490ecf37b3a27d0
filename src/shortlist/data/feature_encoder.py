"""FeatureEncoder: the columns of a feature table as one sparse matrix with a name for each of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.data.columns import nearest
from shortlist.data.feature_encodings import AS, ENCODINGS, Choice, first_encoding, name_of
from shortlist.data.features import DTYPES
from shortlist.errors import DataError, ParameterError
from shortlist.parameters import one_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from shortlist.data.feature_encodings import Encode, Encoding
    from shortlist.data.features import FeatureKind, FeatureTable

Absent = Literal["raise", "missing"]


@dataclass(frozen=True)
class FeatureEncoder:
    """Turns feature tables into numbers, as it learned on one table; make it with `FeatureEncoder.fit`.

    | kind | encoding | features | a missing cell | what was not in the table it was fitted on |
    |---|---|---|---|---|
    | numeric | standard | (x − mean) / std; 0 where all are equal | 0, the mean | the same formula, cut at ±1e6 |
    | | quantile | the rank, from −1 to 1 | 0, the median | beyond the ends, as at the end |
    | time | moment | the moment, standardised in the same way | 0, the mean | the same |
    | | parts | year; month, weekday and hour on a circle | none set | the same |
    | categorical | one_hot | one a value, 1 or 0 | none set | none set |
    | tags | multi_hot | one a tag, 1 or 0 | none set | none set |
    | both | hashing | one a bucket, the labels in it counted | none set | has a bucket like any other |
    | text | tfidf | one a word, TF-IDF, each row of length 1 | none set | none set |
    | | svd | the TF-IDF along its first singular vectors | none set | none set |

    The first of a kind is what a column gets unless `encode` says otherwise. With the option `unknown` of one_hot and
    multi_hot a row without a known label sets a feature of its own, with `missing` of the numeric ones a row without
    a number does. The order is that of the columns, and within one that of labels or words by code point; it depends
    on nothing else. `number_encodings`, `label_encodings`, `text_encodings` and `time_encodings` have the formulas and
    the options. Encoders that are equal encode alike.
    """

    kinds: Mapping[str, FeatureKind]
    encodings: Mapping[str, Encoding]

    @classmethod
    def fit(
        cls, table: FeatureTable, columns: Sequence[str] | None = None, *, encode: Encode | None = None
    ) -> Self:
        """Return the encoder of `columns` of the table, in that order; of all of them where None.

        `encode` says of a column which encoding it gets, "quantile", and with what options, {"as": "hashing",
        "n_buckets": 1024}; without "as" the options are those of the first encoding of the kind.
        Raises `ParameterError` for a column that is not in the table or named twice, and for an encoding or an option
        that the column's kind does not have; `DataError` for an infinite number.
        """
        chosen = list(table.kinds) if columns is None else _require_columns(table, columns)
        said = require_encode(encode, chosen)
        kinds = {name: table.kinds[name] for name in chosen}
        choices = [Choice.of(name, kind, said.get(name)) for name, kind in kinds.items()]
        return cls(kinds, {choice.column: choice.fit(table.frame[choice.column]) for choice in choices})

    @cached_property
    def names(self) -> list[str]:
        """Return the name of each feature for people: genres=Comedy, year, title:story."""
        return [name for column, encoding in self.encodings.items() for name in encoding.names(column)]

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Return where the features of each column stand."""
        ends = np.cumsum([encoding.width for encoding in self.encodings.values()]).tolist()
        return {
            column: slice(end - encoding.width, end)
            for (column, encoding), end in zip(self.encodings.items(), ends, strict=True)
        }

    @property
    def width(self) -> int:
        """Return the number of features."""
        return sum(encoding.width for encoding in self.encodings.values())

    def transform(self, table: FeatureTable, *, absent: Absent = "raise") -> sparse.csr_array:
        """Return float32 CSR [rows, len(names)] of the table's rows, indices ascending in each row, no zero stored.

        The table may have other rows and more columns than the one that was fitted on. `absent` says what a column is
        that it does not have: an error ("raise"), or all "missing". Raises `DataError` for it, for a column of another
        kind and for an infinite number. Memory is that of the result.
        """
        self._require_fitting(table, absent)
        parts = [encoding.transform(self._column(table, name)) for name, encoding in self.encodings.items()]
        # The first block says how many rows there are, where there is no other.
        nothing = sparse.coo_array((len(table), 0), dtype=np.float32)
        joined: sparse.csr_array = sparse.hstack([nothing, *parts], format="csr", dtype=np.float32)
        joined.eliminate_zeros()
        joined.sort_indices()
        return joined

    def _column(self, table: FeatureTable, name: str) -> pl.Series:
        if name in table.kinds:
            return table.frame[name]
        return pl.Series(name, [None], dtype=DTYPES[self.kinds[name]]).new_from_index(0, len(table))

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
            {
                "name": name,
                "kind": self.kinds[name],
                AS: name_of(self.kinds[name], encoding),
                **encoding.to_values(),
            }
            for name, encoding in self.encodings.items()
        ]
        return {"columns": columns}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoder that `to_values` described; a column that does not say how has the first of its kind."""
        kinds: dict[str, FeatureKind] = {column["name"]: column["kind"] for column in values["columns"]}
        encodings = {}
        for column in values["columns"]:
            learned = {key: value for key, value in column.items() if key not in ("name", "kind", AS)}
            encoding = ENCODINGS[column["kind"]][column.get(AS, first_encoding(column["kind"]))]
            encodings[column["name"]] = encoding.from_values(learned)
        return cls(kinds, encodings)


def require_encode(encode: Encode | None, columns: Collection[str]) -> Encode:
    """Return `encode`, empty where None; raise `ParameterError` unless it is a mapping that names some of `columns`."""
    if encode is None:
        return {}
    if not isinstance(encode, Mapping):
        raise ParameterError(f'encode must say of columns how, {{"year": "quantile"}}; got {encode!r}')
    for name in encode:
        if name not in columns:
            hint = nearest(str(name), list(columns))
            have = ", ".join(columns) or "none"
            raise ParameterError(
                f"encode names {name!r}, which is no column encoded here{hint}; there are: {have}"
            )
    return encode


def _require_columns(table: FeatureTable, columns: Sequence[str]) -> list[str]:
    if isinstance(columns, str):
        raise ParameterError(f"columns must be a list of names, got the single text {columns!r}")
    for position, name in enumerate(columns):
        if name not in table.kinds:
            raise ParameterError(f"no feature {name!r}; there are: {', '.join(table.kinds) or 'none'}")
        if name in columns[:position]:
            raise ParameterError(f"feature {name!r} is named twice in columns")
    return list(columns)
