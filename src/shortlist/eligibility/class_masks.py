"""Masks of classes of users: made when they are asked for, or pairs where these are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.stages import Forbidden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shortlist.eligibility.label_masks import LabelMasks

# A class of users costs a search of its own, so that its users' pairs may be some thousands.
MOST_PAIRS_A_CLASS = 1 << 15
MOST_PAIRS = 1 << 22


class ClassMasks:
    """The masks bool[n_items] of classes, each made by `make(class)` when it is asked for."""

    def __init__(self, make: Callable[[int], NDArray[np.bool_]]) -> None:
        self._make = make

    def __getitem__(self, user_class: int) -> NDArray[np.bool_]:
        return self._make(int(user_class))


def denied(
    user_class: NDArray[np.int32], sets: Sequence[NDArray[np.int32] | None], masks: LabelMasks
) -> Forbidden:
    """Return that each user is denied the items of their set of labels; None denies nothing.

    A set whose items and users are few becomes pairs, so that these users are not searched for one by one; another one
    is a class. Which of the two changes nothing in the lists.
    """
    members = np.bincount(user_class, minlength=len(sets))
    mask_class = np.zeros(len(sets), np.int32)  # 0: no mask
    large: list[NDArray[np.int32]] = []
    rows, items, n_pairs = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)], 0
    for at, codes in enumerate(sets):
        n = 0 if codes is None else int(members[at]) * masks.n_items_of(codes)
        if codes is None or n == 0:
            continue
        if n <= MOST_PAIRS_A_CLASS and n_pairs + n <= MOST_PAIRS:
            of_set, n_pairs = masks.items_of(codes), n_pairs + n
            users = np.flatnonzero(user_class == at)
            rows.append(np.repeat(users, of_set.size))
            items.append(np.tile(of_set, users.size))
        else:
            large.append(codes)
            mask_class[at] = len(large)
    pairs = np.concatenate(rows), np.concatenate(items)
    if not large:
        return Forbidden(row=pairs[0], item_idx=pairs[1])
    nothing = np.zeros(0, np.int32)
    by_class = ClassMasks(lambda c: masks.having(large[c - 1] if c else nothing))
    return Forbidden(user_class=mask_class[user_class], by_class=by_class, row=pairs[0], item_idx=pairs[1])
