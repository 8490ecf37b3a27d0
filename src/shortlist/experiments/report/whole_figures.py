"""What all lists are like together: how evenly exposure falls on items and groups, how much is shown at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from shortlist import metrics
from shortlist.experiments.report.jackknife import jackknife, sums_without
from shortlist.experiments.report.person_figures import flattened, mixes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.row_labels import RowLabels
    from shortlist.experiments.report.group_columns import GroupColumn
    from shortlist.experiments.report.shown import Shown
    from shortlist.experiments.sweep.figures import Estimate

    Floats = NDArray[np.float64]

FEW_PEOPLE = 10  # fewer say nothing about people
GINI_ITEMS, GINI_GROUPS, COVERAGE = "gini_of_items", "gini_of_groups", "catalogue_coverage"


@dataclass(frozen=True)
class WholeFigure:
    """One figure of all lists together: with its interval, by score alone, and the difference of the two."""

    name: str
    of: str
    shown: Estimate
    by_score: Estimate | None
    difference: Estimate | None


def whole_figures(
    shown: Shown, columns: Sequence[GroupColumn], block: NDArray[np.int64], level: float
) -> list[WholeFigure]:
    """Return the figures of all lists; `block` int64[n] are the people that the jackknife leaves out together.

    The Gini of groups is left out where fewer than 10 people are shown an item with a label.
    """
    both = [shown.lists] if shown.by_score is None else [shown.lists, shown.by_score]
    n_open = int(np.count_nonzero(shown.open_items))
    exposure = [item_exposure(lists, shown.open_items.size) for lists in both]
    found = [
        _figure(GINI_ITEMS, "", exposure, _gini_among(n_open), block, level),
        _figure(
            COVERAGE, "", exposure, lambda amounts: float(np.count_nonzero(amounts)) / n_open, block, level
        ),
    ]
    for one in columns:
        open_groups = labelled_groups_of(one.groups, shown.open_items)
        if open_groups.size > 1:
            shares = [group_exposure(lists, one.groups)[:, open_groups] for lists in both]
            if all(np.count_nonzero(np.diff(of.indptr)) >= FEW_PEOPLE for of in shares):
                gini = _gini_among(open_groups.size)
                found.append(_figure(GINI_GROUPS, one.column, shares, gini, block, level))
    return found


def item_exposure(lists: NDArray[np.int32], n_items: int) -> sparse.csr_array:
    """Return float64[n, n_items]: the exposure of each item on the list of each person, 1 / log2(place + 1)."""
    ptr, items = flattened(lists)
    return sparse.csr_array((_place_weights(ptr), items, ptr), shape=(len(lists), n_items))


def group_exposure(lists: NDArray[np.int32], groups: RowLabels) -> sparse.csr_array:
    """Return float64[n, n_groups], rows of sum 1: the share of the exposure of each list that each group has."""
    ptr, items = flattened(lists)
    return mixes(ptr, items, groups, _place_weights(ptr))


def labelled_groups_of(groups: RowLabels, open_items: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the groups that have an item which may be shown, without that of the items that have no label."""
    count = items_of_groups(groups, open_items)
    return np.flatnonzero(count[:-1])


def items_of_groups(groups: RowLabels, items: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return int64[n_groups]: how many of `items` bool[n_items] are in each group."""
    return np.bincount(groups.code[items[groups.row]], minlength=len(groups.labels))


def lorenz(amounts: Floats, n: int, n_points: int = 100) -> list[tuple[float, float]]:
    """Return the Lorenz curve: what share of the exposure the least exposed share of n items has, from 0 to 1.

    >>> lorenz(np.array([3.0, 1.0]), 4, n_points=4)
    [(0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (0.75, 0.25), (1.0, 1.0)]
    """
    ordered = np.sort(np.concatenate([np.zeros(n - np.count_nonzero(amounts)), amounts[amounts > 0]]))
    reached = np.concatenate([[0.0], np.cumsum(ordered)]) / ordered.sum()
    at = np.linspace(0, 1, n_points + 1)
    share = np.interp(at * n, np.arange(n + 1), reached)
    return list(zip(at.tolist(), np.clip(share, 0, 1).tolist(), strict=True))


def _place_weights(ptr: NDArray[np.int64]) -> Floats:
    place = np.arange(ptr[-1]) - np.repeat(ptr[:-1], np.diff(ptr))
    weights: Floats = 1.0 / np.log2(place + 2.0)
    return weights


def _gini_among(n: int) -> Callable[[Floats], float]:
    def of(amounts: Floats) -> float:
        there = amounts[amounts > 0]
        if not there.size:
            return 0.0  # without one block of people nobody is left who is shown any of it
        return metrics.gini_of(there, n - there.size)

    return of


def _figure(
    name: str,
    of: str,
    both: Sequence[sparse.csr_array],
    statistic: Callable[[Floats], float],
    block: NDArray[np.int64],
    level: float,
) -> WholeFigure:
    whole, without = zip(*(_left_out(amounts, statistic, block) for amounts in both), strict=True)
    shown, *plain = [
        _within_0_and_1(jackknife(at, others, level)) for at, others in zip(whole, without, strict=True)
    ]
    if not plain:
        return WholeFigure(name, of, shown, None, None)
    difference = jackknife(whole[0] - whole[1], without[0] - without[1], level)
    return WholeFigure(name, of, shown, plain[0], difference)


def _left_out(
    amounts: sparse.csr_array, statistic: Callable[[Floats], float], block: NDArray[np.int64]
) -> tuple[float, Floats]:
    """Return a statistic of the column sums, and its values with each block of people left out."""
    used = np.unique(amounts.indices)
    whole, without = sums_without(amounts[:, used], block)
    return statistic(whole), np.array([statistic(row) for row in without])


def _within_0_and_1(found: Estimate) -> Estimate:
    if found.low is None or found.high is None:
        return found
    return type(found)(found.value, max(found.low, 0.0), min(found.high, 1.0))
