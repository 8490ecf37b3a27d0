"""Gibbs draws where every example is a pair of one-hot columns, such as a user and an item: nothing is moved along."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist import threads
from shortlist.kernels import fm_pairs as kernels
from shortlist.kernels.fm_lanes import LANES
from shortlist.models.fm_design import field_columns
from shortlist.models.fm_state import require_finite
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design, FieldColumns, Side
    from shortlist.models.fm_state import State
    from shortlist.models.normal_wishart import Prior

    F64 = NDArray[np.float64]
    I32 = NDArray[np.int32]

PARTS_A_THREAD = 8


class Pairs(NamedTuple):
    """The two columns of each example, int32[m] by side."""

    user: I32
    item: I32


def pairs_of(design: Design) -> Pairs | None:
    """Return the pairs that the examples are; None where one is more, or less, or has another value than 1."""
    sides = design.sides()
    if _n_entries(sides["context"]).any():
        return None
    user, item = _only_columns(sides["user"]), _only_columns(sides["item"])
    if user is None or item is None:
        return None
    used = [field for field in design.fields if design.n_examples_of_column[field.start : field.stop].any()]
    return (
        Pairs(user, item) if [field.side for field in used] in (["user", "item"], ["item", "user"]) else None
    )


def _n_entries(side: Side) -> NDArray[np.int64]:
    """Return int64[k]: how many columns each entity has that is in an example."""
    return np.diff(side.rows.ptr)[np.unique(side.of)]


def _only_columns(side: Side) -> I32 | None:
    """Return the one column that each example has on this side, with the value 1; None where it is not so."""
    if (_n_entries(side) != 1).any():
        return None
    first = side.rows.ptr[side.of]
    return side.rows.columns[first] if (side.rows.values[first] == 1).all() else None


class _Half(NamedTuple):
    """A field as `kernels.fm_pairs` takes it: ptr int64[n + 1]; others and examples int32[m], column after column."""

    ptr: NDArray[np.int64]
    others: I32
    examples: I32


class PairDraws:
    """See `kernels.fm_pairs`. The errors are made at the end of a sweep."""

    def __init__(self, design: Design, state: State, pairs: Pairs) -> None:
        self._state, self._pairs = state, pairs
        sides = design.sides()
        self.fields: list[FieldColumns] = []
        self._halves: dict[str, _Half] = {}
        for field in design.fields:
            side = sides[field.side]
            found = field_columns(design, side.rows.by_column(design.n_columns), side, field)
            self.fields.append(found)
            if found.columns.size:
                self._halves[field.side] = _half(found, pairs, design.n_columns)
        self.refresh()

    def draw(self, field: FieldColumns, prior: Prior, noise: F64) -> None:
        """Draw all columns of `field` given those of the other."""
        if not field.columns.size:
            return
        of, half = self._state, self._halves[field.side]
        shift = prior.precision @ prior.mean
        bounds = _equal_parts(half.ptr, of.rank)
        failed: list[int] = []

        def draw(start: int, stop: int) -> None:
            at = kernels.draw_pairs(
                bounds[start],
                bounds[stop],
                field.columns,
                *half,
                of.targets,
                of.intercept,
                prior.precision,
                shift,
                of.alpha,
                noise,
                of.rank,
                of.factors,
                of.weights,
            )
            if at >= 0:
                failed.append(at)

        threads.run_blocks(draw, len(bounds) - 1, 1)
        require_finite(field, failed)

    def refresh(self) -> None:
        """Make the errors from the parameters."""
        of = self._state
        arguments = *self._pairs, of.targets, of.intercept, of.factors, of.weights, of.errors
        threads.run_blocks(lambda start, stop: kernels.pair_errors(start, stop, *arguments), len(of.targets))

    def settle(self) -> None:
        """Make the errors, which no draw has looked at."""
        self.refresh()


def _half(field: FieldColumns, pairs: Pairs, n_columns: int) -> _Half:
    own, other = (pairs.user, pairs.item) if field.side == "user" else (pairs.item, pairs.user)
    place = np.zeros(n_columns, np.int32)
    place[field.columns] = np.arange(field.columns.size)
    examples = np.argsort(place[own], kind="stable").astype(np.int32)
    return _Half(offsets(field.n_examples), other[examples], examples)


def _equal_parts(ptr: NDArray[np.int64], rank: int) -> NDArray[np.int64]:
    """Return where the columns are cut so that all parts are about the same work; parts are whole lanes."""
    n = len(ptr) - 1
    work = ptr + np.arange(n + 1) * (rank + 1)  # a system takes about as long as so many examples
    n_parts = PARTS_A_THREAD * threads.num_threads()
    cuts = np.searchsorted(work, np.arange(1, n_parts) * (work[-1] / n_parts))
    whole_lanes = -(-cuts // LANES) * LANES
    bounds: NDArray[np.int64] = np.unique(np.concatenate([[0], np.minimum(whole_lanes, n), [n]]))
    return bounds
