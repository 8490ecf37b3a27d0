"""Events of people who were not in the training data, put at the positions of the items that a model knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shortlist.errors import DataError

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.data.memory import Memory


def at_known_items(events: Dataset, memory: Memory) -> Interactions:
    """Return the events with `item_idx` in the vocabulary of `memory`, in the same order; users stay as they are.

    Events with items outside that vocabulary are left out. Raises `DataError` when the values do not mean what they
    meant in training (another kind, or another scale).
    """
    require_same_meaning(events, memory)
    return moved_to_items(events, memory)


def require_same_meaning(events: Dataset, memory: Memory) -> None:
    """Raise `DataError` when the values do not mean what they meant in training (another kind or scale)."""
    kind, scale = events.feedback.kind, events.feedback.scale
    if (kind, scale) != (memory.feedback.kind, memory.feedback.scale):
        raise DataError(
            f"these events are {kind} on scale {scale}, the model was fitted on {memory.feedback.kind} "
            f"on scale {memory.feedback.scale}; read them with the same kind and scale"
        )


def moved_to_items(events: Dataset, memory: Memory) -> Interactions:
    """Return what `at_known_items` does, whatever the values mean."""
    position = memory.items.index_of(events.items.ids)[events.interactions.item_idx]
    moved = replace(events.interactions, item_idx=position, n_items=len(memory.items))
    return moved.where(position >= 0)
