"""Weights of observed pairs: the scheme of frequencies, a function of them, fold-in with the same, and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.test_wals import dataset, random_events
from numpy.testing import assert_allclose, assert_array_equal
from oracles import pair_weights as oracle
from scipy import sparse

from shortlist.errors import ArtifactError, ParameterError
from shortlist.models.pair_weights import Weighting
from shortlist.models.wals import WALS
from shortlist.models.weighted_squares import Observed, gradient
from shortlist.registry import load

SCHEME = {"item_weight_exponent": 0.3, "user_weight_exponent": 0.5}


def damped(n_user, n_item, value):
    """Return twice the value, damped by both frequencies."""
    return 2 * value * n_item**-0.3 * n_user**-0.5


def weights_of(data, **params):
    """Return w of `data` as a fit has them, dense."""
    values = data.interactions.matrix("sum")
    n_user, n_item = np.diff(values.indptr), np.bincount(values.indices, minlength=values.shape[1])
    weighting = Weighting(
        params.get("alpha", 0.0), params["item_weight_exponent"], params["user_weight_exponent"]
    )
    return weighting.weights(values, n_user, n_item, weighting.scale(n_user, n_item, values))


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 5), st.integers(0, 5)), st.floats(0.5, 9, width=32), min_size=1, max_size=30
    ),
    st.sampled_from([0.0, 0.4, 3.0]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0.0, 0.5, 2.0]),
)
def test_weights_equal_the_definition(pairs, alpha, item_exponent, user_exponent):
    users, items = (np.array(side) for side in zip(*pairs, strict=True))
    values = sparse.csr_array((np.array(list(pairs.values()), np.float32), (users, items)), (6, 6))
    n_user, n_item = np.bincount(users, minlength=6), np.bincount(items, minlength=6)
    weighting = Weighting(alpha, item_exponent, user_exponent)
    found = weighting.weights(values, n_user, n_item, weighting.scale(n_user, n_item, values)).todok()
    expected = oracle.weights(pairs, alpha, item_exponent, user_exponent)
    assert set(found.keys()) == set(expected)
    for pair, weight in expected.items():
        assert found[pair] == pytest.approx(weight, rel=1e-5)


def test_frequency_damping_leaves_the_mean_weight_at_one():
    assert weights_of(dataset(random_events()), **SCHEME).data.mean(dtype=np.float64) == pytest.approx(1)


def test_the_fit_is_the_optimum_of_the_weighted_objective():
    """The users are solved last: the gradient by them vanishes with the oracle's weights, and not without damping."""
    data = dataset([(*row, 1.0 + n % 3) for n, row in enumerate(random_events())])
    model = WALS(6, alpha=0.5, **SCHEME).fit(data, rng=0)
    values = data.interactions.matrix("sum").astype(np.float64)
    pairs = dict(
        zip(zip(*(side.tolist() for side in values.nonzero()), strict=True), values.data, strict=True)
    )
    right = values.copy()
    right.data = np.array(list(oracle.weights(pairs, 0.5, 0.3, 0.5).values()))
    plain = values.copy()
    plain.data = 1 + 0.5 * values.data
    pulls = [
        np.abs(gradient(Observed.of(w), model.user_factors_, model.item_factors_, model.loss)).max()
        for w in (right, plain)
    ]
    assert pulls[0] < 1e-4
    assert pulls[1] > 0.1


@pytest.mark.parametrize("params", [SCHEME, {"pair_weights": damped}])
def test_folding_in_training_people_and_items_weighs_them_as_training_did(params):
    data = dataset([(*row, 1.0 + n % 3) for n, row in enumerate(random_events())])
    model = WALS(6, **params).fit(data, rng=0)
    assert_array_equal(model.fold_in_users(data).vectors, model.user_factors_)
    longer = WALS(6, n_epochs=13, **params).fit(data, rng=0)
    assert_array_equal(model.fold_in_items(data).vectors, longer.item_factors_)


def test_one_person_folded_in_alone_weighs_as_among_all():
    """Frequencies and scale are those of training, not of the events folded in."""
    rows = random_events()
    model = WALS(6, **SCHEME).fit(dataset(rows), rng=0)
    alone = model.fold_in_users(dataset([row for row in rows if row[0] == 7]))
    assert_allclose(alone.vectors[0], model.user_factors_[7], rtol=1e-5)


