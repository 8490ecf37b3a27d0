"""UserFacts: what is known of every user, and what people of each label like, as columns that a scorer learns from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shortlist.artifacts import State
from shortlist.data.feature_arrays import numbers, numbers_of_request
from shortlist.data.recommendations import FEWEST_NAMED
from shortlist.data.row_labels import RowLabels
from shortlist.models.score_rows import positive_items
from shortlist.scoring.item_facts import columns_of
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.removal import Removal
    from shortlist.stages import Candidates, Request

    Floats = NDArray[np.float64]

# A label's people weigh against so many people of everybody.
_SHRINKAGE = 10.0


@dataclass(frozen=True, eq=False)
class UserFacts:
    """Of each user: their numbers and their labels; of each label: who likes what.

    - numbers float64[n_users, c], NaN where nothing is known
    - label_ptr int64[n_users · L + 1], label int32[x]: the codes of each user in the first of L label columns, then of
      each in the second, …; n_labels int64[L], and the labels of all columns one after the other
    - pair int64[y] ascending, of_pair float64[y]: label · n_items + item, and how many people of the label like it;
      people float64: how many of each label like something. Labels are counted over all columns
    - share float64[n_items]: of the people who like something, those who like the item
    """

    numbers: Floats
    label_ptr: NDArray[np.int64]
    label: NDArray[np.int32]
    n_labels: NDArray[np.int64]
    pair: NDArray[np.int64]
    of_pair: Floats
    people: Floats
    share: Floats
    number_columns: Sequence[str]
    label_columns: Sequence[str]
    labels: Sequence[str]

    @classmethod
    def of(cls, dataset: Dataset, asked_by: str) -> Self:
        """Return the facts of the users of `dataset`, from its user features and its positive events."""
        table, n_users = dataset.user_features, len(dataset.users)
        number_columns = columns_of(table, "numeric")
        label_columns = [*columns_of(table, "categorical"), *columns_of(table, "tags")]
        own = [RowLabels.of(dataset, "user", column, asked_by) for column in label_columns]
        n_labels = np.array([len(labels.labels) for labels in own], np.int64)
        columns = [numbers(table, "user", column, asked_by) for column in number_columns]
        length = [np.diff(labels.ptr) for labels in own]
        return cls(
            np.stack(columns, axis=1) if columns else np.zeros((n_users, 0)),
            offsets(np.concatenate([np.zeros(0, np.int64), *length])),
            np.concatenate([np.zeros(0, np.int32), *(labels.code for labels in own)]),
            n_labels,
            *_liked(dataset, own, offsets(n_labels)),
            number_columns,
            label_columns,
            [text for labels in own for text in labels.labels],
        )

    def numbers_of(self, request: Request, candidates: Candidates) -> list[tuple[str, Floats]]:
        """Return (column, float64[m]): the person's number for each candidate, NaN where nothing is known.

        Who is not in the data has what the request says of them.
        """
        return [
            (name, numbers_of_request(name, self.numbers[:, at], request)[candidates.row])
            for at, name in enumerate(self.number_columns)
        ]

    def lifts(self, request: Request, candidates: Candidates) -> list[tuple[str, Floats]]:
        """Return (column, float64[m]): log of how much more willingly people of the person's label like the item.

        More than everybody does; the mean over several labels. NaN for somebody without a label and for an item that
        nobody likes. Who is not in the data has the labels that the request says.
        """
        start = offsets(self.n_labels).tolist()
        own = [self._labels(at, start).of_request(request) for at in range(len(self.label_columns))]
        return [(labels.column, self._lift(labels, start[at], candidates)) for at, labels in enumerate(own)]

    def _labels(self, at: int, start: Sequence[int]) -> RowLabels:
        n = self.numbers.shape[0]
        ptr = self.label_ptr[at * n : (at + 1) * n + 1]
        texts = self.labels[start[at] : start[at + 1]]
        return RowLabels(self.label_columns[at], texts, ptr - ptr[0], self.label[ptr[0] : ptr[-1]])

    def _lift(self, labels: RowLabels, first: int, candidates: Candidates) -> Floats:
        mine = labels.take(candidates.row)
        place, label = mine.row, mine.code + first
        item = candidates.item_idx[place].astype(np.int64)
        wanted = label * max(self.share.size, 1) + item
        count = np.zeros(wanted.size)
        if self.pair.size:
            at = np.minimum(np.searchsorted(self.pair, wanted), self.pair.size - 1)
            count = np.where(self.pair[at] == wanted, self.of_pair[at], 0.0)
        share = self.share[item]
        with np.errstate(divide="ignore", invalid="ignore"):
            lift = (count / share + _SHRINKAGE) / (self.people[label] + _SHRINKAGE)
            n = candidates.item_idx.size
            mean = np.bincount(place, lift, n) / np.bincount(place, minlength=n)
        return np.where(np.isfinite(mean), np.log(np.where(mean > 0, mean, 1.0)), np.nan)

    def without_users(self, removal: Removal) -> Self:
        """Return the facts without those of removed users, and without the likes of labels that nobody else has."""
        every = np.tile(removal.keep, len(self.n_labels))
        length = np.diff(self.label_ptr)
        left = replace(
            self,
            numbers=self.numbers[removal.keep],
            label_ptr=offsets(length[every]),
            label=self.label[np.repeat(every, length)],
        )
        return left._with_likes_of(1)

    def without_histories(self) -> Self:
        """Return the facts without the likes of labels of so few people that they are what one of them likes."""
        return self._with_likes_of(FEWEST_NAMED)

    def _with_likes_of(self, fewest: int) -> Self:
        """Return the facts with likes of the labels that at least `fewest` users have."""
        n, start = self.numbers.shape[0], offsets(self.n_labels)
        column = np.repeat(np.arange(len(self.n_labels)), np.diff(self.label_ptr[::n]) if n else 0)
        members = np.bincount(self.label + start[column], minlength=int(start[-1]))
        enough = members >= fewest
        kept = enough[self.pair // max(self.share.size, 1)]
        return replace(
            self,
            pair=self.pair[kept],
            of_pair=self.of_pair[kept],
            people=np.where(enough, self.people, 0.0),
        )

    def to_state(self) -> State:
        """Return the arrays and the names."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
        plain = {name: list(value) for name, value in found.items() if name not in arrays}
        return State("UserFacts", plain, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return what `to_state` described."""
        found: dict[str, Any] = {**state.arrays, **state.values}
        return cls(**found)


def _liked(
    dataset: Dataset, own: Sequence[RowLabels], start: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return pair, of_pair, people and share of `UserFacts`."""
    n_items = max(len(dataset.items), 1)
    likes = positive_items(dataset.memory.history, n_items)
    n_likes = np.diff(likes.indptr).astype(np.int64)
    active = n_likes > 0
    person = np.concatenate([np.zeros(0, np.int64), *(labels.row for labels in own)])
    label = np.concatenate(
        [np.zeros(0, np.int64), *(labels.code + at for labels, at in zip(own, start.tolist(), strict=False))]
    )
    length = n_likes[person]
    at = np.arange(length.sum()) + np.repeat(likes.indptr[person] - np.cumsum(length) + length, length)
    pair, count = np.unique(np.repeat(label, length) * n_items + likes.indices[at], return_counts=True)
    people = np.bincount(label[active[person]], minlength=int(start[-1]))
    share = np.bincount(likes.indices, minlength=n_items)[: len(dataset.items)] / max(int(active.sum()), 1)
    return pair.astype(np.int64), count.astype(np.float64), people.astype(np.float64), share
