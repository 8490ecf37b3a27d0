"""Recommendations: what every `recommend` returns; the edge where arrays become a frame of the caller's ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.errors import UnknownIdError
from shortlist.stages import Candidates, Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Id

Reason = str


PLAIN_REASON = "scored highest for you"


@dataclass(frozen=True, eq=False)
class Recommendations:
    """Ranked lists of users, with titles, reasons, the trace behind them, and a word where a list is short.

    - user_ids: the n users asked for, in the order asked
    - lists: their n lists (positions of items)
    - shortfalls: user id → why fewer than k items are on the list; users with full lists are absent
    - fallback: the user ids whose list is the popular one because nothing personal is known of them
    - in_turn: the user ids whom the scorer of a pipeline knows nothing of, so that their list is in the order in which
      its sources took turns: the score is 1 / turn
    - reason: why an item is on a list, where nothing more is known (`reason_of`)
    - objective: what the lists are ranked for, in words, where the scorer says it
    - candidates: everything that was proposed (pipelines only), rows aligned with user_ids
    """

    user_ids: pl.Series
    lists: Lists
    memory: Memory
    shortfalls: Mapping[Id, str] = field(default_factory=dict)
    fallback: frozenset[Id] = frozenset()
    in_turn: frozenset[Id] = frozenset()
    candidates: Candidates | None = None
    reason_of: Callable[[Recommendations], Sequence[Reason]] | None = None
    reason: Reason = PLAIN_REASON
    objective: str | None = None

    @classmethod
    def joined(
        cls, user_ids: pl.Series, parts: Sequence[tuple[NDArray[np.int64], Recommendations]]
    ) -> Recommendations:
        """Return the answers of parts of the users, at their `rows`, as one; there is at least one part."""
        n, candidates = user_ids.len(), [(rows, part.candidates) for rows, part in parts if part.candidates]
        return replace(
            parts[0][1],
            user_ids=user_ids,
            lists=Lists.joined([(rows, part.lists) for rows, part in parts], n),
            shortfalls={user: why for _, part in parts for user, why in part.shortfalls.items()},
            fallback=frozenset().union(*(part.fallback for _, part in parts)),
            in_turn=frozenset().union(*(part.in_turn for _, part in parts)),
            candidates=Candidates.joined(candidates, n) if candidates else None,
        )

    def __len__(self) -> int:
        return self.user_ids.len()

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return one row an item shown: user_id, item_id, score (Float32), rank (Int32, from 1), title where known."""
        columns = [
            self.user_ids.gather(self.lists.row).rename("user_id"),
            self.memory.items.ids_of(self.lists.item_idx).rename("item_id"),
            pl.Series("score", self.lists.score),
            pl.Series("rank", self.lists.rank),
        ]
        if self.memory.titles is not None:
            columns.append(self.memory.titles.gather(self.lists.item_idx).rename("title"))
        return pl.DataFrame(columns)

    @cached_property
    def reasons(self) -> pl.DataFrame:
        """Return one row an item shown: user_id, item_id, reason (a sentence a person can read)."""
        texts = self.reason_of(self) if self.reason_of else self._plain_reasons()
        return self.frame.select("user_id", "item_id").with_columns(
            pl.Series("reason", texts, dtype=pl.String)
        )

    def _plain_reasons(self) -> list[Reason]:
        users = self.frame["user_id"].to_list()
        counts = self.memory.n_positive[self.lists.item_idx].tolist()
        return [
            popular_reason(n) if user in self.fallback else self.reason
            for user, n in zip(users, counts, strict=True)
        ]

    def row_of(self, user_id: Id) -> int:
        """Return the position of `user_id` among the users asked for. Raises `UnknownIdError`."""
        found = np.flatnonzero(np.array([u == user_id for u in self.user_ids.to_list()], bool))
        if not found.size:
            raise UnknownIdError(
                f"user {user_id!r} is not among the {len(self)} users of these recommendations"
            )
        return int(found[0])

    def trace(self, user_id: Id) -> pl.DataFrame:
        """Return one row a candidate of the user: what proposed it, what removed it, its score and final rank.

        Columns: item_id, title (where known), for each source its rank and score (null where it did not propose the
        item) and, of a source that says it of each proposal, its reason, because_of (the item of the user's history
        that led to it), removed_by (null: kept), score (null where none was computed), rank (null where it is not on
        the list). Ordered by rank, then the other kept ones by score, then the removed ones. Only pipelines have
        candidates; the trace of a single model is its list.
        """
        row = self.row_of(user_id)
        if self.candidates is None:
            return self.frame.filter(pl.Series(self.lists.row == row)).drop("user_id")
        return _trace_frame(self, self.candidates, row)

    def __repr__(self) -> str:
        return f"Recommendations({self.lists.item_idx.size} items for {len(self)} users)\n{self.frame}"


