"""Which items to ask a new person about: chosen one after the other, each for what its answers tell of all the rest.

A `Panel` is people whose values y_j of items j are known, the vectors v_j of the items, which were learned without
them, and what a person is taken for before the first answer. A person with the answers S is folded in at

    m = argmin_m mᵀ A m + Σ_{j∈S} (y_j − v_j·m)² = P Σ_{j∈S} y_j v_j,   P = (A + Σ_{j∈S} v_j v_jᵀ)⁻¹.

The error of that is Σ_{j∈H} (y_j − v_j·m)² + mᵀ C m over H, everything that the person values and was not asked
about. C = w0 VᵀV where what a person has not touched counts as 0 with the weight w0 (likes), else 0. One more answer i
moves m by r k, with r = y_i − v_i·m, k = P v_i / s and s = 1 + v_iᵀ P v_i, and takes i out of H. With
G = Σ_H v_j v_jᵀ and h = Σ_H (y_j − v_j·m) v_j, both still with i, it lowers the error on the rest of H by

    measured:  2 r k·(h − C m) − r² kᵀ(G + C) k − r² + r² (1 − v_i·k)²,

and by 0 for a person who does not know i. If values come about as the fold-in supposes, y_j = v_j·u + noise with u of
covariance P around m and noise of variance 1, then E[r] = 0, E[r²] = s and E[r h] = s G k + v_i, so that the mean over
all possible answers is

    expected:  s (kᵀ(G − C) k − (v_i·k)²).

The measured gain is what counts, but where few people know an item it is mostly luck. So it is shrunk towards the
expected one: the gain of an item that n people know is expected + n / (n + shrinkage) · (measured − expected), both
summed over the people, each weighed by 1 / |H| at the start. The next question is the item with the largest. An
item that few know gains little, and so does one that is answered like an earlier one.

Source: Golbandi, Koren and Lempel, On Bootstrapping Recommender Systems, CIKM 2010 (GreedyExtend): the greedy choice by
the error of what is predicted from the answers. Theirs are predicted by profiles of items, ours by fold-in, whose
gain of each item has a closed form; the shrinkage is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    Floats = NDArray[np.float64]

# Pairs of a person and an item whose d × d matrices are gathered at a time.
BLOCK = 4096


@dataclass(eq=False)
class Panel:
    """People who have been asked some questions, and what is left to tell from the answers.

    - values: y, float CSR [people, items]; vectors float64[items, d]; prior: A, float64[d, d], positive definite
    - candidates int64[c]: the items that may be asked about, by the position in `vectors`
    - unobserved_weight: w0
    """

    values: sparse.csr_array
    vectors: Floats
    prior: Floats
    candidates: NDArray[np.int64]
    unobserved_weight: float = 0.0
    mean: Floats = field(init=False)
    covariance: Floats = field(init=False)

    def __post_init__(self) -> None:
        n, d = self.values.shape[0], self.vectors.shape[1]
        self.mean, self.covariance = np.zeros((n, d)), np.repeat(np.linalg.inv(self.prior)[None], n, axis=0)
        self._gram = np.empty((n, d, d))
        self._pull = np.empty((n, d))
        self._squares = np.empty(n)
        for person in range(n):
            own = slice(self.values.indptr[person], self.values.indptr[person + 1])
            v, y = self.vectors[self.values.indices[own]], self.values.data[own]
            self._gram[person], self._pull[person], self._squares[person] = v.T @ v, y @ v, y @ y
        self._everything = self.unobserved_weight * (self.vectors.T @ self.vectors)
        self._weight = 1 / np.maximum(np.diff(self.values.indptr), 1)
        asked = self.values[:, self.candidates].tocoo()
        self._person, self._place, self._value = asked.row, asked.col, asked.data.astype(np.float64)

    @property
    def error(self) -> float:
        """Return the error of all that is left to tell, summed over the people, each weighed by 1 / |H|."""
        told = np.einsum("pd,pd->p", self._pull, self.mean)
        spread = _quadratic(self.mean, self._gram + self._everything)
        return float(self._weight @ (self._squares - 2 * told + spread))

    def gains(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Return measured and expected gain float64[c] of asking each candidate, and how many people know it int64[c].

        All are 0 for a candidate that was asked.
        """
        size = self.candidates.size
        measured, expected = np.zeros(size), np.zeros(size)
        for start in range(0, self._person.size, BLOCK):
            pairs = slice(start, start + BLOCK)
            for total, gain in zip((measured, expected), self._gains(pairs), strict=True):
                total += np.bincount(self._place[pairs], gain, minlength=size)
        return measured, expected, np.bincount(self._place, minlength=size)

    def _gains(self, pairs: slice) -> tuple[Floats, Floats]:
        person, v = self._person[pairs], self.vectors[self.candidates[self._place[pairs]]]
        m, gram, weight = self.mean[person], self._gram[person], self._weight[person]
        step = np.einsum("pde,pe->pd", self.covariance[person], v)
        scale = 1 + np.einsum("pd,pd->p", v, step)
        step /= scale[:, None]
        r = self._value[pairs] - np.einsum("pd,pd->p", v, m)
        slope = self._pull[person] - np.einsum("pde,pe->pd", gram, m) - m @ self._everything
        valued, zeros = _quadratic(step, gram), np.einsum("pd,pd->p", step, step @ self._everything)
        own = np.einsum("pd,pd->p", v, step)
        measured = 2 * r * np.einsum("pd,pd->p", step, slope) - r**2 * (valued + zeros + 1 - (1 - own) ** 2)
        return weight * measured, weight * scale * (valued - zeros - own**2)

    def ask(self, place: int) -> None:
        """Let everybody who knows the candidate at `place` answer."""
        v, pairs = self.vectors[self.candidates[place]], self._place == place
        person, y = self._person[pairs], self._value[pairs]
        step = self.covariance[person] @ v
        scale = 1 + step @ v
        self.mean[person] += step * ((y - self.mean[person] @ v) / scale)[:, None]
        self.covariance[person] -= step[:, :, None] * (step / scale[:, None])[:, None, :]
        self._gram[person] -= np.outer(v, v)
        self._pull[person] -= y[:, None] * v
        self._squares[person] -= y**2
        self._person, self._place, self._value = (
            of[~pairs] for of in (self._person, self._place, self._value)
        )


