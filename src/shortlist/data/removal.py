"""Removal: who is taken out of a fitted recommender, and what of its arrays is left without them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.interactions import Interactions
from shortlist.errors import ParameterError
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Id


@dataclass(frozen=True, eq=False)
class Removal:
    """People to take out of what was fitted on n users.

    keep bool[n]: who stays; ids: who goes; memory: of those who stay, at their new positions.
    """

    keep: NDArray[np.bool_]
    ids: frozenset[Id]
    memory: Memory

    @classmethod
    def of(cls, memory: Memory, users: Id | Iterable[Id]) -> Removal:
        """Return the removal of `users` (ids).

        Raises `UnknownIdError` for one that is not there, `ParameterError` where nobody would be left.
        """
        ids = [users] if isinstance(users, int | str) else list(users)
        keep = np.ones(len(memory.users), bool)
        keep[memory.users.require(ids, "user")] = False
        if not keep.any():
            raise ParameterError(
                f"that is everybody: nothing of {keep.size} users would be left; delete the artifact instead"
            )
        return cls(keep, frozenset(ids), memory.without_users(keep))

    def rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of `values` [n, …] of those who stay; an array without rows as it is."""
        return values[self.keep] if len(values) else values

    def lists(self, ptr: NDArray[Any], *values: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return where the lists of those who stay begin, and the `values` on them.

        Lists behind those of the n users (that of strangers, say) stay. Fewer than n lists are nobody's.
        """
        length = np.diff(ptr)
        if length.size < self.keep.size:
            return ptr, *values
        kept = np.append(self.keep, np.ones(length.size - self.keep.size, bool))
        at = np.repeat(kept, length)
        return offsets(length[kept]).astype(ptr.dtype), *(value[at] for value in values)

    def cut(
        self, fitted: Mapping[str, Any], by_user: Iterable[str], user_lists: Iterable[tuple[str, ...]]
    ) -> dict[str, Any]:
        """Return `fitted` values by name, those of `by_user` and the lists of `user_lists` (ptr first) cut."""
        left = dict(fitted)
        for name in by_user:
            left[name] = self.rows(left[name])
        for names in user_lists:
            left |= zip(names, self.lists(*(left[name] for name in names)), strict=True)
        return left

    @cached_property
    def dataset(self) -> Dataset:
        """Return the events of those who stay, without features, for what is counted anew."""
        memory, past = self.memory, self.memory.history
        log = Interactions.of(
            past.row,
            past.item_idx,
            past.value,
            past.timestamp,
            len(memory.users),
            len(memory.items),
            memory.feedback,
        )
        return Dataset(log, memory.users, memory.items, repeats=memory.repeats)


def without_ids(values: Mapping[str, Any], key: str, ids: frozenset[Id]) -> dict[str, Any]:
    """Return `values` with the list at `key` without `ids`."""
    return {**values, key: [one for one in values[key] if one not in ids]}
