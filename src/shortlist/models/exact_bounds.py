"""What a search knows of its vectors, and how far a score made in float32 can be from the final one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.exact_candidates import square_norms

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPS = float(np.finfo(np.float32).eps)
# Sums of numbers below it can neither overflow in float32 nor can their squares in float64.
_LARGEST = 1e30
# Above what products lose to gradual underflow, in any number of dims that fits into memory.
_UNDERFLOW = 1e-38


class Catalogue:
    """The items of a search, with the largest norm and what the quick passes add to the dots.

    items float32[n_items, d]; offsets float32[n_items] of the final score; proposal_offsets the same, −‖v‖²/2 for
    distances (the nearest item has the largest q·v − ‖v‖²/2), float32[0] where there is nothing to add.
    """

    def __init__(
        self, items: NDArray[np.float32], item_offsets: NDArray[np.float32] | None, euclidean: bool
    ) -> None:
        self.items = np.ascontiguousarray(items, np.float32)
        self.euclidean = euclidean
        self.offsets = or_zeros(item_offsets, items.shape[0])
        squared = squared_norms(self.items)
        if euclidean:
            with np.errstate(over="ignore"):  # such a catalogue is not safe, and no quick pass reads them
                self.proposal_offsets = (-0.5 * squared).astype(np.float32)
        else:
            self.proposal_offsets = self.offsets if self.offsets.any() else np.zeros(0, np.float32)
        self.largest_norm = float(np.sqrt(squared.max(initial=0.0)))
        self.largest_offset = float(np.abs(self.proposal_offsets).max(initial=0.0))


@dataclass(frozen=True, eq=False)
class Queries:
    """The queries of a search: vectors float32[n, d], offsets float32[n], norm float64[n]."""

    vectors: NDArray[np.float32]
    offsets: NDArray[np.float32]
    norm: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], query_offsets: NDArray[np.float32] | None) -> Queries:
        """Return the queries with their norms."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        return cls(vectors, or_zeros(query_offsets, vectors.shape[0]), np.sqrt(squared_norms(vectors)))

    def rounding(self, catalogue: Catalogue) -> NDArray[np.float64]:
        """Return float64[n]: how far offsets and the rounded final score can move a score, in units of the proposal.

        One rounding for each offset and for the final score, which counts dist² for distances, since the
        proposal is (‖q‖² − dist²)/2; doubled for slack.
        """
        if catalogue.euclidean:
            final = (self.norm + catalogue.largest_norm) ** 2
        else:
            final = catalogue.largest_offset + np.abs(self.offsets.astype(np.float64))
        return 2 * _EPS * (2 * final + catalogue.largest_offset) + _UNDERFLOW * (1 + self.norm)

    def product_slack(self, catalogue: Catalogue) -> NDArray[np.float32]:
        """Return float32[n]: how far a float32 matrix product and the offsets can be from the final score.

        γ_d ‖q‖ max‖v‖ for the dot (Higham 2002, (3.5), any order of summation), doubled for slack, and `rounding`.
        """
        dim = self.vectors.shape[1]
        product = 2 * _EPS * (dim + 4) * self.norm * catalogue.largest_norm
        slack: NDArray[np.float32] = (product + self.rounding(catalogue)).astype(np.float32)
        return slack

    def safe(self, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Return bool[n]: whether no quick pass can overflow for the query."""
        largest = catalogue.largest_norm
        if not largest < 1e15 or not catalogue.largest_offset < _LARGEST:
            return np.zeros(self.norm.size, bool)
        within: NDArray[np.bool_] = (self.norm < 1e15) & (np.abs(self.offsets) < _LARGEST)
        return within


def squared_norms(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return float64[n]: the squared length of each row."""
    out = np.empty(rows.shape[0], np.float64)
    threads.run_blocks(lambda start, stop: square_norms(rows, out, start, stop), rows.shape[0], 1 << 14)
    return out


def or_zeros(values: NDArray[np.float32] | None, n: int) -> NDArray[np.float32]:
    """Return the offsets, or `n` zeros where there are none."""
    return np.zeros(n, np.float32) if values is None else np.ascontiguousarray(values, np.float32)
