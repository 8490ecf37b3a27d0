"""The vector of one person under BPR's objective, the items staying as they are: convex, so by Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Weigh = Callable[[Floats], Floats]

# Without a penalty the vector of people whose likes can be told from all else is infinitely long.
LEAST_REG = 1e-4
_MOST_STEPS = 50
_MOST_HALVINGS = 30
_TOL = 1e-9


class Comparison(NamedTuple):
    """What a person likes, what it is compared with, and how strongly the vector is held back.

    liked float64[n, dim + 1] and others float64[m, dim + 1]: vectors of items, the bias last; reg > 0.
    """

    liked: Floats
    others: Floats
    reg: float


def best_vector(comparison: Comparison, weigh: Weigh) -> Floats:
    """Return float64[dim], the u that minimises Σ_i Σ_j w_j (−ln σ(x_ij)) + n/2 reg |u|².

    x_ij = u·(v_i − v_j) + c_i − c_j, where i runs over the n liked items and j over the others; w = weigh(scores of
    the others) sums to 1. Where the weights do not hang on the scores this is the one minimum; where they do, each step
    weighs by the scores before it, mixed with the weights so far, and the result is a point that such steps leave in
    place, or the last of 50 steps. Cost of a step: O(n m + (n + m) dim²).
    """
    u = np.zeros(comparison.liked.shape[1] - 1)
    weights = weigh(comparison.others[:, -1])
    for number in range(_MOST_STEPS):
        # Less and less of the new weights, so that two vectors that each call for the other meet.
        weights = weights + (weigh(comparison.others @ np.append(u, 1.0)) - weights) * (2 / (number + 2))
        gradient, curvature = derivatives(comparison, weights, u)
        step: Floats = np.linalg.solve(curvature, gradient).astype(np.float64)
        decrease = float(gradient @ step)
        if decrease <= _TOL * (1 + len(comparison.liked)):
            break
        u = _descended(comparison, weights, u, step, decrease)
    return u


def objective(comparison: Comparison, weights: Floats, u: Floats) -> float:
    """Return what `best_vector` minimises, at `u`."""
    penalty = 0.5 * len(comparison.liked) * comparison.reg * float(u @ u)
    return float((np.logaddexp(0, -_differences(comparison, u)) @ weights).sum()) + penalty


def derivatives(comparison: Comparison, weights: Floats, u: Floats) -> tuple[Floats, Floats]:
    """Return the gradient float64[dim] of `objective` at `u`, and its matrix of second derivatives."""
    liked, others = comparison.liked[:, :-1], comparison.others[:, :-1]
    slope = 0.5 - 0.5 * np.tanh(0.5 * _differences(comparison, u))  # σ(−x), for x of any size
    curve = slope * (1 - slope) * weights
    slope *= weights
    ridge = len(liked) * comparison.reg
    gradient = others.T @ slope.sum(axis=0) - liked.T @ slope.sum(axis=1) + ridge * u
    mixed = liked.T @ curve @ others
    curvature = (liked.T * curve.sum(axis=1)) @ liked + (others.T * curve.sum(axis=0)) @ others
    return gradient, curvature - mixed - mixed.T + ridge * np.eye(u.size)


def _descended(comparison: Comparison, weights: Floats, u: Floats, step: Floats, decrease: float) -> Floats:
    """Return `u` moved against `step`, halved until the objective falls by a share of what its slope promises."""
    before, size = objective(comparison, weights, u), 1.0
    for _ in range(_MOST_HALVINGS):
        if objective(comparison, weights, u - size * step) <= before - 1e-4 * size * decrease:
            break
        size *= 0.5
    return u - size * step


def _differences(comparison: Comparison, u: Floats) -> Floats:
    with_one = np.append(u, 1.0)
    differences: Floats = np.subtract.outer(comparison.liked @ with_one, comparison.others @ with_one)
    return differences
