"""The objective of rating factorisation and its gradient: pure functions on arrays.

With centred ratings y (rating minus the item's mean) and the error e = w_u . x_i + b_u + c_i - y:

    J = 1/2 sum_rated e^2 + 1/2 sum_u (p_u |w_u|^2 + q_u b_u^2) + 1/2 sum_i (r_i |x_i|^2 + s_i c_i^2)

where the penalty of a row with n ratings is `reg * n**exponent`. The course's form has exponent 0, q = 0 and no c.
A model without item bias keeps c at 0 throughout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.kernels import ratings as kernels

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


class Factors(NamedTuple):
    """The parameters of the model (or one number for each of them: a gradient), all of one float dtype.

    - users [n_users, dim] (w), user_bias [n_users] (b)
    - items [n_items, dim] (x), item_bias [n_items] (c)
    """

    users: Floats
    user_bias: Floats
    items: Floats
    item_bias: Floats


class Penalty(NamedTuple):
    """The penalty of each row: users, user_bias float64[n_users]; items, item_bias float64[n_items]; all >= 0."""

    users: NDArray[np.float64]
    user_bias: NDArray[np.float64]
    items: NDArray[np.float64]
    item_bias: NDArray[np.float64]

    @classmethod
    def of(cls, ratings: sparse.csr_array, *, reg: float, bias_reg: float, exponent: float) -> Penalty:
        """Return `reg * n**exponent` for each row of factors and `bias_reg * n**exponent` for each bias.

        n is the number of stored ratings of the user or item; a row without ratings counts as n = 1, so that an
        exponent <= 0 stays finite (such a row is 0 at every optimum with a positive penalty).
        """
        by_user = np.maximum(np.diff(ratings.indptr), 1) ** exponent
        by_item = np.maximum(np.bincount(ratings.indices, minlength=ratings.shape[1]), 1) ** exponent
        return cls(reg * by_user, bias_reg * by_user, reg * by_item, bias_reg * by_item)


def residuals(ratings: sparse.csr_array, factors: Factors) -> NDArray[np.float64]:
    """Return float64[nnz]: prediction minus centred rating, in the order of `ratings.data`. Cost: O(nnz dim)."""
    out = np.empty(ratings.nnz)

    def block(start: int, stop: int) -> None:
        kernels.residuals(ratings.indptr, ratings.indices, ratings.data, *factors, out, start, stop)

    threads.run_blocks(block, ratings.shape[0])
    return out


def objective(ratings: sparse.csr_array, factors: Factors, penalty: Penalty) -> float:
    """Return J of this module's head.

    `ratings` is the CSR [n_users, n_items] of centred ratings, of the dtype of `factors`; sums are float64.

    >>> one = sparse.csr_array(np.array([[2.0]]))
    >>> factors = Factors(np.array([[1.0]]), np.array([0.5]), np.array([[3.0]]), np.zeros(1))
    >>> objective(one, factors, Penalty.of(one, reg=2.0, bias_reg=0.0, exponent=0.0))  # (1*3+.5-2)^2/2 + 1 + 9
    11.125
    """
    return error_objective(residuals(ratings, factors), factors, penalty)


def gradient(
    ratings: sparse.csr_array, factors: Factors, penalty: Penalty, *, item_bias: bool = True
) -> Factors:
    """Return dJ/dw, dJ/db, dJ/dx, dJ/dc, float64, shaped as `factors`; dJ/dc is 0 when `item_bias` is False.

    dJ/dw_u = sum_i e_ui x_i + p_u w_u,  dJ/db_u = sum_i e_ui + q_u b_u, and the mirror for items.
    """
    return error_gradient(ratings, residuals(ratings, factors), factors, penalty, item_bias=item_bias)


def error_objective(error: NDArray[np.float64], factors: Factors, penalty: Penalty) -> float:
    """Return J where the `error` of each rating is known already."""
    w, b, x, c = factors
    penalties = penalty.users @ np.square(w).sum(axis=1, dtype=np.float64)
    penalties += penalty.items @ np.square(x).sum(axis=1, dtype=np.float64)
    penalties += penalty.user_bias @ np.square(b) + penalty.item_bias @ np.square(c)
    return 0.5 * float(np.square(error).sum() + penalties)


def error_gradient(
    ratings: sparse.csr_array,
    error: NDArray[np.float64],
    factors: Factors,
    penalty: Penalty,
    *,
    item_bias: bool = True,
) -> Factors:
    """Return the gradient where the `error` of each rating is known already."""
    errors = sparse.csr_array((error, ratings.indices, ratings.indptr), shape=ratings.shape)
    w, b, x, c = factors
    of_c = errors.sum(axis=0) + penalty.item_bias * c if item_bias else np.zeros(c.size)
    return Factors(
        errors @ x + penalty.users[:, None] * w,
        errors.sum(axis=1) + penalty.user_bias * b,
        errors.T @ w + penalty.items[:, None] * x,
        of_c,
    )
