"""Recommendations: what every `recommend` returns; the edge where arrays become a frame of the caller's ids."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import polars.selectors as cs

from shortlist.data.explanation import Told, explained
from shortlist.data.trace import trace_frame
from shortlist.errors import UnknownIdError
from shortlist.stages import Candidates, Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.explanation import Explanation
    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Id

Reason = str


PLAIN_REASON = "scored highest for you"
# A smaller number of people is not named: "liked by 1 person" says of somebody what they like.
FEWEST_NAMED = 5
EFFECTS = {
    "term": pl.String,
    "weight": pl.Float64,
    "goal": pl.String,
    "goal_with": pl.Float64,
    "goal_without": pl.Float64,
    "relevance_with": pl.Float64,
    "relevance_without": pl.Float64,
}


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
    - chosen_by: what chose the lists and by what, in words, where they are not ordered by score
    - candidates: everything that was proposed (pipelines only), rows aligned with user_ids
    - explain_of, effects_of, notes_of: what `explain`, `effects` and `notes` ask; whoever made the lists knows
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
    chosen_by: str | None = None
    explain_of: Callable[[Recommendations, int], Sequence[Explanation]] | None = None
    effects_of: Callable[[Recommendations, int], Sequence[Mapping[str, str | float]]] | None = None
    notes_of: Callable[[Recommendations], Mapping[Id, Sequence[str]]] | None = None

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

    @cached_property
    def notes(self) -> Mapping[Id, Sequence[str]]:
        """Return user id → what was asked for and could not be done, in words: a pin that a rule forbids.

        Users of whom there is nothing to say are absent.
        """
        return self.notes_of(self) if self.notes_of else {}

    def explain(self, user_id: Id) -> tuple[Explanation, ...]:
        """Return why each item is on the list of the user, in its order: a sentence, and what it is made of.

        What the scorer's (or the single model's) score is made of is asked of it, past items and features with amounts;
        where it cannot say it, or nothing speaks for the item, the sentence is that of `reasons`. Only the user's own
        positive events are cited. What else put an item there is said, too: a pin, a boost, a worth.
        Cost: that of the contributions of one person, and of `reasons` once. Raises `UnknownIdError`.
        """
        row = self.row_of(user_id)
        if self.explain_of is not None:
            return tuple(self.explain_of(self, row))
        return explained(self, row, np.zeros(0, np.int32), [Told(reason) for reason in self.reasons_of(row)])

    def reasons_of(self, row: int) -> list[Reason]:
        """Return the reasons of the list at `row`, in its order."""
        start, stop = int(self.lists.ptr[row]), int(self.lists.ptr[row + 1])
        texts: list[Reason] = self.reasons["reason"].slice(start, stop - start).to_list()
        return texts

    def effects(self, user_id: Id) -> pl.DataFrame:
        """Return one row for each term of `Select` that this list was chosen by: what it costs, and what it gains.

        Columns: term, weight, goal (what the term is for, in words), goal_with, goal_without, relevance_with,
        relevance_without: of the list as it is, and of the one chosen with the weight of the term given back to
        relevance. Relevance is the mean over the list, 0 … 1; null where a figure has no meaning. Without rows where
        the list was chosen by score.
        """
        row = self.row_of(user_id)
        rows = self.effects_of(self, row) if self.effects_of else []
        return pl.DataFrame(rows, EFFECTS, strict=False).with_columns(cs.float().fill_nan(None))

    def row_of(self, user_id: Id) -> int:
        """Return the position of `user_id` among the users asked for. Raises `UnknownIdError`."""
        found = np.flatnonzero(np.array([u == user_id for u in self.user_ids.to_list()], bool))
        if not found.size:
            raise UnknownIdError(
                f"user {user_id!r} is not among the {len(self)} users of these recommendations"
            )
        return int(found[0])

    def trace(self, user_id: Id) -> pl.DataFrame:
        """Return one row a candidate of the user: what proposed it, what removed it, its way to the list.

        Columns: item_id, title (where known), for each source its rank and score (null where it did not propose the
        item) and, of a source that says it of each proposal, its reason, because_of (the item of the user's history
        that led to it), removed_by (null: kept), score (null where none was computed), "place after NAME" of the scorer
        and each adjustment (1: the best of those kept; "turns" in place of a scorer that knows nothing of the user),
        with adjustments "score after NAME" too, what each term of `Select` was worth, rank (the place on the list, null
        where it is not there). What a pin alone brought has no source. Ordered by rank, then the other kept ones by
        score, then the removed ones. Only pipelines have candidates; the trace of a single model is its list.
        """
        row = self.row_of(user_id)
        if self.candidates is None:
            return self.frame.filter(pl.Series(self.lists.row == row)).drop("user_id")
        return trace_frame(self, self.candidates, row)

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
    """Return the sentence for an item that is shown because many like it; of fewer than five people no number."""
    if n_users < FEWEST_NAMED:
        return f"popular: liked by fewer than {FEWEST_NAMED} people"
    return f"popular: liked by {n_users} people"
