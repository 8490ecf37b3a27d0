"""The draws of a Gibbs chain that are kept, and what stands for columns that no example had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.models.fm_parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design
    from shortlist.models.fm_gibbs import Chain

    F64 = NDArray[np.float64]


class Scale(NamedTuple):
    """The mean and the standard deviation that targets are brought to 0 and 1 by; of labels 0 and 1."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, targets: NDArray[np.float32]) -> Scale:
        """Return that of ratings; targets that are all alike keep their unit."""
        return cls(float(targets.mean(dtype=np.float64)), float(targets.std(dtype=np.float64)) or 1.0)

    def units(self, dim: int) -> F64:
        """Return float64[dim + 1]: the unit of each factor (two make a prediction) and of a weight."""
        return np.append(np.full(dim, np.sqrt(self.deviation)), self.deviation)


@dataclass(frozen=True)
class Plan:
    """How many sweeps a chain makes, how many of the first are not kept, how many of the others are."""

    n_sweeps: int
    burn_in: int
    n_kept: int

    def kept(self) -> set[int]:
        """Return the numbers, from 1, of the sweeps that are kept: spread evenly, the last one among them.

        >>> sorted(Plan(10, 2, 4).kept())
        [4, 6, 8, 10]
        """
        after = self.n_sweeps - self.burn_in
        n = min(self.n_kept, after)
        return {self.burn_in + after * (k + 1) // n for k in range(n)}


class IdPriors(NamedTuple):
    """What each kept draw has of users as such: means float64[S, d], precisions float64[S, d, d]; noise float64[S]."""

    means: F64
    precisions: F64
    noise_precisions: F64


class Posterior:
    """The kept draws of a chain, in the units of the values; `unknown` columns stand behind those of the encoder."""

    def __init__(self, design: Design, chain: Chain, n_kept: int, scale: Scale) -> None:
        n_columns, dim = design.n_columns, chain.state.rank
        self._design, self._chain, self._scale = design, chain, scale
        self.parameters = Parameters.zeros(n_columns, n_kept, dim)
        self.priors = IdPriors(
            np.zeros((n_kept, dim + 1)), np.zeros((n_kept, dim + 1, dim + 1)), np.ones(n_kept)
        )
        self.n = 0
        self._idle = [
            np.setdiff1d(np.arange(field.start, field.stop), used.columns)
            for field, used in zip(design.fields, chain.draws.fields, strict=True)
        ]

    def store(self) -> None:
        """Write where the chain is into the first slot that is not kept yet."""
        chain, at, slot = self._chain, self._chain.state, self.n
        dim = at.rank
        units = self._scale.units(dim)
        theta = np.column_stack([at.factors[:, :dim], at.weights])
        for number, field in enumerate(self._design.fields):
            mean, precision = chain.priors[number]
            theta[self._idle[number]] = mean
            if field.name in UNKNOWN and field.side == UNKNOWN[field.name][0]:
                theta[len(theta) + UNKNOWN[field.name][1]] = mean
            if field.name == "user_id" and field.side == "user":
                self.priors.means[slot] = mean * units
                self.priors.precisions[slot] = precision / np.outer(units, units)
        theta *= units
        of = self.parameters
        of.factors[:, slot], of.weights[:, slot] = theta[:, :dim], theta[:, dim]
        of.intercepts[slot] = self._scale.mean + self._scale.deviation * at.intercept
        self.priors.noise_precisions[slot] = at.alpha / self._scale.deviation**2

    def filled(self) -> tuple[Parameters, IdPriors]:
        """Return the kept draws; the last one stored where none is kept yet."""
        n = max(self.n, 1)
        return self.parameters.first(n), IdPriors(*(of[:n].copy() for of in self.priors))


# Who is no column of the ids: the side, and the column counted from the end.
UNKNOWN = {"user_id": ("user", -2), "item_id": ("item", -1)}


def sample(
    design: Design,
    chain: Chain,
    plan: Plan,
    scale: Scale,
    after_sweep: Callable[[int, float, Posterior], None] | None = None,
) -> Posterior:
    """Run the chain and return the draws that `plan` keeps.

    `after_sweep` gets the number of the sweep, the mean squared error of its draw in squared units of the values, and
    what is kept so far.
    """
    kept = plan.kept()
    posterior = Posterior(design, chain, len(kept), scale)
    for number in range(1, plan.n_sweeps + 1):
        chain.sweep()
        if number in kept or (after_sweep is not None and posterior.n == 0):
            posterior.store()
        posterior.n += number in kept
        if after_sweep is not None:
            after_sweep(number, chain.mean_squared_error * scale.deviation**2, posterior)
    return posterior
