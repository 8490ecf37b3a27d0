"""Newton's method for the logistic regression of each row of a sparse matrix of labels on its columns' vectors.

Row r minimises, over z,

    f(z) = sum_j [log(1 + exp(l_j)) - y_j l_j] + 1/2 sum_f p_f z_f^2,      l_j = z . v_j + o_j,

with labels y in {0, 1}, known parts o_j of the logits, and penalties p. With s_j = 1 / (1 + exp(-l_j)) its gradient is
sum_j (s_j - y_j) v_j + p z and its Hessian sum_j s_j (1 - s_j) v_j v_j^T + diag(p). Newton's next z solves a weighted
least-squares system, which `least_squares` is for: weights h = s (1 - s), and h (z . v) - (s - y) on the right.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    F64 = NDArray[np.float64]

LEAST_WEIGHT = (
    1e-6  # where s is 0 or 1 to rounding: a positive weight keeps the system solvable, the step short
)
SUFFICIENT = 0.25  # the share of the fall that the slope foretells which a step must bring
MOST_HALVINGS = 30
NO_MATTER = 1e-12


@fast_kernel
def working_response(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    labels: Floats,
    known: Floats,
    vectors: Floats,
    solution: Floats,
    start: int,
    stop: int,
    weight: Floats,
    right: Floats,
) -> None:
    """Write h and h (z . v) - (s - y) of the entries of rows `start:stop` to `weight`, `right` [nnz]."""
    dim = vectors.shape[1]
    for r in range(start, stop):
        for q in range(indptr[r], indptr[r + 1]):
            j = indices[q]
            dot = 0.0
            for f in range(dim):
                dot += solution[r, f] * vectors[j, f]
            s = 1.0 / (1.0 + math.exp(-(dot + known[q])))
            h = max(s * (1.0 - s), LEAST_WEIGHT)
            weight[q] = h
            right[q] = h * dot - (s - labels[q])


@fast_kernel
def move(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    labels: Floats,
    known: Floats,
    weight: Floats,
    vectors: Floats,
    penalties: F64,
    scale: F64,
    target: Floats,
    start: int,
    stop: int,
    solution: Floats,
    gap: F64,
) -> None:
    """Move the rows `start:stop` of `solution` towards `target`, halving the step until f falls enough.

    p of row r is scale_r `penalties`. Writes to gap[r] the square of the step's length in the metric of the Hessian
    (Newton's decrement), over 1 + f: where it is small, so is what f could still fall by, half of it.
    A row never moves to where f is higher.
    """
    longest = 0
    for r in range(start, stop):
        longest = max(longest, indptr[r + 1] - indptr[r])
    logit, change = np.empty(longest), np.empty(longest)
    for r in range(start, stop):
        first, n = indptr[r], indptr[r + 1] - indptr[r]
        y, here = labels[first : first + n], solution[r]
        lines_along(
            indices[first : first + n], known[first : first + n], vectors, here, target[r], logit, change
        )
        penalty, tilt, bend = penalty_along(here, target[r], penalties, scale[r])
        length = bend
        for q in range(n):
            length += weight[first + q] * change[q] * change[q]
        value = loss_at(0.0, y, logit, change) + 0.5 * penalty
        gap[r] = length / (1.0 + value)
        step = 1.0
        for _ in range(MOST_HALVINGS):
            moved = 0.5 * (penalty + 2.0 * step * tilt + step * step * bend) + loss_at(step, y, logit, change)
            if moved <= value - SUFFICIENT * step * length:
                break
            step *= 0.5
        else:
            # The fall is lost in rounding: only a step too short to matter may be taken blindly.
            step = 1.0 if gap[r] < NO_MATTER else 0.0
        for f in range(here.size):
            here[f] += step * (target[r, f] - here[f])


@fast_kernel
def lines_along(
    indices: NDArray[np.int32],
    known: Floats,
    vectors: Floats,
    here: Floats,
    target: Floats,
    logit: F64,
    change: F64,
) -> None:
    """Write the logits of a row's entries at `here`, and how they change on the way to `target`."""
    for q in range(indices.size):
        j = indices[q]
        at, towards = 0.0, 0.0
        for f in range(here.size):
            at += here[f] * vectors[j, f]
            towards += (target[f] - here[f]) * vectors[j, f]
        logit[q], change[q] = at + known[q], towards


@fast_kernel
def loss_at(step: float, labels: Floats, logit: F64, change: F64) -> float:
    """Return a row's cross-entropy at `step` of the way."""
    total = 0.0
    for q in range(labels.size):
        at = logit[q] + step * change[q]
        total += max(at, 0.0) - labels[q] * at + math.log1p(math.exp(-abs(at)))
    return total


@fast_kernel
def penalty_along(here: Floats, target: Floats, penalties: F64, scale: float) -> tuple[float, float, float]:
    """Return p·z², p·z·d and p·d², d = target − z: the penalty at a step t is half of p·z² + 2 t p·z·d + t² p·d²."""
    penalty, tilt, bend = 0.0, 0.0, 0.0
    for f in range(here.size):
        z = np.float64(here[f])
        d = np.float64(target[f]) - z
        penalty += scale * penalties[f] * z * z
        tilt += scale * penalties[f] * z * d
        bend += scale * penalties[f] * d * d
    return penalty, tilt, bend
