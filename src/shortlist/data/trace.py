"""The trace of one person: every candidate, what proposed it, what removed it, and its place after each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.recommendations import Recommendations
    from shortlist.stages import Candidates, Lists

TURNS = "turns"  # what orders the candidates of people of whom the scorer knows nothing


def trace_frame(shown: Recommendations, candidates: Candidates, row: int) -> pl.DataFrame:
    """Return the frame that `Recommendations.trace` describes, for the person at `row`."""
    memory, part = shown.memory, slice(int(candidates.ptr[row]), int(candidates.ptr[row + 1]))
    item_idx = candidates.item_idx[part]
    columns = [memory.items.ids_of(item_idx).rename("item_id")]
    if memory.titles is not None:
        columns.append(memory.titles.gather(item_idx).rename("title"))
    columns += _sources(candidates, part)
    anchor = candidates.anchor[part]
    because = [memory.title_of(a) if a >= 0 else None for a in anchor.tolist()]
    columns.append(pl.Series("because_of", because, dtype=pl.String))
    removed = candidates.removed_by[part]
    names = [candidates.rules[code - 1] if code else None for code in removed.tolist()]
    columns.append(pl.Series("removed_by", names, dtype=pl.String))
    columns.append(_masked("score", candidates.score[part], removed == 0))
    columns += _steps(candidates, part, in_turn=shown.user_ids[row] in shown.in_turn)
    columns += _chosen_for(candidates, part)
    columns.append(_final_rank(shown.lists, row, item_idx))
    return pl.DataFrame(columns).sort(
        "rank", "score", "item_id", descending=[False, True, False], nulls_last=True
    )


def steps_of(candidates: Candidates, *, in_turn: bool) -> tuple[str, ...]:
    """Return the names of what put the candidates of one person in order: the scorer, and each adjustment."""
    return (TURNS, *candidates.steps[1:]) if in_turn else candidates.steps


def places(score: NDArray[np.float32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return int32[m]: the place of each kept candidate by score, from 1, ties by position; 0 for those removed.

    >>> places(np.array([0.5, 2.0, 9.0, 2.0], np.float32), np.array([True, True, False, True])).tolist()
    [3, 1, 0, 2]
    """
    out = np.zeros(score.size, np.int32)
    rows = np.flatnonzero(kept)
    out[rows[np.argsort(-score[rows], kind="stable")]] = np.arange(1, rows.size + 1)
    return out


def _sources(candidates: Candidates, part: slice) -> list[pl.Series]:
    columns = []
    for s, source in enumerate(candidates.sources):
        rank = candidates.source_rank[part, s]
        columns.append(_masked(f"{source}_rank", rank, rank > 0))
        columns.append(_masked(f"{source}_score", candidates.source_score[part, s], rank > 0))
        if candidates.source_reason is not None and (candidates.source_reason[:, s] >= 0).any():
            said = [candidates.reason_of(at, s) for at in range(part.start, part.stop)]
            columns.append(pl.Series(f"{source}_reason", said, dtype=pl.String))
    return columns


def _steps(candidates: Candidates, part: slice, *, in_turn: bool) -> list[pl.Series]:
    """Return the place after the scorer and after each adjustment, and where there is one the score after each."""
    kept, columns = candidates.kept[part], []
    for at, name in enumerate(steps_of(candidates, in_turn=in_turn)):
        score = candidates.score[part]
        if candidates.step_score is not None:
            score = candidates.step_score[part, at]
            columns.append(_masked(f"score after {name}", score, kept))
        columns.append(_masked(f"place after {name}", places(score, kept), kept))
    return columns


def _chosen_for(candidates: Candidates, part: slice) -> list[pl.Series]:
    """Return what each term was worth for the items on the list, and which stand there because they are pinned."""
    columns = []
    if candidates.term_value is not None:
        values = candidates.term_value[part]
        columns += [
            _masked(name, values[:, at], ~np.isnan(values[:, at])) for at, name in enumerate(candidates.terms)
        ]
    if candidates.pinned is not None and candidates.pinned[part].any():
        columns.append(pl.Series("pinned", candidates.pinned[part]))
    return columns


def _final_rank(lists: Lists, row: int, item_idx: NDArray[np.int32]) -> pl.Series:
    part = slice(int(lists.ptr[row]), int(lists.ptr[row + 1]))
    rank = dict(zip(lists.item_idx[part].tolist(), lists.rank[part].tolist(), strict=True))
    return pl.Series("rank", [rank.get(i) for i in item_idx.tolist()], dtype=pl.Int32)


def _masked(name: str, values: NDArray[np.generic], keep: NDArray[np.bool_]) -> pl.Series:
    series = pl.Series(name, values)
    return series.to_frame().select(pl.when(pl.Series(keep)).then(pl.col(name)).alias(name))[name]
