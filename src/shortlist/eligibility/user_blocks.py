"""UserBlocks: what a user wants to see nothing of, a maker or a category, say."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from shortlist.data.id_lists import OnUnknownId, paired_ids, positions
from shortlist.data.row_labels import RowLabels
from shortlist.eligibility.class_masks import denied
from shortlist.eligibility.kept_labels import fitted_names, keep, kept
from shortlist.eligibility.label_masks import LabelMasks
from shortlist.eligibility.label_sets import UserLabelSets
from shortlist.eligibility.pairs import pairs_by_user
from shortlist.models.stage import Stage
from shortlist.parameters import one_of

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.id_lists import GivenPairs
    from shortlist.data.removal import Removal
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import Forbidden, Request


@final
class UserBlocks(Stage):
    """Forbids to single users all items that have a value they blocked in the item feature `column`.

    - blocks: user → values; or pairs (user, value); or a table with the columns user_id and `column`, or its path,
      which is read at once
    - column: a categorical or tags feature: the maker, the categories. A value that no item has blocks nothing
    - on_unknown: "raise" for users that are not in the data, who may be misspelled, or "skip" them

    An item whose value is not known is not blocked. Who is asked for without being in the data has no id, so nothing is
    blocked for them; `DenyCategory(user_column=)` goes by what a request says of such people.
    """

    FITTED: ClassVar[tuple[str, ...]] = (*fitted_names("item"), *fitted_names("user"))
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (fitted_names("user")[1:],)

    item_labels_: list[str]
    user_labels_: list[str]

    def __init__(
        self,
        blocks: GivenPairs,
        column: str,
        on_unknown: OnUnknownId = "raise",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.column = column
        self.blocks = paired_ids(blocks, "UserBlocks(blocks=…)", column)
        self.on_unknown: OnUnknownId = one_of("on_unknown", on_unknown, OnUnknownId)

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return (self.column,)

    def _prepare(self, dataset: Dataset) -> None:
        values = [str(value) for _, value in self.blocks]
        labels = sorted(set(values))
        place = {label: at for at, label in enumerate(labels)}
        user = positions((u for u, _ in self.blocks), dataset.users, "user", self.on_unknown, self.name)
        code = np.array([place[value] for value in values], np.int32)
        keep(self, "user", RowLabels("", labels, *pairs_by_user(user, code, len(dataset.users))))
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, _items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        keep(self, "item", RowLabels.of_table(table, "item", self.column, self.name))
        self.__dict__.pop("_masks", None)
        self.__dict__.pop("_users", None)

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return what is fitted without what removed users blocked, also where nobody else did."""
        left = super()._without_users(removal, fitted)
        codes, place = np.unique(left["user_code_"], return_inverse=True)
        labels = [self.user_labels_[code] for code in codes.tolist()]
        return left | {"user_labels_": labels, "user_code_": place.astype(np.int32)}

    def _params_without_users(self, removal: Removal) -> dict[str, Any]:
        """Return the parameters without the blocks of removed users."""
        return self.params() | {"blocks": [pair for pair in self.blocks if pair[0] not in removal.ids]}

    @cached_property
    def _masks(self) -> LabelMasks:
        return LabelMasks(kept(self, "item", self.column))

    @cached_property
    def _users(self) -> UserLabelSets:
        return UserLabelSets(kept(self, "user", ""), self.item_labels_)

    def forbids(self, request: Request) -> Forbidden:
        """Return what the users of the request blocked."""
        user_class, sets = self._users.of(request)
        return denied(user_class, sets, self._masks)
