"""How likely an item is in a sample, counted over all that can happen."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from shortlist.models.nets.softmax_sampling import inclusion, inclusion_in_batch

WEIGHTS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12).map(np.array)


@given(WEIGHTS, st.integers(1, 14))
def test_probabilities_sum_to_the_sample_and_are_in_proportion_below_one(weights, n):
    q = inclusion(weights, n)
    assert ((q > 0) & (q <= 1)).all()
    assert_allclose(q.sum(), min(n, weights.size), rtol=1e-9)
    open_ = q < 1 - 1e-12
    if open_.any():
        share = q[open_] / weights[open_]
        assert_allclose(share, share[0], rtol=1e-9)
        assert (weights[~open_] >= weights[open_].max() * (1 - 1e-9)).all()


def test_a_sample_of_all_items_has_all_of_them():
    assert_array_equal(inclusion(np.array([1.0, 5.0, 2.0]), 3), np.ones(3))


@given(st.integers(1, 6), st.data())
def test_the_probability_of_being_in_a_batch_is_counted_over_all_batches(n_rows, data):
    size = data.draw(st.integers(1, n_rows + 2))
    count = data.draw(st.integers(1, n_rows))
    batches = list(itertools.combinations(range(n_rows), min(size, n_rows)))
    wanted = np.mean([min(batch) < count for batch in batches])  # rows 0 to count - 1 have the item
    assert_allclose(inclusion_in_batch(np.array([count]), n_rows, size), [wanted], rtol=1e-9)


def test_counts_of_a_large_log_stay_exact():
    found = inclusion_in_batch(np.array([1]), 10_000_000, 100)
    assert_allclose(found, [1e-5], rtol=1e-4)
