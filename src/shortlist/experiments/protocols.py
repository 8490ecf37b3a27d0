"""Protocols: what is done with the items that a user has a training event with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset

NEW_ITEMS, REPEATS_ALLOWED = "new items", "repeats allowed"

DEFINITIONS = {
    NEW_ITEMS: "seen items are neither shown nor in the truth",
    REPEATS_ALLOWED: "seen items may be shown, and are in the truth",
}


def protocols_of(train: Dataset, exclude_seen: bool | None) -> tuple[str, ...]:
    """Return the names of the protocols to measure, in the order of `DEFINITIONS`.

    True and False are one each; None is both where the data declares repeats, else new items alone.
    """
    if exclude_seen is None:
        return (NEW_ITEMS, REPEATS_ALLOWED) if train.repeats else (NEW_ITEMS,)
    return (NEW_ITEMS,) if exclude_seen else (REPEATS_ALLOWED,)


def excludes_seen(protocol: str) -> bool:
    """Return whether the lists and the truth of `protocol` leave seen items out."""
    return protocol == NEW_ITEMS
