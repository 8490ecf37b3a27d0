"""Figures: what was measured of single users, summed up with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.experiments.sweep.measured import FIGURES, NDCG, RECALL
from shortlist.metrics import Resampler, percentile_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.experiments.sweep.measured import Measured

    Floats = NDArray[np.float64]
    # A figure from the means over users of all columns [..., columns].
    Figure = Callable[[Floats], Floats]

P50, P99 = "p50", "p99"
_QUANTILES = {P50: 0.5, P99: 0.99}
_OF_SOURCE = ("shown", "hits", "recall_lost", "ndcg_lost")


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval; no bounds without resamples, and for what has no interval."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def leaves_out_zero(self) -> bool:
        """Return whether the interval leaves out 0; False where there is none."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class SourceFigures:
    """What a source does at one size.

    - shown, hits: its part of the shown items, and of the relevant ones among them, each item counting in equal parts
      for the sources that proposed it; the parts of all sources sum to 1. None where nothing is shown or hit
    - recall_lost, ndcg_lost: what candidate recall and NDCG lose without it, the others filling its places; None where
      it is the only source
    """

    name: str
    shown: Estimate | None
    hits: Estimate | None
    recall_lost: Estimate | None
    ndcg_lost: Estimate | None


@dataclass(frozen=True)
class SizeFigures:
    """What was measured at one size.

    - size: how many candidates the merge lets through at most; n_candidates: how many there were, of a mean user
    - figures: by name (`measured.FIGURES`); lost: what NDCG, precision and candidate recall lose beside the largest
      size, positive where the largest is better
    - milliseconds: of a request for a single user, by stage, its median ("p50") and 99th percentile ("p99")
    """

    size: int
    n_candidates: float
    figures: Mapping[str, Estimate]
    lost: Mapping[str, Estimate]
    sources: Sequence[SourceFigures]
    milliseconds: Mapping[str, Mapping[str, Estimate]]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> SizeFigures:
        """Return what `dataclasses.asdict` gave."""
        sources = [
            SourceFigures(one["name"], *(one[part] and Estimate(**one[part]) for part in _OF_SOURCE))
            for one in values["sources"]
        ]
        return cls(
            values["size"],
            values["n_candidates"],
            estimates(values["figures"]),
            estimates(values["lost"]),
            sources,
            {stage: estimates(found) for stage, found in values["milliseconds"].items()},
        )


@dataclass(frozen=True)
class Contrast:
    """The figures at `larger` minus those at `smaller`, by name."""

    smaller: int
    larger: int
    differences: Mapping[str, Estimate]


class Users:
    """The columns of all users at all sizes, resampled once, so that every figure sees the same resamples."""

    def __init__(
        self,
        measured: Mapping[int, Measured],
        kept: NDArray[np.bool_],
        n_bootstrap: int,
        level: float,
        rng: np.random.Generator,
    ) -> None:
        self._place: dict[tuple[int, str, int], int] = {}
        self._level = level
        columns: list[Floats] = []
        for size, of in measured.items():
            for name, values in _columns(of):
                for at, column in enumerate(values[kept].reshape(int(kept.sum()), -1).T):
                    self._place[size, name, at] = len(columns)
                    columns.append(column)
        table = np.column_stack(columns)
        self._mean = table.mean(axis=0)
        self._draws = (
            Resampler(table.shape[0], n_bootstrap, rng=rng).means(table)
            if n_bootstrap
            else np.zeros((0, table.shape[1]))
        )

    def mean(self, size: int, name: str, at: int = 0) -> Estimate:
        """Return the mean of a column."""
        place = self._place[size, name, at]
        return self._estimate(lambda means: means[..., place])

    def ratio(self, size: int, name: str, at: int, of: str) -> Estimate | None:
        """Return Σ of one column / Σ of another, None where the latter is 0."""
        over, under = self._place[size, name, at], self._place[size, of, 0]
        if not self._mean[under] > 0:
            return None
        return self._estimate(
            # Sums of whole numbers: below one user's worth there is nothing but rounding.
            lambda means: np.where(
                means[..., under] > 1e-9, means[..., over] / np.maximum(means[..., under], 1e-9), np.nan
            )
        )

    def difference(self, size: int, minus: int, name: str) -> Estimate:
        """Return the mean of a column at one size minus that at another, paired."""
        one, other = self._place[size, name, 0], self._place[minus, name, 0]
        # Of two sizes with the same lists only rounding differs.
        return self._estimate(lambda means: _without_rounding(means[..., one] - means[..., other]))

    def _estimate(self, figure: Figure) -> Estimate:
        value = float(figure(self._mean))
        draws = figure(self._draws)
        draws = draws[np.isfinite(draws)]
        if not draws.size:
            return Estimate(value)
        return Estimate(*percentile_interval(value, draws, level=self._level))


def size_figures(
    users: Users,
    size: int,
    largest: int,
    sources: Sequence[str],
    milliseconds: Mapping[str, Mapping[str, Estimate]],
) -> SizeFigures:
    """Return the figures of one size."""
    return SizeFigures(
        size,
        users.mean(size, "n_candidates").value,
        {name: users.mean(size, name) for name in FIGURES},
        {name: users.difference(largest, size, name) for name in FIGURES},
        [_of_source(users, size, at, name, len(sources)) for at, name in enumerate(sources)],
        milliseconds,
    )


def contrast(users: Users, smaller: int, larger: int) -> Contrast:
    """Return what the larger of two sizes gives more."""
    return Contrast(smaller, larger, {name: users.difference(larger, smaller, name) for name in FIGURES})


def quantiles(
    milliseconds: Floats, n_bootstrap: int, level: float, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Return median and 99th percentile of `milliseconds` float64[n requests], by the bootstrap over requests.

    The 99th percentile of n requests has an interval that ends at the slowest of them: with few, read it as such.
    """
    names, wanted = list(_QUANTILES), list(_QUANTILES.values())
    values = np.quantile(milliseconds, wanted)
    if not n_bootstrap:
        return {name: Estimate(float(value)) for name, value in zip(names, values, strict=True)}
    drawn = milliseconds[rng.integers(milliseconds.size, size=(n_bootstrap, milliseconds.size))]
    draws = np.quantile(drawn, wanted, axis=1)
    return {
        name: Estimate(*percentile_interval(float(value), of, level=level))
        for name, value, of in zip(names, values, draws, strict=True)
    }


def estimates(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Estimate]:
    """Return the estimates of plain values, by name."""
    return {name: Estimate(**of) for name, of in values.items()}


def _columns(of: Measured) -> list[tuple[str, Floats]]:
    return [
        *of.figures.items(),
        ("n_candidates", of.n_candidates),
        ("n_shown", of.n_shown),
        ("n_hits", of.n_hits),
        ("shown", of.shown),
        ("hits", of.hits),
        *((f"{name} lost", values) for name, values in of.lost.items()),
    ]


def _of_source(users: Users, size: int, at: int, name: str, n_sources: int) -> SourceFigures:
    lost = [users.mean(size, f"{metric} lost", at) if n_sources > 1 else None for metric in (RECALL, NDCG)]
    return SourceFigures(
        name, users.ratio(size, "shown", at, "n_shown"), users.ratio(size, "hits", at, "n_hits"), *lost
    )


def _without_rounding(difference: Floats) -> Floats:
    return np.where(np.abs(difference) < 1e-12, 0.0, difference)
