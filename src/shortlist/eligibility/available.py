"""Available: items are shown from one moment, until another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from shortlist.data.feature_arrays import NEVER, moments, times
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

ALWAYS = np.iinfo(np.int64).min


@final
class Available(Stage):
    """Forbids items before the moment in the item feature `start`, and from that in `end` on.

    - start, end: time features; None leaves that side open, and one of them is given
    - missing: "allow" takes a missing moment for no limit on that side; "deny" forbids an item that lacks one

    The moment of a request is `recommend(at=)`, or that of the last event of the data. An item whose end lies before
    its start is refused when the pipeline is fitted. The mask is made anew only when a start or an end lies between the
    moments of two requests.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("start_", "end_", "turns_")

    start_: NDArray[np.int64]
    end_: NDArray[np.int64]
    turns_: NDArray[np.int64]  # the moments at which what is available changes, ascending

    def __init__(
        self,
        start: str | None = "available_from",
        end: str | None = "available_until",
        missing: Missing = "allow",
        name: str | None = None,
    ) -> None:
        self._set(None, name)
        if start is None and end is None:
            raise ParameterError("Available needs start= or end=, the name of a time feature of items")
        if start == end:
            raise ParameterError(
                f"Available: start and end are one column, {start!r}; an item would never be shown"
            )
        self.start, self.end = start, end
        self.missing: Missing = one_of("missing", missing, Missing)
        self._latest: tuple[int, NDArray[np.bool_]] | None = None

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Return the item features that the rule goes by."""
        return tuple(column for column in (self.start, self.end) if column is not None)

    def _prepare(self, dataset: Dataset) -> None:
        self.prepare_items(dataset.items, dataset.item_features)

    def prepare_items(self, items: Vocabulary, table: FeatureTable | None) -> None:
        """Derive what goes by item features from `table`, a row for each item."""
        start, end = (
            np.full(len(items), NEVER) if column is None else times(table, "item", column, self.name)
            for column in (self.start, self.end)
        )
        self._refuse_reversed(start, end, items)
        no_start, no_end = start == NEVER, end == NEVER
        closed = np.zeros(len(items), bool)
        if self.missing == "deny":
            closed = (no_start & (self.start is not None)) | (no_end & (self.end is not None))
        self.start_ = np.where(closed, NEVER, np.where(no_start, ALWAYS, start))
        self.end_ = end
        self.turns_ = np.unique(np.concatenate([start, end]))
        self._latest = None

    def _refuse_reversed(self, start: NDArray[np.int64], end: NDArray[np.int64], items: Vocabulary) -> None:
        wrong = np.flatnonzero((start != NEVER) & (start > end))
        if wrong.size:
            at = int(wrong[0])
            begins, ends = moments([int(start[at]), int(end[at])])
            raise DataError(
                f"{self.name}: item {items.ids[at]!r} (row {at}) is available from {begins} ({self.start}) until "
                f"{ends} ({self.end}), which is earlier; {wrong.size} such items in all"
            )

    def forbids(self, request: Request) -> Forbidden:
        """Return the items that are not available at the moment of the request.

        Raises `ParameterError` where that is not known: the data have no times, and the caller gave no `at=`.
        """
        if request.now is None:
            raise ParameterError(f"{self.name} goes by the time, and these data have none: give at=")
        turn = int(np.searchsorted(self.turns_, request.now, side="right"))
        latest = self._latest  # read once: another thread may replace it
        if latest is None or latest[0] != turn:
            latest = turn, (request.now < self.start_) | (request.now >= self.end_)
            self._latest = latest
        return Forbidden(to_all=latest[1])
