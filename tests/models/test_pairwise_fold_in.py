"""The vector of one person under BPR's objective: the derivatives are right and the minimum is one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from oracles import bpr as oracle

from shortlist.models.pairwise_fold_in import Comparison, best_vector, derivatives, objective


@pytest.fixture
def comparison():
    rng = np.random.default_rng(3)
    return Comparison(rng.standard_normal((4, 4)), rng.standard_normal((6, 4)), 0.05)


WEIGHTS = np.array([0.1, 0.3, 0.2, 0.1, 0.05, 0.25])
U = np.array([0.4, -1.0, 0.7])


def test_the_objective_is_that_of_plain_loops(comparison):
    liked, others = (
        [(row[:-1].tolist(), row[-1]) for row in rows] for rows in (comparison.liked, comparison.others)
    )
    expected = oracle.user_objective(U.tolist(), liked, others, WEIGHTS.tolist(), 0.05)
    assert objective(comparison, WEIGHTS, U) == pytest.approx(expected)


def test_derivatives_are_those_of_finite_differences(comparison):
    gradient, curvature = derivatives(comparison, WEIGHTS, U)
    h = 1e-5
    for f, e in enumerate(np.eye(3)):
        sides = [objective(comparison, WEIGHTS, U + sign * h * e) for sign in (1, -1)]
        assert gradient[f] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6)
        slopes = [derivatives(comparison, WEIGHTS, U + sign * h * e)[0] for sign in (1, -1)]
        assert_allclose(curvature[f], (slopes[0] - slopes[1]) / (2 * h), rtol=1e-6)


def test_at_the_vector_found_the_gradient_is_zero_and_every_way_leads_up(comparison):
    u = best_vector(comparison, lambda scores: WEIGHTS)
    assert_allclose(derivatives(comparison, WEIGHTS, u)[0], 0, atol=1e-4)
    least, rng = objective(comparison, WEIGHTS, u), np.random.default_rng(0)
    for direction in rng.standard_normal((32, 3)):
        assert objective(comparison, WEIGHTS, u + 0.05 * direction) > least


def test_vectors_far_apart_do_not_lead_astray():
    """Newton's whole steps overshoot here: scores of thousands, hardly a penalty."""
    rng = np.random.default_rng(1)
    wide = Comparison(100 * rng.standard_normal((5, 4)), 100 * rng.standard_normal((6, 4)), 1e-4)
    u = best_vector(wide, lambda scores: WEIGHTS)
    assert np.linalg.norm(derivatives(wide, WEIGHTS, u)[0]) < 1e-2


def test_weights_by_score_come_to_rest(comparison):
    """Where the weights go by the scores, the vector is the best for the weights that it brings about."""

    def softly(scores):
        weights = np.exp(scores - scores.max())
        return weights / weights.sum()

    u = best_vector(comparison, softly)
    weights = softly(comparison.others @ np.append(u, 1))
    assert_allclose(derivatives(comparison, weights, u)[0], 0, atol=1e-3)
