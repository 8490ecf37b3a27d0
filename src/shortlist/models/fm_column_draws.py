"""Gibbs draws of columns of any kind: for every example the sums over its columns are kept, and moved along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels import fm_gibbs as kernels
from shortlist.kernels.fm_lanes import LANES
from shortlist.kernels.fm_rows import caches
from shortlist.models.fm_design import field_columns
from shortlist.models.fm_state import lanes_block, require_finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design, FieldColumns, Rows, Side
    from shortlist.models.fm_state import State
    from shortlist.models.normal_wishart import Prior

    F64 = NDArray[np.float64]

# Sweeps after which q and e are made anew, lest the rounding of float32 add up.
REFRESH = 32


class ColumnDraws:
    """See `kernels.fm_gibbs`: q float32[m, rank4] and the errors of the state follow every draw."""

    def __init__(self, design: Design, state: State) -> None:
        self._sides, self._state = design.sides(), state
        self._by_column: dict[str, Rows] = {
            name: side.rows.by_column(design.n_columns) for name, side in self._sides.items()
        }
        self.fields: list[FieldColumns] = [
            field_columns(design, self._by_column[field.side], self._sides[field.side], field)
            for field in design.fields
        ]
        self.q = np.empty((len(state.targets), state.factors.shape[1]), np.float32)
        self._n_sweeps = 0
        self.refresh()

    def refresh(self) -> None:
        """Make q and the errors from the parameters."""
        errors = self._state.errors
        squares = np.zeros(len(errors))
        self.q[:] = 0
        errors[:] = self._state.targets - self._state.intercept
        for side in self._sides.values():
            self._add_caches(side, squares)
        errors += 0.5 * (squares - np.einsum("ef,ef->e", self.q, self.q, dtype=np.float64))

    def _add_caches(self, side: Side, squares: F64) -> None:
        state = self._state
        arguments = side.of, *side.rows, state.factors, state.weights, self.q, state.errors, squares
        threads.run_blocks(lambda start, stop: caches(start, stop, *arguments), len(squares))

    def settle(self) -> None:
        """Refresh now and then; the errors are right but for rounding."""
        self._n_sweeps += 1
        if self._n_sweeps % REFRESH == 0:
            self.refresh()

    def draw(self, field: FieldColumns, prior: Prior, noise: F64) -> None:
        """Draw all columns of `field` given everything else."""
        shift = prior.precision @ prior.mean
        for run, parts in field.runs:
            if parts is None:
                self._draw_run(field, run, prior.precision, shift, noise[run])
            else:
                self._draw_long(field, int(field.columns[run][0]), parts, prior.precision, shift, noise[run])

    def _draw_run(self, field: FieldColumns, run: slice, precision: F64, shift: F64, noise: F64) -> None:
        side, by_column, of = self._sides[field.side], self._by_column[field.side], self._state
        columns, n_examples = field.columns[run], field.n_examples[run]
        together = LANES if field.exclusive else 1
        data = (*by_column, side.example_ptr, side.examples)
        state = of.rank, of.factors, of.weights, self.q, of.errors
        failed: list[int] = []

        def draw(start: int, stop: int) -> None:
            at = kernels.draw_columns(
                start, stop, columns, n_examples, together, *data, precision, shift, of.alpha, noise, *state
            )
            if at >= 0:
                failed.append(at)

        if field.exclusive:
            threads.run_blocks(draw, columns.size, lanes_block(columns.size))
        else:
            draw(0, columns.size)
        require_finite(field, failed)

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
        side, by_column, of = self._sides[field.side], self._by_column[field.side], self._state
        entries = by_column.columns, by_column.values, side.example_ptr, side.examples
        v, rank4, n_parts = of.factors[column], of.factors.shape[1], len(bounds) - 1
        s, t, b = (
            np.empty(shape) for shape in ((n_parts, rank4, rank4), (n_parts, rank4 + 1), (n_parts, rank4 + 1))
        )

        def add(start: int, stop: int) -> None:
            for part in range(start, stop):
                kernels.add_part(part, bounds, *entries, self.q, of.errors, v, s, t, b)

        threads.run_blocks(add, n_parts, 1)
        drawn, w = np.empty(rank4 + 1), float(of.weights[column])
        sums = s.sum(axis=0), t.sum(axis=0), b.sum(axis=0)
        if not kernels.draw_one(of.rank, precision, shift, of.alpha, v, w, *sums, noise, drawn):
            require_finite(field, [column])

        def move(start: int, stop: int) -> None:
            first, last = bounds[start], bounds[stop]
            kernels.move_examples(first, last, *entries, v, w, drawn, self.q, of.errors)

        threads.run_blocks(move, n_parts, 1)
        of.factors[column], of.weights[column] = drawn[:rank4], drawn[rank4]
