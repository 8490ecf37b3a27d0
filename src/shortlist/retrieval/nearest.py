"""Nearest: the items that a model ranks first for the user."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shortlist.models.stage import Stage
from shortlist.parameters import whole
from shortlist.stages import Candidates

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.stages import Request


class Nearest(Stage):
    """Proposes the `k` permitted items that score highest for the user under `model`.

    For a factorisation that is the largest dot product of vectors, plus offsets. Exact; forbidden items are left out
    of the search, so the list never runs short while permitted items exist. A user without a vector gets none.
    A model that ranks the user's own past (`BuyAgain`) has each item as its own anchor, which the reason then says.
    """

    model: Model

    def __init__(self, model: Model, k: int = 200, name: str | None = None) -> None:
        self._set(model, name)
        self.k = whole("k", k, least=1)

    def _prepare(self, _dataset: Dataset) -> None:
        """Nothing to derive: the search runs over the model's own vectors."""

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first."""
        lists = self.model.rank(replace(request, k=self.k))
        return Candidates.from_lists(lists, self.name, lists.item_idx if self.model.only_past else None)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return "close to your taste as a whole"
