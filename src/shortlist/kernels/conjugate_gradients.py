"""Steps of preconditioned conjugate gradients on the least-squares system of each row of a sparse matrix.

For row u with events j the system is A x = b, where

    A = diag(D) + Σ_j q_j v_j v_jᵀ,        D = base + reg_u,        b = Σ_j c_j v_j + pull_u,

and M = D is the preconditioner. A step costs one pass over the row's events and builds no matrix; none of them raises
½ xᵀA x - bᵀx, and as many steps as A has distinct eigenvalues solve the system.

Sources: Takács, Pilászy and Tikk 2011, "Applications of the conjugate gradient method for implicit feedback
collaborative filtering" (steps from the present row); Saad 2003, "Iterative methods for sparse linear systems",
algorithm 9.1 (preconditioned).

| symbol | meaning |
|---|---|
| x, r, p | the row as it is, b - A x, and the direction of the step |
| D, M | the diagonal that is not of the events; here M = D |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


@fast_kernel
def descend_block(
    start: int,
    stop: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    quadratic: Floats,
    linear: Floats,
    factors: Floats,
    base: Floats,
    reg: Floats,
    pull: Floats,
    n_steps: int,
    x: Floats,
) -> int:
    """Take `n_steps` from the rows `start` to `stop` of `x[n_rows, d]`, in place; return -1, or a row without solution.

    All arrays are of one dtype, float32 or float64; `pull` is [n_rows, d], or [0, d] for zeros. A row without events
    gets pull / D, zero where both are.
    """
    d = factors.shape[1]
    diagonal, r, p, ap = np.empty_like(base), np.empty_like(base), np.empty_like(base), np.empty_like(base)
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        for k in range(d):
            diagonal[k] = base[k] + reg[u]
            r[k] = pull[u, k] if len(pull) else 0 * base[k]
        if first == last:
            for k in range(d):
                if r[k] != 0 and not diagonal[k] > 0:
                    return u
                x[u, k] = r[k] / diagonal[k] if r[k] != 0 else 0.0
            continue
        for k in range(d):
            r[k] -= diagonal[k] * x[u, k]
        for e in range(first, last):
            row, t = factors[indices[e]], 0 * base[0]
            for k in range(d):
                t += row[k] * x[u, k]
            t = linear[e] - quadratic[e] * t
            for k in range(d):
                r[k] += t * row[k]
        rz = 0 * base[0]
        for k in range(d):
            p[k] = r[k] / diagonal[k] if diagonal[k] > 0 else r[k]
            rz += r[k] * p[k]
        for _ in range(n_steps):
            if rz == 0:
                break
            for k in range(d):
                ap[k] = diagonal[k] * p[k]
            for e in range(first, last):
                row, t = factors[indices[e]], 0 * base[0]
                for k in range(d):
                    t += row[k] * p[k]
                t *= quadratic[e]
                for k in range(d):
                    ap[k] += t * row[k]
            curvature = 0 * base[0]
            for k in range(d):
                curvature += p[k] * ap[k]
            if not curvature > 0:
                return u
            length, before = rz / curvature, rz
            rz = 0 * base[0]
            for k in range(d):
                x[u, k] += length * p[k]
                r[k] -= length * ap[k]
                rz += r[k] * (r[k] / diagonal[k] if diagonal[k] > 0 else r[k])
            for k in range(d):
                p[k] = (r[k] / diagonal[k] if diagonal[k] > 0 else r[k]) + rz / before * p[k]
    return -1
