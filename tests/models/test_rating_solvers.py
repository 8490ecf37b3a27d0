import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import matrix_factorization as oracle
from scipy import sparse

from shortlist import threads
from shortlist.errors import NonFiniteError, ParameterError
from shortlist.models import rating_solvers as solvers
from shortlist.models.rating_objective import Factors, Penalty, gradient, objective


def planted(seed=0, n_users=40, n_items=30, dim=3, density=0.4, dtype=np.float64):
    """Ratings of rank 3 with biases and a little noise; user 5 and item 7 have none."""
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(n_users, 3)), rng.normal(size=(n_items, 3))
    full = (
        w @ x.T
        + rng.normal(size=(n_users, 1))
        + rng.normal(size=n_items)
        + 0.1 * rng.normal(size=(n_users, n_items))
    )
    rated = rng.random(full.shape) < density
    rated[5 % n_users], rated[:, 7 % n_items] = False, False
    matrix = sparse.csr_array((full[rated].astype(dtype), np.nonzero(rated)), shape=full.shape)
    return matrix, start(rng, n_users, n_items, dim, dtype)


def start(rng, n_users, n_items, dim, dtype=np.float64):
    users, items = 0.3 * rng.normal(size=(n_users, dim)), 0.3 * rng.normal(size=(n_items, dim))
    return Factors(
        users.astype(dtype), np.zeros(n_users, dtype), items.astype(dtype), np.zeros(n_items, dtype)
    )


def copy(factors):
    return Factors(*(f.copy() for f in factors))


def run_als(matrix, factors, penalty, n_epochs, item_bias=True):
    return solvers.descend(solvers.als(matrix, factors, penalty, item_bias=item_bias), n_epochs)


@pytest.mark.parametrize("exponent", [0.0, 0.35, 1.0])
@pytest.mark.parametrize("item_bias", [True, False])
@pytest.mark.parametrize("dim", [1, 3, 12])  # 12 is above the rank, and above the ratings of many rows
def test_als_never_raises_the_objective(exponent, item_bias, dim):
    matrix, factors = planted(dim=dim)
    penalty = Penalty.of(matrix, reg=0.3, bias_reg=0.1, exponent=exponent)
    history = run_als(matrix, factors, penalty, 30, item_bias)
    assert np.all(np.diff(history) <= 1e-12 * history[:-1])
    assert history[-1] < 0.5 * history[0]


@pytest.mark.parametrize("bias_reg", [0.0, 0.2])
def test_a_half_step_equals_stacked_least_squares(bias_reg):
    matrix, factors = planted(density=0.25, dim=6)
    scale = np.random.default_rng(1).uniform(0.5, 2, matrix.shape[0])
    offsets = np.random.default_rng(2).normal(size=matrix.shape[1])
    w, b = solvers.half_step(matrix, factors.items, offsets, 0.4, bias_reg, scale, row="user")
    n = np.diff(matrix.indptr)
    assert n.min() == 0
    assert (n[n > 0] < 6).any()
    assert (n > 8).any()
    for u in range(matrix.shape[0]):
        items = matrix.indices[matrix.indptr[u] : matrix.indptr[u + 1]]
        if items.size == 0:
            assert not w[u].any()
            assert b[u] == 0
            continue
        targets = matrix.data[matrix.indptr[u] : matrix.indptr[u + 1]] - offsets[items]
        vector, bias = oracle.row_optimum(targets, factors.items[items], 0.4 * scale[u], bias_reg * scale[u])
        np.testing.assert_allclose(w[u], vector, rtol=1e-8, atol=1e-10)
        assert b[u] == pytest.approx(bias, rel=1e-8, abs=1e-10)


