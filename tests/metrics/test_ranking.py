import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from metrics.random_lists import csr, evaluations, padded
from numpy.testing import assert_allclose, assert_array_equal
from oracles import metrics as oracle

from shortlist import metrics
from shortlist.errors import ParameterError

NAMES = (
    "precision",
    "recall",
    "recall_capped",
    "hit_rate",
    "reciprocal_rank",
    "average_precision",
    "ndcg",
)


def all_metrics(hits, k=None):
    """Return float64[metrics, users]."""
    return np.array([getattr(metrics, name)(hits, k) for name in NAMES])


@given(evaluations(), st.data())
def test_agrees_with_the_definition(drawn, data):
    lists, width, truth = drawn
    k = data.draw(st.integers(1, width))
    hits = metrics.find_hits(padded(lists, width), *csr(truth))
    for name in NAMES:
        slow = [float(getattr(oracle, name)(*pair, k)) for pair in zip(lists, truth, strict=True)]
        fast = getattr(metrics, name)(hits, k)
        assert fast.dtype == np.float64
        assert_allclose(fast, slow, rtol=1e-13, atol=0, err_msg=name)


@given(evaluations())
def test_gain_is_one_unless_gains_are_given(drawn):
    lists, width, truth = drawn
    ptr, item_idx, _ = csr(truth)
    plain = metrics.ndcg(metrics.find_hits(padded(lists, width), ptr, item_idx))
    ones = [dict.fromkeys(relevant, 1.0) for relevant in truth]
    slow = [oracle.ndcg(*pair, width) for pair in zip(lists, ones, strict=True)]
    assert_allclose(plain, slow, rtol=1e-13, atol=0)


@given(evaluations(), st.data())
def test_a_cutoff_is_the_list_cut(drawn, data):
    lists, width, truth = drawn
    k = data.draw(st.integers(1, width))
    table = padded(lists, width)
    cut = all_metrics(metrics.find_hits(table[:, :k], *csr(truth)))
    assert_array_equal(all_metrics(metrics.find_hits(table, *csr(truth)), k), cut)


@given(evaluations(), st.data())
def test_permuting_users_permutes_their_values(drawn, data):
    lists, width, truth = drawn
    order = data.draw(st.permutations(range(len(lists))))
    values = all_metrics(metrics.find_hits(padded(lists, width), *csr(truth)))
    moved = metrics.find_hits(padded([lists[u] for u in order], width), *csr([truth[u] for u in order]))
    assert_array_equal(all_metrics(moved), values[:, np.array(order, dtype=int)])


@given(evaluations(), st.data())
def test_renaming_items_changes_nothing(drawn, data):
    lists, width, truth = drawn
    # The largest positions that int32 holds, in another order.
    renamed = (2**31 - 1 - np.array(data.draw(st.permutations(range(12))))).tolist()
    other_truth = [{renamed[i]: gain for i, gain in relevant.items()} for relevant in truth]
    other_lists = [[renamed[i] for i in shown] for shown in lists]
    values = all_metrics(metrics.find_hits(padded(lists, width), *csr(truth)))
    assert_array_equal(all_metrics(metrics.find_hits(padded(other_lists, width), *csr(other_truth))), values)


@given(
    st.lists(st.dictionaries(st.integers(0, 99), st.floats(0.01, 100.0), min_size=1, max_size=20), max_size=5)
)
def test_a_perfect_list_has_exactly_one(truth):
    best = [sorted(relevant, key=lambda item: -relevant[item]) for relevant in truth]
    hits = metrics.find_hits(padded(best, 20), *csr(truth))
    for k in (1, 5, 20):
        for name in ("recall_capped", "hit_rate", "reciprocal_rank", "average_precision", "ndcg"):
            assert_array_equal(getattr(metrics, name)(hits, k), np.ones(len(truth)))


def test_an_empty_list_has_zero():
    hits = metrics.find_hits([[-1, -1], [-1, -1]], [0, 1, 3], [0, 0, 4])
    assert_array_equal(all_metrics(hits), np.zeros((len(NAMES), 2)))


def test_no_user_has_no_values():
    hits = metrics.find_hits(np.empty((0, 3), np.int32), [0], [])
    assert all_metrics(hits).shape == (len(NAMES), 0)


def test_a_short_list_is_divided_by_k():
    hits = metrics.find_hits([[4, -1, -1, -1]], [0, 1], [4])
    assert_array_equal(metrics.precision(hits), [0.25])


@given(st.lists(st.sets(st.integers(0, 9)), max_size=8))
def test_users_without_truth_are_dropped_and_counted(relevant):
    truth = [dict.fromkeys(items, 1.0) for items in relevant]
    ptr, item_idx, _ = csr(truth)
    rows, kept_ptr, n_dropped = metrics.users_with_truth(ptr)
    assert rows.tolist() == [user for user, items in enumerate(relevant) if items]
    assert n_dropped == sum(not items for items in relevant)
    kept = [item_idx[kept_ptr[i] : kept_ptr[i + 1]].tolist() for i in range(rows.size)]
    assert kept == [sorted(items) for items in relevant if items]
    metrics.find_hits(np.zeros((rows.size, 1), np.int32), kept_ptr, item_idx)


@pytest.mark.parametrize("k", [0, -1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_refuses_a_cutoff_that_the_lists_cannot_answer(name, k):
    hits = metrics.find_hits([[1, 2, 3]], [0, 1], [2])
    with pytest.raises(ParameterError, match=f"k={k} must be from 1 to 3"):
        getattr(metrics, name)(hits, k)


@pytest.mark.parametrize(
    ("ptr", "item_idx", "gains", "message"),
    [
        ([0, 1], [1], None, "ptr has 2 entries; 2 lists need 3"),
        ([1, 1, 2], [1, 2], None, "start at 0"),
        ([0, 2, 1], [1], None, "never fall"),
        ([0, 1, 2], [1], None, "ptr ends at 2 but item_idx has 1"),
        ([0, 1, 1], [1], None, "row 1 has no relevant item"),
        ([0, 2, 3], [5, 1, 0], None, "row 0 is not ascending"),
        ([0, 1, 3], [5, 2, 2], None, "row 1 is not ascending and distinct"),
        ([0, 1, 2], [1, -1], None, r"item_idx\[1\] is -1"),
        ([0, 1, 2], [1, 2**31], None, r"item_idx\[1\] is 2147483648"),
        ([0, 1, 2], [1.0, 2.0], None, "of integers"),
        ([[0, 1, 2]], [1, 2], None, "one-dimensional"),
        ([0, 1, 2], [1, 2], [1.0], "gains has shape"),
        ([0, 1, 2], [1, 2], [1.0, 0.0], r"gains\[1\] is 0.0"),
        ([0, 1, 2], [1, 2], [np.nan, 1.0], r"gains\[0\] is nan"),
    ],
)
def test_refuses_a_malformed_truth(ptr, item_idx, gains, message):
    with pytest.raises(ParameterError, match=message):
        metrics.find_hits([[0], [1]], ptr, item_idx, gains)
