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
from shortlist.errors import NonFiniteError
from shortlist.kernels import fm_gibbs as kernels
from shortlist.kernels.fm_rows import caches
from shortlist.models.fm_design import field_columns
from shortlist.models.normal_wishart import Prior, draw_prior

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design, FieldColumns, Rows, Side

    F64 = NDArray[np.float64]

INTERCEPT_PRECISION = 0.01
# Sweeps after which q and e are made anew, lest the rounding of float32 add up.
REFRESH = 32


class Chain:
    """A Markov chain over the parameters: `sweep` moves it on by one draw of everything.

    - targets float64[m]: standardised values, or with `probit` signs −1 and 1
    - intercept, weights float64[n_columns], factors float64[n_columns, rank4], priors (by field), alpha: where it is
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
        self._design, self._sides, self._rng = design, design.sides(), rng
        self._by_column: dict[str, Rows] = {
            name: side.rows.by_column(design.n_columns) for name, side in self._sides.items()
        }
        self.fields: list[FieldColumns] = [
            field_columns(design, self._by_column[field.side], self._sides[field.side], field)
            for field in design.fields
        ]
        self.rank = factors.shape[1]
        self.weights = weights
        self.factors = np.zeros((len(weights), -(-self.rank // 4) * 4))
        self.factors[:, : self.rank] = factors
        self.intercept, self.alpha, self.probit = intercept, 1.0, probit
        self.priors: dict[int, Prior] = {}
        self._signs, self._targets = targets, targets
        self._q = np.empty((len(targets), self.factors.shape[1]), np.float32)
        self._e = np.empty(len(targets))
        self._n_sweeps = 0
        self.refresh()

    def refresh(self) -> None:
        """Make q and e from the parameters."""
        squares = np.zeros(len(self._e))
        self._q[:] = 0
        self._e[:] = self._targets - self.intercept
        for side in self._sides.values():
            self._add_caches(side, squares)
        self._e += 0.5 * (squares - np.einsum("ef,ef->e", self._q, self._q, dtype=np.float64))

    def _add_caches(self, side: Side, squares: F64) -> None:
        arguments = side.of, *side.rows, self.factors, self.weights, self._q, self._e, squares
        threads.run_blocks(lambda start, stop: caches(start, stop, *arguments), len(self._e))

    def sweep(self) -> None:
        """Draw the priors and the columns of every field, then the noise or the hidden values, then the intercept."""
        if self.probit:
            self._draw_hidden()
        for number, field in enumerate(self.fields):
            self.priors[number] = draw_prior(self.theta(field), self._rng)
            self.draw_field(field, self.priors[number])
        if not self.probit:
            squares = float(self._e @ self._e)
            self.alpha = self._rng.gamma(0.5 * (1 + len(self._e)), 2 / (1 + squares))
        self._draw_intercept()
        self._n_sweeps += 1
        if self._n_sweeps % REFRESH == 0:
            self.refresh()

    def theta(self, field: FieldColumns) -> F64:
        """Return float64[n, rank + 1]: factors and weight of each column of the field that occurs."""
        at = field.columns
        return np.column_stack([self.factors[at, : self.rank], self.weights[at]])

    @property
    def mean_squared_error(self) -> float:
        """Return the mean of e², of the last draw, in units of the standardised targets."""
        return float(self._e @ self._e) / len(self._e)

    def draw_field(self, field: FieldColumns, prior: Prior) -> None:
        """Draw the parameters of all columns of the field given everything else."""
        noise = self._rng.standard_normal((field.columns.size, self.rank + 1))
        shift = prior.precision @ prior.mean
        for run, parts in field.runs:
            if parts is None:
                self._draw_run(field, run, prior.precision, shift, noise[run])
            else:
                self._draw_long(field, int(field.columns[run][0]), parts, prior.precision, shift, noise[run])

    def _draw_run(self, field: FieldColumns, run: slice, precision: F64, shift: F64, noise: F64) -> None:
        side, by_column = self._sides[field.side], self._by_column[field.side]
        columns, n_examples = field.columns[run], field.n_examples[run]
        together = kernels.LANES if field.exclusive else 1
        data = (*by_column, side.example_ptr, side.examples)
        state = self.rank, self.factors, self.weights, self._q, self._e
        failed: list[int] = []

        def draw(start: int, stop: int) -> None:
            at = kernels.draw_columns(
                start, stop, columns, n_examples, together, *data, precision, shift, self.alpha, noise, *state
            )
            if at >= 0:
                failed.append(at)

        if field.exclusive:
            threads.run_blocks(draw, columns.size, _block(columns.size))
        else:
            draw(0, columns.size)
        if failed:
            self._raise_not_finite(field)

    def _draw_long(
        self,
        field: FieldColumns,
        column: int,
        bounds: NDArray[np.int64],
        precision: F64,
        shift: F64,
        noise: F64,
    ) -> None:
        """Draw one column whose examples are summed part by part, by several threads, in an order that is fixed."""
        side, by_column = self._sides[field.side], self._by_column[field.side]
        entries = by_column.columns, by_column.values, side.example_ptr, side.examples
        v, rank4, n_parts = self.factors[column], self.factors.shape[1], len(bounds) - 1
        s, t, b = (
            np.empty(shape) for shape in ((n_parts, rank4, rank4), (n_parts, rank4 + 1), (n_parts, rank4 + 1))
        )

        def add(start: int, stop: int) -> None:
            for part in range(start, stop):
                kernels.add_part(part, bounds, *entries, self._q, self._e, v, s, t, b)

        threads.run_blocks(add, n_parts, 1)
        drawn, w = np.empty(rank4 + 1), float(self.weights[column])
        sums = s.sum(axis=0), t.sum(axis=0), b.sum(axis=0)
        if not kernels.draw_one(self.rank, precision, shift, self.alpha, v, w, *sums, noise, drawn):
            self._raise_not_finite(field)

        def move(start: int, stop: int) -> None:
            first, last = bounds[start], bounds[stop]
            kernels.move_examples(first, last, *entries, v, w, drawn, self._q, self._e)

        threads.run_blocks(move, n_parts, 1)
        self.factors[column], self.weights[column] = drawn[:rank4], drawn[rank4]

    def _raise_not_finite(self, field: FieldColumns) -> None:
        raise NonFiniteError(
            f"the draw of a column of {field.name} is not finite: look for huge values in the features"
        )

    def _draw_intercept(self) -> None:
        n = len(self._e)
        precision = self.alpha * n + INTERCEPT_PRECISION
        mean = self.alpha * (float(self._e.sum()) + n * self.intercept) / precision
        drawn = mean + self._rng.standard_normal() / np.sqrt(precision)
        self._e -= drawn - self.intercept
        self.intercept = drawn

    def _draw_hidden(self) -> None:
        """Draw the hidden values of labels: normal around the prediction, cut off at 0 on the side of the label."""
        uniform = self._rng.random(len(self._e))
        if self._n_sweeps == 0:
            self._targets = self._signs.copy()

        def draw(start: int, stop: int) -> None:
            at = slice(start, stop)
            predicted = self._targets[at] - self._e[at]
            self._targets[at] = truncated_normal(predicted, self._signs[at], uniform[at])
            self._e[at] = self._targets[at] - predicted

        threads.run_blocks(draw, len(self._e), 1 << 13)


def truncated_normal(mean: F64, sign: F64, uniform: F64) -> F64:
    """Return float64[m]: draws of N(mean, 1) given that they have `sign` (−1 or 1), from `uniform` in [0, 1).

    By the inverse of the distribution function, in logarithms, which no tail defeats.
    """
    with np.errstate(divide="ignore"):
        log_share = np.log1p(-uniform)  # of (0, 1]: a draw is finite
    drawn: F64 = mean - sign * special.ndtri_exp(log_share + special.log_ndtr(sign * mean))
    return drawn


def _block(n: int) -> int:
    """Return how many columns a thread takes at a time: whole lanes."""
    share = -(-n // (16 * threads.num_threads()))
    return -(-share // kernels.LANES) * kernels.LANES
