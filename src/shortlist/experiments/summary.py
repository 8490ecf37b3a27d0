"""Summary: the metrics of a group of users, with paired bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist.metrics import Resampler, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.experiments.columns import Column

    Floats = NDArray[np.float64]
    Bounds = tuple[float | None, float | None]

NO_BOUNDS: Bounds = (None, None)
ROUNDING = 1e-12  # of means over users


@dataclass(frozen=True)
class Result:
    """One figure: `value` of a metric with its interval, and its difference from the baseline's with its own.

    `protocol` says what was done with seen items (`protocols.DEFINITIONS`).
    """

    model: str
    protocol: str
    segment: str
    metric: str
    value: float
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    n_users: int

    @property
    def is_significant(self) -> bool:
        """Return whether the interval of the difference from the baseline leaves out 0; False where there is none."""
        low, high = self.difference_low, self.difference_high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, eq=False)
class _Figure:
    """A column summed up: its value and its value in each resample (none where no intervals are wanted)."""

    column: Column
    value: float
    draws: Floats
    n_users: int


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """How intervals are made: n_bootstrap resamples (0: none), their level, and where the seeds come from."""

    n_bootstrap: int
    level: float
    rng: np.random.Generator

    def results(
        self,
        columns: Mapping[str, Sequence[Column]],
        rows: NDArray[np.int64],
        segment: str,
        baseline: str | None,
    ) -> list[Result]:
        """Return the results of each model's columns over the test users at `rows`, which has at least one.

        All metrics and models see the same resamples of these users. A metric that nobody in `rows` has a value of is
        left out. The protocol is left "" for whoever knows it to fill in. Cost: O(n_bootstrap · rows · columns).
        """
        keys = [(model, column) for model, own in columns.items() for column in own]
        figures = dict(
            zip(
                [(model, column.metric) for model, column in keys],
                self._figures([column for _, column in keys], rows),
                strict=True,
            )
        )
        found = []
        for (model, metric), figure in figures.items():
            base = figures.get((baseline, metric)) if baseline not in (None, model) else None
            if figure.n_users:
                found.append(self._result(model, segment, figure, base))
        return found

    def _figures(self, columns: Sequence[Column], rows: NDArray[np.int64]) -> list[_Figure]:
        totals = np.column_stack([column.total[rows] for column in columns])
        # Metrics of one model share their weight: each distinct one is resampled once.
        distinct = {id(column.weight): column.weight for column in columns}
        place = {key: at for at, key in enumerate(distinct)}
        own = [place[id(column.weight)] for column in columns]
        weights = np.column_stack([weight[rows] for weight in distinct.values()])
        sums = self._draw(np.hstack([totals, weights]))
        with np.errstate(invalid="ignore"):
            point = totals.mean(axis=0) / weights.mean(axis=0)[own]
        draws = sums[:, : len(columns)] / _nan_where_none(sums[:, len(columns) :], weights)[:, own]
        return [
            _Figure(
                column,
                float(column.finish(point[c])),
                column.finish(draws[:, c]),
                int(np.count_nonzero(weights[:, own[c]])),
            )
            for c, column in enumerate(columns)
        ]

    def _draw(self, table: Floats) -> Floats:
        if not self.n_bootstrap:
            return np.zeros((0, table.shape[1]))
        return Resampler(table.shape[0], self.n_bootstrap, rng=self.rng).means(table)

    def _result(self, model: str, segment: str, figure: _Figure, base: _Figure | None) -> Result:
        bounds = self._bounds(figure.draws)
        difference: float | None = None
        difference_bounds: Bounds = NO_BOUNDS
        if base is not None and base.n_users:
            difference = figure.value - base.value
            gain = figure.draws - base.draws
            # Of two models with the same lists only rounding differs, and no star may come of that.
            difference_bounds = self._bounds(np.where(np.abs(gain) < ROUNDING, 0.0, gain))
        return Result(
            model,
            "",
            segment,
            figure.column.metric,
            figure.value,
            *bounds,
            difference,
            *difference_bounds,
            figure.n_users,
        )

    def _bounds(self, draws: Floats) -> Bounds:
        # A resample without any user who has the metric says nothing about it.
        usable = draws[np.isfinite(draws)]
        if not usable.size:
            return NO_BOUNDS
        interval = percentile_interval(float(usable.mean()), usable, level=self.level)
        return interval.low, interval.high


def _nan_where_none(drawn: Floats, weights: Floats) -> Floats:
    """Return the mean weights of the resamples, NaN for a resample in which nobody has any: rounding hides that 0."""
    smallest = np.where(weights > 0, weights, np.inf).min(axis=0) / weights.shape[0]
    return np.where(drawn > 0.5 * smallest, drawn, np.nan)
