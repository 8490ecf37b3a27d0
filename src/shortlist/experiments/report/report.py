"""report: what the lists of many people are like together, and what the re-ranking does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.errors import ArtifactError, DataError, NotFittedError, ParameterError
from shortlist.experiments.report.group_columns import GroupColumn, group_columns
from shortlist.experiments.report.jackknife import blocks_of
from shortlist.experiments.report.measured import (
    Figure,
    Intervals,
    group_figures,
    list_figures,
    term_figures,
)
from shortlist.experiments.report.outcome import Report, Setting
from shortlist.experiments.report.person_figures import person_figures
from shortlist.experiments.report.shown import Shown, shown_to
from shortlist.experiments.report.whole_figures import FEW_PEOPLE, item_exposure, lorenz, whole_figures
from shortlist.metrics import Resampler
from shortlist.models.bound_stages import flat
from shortlist.models.model import Model
from shortlist.parameters import whole
from shortlist.pipeline import Pipeline
from shortlist.reranking.select import Select
from shortlist.reranking.similarity_terms import DPP, MMR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.memory import Memory

SHOWN, BY_SCORE = "shown", "by score alone"


def report(
    recommender: Model | Pipeline,
    *,
    k: int = 10,
    n_users: int | None = 1000,
    group: str | Sequence[str] = (),
    items: FeatureTable | Dataset | None = None,
    exclude_seen: bool = True,
    n_bootstrap: int = 2000,
    level: float = 0.95,
    rng: int = 0,
    on_step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Return what lists of `k` are like for many people: exposure, evenness, variety, calibration, popularity.

    Each figure of a pipeline that re-ranks stands beside that of the same candidates in the order of their score alone,
    with the paired difference. The report names no person.

    - recommender: fitted, and with the histories of its people
    - n_users: how many users of the data, drawn; None: all
    - group: columns of item features (categorical or tags: genre, maker) by which exposure is counted. Left out, those
      of the terms and caps of `Select`; where it has none, all whose labels are at hand
    - items: the item features, for columns whose labels the recommender does not keep
    - n_bootstrap, level: of the intervals; rng: a seed, of the people and of the resamples
    - on_step: called with a text at each step

    Raises `NotFittedError`, `ArtifactError` for what was saved without histories, `DataError` where fewer than 10
    people have a list (the figures would be theirs rather than people's) or a column is nowhere, `ParameterError`.
    Cost: that of the lists, and one selection more for each term.
    """
    memory = _memory_of(recommender)
    names = [group] if isinstance(group, str) else list(group)
    whole("k", k, least=1)
    whole("n_bootstrap", n_bootstrap, least=1)
    whole("rng", rng, least=0)
    columns, notes = group_columns(recommender, names, items)
    people = _drawn(memory, n_users, rng)
    on_step(f"making lists for {people.size:,} people")
    shown = shown_to(recommender, people, k, exclude_seen=exclude_seen)
    _require_people(shown)
    on_step("measuring them")
    intervals = Intervals(Resampler(len(shown), n_bootstrap, rng=rng), level)
    return Report(
        _setting(recommender, shown, columns, k, exclude_seen, n_bootstrap, level, rng),
        _figures(shown, memory, columns, _vectors_of(recommender), intervals, blocks_of(len(shown), rng)),
        {one.column: group_figures(shown, one, intervals) for one in columns},
        term_figures(shown.effects, _compared_by(recommender, shown), intervals),
        _curves(shown),
        notes,
    )


def _memory_of(recommender: Any) -> Memory:
    if not isinstance(recommender, Model | Pipeline):
        raise ParameterError(f"report takes a fitted model or pipeline, got {recommender!r}")
    if not recommender.is_fitted:
        raise NotFittedError("what is not fitted shows no lists; call fit(dataset) first")
    memory = recommender.memory_
    if not memory.history.item_idx.size:
        raise ArtifactError(
            "there are no histories here (they were left out when it was saved, say), and the report sets lists beside "
            "people's own past: make it from what was fitted, before histories are left out"
        )
    return memory


