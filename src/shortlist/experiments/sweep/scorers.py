"""Scorers: the scorer of a pipeline trained anew for each size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.memory import Limits
from shortlist.errors import DataError
from shortlist.experiments.sweep.retrieval import Retrieval
from shortlist.experiments.sweep.watched import Source, Stopwatch, WatchedScorer
from shortlist.experiments.truth import PositivePairs
from shortlist.models.stage import Stage
from shortlist.stages import CandidateExamples, LearnsFromCandidates, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.popularity_search import Rule
    from shortlist.pipeline import Pipeline
    from shortlist.stages import Candidates, Request, Scorer

# A scorer learns from the candidates of at most so many people: 10 million candidates at a size of 1,000.
LEARN_FROM_USERS = 10_000
_RETRIEVAL, _USERS = 0, 1


def draw(seed: int, *place: int) -> np.random.Generator:
    """Return the random numbers of one place of a sweep, which depend on nothing else that is measured."""
    return np.random.default_rng([seed, *place])


@dataclass(frozen=True, eq=False)
class ScorerTraining:
    """Trains the scorer of `pipeline` on `train` for one size after another.

    A scorer that learns from candidates (`stages.LearnsFromCandidates`) is given those of that size: `rule` cuts the
    training part in two, the sources are fitted on the first half alone, and what people took in the second is
    labelled among what they were proposed. Any other scorer has its model fitted anew on `train`.
    """

    pipeline: Pipeline
    train: Dataset
    rule: Rule
    exclude_seen: bool
    seed: int

    def at(self, size: int) -> Scorer:
        """Return the scorer for `size` candidates, bound and trained. Raises what its fit raises."""
        rng = draw(self.seed, _USERS + size)
        scorer = self._bound(rng)
        if not isinstance(scorer, LearnsFromCandidates):
            return scorer
        learned: Scorer = scorer.learned_from(self.examples(size), rng)
        return learned

    @property
    def how(self) -> str:
        """Return how the scorer is trained for a size, in words."""
        scorer = self.pipeline.scorer
        if isinstance(scorer, LearnsFromCandidates):
            return (
                f"at each size {scorer.name} learns anew from the candidates of that size: sources fitted on the "
                "earlier part of the training events propose, and what people took in the later part is labelled"
            )
        model = getattr(scorer, "model", None)
        if model is None:
            return f"{scorer.name} has nothing to learn: it is the same at every size"
        return (
            f"at each size a {type(model).__name__} is fitted anew on the training part, by random numbers of its own; "
            "it learns from all events and not from the candidates, so that it depends on the size by chance alone"
        )

    def _bound(self, rng: np.random.Generator) -> Scorer:
        scorer: Any = self.pipeline.scorer
        if not isinstance(scorer, Stage):
            return scorer  # type: ignore[no-any-return]
        model = None if scorer.model is None else scorer.model.clone().fit(self.train, rng=rng)
        return scorer.bind(self.train, model)  # type: ignore[return-value]

    @cached_property
    def _before(self) -> tuple[Retrieval, PositivePairs]:
        parts = self.rule(self.train)
        retrieval = Retrieval.fitted(self.pipeline, parts.train, draw(self.seed, _RETRIEVAL, 1))
        return retrieval, PositivePairs.of(parts.train, parts.test)

    def examples(self, size: int) -> CandidateExamples:
        """Return labelled candidates of `size`. Raises `DataError` where nobody took any of them."""
        retrieval, pairs = self._before
        watch = Stopwatch()
        sources = [Source(source, watch) for source in retrieval.sources_at(size)]
        unscored: Any = _KnowsAll()
        pipeline = retrieval.assembled(sources, WatchedScorer(unscored, watch), size, watch)
        truth = pairs.truth(exclude_seen=self.exclude_seen)
        chosen = np.flatnonzero(truth.is_evaluated)
        chosen = np.sort(draw(self.seed, _USERS).permutation(chosen)[:LEARN_FROM_USERS])
        limits = Limits(exclude_seen=self.exclude_seen)
        request = pipeline.memory_.request(truth.user_idx[chosen], size, limits)
        candidates = pipeline.candidates(request)
        n_items = len(self.train.items)
        taken = truth.user_idx[truth.row].astype(np.int64) * n_items + truth.item_idx
        pair = request.user_idx[candidates.row].astype(np.int64) * n_items + candidates.item_idx
        return labelled(request, candidates, np.isin(pair, taken))


def labelled(request: Request, candidates: Candidates, positive: NDArray[np.bool_]) -> CandidateExamples:
    """Return the kept candidates of the people who took one of them, with `positive` bool[m]; the others are counted.

    Raises `DataError` where there is nobody left to learn from.
    """
    kept = candidates.kept
    has_one = np.bincount(candidates.row[kept & positive], minlength=len(candidates)) > 0
    rows = np.flatnonzero(has_one)
    if not rows.size:
        raise DataError(
            f"none of {len(request)} people took any of the candidates they were proposed before the cut: the scorer "
            "has nothing to learn from; retrieve more, or cut the training part elsewhere"
        )
    of = kept & has_one[candidates.row]
    length = np.bincount(candidates.row[of], minlength=len(candidates))[rows]
    aligned = ("item_idx", "source_rank", "source_score", "anchor", "score", "removed_by")
    arrays: dict[str, Any] = {name: getattr(candidates, name)[of] for name in aligned}
    # What sources say to people of single proposals is nothing to learn from.
    chosen = replace(candidates, ptr=offsets(length), source_reason=None, reasons=(), **arrays)
    return CandidateExamples(request.rows(rows), chosen, positive[of], len(request) - rows.size)


class _KnowsAll:
    """In the place of the scorer while candidates to learn from are gathered: it knows all and scores nothing."""

    name = "none"

    def knows(self, request: Request) -> NDArray[np.bool_]:
        return np.ones(len(request), bool)

    def can_score(self, _request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        return np.ones(candidates.item_idx.size, bool)

    def score(self, _request: Request, candidates: Candidates) -> NDArray[np.float32]:
        return np.zeros(candidates.item_idx.size, np.float32)
