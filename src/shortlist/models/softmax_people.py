"""People who were folded into a net over histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shortlist.models.vectors import UserVectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class NetVectors(UserVectors):
    """People folded in, and what their vectors have beside the history: `base` float32[n, w]."""

    base: NDArray[np.float32] = field(kw_only=True)

    def take(self, rows: NDArray[np.integer[Any]]) -> NetVectors:
        """Return the users at `rows` int[n]."""
        return NetVectors(**vars(super().take(rows)), base=self.base[rows])
