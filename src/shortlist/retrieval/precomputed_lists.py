"""PrecomputedLists: recommendations that were made elsewhere, as one source among others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from shortlist.data.precomputed import precomputed_rows
from shortlist.errors import ParameterError
from shortlist.models.stage import Stage
from shortlist.parameters import whole
from shortlist.retrieval.ranked_lists import RankedLists, one_each
from shortlist.stages import Candidates, Lists

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.tables import Source
    from shortlist.stages import Request


class PrecomputedLists(Stage):
    """Proposes the first `k` permitted items of a list that each user has in a table made elsewhere.

    - lists: a file (CSV, Parquet, JSON Lines) or a frame with user_id, item_id, and rank or score (`precomputed_rows`);
      of people beyond the data nothing is kept
    - default: ids of items, best first, for who has no list there and who is not in the data; None: nothing

    `unknown_` says which ids of the table are not in the data, and a `DataWarning` does when it is fitted. The lists
    are read once and saved with the pipeline. A pipeline that was loaded and is to be fitted again needs the file where
    it was; of a frame nothing but its lists is saved, so that such a pipeline asks for `lists` again.
    Raises what `precomputed_rows` raises, and `UnknownIdError` for an unknown item of `default`.
    Cost: O(k + forbidden items) a user.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("list_ptr_", "list_item_", "list_score_", "unknown_")
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (("list_ptr_", "list_item_", "list_score_"),)

    lists: Any
    list_ptr_: NDArray[np.int64]
    list_item_: NDArray[np.int32]
    list_score_: NDArray[np.float32]
    unknown_: dict[str, Any]

    def __init__(
        self,
        lists: Path | Source | None,
        k: int = 100,
        default: Sequence[int | str] | None = None,
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        # A path as text, which JSON can hold.
        self.lists = os.fspath(lists) if isinstance(lists, os.PathLike) else lists
        self.k = whole("k", k, least=1)
        if isinstance(default, str):
            raise ParameterError(f"default must be a list of ids of items, got {default!r}")
        self.default = None if default is None else list(default)

    def _prepare(self, dataset: Dataset) -> None:
        if self.lists is None:
            raise ParameterError(
                f"{self.name} was loaded without the frame that its lists were made of: give lists= to fit it again"
            )
        found = precomputed_rows(self.lists, dataset.users, dataset.items, self.name)
        last = self._default(dataset)
        self.list_ptr_ = np.append(found.ptr, found.ptr[-1] + last.size)
        self.list_item_ = np.concatenate([found.item_idx, last]).astype(np.int32)
        place = np.arange(1, last.size + 1)
        self.list_score_ = np.concatenate([found.score, 1 / place]).astype(np.float32)
        self.unknown_ = found.unknown
        # What has been read is all that is needed, and no frame can be saved.
        self.lists = self.lists if isinstance(self.lists, str) else None

    def _default(self, dataset: Dataset) -> NDArray[np.int32]:
        if not self.default:
            return np.zeros(0, np.int32)
        index = dataset.items.require(self.default, "item")
        if np.unique(index).size < index.size:
            raise ParameterError(f"{self.name}: an item is twice in default={self.default!r}")
        return index

    def propose(self, request: Request) -> Candidates:
        """Return the proposals in the order of the lists."""
        default = self.list_ptr_.size - 2
        known = request.user_idx >= 0
        own = np.where(known, request.user_idx, default)
        has = self.list_ptr_[own + 1] > self.list_ptr_[own]
        lists = RankedLists(self.list_ptr_, self.list_item_, self.list_score_)
        found = lists.first(*one_each(np.where(has, own, default)), self.k, request.eligible)
        ranked = Lists(found.ptr(len(request)), found.item_idx, found.score)
        return Candidates.from_lists(ranked, self.name)

    def explain(self, n_liked: int) -> str:
        """Return why a person is shown such an item."""
        return "chosen for you"
