"""Segments: parts of the users, and parts of the items, that are measured on their own.

All of them are defined by the training part alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

ALL = "all"
COLD, WARM = "cold users", "warm users"
LESS_ACTIVE, MORE_ACTIVE = "less active users", "more active users"
HEAD, TAIL, COLD_ITEMS = "head items", "tail items", "cold items"
OF_ITEMS = (HEAD, TAIL, COLD_ITEMS)

DEFINITIONS = {
    ALL: "every test user that can be measured",
    COLD: "no positive event in training",
    WARM: "at least one positive event in training",
    LESS_ACTIVE: "warm, with at most the median number of training events of the warm test users",
    MORE_ACTIVE: "warm, with more than that median",
    HEAD: "the most popular items that together hold half of the positive training pairs; truth cut to them",
    TAIL: "all other items; truth cut to them",
    COLD_ITEMS: "those of the tail without an event in training; truth cut to them",
}


def user_segments(train: Dataset, user_idx: NDArray[np.int32]) -> dict[str, NDArray[np.bool_]]:
    """Return for each segment of users bool[n]: which of `user_idx` int32[n] belong to it; empty segments are left out.

    "all" is first. Cold and warm users make up all; less and more active users make up the warm ones.
    """
    log = train.interactions
    n_events = np.bincount(log.user_idx, minlength=log.n_users)[user_idx]
    warm = np.bincount(log.user_idx[log.positive], minlength=log.n_users)[user_idx] > 0
    median = np.median(n_events[warm]) if warm.any() else 0.0
    segments = {
        ALL: np.ones(user_idx.size, bool),
        COLD: ~warm,
        WARM: warm,
        LESS_ACTIVE: warm & (n_events <= median),
        MORE_ACTIVE: warm & (n_events > median),
    }
    return {name: members for name, members in segments.items() if members.any()}


def item_segments(train: Dataset) -> dict[str, NDArray[np.bool_]]:
    """Return bool[n_items] for head, tail and cold items: which items belong to each; head and tail make up all.

    The head is the shortest row of items, by falling number of users with a positive event (ties by id), that holds
    at least half of all such pairs.
    """
    log = train.interactions
    cold = np.bincount(log.item_idx, minlength=log.n_items) == 0
    return {**head_and_tail(train.memory.n_positive), COLD_ITEMS: cold}


def head_and_tail(n_positive: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
    """Return the segments for the number of positive pairs of each item, int64[n_items].

    >>> {name: items.tolist() for name, items in head_and_tail(np.array([1, 4, 3, 2])).items()}  # 4 + 3 of 10
    {'head items': [False, True, True, False], 'tail items': [True, False, False, True]}
    """
    order = np.argsort(-n_positive, kind="stable")
    held = np.cumsum(n_positive[order])
    n_head = int(np.searchsorted(held, held[-1] / 2)) + 1 if held.size and held[-1] else 0
    head = np.zeros(n_positive.size, bool)
    head[order[:n_head]] = True
    return {HEAD: head, TAIL: ~head}
