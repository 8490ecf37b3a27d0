import numpy as np
import polars as pl
import pytest
from models.test_sparse_ridge import by_definition
from numpy.testing import assert_allclose, assert_array_equal

import shortlist as sl
from shortlist import config
from shortlist.errors import DataError, ParameterError
from shortlist.models.feature_mapping import FeatureMapping

GENRES = [f"g{n}" for n in range(4)]


def world(n_users=40, n_items=30, seed=0, *, country=False, kind="ratings"):
    """Return data in which a user likes the items of two genres; every fifth item and user has no event."""
    rng = np.random.default_rng(seed)
    genre, taste = rng.integers(0, 4, n_items), rng.integers(0, 4, n_users)
    rows = [
        (u, i, 5 if (genre[i] - taste[u]) % 4 < 2 else 1)
        for u in range(n_users)
        for i in range(n_items)
        if u % 5 and i % 5 and rng.random() < 0.6
    ]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row")
    items = pl.DataFrame(
        {
            "item_id": range(n_items),
            "genres": [GENRES[g] for g in genre],
            "year": rng.normal(2000, 9, n_items),
        }
    )
    users = pl.DataFrame({"user_id": range(n_users), "country": [f"c{t}" for t in taste]})
    features = {"items": {"genres": "categorical", "year": "numeric"}}
    if country:
        features["users"] = {"country": "categorical"}
    rated = {"kind": kind, "scale": (1, 5)} if kind == "ratings" else {"kind": kind}
    data = sl.read(frame, items=items, users=users if country else None, features=features, **rated)
    return data, genre, taste


@pytest.fixture(scope="module")
def films():
    return world()


@pytest.fixture(scope="module")
def fitted(films):
    return FeatureMapping({"taste": sl.WALS(dim=4)}).fit(films[0], rng=0)


def test_items_without_events_stand_where_the_regression_puts_them(films, fitted):
    data, wals = films[0], fitted.model_
    rows = sl.FeatureEncoder.fit(data.item_features).transform(data.item_features).toarray()
    have = np.bincount(data.interactions.item_idx, minlength=len(data.items)) > 0
    weights, constant = by_definition(rows[have], wals.item_factors_[have].astype(np.float64), 3.0)
    assert_allclose(fitted.item_factors_[~have], (rows @ weights + constant)[~have], atol=1e-5)
    assert_array_equal(fitted.mapped_items_, ~have)


def test_what_has_events_keeps_its_vector(films, fitted):
    data, wals = films[0], fitted.model_
    have = np.bincount(data.interactions.item_idx, minlength=len(data.items)) > 0
    assert_array_equal(fitted.item_factors_[have], wals.item_factors_[have])
    users = data.interactions.user_idx[:50]
    items = data.interactions.item_idx[:50]
    ids = data.users.ids_of(users), data.items.ids_of(items)
    assert_array_equal(fitted.score(*ids), wals.score(*ids))


def test_new_items_of_the_liked_genres_are_listed_before_the_others(films, fitted):
    _, genre, taste = films
    new = [i for i in range(30) if i % 5 == 0]
    hits = [(genre[i] - taste[u]) % 4 < 2 for u, i in shown_first(fitted, new)]
    assert np.mean(hits) > 0.9
    assert np.mean([(genre[i] - taste[u]) % 4 < 2 for u in range(40) for i in new]) < 0.6


def shown_first(model, items):
    users = [u for u in range(40) if u % 5]
    return model.recommend(users, 1, items=items).frame.select("user_id", "item_id").rows()


def test_an_item_outside_the_catalogue_gets_what_its_twin_in_it_has(films, fitted):
    data = films[0]
    rows = data.item_features.frame[[0, 5]]
    table = sl.FeatureTable(rows.with_columns(pl.Series("id", [900, 901])), data.item_features.kinds)
    found = fitted.map_items(table)
    assert_allclose(found.vectors, fitted.item_factors_[[0, 5]], atol=1e-6)
    assert found.known.all()
    assert_array_equal(found.offsets, 0)


def test_a_boost_moves_new_items_up_and_keeps_their_order(films, fitted):
    data = films[0]
    boosted = FeatureMapping({"taste": fitted.model_}, boost=4.0).fit(data, rng=0)
    cold = fitted.mapped_items_
    assert_allclose(boosted.item_factors_[cold], 4 * fitted.item_factors_[cold], rtol=1e-6)
    assert_array_equal(boosted.item_factors_[~cold], fitted.item_factors_[~cold])
    new = [0, 5, 10, 15]
    order = [model.recommend([1], 4, items=new).frame["item_id"].to_list() for model in (fitted, boosted)]
    assert order[0] == order[1]
    places = [
        sum(item % 5 == 0 for item in model.recommend([1, 2, 3], 5).frame["item_id"])
        for model in (fitted, boosted)
    ]
    assert places[1] > places[0]


def test_an_item_without_any_feature_is_unknown(fitted, films):
    empty = pl.DataFrame(
        {"id": [900], "genres": [None], "year": [None]},
        schema={"id": pl.Int64, "genres": pl.String, "year": pl.Float64},
    )
    found = fitted.map_items(sl.FeatureTable(empty, films[0].item_features.kinds))
    assert not found.known.any()
    assert_array_equal(found.vectors, 0)


