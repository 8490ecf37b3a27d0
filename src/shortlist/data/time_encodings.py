"""How a column of times becomes features: as one moment, or by where it stands in the year, the week and the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.data.label_encodings import flag, side_by_side
from shortlist.data.number_encodings import NumericEncoding
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Part = Literal["year", "month", "weekday", "hour"]
PERIODS: dict[str, int] = {"month": 12, "weekday": 7, "hour": 24}
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(str(hour) for hour in range(24))
WORDS = {"month": MONTHS, "weekday": WEEKDAYS, "hour": HOURS}


@dataclass(frozen=True)
class TimeEncoding:
    """One feature: the moment, standardised as a number is; mean and standard deviation are in µs since 1970 UTC."""

    scale: NumericEncoding

    @classmethod
    def fit(cls, column: pl.Series, *, missing: bool = False) -> Self:
        """Return the encoding of a Datetime column."""
        return cls(NumericEncoding.fit(_moments(column), missing=missing))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(NumericEncoding.from_values(values))

    def to_values(self) -> dict[str, Any]:
        """Return mean and standard deviation in µs."""
        return self.scale.to_values()

    @property
    def width(self) -> int:
        """Return the number of features."""
        return self.scale.width

    def names(self, column: str) -> list[str]:
        """Return the name of the column."""
        return self.scale.names(column)

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, width]."""
        return self.scale.transform(_moments(column))


@dataclass(frozen=True)
class TimePartsEncoding:
    """The parts of a time in UTC: its year, standardised as a number is, and its month, weekday and hour.

    - parts: which of these, in that order
    - cyclic: a part that comes round, x of n, is the two numbers sin(2πx/n) and cos(2πx/n): December lies beside
      January, which suits nets and distances. Else it has one feature for each of its n values, 1 or 0, which suits
      linear models and factorisation machines: each hour gets a weight of its own

    x counts whole months, days and hours from 0: January, Monday, midnight. A missing time sets nothing, which no
    time that is there gives, since sine and cosine are never both 0.
    """

    parts: tuple[Part, ...]
    cyclic: bool
    year: NumericEncoding

    @classmethod
    def fit(cls, column: pl.Series, *, parts: Sequence[Part] = get_args(Part), cyclic: bool = True) -> Self:
        """Return the encoding of a Datetime column."""
        if isinstance(parts, str) or not parts or not set(parts) <= set(get_args(Part)):
            raise ParameterError(
                f"parts must be a list of some of {', '.join(get_args(Part))}, got {parts!r}"
            )
        chosen = tuple(part for part in get_args(Part) if part in parts)
        return cls(chosen, flag("cyclic", cyclic), NumericEncoding.fit(_years(column)))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(tuple(values["parts"]), values["cyclic"], NumericEncoding.from_values(values["year"]))

    def to_values(self) -> dict[str, Any]:
        """Return which parts in which form, and mean and standard deviation of the year."""
        return {"parts": list(self.parts), "cyclic": self.cyclic, "year": self.year.to_values()}

    @property
    def width(self) -> int:
        """Return the number of features."""
        return sum(1 if part == "year" else 2 if self.cyclic else PERIODS[part] for part in self.parts)

    def names(self, column: str) -> list[str]:
        """Return such names as released.year, released.hour~sin or released.hour=13."""
        return [f"{column}.{part}{mark}" for part in self.parts for mark in self._marks(part)]

    def _marks(self, part: Part) -> list[str]:
        if part == "year":
            return [""]
        return ["~sin", "~cos"] if self.cyclic else [f"={word}" for word in WORDS[part]]

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, width]."""
        return side_by_side([self._part(part, column) for part in self.parts])

    def _part(self, part: Part, column: pl.Series) -> sparse.csr_array:
        if part == "year":
            return self.year.transform(_years(column))
        there = column.is_not_null().to_numpy()
        place = place_of(part, column)[there]
        row, n = np.flatnonzero(there), PERIODS[part]
        if not self.cyclic:
            entries = np.ones(row.size, np.float32), (row, place)
            return sparse.coo_array(entries, shape=(column.len(), n)).tocsr()
        both = np.zeros((column.len(), 2), np.float32)
        both[row] = circle(n)[place]
        return sparse.csr_array(both)


def place_of(part: str, column: pl.Series) -> NDArray[np.int64]:
    """Return int64[n]: the month, weekday or hour (UTC) of a Datetime column, counted from 0; 0 where missing."""
    found = {"month": column.dt.month, "weekday": column.dt.weekday, "hour": column.dt.hour}[part]()
    first = 0 if part == "hour" else 1
    return (found.cast(pl.Int64) - first).fill_null(0).to_numpy()


def circle(n: int) -> NDArray[np.float32]:
    """Return float32[n, 2]: sine and cosine of n places on a circle.

    >>> circle(4).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]
    """
    angle = 2 * np.pi * np.arange(n) / n
    # Rounded, so that a quarter of the circle is an exact 0.
    return np.round(np.column_stack([np.sin(angle), np.cos(angle)]), 12).astype(np.float32) + np.float32(0)


def _moments(column: pl.Series) -> pl.Series:
    return column.dt.epoch("us").cast(pl.Float64)


def _years(column: pl.Series) -> pl.Series:
    return column.dt.year().cast(pl.Float64)
