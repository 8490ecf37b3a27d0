"""Residuals, losses and stochastic gradient steps of a biased factorisation of ratings or labels.

Symbols: `w_u` (`users`), `b_u` (`user_bias`), `x_i` (`items`), `o_i` (`offsets`: the item's bias, and for labels the
logit it starts from too), `y` (`targets`: centred ratings, or labels 0 and 1). With `z = w_u . x_i + b_u + o_i` the
residual is `z - y` and the loss its square / 2; where `logistic`, they are `s(z) - y`, `s(z) = 1 / (1 + exp(-z))`, and
the cross-entropy `log(1 + exp(z)) - y z`, in the form that no z overflows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.jit import fast_kernel

Floats = NDArray[np.floating[Any]]


@fast_kernel
def residuals(
    indptr: NDArray[np.integer[Any]],
    indices: NDArray[np.integer[Any]],
    targets: Floats,
    users: Floats,
    user_bias: Floats,
    items: Floats,
    offsets: Floats,
    logistic: bool,
    out: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Write the residuals of users `start:stop` into `out` (float64[nnz]).

    `indptr`, `indices`, `targets` are the CSR of users by items. Cost: one dot product a rating.
    """
    dim = users.shape[1]
    for u in range(start, stop):
        for q in range(indptr[u], indptr[u + 1]):
            i = indices[q]
            z = user_bias[u] + offsets[i]
            for f in range(dim):
                z += users[u, f] * items[i, f]
            if logistic:
                out[q] = 1.0 / (1.0 + math.exp(-np.float64(z))) - targets[q]
            else:
                out[q] = z - targets[q]


@fast_kernel
def losses(
    indptr: NDArray[np.integer[Any]],
    indices: NDArray[np.integer[Any]],
    targets: Floats,
    users: Floats,
    user_bias: Floats,
    items: Floats,
    offsets: Floats,
    logistic: bool,
    out: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Write the sum of the losses of each of the users `start:stop` into `out` (float64[n_users])."""
    dim = users.shape[1]
    for u in range(start, stop):
        total = 0.0
        for q in range(indptr[u], indptr[u + 1]):
            i = indices[q]
            logit = user_bias[u] + offsets[i]
            for f in range(dim):
                logit += users[u, f] * items[i, f]
            z = np.float64(logit)
            if logistic:
                total += max(z, 0.0) - targets[q] * z + math.log1p(math.exp(-abs(z)))
            else:
                total += 0.5 * (z - targets[q]) ** 2
        out[u] = total


@fast_kernel
def sgd_block(
    user_idx: NDArray[np.int32],
    item_idx: NDArray[np.int32],
    targets: NDArray[np.float32],
    start: int,
    stop: int,
    users: NDArray[np.float32],
    user_bias: NDArray[np.float32],
    items: NDArray[np.float32],
    item_bias: NDArray[np.float32],
    base: NDArray[np.float32],
    user_share: NDArray[np.float32],
    item_share: NDArray[np.float32],
    reg: np.float32,
    bias_reg: np.float32,
    step: np.float32,
    item_bias_step: np.float32,
    logistic: bool,
) -> None:
    """Take one gradient step on each of the ratings `start:stop`, one after another, changing the four parameters.

    `o_i = item_bias_i + base_i`. A share is what of its row's penalty falls on each of the row's ratings, so that the
    steps of one epoch add up to the gradient of the whole objective. `item_bias_step` is 0 where there is no item bias.
    """
    dim = users.shape[1]
    one = np.float32(1)
    for q in range(start, stop):
        u = user_idx[q]
        i = item_idx[q]
        z = user_bias[u] + item_bias[i] + base[i]
        for f in range(dim):
            z += users[u, f] * items[i, f]
        if logistic:
            e = np.float32(1.0 / (1.0 + math.exp(-np.float64(z))) - targets[q])
        else:
            e = z - targets[q]
        pull = step * e
        keep_user = one - step * reg * user_share[u]
        keep_item = one - step * reg * item_share[i]
        for f in range(dim):
            w = users[u, f]
            x = items[i, f]
            users[u, f] = keep_user * w - pull * x
            items[i, f] = keep_item * x - pull * w
        user_bias[u] -= pull + step * bias_reg * user_share[u] * user_bias[u]
        item_bias[i] -= item_bias_step * (e + bias_reg * item_share[i] * item_bias[i])
