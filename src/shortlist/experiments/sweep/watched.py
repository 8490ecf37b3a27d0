"""Stages of a pipeline as they are, watched: their seconds are counted, their proposals kept, one of them silenced.

None of these is a `Stage`, so a pipeline takes them as they come: what is fitted already is not bound again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from shortlist.stages import Candidates, Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shortlist.retrieval.merge import Merge
    from shortlist.stages import Adjustment, CandidateSource, ChoosesLists, Request, Scorer

Answer = TypeVar("Answer")
MERGE, SCORING, RERANKING = "merge", "scoring", "re-ranking"


@dataclass(eq=False)
class Stopwatch:
    """Seconds by the name of a stage, since they were last taken."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def timed(self, stage: str, ask: Callable[..., Answer], *given: Any) -> Answer:
        """Return what `ask` returns; what it took is added to `stage`."""
        start = time.perf_counter()
        answer = ask(*given)
        self.seconds[stage] += time.perf_counter() - start
        return answer

    def taken(self) -> dict[str, float]:
        """Return the seconds of each stage, and begin anew."""
        found = dict(self.seconds)
        self.seconds.clear()
        return found


@dataclass(eq=False)
class Source:
    """A source that is bound to its data. What it proposed last is kept, and given again for the same people.

    `keeps` False asks it anew each time, for times.
    """

    bound: CandidateSource
    watch: Stopwatch
    keeps: bool = True
    _kept: dict[tuple[bytes, int], Candidates] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the source."""
        return self.bound.name

    def propose(self, request: Request) -> Candidates:
        """Return what the source proposes."""
        if not self.keeps:
            return self.watch.timed(self.name, self.bound.propose, request)
        # Rules part a request: the parts of one block differ in who is in them.
        asked = (request.user_idx.tobytes(), request.k)
        if asked not in self._kept:
            self._kept[asked] = self.bound.propose(request)
        return self._kept[asked]

    def forget(self) -> None:
        """Forget what was proposed, before the next people are asked for."""
        self._kept.clear()

    def explain(self, n_liked: int) -> str:
        """Return what the source says."""
        return self.bound.explain(n_liked)


@dataclass(eq=False)
class Silent:
    """A source that proposes nothing, in the place of another: its column stays, and the others fill its places."""

    silenced: CandidateSource

    @property
    def name(self) -> str:
        """Return the name of the source that is silenced."""
        return self.silenced.name

    def propose(self, request: Request) -> Candidates:
        """Return no proposal for anybody."""
        return Candidates.from_lists(Lists.empty(len(request)), self.name)

    def explain(self, n_liked: int) -> str:
        """Return what the silenced source would say."""
        return self.silenced.explain(n_liked)


@dataclass(eq=False)
class WatchedScorer:
    """A scorer that is trained and bound."""

    bound: Scorer
    watch: Stopwatch

    @property
    def name(self) -> str:
        """Return the name of the scorer."""
        return self.bound.name

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return whom the scorer knows."""
        return self.watch.timed(SCORING, self.bound.knows, request)

    def can_score(self, request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return what the scorer can score."""
        return self.watch.timed(SCORING, self.bound.can_score, request, candidates)

    def score(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return the scores."""
        return self.watch.timed(SCORING, self.bound.score, request, candidates)


@dataclass(eq=False)
class WatchedAdjustment:
    """A step of re-ranking."""

    step: Adjustment
    watch: Stopwatch

    @property
    def name(self) -> str:
        """Return the name of the step."""
        return self.step.name

    def adjust(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return the new scores."""
        return self.watch.timed(RERANKING, self.step.adjust, request, candidates)


@dataclass(eq=False)
class WatchedChoice:
    """The step of re-ranking that chooses lists."""

    step: ChoosesLists
    watch: Stopwatch

    @property
    def name(self) -> str:
        """Return the name of the step."""
        return self.step.name

    def select(self, request: Request, candidates: Candidates) -> tuple[Lists, Candidates]:
        """Return the lists, and the candidates with what they were chosen for."""
        return self.watch.timed(RERANKING, self.step.select, request, candidates)


@dataclass(eq=False)
class WatchedMerge:
    """The merge of a pipeline."""

    merge: Merge
    watch: Stopwatch

    @property
    def size(self) -> int | None:
        """Return the size of the merge."""
        return self.merge.size

    def check(self, sources: Sequence[str]) -> None:
        """Raise what the merge raises."""
        self.merge.check(sources)

    def __call__(self, proposals: Sequence[Candidates], request: Request) -> Candidates:
        """Return the candidates."""
        return self.watch.timed(MERGE, self.merge, proposals, request)

    def in_turn(self, proposals: Sequence[Candidates], request: Request) -> Candidates:
        """Return the candidates in the order of turns, for people whom the scorer does not know."""
        return self.watch.timed(MERGE, self.merge.in_turn, proposals, request)
