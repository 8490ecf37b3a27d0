"""ItemIds: the ids of an index by position, and the positions of ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shortlist.data.vocabulary import Vocabulary, id_series
from shortlist.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.artifacts import State
    from shortlist.data.vocabulary import Id, Ids

MAX_SHOWN = 5


@dataclass(frozen=True, eq=False)
class ItemIds:
    """The distinct ids of an index; `ids` has one for each position."""

    ids: Ids

    @classmethod
    def of(cls, ids: Iterable[Id] | None, n: int) -> Self:
        """Return the ids of `n` items; their positions where `ids` is None.

        Raises `DataError` for another number of ids, an id that is there twice, and what is not an id.
        """
        series = id_series(np.arange(n) if ids is None else ids)
        if series.len() != n:
            raise DataError(
                f"{series.len()} ids for {n} vectors: give one id for each vector, in the same order"
            )
        found = cls(series)
        if ids is not None and len(found._sorted) != n:
            raise DataError(f"ids are there twice: {shown(found._repeated())}; an index has each item once")
        return found

    def __len__(self) -> int:
        return self.ids.len()

    @cached_property
    def _sorted(self) -> Vocabulary:
        return Vocabulary.of(self.ids)

    @cached_property
    def _place(self) -> NDArray[np.int32]:
        place = np.empty(len(self), np.int32)
        place[self._sorted.index_of(self.ids)] = np.arange(len(self), dtype=np.int32)
        return place

    def _repeated(self) -> Ids:
        index = self._sorted.index_of(self.ids)
        return self._sorted.ids_of(np.flatnonzero(np.bincount(index) > 1))

    def positions(self, ids: Iterable[Id]) -> NDArray[np.int32]:
        """Return int32[m]: where each id stands. Raises `UnknownIdError` naming those that are not there."""
        return self._place[self._sorted.require(ids, "item")]

    def require_new(self, ids: Ids) -> None:
        """Raise `DataError` naming the ids that are there already."""
        if len(self) and ids.len() and ids.dtype != self.ids.dtype:
            raise DataError(f"the ids of this index are {self._sorted.kind}s, got {ids[0]!r}")
        known = np.flatnonzero(self._sorted.index_of(ids) >= 0)
        if known.size:
            raise DataError(
                f"already in the index: {shown(ids.gather(known))}; give them other vectors with replace"
            )

    def followed_by(self, more: Self) -> ItemIds:
        """Return these ids and behind them `more`. Raises `DataError` for ids that are in both."""
        if not len(self):
            return more
        self.require_new(more.ids)
        return ItemIds(self.ids.clone().append(more.ids))

    def keep(self, positions: NDArray[np.integer[Any]]) -> ItemIds:
        """Return the ids at `positions`."""
        return ItemIds(self.ids.gather(positions))

    def to_state(self) -> State:
        """Return the state: a vocabulary and the place of each of its ids."""
        state = self._sorted.to_state()
        return type(state)("ItemIds", {}, {"place": self._place}, {"sorted": state})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the ids that `to_state` described."""
        vocabulary, place = Vocabulary.from_state(state.parts["sorted"]), state.arrays["place"]
        order = np.empty(place.size, np.int64)
        order[place] = np.arange(place.size)
        return cls(vocabulary.ids_of(order))


def require_distinct(ids: Ids) -> None:
    """Raise `DataError` where an id stands among `ids` twice."""
    ItemIds.of(ids, ids.len())


def shown(ids: Ids) -> str:
    """Return the first ids as a person reads them.

    >>> shown(id_series([7, 8]))
    '7, 8'
    """
    return ", ".join(map(repr, ids.head(MAX_SHOWN).to_list())) + (", …" if ids.len() > MAX_SHOWN else "")
