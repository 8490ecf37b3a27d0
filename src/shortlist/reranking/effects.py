"""What each term of `Select` does to a list: how much relevance it costs, how much of its own goal it gains.

A list is compared with the one that the same step chooses from the same candidates, under the same caps and pins, when
the weight of the one term goes back to relevance. So an effect is that of a term beside the others, and the effects of
several terms need not add up.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.explanation import liked_by
from shortlist.reranking.group_mix import mix_of
from shortlist.reranking.group_terms import Calibration, Exposure
from shortlist.reranking.select import KINDS, Term
from shortlist.reranking.similarity_terms import DPP, MMR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shortlist.kernels.greedy_selection import Mix
    from shortlist.models.stage import Stage
    from shortlist.reranking.select import Select
    from shortlist.stages import Candidates, Lists, Request

    Floats = NDArray[np.float64]

SIMILARITY = "mean largest similarity"
DETERMINANT = "log determinant per item"
DIVERGENCE = "KL from the person's own mix"
DISTANCE = "distance from the target exposure"
GOALS: dict[type[Stage], str] = {
    MMR: SIMILARITY,
    DPP: DETERMINANT,
    Calibration: DIVERGENCE,
    Exposure: DISTANCE,
}


_ARRAYS = ("goal_with", "goal_without", "relevance_with", "relevance_without", "changed")


@dataclass(frozen=True, eq=False)
class TermEffect:
    """What one term does to the lists of n people: each array float64[n], NaN where a figure has no meaning.

    - term: its name; weight: what it has of 1; goal: what it pursues, one of `GOALS`
    - goal_with, goal_without: of the list as it is, and of the list without the term. NaN for an empty list, for a
      similarity of a list of one item, and for the mix of somebody who likes nothing yet
    - relevance_with, relevance_without: mean over the list of r, which is 0 … 1 over the pool of the person; NaN for an
      empty list
    - changed bool[n]: whether the two lists differ, in items or order
    """

    term: str
    weight: float
    goal: str
    goal_with: Floats
    goal_without: Floats
    relevance_with: Floats
    relevance_without: Floats
    changed: NDArray[np.bool_]

    @property
    def larger_is_better(self) -> bool:
        """Return whether the goal is to be large; the others are to be small."""
        return self.goal == DETERMINANT

    @property
    def gained(self) -> Floats:
        """Return float64[n]: by how much the term brings a list nearer its goal, in the unit of the goal.

        Below 0 where it leads away from it: the choice is greedy, and other terms, caps and pins have their say.
        """
        gain = self.goal_with - self.goal_without
        return gain if self.larger_is_better else -gain

    @property
    def lost(self) -> Floats:
        """Return float64[n]: how much mean relevance of the list the term costs."""
        return self.relevance_without - self.relevance_with

    def rows(self, rows: NDArray[Any]) -> TermEffect:
        """Return the effect on the people that `rows`, bool[n] or positions, picks."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ARRAYS})

    @classmethod
    def joined(cls, parts: Sequence[TermEffect]) -> TermEffect:
        """Return the effect of one term on the people of all parts, of which there is one at least, in their order."""
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS
        }
        return replace(parts[0], **arrays)


def effects(select: Select, request: Request, candidates: Candidates) -> list[TermEffect]:
    """Return the effect of each term of weight above 0, in the order of the terms of `select`.

    - select: bound, as `pipeline.rerank_` has it; request and candidates: of the same n people, the candidates scored

    Goals, each over the whole list:

    - `MMR`: mean over the places from the second on of the largest cosine to an item placed before, −1 … 1
    - `DPP`: log det((1 − ε) S + ε I) / length, at most 0, with ones on the diagonal whatever is known of an item
    - `Calibration`: KL(p ‖ q̃), at least 0, with p and q̃ as there
    - `Exposure`: ‖e − t‖², at least 0 and below 2, with e and t as there

    Empty without terms. Cost: one more selection for each term.
    """
    used = [term for term in select.parts if isinstance(term, Term) and _weight_of(select, term) > 0]
    if not used:
        return []
    chosen, _ = select.select(request, candidates)
    relevance = _mean_relevance(select, candidates, chosen)
    return [_effect(select, term, request, candidates, chosen, relevance) for term in used]


def without_term(select: Select, term: Stage) -> Select:
    """Return `select` with the weight of `term`, one of its parts, given to relevance; it is not changed itself."""
    bare = copy.copy(select)
    bare.weight = select.weight.copy()
    at = _column_of(term)
    bare.weight[0] += bare.weight[at]
    bare.weight[at] = 0.0
    return bare


def _effect(
    select: Select,
    term: Term,
    request: Request,
    candidates: Candidates,
    chosen: Lists,
    relevance: Floats,
) -> TermEffect:
    bare = without_term(select, term)
    others, _ = bare.select(request, candidates)
    return TermEffect(
        term.name,
        _weight_of(select, term),
        GOALS[type(term)],
        _goals(term, request, chosen),
        _goals(term, request, others),
        relevance,
        _mean_relevance(select, candidates, others),
        _differ(chosen, others),
    )


