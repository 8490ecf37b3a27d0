"""The four ways in which WALS lowers its objective: generators that change the factors and yield after each epoch.

| solver | an epoch | cost of it |
|---|---|---|
| exact | one exact half-step of the items, one of the users | nnz min(n, d) d and more |
| cg | the same, with a few steps of conjugate gradients a row | a few nnz d |
| gravity | `STEPS_AN_EPOCH` descents of the whole objective along its exact gradient, in float64 | 8 nnz d a step |
| sgd | `PASSES_AN_EPOCH` over the pairs with as many draws at random, serially | (1 + n_negatives) nnz d a pass |

The last two end with one exact half-step of the users, so that folding in the events of a training user gives that
user's vector whatever the solver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.gravity_descent import gravity_steps
from shortlist.models.sampled_descent import sampled_passes
from shortlist.models.side_features import alternate, solve_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shortlist.models.side_features import Blocks, Factors
    from shortlist.models.weighted_squares import Loss

STEPS_AN_EPOCH = 4
PASSES_AN_EPOCH = 4


def alternating(blocks: Blocks, factors: Factors, loss: Loss, cg_steps: int | None) -> Iterator[None]:
    """Alternate for ever: exactly, or with `cg_steps` for each row."""
    while True:
        alternate(blocks, factors, loss, cg_steps)
        yield


def gravity(blocks: Blocks, factors: Factors, loss: Loss, n_epochs: int) -> Iterator[None]:
    """Descend along the exact gradient for `n_epochs`. There are no side features."""
    users, items = factors.users.astype(np.float64), factors.items.astype(np.float64)
    steps = gravity_steps(blocks.by_user, blocks.by_item, users, items, loss)
    for epoch in range(1, n_epochs + 1):
        for _ in range(STEPS_AN_EPOCH):
            next(steps)
        factors.users, factors.items = users.astype(np.float32), items.astype(np.float32)
        if epoch == n_epochs:
            solve_users(blocks, factors, loss)
        yield


def sgd(
    blocks: Blocks,
    factors: Factors,
    loss: Loss,
    n_epochs: int,
    *,
    n_negatives: int,
    learning_rate: float,
    is_refit: bool,
    rng: np.random.Generator,
) -> Iterator[None]:
    """Take steps on pairs for `n_epochs`, from the factors of an earlier fit where `is_refit`. No side features."""
    passes = sampled_passes(
        blocks.by_user,
        blocks.by_item,
        factors.users,
        factors.items,
        loss,
        n_negatives=n_negatives,
        learning_rate=learning_rate,
        n_passes=n_epochs * PASSES_AN_EPOCH,
        is_refit=is_refit,
        rng=rng,
    )
    for epoch in range(1, n_epochs + 1):
        for _ in range(PASSES_AN_EPOCH):
            next(passes)
        if epoch == n_epochs:
            solve_users(blocks, factors, loss)
        yield
