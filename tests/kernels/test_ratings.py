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
@pytest.mark.parametrize("dim", [0, 1, 3, 8])
def test_residuals_are_prediction_minus_rating(dtype, dim):
    matrix, rated, (w, b, x, c) = problem(np.random.default_rng(1), dim=dim, dtype=dtype)
    out = np.full(matrix.nnz, np.nan)
    for start, stop in ((0, 3), (3, 7)):
        kernels.residuals(matrix.indptr, matrix.indices, matrix.data, w, b, x, c, False, out, start, stop)
    expected = (w @ x.T + b[:, None] + c - matrix.toarray())[rated]
    np.testing.assert_allclose(out, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


def test_a_block_writes_its_own_rows_only():
    matrix, _, factors = problem(np.random.default_rng(2))
    out = np.full(matrix.nnz, np.nan)
    kernels.residuals(matrix.indptr, matrix.indices, matrix.data, *factors, False, out, 3, 5)
    written = np.zeros(matrix.nnz, bool)
    written[matrix.indptr[3] : matrix.indptr[5]] = True
    np.testing.assert_array_equal(np.isfinite(out), written)


def run_sgd(matrix, factors, base, shares, places, step, *, reg, bias_reg, logistic=False, item_bias=True):
    coo = matrix.tocoo()
    pairs = coo.row.astype(np.int32), coo.col.astype(np.int32), matrix.data
    strengths = np.float32(reg), np.float32(bias_reg), np.float32(step), np.float32(step * item_bias)
    kernels.sgd_block(*pairs, *places, *factors, base, *shares, *strengths, logistic)


@pytest.mark.parametrize("logistic", [False, True])
def test_one_sgd_step_follows_the_gradient_of_its_own_rating(logistic):
    rng = np.random.default_rng(3)
    matrix, rated, factors = problem(rng, dtype=np.float32)
    if logistic:
        matrix.data[:] = np.arange(matrix.nnz) % 2 == 0
    base = rng.normal(size=5).astype(np.float32)
    shares = [rng.random(size).astype(np.float32) for size in (7, 5)]
    before = [f.astype(np.float64) for f in factors]
    at, step, reg, bias_reg = 4, 0.125, 0.7, 0.3
    u, i = np.argwhere(rated)[at]
    run_sgd(matrix, factors, base, shares, (at, at + 1), step, reg=reg, bias_reg=bias_reg, logistic=logistic)

    def one_rating_cost(parameters):
        only = np.zeros_like(rated)
        only[u, i] = True
        # The penalty of the step's own two rows, and of no others.
        mine = [np.zeros(7), np.zeros(7), np.zeros(5), np.zeros(5)]
        mine[0][u], mine[1][u] = reg * shares[0][u], bias_reg * shares[0][u]
        mine[2][i], mine[3][i] = reg * shares[1][i], bias_reg * shares[1][i]
        w, b, x, c = parameters
        values = matrix.toarray().astype(float)
        if logistic:
            return oracle.label_cost(values, only, w, b, x, c, base, *mine)
        return oracle.cost(values - base, only, w, b, x, c, *mine)

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


def test_sgd_visits_the_ratings_one_after_another():
    rng = np.random.default_rng(4)
    matrix, _, start = problem(rng, dtype=np.float32)
    base, shares = np.zeros(5, np.float32), [np.full(size, 0.1, np.float32) for size in (7, 5)]
    at_once = [f.copy() for f in start]
    run_sgd(matrix, at_once, base, shares, (0, matrix.nnz), 0.1, reg=1, bias_reg=1)
    one_by_one = [f.copy() for f in start]
    for q in range(matrix.nnz):
        run_sgd(matrix, one_by_one, base, shares, (q, q + 1), 0.1, reg=1, bias_reg=1)
    for a, b in zip(at_once, one_by_one, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_item_bias_stays_at_zero_without_a_step():
    rng = np.random.default_rng(5)
    matrix, _, (w, b, x, _) = problem(rng, dtype=np.float32)
    c, base, shares = np.zeros(5, np.float32), np.zeros(5, np.float32), [np.ones(7, "f"), np.ones(5, "f")]
    run_sgd(matrix, (w, b, x, c), base, shares, (0, matrix.nnz), 0.1, reg=1, bias_reg=1, item_bias=False)
    np.testing.assert_array_equal(c, 0)


def test_extreme_logits_have_finite_losses_and_residuals():
    # One user, four items, whose logits are nothing but their offsets.
    w, b, x = np.zeros((1, 1)), np.zeros(1), np.zeros((4, 1))
    offsets = np.array([1000.0, -1000.0, 1000.0, -1000.0])
    matrix = sparse.csr_array((np.array([1.0, 0, 0, 1]), np.arange(4), [0, 4]), shape=(1, 4))
    out, total = np.empty(4), np.empty(1)
    arguments = (matrix.indptr, matrix.indices, matrix.data, w, b, x, offsets, True)
    kernels.residuals(*arguments, out, 0, 1)
    kernels.losses(*arguments, total, 0, 1)
    np.testing.assert_array_equal(out, [0, 0, 1, -1])
    assert total[0] == 2000
