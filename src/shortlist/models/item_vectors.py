"""ItemVectors: what folding items in gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Ids


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """Vectors of items in a model's space; what `fold_in_items` returns.

    vectors float32[n, d]; known bool[n]: false where there was nothing to make a vector from; offsets float32[n]: what
    is added to every score of the item, None where that is nothing.
    """

    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]
    item_ids: Ids
    offsets: NDArray[np.float32] | None = None
