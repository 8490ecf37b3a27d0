"""Stochastic gradient steps on observed pairs and on pairs drawn at random, each row with a rate of its own.

A step on the pair (u, i) lowers w (a - u·v)² - o (u·v)² + λ_u/n_u |u|² + λ_i/n_i |v|², a pair drawn at random
c (u·v)². The rate of a row is `rate` / √h, where h sums the squared lengths of the row's gradients so far (Adagrad with
one rate a row: Duchi, Hazan and Singer 2011).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]


@fast_kernel
def sampled_steps(
    user_idx: NDArray[np.int32],
    item_idx: NDArray[np.int32],
    weight: F32,
    target: F32,
    taken_off: float,
    drawn_users: NDArray[np.int32],
    drawn_items: NDArray[np.int32],
    drawn_weight: float,
    user_decay: F32,
    item_decay: F32,
    users: F32,
    items: F32,
    user_squares: NDArray[np.float64],
    item_squares: NDArray[np.float64],
    rate: float,
) -> None:
    """Take a step on each of m pairs in turn, and after each the steps on its n drawn pairs, [m, n] row by row.

    `weight`, `target`, `user_decay` (λ_u / n_u) and `item_decay` are [m]; `users` and `items` [·, d] and the sums of
    squares [·] change in place. Serial.
    """
    n = len(drawn_users) // max(len(user_idx), 1)
    for e in range(len(user_idx)):
        u, i = user_idx[e], item_idx[e]
        predicted = _dot(users[u], items[i])
        pull = weight[e] * (predicted - target[e]) - taken_off * predicted
        _step(users[u], items[i], pull, user_decay[e], item_decay[e], user_squares, item_squares, u, i, rate)
        for draw in range(e * n, (e + 1) * n):
            u, i = drawn_users[draw], drawn_items[draw]
            pull = drawn_weight * _dot(users[u], items[i])
            _step(users[u], items[i], pull, 0.0, 0.0, user_squares, item_squares, u, i, rate)


@fast_kernel
def _dot(a: F32, b: F32) -> float:
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@fast_kernel
def _step(
    user: F32,
    item: F32,
    pull: float,
    user_decay: float,
    item_decay: float,
    user_squares: NDArray[np.float64],
    item_squares: NDArray[np.float64],
    u: int,
    i: int,
    rate: float,
) -> None:
    """Move both vectors down the gradient (pull v + decay u, pull u + decay v), halves of the derivatives."""
    of_user, of_item = 0.0, 0.0
    for k in range(len(user)):
        g, h = pull * item[k] + user_decay * user[k], pull * user[k] + item_decay * item[k]
        of_user += g * g
        of_item += h * h
    user_squares[u] += of_user
    item_squares[i] += of_item
    user_rate = rate / math.sqrt(user_squares[u]) if user_squares[u] > 0 else 0.0
    item_rate = rate / math.sqrt(item_squares[i]) if item_squares[i] > 0 else 0.0
    for k in range(len(user)):
        x, y = user[k], item[k]
        user[k] = x - user_rate * (pull * y + user_decay * x)
        item[k] = y - item_rate * (pull * x + item_decay * y)
