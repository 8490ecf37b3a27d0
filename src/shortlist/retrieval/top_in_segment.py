"""TopInSegment: what is popular, or typical, in the segment that a person belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from shortlist.data.recommendations import FEWEST_NAMED
from shortlist.errors import ParameterError
from shortlist.models.k_means_segments import KMeansSegments
from shortlist.models.stage import Stage
from shortlist.parameters import one_of, whole
from shortlist.retrieval.ranked_lists import RankedLists, best_first, one_each
from shortlist.stages import Candidates, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.removal import Removal
    from shortlist.stages import Request

By = Literal["share", "lift"]


class TopInSegment(Stage):
    """Proposes the `k` items that are most popular in the user's segment, or most typical of it.

    - model: `KMeansSegments` (the default one where None). Where its segments are of items, a person's segment is the
      one that holds most of what the person likes
    - by: "share", how many of the segment like it, smoothed as the model's scores; "lift", how many times more they do
      than all people, (n_si + λ) / (n_s p_i + λ), with the model's shrinkage λ

    Who is not in the data is in the segment that their history leads to, or their folded-in vector. Listed for a
    segment is what is liked there. Forbidden items are left out of the search.
    Cost: O(k) a user, and the placement of strangers; memory: one entry for each segment and item liked in it.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("list_ptr_", "list_item_", "list_score_")

    model: KMeansSegments
    list_ptr_: NDArray[np.int64]
    list_item_: NDArray[np.int32]
    list_score_: NDArray[np.float32]

    def __init__(
        self,
        model: KMeansSegments | None = None,
        k: int = 20,
        by: By = "share",
        name: str | None = None,
    ) -> None:
        chosen = KMeansSegments() if model is None else model
        if not isinstance(chosen, KMeansSegments):
            raise ParameterError(f"TopInSegment(model=…) takes a KMeansSegments, got {model!r}")
        self._set(chosen, name)
        self.k = whole("k", k, least=1)
        self.by = one_of("by", by, By)

    def _prepare(self, _dataset: Dataset) -> None:
        likes, model = self.model.n_likes, self.model
        item, segment = np.nonzero(likes)
        score = model.item_factors_[item, segment].astype(np.float64)
        if self.by == "lift":
            share = likes.sum(axis=1) / max(int(model.segment_sizes_.sum()), 1)
            expected = model.segment_sizes_[segment] * share[item] + model.shrinkage
            score = (likes[item, segment] + model.shrinkage) / expected
        lists = RankedLists.of(segment, item, score, model.n_segments)
        self.list_ptr_, self.list_item_, self.list_score_ = lists.ptr, lists.item_idx, lists.score

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the lists but those of segments in which nobody is left."""
        if self.model.of == "items":
            return fitted
        left = removal.rows(self.model.segments_)
        return self._lists_of(np.bincount(left[left >= 0], minlength=self.model.n_segments) > 0)

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the lists but those of segments of so few people that they are what one of them likes."""
        if self.model.of == "items":
            return fitted
        return self._lists_of(self.model.segment_sizes_ >= FEWEST_NAMED)

    def _lists_of(self, enough: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return the lists of the segments that `enough` bool[n_segments] holds for; those of the others are empty."""
        kept = np.repeat(enough, np.diff(self.list_ptr_))
        ptr = offsets(np.diff(self.list_ptr_) * enough)
        return {"list_ptr_": ptr, "list_item_": self.list_item_[kept], "list_score_": self.list_score_[kept]}

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first."""
        ptr, wanted = one_each(self.model.segment_of_request(request))
        lists = RankedLists(self.list_ptr_, self.list_item_, self.list_score_)
        found = lists.first(ptr, wanted, self.k, request.eligible)
        ranked, _ = best_first(found.row, found.item_idx, found.score, len(request))
        return Candidates.from_lists(ranked, self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        if self.by == "lift":
            return "what people like you choose more than others do"
        return "popular among people like you"
