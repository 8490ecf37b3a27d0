"""InCountry: items that may be shown in some countries only."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.row_labels import RowLabels
from shortlist.eligibility.class_masks import ClassMasks
from shortlist.eligibility.kept_labels import fitted_names, keep, kept
from shortlist.eligibility.label_masks import LabelMasks
from shortlist.eligibility.label_sets import UserLabelSets, relabelled
from shortlist.eligibility.missing import Missing
from shortlist.errors import DataError, ParameterError
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
class InCountry(Stage):
    """Forbids items that may not be shown in the user's country.

    - allowed: the item feature (categorical or tags) with the countries an item may be shown in; or None
    - forbidden: that with the countries it may not be shown in; or None, but one of the two is given
    - user_column: the user feature (categorical or tags) with the country
    - missing: whether an item without an allowed country is denied or allowed everywhere. One without a forbidden
      country is forbidden nowhere
    - unknown_user: whether who has no country is denied every item that is not allowed or forbidden everywhere alike,
      or allowed it

    Countries are compared as they are written. Someone with several may be shown what is allowed in one of them and
    forbidden in none. An item that is allowed and forbidden in one country is refused when the pipeline is fitted.
    Of people who are not in the data, `Request.features` says the country.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        *fitted_names("allowed"), *fitted_names("forbidden"), *fitted_names("user")
    )  # fmt: skip
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (fitted_names("user")[1:],)

    allowed_labels_: list[str]

    def __init__(
        self,
        allowed: str | None = "countries",
        forbidden: str | None = None,
        user_column: str = "country",
        missing: Missing = "deny",
        unknown_user: Missing = "deny",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        if allowed is None and forbidden is None:
            raise ParameterError("InCountry needs allowed= or forbidden=, an item feature with countries")
        if allowed == forbidden:
            raise ParameterError(
                f"InCountry: {allowed!r} cannot hold both the allowed and the forbidden countries"
            )
        self.allowed, self.forbidden, self.user_column = allowed, forbidden, user_column
        self.missing: Missing = one_of("missing", missing, Missing)
        self.unknown_user: Missing = one_of("unknown_user", unknown_user, Missing)

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return tuple(column for column in (self.allowed, self.forbidden) if column is not None)

    def _prepare(self, dataset: Dataset) -> None:
        keep(self, "user", RowLabels.of(dataset, "user", self.user_column, self.name))
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        nothing = RowLabels("", [], np.zeros(len(items) + 1, np.int64), np.zeros(0, np.int32))
        allowed, forbidden = (
            nothing if column is None else RowLabels.of_table(table, "item", column, self.name)
            for column in (self.allowed, self.forbidden)
        )
        countries = sorted({*allowed.labels, *forbidden.labels})
        allowed, forbidden = relabelled(allowed, countries), relabelled(forbidden, countries)
        self._refuse_both(allowed, forbidden, items)
        keep(self, "allowed", allowed)
        keep(self, "forbidden", forbidden)
        for name in ("_allowed", "_forbidden", "_users"):
            self.__dict__.pop(name, None)

    def _refuse_both(self, allowed: RowLabels, forbidden: RowLabels, items: Vocabulary) -> None:
        if not allowed.code.size or not forbidden.code.size:
            return
        n = len(allowed.labels)
        both = np.intersect1d(allowed.row * n + allowed.code, forbidden.row * n + forbidden.code)
        if both.size:
            row, code = divmod(int(both[0]), n)
            raise DataError(
                f"{self.name}: item {items.ids[row]!r} is both allowed ({self.allowed}) and forbidden "
                f"({self.forbidden}) in {allowed.labels[code]!r}; {both.size} such pairs in all"
            )

    @cached_property
    def _allowed(self) -> LabelMasks:
        return LabelMasks(kept(self, "allowed", str(self.allowed)))

    @cached_property
    def _forbidden(self) -> LabelMasks:
        return LabelMasks(kept(self, "forbidden", str(self.forbidden)))

    @cached_property
    def _users(self) -> UserLabelSets:
        return UserLabelSets(kept(self, "user", self.user_column), self.allowed_labels_)

    def forbids(self, request: Request) -> Forbidden:
        """Return, for the users of each country, the items that may not be shown there."""
        user_class, sets = self._users.of(request)
        return Forbidden(user_class=user_class, by_class=ClassMasks(lambda c: self._outside(sets[c])))

    def _outside(self, codes: NDArray[np.int32] | None) -> NDArray[np.bool_]:
        """Return bool[n_items]: what may not be shown in the countries `codes`; None is an unknown country."""
        if codes is None:
            return self._to_the_unknown()
        out = self._forbidden.having(codes)
        if self.allowed is None:
            return out
        allowed = self._allowed.having(codes)
        return out | (~allowed if self.missing == "deny" else ~allowed & self._allowed.tagged)

    def _to_the_unknown(self) -> NDArray[np.bool_]:
        unlisted = ~self._allowed.tagged & (self.allowed is not None and self.missing == "deny")
        limited = self._allowed.tagged | self._forbidden.tagged
        return unlisted | limited if self.unknown_user == "deny" else unlisted
