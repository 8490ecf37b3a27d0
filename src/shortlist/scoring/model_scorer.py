"""ModelScorer: candidates scored by a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.model_stage import ModelStage
from shortlist.stages import Eligible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.model import Model
    from shortlist.stages import Candidates, Request


class ModelScorer(ModelStage):
    """Scores each candidate with `model`: whatever source proposed it, all scores are on the model's one scale.

    Items or users that the model has nothing to say about cannot be scored and are removed, which the trace says.
    """

    def __init__(self, model: Model, name: str | None = None) -> None:
        self._set(model, name or type(model).__name__)

    def _prepare(self) -> None:
        """Nothing to derive."""

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: whether the model has something to say about each user."""
        return self.model.knows(request.user_idx)

    def can_score(self, request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return bool[m]: whether the model knows the user and lists the item."""
        return self.knows(request)[candidates.row] & self.model.listed_items_[candidates.item_idx]

    def score(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return float32[m]; 0 for candidates that are removed already."""
        out = np.zeros(candidates.item_idx.size, np.float32)
        kept = np.flatnonzero(candidates.kept)
        row, item_idx = candidates.row[kept], candidates.item_idx[kept]
        if self.model.only_past:
            out[kept] = self._scores_of_past(request, row, item_idx)
        else:
            out[kept] = self.model.score_pairs(request.user_idx[row], item_idx)
        return out

    def _scores_of_past(
        self, request: Request, row: NDArray[np.int64], item_idx: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Return float32[m] from the request's own history: the training events may go beyond its `now`."""
        n_items = self.model.known_items_.size
        all_allowed = Eligible.of(n_items, request.history, exclude_seen=False)
        past = self.model.rank(replace(request, k=n_items, eligible=all_allowed))
        key, wanted = past.row * n_items + past.item_idx, row * n_items + item_idx
        order = np.argsort(key)
        at = np.searchsorted(key, wanted, sorter=order)
        # One place more, for what is not of the past.
        found = np.append(order, order.size)[at]
        is_past = np.append(key, -1)[found] == wanted
        return np.where(is_past, np.append(past.score, np.float32(0))[found], np.float32(0))
