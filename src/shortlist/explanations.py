"""Explanations: what a pipeline says of the lists that it made: reasons, explanations, effects, notes, shortfalls.

Nothing here is asked for while lists are made, but for the shortfalls: each is computed when somebody wants it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.contributions import Contributions, ExplainsScores
from shortlist.data.explanation import Explanation, Told, explained, liked_by
from shortlist.data.recommendations import popular_reason
from shortlist.errors import ParameterError
from shortlist.models.past_items import again_reason, times_chosen
from shortlist.reranking.boost import Boost
from shortlist.reranking.chain import UNSCORED, adjustments, chooser
from shortlist.reranking.effects import effects
from shortlist.reranking.select import Select
from shortlist.retrieval.merge import BEYOND_SIZE
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.memory import Memory
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.vocabulary import Id
    from shortlist.pipeline import Pipeline
    from shortlist.stages import Candidates, CandidateSource, ChoosesLists, Request

_ALIGNED = ("item_idx", "source_rank", "source_score", "anchor", "score", "removed_by")
_ALIGNED_IF_THERE = ("source_reason", "step_score", "term_value", "pinned")


def reasons(pipeline: Pipeline, request: Request, shown: Recommendations) -> list[str]:
    """Return a sentence for each item shown, taken from the trace: its anchor, else its best-ranking source.

    What stands on a list because it is pinned says so, and what is ranked for its worth says that.
    """
    candidates, memory = shown.candidates, shown.memory
    if candidates is None:
        raise ParameterError("these recommendations carry no trace")
    n_items = max(len(memory.items), 1)
    key = candidates.row * n_items + candidates.item_idx
    at = np.searchsorted(key, shown.lists.row * n_items + shown.lists.item_idx)
    users = shown.user_ids.gather(shown.lists.row).to_list()
    times = times_chosen(request.history, shown.lists)
    rows = zip(
        users, shown.lists.item_idx.tolist(), at.tolist(), times.tolist(), shown.lists.rank, strict=True
    )
    worth = worth_of(pipeline)
    return [
        popular_reason(int(memory.n_positive[item]))
        if user in shown.fallback
        else _pinned(candidates, position, int(rank))
        or _with_worth(
            _reason(pipeline, candidates, memory, item, position, own), "" if user in shown.in_turn else worth
        )
        for user, item, position, own, rank in rows
    ]


def worth_of(pipeline: Pipeline) -> str:
    """Return what lists are ranked for where that is more than what the person is likely to want, else ""."""
    scorer = pipeline.scorer_
    is_worth = getattr(scorer, "is_worth_more_than_likely", False)
    return f"ranked for {scorer.says}" if is_worth else ""


def _with_worth(reason: str, worth: str) -> str:
    return f"{reason}; {worth}" if worth else reason


def _pinned(candidates: Candidates, at: int, rank: int) -> str | None:
    is_pinned = candidates.pinned is not None and bool(candidates.pinned[at])
    return f"pinned at place {rank}" if is_pinned else None


def _reason(
    pipeline: Pipeline, candidates: Candidates, memory: Memory, item: int, at: int, times: int
) -> str:
    anchor = int(candidates.anchor[at])
    if anchor == item:
        return again_reason(times)
    if anchor >= 0:
        return f"because you liked {memory.title_of(anchor)}"
    rank = candidates.source_rank[at]
    ranked = np.flatnonzero(rank).tolist()
    if not ranked:  # a pin to a place that the list does not have brought it
        return "an item that was to be pinned"
    best = min(ranked, key=lambda s: int(rank[s]))
    source: CandidateSource = pipeline.sources_[best]
    return candidates.reason_of(at, best) or source.explain(int(memory.n_positive[item]))


def explained_list(
    pipeline: Pipeline, request: Request, shown: Recommendations, row: int
) -> tuple[Explanation, ...]:
    """Return why each item is on the list at `row`; what scores are made of, the scorer is asked."""
    user, texts = shown.user_ids[row], shown.reasons_of(row)
    if shown.candidates is None or user in shown.fallback or not texts:
        return explained(shown, row, liked_by(request, row), [Told(text) for text in texts])
    own = of_person(shown.candidates, row)
    items = shown.lists.item_idx[shown.lists.ptr[row] : shown.lists.ptr[row + 1]]
    at = np.searchsorted(own.item_idx, items).astype(np.int64)
    is_scored = user not in shown.in_turn
    told = [
        _told(pipeline, own, int(position), place + 1, text, is_scored=is_scored)
        for place, (position, text) in enumerate(zip(at, texts, strict=True))
    ]
    said = _said(pipeline, request.rows(np.array([row])), own, at) if is_scored else None
    return explained(shown, row, liked_by(request, row), told, said)


def _told(pipeline: Pipeline, own: Candidates, at: int, place: int, reason: str, *, is_scored: bool) -> Told:
    pinned = _pinned(own, at, place)
    worth = worth_of(pipeline) if is_scored and pinned is None else ""
    ranks = dict(zip(own.sources, own.source_rank[at].tolist(), strict=True))
    return Told(
        reason.removesuffix(f"; {worth}"),  # it stands among the remarks
        led_by=int(own.anchor[at]),
        sources={name: rank for name, rank in ranks.items() if rank > 0},
        remarks=[*([worth] if worth else []), *_boosts(pipeline, own, at)],
        instead=pinned,
    )


def _boosts(pipeline: Pipeline, own: Candidates, at: int) -> list[str]:
    """Return what is said of the boosts that changed the score of a candidate, each with its label."""
    if own.step_score is None:
        return []
    changes = np.diff(own.step_score[at])
    steps = zip(adjustments(pipeline.rerank_), changes.tolist(), strict=True)
    return [
        f"{'boosted' if change > 0 else 'lowered'}: {step.label}"
        for step, change in steps
        if isinstance(step, Boost) and change != 0
    ]


def _said(
    pipeline: Pipeline, request: Request, own: Candidates, at: NDArray[np.int64]
) -> Contributions | None:
    scorer = pipeline.scorer_
    return scorer.contributions(request, own, at) if isinstance(scorer, ExplainsScores) else None


def effects_on_list(
    pipeline: Pipeline, request: Request, shown: Recommendations, row: int
) -> list[dict[str, Any]]:
    """Return what each term of `Select` did to the list at `row`; nothing where it was not chosen by terms."""
    select = chooser(pipeline.rerank_)
    if shown.candidates is None or not isinstance(select, Select) or shown.user_ids[row] in shown.fallback:
        return []
    own = of_person(shown.candidates, row)
    found = effects(select, request.rows(np.array([row])), own)
    numbers = ("goal_with", "goal_without", "relevance_with", "relevance_without")
    return [
        {"term": effect.term, "weight": effect.weight, "goal": effect.goal}
        | {name: float(getattr(effect, name)[0]) for name in numbers}
        for effect in found
    ]


def notes(pipeline: Pipeline, request: Request, shown: Recommendations) -> dict[Id, list[str]]:
    """Return for each user whose pins could not all be kept what became of them."""
    select = chooser(pipeline.rerank_)
    if not isinstance(select, Select) or not select.pins:
        return {}
    found = {
        user: _notes_of(select, shown, row, request.k) for row, user in enumerate(shown.user_ids.to_list())
    }
    return {user: said for user, said in found.items() if said}


def _notes_of(select: Select, shown: Recommendations, row: int, k: int) -> list[str]:
    said = []
    for item, place in zip(select.pin_item_.tolist(), select.pin_place_.tolist(), strict=True):
        why = _why_not_pinned(shown, row, item, place) if place <= k else None
        if why is not None:
            said.append(f"{shown.memory.title_of(item)} is not pinned at place {place}: {why}")
    return said


def _why_not_pinned(shown: Recommendations, row: int, item: int, place: int) -> str | None:
    """Return why an item does not stand at the place where it is pinned; None where it does."""
    user, candidates = shown.user_ids[row], shown.candidates
    listed = shown.lists.item_idx[shown.lists.ptr[row] : shown.lists.ptr[row + 1]].tolist()
    if listed[place - 1 : place] == [item]:
        return None
    if user in shown.fallback or candidates is None:
        return "nothing is known of this user, whose list is the popular one"
    own = slice(int(candidates.ptr[row]), int(candidates.ptr[row + 1]))
    at = own.start + np.flatnonzero(candidates.item_idx[own] == item)
    if not at.size:
        return "it is not among the candidates"
    code = int(candidates.removed_by[at[0]])
    if code:
        rule = candidates.rules[code - 1]
        is_silence = rule.startswith(UNSCORED)
        return rule if is_silence else f"forbidden goes before pinned, and it is removed by {rule!r}"
    if item in listed:
        return f"the list has {len(listed)} items, and it stands at place {listed.index(item) + 1}"
    return f"the list has {len(listed)} items"


def shortfalls(pipeline: Pipeline, shown: Recommendations, kept: NDArray[np.int64]) -> Mapping[Id, str]:
    """Return the shortfalls with what the pipeline did to make lists short: the size of its merge, and its caps.

    `kept` int64[n] is the number of candidates that the list of each user was chosen from.
    """
    select, cut, said = chooser(pipeline.rerank_), _with_cut(shown), dict(shown.shortfalls)
    lengths = zip(shown.user_ids.to_list(), np.diff(shown.lists.ptr).tolist(), kept.tolist(), strict=True)
    for user, length, n_kept in lengths:
        if user not in said:
            continue
        if select is not None and user not in shown.fallback and length < n_kept:
            said[user] = _left_by(select, length, n_kept)
        if user in cut:
            said[user] += f"; the merge lets {pipeline.merge.size} candidates through"
    return said


def _left_by(select: ChoosesLists, length: int, kept: int) -> str:
    """Return what a step that chooses lists says of a list that is shorter than the candidates were many."""
    said = f"{select.name} left {length} of {kept} candidates"
    if not isinstance(select, Select):
        return said
    if length >= select.pool:
        return f"{said} (it looks at the best {select.pool})"
    return f"{said} (caps: {select.capped})" if select.capped else said


def _with_cut(shown: Recommendations) -> frozenset[Id]:
    """Return the users for whom the size of the merge left proposals out."""
    candidates = shown.candidates
    if candidates is None or BEYOND_SIZE not in candidates.rules:
        return frozenset()
    cut = candidates.row[candidates.removed_by == candidates.rules.index(BEYOND_SIZE) + 1]
    return frozenset(shown.user_ids.gather(np.unique(cut)).to_list())


def of_person(candidates: Candidates, row: int) -> Candidates:
    """Return the candidates of the person at `row` alone."""
    part = slice(int(candidates.ptr[row]), int(candidates.ptr[row + 1]))
    there = [name for name in _ALIGNED_IF_THERE if getattr(candidates, name) is not None]
    arrays: dict[str, Any] = {name: getattr(candidates, name)[part] for name in (*_ALIGNED, *there)}
    return replace(candidates, ptr=offsets(np.array([part.stop - part.start])), **arrays)