def test_a_function_gives_what_the_scheme_of_the_same_formula_gives():
    data = dataset(random_events())
    scheme = WALS(6, **SCHEME).fit(data, rng=0)
    same = WALS(6, pair_weights=lambda u, i, v: scheme.weight_scale_ * i**-0.3 * u**-0.5).fit(data, rng=0)
    assert_allclose(same.item_factors_, scheme.item_factors_, atol=2e-5)
    assert np.abs(WALS(6).fit(data, rng=0).item_factors_ - scheme.item_factors_).max() > 0.01


def test_a_function_sees_the_frequencies_and_the_value_of_each_pair():
    seen = []

    def watch(n_user, n_item, value):
        seen.append((n_user, n_item, value))
        return np.ones(len(value))

    rows = [("a", "x", 2.0), ("a", "x", 3.0), ("a", "y", 1.0), ("b", "x", 4.0)]
    WALS(2, pair_weights=watch).fit(dataset(rows), rng=0)
    (n_user, n_item, value) = seen[0]
    assert_array_equal(n_user, [2, 2, 1])
    assert_array_equal(n_item, [2, 1, 2])
    assert_array_equal(value, [5, 1, 4])
    assert (n_user.dtype, n_item.dtype, value.dtype) == (np.int64, np.int64, np.float32)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, 1e60])
def test_a_weight_that_is_no_weight_names_its_pair(bad):
    def weigh(n_user, n_item, value):
        return np.where(value == 3, bad, 1.0)

    data = dataset([("ann", "x", 1.0), ("bob", "y", 3.0), ("bob", "z", 1.0)])
    with pytest.raises(ParameterError, match=r"user 'bob' and item 'y' is .*finite and above 0"):
        WALS(2, pair_weights=weigh).fit(data)
    fitted = WALS(2, pair_weights=weigh).fit(dataset([("ann", "x"), ("bob", "x"), ("bob", "y")]))
    with pytest.raises(ParameterError, match=r"user 'eve' and item 'y'"):
        fitted.fold_in_users(dataset([("dan", "x", 1.0), ("eve", "y", 3.0)]))
    with pytest.raises(ParameterError, match=r"user 'ann' and item 'new'"):
        fitted.fold_in_items(dataset([("ann", "new", 3.0)]))


def test_exponents_that_leave_no_weight_are_an_error():
    rows = [(u, 0) for u in range(50)] + [(0, 1)]
    with pytest.raises(ParameterError, match=r"user 0 and item 0 is 0"):
        WALS(2, item_weight_exponent=100.0).fit(dataset(rows))


@pytest.mark.parametrize("returned", [1.0, np.ones(2), np.ones((3, 1)), ["a", "b", "c"], None])
def test_a_function_that_returns_something_else_is_told(returned):
    data = dataset([("a", "x"), ("a", "y"), ("b", "x")])
    with pytest.raises(ParameterError, match="one number for each of its 3 pairs"):
        WALS(2, pair_weights=lambda *_: returned).fit(data)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"item_weight_exponent": -0.3}, "item_weight_exponent must be a number at least 0"),
        ({"user_weight_exponent": np.nan}, "user_weight_exponent"),
        ({"pair_weights": "popularity"}, "pair_weights must be a function or None, got 'popularity'"),
        ({"pair_weights": damped, "alpha": 1.0}, "leave alpha at 0"),
        ({"pair_weights": damped, "item_weight_exponent": 0.3}, "leave item_weight_exponent at 0"),
    ],
)
def test_wrong_weight_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        WALS(**params)


def test_saved_and_loaded_it_folds_in_with_the_same_weights(tmp_path):
    data = dataset(random_events())
    model = WALS(6, **SCHEME).fit(data, rng=0)
    again = load(model.save(tmp_path / "wals"))
    assert_array_equal(again.fold_in_users(data).vectors, model.user_factors_)
    assert_array_equal(again.fold_in_items(data).vectors, model.fold_in_items(data).vectors)


def test_a_function_cannot_be_saved(tmp_path):
    model = WALS(2, pair_weights=damped).fit(dataset(random_events()))
    with pytest.raises(ArtifactError, match="function"):
        model.save(tmp_path / "wals")
    assert not (tmp_path / "wals" / "manifest.json").exists()
