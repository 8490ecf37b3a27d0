"""AgeLimit: items for people of some age."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.audit_frame import MISSING, Refusals
from shortlist.data.feature_arrays import numbers, numbers_of_request
from shortlist.eligibility.class_masks import ClassMasks
from shortlist.eligibility.label_masks import MOST_MASKS
from shortlist.errors import DataError, ParameterError
from shortlist.models.stage import Stage
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import Request

UNKNOWN_AGE = -1


@final
class AgeLimit(Stage):
    """Forbids items to users below their minimum age, or above their maximum. A safety rule: what is missing denies.

    - minimum: the numeric item feature with the least age; 0 is for everybody. An item without one is refused to all,
      and stands in `Pipeline.audit()`
    - maximum: that with the largest age, or None; an item without one has no such limit
    - user_column: the numeric user feature with the age. Who has none (or one below 0) is shown nothing but items for
      every age

    An item whose minimum is above its maximum is refused when the pipeline is fitted. Of people who are not in the
    data, `Request.features` says the age. Users between two neighbouring limits share one mask.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("ages_", "limits_", "lowest_", "highest_")
    BY_USER: ClassVar[tuple[str, ...]] = ("ages_",)

    ages_: NDArray[np.float64]
    limits_: NDArray[np.float64]
    lowest_: NDArray[np.int32]
    highest_: NDArray[np.int32]

    def __init__(
        self,
        minimum: str = "minimum_age",
        maximum: str | None = None,
        user_column: str = "age",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        if minimum == maximum:
            raise ParameterError(f"AgeLimit: {minimum!r} cannot hold both the minimum and the maximum age")
        self.minimum, self.maximum, self.user_column = minimum, maximum, user_column
        self._masks: dict[int, NDArray[np.bool_]] = {}

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return (self.minimum,) if self.maximum is None else (self.minimum, self.maximum)

    def _prepare(self, dataset: Dataset) -> None:
        self.ages_ = numbers(dataset.user_features, "user", self.user_column, self.name)
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        minimum = numbers(table, "item", self.minimum, self.name)
        maximum = np.full(len(items), np.nan)
        if self.maximum is not None:
            maximum = numbers(table, "item", self.maximum, self.name)
        self._refuse_reversed(minimum, maximum, items)
        above = np.nextafter(maximum, np.inf)  # the least age that is too old
        self.limits_ = np.unique(np.concatenate([minimum[minimum > 0], above[~np.isnan(above)]]))
        # An age is of class c where c limits are not above it: it may see what begins at most there and ends later.
        self.lowest_ = np.searchsorted(self.limits_, minimum, side="right").astype(np.int32)
        self.highest_ = np.searchsorted(self.limits_, above, side="right").astype(np.int32)
        self.lowest_[np.isnan(minimum)] = self.limits_.size + 1
        self.highest_[np.isnan(above)] = self.limits_.size + 1
        self._masks = {}

    def _refuse_reversed(
        self, minimum: NDArray[np.float64], maximum: NDArray[np.float64], items: Vocabulary
    ) -> None:
        wrong = np.flatnonzero(minimum > maximum)
        if wrong.size:
            at = int(wrong[0])
            raise DataError(
                f"{self.name}: item {items.ids[at]!r} (row {at}) is for ages from {minimum[at]:g} ({self.minimum}) to "
                f"{maximum[at]:g} ({self.maximum}); {wrong.size} such items in all"
            )

    def forbids(self, request: Request) -> Forbidden:
        """Return, for the users of each class of ages, the items that are not for them."""
        age = numbers_of_request(self.user_column, self.ages_, request)
        known = age >= 0
        of_age = np.where(known, np.searchsorted(self.limits_, age, side="right"), UNKNOWN_AGE)
        classes, user_class = np.unique(of_age, return_inverse=True)
        return Forbidden(
            user_class=user_class.astype(np.int32),
            by_class=ClassMasks(lambda c: self._outside(int(classes[c]))),
        )

    def _outside(self, of_age: int) -> NDArray[np.bool_]:
        """Return bool[n_items]: what is not for people of a class of ages; the masks made last are kept."""
        mask = self._masks.get(of_age)
        if mask is None:
            mask = self._made_outside(of_age)
            kept = self._masks if len(self._masks) < MOST_MASKS else {}
            self._masks = kept | {of_age: mask}  # a new one, since other threads may be reading the old
        return mask

    def _made_outside(self, of_age: int) -> NDArray[np.bool_]:
        if of_age == UNKNOWN_AGE:
            return (self.lowest_ > 0) | (self.highest_ <= self.limits_.size)
        return (self.lowest_ > of_age) | (self.highest_ <= of_age)

    def refusals(self) -> Refusals:
        """Return the items without a minimum age, which nobody may be shown."""
        refused = np.flatnonzero(self.lowest_ > self.limits_.size).astype(np.int32)
        return Refusals(refused, [self.minimum] * refused.size, [MISSING] * refused.size)
