import numpy as np
import pytest
from oracles import matrix_factorization as oracle
from scipy import sparse

from shortlist.errors import NonFiniteError, ParameterError
from shortlist.models import rating_solvers
from shortlist.models.feature_regression import descend_users, learn_item_features, user_parameters
from shortlist.models.rating_objective import Factors, Penalty, gradient, objective


def described(seed=0, n_users=30, n_items=25, n_features=4, density=0.4):
    """Ratings of items with given features by users with planted tastes; user 5 and item 7 have none."""
    rng = np.random.default_rng(seed)
    features = np.where(rng.random((n_items, n_features)) < 0.5, 1.0, 0.0)
    features[:, 0] = rng.normal(size=n_items)
    full = rng.normal(size=(n_users, n_features)) @ features.T + rng.normal(size=(n_users, 1))
    rated = rng.random(full.shape) < density
    rated[5], rated[:, 7] = False, False
    values = full + 0.1 * rng.normal(size=full.shape)
    return sparse.csr_array((values[rated], np.nonzero(rated)), shape=full.shape), features


def by_gradient(ratings, features, reg, n_epochs, learning_rate=1.0):
    w, b = np.zeros((ratings.shape[0], features.shape[1])), np.zeros(ratings.shape[0])
    steps = descend_users(ratings, features, reg, w, b, learning_rate=learning_rate)
    return w, b, rating_solvers.descend(steps, n_epochs)


def test_the_closed_form_equals_stacked_least_squares():
    ratings, features = described()
    w, b = user_parameters(ratings, features, 0.3)
    for u in range(30):
        at = slice(ratings.indptr[u], ratings.indptr[u + 1])
        items, targets = ratings.indices[at], ratings.data[at]
        if items.size == 0:
            assert not w[u].any()
            assert b[u] == 0
            continue
        vector, bias = oracle.row_optimum(targets, features[items], 0.3, 0.0)
        np.testing.assert_allclose(w[u], vector, atol=1e-8)
        assert b[u] == pytest.approx(bias, abs=1e-8)


@pytest.mark.parametrize("reg", [0.1, 1.0, 10.0])
def test_gradient_descent_comes_to_the_closed_form(reg):
    ratings, features = described()
    w, b = user_parameters(ratings, features, reg)
    stepped_w, stepped_b, history = by_gradient(ratings, features, reg, 1500)
    np.testing.assert_allclose(stepped_w, w, atol=1e-6)
    np.testing.assert_allclose(stepped_b, b, atol=1e-6)
    assert history[-1] < history[0]


def test_the_gradient_vanishes_at_the_closed_form_and_no_step_lowers_it():
    ratings, features = described()
    w, b = user_parameters(ratings, features, 0.5)
    nothing = np.zeros(25)
    penalty = Penalty(0.5, 0.0, np.ones(30), np.zeros(25))
    slopes = gradient(ratings, Factors(w, b, features, nothing), penalty)
    np.testing.assert_allclose(slopes.users, 0, atol=1e-10)
    np.testing.assert_allclose(slopes.user_bias, 0, atol=1e-10)
    best = objective(ratings, Factors(w, b, features, nothing), penalty)
    rng = np.random.default_rng(0)
    for _ in range(32):
        d, e = 1e-3 * rng.normal(size=w.shape), 1e-3 * rng.normal(size=b.shape)
        for sign in (1, -1):
            assert objective(ratings, Factors(w + sign * d, b + sign * e, features, nothing), penalty) >= best


def test_one_step_of_gradient_descent_is_a_step_down_the_gradient():
    ratings, features = described()
    w, b, _ = by_gradient(ratings, features, 0.5, 1, learning_rate=0.5)
    slopes = gradient(
        ratings,
        Factors(np.zeros((30, 4)), np.zeros(30), features, np.zeros(25)),
        Penalty(0.5, 0.0, np.ones(30), np.zeros(25)),
    )
    for u in (0, 11):
        items = ratings.indices[ratings.indptr[u] : ratings.indptr[u + 1]]
        rate = 0.5 / (np.sum(features[items] ** 2) + items.size + 0.5)
        np.testing.assert_allclose(w[u], -rate * slopes.users[u], rtol=1e-12)
        assert b[u] == pytest.approx(-rate * slopes.user_bias[u], rel=1e-12)


def test_a_step_too_long_stops_with_the_epoch_and_the_cause():
    ratings, features = described()
    with pytest.raises(NonFiniteError, match=r"after epoch \d+.*learning_rate"):
        by_gradient(ratings, features, 0.5, 2000, learning_rate=60.0)


def test_the_course_predicts_4_95_for_the_romantic_film():
    # Lecture "Using per-item features": w = [5, 0], b = 0 and x(3) = [.99, 0] predict 4.95.
    w, b, x = np.array([5.0, 0]), 0.0, np.array([0.99, 0])
    assert w @ x + b == pytest.approx(4.95, rel=1e-12)
    # And a person whose ratings are those of w = [5, 0], b = 0 is found to have them, and is predicted the 4.95.
    features = np.array([[0.9, 0], [1.0, 0.01], [0.1, 1.0], [0, 0.9]])
    ratings = sparse.csr_array((features @ w, ([0] * 4, range(4))), shape=(1, 4))
    found, bias = user_parameters(ratings, features, 1e-9)
    np.testing.assert_allclose(found, [[5, 0]], atol=1e-6)
    assert found[0] @ x + bias[0] == pytest.approx(4.95, abs=1e-6)


def test_the_four_users_of_the_course_tell_the_features_of_the_first_film():
    w = np.array([[5.0, 0], [5, 0], [0, 5], [0, 5]])
    film = sparse.csr_array((np.array([5.0, 5, 0, 0]), (range(4), [0] * 4)), shape=(4, 1))
    np.testing.assert_allclose(learn_item_features(film, w, np.zeros(4), 1e-6), [[1, 0]], atol=1e-6)


def test_features_are_recovered_from_the_users_who_were_fitted_on_them():
    rng = np.random.default_rng(0)
    features, w, b = rng.normal(size=(25, 3)), rng.normal(size=(30, 3)), rng.normal(size=30)
    ratings = sparse.csr_array(w @ features.T + b[:, None])
    np.testing.assert_allclose(learn_item_features(ratings, w, b, 1e-9), features, atol=1e-6)
    found_w, found_b = user_parameters(ratings, features, 1e-9)
    np.testing.assert_allclose(found_w, w, atol=1e-6)
    np.testing.assert_allclose(found_b, b, atol=1e-6)


def test_the_mirror_minimises_the_same_cost_over_the_items():
    ratings, features = described()
    w, b = user_parameters(ratings, features, 0.5)
    x = learn_item_features(ratings, w, b, 0.7)
    penalty = Penalty(0.7, 0.0, np.zeros(30), np.ones(25))
    slopes = gradient(ratings, Factors(w, b, x, np.zeros(25)), penalty)
    np.testing.assert_allclose(slopes.items, 0, atol=1e-10)
    assert not x[7].any()


def test_without_a_penalty_too_few_ratings_are_a_clear_error():
    with pytest.raises(ParameterError, match=r"user at position 0 has no unique solution.*reg"):
        user_parameters(sparse.csr_array(np.array([[5.0, 0, 0, 0]])), np.eye(4), 0.0)
