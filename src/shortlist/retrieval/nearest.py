"""Nearest: the items that a model ranks first for the user."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from shortlist.errors import ParameterError
from shortlist.models.scores_by_request import remembered
from shortlist.models.stage import Stage
from shortlist.models.vectors import EmbeddingModel
from shortlist.parameters import one_of, whole
from shortlist.retrieval.index.approximate_index import EXACT_UP_TO, ApproximateIndex
from shortlist.retrieval.index.exact_among import eligible_among
from shortlist.stages import Candidates, Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.stages import Request

Search = Literal["exact", "approximate"]

# Users whose vectors an approximate index measures its recall with.
_SAMPLED_USERS = 512


class Nearest(Stage):
    """Proposes the `k` permitted items that score highest for the user under `model`.

    For a factorisation that is the largest dot product of vectors, plus offsets. Forbidden items are left out of the
    search, so the list never runs short while permitted items exist. A user without a vector gets none.
    A model that ranks the user's own past (`BuyAgain`) has each item as its own anchor, which the reason then says.

    - index: "exact" finds what is best, always. "approximate" searches an `ApproximateIndex` of the items that the
      model lists, built when the pipeline is fitted and saved with it, for a model of vectors only. None is
      "approximate" for such a model of more than `EXACT_UP_TO` items, below which exact search is the faster one,
      unless its recall stays below 0.95.

    Fitted with an approximate index, it has `recall_`, the share of the best `k` that a search found on average over
    up to 256 users, and `index_`. Scores are the model's own, bit for bit, either way.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("proposer_", "effort_", "recall_")

    model: Model
    proposer_: NDArray[np.uint8]
    effort_: int
    recall_: float | None

    def __init__(
        self, model: Model, k: int = 200, name: str | None = None, index: Search | None = None
    ) -> None:
        self._set(model, name)
        self.k = whole("k", k, least=1)
        self.index: Search | None = None if index is None else one_of("index", index, Search)

    def _prepare(self, _dataset: Dataset) -> None:
        self.proposer_, self.effort_, self.recall_ = np.zeros(0, np.uint8), 0, None
        if self._is_exact():
            return
        known = np.flatnonzero(self.model.known_users_).astype(np.int32)
        sample = known[:: max(1, known.size // _SAMPLED_USERS)][:_SAMPLED_USERS]
        assert isinstance(self.model, EmbeddingModel)
        queries = self.model.user_vectors(sample)[0] if sample.size else None
        index = self._empty_index().build_from(self.model, queries=queries)
        assert index.recall_ is not None
        if self.index is None and index.recall_ < index.target_recall:
            return  # nobody asked for lists that lack so much
        self.proposer_, self.effort_, self.recall_ = index.proposer_bytes(), index.effort_, index.recall_
        self.__dict__["index_"] = index

    def _is_exact(self) -> bool:
        n_listed = int(np.count_nonzero(self.model.listed_items_))
        has_vectors = isinstance(self.model, EmbeddingModel)
        if self.index == "approximate" and not (has_vectors and n_listed):
            raise ParameterError(
                f'{self.name}: {type(self.model).__name__} has no item vectors to index; leave index="approximate" out'
            )
        return self.index == "exact" or not has_vectors or (self.index is None and n_listed <= EXACT_UP_TO)

    def _empty_index(self) -> ApproximateIndex:
        exact_up_to = EXACT_UP_TO
        if self.index is not None:  # who asks for a graph gets one, however few items there are
            exact_up_to = min(EXACT_UP_TO, int(np.count_nonzero(self.model.listed_items_)) // 20)
        return ApproximateIndex(recall_at=self.k, exact_up_to=exact_up_to)

    @cached_property
    def index_(self) -> ApproximateIndex | None:
        """Return the fitted index, None where search is exact."""
        if self.recall_ is None:
            return None
        return self._empty_index().restore(self.model, self.proposer_, self.effort_, self.recall_)

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first."""
        asked = replace(request, k=self.k)
        lists = self.model.rank(asked) if self.index_ is None else self._by_index(asked, self.index_)
        return Candidates.from_lists(lists, self.name, lists.item_idx if self.model.only_past else None)

    def _by_index(self, request: Request, index: ApproximateIndex) -> Lists:
        """Return lists of those whose vector is at hand by the index, the others' as the model ranks them."""
        people = self.model.people_of(request)
        known = self.model.knows_of(request)
        by_index = self._has_vector(request) & known
        rows, others = np.flatnonzero(by_index), np.flatnonzero(~by_index & known)
        assert isinstance(self.model, EmbeddingModel)
        if people is None:
            vectors, offsets = self.model.user_vectors(request.user_idx[rows])
        else:
            vectors, offsets = people.vectors[rows], people.offsets[rows]
        listed = np.flatnonzero(self.model.listed_items_)
        found = index.rank(vectors, self.k, eligible_among(request.eligible.rows(rows), listed), offsets)
        nearest = Lists(found.ptr, listed[found.item_idx].astype(np.int32), found.score)
        ranked = self.model.rank(request.rows(others))
        return Lists.joined([(rows, nearest), (others, ranked)], len(request))

    def _has_vector(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: whose vector, made before, is the one that this request would make."""
        people = self.model.people_of(request)
        if people is None:
            return remembered(self.model, request, None)
        by_moment = self.model.vectors_by_history or bool(request.context and self.model.context_columns)
        return np.full(len(request), not by_moment)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return "close to your taste as a whole"
