import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import matrix_factorization as oracle
from scipy import optimize, sparse

from shortlist import threads
from shortlist.models import label_solvers, rating_solvers
from shortlist.models.mean_normalisation import item_logits
from shortlist.models.rating_objective import Factors, Penalty, gradient, objective, residuals


def labelled(seed=0, n_users=30, n_items=20, dim=3, density=0.5, dtype=np.float64):
    """Labels drawn from a planted logistic model, μ, and where to start; user 5 and item 7 have none."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n_users, 2)) @ rng.normal(size=(2, n_items)) * 1.5 + rng.normal(size=n_items)
    shown = rng.random(z.shape) < density
    shown[5 % n_users], shown[:, 7 % n_items] = False, False
    labels = (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(dtype)
    matrix = sparse.csr_array((labels[shown], np.nonzero(shown)), shape=z.shape)
    sizes = ((n_users, dim), n_users, (n_items, dim), n_items)
    factors = Factors(*((0.3 * rng.normal(size=size)).astype(dtype) for size in sizes))
    for part, row in zip(factors, (5 % n_users, 5 % n_users, 7 % n_items, 7 % n_items), strict=True):
        part[row] = 0
    return matrix, shown, factors, item_logits(matrix, 5.0)[0]


def penalty_for(matrix, reg=0.4, bias_reg=0.2, exponent=0.35):
    return Penalty.of(matrix, reg=reg, bias_reg=bias_reg, exponent=exponent)


def by_row(penalty):
    reg, bias_reg, of_user, of_item = penalty
    return reg * of_user, bias_reg * of_user, reg * of_item, bias_reg * of_item


def run_als(matrix, factors, penalty, logits, n_epochs, item_bias=True):
    return rating_solvers.descend(
        label_solvers.als(matrix, factors, penalty, logits, item_bias=item_bias), n_epochs
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=30)
def test_the_objective_equals_the_plain_loops(seed, n_users, n_items, dim):
    matrix, shown, factors, logits = labelled(seed, n_users, n_items, dim, density=0.7)
    penalty = penalty_for(matrix)
    expected = oracle.label_cost(matrix.toarray(), shown, *factors, logits, *by_row(penalty))
    assert objective(matrix, factors, penalty, logits) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("item_bias", [True, False])
def test_the_gradient_equals_finite_differences(item_bias):
    matrix, _, factors, logits = labelled(n_users=6, n_items=5, dim=2)
    penalty, h = penalty_for(matrix), 1e-6
    ours = gradient(matrix, factors, penalty, logits, item_bias=item_bias)
    for part, slopes in enumerate(ours):
        for index in np.ndindex(slopes.shape):
            ends = []
            for sign in (h, -h):
                moved = Factors(*(f.copy() for f in factors))
                moved[part][index] += sign
                ends.append(objective(matrix, moved, penalty, logits))
            expected = (ends[0] - ends[1]) / (2 * h) if item_bias or part < 3 else 0.0
            assert slopes[index] == pytest.approx(expected, abs=1e-7)


def test_residuals_are_probability_minus_label():
    matrix, shown, (w, b, x, c), logits = labelled()
    z = w @ x.T + b[:, None] + c + logits
    expected = (1 / (1 + np.exp(-z)) - matrix.toarray())[shown]
    np.testing.assert_allclose(residuals(matrix, Factors(w, b, x, c), logits), expected, atol=1e-14)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_half_step_is_the_optimum_that_a_general_minimiser_finds(bias, dtype):
    matrix, _, factors, _ = labelled(dtype=dtype, dim=4)
    rng = np.random.default_rng(1)
    offsets, own = rng.normal(size=20).astype(dtype), rng.normal(size=30)
    scale = rng.uniform(0.5, 2, 30)
    z, a = label_solvers.half_step(
        matrix, factors.items, offsets, 0.4, 0.2, scale, own=own, bias=bias, row="user"
    )
    for u in range(30):
        at = slice(matrix.indptr[u], matrix.indptr[u + 1])
        items, labels = matrix.indices[at], matrix.data[at].astype(float)
        design = np.hstack([factors.items[items], np.full((items.size, 1), float(bias))]).astype(float)
        known, p = offsets[items] + own[u], scale[u] * np.array([0.4] * 4 + [0.2])

        def cost(v, design=design, known=known, labels=labels, p=p):
            logit = design @ v + known
            return np.sum(np.logaddexp(0, logit) - labels * logit) + 0.5 * p @ v**2

        best = optimize.minimize(cost, np.zeros(5), method="BFGS", options={"gtol": 1e-8}).x
        np.testing.assert_allclose(np.append(z[u], a[u]), best, rtol=0, atol=2e-5)
    assert not z[5].any()
    assert bias or not a.any()


def test_the_start_of_a_half_step_changes_nothing_but_the_way():
    matrix, _, factors, logits = labelled()
    arguments = matrix, factors.items, logits, 0.4, 0.2, np.ones(30)
    rng = np.random.default_rng(0)
    far = 50 * rng.normal(size=(30, 3)), 50 * rng.normal(size=30)
    for one, other in zip(
        label_solvers.half_step(*arguments, row="user"),
        label_solvers.half_step(*arguments, start=far, row="user"),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("dim", [1, 3, 25])  # 25 is above the rank and the labels of every row
@pytest.mark.parametrize("item_bias", [True, False])
def test_alternating_never_raises_the_objective_and_ends_where_the_gradient_vanishes(dim, item_bias):
    matrix, _, factors, logits = labelled(dim=dim)
    penalty = penalty_for(matrix, reg=1.0, bias_reg=0.5, exponent=0.0)
    steepest = max(np.abs(slope).max() for slope in gradient(matrix, factors, penalty, logits))
    history = run_als(matrix, factors, penalty, logits, 150, item_bias)
    assert np.all(np.diff(history) <= 1e-12 * history[:-1])
    for slope in gradient(matrix, factors, penalty, logits, item_bias=item_bias):
        assert np.abs(slope).max() < 1e-4 * steepest
    rng = np.random.default_rng(3)
    for _ in range(32):
        direction = [rng.normal(size=f.shape) for f in factors]
        if not item_bias:
            direction[3][:] = 0
        for sign in (1e-3, -1e-3):
            moved = Factors(*(f + sign * d for f, d in zip(factors, direction, strict=True)))
            assert objective(matrix, moved, penalty, logits) >= history[-1]


def test_the_three_solvers_reach_about_the_same_optimum():
    matrix, _, factors, logits = labelled(density=0.8)
    penalty = penalty_for(matrix, reg=1.0, bias_reg=0.5)
    exact = run_als(matrix, Factors(*(f.copy() for f in factors)), penalty, logits, 100)[-1]
    begin = Factors(*(f.copy() for f in factors))
    steps = rating_solvers.adam(matrix, begin, penalty, logits, learning_rate=0.05, item_bias=True)
    assert rating_solvers.descend(steps, 800)[-1] == pytest.approx(exact, rel=1e-3)
    single, begin = matrix.astype(np.float32), Factors(*(f.astype(np.float32) for f in factors))
    sgd = {"learning_rate": 0.1, "n_epochs": 300, "item_bias": True, "rng": np.random.default_rng(0)}
    assert rating_solvers.descend(rating_solvers.sgd(single, begin, penalty, logits, **sgd), 300)[
        -1
    ] == pytest.approx(exact, rel=5e-3)


def test_equal_labels_keep_the_optimum_finite():
    for label in (0.0, 1.0):
        matrix = sparse.csr_array((np.full(12, label), np.nonzero(np.ones((4, 3)))), shape=(4, 3))
        rng = np.random.default_rng(0)
        factors = Factors(rng.normal(size=(4, 2)), np.zeros(4), rng.normal(size=(3, 2)), np.zeros(3))
        penalty = penalty_for(matrix)
        logits, overall = item_logits(matrix, 1.0)
        assert np.isfinite(logits).all()
        history = run_als(matrix, factors, penalty, logits, 20)
        assert np.isfinite(history).all()
        z = factors.users @ factors.items.T + factors.user_bias[:, None] + factors.item_bias + logits
        assert ((z > 0) == (label == 1)).all()
        assert (overall > 0) == (label == 1)


def test_rows_far_from_their_optimum_are_reached_by_shorter_steps():
    # One label 1 at a logit of −40, where the curvature is next to nothing: a whole Newton step would shoot past.
    one = sparse.csr_array((np.array([1.0]), ([0], [0])), shape=(1, 1))
    z, a = label_solvers.half_step(
        one, np.array([[1.0]]), np.array([-40.0]), 0.01, 0.01, np.ones(1), row="user"
    )
    found = optimize.brentq(lambda t: 1 / (1 + np.exp(40 - 2 * t)) - 1 + 0.01 * t, -100, 100, xtol=1e-12)
    np.testing.assert_allclose([z[0, 0], a[0]], found, rtol=1e-5)


def test_the_result_does_not_depend_on_the_number_of_threads():
    before, found = threads.num_threads(), []
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            matrix, _, factors, logits = labelled(dtype=np.float32)
            run_als(matrix, factors, penalty_for(matrix), logits, 3)
            found.append(factors)
    finally:
        threads.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