def _column_of(term: Stage) -> int:
    """Return the column of the term's weight."""
    return 1 + KINDS.index(type(term))


def _weight_of(select: Select, term: Stage) -> float:
    return float(select.weight[_column_of(term)])


def _differ(one: Lists, other: Lists) -> NDArray[np.bool_]:
    width = int(max(np.diff(one.ptr).max(initial=0), np.diff(other.ptr).max(initial=0)))
    return np.asarray((one.padded(width) != other.padded(width)).any(axis=1))


def _items_of(lists: Lists, row: int) -> NDArray[np.int32]:
    return lists.item_idx[lists.ptr[row] : lists.ptr[row + 1]]


def _mean_relevance(select: Select, candidates: Candidates, lists: Lists) -> Floats:
    """Return float64[n]: mean r of each list, r being what `Select` goes by: min-max over the pool."""
    mean = np.full(len(lists), np.nan)
    for row in np.flatnonzero(np.diff(lists.ptr)).tolist():
        pool = candidates.score[select.pool_of(candidates, row)].astype(np.float64)
        spread = pool.max() - pool.min()
        own = lists.score[lists.ptr[row] : lists.ptr[row + 1]].astype(np.float64)
        mean[row] = (own.mean() - pool.min()) / spread if spread > 0 else 0.0
    return mean


def _goals(term: Term, request: Request, lists: Lists) -> Floats:
    return np.array([_goal(term, request, row, _items_of(lists, row)) for row in range(len(lists))], float)


def _goal(term: Term, request: Request, row: int, items: NDArray[np.int32]) -> float:
    if not items.size:
        return np.nan
    if isinstance(term, MMR):
        return mean_largest_similarity(term.of(items).vectors)
    if isinstance(term, DPP):
        return log_determinant(term.of(items).vectors, term.epsilon)
    if isinstance(term, Calibration):
        liked = np.unique(liked_by(request, row))
        return divergence(mix_of(term.groups, liked), mix_of(term.groups, items), term.alpha)
    return squared_distance(term.of(items))


def mean_largest_similarity(unit: NDArray[np.float32]) -> float:
    """Return the mean over the rows from the second on of the largest dot product with a row before; NaN of one row.

    `unit` float32[n, d] of rows of length 1 or 0, in the order of the list, n >= 1.

    >>> mean_largest_similarity(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32))  # (0 + 0.8) / 2
    0.4000000059604645
    """
    if len(unit) < 2:
        return np.nan
    cosine = unit.astype(np.float64) @ unit.T.astype(np.float64)
    before = np.tri(len(unit), k=-1, dtype=bool)
    return float(np.where(before, cosine, -np.inf).max(axis=1)[1:].mean())


def log_determinant(unit: NDArray[np.float32], epsilon: float) -> float:
    """Return log det((1 − ε) S + ε I) / n of n >= 1 rows of length 1 or 0, S their dot products.

    The diagonal is 1, for rows of zeros, too. At most 0, which it is where no two rows are alike.

    >>> round(log_determinant(np.array([[1, 0], [1, 0]], np.float32), 0.5), 6)  # log(1 − 0.5²) / 2
    -0.143841
    """
    kernel = (1.0 - epsilon) * (unit.astype(np.float64) @ unit.T.astype(np.float64))
    np.fill_diagonal(kernel, 1.0)
    return float(np.linalg.slogdet(kernel)[1]) / len(unit)


def divergence(p: Floats, q: Floats, alpha: float) -> float:
    """Return KL(p ‖ (1 − alpha) q + alpha p) of two mixes float64[n_groups]; NaN where p is 0 throughout.

    >>> divergence(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 0.01)
    0.0
    >>> round(divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.01), 6)  # log(1 / 0.01)
    4.60517
    """
    mine = p > 0
    if not mine.any():
        return np.nan
    mixed = (1.0 - alpha) * q[mine] + alpha * p[mine]
    return float(np.sum(p[mine] * np.log(p[mine] / mixed)))


def squared_distance(listed: Mix) -> float:
    """Return ‖e − t‖² of a list: its groups' shares e of the exposure 1 / log2(place + 1), and `listed.target` t.

    >>> from shortlist.kernels.greedy_selection import Mix
    >>> squared_distance(Mix(np.array([0, 1]), np.array([0], np.int32), np.array([0.5, 0.5])))  # e = 1, 0
    0.5
    """
    return float(np.sum((exposure_shares(listed) - listed.target) ** 2))


def exposure_shares(listed: Mix) -> Floats:
    """Return float64[n_groups], of sum 1: the share of the exposure of a list that each group has.

    >>> from shortlist.kernels.greedy_selection import Mix
    >>> two = Mix(np.array([0, 1, 3]), np.array([0, 0, 1], np.int32), np.zeros(2))
    >>> exposure_shares(two).round(4).tolist()  # places 1 and 0.6309; the second is half of each
    [0.8066, 0.1934]
    """
    size = np.diff(listed.ptr)
    each = 1.0 / np.log2(np.arange(size.size) + 2.0)
    exposure = np.bincount(listed.group, np.repeat(each / np.maximum(size, 1), size), listed.target.size)
    shares: Floats = exposure / each.sum()
    return shares
