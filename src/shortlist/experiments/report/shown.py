"""Shown: the lists of some people, and those that the scores alone would give them, from the same candidates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.memory import Limits
from shortlist.eligibility.within_rules import within_rules
from shortlist.pipeline import Pipeline
from shortlist.reranking.chain import best_of, chooser, listed
from shortlist.reranking.effects import TermEffect, effects
from shortlist.reranking.select import Select
from shortlist.stages import distinct, offsets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.experiments.recommender import Recommender
    from shortlist.stages import Candidates, Lists, Request

    Floats = NDArray[np.float64]

BLOCK_PEOPLE = 1024  # their candidates are in memory at a time


@dataclass(frozen=True, eq=False)
class Shown:
    """The lists of n people, of k items at most, and what else the figures are made of.

    - user_idx int32[n], ascending: everybody who has a list; n_left_out: asked for, and without one
    - lists int32[n, k]: what is shown, −1 at the unused end; by_score int32[n, k]: the same candidates by their first
      score, None where nothing re-ranks
    - relevance, relevance_by_score float64[n]: mean over each of the two of the first score, 0 … 1 over the person's
      candidates; None where nothing re-ranks
    - liked_ptr int64[n + 1], liked int32[x]: the distinct items that each likes, ascending
    - open_items bool[n_items]: what may be shown to somebody of them
    - effects: of each term of `Select`, over these people
    """

    user_idx: NDArray[np.int32]
    lists: NDArray[np.int32]
    by_score: NDArray[np.int32] | None
    relevance: Floats | None
    relevance_by_score: Floats | None
    liked_ptr: NDArray[np.int64]
    liked: NDArray[np.int32]
    open_items: NDArray[np.bool_]
    effects: Sequence[TermEffect]
    n_left_out: int

    def __len__(self) -> int:
        return self.user_idx.size


def shown_to(recommender: Recommender, user_idx: NDArray[np.int32], k: int, *, exclude_seen: bool) -> Shown:
    """Return what a fitted model or pipeline shows to the people at `user_idx` int32[m], ascending.

    Who is unknown to the scorer, or has no candidate, is left out. Cost: that of the lists, without terms; each term of
    `Select` costs one more selection. Memory: the candidates of a block of people.
    """
    blocks = [user_idx[at : at + BLOCK_PEOPLE] for at in range(0, user_idx.size, BLOCK_PEOPLE)]
    parts = [
        _of_pipeline(recommender, block, k, exclude_seen=exclude_seen)
        if isinstance(recommender, Pipeline)
        else _of_model(recommender, block, k, exclude_seen=exclude_seen)
        for block in blocks
    ]
    return _joined(parts)


def _of_model(recommender: Recommender, block: NDArray[np.int32], k: int, *, exclude_seen: bool) -> Shown:
    memory = recommender.memory_
    users = memory.users.ids_of(block)
    shown = recommender.recommend(users, k, exclude_seen=exclude_seen, on_unknown="skip")
    everything = np.ones(len(memory.items), bool)
    return _with_lists(memory, block, k, shown.lists, everything)


def _of_pipeline(pipeline: Pipeline, block: NDArray[np.int32], k: int, *, exclude_seen: bool) -> Shown:
    memory = pipeline.memory_
    request = memory.request(block, k, Limits(exclude_seen=exclude_seen))
    candidates = pipeline.candidates(request)
    open_items = _open_to_somebody(pipeline, request)
    lists, _ = listed(pipeline.rerank_, request, candidates)
    if not pipeline.rerank_:
        return _with_lists(memory, block, k, lists, open_items)
    first = _at_first_score(candidates)
    plain = best_of(_proposed(first), k)
    some = _with_lists(memory, block, k, lists, open_items)
    has, select = np.diff(lists.ptr) > 0, chooser(pipeline.rerank_)
    of_terms = effects(select, request, candidates) if isinstance(select, Select) else []
    return replace(
        some,
        by_score=plain.padded(k)[has],
        relevance=_relevance(first, lists)[has],
        relevance_by_score=_relevance(first, plain)[has],
        effects=[effect.rows(has) for effect in of_terms],
    )


def _at_first_score(candidates: Candidates) -> Candidates:
    """Return the candidates with the score that the scorer gave, before any adjustment."""
    if candidates.step_score is None:
        return candidates
    return replace(candidates, score=np.ascontiguousarray(candidates.step_score[:, 0]))


def _proposed(candidates: Candidates) -> Candidates:
    """Return the candidates without those that are there only because they are pinned."""
    nobodys = np.asarray(~(candidates.source_rank > 0).any(axis=1), np.int8)
    return candidates.remove(nobodys, ("no source",))


def _open_to_somebody(pipeline: Pipeline, request: Request) -> NDArray[np.bool_]:
    """Return bool[n_items]: what no rule forbids to everybody of the request."""
    allowed = np.zeros(len(pipeline.memory_.items), bool)
    parts: Iterable[Request] = (
        (part for _, part in within_rules(request, pipeline.rules_)) if pipeline.rules_ else (request,)
    )
    for part in parts:
        allowed |= part.eligible.item_rule == 0
    return allowed


def _relevance(candidates: Candidates, lists: Lists) -> Floats:
    """Return float64[n]: mean score of each list, 0 … 1 over the kept candidates of its person; NaN without a list."""
    n, kept = len(candidates), candidates.kept
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    score = candidates.score.astype(np.float64)
    np.minimum.at(low, candidates.row[kept], score[kept])
    np.maximum.at(high, candidates.row[kept], score[kept])
    width = int(candidates.item_idx.max(initial=0)) + 1
    at = np.searchsorted(candidates.row * width + candidates.item_idx, lists.row * width + lists.item_idx)
    mean = np.full(n, np.nan)
    has = np.diff(lists.ptr) > 0
    total, count = np.bincount(lists.row, score[at], n), np.diff(lists.ptr)
    spread = np.where(high > low, high - low, 1.0)
    mean[has] = (total[has] / count[has] - low[has]) / spread[has]
    return mean


def _with_lists(
    memory: Memory, block: NDArray[np.int32], k: int, lists: Lists, open_items: NDArray[np.bool_]
) -> Shown:
    """Return the people of a block who have a list, with their lists and what they like."""
    has = np.diff(lists.ptr) > 0
    past = memory.history.take(block[has])
    past = past.where(past.positive)
    n_items = max(len(memory.items), 1)
    row, item = np.divmod(distinct(past.row * n_items + past.item_idx), n_items)
    ptr = offsets(np.bincount(row, minlength=int(has.sum())))
    padded = lists.padded(k)[has]
    left_out = int(np.count_nonzero(~has))
    return Shown(block[has], padded, None, None, None, ptr, item.astype(np.int32), open_items, [], left_out)


def _joined(parts: Sequence[Shown]) -> Shown:
    first = parts[0]
    ptr = offsets(np.concatenate([np.diff(part.liked_ptr) for part in parts]))
    return Shown(
        np.concatenate([part.user_idx for part in parts]),
        np.concatenate([part.lists for part in parts]),
        _stacked([part.by_score for part in parts]),
        _stacked([part.relevance for part in parts]),
        _stacked([part.relevance_by_score for part in parts]),
        ptr,
        np.concatenate([part.liked for part in parts]),
        np.logical_or.reduce([part.open_items for part in parts]),
        [TermEffect.joined([part.effects[at] for part in parts]) for at in range(len(first.effects))],
        sum(part.n_left_out for part in parts),
    )


def _stacked(parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Return all parts in one array; None where there are none."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
