"""ContentPolicy: what is refused whoever asks and whatever is paid for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.audit_frame import MISSING, Refusals
from shortlist.data.feature_arrays import is_missing, kind_of, numbers
from shortlist.data.row_labels import RowLabels
from shortlist.errors import ParameterError
from shortlist.models.stage import Stage
from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.stages import Request

REFUSED = (
    "hate",
    "hate speech",
    "hateful",
    "fraud",
    "fraudulent",
    "scam",
    "violence",
    "violent",
    "exploitation",
    "exploitative",
)
"""The flags that are refused unless others are named."""


@final
class ContentPolicy(Stage):
    """Forbids items by the flags that a review gave them and by who makes them: a safety rule, before any score or bid.

    - flags: the item features that hold flags. A categorical or tags feature refuses an item whose text is among
      `refused`, with no regard to case, and to `_` or `-` for a space; of a numeric one every value but 0 does
    - refused: the flags that refuse
    - maker: the item feature (categorical or tags) with the maker, seller or advertiser; refused_makers: those of whom
      nothing is shown, compared in the same way

    What is missing denies: an item without a value in one of these columns is refused. So reviewed items need a word,
    such as "ok", or an empty list of tags, which says that there are no flags.
    `Pipeline.audit()` lists what is refused, and why.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("forbidden_", "cause_", "causes_")

    forbidden_: NDArray[np.bool_]
    cause_: NDArray[np.int32]  # of each refused item, ascending: the position in causes_
    causes_: list[list[str]]  # [column, value]

    def __init__(
        self,
        flags: Sequence[str] = ("flags",),
        refused: Sequence[str] = REFUSED,
        maker: str | None = None,
        refused_makers: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        self.flags = _texts("flags", flags)
        self.refused = _texts("refused", refused)
        self.maker = maker
        self.refused_makers = _texts("refused_makers", refused_makers)
        if not flags and maker is None:
            raise ParameterError("ContentPolicy refuses nothing: give flags=, or maker= and refused_makers=")
        if bool(self.refused_makers) != (maker is not None):
            raise ParameterError("ContentPolicy needs maker=, the item feature, and refused_makers= together")
        if maker in self.flags:
            raise ParameterError(f"ContentPolicy: {maker!r} cannot hold both flags and the maker")

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return tuple(self.flags) if self.maker is None else (*self.flags, self.maker)

    def _prepare(self, dataset: Dataset) -> None:
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        cause = np.full(len(items), -1, np.int32)
        causes: list[list[str]] = []
        for column in self.item_columns:
            words = self.refused_makers if column == self.maker else self.refused
            of_column, values = self._causes(table, column, words)
            first = (cause < 0) & (of_column >= 0)  # the first column that refuses an item is named
            cause[first] = of_column[first] + len(causes)
            causes += [[column, value] for value in values]
        self.forbidden_ = cause >= 0
        self.cause_, self.causes_ = cause[self.forbidden_], causes

    def _causes(
        self, table: FeatureTable | None, column: str, words: Sequence[str]
    ) -> tuple[NDArray[np.int32], list[str]]:
        """Return int32[n_items], the position of what refuses each item among the values beside it, −1 for nothing."""
        numeric = () if column == self.maker else ("numeric",)
        kind = kind_of(table, "item", column, ("categorical", "tags", *numeric), self.name)
        assert table is not None
        if kind == "numeric":
            flagged, values = _flagged_by_number(numbers(table, "item", column, self.name))
        else:
            flagged, values = _flagged_by_word(RowLabels.of_table(table, "item", column, self.name), words)
        flagged[is_missing(table, column)] = len(values)
        return flagged, [*values, MISSING]

    def forbids(self, request: Request) -> Forbidden:
        """Return what the policy refuses."""
        return Forbidden(to_all=self.forbidden_)

    def refusals(self) -> Refusals:
        """Return what the policy refuses, with the first column and value that do."""
        found = [self.causes_[cause] for cause in self.cause_.tolist()]
        return Refusals(
            np.flatnonzero(self.forbidden_).astype(np.int32),
            [column for column, _ in found],
            [value for _, value in found],
        )


def plain_word(word: str) -> str:
    """Return a word as it is compared.

    >>> plain_word(" Hate_Speech")
    'hate speech'
    """
    return " ".join(re.split(r"[\s_-]+", word.casefold())).strip()


def _texts(name: str, words: Sequence[str]) -> list[str]:
    given: Sequence[object] = words
    if isinstance(words, str) or not all(isinstance(word, str) and word.strip() for word in given):
        raise ParameterError(f"ContentPolicy: {name} must be a list of texts, got {words!r}")
    return list(words)


def _flagged_by_number(value: NDArray[np.float64]) -> tuple[NDArray[np.int32], list[str]]:
    values = np.unique(value[(value != 0) & ~np.isnan(value)])
    at = np.searchsorted(values, value).astype(np.int32)
    return np.where(np.isin(value, values), at, -1).astype(np.int32), [f"{v:g}" for v in values.tolist()]


def _flagged_by_word(rows: RowLabels, words: Sequence[str]) -> tuple[NDArray[np.int32], list[str]]:
    wanted = {plain_word(word) for word in words}
    refused = np.array([plain_word(label) in wanted for label in rows.labels], bool)
    flagged = np.full(len(rows), -1, np.int32)
    bad = np.flatnonzero(refused[rows.code]) if rows.code.size else np.zeros(0, np.int64)
    row, first = np.unique(rows.row[bad], return_index=True)
    flagged[row] = rows.code[bad[first]]
    return flagged, list(rows.labels)
