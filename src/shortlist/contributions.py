"""Contributions: what the scores of one person's items are made of, event by event and feature by feature."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.stages import Candidates, Request


@dataclass(frozen=True, eq=False)
class Contributions:
    """What the scores of m items are made of, for one person: larger amounts speak for the item, below 0 against it.

    - item_idx int32[m]: the items scored
    - past_item int32[h], distinct, and of_past float64[m, h]: the items of the person's history, and what each adds
    - features, f names that a person can read ("genres: Comedy"), and of_features float64[m, f]
    - adds_up: whether base float64[m] and all amounts of an item have its score as their sum. Where not, an amount is
      by how much the score falls without that one event or feature, and base is 0
    """

    item_idx: NDArray[np.int32]
    past_item: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    of_past: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    features: Sequence[str] = ()
    of_features: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    base: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    adds_up: bool = True

    def __post_init__(self) -> None:
        """Give the parts that were left out their shape."""
        m = self.item_idx.size
        for name, width in (("of_past", self.past_item.size), ("of_features", len(self.features))):
            if getattr(self, name).size == 0:
                object.__setattr__(self, name, np.zeros((m, width)))
        if self.base.size == 0:
            object.__setattr__(self, "base", np.zeros(m))


@runtime_checkable
class ExplainsScores(Protocol):
    """What a `Scorer` may have besides: it says what its scores are made of."""

    def contributions(
        self, request: Request, candidates: Candidates, at: NDArray[np.int64]
    ) -> Contributions | None:
        """Return what the scores of the candidates at the positions `at` are made of; None where it cannot be said.

        Request and candidates are those of one person.
        """
