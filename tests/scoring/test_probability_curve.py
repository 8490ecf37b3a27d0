"""Scores as probabilities: the curves against scikit-learn, their shape, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from shortlist.errors import DataError, ParameterError
from shortlist.metrics.reliability import expected_calibration_error
from shortlist.scoring.probability_curve import ProbabilityCurve


def drawn(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.normal(3, 10, n)
    return score, rng.random(n) < 1 / (1 + np.exp(-(0.2 * score - 1)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_the_staircase_is_the_least_squares_fit_that_never_falls(rows):
    score, truth = np.array([s for s, _ in rows], float), np.array([t for _, t in rows])
    if truth.min() == truth.max():
        return
    curve = ProbabilityCurve.fit(score, truth, "isotonic")
    theirs = IsotonicRegression(out_of_bounds="clip").fit(score, truth)
    at = np.linspace(-4, 4, 33)
    np.testing.assert_allclose(curve(at), theirs.predict(at), atol=1e-12)
    assert (np.diff(curve.probability) >= 0).all()


def test_the_logistic_curve_is_the_one_of_largest_likelihood():
    score, truth = drawn()
    curve = ProbabilityCurve.fit(score, truth)
    theirs = LogisticRegression(C=np.inf).fit(score[:, None], truth)
    # Platt's targets stand a little inside 0 and 1.
    assert curve.score[0] == pytest.approx(theirs.coef_[0, 0], rel=0.01)
    assert curve.probability[0] == pytest.approx(theirs.intercept_[0], rel=0.01)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_probabilities_come_true_on_other_rows(method):
    curve = ProbabilityCurve.fit(*drawn(), method)
    score, truth = drawn(seed=1)
    assert expected_calibration_error(truth, curve(score)) < 0.03
    assert expected_calibration_error(truth, np.clip(curve(score) + 0.1, 0, 1)) > 0.08


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_what_was_saved_says_the_same(method):
    curve = ProbabilityCurve.fit(*drawn(200), method)
    again = ProbabilityCurve.from_values(curve.to_values())
    assert again == curve
    np.testing.assert_array_equal(again([-50, 0, 50]), curve([-50, 0, 50]))


def test_separable_labels_and_equal_scores_give_finite_curves():
    assert np.isfinite(ProbabilityCurve.fit([0, 1, 2, 3], [0, 0, 1, 1])([-1e6, 1e6])).all()
    level = ProbabilityCurve.fit([5, 5, 5, 5], [0, 1, 1, 1])([0, 5, 9])
    np.testing.assert_allclose(level, 4 / 5 * 3 / 4 + 1 / 3 / 4, atol=1e-6)  # the mean of Platt's targets


def test_a_score_that_says_the_opposite_is_not_turned_round():
    curve = ProbabilityCurve.fit([3, 2, 1, 0], [0, 0, 1, 1])
    assert curve(0) == curve(3)


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(DataError, match="rows of both labels; there are 2 rows, 2 of them 1"):
        ProbabilityCurve.fit([1, 2], [1, 1])
    with pytest.raises(ParameterError, match="1 scores are NaN or infinite"):
        ProbabilityCurve.fit([1, np.nan], [1, 0])
    with pytest.raises(ParameterError, match="method='beta' is not one of platt, isotonic"):
        ProbabilityCurve.fit([1, 2], [1, 0], "beta")
