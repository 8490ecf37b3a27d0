"""Gibbs sampling of a factorisation machine: every column's parameters, the priors of the fields, and the noise.

The model: y = ŷ + ε with ε ~ N(0, 1/α), the parameters θ_i = (v_i, w_i) of the columns of a field ~ N(μ, Λ⁻¹) with a
normal-Wishart prior for each field (`normal_wishart`), α ~ Gamma(½, ½), w0 ~ N(0, 100); targets stand at mean 0 and
variance 1. Labels are signs of such a y with α = 1, which is drawn too (probit: Albert and Chib 1993). The bias of a
column is one more coordinate under its full prior, which learns how biases and factors go together; Rendle 2012
("Factorization machines with libFM") and Freudenthaler, Schmidt-Thieme and Rendle 2011 have diagonal ones and draw
coordinate by coordinate instead.

All random numbers are drawn before the kernels run, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from shortlist import threads
from shortlist.models.fm_column_draws import ColumnDraws
from shortlist.models.fm_pair_draws import PairDraws, pairs_of
from shortlist.models.fm_state import State
from shortlist.models.normal_wishart import Prior, draw_prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design, FieldColumns
    from shortlist.models.fm_state import Draws

    F64 = NDArray[np.float64]

INTERCEPT_PRECISION = 0.01


class Chain:
    """A Markov chain over the parameters: `sweep` moves it on by one draw of everything.

    - targets float64[m]: standardised values, or with `probit` signs −1 and 1
    - state, priors (by the number of the field): where it is
    - draws: how columns are drawn; examples that are pairs of ids have a way of their own, of the same draws
    """

    def __init__(
        self,
        design: Design,
        targets: F64,
        weights: F64,
        factors: F64,
        intercept: float,
        *,
        probit: bool,
        rng: np.random.Generator,
    ) -> None:
        n, rank = factors.shape
        padded = np.zeros((n, -(-rank // 4) * 4))
        padded[:, :rank] = factors
        self.state = State(rank, padded, weights, intercept, targets.copy(), np.empty(len(targets)))
        pairs = pairs_of(design)
        self.draws: Draws = (
            ColumnDraws(design, self.state) if pairs is None else PairDraws(design, self.state, pairs)
        )
        self.priors: dict[int, Prior] = {}
        self._signs, self._probit, self._rng = targets, probit, rng

    def sweep(self) -> None:
        """Draw the priors and the columns of every field, then the noise or the hidden values, then the intercept."""
        if self._probit:
            self._draw_hidden()
        for number, field in enumerate(self.draws.fields):
            self.priors[number] = draw_prior(self.theta(field), self._rng)
            self.draw_field(field, self.priors[number])
        self.draws.settle()
        of = self.state
        if not self._probit:
            squares = float(of.errors @ of.errors)
            of.alpha = self._rng.gamma(0.5 * (1 + len(of.errors)), 2 / (1 + squares))
        self._draw_intercept()

    def theta(self, field: FieldColumns) -> F64:
        """Return float64[n, rank + 1]: factors and weight of each column of the field that occurs."""
        of, at = self.state, field.columns
        factors = np.take(of.factors, at, axis=0)[:, : of.rank]
        return np.column_stack([factors, np.take(of.weights, at)])

    @property
    def mean_squared_error(self) -> float:
        """Return the mean squared error of the last draw, in units of the standardised targets."""
        errors = self.state.errors
        return float(errors @ errors) / len(errors)

    def draw_field(self, field: FieldColumns, prior: Prior) -> None:
        """Draw the parameters of all columns of the field given everything else."""
        noise = self._rng.standard_normal((field.columns.size, self.state.rank + 1))
        self.draws.draw(field, prior, noise)

    def _draw_intercept(self) -> None:
        of = self.state
        n = len(of.errors)
        precision = of.alpha * n + INTERCEPT_PRECISION
        mean = of.alpha * (float(of.errors.sum()) + n * of.intercept) / precision
        drawn = mean + self._rng.standard_normal() / np.sqrt(precision)
        of.errors -= drawn - of.intercept
        of.intercept = drawn

    def _draw_hidden(self) -> None:
        """Draw the hidden values of labels: normal around the prediction, cut off at 0 on the side of the label."""
        of = self.state
        uniform = self._rng.random(len(of.errors))

        def draw(start: int, stop: int) -> None:
            at = slice(start, stop)
            predicted = of.targets[at] - of.errors[at]
            of.targets[at] = truncated_normal(predicted, self._signs[at], uniform[at])
            of.errors[at] = of.targets[at] - predicted

        threads.run_blocks(draw, len(of.errors), 1 << 13)


def truncated_normal(mean: F64, sign: F64, uniform: F64) -> F64:
    """Return float64[m]: draws of N(mean, 1) given that they have `sign` (−1 or 1), from `uniform` in [0, 1).

    By the inverse of the distribution function, in logarithms, which no tail defeats.
    """
    with np.errstate(divide="ignore"):
        log_share = np.log1p(-uniform)  # of (0, 1]: a draw is finite
    drawn: F64 = mean - sign * special.ndtri_exp(log_share + special.log_ndtr(sign * mean))
    return drawn
