"""GraphFilter: against all paths written out and a full eigendecomposition, whoever stands where."""

import numpy as np
import polars as pl
import pytest
from experiments.hand_data import dataset
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import graph_filter as oracle

import shortlist as sl
from shortlist import threads
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError, UnknownIdError

EVENTS = Feedback.events()
LINEAR = {"user_exponent": 0.7, "item_exponent": 0.5, "target_exponent": 0.3, "n_neighbors": None, "dim": 0}
GF_CF = {
    "user_exponent": 1.0,
    "item_exponent": 0.5,
    "target_exponent": 0.5,
    "n_neighbors": None,
    "low_pass": 0.3,
}


def shop(R):
    """Return events of people (100, 101, …) with items (500, 501, …) from a 0/1 matrix."""
    rows = [(u, i, 1) for u, i in np.argwhere(np.asarray(R) > 0)]
    return dataset(rows, *np.shape(R), feedback=EVENTS)


def random_choices(rng, n_users=30, n_items=12, share=0.3):
    return (rng.random((n_users, n_items)) < share).astype(float)


def rows(model, R):
    """Return what the model scores every item with for everybody, float32[n_users, n_items]."""
    pairs = np.argwhere((R.sum(axis=1)[:, None] > 0) & (R.sum(axis=0) > 0))
    out = np.zeros(R.shape, np.float32)
    out[pairs[:, 0], pairs[:, 1]] = model.score(pairs[:, 0] + 100, pairs[:, 1] + 500)
    return out


def scores(R, a, p, q, n_neighbors=None, dim=0, low_pass=0.0):
    F = oracle.linear(R, a, p, q, n_neighbors)
    if dim > 0:
        F = F + low_pass * oracle.low_pass(R, a, p, dim)[0]
    return R @ F * (R.sum(axis=1)[:, None] > 0) * (R.sum(axis=0) > 0)


