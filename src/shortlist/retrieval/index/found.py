"""Found: what a search of an index returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shortlist.data.vocabulary import Id, Ids
    from shortlist.stages import Lists


@dataclass(frozen=True, eq=False)
class Found:
    """The items nearest to each of n queries, best first.

    - item_ids: the ids of all items by position; lists: the n lists of positions and scores
    - shortfalls: number of a query → why its list has fewer than k items
    """

    item_ids: Ids
    lists: Lists
    shortfalls: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def ids(self) -> Ids:
        """Return the ids of all entries, aligned with `lists.item_idx`."""
        return self.item_ids.gather(self.lists.item_idx)

    def __len__(self) -> int:
        return len(self.lists)

    def to_list(self) -> list[list[tuple[Id, float]]]:
        """Return for each query its (id, score) pairs, best first."""
        entries = list(zip(self.ids.to_list(), self.lists.score.tolist(), strict=True))
        return [entries[start:stop] for start, stop in pairwise(self.lists.ptr.tolist())]
