"""Side features of WALS: equal to the augmented matrix cell by cell, optimal, monotone, and of use to newcomers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.test_wals import dataset, random_events
from numpy.testing import assert_allclose, assert_array_equal
from oracles.side_features import Problem
from scipy import sparse

from shortlist import threads
from shortlist.data.features import FeatureTable
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError
from shortlist.models.side_features import (
    Blocks,
    Factors,
    SideFeatures,
    alternate,
    feature_half_step,
    half_step_with_features,
)
from shortlist.models.wals import WALS
from shortlist.models.weighted_squares import Loss, Observed
from shortlist.registry import load

PARAMS = st.fixed_dictionaries(
    {
        "w0": st.sampled_from([0.0, 0.3]),
        "form": st.sampled_from(["all", "complement"]),
        "reg": st.sampled_from([0.1, 1.0]),
        "exponent": st.sampled_from([0.0, 0.5, 1.0]),
        "feature_weight": st.sampled_from([0.5, 2.0]),
    }
)
DEFAULT = {"w0": 0.3, "form": "all", "reg": 0.1, "exponent": 1.0, "feature_weight": 0.5}


def problem(rng, n_users=5, n_items=4, n_f=3, n_g=2, **params):
    """Random pairs and features; user 1 has features only, user 2 pairs only, user 3 and item 2 neither."""
    weight = rng.uniform(0.3, 4.0, (n_users, n_items)) * (rng.random((n_users, n_items)) < 0.6)
    weight[0, 0] = 1.0
    weight[1], weight[3], weight[:, 2] = 0, 0, 0
    f = rng.normal(size=(n_users, n_f)) * (rng.random((n_users, n_f)) < 0.7)
    g = np.ones((n_items, n_g)) * (rng.random((n_items, n_g)) < 0.7)
    f[1, 0] = 1.0
    f[2], f[3], g[2] = 0, 0, 0
    target = rng.uniform(0.5, 2.0, (n_users, n_items))
    return Problem(weight, target, f, g, **{**DEFAULT, **params})


def blocks_of(p):
    """Return the same problem as the code under test has it, in float64."""
    weights = sparse.csr_array(p.weight)
    solved_users = sum(p.has_part(user=u) for u in range(len(p.weight)))
    solved_items = sum(p.has_part(item=i) for i in range(p.weight.shape[1]))
    by_user = Observed.of(weights, p.target[p.weight > 0])
    sides = [SideFeatures(sparse.csr_array(matrix), p.feature_weight) for matrix in (p.f, p.g)]
    return Blocks(
        replace(by_user, n_columns=solved_items),
        replace(by_user.transposed(), n_columns=solved_users),
        *sides,
    )


def loss_of(p):
    return Loss(p.w0, p.form, p.reg, p.exponent)


def random_factors(rng, p, d):
    """Return random vectors, zero for what has no part."""
    users, items = (rng.normal(size=(n, d)) for n in p.weight.shape)
    users[[not p.has_part(user=u) for u in range(len(users))]] = 0
    items[[not p.has_part(item=i) for i in range(len(items))]] = 0
    return Factors(users, items, *(rng.normal(size=(matrix.shape[1], d)) for matrix in (p.f, p.g)))


def rows_and_columns(factors):
    return np.vstack([factors.users, factors.item_features]), np.vstack(
        [factors.items, factors.user_features]
    )


def exact_rows(p, factors):
    """Return what the oracle solves for all rows of the augmented matrix."""
    _, columns = rows_and_columns(factors)
    return np.array(
        [
            p.solve_row(row, columns)
            if row >= len(p.weight) or p.has_part(user=row)
            else np.zeros(columns.shape[1])
            for row in range(p.shape[0])
        ]
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), d=st.integers(1, 6), params=PARAMS)
def test_rows_of_the_augmented_matrix_are_solved_as_written_out(seed, d, params):
    rng = np.random.default_rng(seed)
    p = problem(rng, **params)
    blocks, factors, loss = blocks_of(p), random_factors(rng, p, d), loss_of(p)
    expected = exact_rows(p, factors)
    users = half_step_with_features(
        blocks.by_user, factors.items, loss, blocks.of_users, factors.user_features, row="user"
    )
    assert_allclose(users, expected[: len(users)], rtol=1e-6, atol=1e-8)
    if p.g.any():
        features = feature_half_step(blocks.of_items, factors.items, loss, feature="item")
        assert_allclose(features, expected[len(users) :], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("form", ["all", "complement"])
def test_columns_are_the_mirror_of_rows(rng, form):
    """The transposed problem has items for users; its rows are this one's columns."""
    p = problem(rng, form=form)
    turned = Problem(p.weight.T, p.target.T, p.g, p.f, p.w0, p.form, p.reg, p.exponent, p.feature_weight)
    factors, blocks = random_factors(rng, p, 3), blocks_of(p)
    turned_factors = Factors(factors.items, factors.users, factors.item_features, factors.user_features)
    expected = exact_rows(turned, turned_factors)
    items = half_step_with_features(
        blocks.by_item, factors.users, loss_of(p), blocks.of_items, factors.item_features, row="item"
    )
    assert_allclose(items, expected[: len(items)], rtol=1e-6)
    features = feature_half_step(blocks.of_users, factors.users, loss_of(p), feature="user")
    assert_allclose(features, expected[len(items) :], rtol=1e-6)


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_the_gradient_of_the_written_out_objective_vanishes(rng, side):
    p = problem(rng)
    factors, step = random_factors(rng, p, 3), 1e-5
    for _ in range(2):  # ends with the rows solved
        alternate(blocks_of(p), factors, loss_of(p))
    if side == "columns":
        blocks, loss = blocks_of(p), loss_of(p)
        factors.items = half_step_with_features(
            blocks.by_item, factors.users, loss, blocks.of_items, factors.item_features, row="item"
        )
        factors.user_features = feature_half_step(blocks.of_users, factors.users, loss, feature="user")
    both = list(rows_and_columns(factors))
    solved = 0 if side == "rows" else 1

    def slope(at, which):
        moved = [[part.copy() for part in both] for _ in range(2)]
        moved[0][which][at] += step
        moved[1][which][at] -= step
        return (p.objective(*moved[0]) - p.objective(*moved[1])) / (2 * step)

    slopes = [slope(at, solved) for at in np.ndindex(*both[solved].shape)]
    others = [slope(at, 1 - solved) for at in np.ndindex(*both[1 - solved].shape)]
    assert np.abs(slopes).max() < 1e-7
    assert np.abs(others).max() > 1e-3  # the other side is not solved for these


