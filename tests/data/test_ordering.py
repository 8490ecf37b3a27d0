import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist import threads
from shortlist.data import ordering

LIMIT = st.sampled_from([1, 2, 1000, 2**20, 2**31, 2**40, 2**62])


@pytest.fixture(autouse=True)
def radix_from_the_first_row(monkeypatch):
    monkeypatch.setattr(ordering, "FEW", 1)
    monkeypatch.setattr(ordering, "LEAST_BLOCK", 7)


@given(st.integers(1, 300), LIMIT, st.sampled_from([1, 3, 10**6]), st.integers(0, 2**32), st.integers(1, 3))
@example(100, 2**62, 1, 0, 2)
def test_the_order_is_that_of_a_stable_sort(n, limit, step, seed, n_threads):
    rng = np.random.default_rng(seed)
    # Few distinct values: many ties.
    choice = rng.integers(-limit // step, limit // step + 1, max(1, n // 3)) * step
    values = rng.choice(choice, n)
    before, expected = values.copy(), sorted(range(n), key=values.tolist().__getitem__)
    wanted = threads.num_threads()
    threads.set_num_threads(n_threads)
    try:
        order = ordering.stable_order(values)
    finally:
        threads.set_num_threads(wanted)
    assert order.dtype == np.uint32
    assert order.tolist() == expected
    np.testing.assert_array_equal(values, before)


def test_values_at_both_ends_of_64_bits_are_sorted():
    values = np.array([2**63 - 1, -(2**63), 0, 2**63 - 1, -(2**63)])
    assert ordering.stable_order(values).tolist() == [1, 4, 2, 0, 3]


@given(st.lists(st.integers(0, 2**31 - 1) | st.integers(0, 3), min_size=1, max_size=100))
def test_positions_are_sorted_alike(positions):
    array = np.array(positions, np.int32)
    order = ordering.stable_order_of_positions(array)
    assert order.tolist() == sorted(range(len(positions)), key=positions.__getitem__)
    assert array.tolist() == positions


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.int64, np.uint64])
def test_rows_are_taken_in_the_order_given(rng, dtype):
    values = rng.integers(0, 1000, 50).astype(dtype)
    order = rng.permutation(50).astype(np.uint32)[:40]
    taken = ordering.taken(values, order)
    assert taken.dtype == dtype
    np.testing.assert_array_equal(taken, values[order])


@given(st.lists(st.integers(0, 3), max_size=40), st.booleans())
def test_what_never_descends_is_sorted(values, in_order):
    values = sorted(values) if in_order else values
    assert ordering.is_sorted(np.array(values, np.int64)) == (values == sorted(values))


def test_one_descent_is_seen_wherever_it_is():
    for at in range(1, 30):
        assert not ordering.is_sorted((np.arange(30) < at).astype(np.int64))


def test_nothing_has_an_order():
    assert ordering.stable_order(np.zeros(0, np.int64)).size == 0
    assert ordering.stable_order_of_positions(np.zeros(0, np.int32)).size == 0
    assert ordering.taken(np.zeros(0, np.int32), np.zeros(0, np.uint32)).size == 0


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_extremes_are_the_least_and_the_greatest(values):
    assert ordering.extremes(np.array(values, np.int64)) == (min(values), max(values))
