"""BoughtTogether: what is in the same baskets as the items that a person chose last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from shortlist.data.baskets import baskets_of_column, baskets_of_gap
from shortlist.errors import ParameterError
from shortlist.models.stage import Stage
from shortlist.parameters import number, one_of, text, whole
from shortlist.retrieval.co_occurrence import Together, incidence, lists_after, propose_after
from shortlist.retrieval.ranked_lists import RankedLists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.stages import Candidates, Request

Within = Literal["session", "user"]


class BoughtTogether(Stage):
    """For each of the user's last `recent` positive items, proposes the `per_item` that share most baskets with it.

    A basket is made of positive events of one user:

    - column: those with one value of this column of the events (an invoice); None: by `within`
    - within: "session", those that follow one another with at most `gap_minutes` between; "user", all of them
    - measure of the c_ij baskets with both, of the n_i and n_j with each, of N: "cosine" c_ij / √(n_i n_j),
      "conditional" c_ij / n_i, "lift" c_ij N / (n_i n_j); times c_ij / (c_ij + `shrinkage`), so that a few baskets
      prove little
    - n_neighbors: how many each item's list holds, of which the first permitted ones are proposed

    An item of several lists counts once, its anchor the item that gives it the largest score, then the most recent.
    Everything personal is of the request's history, so it serves people who are not in the data.
    Raises `DataError` for a `column` that the events do not have, and for a gap where they have no times.
    Cost: the pairs of items in each basket at most, to fit; O(recent · per_item) a user; memory n_items · n_neighbors.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("list_ptr_", "list_item_", "list_score_")

    list_ptr_: NDArray[np.int64]
    list_item_: NDArray[np.int32]
    list_score_: NDArray[np.float32]

    def __init__(
        self,
        column: str | None = None,
        within: Within = "session",
        gap_minutes: float = 60.0,
        recent: int = 10,
        per_item: int = 10,
        measure: Together = "cosine",
        shrinkage: float = 5.0,
        n_neighbors: int = 100,
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.column = None if column is None else text("column", column)
        self.within = one_of("within", within, Within)
        self.gap_minutes = number("gap_minutes", gap_minutes)
        self.recent = whole("recent", recent, least=1)
        self.per_item = whole("per_item", per_item, least=1)
        self.measure = one_of("measure", measure, Together)
        self.shrinkage = number("shrinkage", shrinkage)
        self.n_neighbors = whole("n_neighbors", n_neighbors, least=1)
        if self.n_neighbors < self.per_item:
            raise ParameterError(
                f"n_neighbors={n_neighbors} is below per_item={per_item}: lists must hold what is proposed of them"
            )

    def _prepare(self, dataset: Dataset) -> None:
        log = dataset.interactions.where(dataset.interactions.positive)
        basket = self._baskets(log)
        inside = basket >= 0
        rows = incidence(log.item_idx[inside], basket[inside], log.n_items, int(basket.max(initial=-1)) + 1)
        lists = lists_after(rows, rows, self.n_neighbors, self.measure, self.shrinkage)
        self.list_ptr_, self.list_item_, self.list_score_ = lists.ptr, lists.item_idx, lists.score

    def _baskets(self, log: Interactions) -> NDArray[np.int64]:
        if self.column is not None:
            return baskets_of_column(log, self.column, self.name)
        if self.within == "user":
            return log.user_idx.astype(np.int64)
        return baskets_of_gap(log, self.gap_minutes, self.name)

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first, each with its anchor."""
        lists = RankedLists(self.list_ptr_, self.list_item_, self.list_score_)
        return propose_after(lists, request, self.recent, self.per_item, self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item; every proposal has an anchor, which says more."""
        return "often chosen together with what you chose"
