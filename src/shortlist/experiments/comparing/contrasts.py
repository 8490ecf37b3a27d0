"""Contrasts: differences of one metric between recommenders, paired by user, with intervals and p-values.

The p-value of a difference is two-sided, from the resamples that its interval is made of: with b⁻ of n resamples at or
below 0 and b⁺ at or above it, p = min(1, 2 (min(b⁻, b⁺) + 1) / (n + 1)), which inverts the percentile interval and
is never 0. Source: Davison and Hinkley (1997), Bootstrap Methods and their Application, equation 4.11 for the
(b + 1) / (n + 1). p-values of all comparisons with the baseline are adjusted by Holm (1979), A simple sequentially
rejective multiple test procedure: the chance that any of them falls below α without a difference is at most α.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.metrics import Resampler, percentile_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from shortlist.experiments.evaluation import Evaluation

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """The difference `model` − `reference` of the main metric under a protocol, over the users measured.

    - low, high: its interval; p_value, p_holm: against no difference, alone and adjusted for all models compared with
      the baseline. None without resamples, and p-values for a reference that was chosen by these very figures
    """

    model: str
    reference: str
    protocol: str
    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None
    n_users: int

    @property
    def is_significant(self) -> bool:
        """Return whether the interval leaves out 0; False where there is none."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def contrasts_with_baseline(evaluation: Evaluation, metric: str, seed: int) -> list[Contrast]:
    """Return the difference of each other model from the baseline of `evaluation`, under each protocol.

    `metric` is a mean over users that every evaluated user has a value of. With the `seed` that `evaluate` was given,
    the resamples of the first protocol are those of its intervals. Cost: O(n_bootstrap · users · models) a protocol.
    """
    found = []
    for protocol in evaluation.protocols:
        own = _Table.of(evaluation, metric, protocol, seed).contrasts(str(evaluation.baseline))
        # None or all have one.
        p_values = [contrast.p_value for contrast in own if contrast.p_value is not None]
        adjusted: list[float | None] = [*holm(p_values)] or [None] * len(own)
        found += [replace(contrast, p_holm=p) for contrast, p in zip(own, adjusted, strict=True)]
    return found


def contrasts_with_best(evaluation: Evaluation, metric: str, seed: int) -> list[Contrast]:
    """Return the difference of each other model from the one of the largest mean, ties by order, under each protocol.

    There are no p-values: which is the best was read off the same users, which flatters its lead.
    """
    found = []
    for protocol in evaluation.protocols:
        table = _Table.of(evaluation, metric, protocol, seed)
        best = table.models[int(np.argmax(table.values.mean(axis=0)))]
        found += [replace(contrast, p_value=None) for contrast in table.contrasts(best)]
    return found


@dataclass(frozen=True, eq=False)
class _Table:
    """The metric of each evaluated user under one protocol, values float64[n, models], and how to resample them."""

    protocol: str
    models: list[str]
    values: Floats
    level: float
    resampler: Resampler | None

    @classmethod
    def of(cls, evaluation: Evaluation, metric: str, protocol: str, seed: int) -> _Table:
        own = evaluation.per_user.filter(pl.col("protocol") == protocol, pl.col(metric).is_not_null())
        models = own["model"].unique(maintain_order=True).to_list()
        values = np.column_stack(
            [own.filter(pl.col("model") == model)[metric].to_numpy() for model in models]
        )
        n_bootstrap = evaluation.n_bootstrap
        resampler = Resampler(values.shape[0], n_bootstrap, rng=seed) if n_bootstrap else None
        return cls(protocol, models, values, evaluation.level, resampler)

    def contrasts(self, reference: str) -> list[Contrast]:
        """Return the difference of each other model from `reference`, without the adjustment of p-values."""
        others = [at for at, model in enumerate(self.models) if model != reference]
        # Differences are resampled, not means: those of equal lists are then 0 to the last bit.
        gains = self.values[:, others] - self.values[:, [self.models.index(reference)]]
        if not others or self.resampler is None:
            draws = [None] * len(others)
        else:
            draws = list(self.resampler.means(gains).T)
        return [
            self._contrast(self.models[at], reference, gain, drawn)
            for at, gain, drawn in zip(others, gains.T, draws, strict=True)
        ]

    def _contrast(self, model: str, reference: str, gain: Floats, draws: Floats | None) -> Contrast:
        difference, low, high, p_value = float(gain.mean()), None, None, None
        if draws is not None:
            _, low, high = percentile_interval(difference, draws, level=self.level)
            p_value = bootstrap_p_value(draws)
        return Contrast(model, reference, self.protocol, difference, low, high, p_value, None, gain.size)


def bootstrap_p_value(draws: ArrayLike) -> float:
    """Return the two-sided p-value against 0 of a difference with these resamples, float64[n], n >= 1.

    >>> bootstrap_p_value([0.1, 0.2, 0.3, 0.2])  # none at or below 0: 2 · (0 + 1) / (4 + 1)
    0.4
    >>> bootstrap_p_value([0.0, 0.0, 0.0])  # equal in every resample
    1.0
    """
    values = np.asarray(draws, dtype=np.float64)
    fewer = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (values.size + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted by Holm's step-down method, in the order given.

    >>> holm([0.03, 0.01, 0.02])  # 3 · .01; 2 · .02; .03, which may not fall below the one before it
    [0.04, 0.03, 0.04]
    >>> holm([0.6, 0.7])
    [1.0, 1.0]
    """
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for step, at in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[at]))
        adjusted[at] = largest
    return adjusted
