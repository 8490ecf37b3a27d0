"""Figures with intervals: of lists, of groups, of the terms of `Select`, each with and without re-ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.experiments.report.person_figures import mixes
from shortlist.experiments.report.whole_figures import FEW_PEOPLE, group_exposure, items_of_groups
from shortlist.experiments.sweep.figures import Estimate
from shortlist.metrics import Resampler, percentile_interval
from shortlist.reranking.group_mix import mix_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.experiments.report.group_columns import GroupColumn
    from shortlist.experiments.report.person_figures import PersonFigure
    from shortlist.experiments.report.shown import Shown
    from shortlist.reranking.effects import TermEffect

    Floats = NDArray[np.float64]

FEW_ITEMS = 5
MOST_GROUPS = 20
OF_GOAL = ("goal_with", "goal_without", "gained")
OF_RELEVANCE = ("relevance_with", "relevance_without", "lost")
OTHERS = "(other groups)"


@dataclass(frozen=True)
class Figure:
    """One figure of the lists.

    - name: which; of: the column or the vectors that it goes by, "" where it goes by none
    - shown: of what is shown; by_score: of the same candidates by score alone; difference: shown minus by_score, paired
      by person. The last two are None where nothing re-ranks
    - n_people: how many have a value
    """

    name: str
    of: str
    shown: Estimate
    by_score: Estimate | None
    difference: Estimate | None
    n_people: int


@dataclass(frozen=True)
class GroupFigure:
    """The exposure of one group: means over people of its share of the exposure of the list.

    - n_items: that may be shown; catalogue: their share of all such items; own: the share among what people like
    - target: the share that the pipeline's `Exposure` aims at, None without one
    - shown, by_score, difference: as in `Figure`; n_people: on whose list it stands, either way
    - remark: what keeps its figures from saying much, "" where nothing does
    """

    label: str
    n_items: int
    catalogue: float
    own: float
    target: float | None
    shown: Estimate
    by_score: Estimate | None
    difference: Estimate | None
    n_people: int
    remark: str


@dataclass(frozen=True)
class TermFigure:
    """What one term of `Select` does, as means over people.

    - term, on: its name, and what it goes by; weight; goal: what it pursues, and whether that is to be large
    - goal_with, goal_without: of the lists with the term and without; gained: by how much it brings lists nearer
    - relevance_with, relevance_without: mean relevance of the lists, 0 … 1; lost: what the term costs of it
    - changed: the share of lists that it changes; n_people: for how many the goal has a meaning
    """

    term: str
    on: str
    weight: float
    goal: str
    larger_is_better: bool
    goal_with: Estimate
    goal_without: Estimate
    gained: Estimate
    relevance_with: Estimate
    relevance_without: Estimate
    lost: Estimate
    changed: float
    n_people: int


@dataclass(frozen=True)
class Intervals:
    """Means over n people with bootstrap intervals, all from the same resamples."""

    resampler: Resampler
    level: float

    def of(self, columns: Mapping[str, tuple[Floats, Floats]]) -> dict[str, Estimate]:
        """Return Σ total / Σ weight for each (total, weight) float64[n]; no bounds for fewer than 10 people.

        Not even a value where no weight is above 0: that is NaN.
        """
        names = list(columns)
        if not names:
            return {}
        table = np.column_stack([part for name in names for part in columns[name]])
        draws = self.resampler.means(table)
        return {
            name: self._one(*columns[name], draws[:, 2 * at], draws[:, 2 * at + 1])
            for at, name in enumerate(names)
        }

    def _one(self, total: Floats, weight: Floats, totals: Floats, weights: Floats) -> Estimate:
        if not weight.sum() > 0:
            return Estimate(float("nan"))
        value = float(total.sum() / weight.sum())
        if np.count_nonzero(weight) < FEW_PEOPLE:
            return Estimate(value)
        drawn = weights > 0
        interval = percentile_interval(value, totals[drawn] / weights[drawn], level=self.level)
        return Estimate(*interval)


def list_figures(found: Sequence[PersonFigure], intervals: Intervals) -> list[Figure]:
    """Return the figures of single lists that somebody has a value of."""
    there = [one for one in found if one.weight.sum() > 0]
    columns: dict[str, tuple[Floats, Floats]] = {}
    for at, one in enumerate(there):
        columns |= _both(f"{at}", one.shown, one.by_score, one.weight)
    means = intervals.of(columns)
    return [
        Figure(one.name, one.of, *_estimates(means, f"{at}"), one.n_people) for at, one in enumerate(there)
    ]


def _both(
    key: str, shown: Floats, by_score: Floats | None, weight: Floats
) -> dict[str, tuple[Floats, Floats]]:
    columns = {f"{key} shown": (shown, weight)}
    if by_score is not None:
        columns |= {f"{key} by score": (by_score, weight), f"{key} more": (shown - by_score, weight)}
    return columns


def _estimates(means: Mapping[str, Estimate], key: str) -> tuple[Estimate, Estimate | None, Estimate | None]:
    return means[f"{key} shown"], means.get(f"{key} by score"), means.get(f"{key} more")


def group_figures(shown: Shown, one: GroupColumn, intervals: Intervals) -> list[GroupFigure]:
    """Return the groups of a column, the most exposed first, ties by label; beyond 20 the others are one row.

    Exposure counts with and without re-ranking, so that a group that loses its place is still here.
    """
    listed = group_exposure(shown.lists, one.groups)
    plain = None if shown.by_score is None else group_exposure(shown.by_score, one.groups)
    weight = np.asarray(listed.sum(axis=0)) + (0 if plain is None else np.asarray(plain.sum(axis=0)))
    there = np.flatnonzero(items_of_groups(one.groups, np.ones(len(one.groups), bool)))
    order = there[np.lexsort((there, -weight[there]))]
    # One row of others would stand for one group; it has its own.
    cut = MOST_GROUPS if order.size > MOST_GROUPS + 1 else order.size
    sets = [order[at : at + 1] for at in range(cut)] + ([order[cut:]] if order.size > cut else [])
    ones = np.ones(len(shown))
    columns: dict[str, tuple[Floats, Floats]] = {}
    for at, some in enumerate(sets):
        before = None if plain is None else _summed(plain, some)
        columns |= _both(f"{at}", _summed(listed, some), before, ones)
    means = intervals.of(columns)
    shares = _Shares.of(shown, one)
    return [
        _group(one, some, shares, _estimates(means, f"{at}"), _n_people(listed, plain, some))
        for at, some in enumerate(sets)
    ]


@dataclass(frozen=True, eq=False)
class _Shares:
    """What each group has of the items that may be shown, and of what people like."""

    n_items: NDArray[np.int64]
    catalogue: Floats
    own: Floats

    @classmethod
    def of(cls, shown: Shown, one: GroupColumn) -> _Shares:
        likes = np.diff(shown.liked_ptr) > 0
        own = np.asarray(mixes(shown.liked_ptr, shown.liked, one.groups).sum(axis=0))
        open_items = np.flatnonzero(shown.open_items).astype(np.int32)
        return cls(
            items_of_groups(one.groups, shown.open_items),
            mix_of(one.groups, open_items),
            own / max(int(np.count_nonzero(likes)), 1),
        )


def _summed(shares: sparse.csr_array, some: NDArray[np.int64]) -> Floats:
    """Return float64[n]: what some groups have together."""
    picked: Any = shares[:, some]
    return np.asarray(picked.sum(axis=1), np.float64).ravel()


def _n_people(listed: sparse.csr_array, plain: sparse.csr_array | None, some: NDArray[np.int64]) -> int:
    either = _summed(listed, some) + (0 if plain is None else _summed(plain, some))
    return int(np.count_nonzero(either))


def _group(
    one: GroupColumn,
    some: NDArray[np.int64],
    shares: _Shares,
    estimates: tuple[Estimate, Estimate | None, Estimate | None],
    n_people: int,
) -> GroupFigure:
    alone = some.size == 1
    n_items = int(shares.n_items[some].sum())
    return GroupFigure(
        one.groups.labels[int(some[0])] if alone else f"{OTHERS[:-1]}: {some.size:,})",
        n_items,
        float(shares.catalogue[some].sum()),
        float(shares.own[some].sum()),
        None if one.target is None else float(one.target[some].sum()),
        *estimates,
        n_people,
        _remark(n_items, n_people) if alone else "",
    )


def _remark(n_items: int, n_people: int) -> str:
    """Return what keeps the figures of a group from saying much.

    >>> _remark(0, 0), _remark(3, 50)
    ('no item of it may be shown', 'only 3 items')
    """
    if n_items == 0:
        return "no item of it may be shown"
    if n_people == 0:
        return "on nobody's list"
    if n_items < FEW_ITEMS:
        return f"only {n_items} item{'s' if n_items > 1 else ''}"
    if n_people < FEW_PEOPLE:
        return f"on {n_people} list{'s' if n_people > 1 else ''} only"
    return ""


def term_figures(
    found: Sequence[TermEffect], compared_by: Sequence[str], intervals: Intervals
) -> list[TermFigure]:
    """Return what each term does; `compared_by` says what each goes by."""
    columns: dict[str, tuple[Floats, Floats]] = {}
    for at, effect in enumerate(found):
        has = np.isfinite(effect.goal_with) & np.isfinite(effect.goal_without)
        everybody = np.isfinite(effect.relevance_with)
        for name in OF_GOAL:
            columns[f"{at} {name}"] = _without_nan(getattr(effect, name), has)
        for name in OF_RELEVANCE:
            columns[f"{at} {name}"] = _without_nan(getattr(effect, name), everybody)
    means = intervals.of(columns)
    return [
        _term(effect, on, means, at) for at, (effect, on) in enumerate(zip(found, compared_by, strict=True))
    ]


def _without_nan(values: Floats, has: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    return np.where(has, values, 0.0), has.astype(np.float64)


def _term(effect: TermEffect, on: str, means: Mapping[str, Estimate], at: int) -> TermFigure:
    has = np.isfinite(effect.goal_with) & np.isfinite(effect.goal_without)
    return TermFigure(
        term=effect.term,
        on=on,
        weight=effect.weight,
        goal=effect.goal,
        larger_is_better=effect.larger_is_better,
        changed=float(effect.changed.mean()),
        n_people=int(np.count_nonzero(has)),
        **{name: means[f"{at} {name}"] for name in (*OF_GOAL, *OF_RELEVANCE)},
    )