@pytest.mark.parametrize("form", ["all", "complement"])
@pytest.mark.parametrize("cg_steps", [None, 1, 3])
def test_no_epoch_raises_the_objective(rng, form, cg_steps):
    p = problem(rng, 12, 10, 4, 3, form=form)
    factors, blocks, values = random_factors(rng, p, 4), blocks_of(p), []
    for _ in range(8):
        values.append(p.objective(*rows_and_columns(factors)))
        alternate(blocks, factors, loss_of(p), cg_steps)
    assert (np.diff(values) <= 1e-9 * values[0]).all()
    assert values[-1] < 0.5 * values[0]


def test_conjugate_gradients_end_at_the_exact_solution(rng):
    p = problem(rng, 12, 10, 4, 3)
    blocks, factors = blocks_of(p), random_factors(rng, p, 4)
    arguments = blocks.by_user, factors.items, loss_of(p), blocks.of_users, factors.user_features
    exact = half_step_with_features(*arguments, row="user")
    descended = half_step_with_features(*arguments, row="user", start=factors.users, cg_steps=25)
    assert_allclose(descended, exact, atol=1e-9)


def test_the_last_block_is_not_counted(rng):
    """Vectors of user features and of item features never meet: J and both half-steps know no product of them."""
    p = problem(rng)
    counted = Problem(p.weight, p.target, p.f, p.g, **{name: getattr(p, name) for name in DEFAULT})
    n_users, n_items = p.weight.shape
    plain = counted.cell

    def with_zeros(row, column):
        return ([(p.w0, 0.0)], 0.0) if row >= n_users and column >= n_items else plain(row, column)

    counted.cell = with_zeros
    factors, blocks, loss = random_factors(rng, p, 3), blocks_of(p), loss_of(p)
    rows = factors.users, feature_half_step(blocks.of_items, factors.items, loss, feature="item")
    expected, wrong = (exact_rows(one, factors)[n_users:] for one in (p, counted))
    assert_allclose(rows[1], expected, rtol=1e-6)
    assert np.abs(expected - wrong).max() > 0.01


