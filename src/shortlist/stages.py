"""What the stages hand to one another: arrays, never a half-built object, and the Protocols of the stages.

All arrays of one object are aligned. A list per user is stored flat: `ptr` int64[n + 1] says where each begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

KEPT = 0  # `removed_by` of a candidate that no rule removed
SEEN = "seen"
NOT_IN_ITEMS = "not in items="
EXCLUDED = "in exclude="
OF_A_REQUEST = (SEEN, NOT_IN_ITEMS, EXCLUDED)  # the rules that every request has


@dataclass(frozen=True, eq=False)
class History:
    """The events of each user in the order of time (ties in the order of the log).

    ptr int64[n + 1]; item_idx int32[m]; value float32[m]; positive bool[m]; timestamp int64[m] µs UTC or None.
    """

    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    value: NDArray[np.float32]
    positive: NDArray[np.bool_]
    timestamp: NDArray[np.int64] | None

    def __len__(self) -> int:
        return self.ptr.size - 1

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Return int64[m]: the row (user) of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    def take(self, rows: NDArray[np.integer[Any]]) -> History:
        """Return the histories of `rows` int[n]; an empty one for each −1."""
        known = rows >= 0
        safe = np.where(known, rows, 0)
        length = (
            np.where(known, self.ptr[safe + 1] - self.ptr[safe], 0)
            if len(self)
            else np.zeros(rows.size, np.int64)
        )
        ptr = offsets(length)
        start = self.ptr[safe] if len(self) else np.zeros(rows.size, np.int64)
        at = np.arange(ptr[-1]) + np.repeat(start - ptr[:-1], length)
        return self._select(ptr, at)

    def until(self, now: int | None) -> History:
        """Return the events not later than `now` (µs); all of them where `now` or the times are unknown."""
        if now is None or self.timestamp is None or not np.any(self.timestamp > now):
            return self
        return self.where(self.timestamp <= now)

    def where(self, keep: NDArray[np.bool_]) -> History:
        """Return the events for which `keep` bool[m] holds."""
        length = np.bincount(self.row[keep], minlength=len(self))
        return self._select(offsets(length), np.flatnonzero(keep))

    def _select(self, ptr: NDArray[np.int64], at: NDArray[np.int64]) -> History:
        timestamp = None if self.timestamp is None else self.timestamp[at]
        return History(ptr, self.item_idx[at], self.value[at], self.positive[at], timestamp)


@dataclass(frozen=True, eq=False)
class Eligible:
    """Which items may be shown to whom, and the name of the rule that forbids the others.

    - rules: the names; a rule's code is its position + 1 (0 means no rule forbids).
    - item_rule int8[n_items]: the rule that forbids an item to everybody, 0 where none does.
    - ptr int64[n + 1], item_idx int32[m] (ascending and distinct within a user), rule int8[m]: forbidden to one user.
    """

    rules: tuple[str, ...]
    item_rule: NDArray[np.int8]
    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    rule: NDArray[np.int8]

    @classmethod
    def of(
        cls,
        n_items: int,
        history: History,
        *,
        exclude_seen: bool,
        items: NDArray[np.int32] | None = None,
        exclude: NDArray[np.int32] | None = None,
    ) -> Eligible:
        """Return what `recommend(exclude_seen=, items=, exclude=)` allows. `items` None allows all."""
        item_rule = np.zeros(n_items, np.int8)
        if items is not None:
            item_rule[:] = 2
            item_rule[items] = 0
        if exclude is not None:
            item_rule[exclude] = 3
        if not exclude_seen:
            history = history.where(np.zeros(history.item_idx.size, bool))
        key = distinct(history.row * n_items + history.item_idx)
        row, item = np.divmod(key, max(n_items, 1))
        ptr = offsets(np.bincount(row, minlength=len(history)))
        return cls(OF_A_REQUEST, item_rule, ptr, item.astype(np.int32), np.full(key.size, 1, np.int8))

    def __len__(self) -> int:
        return self.ptr.size - 1

    def rows(self, rows: NDArray[np.integer[Any]]) -> Eligible:
        """Return the rules of the users at `rows`."""
        length = self.ptr[rows + 1] - self.ptr[rows]
        ptr = offsets(length)
        at = np.arange(ptr[-1]) + np.repeat(self.ptr[rows] - ptr[:-1], length)
        return Eligible(self.rules, self.item_rule, ptr, self.item_idx[at], self.rule[at])

    def rule_of(self, row: NDArray[np.int64], item_idx: NDArray[np.int32]) -> NDArray[np.int8]:
        """Return int8[m]: the code of the rule that forbids each (row, item), 0 where it may be shown."""
        n_items = max(self.item_rule.size, 1)
        own = np.repeat(np.arange(len(self)), np.diff(self.ptr)) * n_items + self.item_idx
        wanted = row * n_items + item_idx
        at = np.minimum(np.searchsorted(own, wanted), max(own.size - 1, 0))
        personal = np.zeros(wanted.size, np.int8)
        if own.size:
            personal = np.where(own[at] == wanted, self.rule[at], 0).astype(np.int8)
        return np.where(personal != 0, personal, self.item_rule[item_idx]).astype(np.int8)

    def n_forbidden(self, row: int) -> dict[str, int]:
        """Return how many items each rule keeps from the user at `row`, most first; rules that keep none left out."""
        own = slice(self.ptr[row], self.ptr[row + 1])
        count = self._n_forbidden_to_all.copy()
        np.subtract.at(count, self.item_rule[self.item_idx[own]], 1)
        np.add.at(count, self.rule[own], 1)
        count[0] = 0
        order = np.argsort(-count, kind="stable").tolist()
        return {self.rules[code - 1]: int(count[code]) for code in order if count[code]}

    @cached_property
    def _n_forbidden_to_all(self) -> NDArray[np.int64]:
        return np.bincount(self.item_rule, minlength=len(self.rules) + 1)

    @cached_property
    def n_open(self) -> int:
        """Return how many items no rule forbids to everybody."""
        return self.item_rule.size - int(np.count_nonzero(self.item_rule))

    def n_allowed(self) -> NDArray[np.int64]:
        """Return int64[n]: how many items each user may be shown."""
        open_to_all = self.item_rule[self.item_idx] == 0
        own = np.add.reduceat(np.append(open_to_all, False).astype(np.int64), self.ptr[:-1])
        own[np.diff(self.ptr) == 0] = 0
        return self.n_open - own


class Masks(Protocol):
    """Gives the mask of a class of users by its number."""

    def __getitem__(self, user_class: int, /) -> NDArray[np.bool_]:
        """Return bool[n_items]: what is forbidden to the users of the class."""


@dataclass(frozen=True, eq=False)
class Forbidden:
    """What one rule forbids to the users of a request; whatever is None it does not go by.

    - to_all bool[n_items]: forbidden to everybody
    - user_class int32[n], from 0, and by_class bool[n_classes, n_items], or what gives the mask of a class where that
      is asked for: forbidden to the users of a class (of a country, say)
    - row int64[m] and item_idx int32[m]: forbidden to single users, in any order
    """

    to_all: NDArray[np.bool_] | None = None
    user_class: NDArray[np.int32] | None = None
    by_class: NDArray[np.bool_] | Masks | None = None
    row: NDArray[np.int64] | None = None
    item_idx: NDArray[np.int32] | None = None


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked for one or many users.

    - user_idx int32[n]: −1 for a user outside the vocabulary.
    - history: their events up to `now`, one row a user.
    - eligible: which items may be shown to them.
    - k ≥ 0: the length of the lists; now: µs UTC or None where the data has no times.
    - context: what is said of the moment (device, hour, …), by the name of the column; the same for all its users.
    - features: what is said of people who are not in the data, by the name of the column: object[n], None where
      nothing is known. What is known of users in the data, each stage has from the data.
    - people: of people who are not in the data, their vectors (`models.vectors.UserVectors`, a row each) by the `space`
      of the model that folded them in.
    """

    user_idx: NDArray[np.int32]
    history: History
    eligible: Eligible
    k: int
    now: int | None
    context: Mapping[str, Any] | None = None
    features: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    people: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.user_idx.size

    def rows(self, rows: NDArray[np.integer[Any]]) -> Request:
        """Return the request of the users at `rows` only."""
        return replace(
            self,
            user_idx=self.user_idx[rows],
            history=self.history.take(rows),
            eligible=self.eligible.rows(rows),
            features={name: values[rows] for name, values in self.features.items()},
            people={space: vectors.take(rows) for space, vectors in self.people.items()},
        )


