"""Residuals and stochastic gradient steps of a biased rating factorisation.

Symbols: `w_u` (`users`), `b_u` (`user_bias`), `x_i` (`items`), `c_i` (`item_bias`), `y` (a centred rating).
The prediction of a centred rating is `w_u . x_i + b_u + c_i`; its error `e` is prediction minus rating.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.kernels.jit import fast_kernel

Floats = NDArray[np.floating[Any]]


@fast_kernel
def residuals(
    indptr: NDArray[np.integer[Any]],
    indices: NDArray[np.integer[Any]],
    ratings: Floats,
    users: Floats,
    user_bias: Floats,
    items: Floats,
    item_bias: Floats,
    out: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Write `e = w_u . x_i + b_u + c_i - y` for the ratings of users `start:stop` into `out` (float64[nnz]).

    `indptr`, `indices`, `ratings` are the CSR of users by items. Cost: one dot product a rating.
    """
    dim = users.shape[1]
    for u in range(start, stop):
        for q in range(indptr[u], indptr[u + 1]):
            i = indices[q]
            dot = users[u, 0] * items[i, 0]
            for f in range(1, dim):
                dot += users[u, f] * items[i, f]
            out[q] = dot + user_bias[u] + item_bias[i] - ratings[q]


@fast_kernel
def sgd_epoch(
    order: NDArray[np.int64],
    user_idx: NDArray[np.int32],
    item_idx: NDArray[np.int32],
    ratings: NDArray[np.float32],
    users: NDArray[np.float32],
    user_bias: NDArray[np.float32],
    items: NDArray[np.float32],
    item_bias: NDArray[np.float32],
    users_decay: NDArray[np.float32],
    user_bias_decay: NDArray[np.float32],
    items_decay: NDArray[np.float32],
    item_bias_decay: NDArray[np.float32],
    step: np.float32,
    step_item_bias: np.float32,
) -> None:
    """Take one gradient step on each rating, in the given `order`, changing the four parameter arrays.

    A `*_decay` array holds the row's penalty divided by its number of ratings, so that the steps of one epoch
    add up to the gradient of the whole objective. `step_item_bias` is 0 where the model has no item bias.
    The steps are serial: the result depends on `order` alone.
    """
    dim = users.shape[1]
    for q in order:
        u = user_idx[q]
        i = item_idx[q]
        dot = user_bias[u] + item_bias[i]
        for f in range(dim):
            dot += users[u, f] * items[i, f]
        e = dot - ratings[q]
        user_bias[u] -= step * (e + user_bias_decay[u] * user_bias[u])
        item_bias[i] -= step_item_bias * (e + item_bias_decay[i] * item_bias[i])
        for f in range(dim):
            w = users[u, f]
            x = items[i, f]
            users[u, f] = w - step * (e * x + users_decay[u] * w)
            items[i, f] = x - step * (e * w + items_decay[i] * x)
