"""The objective of rating factorisation and its gradient: pure functions on arrays.

With centred ratings y (rating minus the item's mean) and the error e = w_u . x_i + b_u + c_i - y:

    J = 1/2 sum_rated e^2 + 1/2 sum_u n_u^v (reg |w_u|^2 + bias_reg b_u^2)
                          + 1/2 sum_i n_i^v (reg |x_i|^2 + bias_reg c_i^2)

where n is the row's number of ratings and v the `exponent`. The course's form has v = 0, bias_reg = 0 and no c.
A model without item bias keeps c at 0 throughout.

Of labels y in {0, 1} (wherever `logits` is given) the first term is the cross-entropy instead, over the shown pairs:

    sum_shown log(1 + exp(z)) - y z,     z = w_u . x_i + b_u + c_i + m_i,

with m_i the item's entry of `logits`, and the error is e = s(z) - y, s(z) = 1 / (1 + exp(-z)). Its gradient has the
same form in e, since d/dz (log(1 + exp(z)) - y z) = s(z) - y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.kernels import ratings as kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    _Arguments = tuple[Any, Any, Any, Floats, Floats, Floats, Floats, bool]


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
    """What the parameters cost: `reg` and `bias_reg` >= 0, times a scale for each row.

    user_scale float64[n_users] and item_scale float64[n_items] are n**exponent.
    """

    reg: float
    bias_reg: float
    user_scale: NDArray[np.float64]
    item_scale: NDArray[np.float64]

    @classmethod
    def of(cls, ratings: sparse.csr_array, *, reg: float, bias_reg: float, exponent: float) -> Penalty:
        """Return the penalty whose scales are the rows' numbers of stored ratings to the power `exponent`."""
        by_item = np.bincount(ratings.indices, minlength=ratings.shape[1])
        return cls(
            reg,
            bias_reg,
            frequency_scale(np.diff(ratings.indptr), exponent),
            frequency_scale(by_item, exponent),
        )


def frequency_scale(n: NDArray[np.integer[Any]], exponent: float) -> NDArray[np.float64]:
    """Return n**exponent, float64, with n = 1 for a row without ratings (it is 0 at the optimum anyway)."""
    scale: NDArray[np.float64] = np.maximum(n, 1).astype(np.float64) ** exponent
    return scale


def residuals(
    ratings: sparse.csr_array, factors: Factors, logits: Floats | None = None
) -> NDArray[np.float64]:
    """Return float64[nnz]: the errors e, prediction minus rating or label, in the order of `ratings.data`.

    Cost: O(nnz dim).
    """
    out = np.empty(ratings.nnz)
    arguments = _arguments(ratings, factors, logits)

    def block(start: int, stop: int) -> None:
        kernels.residuals(*arguments, out, start, stop)

    threads.run_blocks(block, ratings.shape[0])
    return out


def _arguments(ratings: sparse.csr_array, factors: Factors, logits: Floats | None) -> _Arguments:
    w, b, x, c = factors
    offsets = c if logits is None else (c + logits).astype(c.dtype)
    return ratings.indptr, ratings.indices, ratings.data, w, b, x, offsets, logits is not None


def objective(
    ratings: sparse.csr_array, factors: Factors, penalty: Penalty, logits: Floats | None = None
) -> float:
    """Return J of this module's head.

    `ratings` is the CSR [n_users, n_items] of centred ratings or, with `logits` [n_items], of labels, of the dtype of
    `factors`; sums are float64. Cost: O(nnz dim), and 8 bytes a user.

    >>> one = sparse.csr_array(np.array([[2.0]]))
    >>> factors = Factors(np.array([[1.0]]), np.array([0.5]), np.array([[3.0]]), np.zeros(1))
    >>> objective(one, factors, Penalty.of(one, reg=2.0, bias_reg=0.0, exponent=0.0))  # (1*3+.5-2)^2/2 + 1 + 9
    11.125
    >>> liked, free = sparse.csr_array(np.array([[1.0]])), Penalty.of(one, reg=0.0, bias_reg=0.0, exponent=0.0)
    >>> round(objective(liked, factors, free, np.array([-3.5])), 4)  # z = 3 + .5 - 3.5 = 0: log 2
    0.6931
    """
    out = np.empty(ratings.shape[0])
    arguments = _arguments(ratings, factors, logits)

    def block(start: int, stop: int) -> None:
        kernels.losses(*arguments, out, start, stop)

    threads.run_blocks(block, ratings.shape[0])
    return float(out.sum()) + penalty_of(factors, penalty)


def gradient(
    ratings: sparse.csr_array,
    factors: Factors,
    penalty: Penalty,
    logits: Floats | None = None,
    *,
    item_bias: bool = True,
) -> Factors:
    """Return dJ/dw, dJ/db, dJ/dx, dJ/dc, float64, shaped as `factors`; dJ/dc is 0 when `item_bias` is False.

    dJ/dw_u = sum_i e_ui x_i + reg n_u^v w_u,  dJ/db_u = sum_i e_ui + bias_reg n_u^v b_u, and the mirror for items.
    """
    error = residuals(ratings, factors, logits)
    return error_gradient(ratings, error, factors, penalty, item_bias=item_bias)


def penalty_of(factors: Factors, penalty: Penalty) -> float:
    """Return what J adds to the losses."""
    w, b, x, c = factors
    reg, bias_reg, user_scale, item_scale = penalty
    users = reg * _squared_norms(w) + bias_reg * np.square(b, dtype=np.float64)
    items = reg * _squared_norms(x) + bias_reg * np.square(c, dtype=np.float64)
    return 0.5 * float(user_scale @ users + item_scale @ items)


def _squared_norms(rows: Floats) -> NDArray[np.float64]:
    # Within a row the sum is short and may be of the factors' dtype; einsum makes no copy of the squares.
    squared: NDArray[np.float64] = np.einsum("rf,rf->r", rows, rows).astype(np.float64)
    return squared


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
    reg, bias_reg, user_scale, item_scale = penalty
    return Factors(
        errors @ x + reg * user_scale[:, None] * w,
        errors.sum(axis=1) + bias_reg * user_scale * b,
        errors.T @ w + reg * item_scale[:, None] * x,
        errors.sum(axis=0) + bias_reg * item_scale * c if item_bias else np.zeros(c.size),
    )
