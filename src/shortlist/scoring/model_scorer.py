"""ModelScorer: candidates scored by a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.scores_by_request import scores_by_request
from shortlist.models.stage import Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.stages import Candidates, Request


class ModelScorer(Stage):
    """Scores each candidate with `model`: whatever source proposed it, all scores are on the model's one scale.

    Items or users that the model has nothing to say about cannot be scored and are removed, which the trace says.
    """

    model: Model

    def __init__(self, model: Model, name: str | None = None) -> None:
        self._set(model, name or type(model).__name__)

    def _prepare(self, _dataset: Dataset) -> None:
        """Nothing to derive."""

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: whether the model has something to say about each user, or person folded in."""
        return self.model.knows_of(request)

    def can_score(self, request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return bool[m]: whether the model knows the user and lists the item."""
        return self.knows(request)[candidates.row] & self.model.listed_items_[candidates.item_idx]

    def score(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return float32[m], by the histories of the request; 0 for candidates that are removed already."""
        out = np.zeros(candidates.item_idx.size, np.float32)
        kept = np.flatnonzero(candidates.kept)
        row, item_idx = candidates.row[kept], candidates.item_idx[kept]
        out[kept] = scores_by_request(self.model, request, row, item_idx)
        return out

    def contributions(
        self, request: Request, candidates: Candidates, at: NDArray[np.int64]
    ) -> Contributions | None:
        """Return what the model says its scores of the candidates at the positions `at` are made of."""
        return self.model.contributions(request, candidates.item_idx[at])
