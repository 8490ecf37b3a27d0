"""Pairs without an event, drawn beside the events of a factorisation machine that has no others to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.fm_design import Examples
from shortlist.models.unseen_items import UnseenItems

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions


def examples_of(log: Interactions, context_idx: NDArray[np.int32]) -> Examples:
    """Return an example for each event, all of target 1 where events are positive-only."""
    target = log.value if log.feedback.kind != "events" else np.ones(len(log), np.float32)
    return Examples(log.user_idx, log.item_idx, context_idx, target)


def with_negatives(
    examples: Examples, unseen: UnseenItems | None, n_negatives: int, rng: np.random.Generator
) -> Examples:
    """Return the examples, and after them `n_negatives` times as many drawn pairs with target 0; none without `unseen`.

    Each has the user and the moment of an example. Who has no unseen item gets none.
    """
    if unseen is None:
        return examples
    open_to = np.flatnonzero(unseen.n_unseen(examples.user_idx) > 0)
    of = examples.take(open_to)
    drawn = []
    for _ in range(n_negatives):
        items = unseen.draw(of.user_idx, rng)
        drawn.append(Examples(of.user_idx, items, of.context_idx, np.zeros(open_to.size, np.float32)))
    return examples.joined(drawn)


def with_negatives_of_each(examples: Examples, items: NDArray[np.int32], n_negatives: int) -> Examples:
    """Return the examples of at least one person, person by person, each with drawn ones of `items` after their own.

    They are drawn from the same seed for each: whoever is beside changes nothing.
    """
    unseen, parts = UnseenItems(examples.user_idx, examples.item_idx, items), []
    for person in np.unique(examples.user_idx).tolist():
        own = examples.take(np.flatnonzero(examples.user_idx == person))
        parts.append(with_negatives(own, unseen, n_negatives, np.random.default_rng(0)))
    return parts[0].joined(parts[1:])