@dataclass(frozen=True, eq=False)
class SimilarItems:
    """Items most similar to given items: `.frame` has item_id, similar_item_id, score, rank and title where known."""

    item_ids: pl.Series
    lists: Lists
    memory: Memory
    measure: str

    @cached_property
    def frame(self) -> pl.DataFrame:
        """Return one row a similar item; `title` is the similar item's. Larger scores are more similar."""
        columns = [
            self.item_ids.gather(self.lists.row).rename("item_id"),
            self.memory.items.ids_of(self.lists.item_idx).rename("similar_item_id"),
            pl.Series("score", self.lists.score),
            pl.Series("rank", self.lists.rank),
        ]
        if self.memory.titles is not None:
            columns.append(self.memory.titles.gather(self.lists.item_idx).rename("title"))
        return pl.DataFrame(columns)


def popular_reason(n_users: int) -> Reason:
    """Return the sentence for an item that is shown because many like it."""
    return f"popular: liked by {n_users} {'person' if n_users == 1 else 'people'}"


def _trace_frame(shown: Recommendations, candidates: Candidates, row: int) -> pl.DataFrame:
    memory, part = shown.memory, slice(int(candidates.ptr[row]), int(candidates.ptr[row + 1]))
    item_idx = candidates.item_idx[part]
    columns = [memory.items.ids_of(item_idx).rename("item_id")]
    if memory.titles is not None:
        columns.append(memory.titles.gather(item_idx).rename("title"))
    for s, source in enumerate(candidates.sources):
        rank = candidates.source_rank[part, s]
        columns.append(_masked(f"{source}_rank", rank, rank > 0))
        columns.append(_masked(f"{source}_score", candidates.source_score[part, s], rank > 0))
        if candidates.source_reason is not None and (candidates.source_reason[:, s] >= 0).any():
            said = [candidates.reason_of(at, s) for at in range(part.start, part.stop)]
            columns.append(pl.Series(f"{source}_reason", said, dtype=pl.String))
    anchor = candidates.anchor[part]
    because = [memory.title_of(a) if a >= 0 else None for a in anchor.tolist()]
    columns.append(pl.Series("because_of", because, dtype=pl.String))
    removed = candidates.removed_by[part]
    names = [candidates.rules[code - 1] if code else None for code in removed.tolist()]
    columns.append(pl.Series("removed_by", names, dtype=pl.String))
    columns.append(_masked("score", candidates.score[part], removed == 0))
    columns += _steps(candidates, part)
    columns.append(_final_rank(shown.lists, row, item_idx))
    return pl.DataFrame(columns).sort(
        "rank", "score", "item_id", descending=[False, True, False], nulls_last=True
    )


def _steps(candidates: Candidates, part: slice) -> list[pl.Series]:
    """Return the score after each step, and what each term was worth for the items on the list."""
    columns = []
    if candidates.step_score is not None:
        kept = candidates.removed_by[part] == 0
        columns += [
            _masked(f"score after {name}", candidates.step_score[part, at], kept)
            for at, name in enumerate(candidates.steps)
        ]
    if candidates.term_value is not None:
        values = candidates.term_value[part]
        columns += [
            _masked(name, values[:, at], ~np.isnan(values[:, at])) for at, name in enumerate(candidates.terms)
        ]
    if candidates.pinned is not None and candidates.pinned[part].any():
        columns.append(pl.Series("pinned", candidates.pinned[part]))
    return columns


def _final_rank(lists: Lists, row: int, item_idx: NDArray[np.int32]) -> pl.Series:
    part = slice(int(lists.ptr[row]), int(lists.ptr[row + 1]))
    rank = dict(zip(lists.item_idx[part].tolist(), lists.rank[part].tolist(), strict=True))
    return pl.Series("rank", [rank.get(i) for i in item_idx.tolist()], dtype=pl.Int32)


def _masked(name: str, values: NDArray[np.generic], keep: NDArray[np.bool_]) -> pl.Series:
    series = pl.Series(name, values)
    return series.to_frame().select(pl.when(pl.Series(keep)).then(pl.col(name)).alias(name))[name]
