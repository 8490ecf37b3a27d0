import numpy as np
import pytest
from oracles import matrix_factorization as oracle
from scipy import sparse

from shortlist.kernels import ratings as kernels


def problem(rng, n_users=7, n_items=5, dim=3, dtype=np.float64):
    rated = rng.random((n_users, n_items)) < 0.6
    rated[2] = False  # a user without ratings
    values = np.where(rated, rng.normal(size=rated.shape), 0.0)
    matrix = sparse.csr_array((values[rated], np.nonzero(rated)), shape=rated.shape).astype(dtype)
    sizes = ((n_users, dim), n_users, (n_items, dim), n_items)
    return matrix, rated, [rng.normal(size=size).astype(dtype) for size in sizes]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dim", [1, 3, 8])
def test_residuals_are_prediction_minus_rating(dtype, dim):
    matrix, rated, (w, b, x, c) = problem(np.random.default_rng(1), dim=dim, dtype=dtype)
    out = np.full(matrix.nnz, np.nan)
    for start, stop in ((0, 3), (3, 7)):
        kernels.residuals(matrix.indptr, matrix.indices, matrix.data, w, b, x, c, out, start, stop)
    expected = (w @ x.T + b[:, None] + c - matrix.toarray())[rated]
    np.testing.assert_allclose(out, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


def test_a_block_writes_its_own_rows_only():
    matrix, _, factors = problem(np.random.default_rng(2))
    out = np.full(matrix.nnz, np.nan)
    kernels.residuals(matrix.indptr, matrix.indices, matrix.data, *factors, out, 3, 5)
    written = np.zeros(matrix.nnz, bool)
    written[matrix.indptr[3] : matrix.indptr[5]] = True
    np.testing.assert_array_equal(np.isfinite(out), written)


def run_sgd(matrix, factors, decay, order, step, step_item_bias):
    coo = matrix.tocoo()
    kernels.sgd_epoch(
        np.asarray(order, np.int64),
        coo.row.astype(np.int32),
        coo.col.astype(np.int32),
        matrix.data,
        *factors,
        *decay,
        np.float32(step),
        np.float32(step_item_bias),
    )


def test_one_sgd_step_follows_the_gradient_of_its_own_rating():
    rng = np.random.default_rng(3)
    matrix, rated, factors = problem(rng, dtype=np.float32)
    decay = [rng.random(size).astype(np.float32) for size in (7, 7, 5, 5)]
    before = [f.astype(np.float64) for f in factors]
    at, step = 4, 0.125
    u, i = np.argwhere(rated)[at]
    run_sgd(matrix, factors, decay, [at], step, step)

    def one_rating_cost(parameters):
        only = np.zeros_like(rated)
        only[u, i] = True
        # The penalty of the step's own two rows, and of no others.
        mine = [np.zeros(7), np.zeros(7), np.zeros(5), np.zeros(5)]
        for p, d, row in zip(mine, decay, (u, u, i, i), strict=True):
            p[row] = d[row]
        w, b, x, c = parameters
        return oracle.cost(matrix.toarray().astype(float), only, w, b, x, c, *mine)

    for part, (old, new) in enumerate(zip(before, factors, strict=True)):
        for index in np.ndindex(old.shape):
            slope = central_difference(one_rating_cost, before, part, index)
            assert new[index] == pytest.approx(old[index] - step * slope, abs=2e-6)


def central_difference(function, parameters, part, index, h=1e-5):
    values = []
    for sign in (h, -h):
        moved = [p.copy() for p in parameters]
        moved[part][index] += sign
        values.append(function(moved))
    return (values[0] - values[1]) / (2 * h)


def test_sgd_visits_the_ratings_in_the_given_order():
    rng = np.random.default_rng(4)
    matrix, _, start = problem(rng, dtype=np.float32)
    decay = [np.full(size, 0.1, np.float32) for size in (7, 7, 5, 5)]
    order = rng.permutation(matrix.nnz)
    at_once = [f.copy() for f in start]
    run_sgd(matrix, at_once, decay, order, 0.1, 0.1)
    one_by_one = [f.copy() for f in start]
    for q in order:
        run_sgd(matrix, one_by_one, decay, [q], 0.1, 0.1)
    for a, b in zip(at_once, one_by_one, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_item_bias_stays_at_zero_without_a_step():
    rng = np.random.default_rng(5)
    matrix, _, (w, b, x, _) = problem(rng, dtype=np.float32)
    c = np.zeros(5, np.float32)
    decay = [np.full(size, 0.1, np.float32) for size in (7, 7, 5, 5)]
    run_sgd(matrix, (w, b, x, c), decay, range(matrix.nnz), 0.1, 0.0)
    np.testing.assert_array_equal(c, 0)
