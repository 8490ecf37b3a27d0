"""Cholesky factors of small dense systems in place, four rows at a time.

The order of every matrix is a multiple of four (`padded`), so no loop needs a tail; callers fill the padding
with the identity. Sums are float64. On 2 x 2 to 1024 x 1024 this beats a LAPACK call from numba, which checks,
copies and raises.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EPSILON = 2.0**-52


@fast_kernel
def padded(n: int) -> int:
    """Return the smallest multiple of four that is at least `n`."""
    return (n + 3) // 4 * 4


@fast_kernel
def factor(a: NDArray[np.float64], m: int) -> bool:
    """Overwrite the lower triangle of `a[:m, :m]` with L, where L Lᵀ is the symmetric matrix it held.

    `m` is a multiple of four; what lies above the diagonal is neither read nor written. Returns False, leaving
    `a` half done, when a pivot is not larger than what rounding leaves of its diagonal entry: the matrix is not
    positive definite to working precision, or holds NaN. Cost: m³/3 operations.
    """
    for i in range(0, m, 4):
        for c in range(i):
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
            for j in range(c):
                v = a[c, j]
                s0 += a[i, j] * v
                s1 += a[i + 1, j] * v
                s2 += a[i + 2, j] * v
                s3 += a[i + 3, j] * v
            scale = 1.0 / a[c, c]
            a[i, c] = (a[i, c] - s0) * scale
            a[i + 1, c] = (a[i + 1, c] - s1) * scale
            a[i + 2, c] = (a[i + 2, c] - s2) * scale
            a[i + 3, c] = (a[i + 3, c] - s3) * scale
        if not _factor_corner(a, i, m):
            return False
    return True


@fast_kernel
def _factor_corner(a: NDArray[np.float64], i: int, m: int) -> bool:
    """Finish the 4 x 4 triangle on the diagonal at row `i`, once the columns left of it are done."""
    for r in range(i, i + 4):
        for c in range(i, r):
            s = 0.0
            for j in range(c):
                s += a[r, j] * a[c, j]
            a[r, c] = (a[r, c] - s) / a[c, c]
        s = 0.0
        for j in range(r):
            s += a[r, j] * a[r, j]
        pivot = a[r, r] - s
        if not pivot > m * EPSILON * a[r, r]:  # also true of NaN
            return False
        a[r, r] = math.sqrt(pivot)
    return True


@fast_kernel
def solve_factored(a: NDArray[np.float64], m: int, x: NDArray[np.float64]) -> None:
    """Overwrite `x[:m]` with the solution of L Lᵀ y = x, where `a` holds L as `factor` left it."""
    for i in range(m):
        s = 0.0
        for j in range(i):
            s += a[i, j] * x[j]
        x[i] = (x[i] - s) / a[i, i]
    for i in range(m - 1, -1, -1):
        x[i] /= a[i, i]
        for j in range(i):
            x[j] -= a[i, j] * x[i]
