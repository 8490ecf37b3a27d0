"""What one size gives each user: candidates found, the final list, and both without each source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import metrics
from shortlist.data.memory import Limits
from shortlist.experiments.sweep.watched import Silent, Source, Stopwatch, WatchedScorer
from shortlist.reranking.chain import best_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from shortlist.experiments.sweep.retrieval import Retrieval
    from shortlist.experiments.truth import Truth
    from shortlist.pipeline import Pipeline
    from shortlist.stages import Candidates, CandidateSource, Lists, Scorer

    Floats = NDArray[np.float64]

RECALL, CEILING, NDCG, PRECISION = "candidate_recall", "ndcg_ceiling", "ndcg", "precision"
FIGURES = (RECALL, CEILING, NDCG, PRECISION)


@dataclass(frozen=True, eq=False)
class Relevant:
    """The relevant items of n users: user_idx int32[n], ptr int64[n + 1], item_idx int32[m] ascending, at least one."""

    user_idx: NDArray[np.int32]
    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    n_items: int

    @classmethod
    def of(cls, truth: Truth, n_items: int, chosen: NDArray[np.int64] | None = None) -> Relevant:
        """Return those of the evaluated users of `truth`, or of the rows `chosen` of them (ascending) alone."""
        rows, ptr, _ = metrics.users_with_truth(truth.ptr)
        found = cls(truth.user_idx[rows], ptr, truth.item_idx, n_items)
        return found if chosen is None else found.rows(chosen)

    def __len__(self) -> int:
        return self.user_idx.size

    def rows(self, rows: NDArray[np.int64]) -> Relevant:
        """Return those of the users at `rows`, ascending."""
        length = np.diff(self.ptr)
        keep = np.zeros(len(self), bool)
        keep[rows] = True
        ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(length[rows])])
        return Relevant(self.user_idx[rows], ptr, self.item_idx[np.repeat(keep, length)], self.n_items)

    def blocks(self, size: int) -> Iterator[Relevant]:
        """Return them in blocks of `size` users."""
        for start in range(0, len(self), size):
            yield self.rows(np.arange(start, min(start + size, len(self))))

    def among(self, row: NDArray[np.int64], item_idx: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool[m]: whether each (row, item) is relevant."""
        key = np.repeat(np.arange(len(self)), np.diff(self.ptr)) * self.n_items + self.item_idx
        wanted = row * self.n_items + item_idx
        at = np.searchsorted(key, wanted)
        found: NDArray[np.bool_] = np.append(key, -1)[at] == wanted
        return found


@dataclass(frozen=True, eq=False)
class Measured:
    """What one size gave n users.

    - known bool[n]: whether the scorer knows the user; the others have no candidates
    - figures float64[n] by name (`FIGURES`); n_candidates float64[n]; n_shown, n_hits float64[n]
    - shown, hits float64[n, S]: how much of the shown items, and of the hits among them, each source brought: an item
      that several sources proposed counts for each with an equal part
    - lost float64[n, S] by name (candidate recall, NDCG): what is lost without each source
    """

    known: NDArray[np.bool_]
    figures: dict[str, Floats]
    n_candidates: Floats
    n_shown: Floats
    n_hits: Floats
    shown: Floats
    hits: Floats
    lost: dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The pipelines of one size: the whole one, and one without each source; they share what was proposed."""

    whole: Pipeline
    without: Sequence[Pipeline]
    sources: Sequence[Source]

    @classmethod
    def of(
        cls, retrieval: Retrieval, sources: Sequence[CandidateSource], scorer: Scorer, size: int
    ) -> Arrangement:
        """Return the arrangement of bound `sources` and a trained `scorer`."""
        watch = Stopwatch()
        kept, watched = [Source(source, watch) for source in sources], WatchedScorer(scorer, watch)
        without = [
            retrieval.assembled(
                [Silent(source) if source is left_out else source for source in kept], watched, size, watch
            )
            for left_out in kept
            if len(kept) > 1
        ]
        return cls(retrieval.assembled(kept, watched, size, watch), without, kept)

    def measure(self, relevant: Relevant, k: int, *, exclude_seen: bool, block_users: int) -> Measured:
        """Return what everyone gets. Cost: for each source, and once more, merging and scoring all candidates."""
        parts = [self._block(block, k, exclude_seen) for block in relevant.blocks(block_users)]
        return Measured(
            *(_joined([getattr(part, name) for part in parts]) for name in Measured.__dataclass_fields__)
        )

    def _block(self, relevant: Relevant, k: int, exclude_seen: bool) -> Measured:
        for source in self.sources:
            source.forget()
        request = self.whole.memory_.request(relevant.user_idx, k, Limits(exclude_seen=exclude_seen))
        known = self.whole.scorer_.knows(request)
        candidates = self.whole.candidates(request)
        lists = best_of(candidates, k)
        figures = _figures(candidates, lists, relevant, k)
        others = [pipeline.candidates(request) for pipeline in self.without]
        return Measured(
            known,
            figures,
            _count(candidates.row[candidates.kept], len(relevant)),
            _count(lists.row, len(relevant)),
            figures.pop("hits"),
            *_origins(candidates, lists, relevant),
            _losses(figures, [_figures(other, best_of(other, k), relevant, k) for other in others]),
        )


def _figures(candidates: Candidates, lists: Lists, relevant: Relevant, k: int) -> dict[str, Floats]:
    """Return the figures of each user, and how many hits are on the list."""
    row, item_idx = candidates.row[candidates.kept], candidates.item_idx[candidates.kept]
    n, n_relevant = len(relevant), np.diff(relevant.ptr)
    found = _count(row[relevant.among(row, item_idx)], n)
    discount = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    hits = metrics.find_hits(lists.padded(k), relevant.ptr, relevant.item_idx)
    return {
        RECALL: found / n_relevant,
        # The best order of what was found: all of it first.
        CEILING: discount[np.minimum(found, k).astype(np.int64)] / discount[np.minimum(n_relevant, k)],
        NDCG: metrics.ndcg(hits),
        PRECISION: metrics.precision(hits),
        "hits": _count(hits.user, n),
    }


def _losses(whole: dict[str, Floats], without: Sequence[dict[str, Floats]]) -> dict[str, Floats]:
    n = whole[RECALL].size
    return {
        name: np.column_stack([whole[name] - other[name] for other in without])
        if without
        else np.zeros((n, 0))
        for name in (RECALL, NDCG)
    }


def _origins(candidates: Candidates, lists: Lists, relevant: Relevant) -> tuple[Floats, Floats]:
    """Return float64[n, S] twice: the part of each source in the shown items of each user, and in the hits."""
    key = candidates.row * relevant.n_items + candidates.item_idx
    order = np.argsort(key, kind="stable")
    at = order[np.searchsorted(key, lists.row * relevant.n_items + lists.item_idx, sorter=order)]
    proposed = candidates.source_rank[at] > 0
    part = proposed / np.maximum(proposed.sum(axis=1, keepdims=True), 1)
    hit = relevant.among(lists.row, lists.item_idx)
    return _summed(lists.row, part, len(relevant)), _summed(lists.row[hit], part[hit], len(relevant))


def _summed(row: NDArray[np.int64], part: Floats, n: int) -> Floats:
    return np.column_stack([np.bincount(row, column, minlength=n) for column in part.T])


def _count(row: NDArray[np.int64], n: int) -> Floats:
    return np.bincount(row, minlength=n).astype(np.float64)


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], dict):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)
