import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics.random_lists import lists_of_items, padded
from numpy.testing import assert_array_equal

from shortlist.errors import ParameterError
from shortlist.metrics import find_hits, list_lengths, select_lists


@given(lists_of_items(8), st.integers(0, 9))
def test_selects_the_lists_that_are_long_enough(drawn, min_items):
    lists, width = drawn
    rows, n_dropped = select_lists(padded(lists, width), min_items)
    assert rows.tolist() == [row for row, shown in enumerate(lists) if len(shown) >= min_items]
    assert len(rows) + n_dropped == len(lists)
    assert_array_equal(list_lengths(padded(lists, width)), [len(shown) for shown in lists])


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (np.zeros(3, np.int32), "shape"),
        (np.zeros((3, 0), np.int32), "shape"),
        (np.zeros((3, 1)), "integer"),
        (np.zeros((3, 1), np.uint64), "signed"),
        ([[0, 1], [-2, -1]], "row 1 has an entry below -1"),
        ([[0, 1], [0, 1], [-1, 4]], "row 2 has an item after -1"),
        ([[0, 1, 2], [5, 1, 5]], "row 1 holds an item twice"),
        ([[2**31]], "row 0 has an item above 2147483647"),
    ],
)
def test_refuses_malformed_lists(lists, message):
    with pytest.raises(ParameterError, match=message):
        select_lists(lists, 0)
    with pytest.raises(ParameterError, match=message):
        find_hits(lists, [0, 1, 2, 3], [0, 0, 0])


def test_refuses_a_negative_number_of_items():
    with pytest.raises(ParameterError, match="min_items"):
        select_lists([[1]], -1)
