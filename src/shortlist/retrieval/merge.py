"""Merge: the proposals of several sources as one list of candidates without duplicates, all origins kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from shortlist import threads
from shortlist.data.columns import nearest
from shortlist.errors import ParameterError
from shortlist.kernels.turns import take_turns
from shortlist.parameters import number, whole
from shortlist.stages import Candidates, offsets, reasons_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.stages import Request

BEYOND_SIZE = "beyond the merge size"


@final
class Merge:
    """How the proposals of all sources become the candidates of a user, each item once, with all its origins.

    - size: how many go on to the scorer; all where None. What the rules forbid does not count. The others stay in the
      trace, removed as "beyond the merge size"
    - weights: by the name of a source, 1 where none is given. The sources take turns: of weight 2, two for one of
      weight 1. At its turn a source brings the best of its proposals that is not there yet. One of weight 0 has its
      turn when the others have nothing more to bring
    - quotas: by the name of a source, [least, most] of its turns, hence of the items that it is the first to bring.
      Turns up to `least` come before all others, so that its `least` best are candidates whatever others
      bring. After `most` it brings no more, and lists may be shorter than `size`

    It is the next turn of the source with the smallest (turns taken + 1) / weight, ties in the order of the sources:
    stride scheduling (Waldspurger and Weihl 1995). Scores of different sources are on different scales, so that only
    the order within each counts.
    Cost: O(S) for each candidate chosen, of S sources. Raises `ParameterError` for weights and quotas without a size,
    and for a sum of `least` above it.
    """

    def __init__(
        self,
        size: int | None = None,
        weights: Mapping[str, float] | None = None,
        quotas: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.size = None if size is None else whole("size", size, least=1)
        self.weights = {name: number(f"weights[{name!r}]", value) for name, value in (weights or {}).items()}
        self.quotas = {name: _quota(name, given) for name, given in (quotas or {}).items()}
        self._require_sense()

    def _require_sense(self) -> None:
        if self.size is None and (self.weights or self.quotas):
            raise ParameterError(
                "weights and quotas say what is within the size of a merge, and it has none: give size= too"
            )
        promised = sum(least for least, _ in self.quotas.values())
        if self.size is not None and promised > self.size:
            raise ParameterError(
                f"quotas promise {promised} candidates to the sources, and size is {self.size}: "
                "raise size or lower the first numbers of the quotas"
            )

    def check(self, sources: Sequence[str]) -> None:
        """Raise `ParameterError` unless every source that is named here is one of `sources`."""
        for parameter, named in (("weights", self.weights), ("quotas", self.quotas)):
            for name in named:
                if name not in sources:
                    raise ParameterError(
                        f"{parameter} of the merge: no source is called {name!r}{nearest(name, sources)}; "
                        f"there are {', '.join(sources)}"
                    )

    def __call__(self, proposals: Sequence[Candidates], request: Request) -> Candidates:
        """Return the candidates of the request, those that its rules forbid removed, and those beyond the size."""
        merged, place = self._permitted(proposals, request)
        if self.size is None:
            return merged
        return self._within(merged, self._turns(proposals, place, merged.kept))

    def in_turn(self, proposals: Sequence[Candidates], request: Request) -> Candidates:
        """Return what a call returns, each candidate with the score 1 / its turn: an order where there is no scorer."""
        merged, place = self._permitted(proposals, request)
        turn = self._turns(proposals, place, merged.kept)
        score = (1 / np.maximum(turn, 1) * (turn > 0)).astype(np.float32)
        return self._within(replace(merged, score=score), turn)

    def _permitted(
        self, proposals: Sequence[Candidates], request: Request
    ) -> tuple[Candidates, NDArray[np.int64]]:
        merged, place = _united(proposals, request.eligible.item_rule.size)
        codes = request.eligible.rule_of(merged.row, merged.item_idx)
        return merged.remove(codes, request.eligible.rules), place

    def _within(self, merged: Candidates, turn: NDArray[np.int32]) -> Candidates:
        return merged if self.size is None else merged.remove((turn == 0).astype(np.int8), (BEYOND_SIZE,))

    def _turns(
        self, proposals: Sequence[Candidates], place: NDArray[np.int64], kept: NDArray[np.bool_]
    ) -> NDArray[np.int32]:
        """Return int32[m]: at which turn each candidate of a user is taken, from 1; 0 where it is not."""
        turn = np.zeros(kept.size, np.int32)
        size = self.size or max(kept.size, 1)
        starts = offsets(np.array([part.item_idx.size for part in proposals]))[:-1]
        ptr = np.stack([start + part.ptr for start, part in zip(starts, proposals, strict=True)])
        names = [part.sources[0] for part in proposals]
        weight = np.array([self.weights.get(name, 1.0) for name in names])
        quota = np.array([self.quotas.get(name, (0, size)) for name in names], np.int64)
        least, most = np.ascontiguousarray(quota[:, 0]), np.ascontiguousarray(quota[:, 1])

        def take(start: int, stop: int) -> None:
            take_turns(ptr, place, kept, weight, least, most, size, turn, start, stop)

        threads.run_blocks(take, len(proposals[0]))
        return turn

    def to_values(self) -> dict[str, Any]:
        """Return plain values that `from_values` needs."""
        quotas = {name: list(quota) for name, quota in self.quotas.items()}
        return {"size": self.size, "weights": self.weights, "quotas": quotas}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_values` described."""
        return cls(**values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Merge) and self.to_values() == other.to_values()

    def __hash__(self) -> int:
        return hash((self.size, *sorted(self.weights.items()), *sorted(self.quotas.items())))

    def __repr__(self) -> str:
        shown = {"size": self.size, "weights": self.weights, "quotas": self.quotas}
        return f"Merge({', '.join(f'{name}={value!r}' for name, value in shown.items() if value)})"


