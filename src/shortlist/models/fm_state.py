"""Where a Gibbs chain is, and what draws the columns of a field for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shortlist import threads
from shortlist.errors import NonFiniteError
from shortlist.kernels.fm_lanes import LANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.models.fm_design import FieldColumns
    from shortlist.models.normal_wishart import Prior

    F64 = NDArray[np.float64]


@dataclass(eq=False)
class State:
    """All that is drawn but the priors, and the examples' errors.

    - factors float64[n_columns, rank4]: of length `rank`, zeros behind; weights float64[n_columns]; intercept; alpha
    - targets, errors float64[m]: y and y - ŷ
    """

    rank: int
    factors: F64
    weights: F64
    intercept: float
    targets: F64
    errors: F64
    alpha: float = 1.0


class Draws(Protocol):
    """Draws of the columns of each field, which change the state."""

    @property
    def fields(self) -> Sequence[FieldColumns]:
        """Return the fields in the order of the design."""

    def draw(self, field: FieldColumns, prior: Prior, noise: F64) -> None:
        """Draw all columns of `field` given everything else; noise float64[n, d] has a row for each of them."""

    def refresh(self) -> None:
        """Make the errors, and whatever else is kept of the examples, anew from the parameters."""

    def settle(self) -> None:
        """End a sweep: the errors are those of the parameters."""


def lanes_block(n: int) -> int:
    """Return how many of `n` columns a thread takes at a time: whole lanes."""
    share = -(-n // (16 * threads.num_threads()))
    return -(-share // LANES) * LANES


def require_finite(field: FieldColumns, failed: Sequence[int]) -> None:
    """Raise `NonFiniteError` if the draws of any columns of `field` have `failed`."""
    if failed:
        raise NonFiniteError(
            f"the draw of a column of {field.name} is not finite: look for huge values in the features"
        )
