"""NextItem: what people choose after the items that a person chose last."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.data.baskets import moments
from shortlist.errors import ParameterError
from shortlist.models.stage import Stage
from shortlist.parameters import number, one_of, whole
from shortlist.retrieval.co_occurrence import Together, incidence, lists_after, propose_after
from shortlist.retrieval.ranked_lists import RankedLists

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.stages import Candidates, Request


class NextItem(Stage):
    """For each of the user's last `recent` positive items, proposes the `per_item` that follow it most.

    Item j follows i where a user has a positive event with j at one of the next `window` moments after one with i;
    events at one moment (lines of one invoice) follow what came before together, not one another.

    - measure of the c_ij moments with i that j follows, of the n_i with i that anything follows, of the m_j that j
      follows and the N that anything does: "conditional" c_ij / n_i, "cosine" c_ij / √(n_i m_j), "lift"
      c_ij N / (n_i m_j); times c_ij / (c_ij + `shrinkage`), so that a few moments prove little
    - n_neighbors: how many each item's list holds, of which the first permitted ones are proposed

    An item does not follow itself here; `Again` proposes that. An item of several lists counts once, its anchor the
    item that gives it the largest score, then the most recent. Everything personal is of the request's history, so it
    serves people who are not in the data.
    Raises `DataError` for data without times. Cost: Σ over moments of |items| · |items of the next `window`| at most,
    to fit; O(recent · per_item) a user; memory n_items · n_neighbors.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("list_ptr_", "list_item_", "list_score_")

    list_ptr_: NDArray[np.int64]
    list_item_: NDArray[np.int32]
    list_score_: NDArray[np.float32]

    def __init__(
        self,
        window: int = 3,
        recent: int = 5,
        per_item: int = 20,
        measure: Together = "conditional",
        shrinkage: float = 5.0,
        n_neighbors: int = 100,
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.window = whole("window", window, least=1)
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
        moment, user = moments(log, self.name)
        leads = np.zeros(user.size, bool)
        leads[:-1] = user[1:] == user[:-1]
        first = leads[moment]
        before = incidence(log.item_idx[first], moment[first], log.n_items, user.size)
        after = incidence(*self._followed(log.item_idx, moment, user), log.n_items, user.size)
        lists = lists_after(before, after, self.n_neighbors, self.measure, self.shrinkage)
        self.list_ptr_, self.list_item_, self.list_score_ = lists.ptr, lists.item_idx, lists.score

    def _followed(
        self, item: NDArray[np.int32], moment: NDArray[np.int64], user: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return each item with each of the `window` moments of its user that it follows."""
        items, led_from = [], []
        for step in range(1, self.window + 1):
            earlier = moment - step
            same = (earlier >= 0) & (user[np.maximum(earlier, 0)] == user[moment])
            items.append(item[same])
            led_from.append(earlier[same])
        return np.concatenate(items), np.concatenate(led_from)

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first, each with its anchor."""
        lists = RankedLists(self.list_ptr_, self.list_item_, self.list_score_)
        return propose_after(lists, request, self.recent, self.per_item, self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item; every proposal has an anchor, which says more."""
        return "often chosen after what you chose"