def _quadratic(x: Floats, matrices: Floats) -> Floats:
    """Return xᵀ M x float64[p] of each pair."""
    product: Floats = np.einsum("pd,pd->p", x, np.einsum("pde,pe->pd", matrices, x))
    return product


def greedy_questions(panels: Sequence[Panel], n: int, shrinkage: float) -> tuple[NDArray[np.int64], Floats]:
    """Return the places of `n` candidates int64[n] in the order of asking, and float64[n + 1]: the share of the error.

    All panels have the same candidates; their gains are summed. The share is of the error without an answer, before the
    first question and after each: what is asked and answered is known and no error. Ties go to the earlier candidate.
    Fewer than n come where nobody knows another candidate.
    Cost: O(pairs · d²) a question, over the pairs of a person and a candidate that they know.
    """
    chosen: list[int] = []
    with threads.single_blas():
        errors = [sum(panel.error for panel in panels)]
        while len(chosen) < n:
            measured, expected, known = (
                np.sum(of, axis=0) for of in zip(*(p.gains() for p in panels), strict=True)
            )
            if not known.any():
                break
            gains = expected + known / np.maximum(known + shrinkage, 1e-300) * (measured - expected)
            best = int(np.argmax(np.where(known > 0, gains, -np.inf)))
            for panel in panels:
                panel.ask(best)
            chosen.append(best)
            errors.append(sum(panel.error for panel in panels))
    return np.array(chosen, np.int64), np.array(errors) / (errors[0] or 1.0)
