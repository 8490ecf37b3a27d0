"""Hidden: single items that single users do not want to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

from shortlist.data.id_lists import OnUnknownId, paired_ids, positions
from shortlist.eligibility.pairs import of_users, pairs_by_user
from shortlist.models.stage import Stage
from shortlist.parameters import one_of
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.id_lists import GivenPairs
    from shortlist.data.removal import Removal
    from shortlist.stages import Request


@final
class Hidden(Stage):
    """Forbids single items to single users: what they hid, or returned, or are not to be shown.

    - pairs: user → items; or pairs (user, item); or a table with the columns user_id and item_id, or its path, which is
      read at once
    - on_unknown: "raise" for ids that are not in the data, which may be misspelled, or "skip" them

    Who is asked for without being in the data has no id, so nothing is hidden from them.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("ptr_", "item_idx_")
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (("ptr_", "item_idx_"),)

    ptr_: NDArray[np.int64]
    item_idx_: NDArray[np.int32]

    def __init__(
        self,
        pairs: GivenPairs,
        on_unknown: OnUnknownId = "raise",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.pairs = paired_ids(pairs, "Hidden(pairs=…)", "item_id")
        self.on_unknown: OnUnknownId = one_of("on_unknown", on_unknown, OnUnknownId)

    def _prepare(self, dataset: Dataset) -> None:
        user = positions((u for u, _ in self.pairs), dataset.users, "user", self.on_unknown, self.name)
        item = positions((i for _, i in self.pairs), dataset.items, "item", self.on_unknown, self.name)
        self.ptr_, self.item_idx_ = pairs_by_user(user, item, len(dataset.users))

    def _params_without_users(self, removal: Removal) -> dict[str, Any]:
        """Return the parameters without the pairs of removed users."""
        return self.params() | {"pairs": [pair for pair in self.pairs if pair[0] not in removal.ids]}

    def forbids(self, request: Request) -> Forbidden:
        """Return the hidden pairs of the request's users."""
        row, at = of_users(self.ptr_, request.user_idx)
        return Forbidden(row=row, item_idx=self.item_idx_[at])
