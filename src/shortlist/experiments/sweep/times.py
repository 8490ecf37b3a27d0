"""Times: what a request for a single user takes at each size, stage by stage, all sizes in turns."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.experiments.sweep.watched import MERGE, RERANKING, SCORING, Source, Stopwatch, WatchedScorer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from shortlist.experiments.sweep.retrieval import Retrieval
    from shortlist.pipeline import Pipeline
    from shortlist.stages import CandidateSource, Scorer

    Floats = NDArray[np.float64]

REST, WHOLE = "the rest", "whole request"
WARM_UP_REQUESTS = 5


def load_per_core() -> float | None:
    """Return how much work the machine had in the last minute for each of its cores; None where it does not say."""
    if not hasattr(os, "getloadavg"):
        return None
    return os.getloadavg()[0] / (os.cpu_count() or 1)


class TimedPipeline:
    """A pipeline of one size whose stages are timed at each request."""

    def __init__(
        self, retrieval: Retrieval, sources: Sequence[CandidateSource], scorer: Scorer, size: int
    ) -> None:
        self.watch = Stopwatch()
        watched = [Source(source, self.watch, keeps=False) for source in sources]
        self.pipeline: Pipeline = retrieval.assembled(
            watched, WatchedScorer(scorer, self.watch), size, self.watch
        )
        steps = [RERANKING] if retrieval.pipeline.rerank else []
        self.stages = [*(source.name for source in sources), MERGE, SCORING, *steps]

    def seconds(self, user: pl.Series, k: int, options: Mapping[str, Any]) -> list[float]:
        """Return what one request took: of each stage, of what is between them, and in all."""
        self.watch.taken()
        start = time.perf_counter()
        self.pipeline.recommend(user, k, **options)
        whole = time.perf_counter() - start
        taken = self.watch.taken()
        stages = [taken.get(stage, 0.0) for stage in self.stages]
        return [*stages, max(whole - sum(stages), 0.0), whole]


def stage_times(
    pipelines: Mapping[int, TimedPipeline], users: pl.Series, k: int, *, exclude_seen: bool
) -> dict[int, dict[str, Floats]]:
    """Return, of each size and stage, the milliseconds of a request for each of `users`, float64[n_users].

    "the rest" is what is between the stages: the request, the rules, the list and its frame. Everyone is asked some
    times unmeasured first; then the sizes take turns, so that what else the machine does falls on all of them alike.
    Nothing else is asked meanwhile, so this is latency without load.
    """
    options: dict[str, Any] = {"exclude_seen": exclude_seen, "on_unknown": "fallback"}
    for at in range(min(WARM_UP_REQUESTS, users.len())):
        for pipeline in pipelines.values():
            pipeline.seconds(users.slice(at, 1), k, options)
    taken = [
        [pipeline.seconds(users.slice(at, 1), k, options) for pipeline in pipelines.values()]
        for at in range(users.len())
    ]
    return {
        size: {
            stage: 1e3 * np.array([of_user[place][s] for of_user in taken])
            for s, stage in enumerate([*pipeline.stages, REST, WHOLE])
        }
        for place, (size, pipeline) in enumerate(pipelines.items())
    }
