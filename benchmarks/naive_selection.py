"""Greedy list selection in NumPy, twice: by the definitions, and as somebody who knows the algorithms would write it.

`by_definition` computes the value of every possible next list anew at every place: a determinant for each candidate,
all similarities to the list, the mix and the exposure of the list with the candidate on it. `incremental` keeps what
does not change from place to place (the largest similarity, a Cholesky factor, sums by group) and computes all
candidates at once. Both take a `Case` and give the positions chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """One list to choose: m candidates, of which `n` are shown.

    relevance float64[m]; weight float64[5] of relevance, MMR, DPP, calibration and exposure; vectors float32[m, d] of
    length 1; share and maker float64[m, G]: how an item is divided among the groups; taste and target float64[G].
    """

    n: int
    relevance: Floats
    weight: Floats
    vectors: NDArray[np.float32]
    epsilon: float
    share: Floats
    taste: Floats
    alpha: float
    maker: Floats
    target: Floats

    @property
    def discount(self) -> Floats:
        """Return float64[n]: what a place is worth."""
        return 1.0 / np.log2(np.arange(self.n) + 2.0)


def by_definition(case: Case) -> list[int]:
    """Return the positions chosen, every value computed from its definition."""
    chosen: list[int] = []
    for _ in range(case.n):
        free = [i for i in range(case.relevance.size) if i not in chosen]
        value = case.weight[0] * case.relevance[free]
        for weight, part in zip(case.weight[1:], (_mmr, _dpp, _calibration, _exposure), strict=True):
            if weight > 0:
                value = value + weight * part(case, chosen, free)
        chosen.append(free[int(np.argmax(value))])
    return chosen


def _mmr(case: Case, chosen: list[int], free: list[int]) -> Floats:
    similarity = case.vectors[free] @ case.vectors[chosen].T
    return -similarity.max(axis=1) if chosen else np.zeros(len(free))


def _dpp(case: Case, chosen: list[int], free: list[int]) -> Floats:
    before = _log_determinant(case, chosen)
    return np.array([_log_determinant(case, [*chosen, i]) - before for i in free])


def _log_determinant(case: Case, chosen: list[int]) -> float:
    own = case.vectors[chosen].astype(np.float64)
    kernel = (1 - case.epsilon) * own @ own.T
    np.fill_diagonal(kernel, 1.0)
    return float(np.linalg.slogdet(kernel)[1])


def _calibration(case: Case, chosen: list[int], free: list[int]) -> Floats:
    return np.array([-_divergence(case, case.share[[*chosen, i]].mean(axis=0)) for i in free])


def _divergence(case: Case, mix: Floats) -> float:
    wanted = case.taste > 0
    smoothed = (1 - case.alpha) * mix + case.alpha * case.taste
    return float(np.sum(case.taste[wanted] * np.log(case.taste[wanted] / smoothed[wanted])))


def _exposure(case: Case, chosen: list[int], free: list[int]) -> Floats:
    place = case.discount[: len(chosen) + 1]
    return np.array(
        [-float(np.sum((place @ case.maker[[*chosen, i]] / place.sum() - case.target) ** 2)) for i in free]
    )


def incremental(case: Case) -> list[int]:
    """Return the positions chosen, all candidates at once and nothing computed twice."""
    m = case.relevance.size
    chosen: list[int] = []
    free = np.ones(m, bool)
    largest, d2, rows = np.zeros(m, np.float32), np.ones(m), np.zeros((case.n, m))
    mix, exposed = np.zeros(case.taste.size), np.zeros(case.target.size)
    wanted = case.taste > 0
    taste, share = case.taste[wanted], case.share[:, wanted]
    for t in range(case.n):
        value = case.weight[0] * case.relevance
        if case.weight[1] > 0:
            value = value - case.weight[1] * largest
        if case.weight[2] > 0:
            value = value + case.weight[2] * np.log(d2)
        if case.weight[3] > 0:
            smoothed = (1 - case.alpha) * (mix[wanted] + share) / (t + 1) + case.alpha * taste
            value = value - case.weight[3] * (np.log(taste / smoothed) @ taste)
        if case.weight[4] > 0:
            total = case.discount[: t + 1].sum()
            after = (exposed + case.discount[t] * case.maker) / total - case.target
            value = value - case.weight[4] * np.einsum("ig,ig->i", after, after)
        pick = int(np.argmax(np.where(free, value, -np.inf)))
        chosen.append(pick)
        free[pick] = False
        similar = case.vectors @ case.vectors[pick]
        largest = similar if t == 0 else np.maximum(largest, similar)
        if case.weight[2] > 0:
            rows[t] = ((1 - case.epsilon) * similar - rows[:t, pick] @ rows[:t]) / np.sqrt(d2[pick])
            d2 = np.maximum(d2 - rows[t] ** 2, case.epsilon)
        mix += case.share[pick]
        exposed += case.discount[t] * case.maker[pick]
    return chosen