def test_the_four_users_of_the_course_show_what_the_first_film_is_about():
    # Lecture "Collaborative filtering algorithm": w = [5, 0], [5, 0], [0, 5], [0, 5], b = 0; ratings 5, 5, 0, 0.
    w = np.array([[5.0, 0], [5, 0], [0, 5], [0, 5]])
    film = sparse.csr_array((np.array([5.0, 5, 0, 0]), ([0, 0, 0, 0], [0, 1, 2, 3])), shape=(1, 4))
    x = solvers.half_step_without_bias(film, w, np.zeros(4), 1e-6, np.ones(1), row="item")
    np.testing.assert_allclose(x, [[1, 0]], atol=1e-6)


def test_the_prediction_of_the_course_for_the_romantic_film():
    # Lecture "Using per-item features": w = [5, 0], b = 0, x = [.99, 0] predict 4.95: the residual against 0.
    one = sparse.csr_array((np.array([0.0]), ([0], [0])), shape=(1, 1))
    factors = Factors(np.array([[5.0, 0]]), np.zeros(1), np.array([[0.99, 0]]), np.zeros(1))
    free = Penalty(0.0, 0.0, np.ones(1), np.ones(1))
    assert objective(one, factors, free) == pytest.approx(0.5 * 4.95**2, rel=1e-12)


@pytest.mark.parametrize("bias_reg", [0.0, 0.2])
def test_the_gradient_of_the_side_just_solved_is_zero(bias_reg):
    matrix, factors = planted()
    penalty = Penalty.of(matrix, reg=0.3, bias_reg=bias_reg, exponent=0.5)
    at_start = gradient(matrix, factors, penalty)
    run_als(matrix, factors, penalty, 1)
    slopes = gradient(matrix, factors, penalty)
    assert np.abs(at_start.users).max() > 1
    assert np.abs(slopes.users).max() < 1e-10
    assert np.abs(slopes.user_bias).max() < 1e-10
    assert np.abs(slopes.items).max() > 1e-3  # the users moved after the items were solved


def test_the_gradient_of_both_sides_vanishes_at_the_als_optimum():
    matrix, factors = planted(density=0.6)
    penalty = Penalty.of(matrix, reg=3.0, bias_reg=1.0, exponent=0.0)
    history = run_als(matrix, factors, penalty, 400)
    for slope in gradient(matrix, factors, penalty):
        assert np.abs(slope).max() < 1e-6
    assert history[-2] - history[-1] < 1e-12 * history[-1]


def test_no_perturbation_in_either_sign_lowers_the_optimum():
    matrix, factors = planted(density=0.6)
    penalty = Penalty.of(matrix, reg=1.0, bias_reg=0.5, exponent=0.35)
    best = run_als(matrix, factors, penalty, 600)[-1]
    rng = np.random.default_rng(3)
    for _ in range(64):
        direction = Factors(*(rng.normal(size=f.shape) * (rng.random(f.shape) < 0.3) for f in factors))
        for sign in (1e-3, -1e-3):
            moved = Factors(*(f + sign * d for f, d in zip(factors, direction, strict=True)))
            assert objective(matrix, moved, penalty) >= best


def test_the_three_solvers_reach_about_the_same_optimum():
    matrix, factors = planted(density=0.6)
    penalty = Penalty.of(matrix, reg=1.0, bias_reg=0.5, exponent=0.35)
    exact = run_als(matrix, copy(factors), penalty, 300)[-1]
    stepped = solvers.adam(matrix, copy(factors), penalty, learning_rate=0.05, item_bias=True)
    assert solvers.descend(stepped, 1500)[-1] == pytest.approx(exact, rel=2e-3)
    single, begin = matrix.astype(np.float32), Factors(*(f.astype(np.float32) for f in factors))
    settings = {"learning_rate": 0.05, "n_epochs": 400, "item_bias": True, "rng": np.random.default_rng(0)}
    history = solvers.descend(solvers.sgd(single, begin, penalty, **settings), 400)
    assert history[-1] == pytest.approx(exact, rel=1e-2)
    assert history[-1] >= exact * (1 - 1e-5) or history[-1] == pytest.approx(exact, rel=2e-3)


