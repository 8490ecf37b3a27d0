"""The score of a pair by a factorisation machine and a net that share their embeddings, one pair at a time.

A row on either side is the sum of what its columns bring, so that two rows are put together by adding them:

    [a: first | s: dim | l: 1 | q: 1]

- a: what the first layer makes of them, Σ W₁ v x (with its bias on one of the two sides)
- s: Σ v x; l: Σ w x; q: Σ ‖v‖² x²

    score = l + ½ (‖s‖² − q) + w · relu(W_L … relu(W₂ relu(a) + b₂) … + b_L)

Symbols: v embedding and w weight of a column, x its value, W_k and b_k the layers of the deep part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@fast_kernel
def score_pairs(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    row: NDArray[np.int64],
    column: NDArray[np.int32],
    dim: int,
    sizes: NDArray[np.int64],
    deep: NDArray[np.float32],
    start: int,
    stop: int,
    out: NDArray[np.float32],
) -> None:
    """Write out[p], the score of left[row[p]] and right[column[p]], for start ≤ p < stop.

    - sizes int64[L]: units of each layer; L = 0: there is no deep part
    - deep float32: of each layer from the second on W [n_in, n_out] and b [n_out], then w [n_out of the last]

    Each score is computed by itself, in one order, whatever the others. A unit that is 0 costs nothing in the next
    layer. Cost: O(dim + Σ n_in n_out) a pair.
    """
    first = sizes[0] if sizes.size else 0
    width = sizes.max() if sizes.size else 0
    unit, sums = np.empty(width, np.float32), np.empty(width, np.float32)
    for p in range(start, stop):
        a, b = left[row[p]], right[column[p]]
        square = 0.0
        for f in range(first, first + dim):
            z = np.float64(a[f]) + np.float64(b[f])
            square += z * z
        linear = np.float64(a[first + dim]) + np.float64(b[first + dim])
        own = np.float64(a[first + dim + 1]) + np.float64(b[first + dim + 1])
        score = linear + 0.5 * (square - own)
        for j in range(first):
            unit[j] = max(a[j] + b[j], np.float32(0))
        at = 0
        for layer in range(1, sizes.size):
            n_in, n_out = sizes[layer - 1], sizes[layer]
            bias = at + n_in * n_out
            for j in range(n_out):
                sums[j] = deep[bias + j]
            for i in range(n_in):
                value = unit[i]
                if value > 0:
                    weights = deep[at + i * n_out : at + (i + 1) * n_out]
                    for j in range(n_out):
                        sums[j] += value * weights[j]
            for j in range(n_out):
                unit[j] = max(sums[j], np.float32(0))
            at = bias + n_out
        if sizes.size:
            for j in range(sizes[-1]):
                score += np.float64(unit[j]) * np.float64(deep[at + j])
        out[p] = score
