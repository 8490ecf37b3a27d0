"""EASE: against one ridge regression an item, at its optimum, whoever stands where, and what it refuses."""

import tracemalloc
from functools import partial

import numpy as np
import polars as pl
import pytest
from experiments.hand_data import dataset
from hypothesis import given
from hypothesis import strategies as st
from oracles import ease as oracle

import shortlist as sl
from shortlist import threads
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError, UnknownIdError
from shortlist.models import ease, symmetric_inverse

EVENTS = Feedback.events()


def shop(X, order=None):
    """Return events of people (100, 101, …) with items (500, 501, …) from a 0/1 matrix."""
    pairs = np.argwhere(np.asarray(X) > 0)
    rows = [(u, i, 1) for u, i in (pairs if order is None else pairs[order])]
    return dataset(rows, *np.shape(X), feedback=EVENTS)


def random_choices(rng, n_users=30, n_items=9, share=0.3):
    return (rng.random((n_users, n_items)) < share).astype(float)


def in_full(model, n_items):
    """Return B for all items, zeros for those that did not enter."""
    B = np.zeros((n_items, n_items))
    at = np.flatnonzero(model.known_items_)
    B[np.ix_(at, at)] = model.weights_
    return B


@given(st.integers(1, 8), st.integers(1, 8), st.sampled_from([0.1, 2.0, 80.0]), st.integers(0, 2**32 - 1))
def test_the_weights_are_a_ridge_regression_of_each_item(n_users, n_items, reg, seed):
    X = random_choices(np.random.default_rng(seed), n_users, n_items, 0.5)
    X[0, 0] = 1
    model = sl.EASE(reg).fit(shop(X))
    assert model.known_items_.tolist() == (X.sum(axis=0) > 0).tolist()
    np.testing.assert_allclose(in_full(model, n_items), oracle.weights(X, reg), atol=3e-6)


def test_several_tiles_give_what_one_gives(rng, monkeypatch):
    X = random_choices(rng, 40, 23)
    monkeypatch.setattr(ease, "TILE", 5)
    monkeypatch.setattr(ease, "negative_inverse", partial(symmetric_inverse.negative_inverse, tile=7))
    np.testing.assert_allclose(sl.EASE(3.0).fit(shop(X)).weights_, oracle.weights(X, 3.0), atol=1e-6)


def test_no_weight_can_be_moved_to_lower_the_objective(rng):
    X = random_choices(rng)
    model = sl.EASE(3.0, precision="double").fit(shop(X))
    B = in_full(model, 9)
    off_diagonal = ~np.eye(9, dtype=bool)
    assert np.all(np.diag(B) == 0)
    size = np.abs(oracle.gradient(X, np.zeros((9, 9)), 3.0)).max()
    assert np.abs(oracle.gradient(X, B, 3.0)[off_diagonal]).max() < 1e-6 * size
    least = oracle.objective(X, B, 3.0)
    for _ in range(100):
        step = rng.standard_normal((9, 9)) * off_diagonal * 1e-2
        assert min(oracle.objective(X, B + step, 3.0), oracle.objective(X, B - step, 3.0)) > least


def test_a_score_is_the_row_of_choices_times_the_weights(rng):
    X = random_choices(rng)
    X[0, :3] = 1
    model = sl.EASE(5.0).fit(shop(X))
    expected = X @ oracle.weights(X, 5.0)
    users, items = np.nonzero(X.sum(axis=1)[:, None] * np.ones((1, 9)))
    np.testing.assert_allclose(model.score(users + 100, items + 500), expected[users, items], atol=1e-5)
    shown = model.recommend(100, 9).frame
    unseen = [j for j in np.argsort(-expected[0], kind="stable") if X[0, j] == 0]
    assert (shown["item_id"] - 500).to_list() == unseen
    assert shown["score"].to_list() == model.score([100] * len(unseen), np.array(unseen) + 500).tolist()