# On data sets.


COUNTRIES = {u: ["NO", "SE", "DK"][u % 3] for u in range(60)}
GENRES = {i: ["even", "odd"][i % 2] for i in range(40)}


def table(values, column, ids=None):
    """Return a feature table of one categorical column."""
    ids = list(values) if ids is None else ids
    frame = pl.DataFrame(
        {"id": ids, column: [values.get(i) for i in ids]}, schema_overrides={column: pl.String}
    )
    return FeatureTable(frame, {column: "categorical"})


def described(rows=None, countries=COUNTRIES, genres=GENRES):
    """Return events with a country for each user and a genre for each item, also for some without an event."""
    events = dataset(rows or random_events(), countries, genres)
    return replace(
        events,
        user_features=table(countries, "country").align(events.users),
        item_features=table(genres, "genre").align(events.items),
    )


def board(n=40):
    """User u has an item when both are even or both odd; the even users are from NO, and half the items are even."""
    rows = [(u, i) for u in range(n) for i in range(u % 2, n, 2) if i != u]
    return (
        rows,
        {u: ["NO", "SE"][u % 2] for u in range(n + 4)},
        {i: ["even", "odd"][i % 2] for i in range(n + 4)},
    )


BOTH = {"user_features": True, "item_features": ["genre"]}


@pytest.mark.parametrize(
    "params", [{}, {"unobserved": "complement", "feature_weight": 3.0}, {"reg_exponent": 0.0}]
)
def test_folding_in_training_people_with_their_features_gives_their_vectors(params):
    data = described()
    model = WALS(6, **BOTH, **params).fit(data, rng=0)
    assert_array_equal(model.fold_in_users(data).vectors, model.user_factors_)
    events = replace(data, user_features=None)
    assert_array_equal(model.fold_in_users(events, features=data.user_features).vectors, model.user_factors_)
    assert np.abs(model.fold_in_users(events).vectors - model.user_factors_).max() > 1e-3
    longer = WALS(6, n_epochs=13, **BOTH, **params).fit(data, rng=0)
    assert_allclose(model.fold_in_items(data).vectors, longer.item_factors_, atol=1e-6)


def test_features_alone_make_users_and_items_known():
    model = WALS(6, **BOTH).fit(described(), rng=0)
    assert model.known_users_.size == 60
    assert model.known_users_.all()
    assert model.known_items_.all()
    assert (model.user_counts_ == 0).sum() == 10
    assert np.abs(model.user_factors_).min(axis=1).max() > 0
    assert model.recommend([59], k=5).frame.height == 5


def test_what_has_neither_event_nor_feature_stays_unknown():
    data = described(countries={**COUNTRIES, 58: None, 59: None}, genres={**GENRES, 39: None})
    model = WALS(6, **BOTH).fit(data, rng=0)
    assert_array_equal(np.flatnonzero(~model.known_users_), [58, 59])
    assert_array_equal(np.flatnonzero(~model.known_items_), [39])
    assert not model.user_factors_[58:].any()


def test_people_who_are_not_described_are_fitted_as_without_features():
    """A feature that nobody has pulls nobody: with one described user, the others' half-step sees V alone."""
    data = described(countries={**dict.fromkeys(range(60)), 3: "NO"})
    model = WALS(6, user_features=True).fit(data, rng=0)
    plain = WALS(6, user_features=True).fit(data, rng=0)
    plain.user_feature_factors_ = plain.user_feature_factors_ * 7
    again = plain.fold_in_users(data).vectors
    assert_array_equal(np.delete(again, 3, axis=0), np.delete(model.user_factors_, 3, axis=0))
    assert np.abs(again[3] - model.user_factors_[3]).max() > 1e-3


