"""Draws of normal vectors from their systems, many side by side, so that vector instructions have work whatever d is.

A θ of precision A = Λ + α Σ z zᵀ and mean A⁻¹ (Λμ + α Σ z e) is A⁻¹ (…) + L⁻ᵀ noise, where A = L Lᵀ. The sums over few
examples are made side by side as well, one example of each θ at a time; those over many one θ after the other.

`rank4` is r rounded up to a multiple of four; what is beyond r is zero. θ = (v_1 … v_r, w), d = r + 1, and x is what
multiplies w.

| symbol | meaning |
|---|---|
| a | float64[d + 1, d, LANES]: the lower triangle of A, and below it the right side |
| s, t, b | Σ z zᵀ of the factors [rank4, rank4]; Σ z x and Σ z e [rank4 + 1], the last entry that of w |
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import fast_kernel
from shortlist.kernels.least_squares import add_products

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

LANES = 32
SHORT = 48  # sums over at most so many examples are made side by side too
CHUNK = 64  # examples that are added to s at a time


@fast_kernel
def clear_lanes(d: int, a: F64) -> None:
    """Set the lower triangle and the right side of all lanes to 0."""
    for i in range(d + 1):
        for j in range(min(i + 1, d)):
            for lane in range(a.shape[2]):
                a[i, j, lane] = 0.0


@fast_kernel
def add_lanes(d: int, beside: F64, a: F64) -> None:
    """Add the products of z and x with one another, and below them with the error, lane by lane."""
    for i in range(d + 1):
        for j in range(min(i + 1, d)):
            for lane in range(a.shape[2]):
                a[i, j, lane] += beside[i, lane] * beside[j, lane]


@fast_kernel
def finish_lanes(d: int, precision: F64, shift: F64, alpha: float, a: F64) -> None:
    """Make of the sums the precision of each lane's column and, below it, its right side."""
    for i in range(d):
        for j in range(i + 1):
            own = precision[i, j]
            for lane in range(a.shape[2]):
                a[i, j, lane] = own + alpha * a[i, j, lane]
        own = shift[i]
        for lane in range(a.shape[2]):
            a[d, i, lane] = own + alpha * a[d, i, lane]


@fast_kernel
def clear_sums(s: F64, t: F64, b: F64) -> None:
    """Set the sums of a column to 0."""
    s[:, :] = 0.0
    t[:] = 0.0
    b[:] = 0.0


@fast_kernel
def add_chunk(n: int, z: F64, s: F64, t: F64, b: F64) -> None:
    """Add n examples to s (its lower triangle), t and b; z float64[rank4 + 2, CHUNK] has z, x and e of each."""
    rank4 = len(z) - 2
    add_products(s, z, z, rank4, n)
    for f in range(rank4 + 1):
        with_w, with_e = 0.0, 0.0
        for k in range(n):
            with_w += z[f, k] * z[rank4, k]
            with_e += z[f, k] * z[rank4 + 1, k]
        t[f] += with_w
        b[f] += with_e


@fast_kernel
def set_lane(
    lane: int,
    rank: int,
    precision: F64,
    shift: F64,
    alpha: float,
    v: F64,
    w: float,
    s: F64,
    t: F64,
    b: F64,
    a: F64,
) -> None:
    """Set lane `lane` of a [d + 1, d, LANES] to a column's precision and, below it, its right side; b changes."""
    rank4 = len(v)
    of_w = b[rank4] + t[rank4] * w
    for i in range(rank):
        total = b[i] + t[i] * w + s[i, i] * v[i]
        for j in range(i):
            total += s[i, j] * v[j]
            b[j] += s[i, j] * v[i]
        b[i] = total
        of_w += t[i] * v[i]
        for j in range(i + 1):
            a[i, j, lane] = precision[i, j] + alpha * s[i, j]
        a[rank, i, lane] = precision[rank, i] + alpha * t[i]
    for i in range(rank):
        a[rank + 1, i, lane] = shift[i] + alpha * b[i]
    a[rank + 1, rank, lane] = shift[rank] + alpha * of_w
    a[rank, rank, lane] = precision[rank, rank] + alpha * t[rank4]


@fast_kernel
def copy_lane(lane: int, d: int, a: F64) -> None:
    """Fill an unused lane with what lane 0 has, which is positive definite if anything is."""
    for i in range(d + 1):
        for j in range(min(i + 1, d)):
            a[i, j, lane] = a[i, j, 0]


@fast_kernel
def take_lane(lane: int, rank: int, a: F64, out: F64) -> None:
    """Write a draw into out float64[rank4 + 1]: the factors, zeros, and w at the end."""
    out[:] = 0.0
    for f in range(rank):
        out[f] = a[rank + 1, f, lane]
    out[len(out) - 1] = a[rank + 1, rank, lane]


@fast_kernel
def draw_lanes(d: int, a: F64, noise: F64, first: int, n: int) -> bool:
    """Replace row d of a [d + 1, d, LANES], x, by A⁻¹ x + L⁻ᵀ noise; False if not all are finite.

    A = L Lᵀ is the lower triangle of the first d rows, which are overwritten. Lane l < n takes noise[first + l]. Each
    lane's arithmetic is its own: the draw of a column does not depend on which others are solved beside it.
    """
    n_lanes = a.shape[2]
    left, inverse = np.empty(n_lanes), np.empty(n_lanes)
    for j in range(d):
        of_j = a[j]
        _less_products(j, of_j, of_j, left)
        # Its inverse, since what follows multiplies; as an array, since there no division is checked.
        inverse[:] = 1.0 / np.sqrt(left)
        of_j[j, :] = inverse
        for i in range(j + 1, d + 1):  # with the right side as the row below: L⁻¹ x comes along
            of_i = a[i]
            _less_products(j, of_i, of_j, left)
            _set_product(of_i[j], left, inverse)
    x = a[d]
    for lane in range(n):
        for i in range(d):
            x[i, lane] += noise[first + lane, i]
    for i in range(d - 1, -1, -1):
        of_i = a[i]
        _set_product(left, x[i], of_i[i])
        x[i, :] = left
        for k in range(i):
            _less_product(x[k], of_i[k], left)
    for i in range(d):
        for lane in range(n):
            if not math.isfinite(a[d, i, lane]):
                return False
    return True


@fast_kernel
def _less_products(j: int, of_i: F64, of_j: F64, out: F64) -> None:
    """Write of_i[j] - Σ_k of_i[k] of_j[k], k < j, into out float64[LANES]; an array of its own, so that it is fast."""
    own = of_i[j]
    for lane in range(len(out)):
        out[lane] = own[lane]
    for k in range(j):
        one, other = of_i[k], of_j[k]
        for lane in range(len(out)):
            out[lane] -= one[lane] * other[lane]


@fast_kernel
def _less_product(out: F64, one: F64, other: F64) -> None:
    for lane in range(len(out)):
        out[lane] -= one[lane] * other[lane]


@fast_kernel
def _set_product(out: F64, one: F64, other: F64) -> None:
    for lane in range(len(out)):
        out[lane] = one[lane] * other[lane]
