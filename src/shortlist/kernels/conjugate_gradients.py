"""Steps of preconditioned conjugate gradients on the least-squares system of each row of a sparse matrix.

For row u with events j, of weight w_j and target a_j, the system is A x = b with

    A = diag(D) + Σ_j (w_j - τ) v_j v_jᵀ,      D = base + reg_u,      b = Σ_j w_j a_j v_j + pull_u.

The preconditioner is the diagonal that A would have if the row's events were average ones, M = D + (Σ_j w_j - τ) s with
s_k the mean of v_k² over all events of all rows. With coordinates in which base is what the Gram matrix of all v has
become (`weighted_squares.half_step`), two steps come close to the solution. A step passes over the row's events once
and builds no matrix. It never raises ½ xᵀA x - bᵀx, and d steps solve the system but for rounding.

The last step needs its length and no residual after it, and so half a pass:
pᵀA p = Σ_k D_k p_k² + Σ_j (w_j - τ) (v_j·p)².
Events are taken four at a time, so that what is summed up is read and written once in four, and the vectors of
events a little further on are called for ahead of time. A row's arithmetic depends on nothing but the row.

Sources: Takács, Pilászy and Tikk 2011, "Applications of the conjugate gradient method for implicit feedback
collaborative filtering" (few steps, from where the row is); Saad 2003, "Iterative methods for sparse linear systems",
algorithm 9.1 (the preconditioned steps).

| symbol | meaning |
|---|---|
| v_j, τ | `factors[j]`; `taken_off`, what D charges an event with already |
| x, r, p | the row as it is, b - A x, and the direction of the step |
| D, M, s | the diagonal that is not of the events, the preconditioner, `spread` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.jit import fast_kernel
from shortlist.kernels.prefetch import prefetch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

AHEAD = 8  # events between the one whose vector is called for and the one in work
LINE = 16  # numbers of 4 bytes in a cache line


@fast_kernel
def descend_block(
    start: int,
    stop: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    weights: Floats,
    targets: Floats,
    factors: Floats,
    taken_off: Floats,
    base: Floats,
    spread: Floats,
    reg: Floats,
    pull: Floats,
    n_steps: int,
    x: Floats,
) -> int:
    """Take `n_steps` from the rows `start` to `stop` of `x[n_rows, d]`, in place; return -1, or a row without solution.

    All floats are of one dtype, float32 or float64. `indptr[n_rows + 1]` and `indices[nnz]` are the rows; `weights` and
    `targets` are [nnz], or [1] where all are the same; `factors[n_factors, d]`, `taken_off[1]`, `base[d]`, `spread[d]`
    and `reg[n_rows]`. `pull` is [n_rows, d], or [0, d] for zeros. A row without events gets pull / D, zero where
    both are. A row is without solution where its matrix is seen not to be positive definite; it ends the block.
    """
    zero, one = base.dtype.type(0), base.dtype.type(1)
    diagonal, inverse = np.zeros_like(base), np.zeros_like(base)
    r, p, ap = np.zeros_like(base), np.zeros_like(base), np.zeros_like(base)
    for u in range(start, stop):
        first, last, row = indptr[u], indptr[u + 1], x[u]
        for k in range(len(base)):
            diagonal[k] = base[k] + reg[u]
            r[k] = pull[u, k] if len(pull) else zero
        if first == last:
            if not _divide(r, diagonal, row):
                return u
            continue
        mass = _mass(first, last, weights, taken_off)
        for k in range(len(base)):
            m = diagonal[k] + mass * spread[k]
            inverse[k] = one / m if m > 0 else zero
            r[k] -= diagonal[k] * row[k]
        _add_residuals(first, last, indices, weights, targets, factors, taken_off, row, r)
        rz = zero
        for k in range(len(base)):
            p[k] = inverse[k] * r[k]
            rz += p[k] * r[k]
        for step in range(n_steps):
            if rz == 0:
                break
            curvature = zero
            if step + 1 == n_steps:
                for k in range(len(base)):
                    curvature += diagonal[k] * p[k] * p[k]
                curvature += _curvature(first, last, indices, weights, factors, taken_off, p)
            else:
                for k in range(len(base)):
                    ap[k] = -diagonal[k] * p[k]
                _add_residuals(first, last, indices, weights, targets[:0], factors, taken_off, p, ap)
                for k in range(len(base)):
                    curvature -= ap[k] * p[k]
            if not curvature > 0:
                return u
            length, before, rz = rz / curvature, rz, zero
            for k in range(len(base)):
                row[k] += length * p[k]
                r[k] += length * ap[k]
                rz += inverse[k] * r[k] * r[k]
            for k in range(len(base)):
                p[k] = inverse[k] * r[k] + rz / before * p[k]
    return -1


@fast_kernel
def _divide(top: Floats, bottom: Floats, out: Floats) -> bool:
    """Write top / bottom to `out`, zero where top is; False where there is no such number."""
    for k in range(len(top)):
        if top[k] != 0 and not bottom[k] > 0:
            return False
        out[k] = top[k] / bottom[k] if top[k] != 0 else top[k]
    return True


@fast_kernel
def _mass(first: int, last: int, weights: Floats, taken_off: Floats) -> Any:
    """Return Σ_j (w_j - τ) of events `first` to `last`, 0 where it is negative."""
    each, total = int(len(weights) > 1), taken_off.dtype.type(0)
    for e in range(first, last):
        total += weights[e * each] - taken_off[0]
    return max(total, taken_off.dtype.type(0))


@fast_kernel
def _add_residuals(
    first: int,
    last: int,
    indices: NDArray[np.int32],
    weights: Floats,
    targets: Floats,
    factors: Floats,
    taken_off: Floats,
    x: Floats,
    out: Floats,
) -> None:
    """Add Σ_j (w_j a_j - (w_j - τ) v_j·x) v_j over events `first` to `last` to `out[d]`; no `targets` are zeros."""
    d, tau, zero, e = factors.shape[1], taken_off[0], taken_off.dtype.type(0), first
    while e + 4 <= last:
        _call_for(e + AHEAD, last, indices, factors)
        j0, j1, j2, j3 = indices[e], indices[e + 1], indices[e + 2], indices[e + 3]
        t0, t1, t2, t3 = zero, zero, zero, zero
        for k in range(d):
            t0 += factors[j0, k] * x[k]
            t1 += factors[j1, k] * x[k]
            t2 += factors[j2, k] * x[k]
            t3 += factors[j3, k] * x[k]
        t0, t1 = _residual(e, weights, targets, tau, t0), _residual(e + 1, weights, targets, tau, t1)
        t2, t3 = _residual(e + 2, weights, targets, tau, t2), _residual(e + 3, weights, targets, tau, t3)
        for k in range(d):
            out[k] += t0 * factors[j0, k] + t1 * factors[j1, k] + t2 * factors[j2, k] + t3 * factors[j3, k]
        e += 4
    while e < last:
        j, t = indices[e], zero
        for k in range(d):
            t += factors[j, k] * x[k]
        t = _residual(e, weights, targets, tau, t)
        for k in range(d):
            out[k] += t * factors[j, k]
        e += 1


@fast_kernel
def _residual(e: int, weights: Floats, targets: Floats, tau: Any, product: Any) -> Any:
    """Return w a - (w - τ) v·x of event `e`, whose product v·x is."""
    w = weights[e if len(weights) > 1 else 0]
    if len(targets) == 0:
        return (tau - w) * product
    return w * targets[e if len(targets) > 1 else 0] + (tau - w) * product


@fast_kernel
def _curvature(
    first: int,
    last: int,
    indices: NDArray[np.int32],
    weights: Floats,
    factors: Floats,
    taken_off: Floats,
    p: Floats,
) -> Any:
    """Return Σ_j (w_j - τ) (v_j·p)² of events `first` to `last`."""
    d, zero, e, each = factors.shape[1], taken_off.dtype.type(0), first, int(len(weights) > 1)
    tau, total = taken_off[0], zero
    while e + 4 <= last:
        j0, j1, j2, j3 = indices[e], indices[e + 1], indices[e + 2], indices[e + 3]
        t0, t1, t2, t3 = zero, zero, zero, zero
        for k in range(d):
            t0 += factors[j0, k] * p[k]
            t1 += factors[j1, k] * p[k]
            t2 += factors[j2, k] * p[k]
            t3 += factors[j3, k] * p[k]
        total += (weights[e * each] - tau) * t0 * t0 + (weights[(e + 1) * each] - tau) * t1 * t1
        total += (weights[(e + 2) * each] - tau) * t2 * t2 + (weights[(e + 3) * each] - tau) * t3 * t3
        e += 4
    while e < last:
        j, t = indices[e], zero
        for k in range(d):
            t += factors[j, k] * p[k]
        total += (weights[e * each] - tau) * t * t
        e += 1
    return total


@fast_kernel
def _call_for(e: int, last: int, indices: NDArray[np.int32], factors: Floats) -> None:
    """Prefetch the vectors of four events from `e` on, as far as there are any before `last`."""
    for f in range(e, min(e + 4, last)):
        for k in range(0, factors.shape[1], LINE):
            prefetch(factors, indices[f], k)
