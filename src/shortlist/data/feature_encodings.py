"""The encodings that a column of each kind may have, by name, and the choice of one with its options.

An encoding is fitted on a column, turns any column of that kind into sparse rows, and is made of plain JSON values.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from shortlist.data.columns import nearest
from shortlist.data.label_encodings import HashingEncoding, LabelEncoding
from shortlist.data.number_encodings import NumericEncoding, QuantileEncoding
from shortlist.data.text_encodings import TextEncoding, TextSvdEncoding
from shortlist.data.time_encodings import TimeEncoding, TimePartsEncoding
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    import polars as pl
    from scipy import sparse

    from shortlist.data.features import FeatureKind

AS = "as"
# What a caller says of columns: "quantile", or {"as": "hashing", "n_buckets": 64}.
Encode = Mapping[str, str | Mapping[str, Any]]


class Encoding(Protocol):
    """What every kind of column can do."""

    @classmethod
    def fit(cls, column: pl.Series, *args: Any, **kwargs: Any) -> Self:
        """Return the encoding of `column`, which has the dtype of its kind, with the options of the class."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values, from which `from_values` makes the same encoding."""

    @property
    def width(self) -> int:
        """Return the number of features."""

    def names(self, column: str) -> list[str]:
        """Return the name of each feature, for people; `column` is the name of the column."""

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, width] of a column of the same kind."""


# Each kind of FeatureTable has a row; its first encoding is what it gets unless another one is chosen.
ENCODINGS: dict[FeatureKind, dict[str, type[Encoding]]] = {
    "numeric": {"standard": NumericEncoding, "quantile": QuantileEncoding},
    "categorical": {"one_hot": LabelEncoding, "hashing": HashingEncoding},
    "tags": {"multi_hot": LabelEncoding, "hashing": HashingEncoding},
    "text": {"tfidf": TextEncoding, "svd": TextSvdEncoding},
    "time": {"moment": TimeEncoding, "parts": TimePartsEncoding},
}


@dataclass(frozen=True)
class Choice:
    """An encoding chosen for a column: its name among those of the kind, and the options of its `fit`."""

    column: str
    encoding: type[Encoding]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, column: str, kind: FeatureKind, said: str | Mapping[str, Any] | None) -> Self:
        """Return what was `said` of a column of `kind`; None is the first encoding of the kind.

        Raises `ParameterError` for an encoding that the kind does not have and for an option that the encoding does not
        have, naming the column and what there is.
        """
        if isinstance(said, Mapping):
            options = {name: value for name, value in said.items() if name != AS}
            said = said.get(AS)
        else:
            options = {}
        encoding = ENCODINGS[kind][_named(column, kind, said)]
        known = list(inspect.signature(encoding.fit).parameters)[1:]
        for option in options:
            if option not in known:
                raise ParameterError(
                    f"encode[{column!r}]: no option {option!r}{nearest(str(option), known)}; there are: "
                    f"{', '.join(known)}"
                )
        return cls(column, encoding, options)

    def fit(self, column: pl.Series) -> Encoding:
        """Return the encoding of `column`. Raises `ParameterError` that names the column for a bad option."""
        try:
            return self.encoding.fit(column, **self.options)
        except ParameterError as error:
            raise ParameterError(f"encode[{self.column!r}]: {error}") from error


def first_encoding(kind: FeatureKind) -> str:
    """Return the name of the encoding that a column of `kind` gets unless another one is chosen."""
    return next(iter(ENCODINGS[kind]))


def name_of(kind: FeatureKind, encoding: Encoding) -> str:
    """Return the name of `encoding` among those of `kind`."""
    return next(name for name, known in ENCODINGS[kind].items() if known is type(encoding))


def _named(column: str, kind: FeatureKind, said: object) -> str:
    names = list(ENCODINGS[kind])
    if said is None:
        return names[0]
    if not isinstance(said, str):
        raise ParameterError(
            f"encode[{column!r}] must be the name of an encoding, or a table such as "
            f'{{"{AS}": "{names[-1]}"}} with its options; got {said!r}'
        )
    if said not in names:
        others = [other for other, table in ENCODINGS.items() if said in table]
        hint = f", which is for {' and '.join(others)} columns" if others else nearest(said, names)
        raise ParameterError(
            f"encode[{column!r}]: a {kind} column has no encoding {said!r}{hint}; there are: {', '.join(names)}"
        )
    return said