EXPONENTS = st.sampled_from([0.0, 0.3, 0.5, 1.0])


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.tuples(EXPONENTS, EXPONENTS, EXPONENTS),
    st.sampled_from([None, 20]),
    st.integers(0, 2**32 - 1),
)
def test_the_linear_part_follows_every_path(n_users, n_items, exponents, n_neighbors, seed):
    R = random_choices(np.random.default_rng(seed), n_users, n_items, 0.5)
    R[0, 0] = 1
    model = sl.GraphFilter(*exponents, n_neighbors=n_neighbors, dim=0).fit(shop(R), rng=0)
    np.testing.assert_allclose(rows(model, R), scores(R, *exponents), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_of_each_item_the_largest_targets_are_kept(rng, n):
    R = random_choices(rng)
    model = sl.GraphFilter(0.7, 0.5, 0.3, n_neighbors=n, dim=0).fit(shop(R), rng=0)
    assert np.diff(model.filter_ptr_).tolist() == [n] * 12
    np.testing.assert_allclose(rows(model, R), scores(R, 0.7, 0.5, 0.3, n), rtol=1e-5, atol=1e-6)


@given(st.integers(1, 12), st.sampled_from([0.0, 0.7, 1.0]), EXPONENTS, st.integers(0, 2**32 - 1))
def test_the_low_pass_keeps_the_first_eigenvectors(dim, a, p, seed):
    R = random_choices(np.random.default_rng(seed))
    values = np.append(oracle.low_pass(R, a, p, dim)[1], 0)
    # Of equal eigenvalues at the cut any vectors are as good.
    assume(dim == 12 or values[dim - 1] - values[dim] > 1e-3 * values[0])
    parameters = {"n_neighbors": None, "dim": dim, "low_pass": 0.4}
    model = sl.GraphFilter(a, p, 0.3, **parameters).fit(shop(R), rng=0)
    np.testing.assert_allclose(model.singular_values_[:dim] ** 2, np.maximum(values[:dim], 0), atol=1e-4)
    expected = scores(R, a, p, 0.3, None, dim, 0.4)
    np.testing.assert_allclose(rows(model, R), expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_the_published_form_is_among_its_parameters(rng):
    """R̃ᵀR̃ + α D^−½ V Vᵀ D^½ with R̃ = U^−½ R D^−½, by the full singular value decomposition."""
    R = random_choices(rng)
    R = R[R.sum(axis=1) > 0]
    D = R.sum(axis=0)
    normalised = R / np.sqrt(R.sum(axis=1)[:, None] * D)
    V = np.linalg.svd(normalised, full_matrices=False)[2][:5].T
    F = normalised.T @ normalised + 0.3 * (V @ V.T) / np.sqrt(D)[:, None] * np.sqrt(D)
    model = sl.GraphFilter(**GF_CF, dim=5).fit(shop(R), rng=0)
    np.testing.assert_allclose(rows(model, R), R @ F, rtol=1e-4)


def test_two_films_by_hand():
    """Ann has x and y, bob has x: x is of 2 people, y of 1."""
    model = sl.GraphFilter(1.0, 0.5, 0.0, n_neighbors=None, dim=0).fit(shop([[1, 1], [1, 0]]), rng=0)
    # x → x: ann's ½ and bob's 1, over √2; x → y and y → x: ann's ½.
    assert model.score([101, 101], [500, 501]) == pytest.approx([1.5 / 2**0.5, 0.5 / 2**0.5])
    assert model.score([100], [501]) == pytest.approx([0.5 / 2**0.5 + 0.5])


def test_what_no_path_leads_to_scores_zero_and_stands_last():
    model = sl.GraphFilter(dim=0).fit(shop([[1, 1, 0], [1, 0, 0], [0, 0, 1]]), rng=0)
    shown = model.recommend(101, 5).frame
    assert (shown["item_id"] - 500).to_list() == [1, 2]
    assert shown["score"][1] == 0
    assert model.similar_items(501, 5).frame["similar_item_id"].to_list() == [500]


@pytest.mark.parametrize("parameters", [LINEAR, {**GF_CF, "dim": 4}, {"n_neighbors": 3, "dim": 0}])
def test_whoever_stands_where_gets_the_same(rng, parameters):
    R = random_choices(rng)
    users, items = rng.permutation(30), rng.permutation(12)
    here = rows(sl.GraphFilter(**parameters).fit(shop(R), rng=0), R)
    moved = R[users][:, items]
    there = rows(sl.GraphFilter(**parameters).fit(shop(moved), rng=0), moved)
    np.testing.assert_allclose(there, here[users][:, items], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dim", [0, 3, 8])
def test_one_person_gets_what_all_get_bit_for_bit(rng, dim):
    R = random_choices(rng, 60, 700, 0.1)
    R[:, 0] = 1
    model = sl.GraphFilter(dim=dim).fit(shop(R), rng=0)
    together = model.recommend(range(100, 160), 40).frame
    assert together.equals(pl.concat(model.recommend(user, 40).frame for user in range(100, 160)))
    assert together["score"].to_list() == model.score(together["user_id"], together["item_id"]).tolist()


def test_threads_change_no_bit(rng):
    data = shop(random_choices(rng, 200, 90))
    before, found = threads.num_threads(), []
    try:
        for n in (1, 3):
            sl.set_num_threads(n)
            model = sl.GraphFilter(n_neighbors=20, dim=6).fit(data, rng=0)
            found.append(model.recommend(range(100, 300), 9, on_unknown="skip").frame)
    finally:
        sl.set_num_threads(before)
    assert found[0].equals(found[1])


def test_only_the_past_up_to_the_moment_counts(rng):
    R = random_choices(rng)
    events = [(u, i, 1, day) for day, (u, i) in enumerate(np.argwhere(R > 0))]
    first = next((i, day) for u, i, _, day in events if u == 4)
    model = sl.GraphFilter(**LINEAR).fit(dataset(events, *R.shape, feedback=EVENTS), rng=0)
    shown = model.recommend(104, 12, at=first[1] * 86_400_000_000, exclude_seen=False).frame
    row = oracle.linear(R, 0.7, 0.5, 0.3)[first[0]]
    assert (shown["item_id"] - 500)[0] == int(np.argmax(row))
    np.testing.assert_allclose(shown["score"].to_numpy(), np.sort(row)[::-1], rtol=1e-5, atol=1e-7)


def test_people_folded_in_get_what_the_same_people_got_in_training(rng):
    R = random_choices(rng)
    R[:, 2] = 1
    data = shop(R)
    model = sl.GraphFilter(dim=4).fit(data, rng=0)
    known = model.recommend(range(100, 130), 5).frame
    assert model.recommend(model.fold_in_users(data), 5).frame.equals(known)


def test_it_is_the_same_after_saving(rng, tmp_path):
    R = random_choices(rng)
    R[:, 2] = 1
    model = sl.GraphFilter(dim=4).fit(shop(R), rng=0)
    back = sl.load(model.save(tmp_path / "filter"))
    assert back.recommend(range(100, 130), 5).frame.equals(model.recommend(range(100, 130), 5).frame)
    assert back.similar_items([502], 5).frame.equals(model.similar_items([502], 5).frame)


@pytest.mark.parametrize("exponents", [(1.0, 0.5, 0.5), (0.7, 0.2, 0.9)])
def test_similar_items_go_by_the_symmetric_filter(rng, exponents):
    R = random_choices(rng)
    model = sl.GraphFilter(*exponents, n_neighbors=None, dim=3).fit(shop(R), rng=0)
    expected = oracle.linear(R, exponents[0], 0.5, 0.5)
    np.testing.assert_allclose(expected, expected.T)
    shown = model.similar_items([503], 11).frame
    order = [j for j in np.argsort(-expected[3], kind="stable") if j != 3 and expected[3, j] > 0]
    np.testing.assert_allclose(shown["score"].to_numpy(), expected[3, order], rtol=1e-5)
    np.testing.assert_allclose(expected[3, shown["similar_item_id"] - 500], expected[3, order], rtol=1e-5)
    with pytest.raises(ParameterError, match="leave measure out"):
        model.similar_items([503], measure="dot")


@pytest.mark.parametrize("R", [np.ones((1, 1)), np.ones((1, 4)), np.ones((5, 1)), np.ones((6, 4))])
def test_one_user_one_item_and_all_equal_fit(R):
    model = sl.GraphFilter(1.0, 0.5, 0.5, n_neighbors=None, dim=3, low_pass=0.2).fit(shop(R), rng=0)
    # The one direction of a matrix of ones is kept whole: (1 + α) times the mean over the person's items.
    np.testing.assert_allclose(rows(model, R), np.full(R.shape, 1.2), rtol=1e-5)
    assert "seen" in model.recommend(100).shortfalls[100]


def test_a_person_and_an_item_without_events_are_unknown():
    model = sl.GraphFilter().fit(shop([[1, 1, 0], [0, 0, 0], [1, 0, 0]]), rng=0)
    assert model.known_users_.tolist() == [True, False, True]
    assert model.known_items_.tolist() == [True, True, False]
    with pytest.raises(UnknownIdError):
        model.recommend(101)
    with pytest.raises(DataError, match="GraphFilter counts positive events, and none of the 1 ratings"):
        sl.GraphFilter().fit(dataset([(0, 0, 1)], 1, 1))


@pytest.mark.parametrize("left_out", [{"dim": 0}, {"low_pass": 0}])
def test_without_a_low_pass_nothing_is_decomposed(rng, left_out):
    R = random_choices(rng)
    model = sl.GraphFilter(**left_out).fit(shop(R), rng=0)
    assert model.basis_.shape == (12, 0)
    np.testing.assert_allclose(rows(model, R), scores(R, 0.7, 0.5, 0.3), rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_exponent": -1},
        {"item_exponent": 5},
        {"target_exponent": "x"},
        {"n_neighbors": 0},
        {"dim": -1},
        {"low_pass": -1},
    ],
)
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        sl.GraphFilter(**wrong)


def test_an_item_that_is_not_positive_in_a_history_says_nothing():
    events = [(0, 0, 5), (0, 1, 5), (0, 2, 1), (1, 2, 5), (1, 1, 5)]
    model = sl.GraphFilter(**LINEAR).fit(dataset(events, 2, 3), rng=0)
    R = np.array([[1, 1, 0], [0, 1, 1.0]])
    np.testing.assert_allclose(rows(model, R), scores(R, 0.7, 0.5, 0.3), rtol=1e-5)
