"""How a column of numbers becomes features: by its distance from the mean, or by its rank."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import polars as pl
from scipy import sparse
from scipy.special import ndtri

from shortlist.data.label_encodings import flag
from shortlist.errors import DataError
from shortlist.parameters import one_of, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# A table of n rows has no value further than √n standard deviations from its mean; other tables may.
FURTHEST = 1e6
MISSING = "<missing>"

Shape = Literal["uniform", "normal"]


@dataclass(frozen=True)
class NumericEncoding:
    """One feature: (x − mean) / std, 0 where x is missing, and everywhere where std is 0.

    Mean and standard deviation (of the population) are of the values that are there. Results are cut at ±1e6, which
    no value of the column that it was fitted on reaches. `missing`: a second feature, 1 where x is missing.
    """

    mean: float
    std: float
    missing: bool = False

    @classmethod
    def fit(cls, column: pl.Series, *, missing: bool = False) -> Self:
        """Return the encoding of a Float64 column. Raises `DataError` for an infinite value; NaN is missing."""
        flag("missing", missing)
        x = finite_numbers(column)
        x = x[~np.isnan(x)]
        largest = float(np.abs(x).max(initial=0.0))
        # A constant such as 0.1 has a standard deviation of some 1e-17 by rounding alone.
        if x.size == 0 or x.min() == x.max():
            return cls(float(x[0]) if x.size else 0.0, 0.0, missing)
        std = float(np.std(x / largest)) * largest
        # Below, half the deviation would be no normal number.
        return cls(float(np.mean(x / largest)) * largest, std if std > 1e-300 else 0.0, missing)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        return cls(**values)

    def to_values(self) -> dict[str, Any]:
        """Return mean and standard deviation, and whether there is a feature for the missing."""
        return without_defaults(asdict(self), missing=False)

    @property
    def width(self) -> int:
        """Return the number of features."""
        return 1 + self.missing

    def names(self, column: str) -> list[str]:
        """Return the name of the column."""
        return _names(column, self.missing)

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, width]."""
        x = finite_numbers(column)
        if self.std == 0:
            return _features(np.zeros(x.size), x, self.missing)
        # Halves, since the difference of large numbers of unlike sign can be no float64.
        half = np.nan_to_num(x / 2 - self.mean / 2, nan=0.0)
        most = FURTHEST * (self.std / 2)
        return _features(np.clip(half, -most, most) / (self.std / 2), x, self.missing)


@dataclass(frozen=True)
class QuantileEncoding:
    """One feature: the share p of values below x, scaled to [−1, 1]: 0 at the median and where x is missing.

    p is the empirical distribution function: of n values that are there, the one of rank r (from 0; the mean rank of
    equal ones) has p = r / (n − 1). It is kept at `n_quantiles` of the values, evenly spaced by rank, and linear
    between them, so that it rises with x without a jump, whatever the outliers. Beyond the least and the greatest
    value it stays what it is there.

    - shape: "uniform" gives 2p − 1; "normal" gives the number below which a normal deviate is with probability p, p
      being cut at ½ / n_quantiles from 0 and 1
    - missing: a second feature, 1 where x is missing

    A constant or empty column gives 0 everywhere.
    """

    knots: tuple[float, ...]
    shares: tuple[float, ...]
    shape: Shape = "uniform"
    n_quantiles: int = 100
    missing: bool = False

    @classmethod
    def fit(
        cls, column: pl.Series, *, n_quantiles: int = 100, shape: Shape = "uniform", missing: bool = False
    ) -> Self:
        """Return the encoding of a Float64 column. Raises `DataError` for an infinite value; NaN is missing."""
        whole("n_quantiles", n_quantiles, least=2)
        one_of("shape", shape, Shape)
        flag("missing", missing)
        x = finite_numbers(column)
        x = np.sort(x[~np.isnan(x)])
        if not x.size:
            return cls((), (), shape, n_quantiles, missing)
        kept = np.linspace(0, x.size - 1, min(n_quantiles, x.size)).round().astype(np.int64)
        knots = np.unique(x[kept])
        rank = (np.searchsorted(x, knots) + np.searchsorted(x, knots, "right") - 1) / 2
        return cls(
            tuple(knots.tolist()), tuple((rank / max(x.size - 1, 1)).tolist()), shape, n_quantiles, missing
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_values` described."""
        plain = {**values, "knots": tuple(values["knots"]), "shares": tuple(values["shares"])}
        return cls(**plain)

    def to_values(self) -> dict[str, Any]:
        """Return the quantiles with their shares, and the options."""
        return {**asdict(self), "knots": list(self.knots), "shares": list(self.shares)}

    @property
    def width(self) -> int:
        """Return the number of features."""
        return 1 + self.missing

    def names(self, column: str) -> list[str]:
        """Return the name of the column."""
        return _names(column, self.missing)

    def transform(self, column: pl.Series) -> sparse.csr_array:
        """Return float32 CSR [rows, width]."""
        x = finite_numbers(column)
        # One value, or none, has no ranks. Quarters, since the difference of large numbers can be no float64.
        many = len(self.knots) > 1
        share = np.interp(x / 4, np.array(self.knots) / 4, self.shares) if many else np.full(x.size, 0.5)
        share[np.isnan(x)] = 0.5
        if self.shape == "uniform":
            return _features(2 * share - 1, x, self.missing)
        least = 0.5 / self.n_quantiles
        return _features(ndtri(np.clip(share, least, 1 - least)), x, self.missing)


def finite_numbers(column: pl.Series) -> NDArray[np.float64]:
    """Return float64[n], NaN where missing. Raises `DataError` for an infinite number, by column and row."""
    if column.is_infinite().any():
        raise DataError(
            f"feature {column.name!r} is infinite in row {column.is_infinite().arg_max()}; make it finite or missing"
        )
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def without_defaults(values: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return `values` without those that are their default, so that what was saved before they were keeps its form."""
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def _names(column: str, missing: bool) -> list[str]:
    return [column, f"{column}={MISSING}"] if missing else [column]


def _features(feature: NDArray[np.float64], x: NDArray[np.float64], missing: bool) -> sparse.csr_array:
    columns = [feature, np.isnan(x)] if missing else [feature]
    return sparse.csr_array(np.column_stack(columns).astype(np.float32))