@pytest.mark.parametrize("solver", ["als", "adam", "sgd"])
@pytest.mark.parametrize("item_bias", [True, False])
def test_rows_without_ratings_stay_at_zero(solver, item_bias):
    matrix, factors = planted(dtype=np.float32)
    for part, row in zip(factors, (5, 5, 7, 7), strict=True):
        part[row] = 0
    penalty = Penalty.of(matrix, reg=0.3, bias_reg=0.1, exponent=0.35)
    steps = epochs_of(solver, matrix, factors, penalty, item_bias)
    solvers.descend(steps, 5)
    for part, row in zip(factors, (5, 5, 7, 7), strict=True):
        np.testing.assert_array_equal(part[row], 0)
    if not item_bias:
        np.testing.assert_array_equal(factors.item_bias, 0)


def epochs_of(solver, matrix, factors, penalty, item_bias, learning_rate=0.02):
    if solver == "als":
        return solvers.als(matrix, factors, penalty, item_bias=item_bias)
    if solver == "adam":
        return solvers.adam(matrix, factors, penalty, learning_rate=learning_rate, item_bias=item_bias)
    rng = np.random.default_rng(0)
    return solvers.sgd(
        matrix, factors, penalty, learning_rate=learning_rate, n_epochs=5, item_bias=item_bias, rng=rng
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=30)
def test_als_does_not_depend_on_the_order_of_users_and_items(seed, n_users, n_items):
    rng = np.random.default_rng(seed)
    matrix, factors = planted(seed, 3 * n_users, 3 * n_items, 2)
    users, items = rng.permutation(3 * n_users), rng.permutation(3 * n_items)
    moved_matrix = sparse.csr_array(matrix.toarray()[users][:, items])
    moved = Factors(
        factors.users[users], factors.user_bias[users], factors.items[items], factors.item_bias[items]
    )
    penalty = Penalty.of(matrix, reg=0.5, bias_reg=0.3, exponent=0.35)
    moved_penalty = Penalty.of(moved_matrix, reg=0.5, bias_reg=0.3, exponent=0.35)
    run_als(matrix, factors, penalty, 3)
    run_als(moved_matrix, moved, moved_penalty, 3)
    np.testing.assert_allclose(moved.users, factors.users[users], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(moved.items, factors.items[items], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(moved.item_bias, factors.item_bias[items], rtol=1e-7, atol=1e-9)


def test_als_gives_the_same_bits_on_any_number_of_threads():
    results = []
    before = threads.num_threads()
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            matrix, factors = planted(dtype=np.float32)
            run_als(matrix, factors, Penalty.of(matrix, reg=0.3, bias_reg=0.1, exponent=0.35), 4)
            results.append(factors)
    finally:
        threads.set_num_threads(before)
    for one, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, three)


def test_dense_ratings_of_low_rank_are_recovered():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20, 2)) @ rng.normal(size=(2, 15))
    matrix, factors = sparse.csr_array(truth), start(rng, 20, 15, 2)
    run_als(matrix, factors, Penalty.of(matrix, reg=1e-6, bias_reg=1e-6, exponent=0.0), 100, item_bias=False)
    np.testing.assert_allclose(factors.users @ factors.items.T + factors.user_bias[:, None], truth, atol=1e-4)


def test_equal_ratings_need_nothing_but_the_biases():
    matrix = sparse.csr_array(np.full((6, 4), 2.0))
    factors = start(np.random.default_rng(0), 6, 4, 3)
    run_als(matrix, factors, Penalty.of(matrix, reg=1.0, bias_reg=1e-9, exponent=0.0), 200)
    np.testing.assert_allclose(factors.user_bias[:, None] + factors.item_bias, 2.0, atol=1e-6)
    np.testing.assert_allclose(factors.users @ factors.items.T, 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 1)])
