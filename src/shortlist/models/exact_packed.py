"""Items as int8 with a step a vector, and what is known of their error: a quarter of the memory to read a query.

With v = s·a + e for an item (a int8, s its step) and q = t·b + g for a query,

    |q·v − s t (a·b)|  =  |q·e + s a·g|  <=  s (‖q‖ c + ‖g‖ ℓ)        c = max ‖e‖/s, ℓ = max ‖a‖ over all items

by Cauchy and Schwarz: one radius a query, times the step of each item.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.int8_dots import BLOCK, GROUP, SMALLEST_STEP, quantise_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPS = float(np.finfo(np.float32).eps)
# Roundings of the bounds themselves, in float32 and float64, are far below these.
_UP = 1 + 1e-6
_ROUNDINGS = 16


@dataclass(frozen=True, eq=False)
class PackedItems:
    """packed uint8[16 · blocks · 4 · groups], step float32[n_items], and the two ratios c and ℓ.

    Memory: n_items · (d rounded up to 4, + 4) bytes.
    """

    packed: NDArray[np.uint8]
    step: NDArray[np.float32]
    error_ratio: float
    length_ratio: float

    @classmethod
    def of(cls, items: NDArray[np.float32]) -> PackedItems:
        """Return the finite `items` float32[n_items, d], packed. Cost: O(n_items · d), once."""
        n_items, dim = items.shape
        blocks = -(-n_items // BLOCK)
        packed = np.empty(blocks * BLOCK * _width(dim), np.uint8)
        step = np.empty(n_items, np.float32)
        ratios: list[tuple[float, float]] = []
        guard = threading.Lock()

        def pack(start: int, stop: int) -> None:
            found = quantise_rows(items, packed, step, start, stop)
            with guard:
                ratios.append(found)

        threads.run_blocks(pack, blocks)
        error, length = (max(values, default=0.0) * _UP for values in zip(*ratios, strict=True))
        return cls(packed, step, error, length)

    def query(self, vector: NDArray[np.float32]) -> PackedQuery:
        """Return `vector` float32[d] as int8, with its step and the radius of the bound."""
        packed, step = np.empty(BLOCK * _width(vector.size), np.uint8), np.empty(1, np.float32)
        error, length = quantise_rows(vector[None, :], packed, step, 0, 1)
        unit = float(step[0])
        value = packed.reshape(-1, BLOCK, GROUP)[:, 0].astype(np.int16).ravel() - np.int16(128)
        # ‖q‖ <= ‖t·b‖ + ‖g‖; the roundings, of step · unit · dot and of the final score, go with ‖q‖ s (c + ℓ).
        norm = unit * (length + error)
        radius = norm * self.error_ratio + unit * error * self.length_ratio
        radius += _ROUNDINGS * _EPS * norm * (self.length_ratio + self.error_ratio)
        # A normal number, whose own rounding _UP covers.
        limit = np.float32(radius * _UP + SMALLEST_STEP)
        return PackedQuery(value.astype(np.int8).view(np.int32), value, step[0], limit)


@dataclass(frozen=True, eq=False)
class PackedQuery:
    """value8 int32[groups] (four int8 each) and value16 int16[4 · groups]: the same values; unit; radius."""

    value8: NDArray[np.int32]
    value16: NDArray[np.int16]
    unit: np.float32
    radius: np.float32


def _width(dim: int) -> int:
    return -(-dim // GROUP) * GROUP