def test_a_new_person_with_a_country_and_no_events_likes_what_that_country_likes():
    model = WALS(4, user_features=True, unobserved_weight=0.05).fit(described(*board()), rng=0)
    folded = model.fold_in_users(
        features=table({"ola": "NO", "eva": "SE", "zoe": "FR", "tom": None}, "country")
    )
    assert folded.user_ids.to_list() == ["eva", "ola", "tom", "zoe"]
    assert_array_equal(folded.known, [True, True, False, False])
    frame = model.recommend(folded.take(np.array([0, 1])), k=15).frame
    assert set(frame.filter(pl.col("user_id") == "ola")["item_id"] % 2) == {0}
    assert set(frame.filter(pl.col("user_id") == "eva")["item_id"] % 2) == {1}


def test_a_new_item_with_a_genre_and_no_events_is_liked_by_those_who_like_it():
    model = WALS(4, item_features=True, unobserved_weight=0.05).fit(described(*board()), rng=0)
    folded = model.fold_in_items(features=table({"new even": "even", "new odd": "odd"}, "genre"))
    assert folded.known.all()
    scores = model.user_factors_[:40] @ folded.vectors.T
    assert (scores[::2, 0] > scores[::2, 1] + 0.01).all()
    assert (scores[1::2, 1] > scores[1::2, 0] + 0.01).all()


def test_training_people_without_events_get_what_folding_in_gives_them():
    data = described(*board())
    model = WALS(4, user_features=True).fit(data, rng=0)
    folded = model.fold_in_users(features=table({"x": "NO"}, "country"))
    assert_allclose(folded.vectors[0], model.user_factors_[42], rtol=1e-4)


def test_events_and_features_of_different_people_are_joined():
    model = WALS(6, **BOTH).fit(described(), rng=0)
    events = dataset([(100, 3), (100, 7), (101, 3)])
    folded = model.fold_in_users(events, features=table({101: "NO", 102: "SE"}, "country"))
    assert folded.user_ids.to_list() == [100, 101, 102]
    assert folded.known.all()
    assert_allclose(folded.vectors[0], model.fold_in_users(events).vectors[0], rtol=1e-5)
    assert np.abs(folded.vectors[1] - model.fold_in_users(events).vectors[1]).max() > 1e-3
    shown = model.recommend(folded, k=3).frame
    assert not set(shown.filter(pl.col("user_id") == 100)["item_id"]) & {3, 7}
    items = model.fold_in_items(dataset([(1, 200)]), features=table({201: "odd"}, "genre"))
    assert items.item_ids.to_list() == [200, 201]
    assert items.known.all()


def test_features_help_where_events_are_few():
    """Of each user of the board all but two likes are withheld: with countries the withheld ones come first."""
    rows, countries, genres = board()
    rng = np.random.default_rng(0)
    few = [
        rows[n]
        for u in range(40)
        for n in rng.choice([n for n, row in enumerate(rows) if row[0] == u], 2, False)
    ]
    data = described(few, countries, genres)
    right = {}
    for features in (True, False):
        model = WALS(4, user_features=features, item_features=features).fit(data, rng=0)
        frame = model.recommend(range(40), k=5).frame
        right[features] = ((frame["user_id"] - frame["item_id"]) % 2 == 0).mean()
    assert right[True] > max(0.95, right[False] + 0.05)


@pytest.mark.parametrize("solver", ["exact", "cg"])
def test_threads_do_not_matter(solver):
    before, models = threads.num_threads(), []
    try:
        for n in (1, 4):
            threads.set_num_threads(n)
            models.append(WALS(6, solver=solver, **BOTH).fit(described(), rng=5))
    finally:
        threads.set_num_threads(before)
    for name in ("user_factors_", "item_factors_", "user_feature_factors_", "item_feature_factors_"):
        assert_array_equal(getattr(models[0], name), getattr(models[1], name))


