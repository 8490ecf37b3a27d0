"""What each item of a person's history adds to the scores of WALS, and what is known of the person besides.

With the items fixed, the vector u of a person minimises a weighted squared error (`weighted_squares`, `side_features`;
Φ and the pull p only where features are known), so it solves

    (G + Σ_j (w_j − τ) v_j v_jᵀ) u = Σ_j w_j v_j + p    with    G = w0 VᵀV + w_f ΦᵀΦ + λ I,

and what the observed pairs say moves to one side: G u = Σ_j r_j v_j + p, r_j = w_j − (w_j − τ) u·v_j. So the score of
item i is the sum Σ_j r_j v_i·G⁻¹v_j + v_i·G⁻¹p. How alike two items are, v_i·G⁻¹v_j, is nearly the same for everybody,
and r_j is what of the like the vector does not explain yet: what other items of the history say anyhow counts for less.

Hu, Koren and Volinsky 2008, section 5, take the whole matrix in place of G and w_j in place of r_j: the same sum,
otherwise shared out. Theirs counts a like in full also where the others make up for it, so that its loss is felt less
(benchmarks/bench_explanations.py compares the two). This form is that of Yeh, Kim, Yen and Ravikumar, Representer Point
Selection for Explaining Deep Neural Networks, NeurIPS 2018, theorem 3.1, for this loss.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.models.history_contributions import of_ridge
from shortlist.models.weighted_squares import gram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.weighted_squares import Axes, Loss, Observed

# A solution by conjugate gradients misses its system by less than this share of it; what features pull is more.
_UNSOLVED = 0.05


@dataclass(frozen=True, eq=False)
class KnownFeatures:
    """The features that people may have: their vectors Φ [n_features, d] and the weight w_f of each cell."""

    vectors: NDArray[np.float32]
    weight: float


@dataclass(frozen=True, eq=False)
class PersonalSystem:
    """The system of one person, turned by `axes`: G [d, d], v_j `past` [h, d], w and w − τ float64[h]."""

    unseen: NDArray[np.float64]
    past: NDArray[np.float64]
    linear: NDArray[np.float64]
    quadratic: NDArray[np.float64]

    @classmethod
    def of(
        cls, observed: Observed, axes: Axes, loss: Loss, features: KnownFeatures | None = None
    ) -> PersonalSystem:
        """Return the system of the one row of `observed`; with `features` that of a person of whom they are known."""
        unseen = np.diag(axes.values)
        if features is not None:
            loss = replace(loss, besides=features.weight * len(features.vectors))
            unseen = unseen + features.weight * axes.rotation.T @ gram(features.vectors) @ axes.rotation
        unseen = unseen + loss.penalties(observed)[0] * np.eye(len(unseen))
        past, weights = axes.rotated[observed.weights.indices], observed.weights.data.astype(np.float64)
        return cls(unseen, past.astype(np.float64), weights, weights - loss.taken_off)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Return G + Σ_j (w_j − τ) v_j v_jᵀ, float64[d, d]."""
        whole: NDArray[np.float64] = self.unseen + (self.past.T * self.quadratic) @ self.past
        return whole

    def pull(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return p float64[d]: what besides the history holds the turned `vector` in place."""
        pull: NDArray[np.float64] = self.matrix @ vector - self.linear @ self.past
        return pull

    def is_solved_by(self, vector: NDArray[np.float64]) -> bool:
        """Return whether the turned `vector` is the one that the history alone makes."""
        missed, said = self.pull(vector), self.linear @ self.past
        return bool(np.linalg.norm(missed) <= _UNSOLVED * np.linalg.norm(said))

    def amounts(
        self, items: NDArray[np.float64], pull: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return r_j v_i·G⁻¹v_j float64[m, h] and v_i·G⁻¹p float64[m] of turned `items` [m, d] under a `pull` p [d].

        Their sums are the scores of the vector that history and pull make. Cost: O(d³ + (h + m) d² + m h d).
        """
        with threads.single_blas():
            vector = np.linalg.pinv(self.matrix, hermitian=True) @ (self.linear @ self.past + pull)
            open_yet = self.linear - self.quadratic * (self.past @ vector)
        of_past = of_ridge(self.unseen, items, self.past, open_yet)
        return of_past, of_ridge(self.unseen, items, pull[None], np.ones(1))[:, 0]
