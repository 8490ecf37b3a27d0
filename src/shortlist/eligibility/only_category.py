"""OnlyCategory: only items of some categories are shown, the same to all or by what is known of the user."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.id_lists import OnUnknownId
from shortlist.data.row_labels import RowLabels
from shortlist.eligibility.categories import codes_of, one_choice, require_values, users_by
from shortlist.eligibility.class_masks import ClassMasks
from shortlist.eligibility.kept_labels import fitted_names, keep, kept
from shortlist.eligibility.label_masks import LabelMasks
from shortlist.eligibility.label_sets import UserLabelSets
from shortlist.eligibility.missing import Missing
from shortlist.models.stage import Stage
from shortlist.parameters import one_of
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import Request


@final
class OnlyCategory(Stage):
    """Forbids items that have none of the allowed values in the item feature `column`, categorical or tags.

    - values: the allowed ones, for everybody; or user_column: the user feature (categorical or tags) with each user's
    - missing: whether items of which no value is known are denied or allowed
    - unknown_user: with user_column, whether who has no value there is denied everything or allowed everything
    - on_unknown: "raise" for values that no item has, which may be misspelled, or "skip" them

    Of people who are not in the data, `Request.features` says the value.
    """

    FITTED: ClassVar[tuple[str, ...]] = (*fitted_names("item"), *fitted_names("user"))
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (fitted_names("user")[1:],)

    item_labels_: list[str]

    def __init__(
        self,
        column: str,
        values: Sequence[str] | None = None,
        user_column: str | None = None,
        missing: Missing = "deny",
        unknown_user: Missing = "deny",
        on_unknown: OnUnknownId = "raise",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.column = column
        self.values, self.user_column = one_choice("OnlyCategory", values, user_column)
        self.missing: Missing = one_of("missing", missing, Missing)
        self.unknown_user: Missing = one_of("unknown_user", unknown_user, Missing)
        self.on_unknown: OnUnknownId = one_of("on_unknown", on_unknown, OnUnknownId)

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return (self.column,)

    def _prepare(self, dataset: Dataset) -> None:
        keep(self, "user", users_by(dataset, self.user_column, self.name))
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, _items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        items = RowLabels.of_table(table, "item", self.column, self.name)
        require_values(self.values, items.labels, self.column, self.on_unknown, self.name)
        keep(self, "item", items)
        self.__dict__.pop("_masks", None)
        self.__dict__.pop("_users", None)

    @cached_property
    def _masks(self) -> LabelMasks:
        return LabelMasks(kept(self, "item", self.column))

    @cached_property
    def _users(self) -> UserLabelSets:
        return UserLabelSets(kept(self, "user", str(self.user_column)), self.item_labels_)

    @cached_property
    def _everything(self) -> NDArray[np.bool_]:
        return np.ones(self._masks.tagged.size, bool)

    def forbids(self, request: Request) -> Forbidden:
        """Return the items of other categories."""
        if self.values is not None:
            return Forbidden(to_all=self._others(codes_of(self.values, self.item_labels_)))
        user_class, sets = self._users.of(request)
        return Forbidden(user_class=user_class, by_class=ClassMasks(lambda c: self._others(sets[c])))

    def _others(self, codes: NDArray[np.int32] | None) -> NDArray[np.bool_]:
        """Return bool[n_items]: those that have none of the labels `codes`; None is an unknown user."""
        if codes is None:
            return self._everything if self.unknown_user == "deny" else ~self._everything
        has = self._masks.having(codes)
        return ~has if self.missing == "deny" else ~has & self._masks.tagged
