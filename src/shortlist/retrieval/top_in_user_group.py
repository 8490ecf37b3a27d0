"""TopInUserGroup: what is popular among people of the user's country, or of any other user feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shortlist.data.recommendations import FEWEST_NAMED
from shortlist.data.row_labels import RowLabels
from shortlist.models.score_rows import positive_items
from shortlist.models.stage import Stage
from shortlist.parameters import number, text, whole
from shortlist.retrieval.ranked_lists import RankedLists, best_first
from shortlist.stages import Candidates, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.removal import Removal
    from shortlist.stages import Request


class TopInUserGroup(Stage):
    """Proposes the `k` items most popular among the people who share the user's label in a user feature.

    - column: a categorical or tags user feature (country, age group, interests); of several labels each gives k, the
      first in the order of their texts first, and no item twice
    - shrinkage λ >= 0, in people: an item scores (n_gi + λ p_i) / (n_g + λ), where n_gi of the group's n_g people like
      it, and p_i is the share of all people with a positive event that do. Of few people each says less

    Who is not in the data is served by `request.features`; a label that nobody in the data has is unknown, and gives
    nothing. Listed for a group is what somebody of it likes. Forbidden items are left out of the search: a group gives
    fewer than k only where it has no more.
    Cost: O(k) a user and label; memory: one entry for each group and item liked in it.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "labels_",
        "label_ptr_",
        "label_code_",
        "list_ptr_",
        "list_item_",
        "list_score_",
    )
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (("label_ptr_", "label_code_"),)

    labels_: list[str]
    label_ptr_: NDArray[np.int64]
    label_code_: NDArray[np.int32]
    list_ptr_: NDArray[np.int64]
    list_item_: NDArray[np.int32]
    list_score_: NDArray[np.float32]

    def __init__(self, column: str, k: int = 20, shrinkage: float = 10.0, name: str | None = None) -> None:
        self._set(None, name)
        self.column = text("column", column)
        self.k = whole("k", k, least=1)
        self.shrinkage = number("shrinkage", shrinkage)

    def _prepare(self, dataset: Dataset) -> None:
        labels = RowLabels.of(dataset, "user", self.column, self.name)
        lists = self._lists(dataset, labels)
        self.labels_, self.label_ptr_, self.label_code_ = list(labels.labels), labels.ptr, labels.code
        self.list_ptr_, self.list_item_, self.list_score_ = lists.ptr, lists.item_idx, lists.score

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return what is fitted without removed users, and without the lists of labels that nobody else has."""
        left = super()._without_users(removal, fitted)
        return left | self._of_labels(left["label_code_"], 1)

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return what is fitted without the lists of so few people that they are what one of them likes."""
        return fitted | self._of_labels(self.label_code_, FEWEST_NAMED)

    def _of_labels(self, codes: NDArray[np.int32], fewest: int) -> dict[str, NDArray[Any]]:
        """Return the lists of labels, empty where fewer than `fewest` people (in `codes`) have the label."""
        enough = np.bincount(codes, minlength=len(self.labels_)) >= fewest
        kept = np.repeat(enough, np.diff(self.list_ptr_))
        ptr = offsets(np.diff(self.list_ptr_) * enough)
        return {"list_ptr_": ptr, "list_item_": self.list_item_[kept], "list_score_": self.list_score_[kept]}

    def _lists(self, dataset: Dataset, labels: RowLabels) -> RankedLists:
        likes = positive_items(dataset.memory.history, len(dataset.items))
        n_likes = np.diff(likes.indptr)
        active = n_likes > 0
        # The likes of the people behind each label, label by label of each person.
        ptr, person, group = likes.indptr.astype(np.int64), labels.row, labels.code
        length = n_likes[person]
        at = np.arange(length.sum()) + np.repeat(ptr[person] - np.cumsum(length) + length, length)
        n_items = max(len(dataset.items), 1)
        key = np.repeat(group, length).astype(np.int64) * n_items + likes.indices[at]
        key, count = np.unique(key, return_counts=True)
        of_group, item = np.divmod(key, n_items)
        n_people = np.bincount(group[active[person]], minlength=len(labels.labels))
        share = dataset.memory.n_positive / max(int(active.sum()), 1)
        score = (count + self.shrinkage * share[item]) / (n_people[of_group] + self.shrinkage)
        return RankedLists.of(of_group, item, score, len(labels.labels))

    def propose(self, request: Request) -> Candidates:
        """Return the proposals, best first, each with the label that it stands for."""
        labels = RowLabels(self.column, self.labels_, self.label_ptr_, self.label_code_).of_request(request)
        lists = RankedLists(self.list_ptr_, self.list_item_, self.list_score_)
        found = lists.first(labels.ptr, labels.code, self.k, request.eligible)
        ranked, order = best_first(found.row, found.item_idx, found.score, len(request))
        named, reason = np.unique(labels.code[found.asked[order]], return_inverse=True)
        reasons = [f"popular with people of your {self.column}: {self.labels_[g]}" for g in named.tolist()]
        return Candidates.from_lists(ranked, self.name, reason=reason.astype(np.int32), reasons=reasons)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item; every proposal says of which group it is, which is more."""
        return f"popular with people of your {self.column}"