@dataclass(frozen=True, eq=False)
class Lists:
    """Ranked lists, best first: ptr int64[n + 1], item_idx int32[m], score float32[m] (finite)."""

    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    score: NDArray[np.float32]

    @classmethod
    def from_padded(cls, item_idx: NDArray[np.int32], score: NDArray[np.float32]) -> Lists:
        """Return the lists in `item_idx` int32[n, k], where −1 marks the unused end of a row."""
        used = item_idx >= 0
        if len(used) == 1:  # one user: views will do
            length = int(np.count_nonzero(used))
            return cls(np.array([0, length]), item_idx[0, :length], score[0, :length])
        return cls(offsets(used.sum(axis=1)), item_idx[used], score[used])

    @classmethod
    def empty(cls, n: int) -> Lists:
        """Return `n` empty lists."""
        return cls(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return self.ptr.size - 1

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Return int64[m]: the list each entry stands in."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    @cached_property
    def rank(self) -> NDArray[np.int32]:
        """Return int32[m]: the position in its list, from 1."""
        return (np.arange(self.item_idx.size) - self.ptr[self.row] + 1).astype(np.int32)

    def padded(self, k: int) -> NDArray[np.int32]:
        """Return int32[n, k]: the first k items of each list, −1 where a list is shorter."""
        out = np.full((len(self), k), -1, np.int32)
        first = self.rank <= k
        out[self.row[first], self.rank[first] - 1] = self.item_idx[first]
        return out

    @classmethod
    def joined(cls, parts: Sequence[tuple[NDArray[np.int64], Lists]], n: int) -> Lists:
        """Return `n` lists: list i of a part stands at its `rows[i]`; rows that no part has are empty."""
        if not parts:
            return cls.empty(n)
        ptr, order = _interleaved([(rows, lists.ptr) for rows, lists in parts], n)
        item_idx = np.concatenate([lists.item_idx for _, lists in parts])
        score = np.concatenate([lists.score for _, lists in parts])
        return cls(ptr, item_idx[order], score[order])

    def scatter(self, rows: NDArray[np.int64], n: int) -> Lists:
        """Return `n` lists of which list i of these stands at `rows[i]` (ascending); the others are empty."""
        length = np.zeros(n, np.int64)
        length[rows] = np.diff(self.ptr)
        return Lists(offsets(length), self.item_idx, self.score)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Proposed items of each user, distinct within a user, with where they came from and what became of them.

    - ptr int64[n + 1], item_idx int32[m]
    - source_rank int32[m, S]: rank (from 1) that each source gave it, 0: not from that source
    - source_score float32[m, S]: that source's score, 0 where it is not from it
    - anchor int32[m]: the item of the user's history that led to it (the item itself: the user chose it before), −1
      where none did
    - score float32[m]: the scorer's value, after adjustments; 0 before scoring
    - removed_by int8[m]: code of the rule that removed it, 0: kept
    - sources: the S names; rules: the names behind `removed_by` (code = position + 1)
    - source_reason int32[m, S]: the position in `reasons` of what a source says of this proposal in particular, −1
      where it has no more to say than its `explain`; None where no source has
    - steps: the scorer and the adjustments after it, where there are any; step_score float32[m, n_steps]: the score
      after each
    - terms: what a list was chosen by, where it was; term_value float32[m, n_terms]: what each was worth when the
      candidate was chosen, NaN for the others; pinned bool[m]: it stands on the list because it is pinned
    """

    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    source_rank: NDArray[np.int32]
    source_score: NDArray[np.float32]
    anchor: NDArray[np.int32]
    score: NDArray[np.float32]
    removed_by: NDArray[np.int8]
    sources: tuple[str, ...]
    rules: tuple[str, ...] = ()
    source_reason: NDArray[np.int32] | None = None
    reasons: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    step_score: NDArray[np.float32] | None = None
    terms: tuple[str, ...] = ()
    term_value: NDArray[np.float32] | None = None
    pinned: NDArray[np.bool_] | None = None

    _aligned: ClassVar[tuple[str, ...]] = (
        "item_idx",
        "source_rank",
        "source_score",
        "anchor",
        "score",
        "removed_by",
        "source_reason",
        "step_score",
        "term_value",
        "pinned",
    )

    @classmethod
    def from_lists(
        cls,
        lists: Lists,
        source: str,
        anchor: NDArray[np.int32] | None = None,
        reason: NDArray[np.int32] | None = None,
        reasons: Sequence[str] = (),
    ) -> Candidates:
        """Return the proposals of one source, best first; `reason` int32[m] are positions in `reasons`, or −1."""
        m = lists.item_idx.size
        return cls(
            lists.ptr,
            lists.item_idx,
            lists.rank[:, None],
            lists.score[:, None],
            np.full(m, -1, np.int32) if anchor is None else anchor,
            np.zeros(m, np.float32),
            np.zeros(m, np.int8),
            (source,),
            source_reason=None if reason is None else reason[:, None],
            reasons=tuple(reasons),
        )

    @classmethod
    def joined(cls, parts: Sequence[tuple[NDArray[np.int64], Candidates]], n: int) -> Candidates:
        """Return the candidates of `n` users: row i of a part stands at its `rows[i]`; the others have none.

        There is at least one part, and all have the same sources and rules.
        """
        ptr, order = _interleaved([(rows, part.ptr) for rows, part in parts], n)
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for _, part in parts])[order]
            for name in cls._aligned
            if name != "source_reason" and all(getattr(part, name) is not None for _, part in parts)
        }
        said, reasons = reasons_of([part for _, part in parts])
        reason = None if said is None else np.concatenate(said)[order]
        return replace(parts[0][1], ptr=ptr, source_reason=reason, reasons=reasons, **arrays)

    def __len__(self) -> int:
        return self.ptr.size - 1

    @cached_property
    def row(self) -> NDArray[np.int64]:
        """Return int64[m]: the row (user) of each candidate."""
        return np.repeat(np.arange(len(self)), np.diff(self.ptr))

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Return bool[m]: whether no rule removed the candidate."""
        kept: NDArray[np.bool_] = self.removed_by == KEPT
        return kept

    def where(self, keep: NDArray[np.bool_]) -> Candidates:
        """Return the candidates for which `keep` bool[m] holds, of the same users."""
        arrays: dict[str, Any] = {
            name: getattr(self, name)[keep] for name in self._aligned if getattr(self, name) is not None
        }
        return replace(self, ptr=offsets(np.bincount(self.row[keep], minlength=len(self))), **arrays)

    def reason_of(self, at: int, source: int) -> str | None:
        """Return what a source says of the candidate at `at` in particular, None where it says nothing."""
        code = -1 if self.source_reason is None else int(self.source_reason[at, source])
        return None if code < 0 else self.reasons[code]

    def remove(self, codes: NDArray[np.int8], rules: Sequence[str]) -> Candidates:
        """Return the candidates with `codes` int8[m] (0: keep; else position in `rules` + 1) applied to those kept."""
        shifted = np.where(codes != 0, codes + len(self.rules), 0).astype(np.int8)
        return replace(
            self, removed_by=np.where(self.kept, shifted, self.removed_by), rules=(*self.rules, *rules)
        )


class EligibilityRule(Protocol):
    """Says which items may not be shown; `name` stands in the trace."""

    @property
    def name(self) -> str:
        """Return the name that stands in the trace."""

    def forbids(self, request: Request) -> Forbidden:
        """Return what the rule forbids to the users of the request."""


class CandidateSource(Protocol):
    """Proposes items; `name` stands in the trace."""

    @property
    def name(self) -> str:
        """Return the name that stands in the trace."""

    def propose(self, request: Request) -> Candidates:
        """Return proposals for every user of the request, best first, none where it knows nothing of a user."""

    def explain(self, n_liked: int) -> str:
        """Return why this source proposes an item that `n_liked` people like and that has no anchor.

        What it says of single proposals (which group, which place) stands with them, in `Candidates.reasons`.
        """


class Scorer(Protocol):
    """Gives every candidate one comparable value, larger is better."""

    @property
    def name(self) -> str:
        """Return the name that stands in the trace."""

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: whether there is something to say about each user; the others are unknown."""

    def can_score(self, request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return bool[m]: whether there is something to say about each candidate; the others are removed."""

    def score(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return float32[m], finite."""


@dataclass(frozen=True, eq=False)
class CandidateExamples:
    """Candidates to learn from: what was proposed at a cut in the past, and whether it was taken after it.

    - request: the people, each a group, with their histories up to the cut
    - candidates: proposed by sources that were fitted on what was before the cut; none is removed, none is scored
    - positive bool[m]: whether the person has a positive event with the candidate after the cut; somebody has one
    - weight float64[n]: how many people each stands for, where not everybody is among them
    """

    request: Request
    candidates: Candidates
    positive: NDArray[np.bool_]
    weight: NDArray[np.float64]

    @cached_property
    def took(self) -> NDArray[np.bool_]:
        """Return bool[n]: who took one of their candidates; the others have nothing that tells them apart."""
        taken: NDArray[np.bool_] = (
            np.bincount(self.candidates.row[self.positive], minlength=len(self.weight)) > 0
        )
        return taken

    def of(self, people: NDArray[np.bool_]) -> CandidateExamples:
        """Return the examples of the people for whom `people` bool[n] holds."""
        rows, mine = np.flatnonzero(people), people[self.candidates.row]
        candidates = replace(self.candidates.where(mine), ptr=offsets(np.diff(self.candidates.ptr)[rows]))
        return CandidateExamples(self.request.rows(rows), candidates, self.positive[mine], self.weight[rows])


@runtime_checkable
class LearnsFromCandidates(Protocol):
    """What a `Scorer` may have besides: it is trained on candidates such as it will score.

    It learns from what the examples hold (ranks and scores of the sources, histories, features). A model of its own is
    fitted on later events too, those that label the examples among them, so it does not learn from that model's scores.
    """

    def learned_from(self, examples: CandidateExamples, before: Self, rng: np.random.Generator) -> Self:
        """Return the scorer trained on `examples`; this one, which is bound to all of the data, stays as it is.

        `before` is the same scorer bound to what was before the cut: features of the examples are made by it, so that
        nothing that the labels were made of is in them.
        """


class Adjustment(Protocol):
    """Changes scores after scoring (freshness, boosts)."""

    @property
    def name(self) -> str:
        """Return the name that stands in the trace."""

    def adjust(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return the new scores float32[m], finite."""


@runtime_checkable
class ChoosesLists(Protocol):
    """The last step of re-ranking, which chooses each list as a list."""

    @property
    def name(self) -> str:
        """Return the name that stands in the trace."""

    def select(self, request: Request, candidates: Candidates) -> tuple[Lists, Candidates]:
        """Return the lists, best first, and the candidates with what each was chosen for."""


def reasons_of(
    parts: Sequence[Candidates],
) -> tuple[list[NDArray[np.int32]] | None, tuple[str, ...]]:
    """Return the `source_reason` of each part, as positions in the reasons of all of them, and those reasons.

    None where no part has any.
    """
    if all(part.source_reason is None for part in parts):
        return None, ()
    said: list[NDArray[np.int32]] = []
    reasons: list[str] = []
    for part in parts:
        own = part.source_reason
        shifted = (
            np.full(part.source_rank.shape, -1) if own is None else np.where(own < 0, -1, own + len(reasons))
        )
        said.append(shifted.astype(np.int32))
        reasons.extend(part.reasons)
    return said, tuple(reasons)


def offsets(length: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return int64[n + 1]: where each of n consecutive rows of the given lengths begins, and the end.

    >>> offsets(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    ptr = np.zeros(length.size + 1, np.int64)
    np.cumsum(length, out=ptr[1:])
    return ptr


def _interleaved(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ptr int64[n + 1] and the order int64[m] of the concatenated entries of parts, each (rows, ptr)."""
    row = np.concatenate([np.repeat(rows, np.diff(ptr)) for rows, ptr in parts])
    return offsets(np.bincount(row, minlength=n)), np.argsort(row, kind="stable")


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the distinct `values` int64[m] in ascending order, by sorting: `np.unique` hashes, which takes longer.

    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    ordered = np.sort(values)
    new = np.ones(ordered.size, bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]