def test_one_user_or_one_item_reaches_a_stationary_point(shape):
    rng = np.random.default_rng(0)
    matrix, factors = sparse.csr_array(rng.normal(size=shape)), start(rng, *shape, 2)
    penalty = Penalty.of(matrix, reg=0.5, bias_reg=0.5, exponent=0.35)
    run_als(matrix, factors, penalty, 300)
    for slope in gradient(matrix, factors, penalty):
        assert np.abs(slope).max() < 1e-6


def test_a_singular_system_says_which_row_and_that_reg_helps():
    matrix, factors = planted(dim=12, density=0.2)
    with pytest.raises(ParameterError, match=r"(?s)(item|user) \d+ .*reg"):
        run_als(matrix, factors, Penalty.of(matrix, reg=0.0, bias_reg=0.0, exponent=0.0), 3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_diverging_steps_stop_with_the_epoch_and_the_cause(solver):
    matrix, factors = planted(dtype=np.float32 if solver == "sgd" else np.float64)
    penalty = Penalty.of(matrix, reg=0.3, bias_reg=0.1, exponent=0.35)
    steps = epochs_of(
        solver, matrix, factors, penalty, True, learning_rate=1e60 if solver == "adam" else 100.0
    )
    with pytest.raises(NonFiniteError, match=r"after epoch \d.*learning_rate"):
        solvers.descend(steps, 5)


def test_a_rating_that_is_not_a_number_is_found_before_the_first_epoch():
    matrix, factors = planted()
    matrix.data[3] = np.nan
    penalty = Penalty.of(matrix, reg=0.3, bias_reg=0.1, exponent=0.35)
    with pytest.raises(NonFiniteError, match="before the first epoch"):
        run_als(matrix, factors, penalty, 5)


def test_descend_draws_one_value_more_than_epochs():
    assert solvers.descend(itertools.count(10.0, -1.0), 3).tolist() == [10, 9, 8, 7]
    assert solvers.descend(itertools.count(10.0, -1.0), 0).tolist() == [10]


def test_the_tolerance_stops_at_the_first_epoch_that_gains_too_little():
    values = [100.0, 50.0, 49.0, 48.9, 10.0]
    assert solvers.descend(iter(values), 4, tol=0.01).tolist() == values[:4]
    assert solvers.descend(iter(values), 4, tol=0.0).tolist() == values
    assert solvers.descend(iter([5.0, 5.0, 5.0, 4.0]), 3, tol=0.0).tolist() == [5, 5, 5, 4]


def test_adam_with_the_cost_of_the_course_equals_its_training_loop():
    rng = np.random.default_rng(11)
    n_movies, n_users, dim = 25, 12, 4
    rated = rng.random((n_movies, n_users)) < 0.4
    rated[:, 0] = True  # every movie has a rating
    ratings = np.where(rated, rng.integers(1, 11, rated.shape) / 2, 0.0)
    x, w, b = rng.normal(size=(n_movies, dim)), rng.normal(size=(n_users, dim)), rng.normal(size=(1, n_users))
    costs, (x_end, w_end, b_end), mean = oracle.course_loop(ratings, rated.astype(float), x, w, b, 1.0, 200)
    matrix = sparse.csr_array((ratings.T[rated.T], np.nonzero(rated.T)), shape=(n_users, n_movies))
    matrix.data -= mean[matrix.indices]
    ours = Factors(w.copy(), b[0].copy(), x.copy(), np.zeros(n_movies))
    penalty = Penalty.of(matrix, reg=1.0, bias_reg=0.0, exponent=0.0)
    history = solvers.descend(solvers.adam(matrix, ours, penalty, learning_rate=0.1, item_bias=False), 200)
    np.testing.assert_allclose(history[:-1], costs, rtol=1e-10)
    for mine, theirs in zip(ours, (w_end, b_end[0], x_end, np.zeros(n_movies)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-9)
