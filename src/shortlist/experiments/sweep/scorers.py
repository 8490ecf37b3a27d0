"""Scorers: the scorer of a pipeline trained anew for each size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.memory import Limits
from shortlist.experiments.sweep.retrieval import Retrieval
from shortlist.experiments.sweep.watched import Source, Stopwatch, WatchedScorer
from shortlist.experiments.truth import PositivePairs
from shortlist.models.bound_stages import bound, flat
from shortlist.scorer_training import Unscored, labelled
from shortlist.stages import CandidateExamples, LearnsFromCandidates

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Split
    from shortlist.experiments.popularity_search import Rule
    from shortlist.pipeline import Pipeline

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

    def at(self, size: int) -> Any:
        """Return the scorer for `size` candidates, bound and trained. Raises what its fit raises."""
        rng = draw(self.seed, _USERS + size)
        scorer = self._bound(self.train, rng)
        if not isinstance(scorer, LearnsFromCandidates):
            return scorer
        return scorer.learned_from(self.examples(size), self._early, rng)

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

    def _bound(self, train: Dataset, rng: np.random.Generator) -> Any:
        models = [stage.model for stage in flat([self.pipeline.scorer]) if stage.model is not None]
        fitted = {id(model): model.clone().fit(train, rng=rng) for model in models}
        return bound(self.pipeline.scorer, train, fitted)

    @cached_property
    def _early(self) -> Any:
        """Return the scorer bound to what was before the cut."""
        return self._bound(self._parts.train, draw(self.seed, _USERS, 1))

    @cached_property
    def _parts(self) -> Split:
        return self.rule(self.train)

    @cached_property
    def _before(self) -> tuple[Retrieval, PositivePairs]:
        parts = self._parts
        retrieval = Retrieval.fitted(self.pipeline, parts.train, draw(self.seed, _RETRIEVAL, 1))
        return retrieval, PositivePairs.of(parts.train, parts.test)

    def examples(self, size: int) -> CandidateExamples:
        """Return labelled candidates of `size`. Raises `DataError` where nobody took any of them."""
        retrieval, pairs = self._before
        watch = Stopwatch()
        sources = [Source(source, watch) for source in retrieval.sources_at(size)]
        pipeline = retrieval.assembled(sources, WatchedScorer(Unscored(), watch), size, watch)
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
