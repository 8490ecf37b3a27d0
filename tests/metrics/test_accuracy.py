import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import mean_absolute_error, mean_squared_error

from shortlist.errors import ParameterError
from shortlist.metrics import mae, rmse

RATING = st.floats(-1e6, 1e6)
PAIRS = st.lists(st.tuples(RATING, RATING), min_size=1, max_size=30)
METRICS = pytest.mark.parametrize("metric", [rmse, mae])


@given(PAIRS)
def test_agrees_with_scikit_learn(pairs):
    observed, predicted = map(np.array, zip(*pairs, strict=True))
    assert_allclose(rmse(observed, predicted), math.sqrt(mean_squared_error(observed, predicted)), rtol=1e-12)
    assert_allclose(mae(observed, predicted), mean_absolute_error(observed, predicted), rtol=1e-12)


@given(PAIRS, st.floats(-10, 4), st.floats(5, 10))
def test_clipping_is_of_the_predictions_alone(pairs, low, high):
    observed, predicted = map(np.array, zip(*pairs, strict=True))
    clipped = np.array([min(max(p, low), high) for p in predicted])
    assert rmse(observed, predicted, scale=(low, high)) == rmse(observed, clipped)
    assert mae(observed, predicted, scale=(low, high)) == mae(observed, clipped)


def test_float32_ratings_are_summed_in_float64():
    # In float32 a sum of 2²⁵ ones of this size stalls long before the end.
    observed = np.full(1 << 20, 1 / 3, np.float32)
    assert_allclose(mae(observed, np.zeros_like(observed)), float(np.float32(1 / 3)), rtol=1e-13)


@METRICS
@pytest.mark.parametrize(
    ("observed", "predicted", "scale", "message"),
    [
        ([], [], None, "no rating"),
        ([1.0], [1.0, 2.0], None, "1 observed ratings but 2 predicted"),
        ([[1.0]], [[1.0]], None, "one-dimensional"),
        ([1.0, math.nan], [1.0, 2.0], None, r"observed\[1\] is nan"),
        ([1.0], [math.inf], None, r"predicted\[0\] is inf"),
        ([1.0], [1.0], (5.0, 1.0), "low < high"),
        ([1.0], [1.0], (1.0, 1.0), "low < high"),
        ([1.0], [1.0], (math.nan, 5.0), "low < high"),
    ],
)
def test_refuses_what_has_no_error(metric, observed, predicted, scale, message):
    with pytest.raises(ParameterError, match=message):
        metric(observed, predicted, scale=scale)