def test_only_the_past_up_to_the_moment_counts(rng):
    X = random_choices(rng)
    rows = [(u, i, 1, day) for day, (u, i) in enumerate(np.argwhere(X > 0))]
    mine = [day for u, _, _, day in rows if u == 4]
    assert len(mine) > 1
    data = dataset(rows, *X.shape, feedback=EVENTS)
    model = sl.EASE(5.0).fit(data)
    moment = mine[0] * 86_400_000_000
    shown = model.recommend(104, 9, at=moment, exclude_seen=False).frame
    first = next(i for u, i, _, _ in rows if u == 4)
    row = oracle.weights(X, 5.0)[first]
    assert (shown["item_id"] - 500).to_list() == np.argsort(-row, kind="stable").tolist()


@pytest.mark.parametrize("precision", ["single", "double"])
def test_whoever_stands_where_gets_the_same(rng, precision):
    X = random_choices(rng)
    users, items = rng.permutation(30), rng.permutation(9)
    model = sl.EASE(5.0, precision=precision).fit(shop(X))
    moved = sl.EASE(5.0, precision=precision).fit(shop(X[users][:, items]))
    at = np.ix_(items, items)
    np.testing.assert_allclose(in_full(moved, 9), in_full(model, 9)[at], atol=1e-6)


def test_one_person_gets_what_all_get_bit_for_bit(rng):
    X = random_choices(rng, 40, 20)
    X[:, 0] = 1
    model = sl.EASE(5.0).fit(shop(X))
    together = model.recommend(range(100, 140), 6).frame
    alone = [model.recommend(user, 6).frame for user in range(100, 140)]
    assert together.equals(pl.concat(alone))


def test_people_folded_in_get_what_the_same_people_got_in_training(rng):
    X = random_choices(rng)
    X[:, 2] = 1
    data = shop(X)
    model = sl.EASE(5.0).fit(data)
    known = model.recommend(range(100, 130), 5).frame
    assert model.recommend(model.fold_in_users(data), 5).frame.equals(known)


def test_it_is_the_same_after_saving(rng, tmp_path):
    X = random_choices(rng)
    X[:, 2] = 1
    model = sl.EASE(5.0, min_users=2).fit(shop(X))
    back = sl.load(model.save(tmp_path / "ease"))
    assert back.recommend(range(100, 130), 5).frame.equals(model.recommend(range(100, 130), 5).frame)
    assert back.similar_items([502], 5).frame.equals(model.similar_items([502], 5).frame)


def test_threads_change_no_bit(rng, monkeypatch):
    monkeypatch.setattr(ease, "TILE", 4)
    monkeypatch.setattr(ease, "negative_inverse", partial(symmetric_inverse.negative_inverse, tile=4))
    X = random_choices(rng, 60, 30)
    before, found = threads.num_threads(), []
    try:
        for n in (1, 3):
            sl.set_num_threads(n)
            found.append(sl.EASE(5.0).fit(shop(X)).weights_)
    finally:
        sl.set_num_threads(before)
    assert np.array_equal(*found)


def test_similar_items_go_by_partial_correlation(rng):
    X = random_choices(rng)
    model = sl.EASE(5.0).fit(shop(X))
    expected = oracle.partial_correlations(X, 5.0)
    shown = model.similar_items([503], 8).frame
    order = [j for j in np.argsort(-expected[3], kind="stable") if j != 3]
    assert (shown["similar_item_id"] - 500).to_list() == order
    np.testing.assert_allclose(shown["score"].to_numpy(), expected[3, order], atol=1e-6)
    with pytest.raises(ParameterError, match="partial correlation"):
        model.similar_items([503], measure="cosine")


def test_items_of_few_people_are_left_out(rng):
    X = random_choices(rng)
    X[:, 4] = 0
    X[:2, 4] = 1
    model = sl.EASE(5.0, min_users=3).fit(shop(X))
    assert np.flatnonzero(~model.known_items_).tolist() == [4]
    rest = np.delete(np.arange(9), 4)
    np.testing.assert_allclose(model.weights_, oracle.weights(X[:, rest], 5.0), atol=1e-6)
    with pytest.raises(UnknownIdError, match="504"):
        model.score([100], [504])
    with pytest.raises(ParameterError, match="min_users=31 leaves no item"):
        sl.EASE(min_users=31).fit(shop(X))


