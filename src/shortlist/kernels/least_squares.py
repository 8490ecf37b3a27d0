"""Exact solutions of the regularised least-squares system of each row of a sparse matrix.

For row u with events j the system is A x = b, where

    A = diag(D) + Σ_j q_j v_j v_jᵀ,        D = base + reg_u * penalised,        b = Σ_j c_j v_j.

Alternating least squares is this, over and over. The quadratic weight q_j and the linear coefficient c_j are separate
because some losses need q_j <= 0 on an observed pair. Two exact routes:

- *Few events* (n < d, every q_j > 0, and D > 0 in all coordinates but one at most, where it is 0). With
  Z = V D^-1/2 the push-through identity gives x = D^-1/2 Zᵀ y with S y = r, S = diag(1/q) + Z Zᵀ, r = c / q: a system
  of n, in n²d + n³/3 operations. It has no cancellation, unlike the usual form of Woodbury's identity. A
  coordinate without penalty (D = 0; a bias, say) has a value β of its own and its column h of V: S y + h β = r and
  hᵀ y = 0, hence β = hᵀS⁻¹r / hᵀS⁻¹h (block elimination).
- *Otherwise* A is built and factored: n d² + d³/3 operations.

Sums are float64 whatever the factors are, and so is all but the gathering, which keeps one compiled copy of it. A
row's arithmetic depends on nothing but the row.

| symbol | meaning |
|---|---|
| v_j, V | rows of `factors`, [n_factors, d]; those of the row's events, float64[n, d] |
| q, c | `quadratic` and `linear`, one of each an event |
| D, h, β | the diagonal; the column and the value of the coordinate where it is 0 |
| Z, S | scaled events float64[padded(n), d]; matrix of the small system |
| P, Q | weighted and plain events, transposed: float64[padded(d), CHUNK] |
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.cholesky import factor, padded, solve_factored
from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    F64 = NDArray[np.float64]

CHUNK = 64  # events added to A at a time; P and Q of dim 128 stay in the second-level cache
NONE, DENSE = -1, -2  # instead of the index of the coordinate without penalty


@fast_kernel
def solve_block(
    start: int,
    stop: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    quadratic: Floats,
    linear: Floats,
    factors: Floats,
    base: F64,
    penalised: F64,
    reg: F64,
    out: Floats,
) -> int:
    """Write the solutions of rows `start` to `stop` into `out` and return -1, or the first row that has none.

    `indptr[n_rows + 1]`, `indices[nnz]`, `quadratic[nnz]` and `linear[nnz]` are the rows; `factors[n_factors, d]`,
    `base[d]` and `penalised[d]` are shared; `reg[n_rows]`. `quadratic`, `linear`, `factors` and `out[n_rows, d]`
    are of one dtype, float32 or float64. A row without events gets zeros. A row whose matrix is not positive
    definite to working precision ends the block; its solution, and those after it, are then not written.
    """
    d = factors.shape[1]
    longest = 0
    for u in range(start, stop):
        longest = max(longest, indptr[u + 1] - indptr[u])
    v, q, c, s, diagonal, x = _scratch(longest, d)
    a = np.empty((0, 0))  # made when a row needs it
    transposed = np.empty((2, 0, CHUNK))
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        if first == last:
            out[u, :] = 0
            continue
        for k in range(d):
            diagonal[k] = base[k] + reg[u] * penalised[k]
        free = _route(diagonal, quadratic, first, last)
        if free != DENSE:
            _gather(first, last, indices, quadratic, linear, factors, v, q, c)
            solved = _solve_few(last - first, v, q, c, diagonal, free, s, x)
        else:
            if len(a) == 0:
                a = np.empty((padded(d), padded(d)))
                transposed = np.zeros((2, padded(d), CHUNK))
            _start_dense(diagonal, a, x)
            for at in range(first, last, CHUNK):
                until = min(at + CHUNK, last)
                _gather(at, until, indices, quadratic, linear, factors, v, q, c)
                _add_events(until - at, v, q, c, transposed[0], transposed[1], a, x)
            solved = factor(a, len(a))
            if solved:
                solve_factored(a, len(a), x)
        if not solved:
            return u
        for k in range(d):
            out[u, k] = x[k]
    return -1


@fast_kernel
def move_origin(
    start: int,
    stop: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    quadratic: Floats,
    factors: Floats,
    origin: Floats,
    linear: Floats,
) -> None:
    """Subtract q_j v_j·x₀ from c_j (`linear[nnz]`) of the events of rows `start` to `stop`, x₀ = `origin[u]`."""
    for u in range(start, stop):
        for e in range(indptr[u], indptr[u + 1]):
            row, t = factors[indices[e]], 0.0
            for k in range(len(row)):
                t += row[k] * origin[u, k]
            linear[e] -= quadratic[e] * t


@fast_kernel
def _scratch(longest: int, d: int) -> tuple[F64, F64, F64, F64, F64, F64]:
    """Return v, q, c, s, D and x for rows of up to `longest` events."""
    few = padded(min(longest, d))
    rows = max(few, min(longest, CHUNK))
    x = np.empty(max(padded(d), few))
    return np.empty((rows, d)), np.empty(rows), np.empty(rows), np.empty((few, few)), np.empty(d), x


@fast_kernel
def _route(diagonal: F64, quadratic: Floats, first: int, last: int) -> int:
    """Return the coordinate without penalty for the route of few events, `NONE`, or `DENSE` for the other."""
    if last - first >= len(diagonal):
        return DENSE
    for e in range(first, last):
        if not quadratic[e] > 0:
            return DENSE
    free = NONE
    for k in range(len(diagonal)):
        if diagonal[k] > 0:
            continue
        if diagonal[k] != 0 or free != NONE:
            return DENSE
        free = k
    return free


@fast_kernel
def _gather(
    first: int,
    last: int,
    indices: NDArray[np.int32],
    quadratic: Floats,
    linear: Floats,
    factors: Floats,
    v: F64,
    q: F64,
    c: F64,
) -> None:
    """Copy events `first` to `last` into the first rows of `v`, `q` and `c`."""
    for r in range(last - first):
        row = factors[indices[first + r]]
        for k in range(len(row)):
            v[r, k] = row[k]
        q[r] = quadratic[first + r]
        c[r] = linear[first + r]


@fast_kernel
def _solve_few(n: int, v: F64, q: F64, c: F64, diagonal: F64, free: int, s: F64, x: F64) -> bool:
    """Solve a row of `n` events through its n x n system into `x[:d]`; False when that is singular.

    `v` becomes Z, `c` becomes y, `q` becomes h, and `s` is scratch.
    """
    m, d = padded(n), len(diagonal)
    for k in range(d):
        x[k] = 0.0 if k == free else 1.0 / math.sqrt(diagonal[k])
    for r in range(m):
        for j in range(r):
            s[r, j] = 0.0
        if r >= n:
            s[r, r], c[r], q[r] = 1.0, 0.0, 0.0
            v[r, :] = 0.0
            continue
        s[r, r] = 1.0 / q[r]
        c[r] /= q[r]
        q[r] = 0.0 if free == NONE else v[r, free]
        for k in range(d):
            v[r, k] *= x[k]
    add_products(s, v, v, m, d)
    if not factor(s, m):
        return False
    beta = 0.0 if free == NONE else _free_value(s, m, q, c, x)
    if not math.isfinite(beta):
        return False
    for r in range(n):
        c[r] -= beta * q[r]
    solve_factored(s, m, c)
    for k in range(d):
        x[k] = 0.0
    for r in range(n):
        for k in range(d):
            x[k] += v[r, k] * c[r]
    for k in range(d):
        x[k] = beta if k == free else x[k] / math.sqrt(diagonal[k])
    return True


@fast_kernel
def _free_value(s: F64, m: int, h: F64, r: F64, x: F64) -> float:
    """Return β = hᵀS⁻¹r / hᵀS⁻¹h, infinite when h is zero; `s` is factored, `x[:m]` is scratch."""
    for i in range(m):
        x[i] = h[i]
    solve_factored(s, m, x)
    top, bottom = 0.0, 0.0
    for i in range(m):
        top += x[i] * r[i]
        bottom += x[i] * h[i]
    return top / bottom if bottom > 0 else math.inf


@fast_kernel
def _start_dense(diagonal: F64, a: F64, x: F64) -> None:
    """Set the lower triangle of `a` to diag(D), with the identity in the padding, and `x` to zero."""
    for k in range(len(a)):
        x[k] = 0.0
        for j in range(k):
            a[k, j] = 0.0
        a[k, k] = diagonal[k] if k < len(diagonal) else 1.0


@fast_kernel
def _add_events(n: int, v: F64, q: F64, c: F64, weighted: F64, plain: F64, a: F64, x: F64) -> None:
    """Add Σ q v vᵀ to the lower triangle of `a` and Σ c v to `x`, over the first `n` <= CHUNK rows of `v`."""
    d = v.shape[1]
    for r in range(n):
        for k in range(d):
            x[k] += c[r] * v[r, k]
    for k in range(d):
        for r in range(n):
            plain[k, r] = v[r, k]
            weighted[k, r] = q[r] * v[r, k]
    add_products(a, weighted, plain, len(a), n)


@fast_kernel
def add_products(s: F64, p: F64, q: F64, m: int, length: int) -> None:
    """Add P Qᵀ to the lower triangle of `s[:m, :m]`, for the first `length` columns of `p` and `q`.

    `m` is a multiple of four. Four rows by two columns at a time: eight sums in registers for six loads. Up to
    three entries right of the diagonal are written as well.
    """
    for i in range(0, m, 4):
        for c in range(0, i + 4, 2):
            a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
            b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0
            for k in range(length):
                v, w = q[c, k], q[c + 1, k]
                p0, p1, p2, p3 = p[i, k], p[i + 1, k], p[i + 2, k], p[i + 3, k]
                a0 += p0 * v
                a1 += p1 * v
                a2 += p2 * v
                a3 += p3 * v
                b0 += p0 * w
                b1 += p1 * w
                b2 += p2 * w
                b3 += p3 * w
            s[i, c] += a0
            s[i + 1, c] += a1
            s[i + 2, c] += a2
            s[i + 3, c] += a3
            s[i, c + 1] += b0
            s[i + 1, c + 1] += b1
            s[i + 2, c + 1] += b2
            s[i + 3, c + 1] += b3
