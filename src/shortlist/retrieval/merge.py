"""Merge: the proposals of several sources as one list without duplicates, all origins kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shortlist.stages import Candidates, offsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shortlist.stages import Request


@dataclass(frozen=True)
class Merge:
    """How the proposals of all sources become the candidates of a user."""

    def check(self, sources: Sequence[str]) -> None:
        """Raise `ParameterError` unless every source that is named here is one of `sources`."""

    def __call__(self, proposals: Sequence[Candidates], request: Request) -> Candidates:
        """Return the candidates of the request, those that its rules forbid removed."""
        merged = union(proposals, request.eligible.item_rule.size)
        return merged.remove(request.eligible.rule_of(merged.row, merged.item_idx), request.eligible.rules)

    def to_values(self) -> dict[str, Any]:
        """Return plain values that `from_values` needs."""
        return {}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_values` described."""
        return cls(**values)


def union(proposals: Sequence[Candidates], n_items: int) -> Candidates:
    """Return the union of the proposals for the same users, each item once a user, ordered by item.

    Ranks and scores of every source stand side by side. The anchor is the item itself where a source proposes it as one
    of the user's past, else that of the first source which has one.
    Sources keep the order given; their names must differ. Cost: O(m log m) for m proposals in all.
    """
    n = len(proposals[0])
    row = np.concatenate([part.row for part in proposals])
    item = np.concatenate([part.item_idx for part in proposals])
    key, at = np.unique(row * max(n_items, 1) + item, return_inverse=True)
    user, item_idx = np.divmod(key, max(n_items, 1))
    rank = np.zeros((key.size, len(proposals)), np.int32)
    score = np.zeros((key.size, len(proposals)), np.float32)
    anchor = np.full(key.size, -1, np.int32)
    start = 0
    for s, part in enumerate(proposals):
        mine = at[start : start + part.item_idx.size]
        start += part.item_idx.size
        rank[mine, s], score[mine, s] = part.source_rank[:, 0], part.source_score[:, 0]
        goes_first = (anchor[mine] < 0) | (part.anchor == part.item_idx)
        anchor[mine] = np.where(goes_first, part.anchor, anchor[mine])
    return Candidates(
        offsets(np.bincount(user, minlength=n)),
        item_idx.astype(np.int32),
        rank,
        score,
        anchor,
        np.zeros(key.size, np.float32),
        np.zeros(key.size, np.int8),
        tuple(part.sources[0] for part in proposals),
    )