def _drawn(memory: Memory, n_users: int | None, rng: int) -> NDArray[np.int32]:
    """Return the positions of the people, ascending."""
    n = len(memory.users)
    if n_users is None:
        return np.arange(n, dtype=np.int32)
    wanted = whole("n_users", n_users, least=FEW_PEOPLE)
    drawn = np.random.default_rng(rng).choice(n, min(wanted, n), replace=False)
    return np.sort(drawn).astype(np.int32)


def _require_people(shown: Shown) -> None:
    if len(shown) < FEW_PEOPLE:
        raise DataError(
            f"{len(shown)} people have a list, {shown.n_left_out} of those drawn have none; a report is about at least "
            f"{FEW_PEOPLE}, so that it describes nobody in particular: draw more, or ask with what they have seen"
        )


def _figures(
    shown: Shown,
    memory: Memory,
    columns: Sequence[GroupColumn],
    vectors: tuple[str, Any] | None,
    intervals: Intervals,
    block: NDArray[np.int64],
) -> list[Figure]:
    of_lists = list_figures(person_figures(shown, memory, columns, vectors), intervals)
    together = whole_figures(shown, columns, block, intervals.level)
    n = len(shown)
    return of_lists + [
        Figure(one.name, one.of, one.shown, one.by_score, one.difference, n) for one in together
    ]


def _vectors_of(recommender: Model | Pipeline) -> tuple[str, Any] | None:
    """Return the vectors by which items are compared where nothing else is said, and what they are of."""
    models = [recommender] if isinstance(recommender, Model) else _models_of(recommender)
    found = next((model for model in models if model.has_item_vectors), None)
    return None if found is None else (f"the vectors of {type(found).__name__}", found.item_vectors())


def _models_of(pipeline: Pipeline) -> list[Model]:
    stages = flat((pipeline.scorer_, *pipeline.sources_))
    return [stage.model for stage in stages if stage.model is not None]


def _compared_by(recommender: Model | Pipeline, shown: Shown) -> list[str]:
    """Return what each term of the effects goes by: its column, or the vectors of a model."""
    steps = recommender.rerank_ if isinstance(recommender, Pipeline) else ()
    parts = [term for step in steps if isinstance(step, Select) for term in step.parts]
    by_name = {
        term.name: f"the vectors of {type(term.model).__name__}"
        if isinstance(term, MMR | DPP) and term.on is None
        else str(getattr(term, "on", ""))
        for term in parts
    }
    return [by_name[effect.term] for effect in shown.effects]


def _curves(shown: Shown) -> dict[str, list[tuple[float, float]]]:
    both = {SHOWN: shown.lists} | ({} if shown.by_score is None else {BY_SCORE: shown.by_score})
    n_open = int(np.count_nonzero(shown.open_items))
    return {
        name: lorenz(np.asarray(item_exposure(lists, shown.open_items.size).sum(axis=0)), n_open)
        for name, lists in both.items()
    }


def _setting(
    recommender: Model | Pipeline,
    shown: Shown,
    columns: Sequence[GroupColumn],
    k: int,
    exclude_seen: bool,
    n_bootstrap: int,
    level: float,
    seed: int,
) -> Setting:
    memory = recommender.memory_
    return Setting(
        _described(recommender),
        getattr(recommender.scorer_, "says", None) if isinstance(recommender, Pipeline) else None,
        [step.name for step in recommender.rerank_] if isinstance(recommender, Pipeline) else [],
        [one.column for one in columns],
        k,
        exclude_seen,
        len(shown),
        shown.n_left_out,
        len(memory.users),
        len(memory.items),
        int(np.count_nonzero(shown.open_items)),
        n_bootstrap,
        level,
        seed,
        memory.fingerprint,
    )


def _described(recommender: Model | Pipeline) -> str:
    if isinstance(recommender, Model):
        return type(recommender).__name__
    sources = ", ".join(source.name for source in recommender.sources_)
    return f"{sources} scored by {recommender.scorer_.name}"
