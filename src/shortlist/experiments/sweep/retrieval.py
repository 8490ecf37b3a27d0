"""Retrieval: the sources and rules of a pipeline fitted once, and put together anew for each size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist.errors import ParameterError
from shortlist.experiments.sweep.watched import (
    Silent,
    Source,
    WatchedAdjustment,
    WatchedChoice,
    WatchedMerge,
    WatchedScorer,
)
from shortlist.models.stage import Stage
from shortlist.retrieval.merge import Merge
from shortlist.scorer_training import Unscored
from shortlist.stages import ChoosesLists

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.sweep.watched import Stopwatch
    from shortlist.pipeline import Pipeline
    from shortlist.stages import CandidateSource, EligibilityRule, Scorer

K = "k"


@dataclass(frozen=True, eq=False)
class Retrieval:
    """The stages of `pipeline` but the scorer, fitted on `train`, each model once."""

    pipeline: Pipeline
    train: Dataset
    sources: tuple[CandidateSource, ...]
    rules: tuple[EligibilityRule, ...]
    rerank: tuple[Any, ...]

    @classmethod
    def fitted(cls, pipeline: Pipeline, train: Dataset, rng: np.random.Generator) -> Retrieval:
        """Return the retrieval of `pipeline`, which is not changed. Raises what the fits of its models raise."""
        base = pipeline.unfitted(scorer=Unscored(), merge=None).fit(train, rng=rng)
        return cls(pipeline, train, base.sources_, base.rules_, base.rerank_)

    def sources_at(self, size: int) -> list[CandidateSource]:
        """Return the sources, each that has a parameter `k` bound anew with k = `size`, over the same model."""
        return [_with_k(source, size, self.train) for source in self.sources]

    def assembled(
        self, sources: Sequence[Source | Silent], scorer: WatchedScorer, size: int, watch: Stopwatch
    ) -> Pipeline:
        """Return the fitted pipeline of these sources and this scorer, with `size` candidates."""
        merge: Any = WatchedMerge(merge_at(self.pipeline.merge, size), watch)
        steps = [
            (WatchedChoice if isinstance(step, ChoosesLists) else WatchedAdjustment)(step, watch)
            for step in self.rerank
        ]
        pipeline = self.pipeline.unfitted(
            sources=sources, scorer=scorer, rerank=steps, rules=self.rules, merge=merge
        )
        return pipeline.fit(self.train)


def merge_at(merge: Merge, size: int) -> Merge:
    """Return `merge` with another size. Raises `ParameterError` where its quotas promise more, naming the size."""
    try:
        return Merge(size, merge.weights, merge.quotas)
    except ParameterError as error:
        raise ParameterError(f"retrieve has the size {size}, and {error}") from error


def require_scorer_apart(sources: Sequence[CandidateSource], scorer: Scorer) -> None:
    """Raise `ParameterError` where the scorer's model is that of a source, or of the same class and parameters.

    Where they are one, the first candidates of that source are the scorer's own best: all sizes give the same list,
    and what is measured is nothing.
    """
    model = getattr(scorer, "model", None)
    if model is None:
        return
    for source in sources:
        other = getattr(source, "model", None)
        if other is model or (type(other) is type(model) and repr(other) == repr(model)):
            raise ParameterError(
                f"the scorer's model {model!r} is that of the source {source.name!r} too: its first candidates are "
                "then the scorer's own best, and every size gives the same list. Give the scorer another model"
            )


def _with_k(source: CandidateSource, size: int, train: Dataset) -> CandidateSource:
    if not isinstance(source, Stage) or K not in source.params():
        return source
    given = source.params() | {K: size}
    if source.model is not None:
        given["model"] = source.model
    make: Any = type(source)
    return make(**given).bind(train, source.model)  # type: ignore[no-any-return]