def union(proposals: Sequence[Candidates], n_items: int) -> Candidates:
    """Return the union of the proposals for the same users, each item once a user, ordered by item.

    Ranks, scores and reasons of every source stand side by side. The anchor is the item itself where a source proposes
    it as one of the user's past, else that of the first source which has one.
    Sources keep the order given; their names must differ. Cost: O(m log m) for m proposals in all.
    """
    return _united(proposals, n_items)[0]


def _united(proposals: Sequence[Candidates], n_items: int) -> tuple[Candidates, NDArray[np.int64]]:
    """Return the union, and int64[p]: the candidate that each proposal became, source by source."""
    n = len(proposals[0])
    row = np.concatenate([part.row for part in proposals])
    item = np.concatenate([part.item_idx for part in proposals])
    key, at = np.unique(row * max(n_items, 1) + item, return_inverse=True)
    user, item_idx = np.divmod(key, max(n_items, 1))
    rank = np.zeros((key.size, len(proposals)), np.int32)
    score = np.zeros((key.size, len(proposals)), np.float32)
    anchor = np.full(key.size, -1, np.int32)
    said, reasons = reasons_of(proposals)
    reason = None if said is None else np.full(rank.shape, -1, np.int32)
    start = 0
    for s, part in enumerate(proposals):
        mine = at[start : start + part.item_idx.size]
        start += part.item_idx.size
        rank[mine, s], score[mine, s] = part.source_rank[:, 0], part.source_score[:, 0]
        goes_first = (anchor[mine] < 0) | (part.anchor == part.item_idx)
        anchor[mine] = np.where(goes_first, part.anchor, anchor[mine])
        if reason is not None and said is not None:
            reason[mine, s] = said[s][:, 0]
    united = Candidates(
        offsets(np.bincount(user, minlength=n)),
        item_idx.astype(np.int32),
        rank,
        score,
        anchor,
        np.zeros(key.size, np.float32),
        np.zeros(key.size, np.int8),
        tuple(part.sources[0] for part in proposals),
        source_reason=reason,
        reasons=reasons,
    )
    return united, at


def _quota(name: str, given: object) -> tuple[int, int]:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ParameterError(f"quotas[{name!r}] must be two whole numbers, [least, most], got {given!r}")
    least = whole(f"the first of quotas[{name!r}]", given[0], least=0)
    return least, whole(f"the second of quotas[{name!r}], the most,", given[1], least=least)
