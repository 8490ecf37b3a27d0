"""What each item of a person's history does to their scores, found by leaving it out and scoring anew.

For models whose scores are no sum over the history: a person folded in by a loop, or compared with others. The amounts
say what would happen without one item, so they do not add up: two items that say the same are both worth little, since
either makes up for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from shortlist.contributions import Contributions
from shortlist.data.dataset import Dataset
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import History

    # Histories of n variants → scores float64[n, m] of the same m items.
    ScoresOf = Callable[[History], NDArray[np.float64]]


class FoldsByEvents(Protocol):
    """A model whose score is a dot product, and which makes a person's vector from their events alone."""

    memory_: Memory
    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the users of `events` in the model's space."""


MOST_REMOVED = 50
"""So many items of a history are left out in turn, the most recent ones; older ones stay and are not spoken of."""


def by_removal(
    history: History, counts: NDArray[np.bool_], item_idx: NDArray[np.int32], scores_of: ScoresOf
) -> Contributions:
    """Return by how much each score falls without each item of the one `history`, all of its events left out.

    `counts` bool[e]: the events that the model goes by; the `MOST_REMOVED` items among them with the latest event are
    left out in turn. `scores_of` scores the items of `item_idx` by histories, the whole one first. Costs as many
    scorings as there are items, and one.
    """
    past = latest_items(history.where(counts), MOST_REMOVED)
    scores = scores_of(without_each(history, past))
    of_past: NDArray[np.float64] = (scores[0] - scores[1:]).T
    return Contributions(item_idx, past, of_past, adds_up=False)


def latest_items(history: History, most: int) -> NDArray[np.int32]:
    """Return the at most `most` distinct items of one history with the latest events, ascending.

    >>> from shortlist.stages import History
    >>> films = np.array([5, 3, 5, 8], np.int32)
    >>> past = History(np.array([0, 4]), films, np.ones(4, np.float32), np.ones(4, bool), None)
    >>> latest_items(past, 2).tolist()
    [5, 8]
    """
    items, from_end = np.unique(history.item_idx[::-1], return_index=True)
    latest = np.argsort(from_end, kind="stable")[:most]
    return np.sort(items[latest])


def without_each(history: History, past: NDArray[np.int32]) -> History:
    """Return 1 + h rows: the one `history` itself, then it without the events of each of `past` int32[h].

    >>> from shortlist.stages import History
    >>> films = np.array([5, 3, 5], np.int32)
    >>> past = History(np.array([0, 3]), films, np.ones(3, np.float32), np.ones(3, bool), None)
    >>> variants = without_each(past, np.array([3, 5], np.int32))
    >>> [variants.item_idx[a:b].tolist() for a, b in zip(variants.ptr[:-1], variants.ptr[1:])]
    [[5, 3, 5], [5, 5], [3]]
    """
    rows = history.take(np.zeros(past.size + 1, np.int64))
    left_out = np.append(np.int32(-1), past)[rows.row]
    return rows.where(rows.item_idx != left_out)


def as_people(history: History, memory: Memory) -> Dataset:
    """Return the rows of `history` as the events of so many people, for `fold_in_users`."""
    n = len(history)
    log = Interactions.of(
        history.row,
        history.item_idx,
        history.value,
        history.timestamp,
        n,
        len(memory.items),
        memory.feedback,
    )
    return Dataset(log, Vocabulary.of(np.arange(n)), memory.items, name="one person, an item less each time")


def by_folding(model: FoldsByEvents, item_idx: NDArray[np.int32]) -> ScoresOf:
    """Return what scores items by histories folded in; of nobody known, the score of a vector of zeros."""

    def scores_of(history: History) -> NDArray[np.float64]:
        people = model.fold_in_users(as_people(history, model.memory_))
        of_items = model.item_offsets_[item_idx] + people.offsets.astype(np.float64)[:, None]
        factors = model.item_factors_[item_idx].astype(np.float64)
        scores: NDArray[np.float64] = people.vectors.astype(np.float64) @ factors.T + of_items
        return scores

    return scores_of
