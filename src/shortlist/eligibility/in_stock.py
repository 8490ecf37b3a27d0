"""InStock: what is sold out is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.feature_arrays import is_missing, kind_of, numbers
from shortlist.data.row_labels import RowLabels
from shortlist.eligibility.missing import Missing
from shortlist.errors import DataError, ParameterError
from shortlist.models.stage import Stage
from shortlist.parameters import number, one_of
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import Request


@final
class InStock(Stage):
    """Forbids items whose stock, the item feature `column`, is below `least`, or is none of `words`.

    - column: a numeric feature (pieces in stock); or a categorical one, of which `words` are those that mean in stock,
      written exactly as in the data
    - missing: whether an item whose stock is not known is denied or allowed

    `Pipeline.with_items` takes a newer stock without another fit.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("forbidden_",)

    forbidden_: NDArray[np.bool_]

    def __init__(
        self,
        column: str = "stock",
        least: float = 1.0,
        words: Sequence[str] | None = None,
        missing: Missing = "deny",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.column = column
        self.least = number("least", least)
        if words is not None and (isinstance(words, str) or not words):
            raise ParameterError(
                f"words must be a list of at least one word that means in stock, got {words!r}"
            )
        self.words = None if words is None else list(words)
        self.missing: Missing = one_of("missing", missing, Missing)

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return (self.column,)

    def _prepare(self, dataset: Dataset) -> None:
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, _items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        kind = kind_of(table, "item", self.column, ("numeric", "categorical"), self.name)
        assert table is not None
        if (kind == "categorical") != (self.words is not None):
            raise DataError(f"{self.name}: {self.column!r} is {kind}, " + _needs(kind))
        in_stock = (
            self._by_words(table)
            if self.words
            else numbers(table, "item", self.column, self.name) >= self.least
        )
        unknown = is_missing(table, self.column)
        self.forbidden_ = np.where(unknown, self.missing == "deny", ~in_stock)

    def _by_words(self, table: FeatureTable) -> NDArray[np.bool_]:
        labels = RowLabels.of_table(table, "item", self.column, self.name)
        good = np.array([label in (self.words or ()) for label in labels.labels] + [False])
        in_stock: NDArray[np.bool_] = good[labels.first]  # −1, no label, is the last
        return in_stock

    def forbids(self, request: Request) -> Forbidden:
        """Return the items that are sold out."""
        return Forbidden(to_all=self.forbidden_)


def _needs(kind: str) -> str:
    if kind == "categorical":
        return 'so words= must say which of its words mean in stock, such as words=["yes"]'
    return "so words= has no meaning: leave it out, and give the least number of pieces as least="
