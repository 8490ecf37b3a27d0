"""The chain of re-ranking: scores adjusted step by step, and then the lists, by `Select` or by score."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import threads
from shortlist.errors import NonFiniteError
from shortlist.kernels.best_of_rows import best_of_rows
from shortlist.models.bound_stages import flat
from shortlist.reranking.select import Select
from shortlist.stages import ChoosesLists, Lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.stages import Adjustment, Candidates, Request

# What removes a candidate that the scorer has nothing to say about, before the scorer's name.
UNSCORED = "no score from"


def adjustments(steps: Sequence[Any]) -> Sequence[Adjustment]:
    """Return the steps that change scores: all but the last where that chooses lists."""
    return steps if chooser(steps) is None else steps[:-1]


def chooser(steps: Sequence[Any]) -> ChoosesLists | None:
    """Return the last step where it chooses lists, None where they are ordered by score."""
    last: Any = steps[-1] if steps else None
    # Whether a class has what a Protocol asks for takes Python longer to find than the kernel takes to choose.
    return last if isinstance(last, (Select, ChoosesLists)) else None


def adjusted(steps: Sequence[Any], request: Request, scored: Candidates, scorer: str) -> Candidates:
    """Return the candidates with adjusted scores; they know the names of `scorer` and steps, and the score after each.

    Raises `NonFiniteError` naming the step whose scores are not finite.
    """
    after, names = [scored.score], [scorer]
    for step in adjustments(steps):
        scored = replace(scored, score=finite(step.adjust(request, scored), step))
        after.append(scored.score)
        names.append(step.name)
    step_score = None if len(after) == 1 else np.stack(after, axis=1)
    return replace(scored, steps=tuple(names), step_score=step_score)


def listed(steps: Sequence[Any], request: Request, candidates: Candidates) -> tuple[Lists, Candidates]:
    """Return the lists, by `Select` or by score, and the candidates with what they were chosen for."""
    select = chooser(steps)
    return (
        (best_of(candidates, request.k), candidates) if select is None else select.select(request, candidates)
    )


def best_of(candidates: Candidates, k: int) -> Lists:
    """Return the k kept candidates of largest score of each user, best first, ties by smaller index."""
    shape = len(candidates), min(k, int(np.diff(candidates.ptr).max(initial=0)))
    item_idx, score = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
    arrays = candidates.ptr, candidates.item_idx, candidates.score, candidates.kept, item_idx, score
    threads.run_blocks(lambda start, stop: best_of_rows(*arrays, start, stop), len(candidates))
    return Lists.from_padded(item_idx, score)


def pins_within(steps: Sequence[Any], k: int) -> NDArray[np.int32]:
    """Return the items that are pinned to one of the first k places."""
    select = chooser(steps)
    return select.pin_item_[select.pin_place_ <= k] if isinstance(select, Select) else np.zeros(0, np.int32)


def finite(score: NDArray[np.float32], stage: Any) -> NDArray[np.float32]:
    """Return `score`. Raises `NonFiniteError` naming the stage, and the models behind it, unless all is finite."""
    wrong = int((~np.isfinite(score)).sum())
    if wrong:
        raise NonFiniteError(f"{_called(stage)} gave {wrong} scores that are NaN or infinite")
    return score


def _called(stage: Any) -> str:
    """Return the name of a stage, with its class and those of the stages and models it is made of where they differ."""
    within = [part for part in flat([stage]) if part is not stage]
    models = [part.model for part in flat([stage]) if part.model is not None]
    others = dict.fromkeys(type(part).__name__ for part in (stage, *within, *models))
    behind = ", ".join(name for name in others if name != stage.name)
    return f"{stage.name} ({behind})" if behind else str(stage.name)