def test_seen_but_not_positive_and_repeated_events_do_not_count_twice():
    rows = [(0, 0, 5), (0, 0, 4), (0, 1, 4), (1, 0, 5), (1, 2, 1), (2, 1, 5)]
    X = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0.0]])
    model = sl.EASE(1.0).fit(dataset(rows, 3, 3))
    np.testing.assert_allclose(in_full(model, 3), oracle.weights(X, 1.0), atol=1e-6)
    assert model.known_items_.tolist() == [True, True, False]


@pytest.mark.parametrize("X", [np.ones((1, 1)), np.ones((1, 4)), np.ones((5, 1)), np.ones((6, 4))])
def test_one_user_one_item_and_all_equal_fit(X):
    model = sl.EASE(2.0).fit(shop(X))
    np.testing.assert_allclose(model.weights_, oracle.weights(X, 2.0), atol=1e-6)
    shown = model.recommend(100, 10)
    assert shown.frame.height == 0
    assert "seen" in shown.shortfalls[100]


def test_a_person_and_an_item_without_events_are_unknown():
    X = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0.0]])
    model = sl.EASE().fit(shop(X))
    with pytest.raises(UnknownIdError):
        model.recommend(101)
    assert model.known_users_.tolist() == [True, False, True]
    assert model.known_items_.tolist() == [True, True, False]
    with pytest.raises(DataError, match="none of the 1 ratings"):
        sl.EASE().fit(dataset([(0, 0, 1)], 1, 1))


def test_what_a_fit_takes_is_known_before_and_refused_over_the_limit(rng, monkeypatch):
    monkeypatch.setattr(ease, "_gram", None)  # nothing may have begun
    assert sl.EASE.gib_needed(100_000) == pytest.approx(5 * 100_000**2 / 2**30)
    assert sl.EASE.gib_needed(100_000, "double") == pytest.approx(12 * 100_000**2 / 2**30)
    needed = sl.EASE.gib_needed(9)
    X = random_choices(rng)
    with pytest.raises(ParameterError, match=r"9 items .* GiB .*memory_limit_gib=.*raise it.*min_users"):
        sl.EASE(memory_limit_gib=needed * 0.99).fit(shop(X))


@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_fit_takes_what_it_said(rng, precision):
    data = shop(random_choices(rng, 20, 2000))
    sl.EASE().fit(shop(np.ones((2, 2))))  # compiled
    _ = data.memory
    tracemalloc.start()
    try:
        sl.EASE(5.0, precision=precision).fit(data)
        peak = tracemalloc.get_traced_memory()[1] / 2**30
    finally:
        tracemalloc.stop()
    said = sl.EASE.gib_needed(2000, precision)
    assert 0.8 * said < peak < 1.1 * said


def test_memory_under_the_limit_is_enough(rng):
    X = random_choices(rng)
    model = sl.EASE(memory_limit_gib=sl.EASE.gib_needed(9)).fit(shop(X))
    assert model.weights_.shape == (9, 9)


def test_a_penalty_too_small_for_the_precision_is_refused():
    X = np.ones((3000, 3))
    X[::2, 2] = 0  # items 0 and 1 are always together
    data = shop(X)
    with pytest.raises(ParameterError, match=r'reg=1e-05 is too small for single.*precision="double"'):
        sl.EASE(1e-5).fit(data)
    exact = sl.EASE(1e-5, precision="double").fit(data)
    np.testing.assert_allclose(exact.weights_, oracle.weights(X, 1e-5), atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"reg": 0}, {"reg": -1}, {"min_users": 0}, {"memory_limit_gib": 0}, {"precision": "half"}]
)
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        sl.EASE(**wrong)


def test_a_fit_that_is_broken_off_leaves_the_model_as_it_was(rng, monkeypatch):
    data = shop(random_choices(rng))
    model = sl.EASE(5.0).fit(data)
    before = model.weights_.copy()

    def broken_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(symmetric_inverse, "_small_inverse", broken_off)
    with pytest.raises(KeyboardInterrupt):
        model.fit(shop(random_choices(rng)))
    assert np.array_equal(model.weights_, before)
