"""TopInGroup: what is popular in the groups of items that a person likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.models.past_items import not_after, past_items
from shortlist.models.stage import Stage
from shortlist.parameters import number, text, whole
from shortlist.retrieval.ranked_lists import RankedLists, best_first
from shortlist.stages import Candidates, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.stages import Request


class TopInGroup(Stage):
    """For the user's top `groups` labels of an item feature, proposes the `k` most popular items of each.

    - column: a tags or categorical item feature (genres, maker, category)
    - groups: how many labels g, by their share P(g | u) of the user's past: each positive item counts once for each of
      its labels (as often as it was chosen, where it was chosen at several moments); ties by the label's text
    - k: items a group, by how many people like them; an item of several groups stands for the first of them, and the
      others go on to their next
    - half_life_days: what was chosen so long before now counts half; None: all of it alike

    Scores are P(g | u) P(i | g), the chance that somebody who picks a label as this user does, then an item of it as
    everybody does, picks this one. Everything personal is of the request's history, so it serves people who are not
    in the data. Items that nobody likes are in no group. Forbidden items are left out of the search: a group gives
    fewer than k only where it has no more.
    Cost: O(labels of the past + groups · k) a user; memory: one entry for each item and label.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "labels_",
        "label_ptr_",
        "label_code_",
        "list_ptr_",
        "list_item_",
        "list_share_",
    )

    labels_: list[str]
    label_ptr_: NDArray[np.int64]
    label_code_: NDArray[np.int32]
    list_ptr_: NDArray[np.int64]
    list_item_: NDArray[np.int32]
    list_share_: NDArray[np.float32]

    def __init__(
        self,
        column: str,
        groups: int = 3,
        k: int = 10,
        half_life_days: float | None = None,
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.column = text("column", column)
        self.groups = whole("groups", groups, least=1)
        self.k = whole("k", k, least=1)
        self.half_life_days = (
            None if half_life_days is None else number("half_life_days", half_life_days, above_zero=True)
        )

    def _prepare(self, dataset: Dataset) -> None:
        labels = RowLabels.of(dataset, "item", self.column, self.name)
        liked_by = dataset.memory.n_positive
        liked = liked_by[labels.row] > 0
        group, item = labels.code[liked], labels.row[liked]
        total = np.bincount(group, liked_by[item], minlength=len(labels.labels))
        lists = RankedLists.of(group, item, liked_by[item] / total[group], len(labels.labels))
        self.labels_, self.label_ptr_, self.label_code_ = list(labels.labels), labels.ptr, labels.code
        self.list_ptr_, self.list_item_, self.list_share_ = lists.ptr, lists.item_idx, lists.score

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first, each with the group that it stands for."""
        row, group, share = self._top_groups(request)
        lists = RankedLists(self.list_ptr_, self.list_item_, self.list_share_)
        ptr = offsets(np.bincount(row, minlength=len(request)))
        found = lists.first(ptr, group, self.k, request.eligible)
        score = (share[found.asked] * found.score).astype(np.float32)
        ranked, order = best_first(found.row, found.item_idx, score, len(request))
        named, reason = np.unique(group[found.asked[order]], return_inverse=True)
        reasons = [f"popular in {self.labels_[g]}, which you like" for g in named.tolist()]
        return Candidates.from_lists(ranked, self.name, reason=reason.astype(np.int32), reasons=reasons)

    def _top_groups(
        self, request: Request
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        """Return (row, label, share of the row's past) of each row's top labels, largest share first."""
        past = past_items(not_after(request.history, request.now), self.half_life_days, request.now)
        labels = RowLabels(self.column, self.labels_, self.label_ptr_, self.label_code_).take(past.item_idx)
        n = max(len(self.labels_), 1)
        key, at = np.unique(past.row[labels.row] * n + labels.code, return_inverse=True)
        weight = np.bincount(at, past.weight[labels.row], minlength=key.size)
        row, group = np.divmod(key, n)
        total = np.bincount(row, weight, minlength=len(request))[row]
        share = weight / np.where(total > 0, total, 1.0)  # a past so old that it weighs nothing
        order = np.lexsort((group, -share, row))
        row, group, share = row[order], group[order].astype(np.int32), share[order]
        rank = np.arange(row.size) - offsets(np.bincount(row, minlength=len(request)))[row]
        top = rank < self.groups
        return row[top], group[top], share[top]

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item; every proposal says of which group it is, which is more."""
        return f"popular in a {self.column} that you like"
