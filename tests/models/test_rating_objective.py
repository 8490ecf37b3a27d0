import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import matrix_factorization as oracle
from scipy import sparse

from shortlist import threads
from shortlist.models.rating_objective import Factors, Penalty, gradient, objective, residuals


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items, dim = draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)))
    rated = rng.random((n_users, n_items)) < draw(st.sampled_from([0.0, 0.3, 0.7, 1.0]))
    values = np.where(rated, rng.normal(size=rated.shape), 0.0)
    matrix = sparse.csr_array((values[rated], np.nonzero(rated)), shape=rated.shape)
    factors = Factors(*(rng.normal(size=s) for s in ((n_users, dim), n_users, (n_items, dim), n_items)))
    penalty = Penalty(*rng.random(2), rng.random(n_users), rng.random(n_items))
    return matrix, rated, factors, penalty


def by_row(penalty):
    reg, bias_reg, of_user, of_item = penalty
    return reg * of_user, bias_reg * of_user, reg * of_item, bias_reg * of_item


@given(problems())
def test_the_objective_equals_the_plain_loops(problem):
    matrix, rated, factors, penalty = problem
    expected = oracle.cost(matrix.toarray(), rated, *factors, *by_row(penalty))
    assert objective(matrix, factors, penalty) == pytest.approx(expected, rel=1e-12)


@given(problems(), st.booleans())
def test_the_gradient_equals_automatic_differentiation(problem, item_bias):
    matrix, rated, factors, penalty = problem
    w, b, x, c = leaves = [torch.tensor(f, requires_grad=True) for f in factors]
    error = (w @ x.T + b[:, None] + c - torch.tensor(matrix.toarray()))[torch.tensor(rated)]
    p_w, p_b, p_x, p_c = (torch.tensor(p) for p in by_row(penalty))
    value = (error**2).sum() / 2 + ((p_w[:, None] * w**2).sum() + (p_b * b**2).sum()) / 2
    value = value + ((p_x[:, None] * x**2).sum() + (p_c * c**2).sum()) / 2
    expected = torch.autograd.grad(value, leaves)
    ours = gradient(matrix, factors, penalty, item_bias=item_bias)
    for name, mine, theirs in zip(Factors._fields, ours, expected, strict=True):
        right = theirs.numpy() if item_bias or name != "item_bias" else np.zeros_like(c.detach().numpy())
        np.testing.assert_allclose(mine, right, rtol=1e-11, atol=1e-12, err_msg=name)


def test_the_gradient_equals_finite_differences_of_the_objective():
    matrix, factors, penalty = fixed_problem()
    ours = gradient(matrix, factors, penalty)
    h = 1e-5
    for part, values in enumerate(factors):
        for index in np.ndindex(values.shape):
            ends = []
            for sign in (h, -h):
                moved = Factors(*(f.copy() for f in factors))
                moved[part][index] += sign
                ends.append(objective(matrix, moved, penalty))
            # Exact for a quadratic in one coordinate but for rounding.
            assert ours[part][index] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6, abs=1e-7)


def fixed_problem(dtype=np.float64):
    rng = np.random.default_rng(7)
    rated = rng.random((9, 6)) < 0.5
    matrix = sparse.csr_array(
        (rng.normal(size=rated.sum()).astype(dtype), np.nonzero(rated)), shape=rated.shape
    )
    factors = Factors(*(rng.normal(size=size).astype(dtype) for size in ((9, 3), 9, (6, 3), 6)))
    return matrix, factors, Penalty.of(matrix, reg=0.7, bias_reg=0.2, exponent=0.5)


def test_float32_factors_give_the_objective_of_float64():
    single, double = fixed_problem(np.float32), fixed_problem(np.float64)
    assert objective(*single) == pytest.approx(objective(*double), rel=1e-6)


def test_the_number_of_threads_does_not_change_the_residuals():
    matrix, factors, _ = fixed_problem()
    before = threads.num_threads()
    try:
        threads.set_num_threads(1)
        alone = residuals(matrix, factors)
        threads.set_num_threads(3)
        np.testing.assert_array_equal(residuals(matrix, factors), alone)
    finally:
        threads.set_num_threads(before)


def test_the_penalty_grows_with_the_number_of_ratings():
    matrix = sparse.csr_array(np.array([[1.0, 2, 3, 4], [0, 5, 0, 0], [0, 0, 0, 0]]))
    penalty = Penalty.of(matrix, reg=2.0, bias_reg=0.5, exponent=0.5)
    np.testing.assert_allclose(penalty.user_scale, [2, 1, 1])
    np.testing.assert_allclose(penalty.item_scale, np.sqrt([1, 2, 1, 1]))


def test_an_exponent_of_zero_is_the_plain_penalty():
    matrix, _, _ = fixed_problem()
    penalty = Penalty.of(matrix, reg=3.0, bias_reg=0.0, exponent=0.0)
    assert set(penalty.user_scale) == set(penalty.item_scale) == {1.0}
