"""Who is to be folded in: the people or items of some events and of a feature table, with what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ParameterError
from shortlist.models.fold_in import moved_to_items, require_same_meaning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.memory import Memory
    from shortlist.models.vectors import Said


@dataclass(frozen=True, eq=False)
class Newcomers:
    """Users or items to fold in: `ids`, their events with what the model knows of the other side, their features.

    `log` has the newcomers at their positions in `ids` and the other side at its positions in the model's memory.
    `table`, where there is one, has a row for each of `ids`, in that order.
    """

    ids: Vocabulary
    log: Interactions
    table: FeatureTable | None


def new_users(events: Dataset | None, features: FeatureTable | None, memory: Memory) -> Newcomers:
    """Return the users of `events` and those of `features`; the features are those of `events` where None.

    Raises `DataError` unless the values mean what they did in training, `ParameterError` where both are None.
    """
    if events is None:
        return _described_only(features, memory, "users")
    require_same_meaning(events, memory)
    log = moved_to_items(events, memory)
    if features is None:
        return Newcomers(events.users, log, events.user_features)
    ids = Vocabulary.of(events.users.ids, features.frame["id"])
    user_idx = ids.index_of(events.users.ids)[log.user_idx]
    return Newcomers(ids, replace(log, user_idx=user_idx, n_users=len(ids)), features.align(ids))


def can_place(folds_in: Sequence[Said], people: Dataset) -> bool:
    """Return whether a model that places people by any of `folds_in` can place any of the users of `people`."""
    by_events, by_features = len(people.interactions) > 0, people.user_features is not None
    return ("events" in folds_in and by_events) or ("features" in folds_in and by_features)


def new_items(events: Dataset | None, features: FeatureTable | None, memory: Memory) -> Newcomers:
    """Return the mirror of `new_users`: the items of `events` and of `features`."""
    if events is None:
        return _described_only(features, memory, "items")
    require_same_meaning(events, memory)
    position = memory.users.index_of(events.users.ids)[events.interactions.user_idx]
    log = replace(events.interactions, user_idx=position, n_users=len(memory.users)).where(position >= 0)
    if features is None:
        return Newcomers(events.items, log, events.item_features)
    ids = Vocabulary.of(events.items.ids, features.frame["id"])
    item_idx = ids.index_of(events.items.ids)[log.item_idx]
    return Newcomers(ids, replace(log, item_idx=item_idx, n_items=len(ids)), features.align(ids))


def _described_only(features: FeatureTable | None, memory: Memory, what: str) -> Newcomers:
    if features is None:
        raise ParameterError(f"there are no {what} to fold in: give events, features, or both")
    ids = Vocabulary.of(features.frame["id"])
    n_users, n_items = len(memory.users), len(memory.items)
    sizes = (len(ids), n_items) if what == "users" else (n_users, len(ids))
    nothing = np.zeros(0, np.int32)
    log = Interactions.of(nothing, nothing, np.zeros(0, np.float32), None, *sizes, memory.feedback)
    return Newcomers(ids, log, features.align(ids))
