"""PopularHistory: which of the most popular items somebody has had, as a multi-hot row for each event or each user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import sparse

from shortlist.data.event_sums import Runs, folds, require_times
from shortlist.data.ordering import stable_order_of_positions
from shortlist.parameters import whole
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class PopularHistory:
    """Multi-hot rows over the `n_items` items of the most events: 1 for each that the row's user had.

    Rows are made when they are asked for, since all of them together can be large: an event of somebody with a
    thousand others has up to a thousand entries.

    - items int32[n]: the positions of the items, most events first, ties by position. They are chosen by all events,
      as the values of a category are; what is in a row is not
    - column int32[e]: of each event with one of these items its column; events are ordered by user and then by fold,
      or by time
    - spans int64[rows, 2, 2]: which two stretches [begin, end) of these events count for each row
    """

    items: NDArray[np.int32]
    column: NDArray[np.int32]
    spans: NDArray[np.int64]

    @classmethod
    def out_of_fold(
        cls,
        dataset: Dataset,
        n_items: int = 1000,
        *,
        n_folds: int = 5,
        rng: np.random.Generator | int | None = None,
    ) -> Self:
        """Return a row for each event of `dataset`, made of the user's events in the other folds.

        The folds are those of `DerivedFeatures.out_of_fold` with the same `n_folds` and the same seed.
        """
        log = dataset.interactions
        fold = folds(len(log), n_folds, rng)
        cell = log.user_idx.astype(np.int64) * n_folds + fold
        items, column, ptr = _ordered(log, cell, log.n_users * n_folds, n_items)
        first = log.user_idx.astype(np.int64) * n_folds
        spans = np.stack([ptr[first], ptr[cell], ptr[cell + 1], ptr[first + n_folds]], axis=1)
        return cls(items, column, spans.reshape(-1, 2, 2))

    @classmethod
    def earlier(cls, dataset: Dataset, n_items: int = 1000) -> Self:
        """Return a row for each event of `dataset`, made of the user's strictly earlier events.

        Raises `DataError` for data without timestamps.
        """
        log = dataset.interactions
        runs = Runs.of(log.user_idx, require_times(log))
        items, column, ptr = _ordered(log, log.user_idx.astype(np.int64), log.n_users, n_items)
        # How many of the user's events before the row's moment are of these items.
        popular = (_place(items, log.n_items)[log.item_idx] >= 0).astype(np.float64)
        before = runs.before(popular).astype(np.int64)
        begin = ptr[log.user_idx]
        spans = np.stack([begin, begin + before, begin, begin], axis=1)
        return cls(items, column, spans.reshape(-1, 2, 2))

    @classmethod
    def now(cls, dataset: Dataset, n_items: int = 1000) -> Self:
        """Return a row for each user of `dataset`, in the order of the vocabulary, made of all the user's events."""
        log = dataset.interactions
        items, column, ptr = _ordered(log, log.user_idx.astype(np.int64), log.n_users, n_items)
        begin, end = ptr[:-1], ptr[1:]
        return cls(items, column, np.stack([begin, end, end, end], axis=1).reshape(-1, 2, 2))

    def __len__(self) -> int:
        return len(self.spans)

    def rows(self, index: NDArray[np.integer[Any]] | None = None) -> sparse.csr_array:
        """Return float32 CSR [len(index), len(items)] of the rows at `index`, of all where None; indices ascend.

        Cost: the events of the rows' users with one of the items.
        """
        spans = (self.spans if index is None else self.spans[index]).reshape(-1, 2)
        length = spans[:, 1] - spans[:, 0]
        ptr = offsets(length)
        # Within a stretch the places follow one another.
        place = np.arange(ptr[-1]) + np.repeat(spans[:, 0] - ptr[:-1], length)
        entries = np.ones(place.size, np.float32), self.column[place], ptr[::2]
        matrix = sparse.csr_array(entries, shape=(spans.shape[0] // 2, self.items.size))
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix


def _ordered(
    log: Interactions, cell: NDArray[np.int64], n_cells: int, n_items: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return the popular items, the columns of the events with one of them by cell, and where each cell begins."""
    whole("n_items", n_items, least=1)
    count = np.bincount(log.item_idx, minlength=log.n_items)
    most = np.argsort(-count, kind="stable")[:n_items]
    items = most[count[most] > 0].astype(np.int32)
    column = _place(items, log.n_items)[log.item_idx]
    has = np.flatnonzero(column >= 0)
    order = has[stable_order_of_positions(cell[has].astype(np.int32))]
    return items, column[order], offsets(np.bincount(cell[has], minlength=n_cells))


def _place(items: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    place = np.full(n, -1, np.int32)
    place[items] = np.arange(items.size)
    return place
