"""What each liked item adds to the scores of a person who is folded in under BPR's objective.

At the minimum of Σ_i Σ_j w_j (−ln σ(x_ij)) + n/2 reg |u|² (`pairwise_fold_in`) the gradient is 0, so

    u = Σ_i g_i / (n reg),    g_i = Σ_j w_j σ(−x_ij) (v_i − v_j),

a sum over the n liked items i. What is ranked above all else already pulls little. Where reg is next to 0 the sum still
holds, but says less of what would change without a like, since the others would then be free to make up for it.

Yeh, Kim, Yen and Ravikumar, Representer Point Selection for Explaining Deep Neural Networks, NeurIPS 2018, theorem 3.1,
for this loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.pairwise_fold_in import Comparison


def shares_of_vector(
    comparison: Comparison, weights: NDArray[np.float64], u: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return g_i / (n reg) of each liked item, float64[n, dim]; at the minimum their sum is `u` float64[dim].

    `weights` float64[m] are those of the items that likes are compared with, as in `best_vector`. O(n m dim).
    """
    with threads.single_blas():
        of_liked, of_others = comparison.liked @ np.append(u, 1.0), comparison.others @ np.append(u, 1.0)
        apart = np.subtract.outer(of_liked, of_others)
        slope = (0.5 - 0.5 * np.tanh(0.5 * apart)) * weights  # σ(−x), for x of any size
        pull = slope.sum(axis=1)[:, None] * comparison.liked[:, :-1] - slope @ comparison.others[:, :-1]
    shares: NDArray[np.float64] = pull / (len(comparison.liked) * comparison.reg)
    return shares