def test_users_by_their_features_like_what_their_group_likes():
    data, genre, taste = world(country=True)
    model = FeatureMapping({"taste": sl.WALS(dim=4)}, user_columns=None, user_reg=0.1).fit(data, rng=0)
    new = [u for u in range(40) if u % 5 == 0]
    assert model.mapped_users_[new].all()
    shown = model.recommend(new, 3).frame
    hits = [(genre[i] - taste[u]) % 4 < 2 for u, i in shown.select("user_id", "item_id").rows()]
    assert np.mean(hits) > 0.9
    table = sl.FeatureTable(
        pl.DataFrame({"id": [7000], "country": [f"c{taste[0]}"]}), {"country": "categorical"}
    )
    folded = model.fold_in_users(features=table)
    assert_allclose(folded.vectors[0], model.user_factors_[0], atol=1e-6)


def test_people_with_events_are_folded_in_by_the_model():
    data, _, _ = world(country=True)
    model = FeatureMapping({"taste": sl.WALS(dim=4)}, user_columns=None).fit(data, rng=0)
    log = data.interactions
    one = data.with_interactions(log.where(log.user_idx == 1))
    folded = model.fold_in_users(one)
    assert_allclose(folded.vectors[1], model.user_factors_[1], atol=1e-4)
    # Of the others there are features, and no events.
    assert folded.known.all()
    assert_allclose(folded.vectors[5], model.user_factors_[5], atol=1e-6)


@pytest.mark.parametrize("inner", [sl.BPR(dim=4, n_epochs=5), sl.MatrixFactorization(4, min_ratings=1)])
def test_other_models_with_vectors_are_mapped_with_their_offsets(films, inner):
    data = films[0]
    model = FeatureMapping({"m": inner}).fit(data, rng=0)
    new = [0, 5, 10]
    assert model.item_offsets_[new].any()
    assert {5, 10} <= set(model.recommend([1], 30).frame["item_id"])


def test_a_fitted_model_is_used_as_it_is(films):
    wals = sl.WALS(dim=3).fit(films[0], rng=5)
    assert FeatureMapping({"taste": wals}).fit(films[0], rng=0).model_ is wals


@pytest.mark.parametrize("inner", [sl.Popularity(), sl.EASE(), sl.PureSVD(dim=2)])
def test_models_without_kept_vectors_are_refused(films, inner):
    with pytest.raises(ParameterError, match="WALS, BPR or MatrixFactorization"):
        FeatureMapping({"m": inner}).fit(films[0])


def test_data_without_features_is_refused(films):
    bare = sl.read(pl.DataFrame({"user_id": [1], "item_id": [1]}), kind="events")
    with pytest.raises(DataError, match="needs item features"):
        FeatureMapping({"taste": sl.WALS(dim=2)}).fit(bare)
    with pytest.raises(DataError, match="needs user features"):
        FeatureMapping({"taste": sl.WALS(dim=2)}, columns=[], user_columns=None).fit(films[0])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"models": {}}, "takes one model by its name"),
        ({"models": {"a": sl.WALS(), "b": sl.WALS()}}, "takes one model by its name"),
        ({"models": sl.WALS()}, "takes one model by its name"),
        ({"models": {"a": 3}}, "must be a model"),
        ({"models": {"a": sl.WALS()}, "columns": "genres"}, "columns must be a list"),
        ({"models": {"a": sl.WALS()}, "columns": [], "user_columns": []}, "both empty"),
        ({"models": {"a": sl.WALS()}, "reg": 0}, "reg must be a number above 0"),
    ],
)
def test_wrong_parameters_are_refused(given, words):
    with pytest.raises(ParameterError, match=words):
        FeatureMapping(**given)


def test_what_is_not_mapped_says_so(films, fitted):
    with pytest.raises(ParameterError, match="without user_columns"):
        fitted.fold_in_users(features=films[0].item_features)
    data, _, _ = world(country=True)
    users_only = FeatureMapping({"taste": sl.WALS(dim=2)}, columns=[], user_columns=None).fit(data, rng=0)
    with pytest.raises(ParameterError, match="maps no items"):
        users_only.map_items(data.item_features)
    assert not users_only.mapped_items_.any()


def test_a_configuration_names_it_and_its_model(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(
        '[data]\ndataset = "movielens_small"\n[split]\nkind = "hide"\nusers = 0\nitems = 0.3\n'
        '[models.taste]\ntype = "WALS"\ndim = 4\n'
        '[models.cold]\ntype = "FeatureMapping"\nmodels = ["taste"]\ncolumns = ["genres", "title"]\nreg = 10.0\n'
        'encode = { title = { as = "svd", dim = 3 } }\n'
    )
    model = config.read(file).recommender
    assert isinstance(model, FeatureMapping)
    assert model.models["taste"].dim == 4
    assert (model.columns, model.reg) == (["genres", "title"], 10.0)
    assert model.encode == {"title": {"as": "svd", "dim": 3}}
