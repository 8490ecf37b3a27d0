"""AllowList: only these items may be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.id_lists import OnUnknownId, listed_ids, positions
from shortlist.models.stage import Stage
from shortlist.parameters import one_of
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.id_lists import GivenIds
    from shortlist.stages import Request


@final
class AllowList(Stage):
    """Forbids every item that is not listed. An empty list allows nothing.

    - items: ids; or a table of one column (or one called item_id), or its path, which is read at once
    - on_unknown: "raise" for ids that are not in the data, which may be misspelled, or "skip" them
    """

    FITTED: ClassVar[tuple[str, ...]] = ("forbidden_",)

    forbidden_: NDArray[np.bool_]

    def __init__(
        self,
        items: GivenIds,
        on_unknown: OnUnknownId = "raise",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.items = listed_ids(items, "AllowList(items=…)")
        self.on_unknown: OnUnknownId = one_of("on_unknown", on_unknown, OnUnknownId)

    def _prepare(self, dataset: Dataset) -> None:
        listed = positions(self.items, dataset.items, "item", self.on_unknown, self.name)
        self.forbidden_ = np.ones(len(dataset.items), bool)
        self.forbidden_[listed[listed >= 0]] = False

    def forbids(self, request: Request) -> Forbidden:
        """Return all items but the listed ones."""
        return Forbidden(to_all=self.forbidden_)
