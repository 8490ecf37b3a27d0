"""Nearest: the items whose vectors lie nearest to the user's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shortlist.models.model_stage import ModelStage
from shortlist.parameters import whole
from shortlist.stages import Candidates

if TYPE_CHECKING:
    from shortlist.models.model import Model
    from shortlist.stages import Request


class Nearest(ModelStage):
    """Proposes the `k` permitted items that score highest for the user under `model`.

    For a factorisation that is the largest dot product of vectors, plus offsets. Exact; forbidden items are left out
    of the search, so the list never runs short while permitted items exist. A user without a vector gets none.
    """

    def __init__(self, model: Model, k: int = 200, name: str | None = None) -> None:
        self._set(model, name)
        self.k = whole("k", k, least=1)

    def _prepare(self) -> None:
        """Nothing to derive: the search runs over the model's own vectors."""

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first."""
        return Candidates.from_lists(self.model.rank(replace(request, k=self.k)), self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return "close to your taste as a whole"