def test_conjugate_gradients_come_to_the_same_model():
    exact, cg = (
        WALS(3, n_epochs=300, solver=solver, reg=0.1, **BOTH).fit(described(), rng=0)
        for solver in ("exact", "cg")
    )
    scores = [model.user_factors_ @ model.item_factors_.T for model in (exact, cg)]
    assert_allclose(scores[0], scores[1], atol=2e-3)


def test_a_fit_from_an_optimum_on_unchanged_data_stays():
    at_end = WALS(3, n_epochs=500, reg=0.1, **BOTH).fit(described(), rng=0)
    again = at_end.clone().fit(described(), start=at_end)
    for name in ("user_factors_", "item_factors_", "user_feature_factors_", "item_feature_factors_"):
        assert_allclose(getattr(again, name), getattr(at_end, name), atol=3e-4)


def test_saved_and_loaded_it_folds_in_the_same(tmp_path):
    model = WALS(6, **BOTH).fit(described(), rng=0)
    again = load(model.save(tmp_path / "wals"))
    assert again.params() == model.params()
    newcomers = table({100: "NO", 101: "DK"}, "country")
    assert_array_equal(
        again.fold_in_users(features=newcomers).vectors, model.fold_in_users(features=newcomers).vectors
    )
    assert again.recommend([59], k=9).frame.equals(model.recommend([59], k=9).frame)


def test_free_text_is_encoded_where_it_is_named_only():
    data = described()
    titles = FeatureTable(
        data.item_features.frame.with_columns(title=pl.lit("some words")),
        {"genre": "categorical", "title": "text"},
    )
    data = replace(data, item_features=titles)
    sizes = [
        len(WALS(2, item_features=chosen, n_epochs=1).fit(data).item_feature_factors_)
        for chosen in (True, ["genre", "title"])
    ]
    assert sizes == [2, 4]


@pytest.mark.parametrize("value", [None, "country", [], [3], 1.5])
def test_columns_must_be_named(value):
    with pytest.raises(ParameterError, match="user_features must be"):
        WALS(user_features=value)


def test_what_cannot_be_used_is_told():
    plain = dataset(random_events())
    with pytest.raises(DataError, match="no user features: leave user_features out"):
        WALS(user_features=True).fit(plain)
    with pytest.raises(ParameterError, match="no feature 'planet'"):
        WALS(user_features=["planet"]).fit(described())
    with pytest.raises(DataError, match="nothing to encode"):
        WALS(user_features=True).fit(described(countries=dict.fromkeys(range(60))))
    model = WALS(2).fit(plain)
    with pytest.raises(ParameterError, match="fitted without user_features"):
        model.fold_in_users(features=table({1: "NO"}, "country"))
    with pytest.raises(ParameterError, match="fitted without item_features"):
        model.fold_in_items(features=table({1: "even"}, "genre"))
    with pytest.raises(ParameterError, match="no users to fold in"):
        model.fold_in_users()
    described_model = WALS(2, **BOTH).fit(described())
    with pytest.raises(DataError, match="no column 'country'"):
        described_model.fold_in_users(features=table({1: "NO"}, "land"))
    with pytest.raises(DataError, match="integers in one place"):
        described_model.fold_in_users(plain, features=table({"ola": "NO"}, "country"))


def test_no_penalty_and_too_few_described_is_an_error():
    with pytest.raises(ParameterError, match=r"user features have no unique solution.*reg"):
        WALS(6, reg=0.0, user_features=True).fit(described(countries={3: "NO", 4: "SE"}))


def test_vocabulary_of_the_test_data():
    """The tests above rely on it: ids 50 to 59 and 30 to 39 have features and no events."""
    data = described()
    assert Vocabulary.of(range(60)).ids.to_list() == data.users.ids.to_list()
    assert data.interactions.user_idx.max() < 50
    assert data.interactions.item_idx.max() < 30
