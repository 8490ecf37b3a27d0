import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError

ALL = [Feedback.ratings(0.5, 5), Feedback.ratings(-10, 10, 3), Feedback.binary(), Feedback.events()]


def positive(feedback, *values):
    return feedback.is_positive(np.array(values, np.float32)).tolist()


def valid(feedback, *values):
    return feedback.is_valid(np.array(values, np.float64)).tolist()


def test_ratings_are_positive_from_four_of_five():
    assert positive(Feedback.ratings(0.5, 5), 0.5, 3.5, 4, 5) == [False, False, True, True]
    assert positive(Feedback.ratings(1, 10), 7, 8) == [False, True]
    assert positive(Feedback.ratings(1, 10, 6), 5, 6) == [False, True]


@given(st.floats(0.1, 100), st.floats(0, 1))
def test_the_border_itself_is_positive_in_32_bits(high, share):
    border = share * high
    feedback = Feedback.ratings(0, high, border)
    assert positive(feedback, border) == [True]


def test_labels_and_events_have_their_own_border():
    assert positive(Feedback.binary(), 0, 1) == [False, True]
    assert positive(Feedback.events(), 0, 0.5, 3) == [False, True, True]


def test_values_off_the_range_are_not_valid():
    assert valid(Feedback.ratings(0.5, 5), 0.4, 0.5, 5, 5.1, np.nan) == [False, True, True, False, False]
    assert valid(Feedback.binary(), 0, 1, 0.5, -1, np.inf) == [True, True, False, False, False]
    assert valid(Feedback.events(), 0, 1e30, -1, 1e39, np.nan) == [True, True, False, False, False]


@pytest.mark.parametrize("feedback", ALL)
def test_json_brings_it_back(feedback):
    assert Feedback.from_values(json.loads(json.dumps(feedback.to_values()))) == feedback


def test_kinds_are_made_by_name():
    assert Feedback.of("ratings", (0.5, 5)) == ALL[0]
    assert Feedback.of("binary") == ALL[2]
    assert Feedback.of("events") == ALL[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("stars",), "kind='stars' is not one of ratings, binary, events"),
        (("ratings",), "ratings need their scale"),
        (("ratings", (5, 1)), "finite low < high"),
        (("ratings", (0, float("inf"))), "finite low < high"),
        (("ratings", (-1, 1)), "say which ratings are positive"),
        (("ratings", (0, 5), 6), "off the scale"),
        (("events", (0, 5)), 'belong to kind="ratings"'),
        (("binary", None, 1), 'belong to kind="ratings"'),
    ],
)
def test_contradictions_are_errors(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Feedback.of(*arguments)


def test_a_model_of_ratings_can_ask_for_them():
    assert ALL[0].require_ratings("X") == (0.5, 5)
    with pytest.raises(DataError, match=r"X predicts ratings, and these values are events"):
        ALL[3].require_ratings("X")
