import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from metrics.random_lists import lists_of_items, padded
from numpy.testing import assert_allclose, assert_array_equal
from oracles import metrics as oracle
from scipy import sparse
from sklearn.metrics.pairwise import cosine_distances

from shortlist.errors import ParameterError
from shortlist.metrics import beyond_accuracy, catalogue_coverage, gini, intra_list_diversity, novelty

N_ITEMS = 8
# Zero rows are frequent, and lengths of very different size.
NUMBER = st.one_of(st.just(0.0), st.floats(0.001, 1000.0), st.floats(-1000.0, -0.001))
VECTORS = hnp.arrays(np.float64, st.tuples(st.just(N_ITEMS), st.integers(1, 4)), elements=NUMBER)


@given(lists_of_items(N_ITEMS), st.sets(st.integers(N_ITEMS, N_ITEMS + 4)))
def test_coverage_and_gini_agree_with_the_definition(drawn, never_shown):
    lists, width = drawn
    eligible = np.zeros(N_ITEMS + 5, np.bool_)
    eligible[list(set(range(N_ITEMS)) | never_shown)] = True
    table, items = padded(lists, width), np.flatnonzero(eligible).tolist()
    assert catalogue_coverage(table, eligible) == float(oracle.catalogue_coverage(lists, items))
    assume(any(lists))
    assert_allclose(gini(table, eligible), float(oracle.gini(lists, items)), rtol=1e-13, atol=1e-15)


def test_gini_is_zero_when_all_are_shown_alike_and_largest_when_one_takes_all():
    assert gini([[0, 1], [2, 3]], np.ones(4, np.bool_)) == 0.0
    assert gini([[2], [2], [2]], np.ones(4, np.bool_)) == 0.75


@given(lists_of_items(N_ITEMS, min_items=1), st.data())
def test_novelty_agrees_with_the_definition(drawn, data):
    lists, width = drawn
    n_users = data.draw(st.integers(1, 1000))
    item_users = data.draw(hnp.arrays(np.int64, N_ITEMS, elements=st.integers(0, n_users)))
    slow = [oracle.novelty(shown, item_users.tolist(), n_users) for shown in lists]
    assert_allclose(novelty(padded(lists, width), item_users, n_users), slow, rtol=1e-12, atol=1e-13)


def test_an_item_nobody_has_is_one_bit_beyond_an_item_with_one_user():
    one, none = novelty([[0], [1]], [1, 0], 100)
    assert_allclose(none - one, 1.0, rtol=1e-13)


@given(lists_of_items(N_ITEMS, min_items=2), VECTORS)
def test_diversity_agrees_with_the_definition(drawn, vectors):
    lists, width = drawn
    slow = [oracle.intra_list_diversity(shown, vectors.tolist()) for shown in lists]
    assert_allclose(intra_list_diversity(padded(lists, width), vectors), slow, rtol=1e-9, atol=1e-13)


@given(lists_of_items(N_ITEMS, min_items=2), VECTORS)
def test_sparse_vectors_give_what_dense_ones_give(drawn, vectors):
    lists, width = drawn
    table = padded(lists, width)
    for form in (sparse.csr_array, sparse.csr_matrix, sparse.coo_array):
        assert_allclose(
            intra_list_diversity(table, form(vectors)),
            intra_list_diversity(table, vectors),
            rtol=1e-12,
            atol=1e-13,
        )


def test_diversity_is_the_mean_of_scikit_learns_cosine_distances(rng):
    vectors = rng.standard_normal((50, 6))
    table = np.array([rng.permutation(50)[:10] for _ in range(30)])
    above = np.triu_indices(10, 1)
    expected = [cosine_distances(vectors[shown])[above].mean() for shown in table]
    assert_allclose(intra_list_diversity(table, vectors), expected, rtol=1e-12)


def test_diversity_does_not_depend_on_the_block(rng, monkeypatch):
    vectors, table = rng.standard_normal((50, 6)), np.array([rng.permutation(50)[:5] for _ in range(100)])
    whole = intra_list_diversity(table, vectors)
    monkeypatch.setattr(beyond_accuracy, "_BLOCK_FLOATS", 7 * 6)
    assert_array_equal(intra_list_diversity(table, vectors), whole)


def test_items_with_one_direction_have_no_diversity():
    vectors = np.array([[0.1, 0.7], [0.2, 1.4], [0.3, 2.1], [0.7, 4.9]])
    value = intra_list_diversity([[0, 1, 2, 3]], vectors)[0]
    assert 0.0 <= value < 1e-15


@given(lists_of_items(N_ITEMS, min_items=2), VECTORS, st.data())
def test_permuting_lists_permutes_their_values(drawn, vectors, data):
    lists, width = drawn
    order = np.array(data.draw(st.permutations(range(len(lists)))), dtype=int)
    table, item_users = padded(lists, width), np.arange(N_ITEMS)
    assert_array_equal(novelty(table[order], item_users, 9), novelty(table, item_users, 9)[order])
    assert_array_equal(
        intra_list_diversity(table[order], vectors), intra_list_diversity(table, vectors)[order]
    )


@pytest.mark.parametrize("metric", [catalogue_coverage, gini])
@pytest.mark.parametrize(
    ("lists", "eligible", "message"),
    [
        ([[0]], [False, False], "at least one true"),
        ([[0]], [1, 1], "boolean"),
        ([[0], [2]], [True, True], "row 1 holds an item that is not below n_items = 2"),
        ([[0], [1]], [True, False], "item 1 stands in a list but is not eligible"),
        ([[0, 0]], [True], "twice"),
    ],
)
def test_refuses_items_that_may_not_be_shown(metric, lists, eligible, message):
    with pytest.raises(ParameterError, match=message):
        metric(lists, eligible)


def test_gini_of_nothing_shown_is_refused():
    assert catalogue_coverage([[-1]], [True]) == 0.0
    with pytest.raises(ParameterError, match="no list shows an item"):
        gini([[-1]], [True])


@pytest.mark.parametrize(
    ("lists", "item_users", "n_users", "message"),
    [
        ([[0], [-1]], [1], 1, "row 1 has 0 .1 such rows.*select_lists"),
        ([[0]], [3], 2, r"item_users\[0\] is 3, outside 0 to n_users = 2"),
        ([[0]], [-1], 2, r"item_users\[0\] is -1"),
        ([[0]], [0.5], 2, "integer counts"),
        ([[0]], [0], 0, "n_users must be at least 1"),
        ([[1]], [0], 1, "not below n_items = 1"),
    ],
)
def test_novelty_refuses_what_it_cannot_measure(lists, item_users, n_users, message):
    with pytest.raises(ParameterError, match=message):
        novelty(lists, item_users, n_users)


@pytest.mark.parametrize(
    ("lists", "vectors", "message"),
    [
        ([[0, 1], [1, -1]], np.eye(2), "row 1 has 1 .1 such rows.*select_lists"),
        ([[0, 2]], np.eye(2), "not below n_items = 2"),
        ([[0, 1]], np.ones(2), "vectors must have shape"),
        ([[0, 1]], np.array([[1.0], [np.nan]]), "vector of item 1"),
        ([[0, 1]], sparse.csr_array([[1.0], [np.inf]]), "vector of item 1"),
    ],
)
def test_diversity_refuses_what_it_cannot_measure(lists, vectors, message):
    with pytest.raises(ParameterError, match=message):
        intra_list_diversity(lists, vectors)
