"""Linear regression of ratings on features: each user's w, b given the items' x, and each item's x given w, b.

    J(w, b) = 1/2 sum_{r=1} (w_u . x_i + b_u - y)^2 + reg/2 sum_u |w_u|^2     (b is not penalised)
    J(x)    = 1/2 sum_{r=1} (w_u . x_i + b_u - y)^2 + reg/2 sum_i |x_i|^2

over the rated pairs, all other rows being independent of one another. Source: the course (Ng, Machine Learning
Specialization, course 3 week 2, "Using per-item features" and "Collaborative filtering algorithm").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.models import rating_solvers
from shortlist.models.rating_objective import Factors, Penalty, objective, residuals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


def user_parameters(ratings: sparse.csr_array, features: Floats, reg: float) -> tuple[Floats, Floats]:
    """Return w [n_users, f] and b [n_users], which minimise J(w, b) for given item features [n_items, f].

    `ratings` is the CSR [n_users, n_items] of what was rated, of the dtype of `features`, and so is the result. A user
    without ratings has w = b = 0. Raises `ParameterError` for reg = 0 where the ratings of a user leave w open.
    Cost: O(nnz f² + n_users f³) at most, far less for users with fewer than f ratings.

    A romantic film and an action film, x = [1, 0] and [0, 1], rated 5 and 0; the penalty keeps w from the extremes:

    >>> w, b = user_parameters(sparse.csr_array([[5.0, 0.0]]), np.eye(2), reg=1.0)
    >>> w.round(3).tolist(), b.tolist()  # only the first is stored: w = 0 and b = 5 explain it for nothing
    ([[0.0, 0.0]], [5.0])
    >>> both = sparse.csr_array((np.array([5.0, 0.0]), ([0, 0], [0, 1])), shape=(1, 2))
    >>> w, b = user_parameters(both, np.eye(2), reg=1.0)  # (2.5 − w)² + w² is least at w = 1.25
    >>> w.round(6).tolist(), b.round(6).tolist()
    ([[1.25, -1.25]], [2.5])
    """
    n_items, n_users = len(features), ratings.shape[0]
    offsets, scale = np.zeros(n_items, features.dtype), np.ones(n_users)
    with threads.single_blas():
        w, b = rating_solvers.half_step(ratings, features, offsets, reg, 0.0, scale, row="user at position")
    return np.ascontiguousarray(w), np.ascontiguousarray(b)


def learn_item_features(ratings: sparse.csr_array, w: Floats, b: Floats, reg: float) -> Floats:
    """Return x [n_items, f], which minimises J(x) for given user parameters w [n_users, f] and b [n_users].

    `ratings` is the CSR [n_users, n_items], of the dtype of `w`, and so is the result. An item without ratings has
    x = 0. Raises `ParameterError` for reg = 0 where the ratings of an item leave x open. Cost: as `user_parameters`.

    The course's four people, of whom two like romance and two action, and what their ratings say of the first film:

    >>> w = np.array([[5.0, 0], [5, 0], [0, 5], [0, 5]])
    >>> film = sparse.csr_array((np.array([5.0, 5, 0, 0]), ([0, 1, 2, 3], [0, 0, 0, 0])), shape=(4, 1))
    >>> learn_item_features(film, w, np.zeros(4), reg=1e-6).round(6).tolist()
    [[1.0, 0.0]]
    """
    scale = np.ones(ratings.shape[1])
    with threads.single_blas():
        return rating_solvers.half_step_without_bias(
            ratings.T.tocsr(), w, b, reg, scale, row="item at position"
        )


def descend_users(
    ratings: sparse.csr_array, features: Floats, reg: float, w: Floats, b: Floats, *, learning_rate: float
) -> Iterator[float]:
    """Yield J(w, b) before each step of gradient descent, which changes w and b in place.

    All users step at once, each by `learning_rate` / (Σ_i (|x_i|² + 1) + reg) over the user's rated items: the sum is a
    bound on the curvature, so that up to 1 no step raises J, and from 2 on some diverge. Steps carry on with
    momentum (Nesterov 1983, which makes them fast), dropped for a user whose last step pointed uphill (the restart of
    O'Donoghue and Candès 2015). Cost of a step: O(nnz f).
    """
    squared = np.einsum("if,if->i", features, features, dtype=np.float64) + 1
    structure = sparse.csr_array((np.ones(ratings.nnz), ratings.indices, ratings.indptr), ratings.shape)
    step = learning_rate / (structure @ squared + reg + (np.diff(ratings.indptr) == 0))
    penalty = Penalty(reg, 0.0, np.ones(ratings.shape[0]), np.zeros(ratings.shape[1]))
    no_bias = np.zeros(len(features), features.dtype)
    ahead_w, ahead_b, pace = w.copy(), b.copy(), np.ones(len(w))
    while True:
        yield objective(ratings, Factors(w, b, features, no_bias), penalty)
        error = residuals(ratings, Factors(ahead_w, ahead_b, features, no_bias))
        errors = sparse.csr_array((error, ratings.indices, ratings.indptr), ratings.shape)
        slope_w: Floats = errors @ features + reg * ahead_w
        slope_b: Floats = errors.sum(axis=1)
        new_w = (ahead_w - step[:, None] * slope_w).astype(w.dtype)
        new_b = (ahead_b - step * slope_b).astype(b.dtype)
        move_w, move_b = new_w - w, new_b - b
        uphill = np.einsum("uf,uf->u", slope_w, move_w) + slope_b * move_b > 0
        pace[uphill] = 1
        quicker = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        momentum = (pace - 1) / quicker
        w[:], b[:], pace = new_w, new_b, quicker
        ahead_w[:], ahead_b[:] = w + momentum[:, None] * move_w, b + momentum * move_b
