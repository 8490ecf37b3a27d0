"""RelatedToRecent: items most similar to what the user liked last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.models.model import Measure
from shortlist.models.stage import Stage
from shortlist.parameters import one_of, whole
from shortlist.retrieval.anchors import best_of_each, recent_positive
from shortlist.retrieval.compared_items import ComparedItems
from shortlist.retrieval.related_rows import related_rows
from shortlist.stages import Candidates, Lists, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.stages import Request


class RelatedToRecent(Stage):
    """For each of the user's last `recent` positive items, proposes the `per_item` most similar ones by `measure`.

    Events below the positive threshold are skipped. An item related to several recent ones counts once, with the
    most similar (then the most recent) of them as its anchor, which is what "because you liked …" names.
    None is the model's own measure (`Model.similar_items`). But for "euclidean" only items with a positive score are
    related.
    Proposals the user has seen stay in the trace, removed by that rule. The similar items of
    every item are found once, when the pipeline is fitted: O(n_items² · dim) time, O(n_items · per_item) memory.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("related_idx_", "related_score_")

    model: Model
    related_idx_: NDArray[np.int32]
    related_score_: NDArray[np.float32]

    def __init__(
        self,
        model: Model,
        recent: int = 10,
        per_item: int = 10,
        measure: Measure | None = None,
        name: str | None = None,
    ) -> None:
        self._set(model, name)
        self.recent = whole("recent", recent, least=1)
        self.per_item = whole("per_item", per_item, least=1)
        self.measure: Measure | None = None if measure is None else one_of("measure", measure, Measure)

    def _prepare(self, _dataset: Dataset) -> None:
        rows = related_rows(ComparedItems.of(self.model, self.measure), self.per_item)
        self.related_idx_, self.related_score_ = rows.item_idx, rows.score

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, most similar first, each with its anchor."""
        row, anchor, age = recent_positive(request.history, self.model.known_items_, self.recent)
        item = self.related_idx_[anchor].ravel()
        score = self.related_score_[anchor].ravel()
        row, age = np.repeat(row, self.per_item), np.repeat(age, self.per_item)
        anchor = np.repeat(anchor, self.per_item)
        # The most similar items of a lone item may not be similar at all: those are not its relations.
        item = np.where(score > 0, item, -1) if self.measure != "euclidean" else item
        best = best_of_each(row, item, score, age)
        best = best[np.lexsort((item[best], -score[best], row[best]))]
        ptr = offsets(np.bincount(row[best], minlength=len(request)))
        return Candidates.from_lists(Lists(ptr, item[best], score[best]), self.name, anchor[best])

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item; every proposal has an anchor, which says more."""
        return "related to what you liked lately"
