"""Stochastic gradient steps of a factorisation machine, an example after the other.

For an example with columns i of values x_i, residual g = dℓ/dŷ (ŷ - y for the squared error ½ (ŷ - y)², σ(ŷ) - y for
the cross-entropy) and q_f = Σ_i v_if x_i, the gradient of ℓ + ½ Σ_i (reg ‖v_i‖² + weight_reg w_i²) is

    g for w0,    g x_i + weight_reg w_i for w_i,    g x_i (q_f - v_if x_i) + reg v_if for v_if.

A step is `rate` times it, or with AdaGrad `rate` / √h times it, where h sums the squares of that coordinate's
gradients so far, this one included (Duchi, Hazan and Singer 2011).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.fm_rows import append_row
from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    I32 = NDArray[np.int32]
    I64 = NDArray[np.int64]

_LEAST = 1e-12  # h of a coordinate whose gradients were all 0


@fast_kernel
def descend(
    order: I64,
    targets: F32,
    user_of: I32,
    user_ptr: I64,
    user_indices: I32,
    user_values: F32,
    item_of: I32,
    item_ptr: I64,
    item_indices: I32,
    item_values: F32,
    context_of: I32,
    context_ptr: I64,
    context_indices: I32,
    context_values: F32,
    intercept: F64,
    w: F32,
    v: F32,
    intercept_squares: F64,
    w_squares: F32,
    v_squares: F32,
    rate: float,
    reg: float,
    weight_reg: float,
    logistic: bool,
    adagrad: bool,
) -> float:
    """Step on the examples of `order` in turn and return the sum of their losses, each before its step.

    intercept and intercept_squares float64[1]; w, w_squares float32[n_columns]; v, v_squares float32[n_columns, r]. All
    change in place; the sums of squares only with `adagrad`. Serial, O(columns of an example · r) each. The sum is NaN
    or infinite as soon as a parameter is.
    """
    rank, loss = v.shape[1], 0.0
    q = np.empty(rank)
    columns, x = np.empty(0, np.int32), np.empty(0, np.float32)
    for example in order:
        user, item, context = user_of[example], item_of[example], context_of[example]
        n = user_ptr[user + 1] - user_ptr[user] + item_ptr[item + 1] - item_ptr[item]
        n += context_ptr[context + 1] - context_ptr[context]
        if n > len(columns):
            columns, x = np.empty(2 * n, np.int32), np.empty(2 * n, np.float32)
        n = append_row(0, user, user_ptr, user_indices, user_values, columns, x)
        n = append_row(n, item, item_ptr, item_indices, item_values, columns, x)
        n = append_row(n, context, context_ptr, context_indices, context_values, columns, x)
        z = intercept[0] + _predicted(columns, x, n, w, v, q)
        y = np.float64(targets[example])
        if logistic:
            loss += max(z, 0.0) - y * z + math.log1p(math.exp(-abs(z)))
            g = _logistic(z) - y
        else:
            g = z - y
            loss += 0.5 * g * g
        intercept[0] -= rate * _scaled(g, intercept_squares, 0, adagrad)
        for at in range(n):
            c, value = columns[at], np.float64(x[at])
            w[c] -= rate * _scaled(g * value + weight_reg * w[c], w_squares, c, adagrad)
            own = v_squares[c]
            for f in range(rank):
                slope = g * value * (q[f] - v[c, f] * value) + reg * v[c, f]
                v[c, f] -= rate * _scaled(slope, own, f, adagrad)
    return loss


@fast_kernel
def _predicted(columns: I32, x: F32, n: int, w: F32, v: F32, q: F64) -> float:
    """Return Σ w x + ½ Σ_f (q_f² - Σ v² x²) and set q float64[r]."""
    z, squares = 0.0, 0.0
    q[:] = 0.0
    for at in range(n):
        c, value = columns[at], np.float64(x[at])
        z += value * w[c]
        for f in range(len(q)):
            part = value * v[c, f]
            q[f] += part
            squares += part * part
    pairs = -squares
    for f in range(len(q)):
        pairs += q[f] * q[f]
    return z + 0.5 * pairs


@fast_kernel
def _logistic(z: float) -> float:
    e = math.exp(-abs(z))
    return 1.0 / (1.0 + e) if z >= 0 else e / (1.0 + e)


@fast_kernel
def _scaled(gradient: float, squares: NDArray[np.floating], at: int, adagrad: bool) -> float:
    if not adagrad:
        return gradient
    squares[at] += gradient * gradient
    return gradient / math.sqrt(max(squares[at], _LEAST))
