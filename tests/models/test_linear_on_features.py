import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist import threads
from shortlist.errors import DataError, ParameterError, UnknownIdError
from shortlist.models import feature_regression, linear_on_features, rating_solvers
from shortlist.models.linear_on_features import LinearOnFeatures
from shortlist.models.mean_normalisation import centred

# The table of the lectures, with Eve, who has rated nothing; romance and action of each film.
STARS = {
    "Love at last": (5, 5, 0, 0),
    "Romance forever": (5, None, None, 0),
    "Cute puppies of love": (None, 4, 0, None),
    "Nonstop car chases": (0, 0, 5, 4),
    "Swords vs. karate": (0, 0, 5, None),
}
ROMANCE, ACTION = (0.9, 1.0, 0.99, 0.1, 0.0), (0.0, 0.01, 0.0, 1.0, 0.9)
PEOPLE = ("Alice", "Bob", "Carol", "Dave")
NEW = ("A new romance", 1.0, 0.0)


def course_table():
    rated = [
        (p, film, float(s))
        for film, stars in STARS.items()
        for p, s in zip(PEOPLE, stars, strict=True)
        if s is not None
    ]
    films = pl.DataFrame(
        [*zip(STARS, ROMANCE, ACTION, strict=True), NEW], ("item_id", "romance", "action"), orient="row"
    )
    return sl.read(
        pl.DataFrame(rated, ("user_id", "item_id", "value"), orient="row"),
        kind="ratings",
        scale=(0, 5),
        items=films,
        users=pl.DataFrame({"user_id": ["Eve"], "age": [20]}),
        features={"items": {"romance": "numeric", "action": "numeric"}, "users": {"age": "numeric"}},
    )


def tastes(seed=0, n_users=40, n_items=30):
    """Users who rate genre a high and b low, or the other way round; item 29 has no rating, only genre a."""
    rng = np.random.default_rng(seed)
    rows = [
        (int(u), int(i), float(rng.choice([5.0, 4.5] if u % 2 == i % 2 else [1.0, 1.5])))
        for u, i in np.argwhere(rng.random((n_users, n_items - 1)) < 0.5).tolist()
    ]
    items = pl.DataFrame(
        {"item_id": range(n_items), "genre": ["ab"[i % 2] for i in range(n_items - 1)] + ["a"]}
    )
    return sl.read(
        pl.DataFrame(rows, ("user_id", "item_id", "value"), orient="row"),
        kind="ratings",
        scale=(0.5, 5),
        items=items,
        features={"items": {"genre": "categorical"}},
    )


def test_eve_who_rated_nothing_is_predicted_the_mean_of_the_first_film():
    model = LinearOnFeatures(mean_shrinkage=0).fit(course_table())
    assert model.predict(["Eve"], ["Love at last"])[0] == pytest.approx(2.5, rel=1e-6)
    with pytest.raises(UnknownIdError, match="Eve"):
        model.recommend(["Eve"])


@pytest.mark.parametrize("solver", ["closed_form", "gradient"])
def test_who_likes_romance_is_predicted_to_like_a_new_one(solver):
    n_epochs = None if solver == "closed_form" else 2000
    model = LinearOnFeatures(reg=0.1, mean_shrinkage=None, solver=solver, n_epochs=n_epochs).fit(
        course_table()
    )
    alice, carol = model.predict(["Alice", "Carol"], ["A new romance"] * 2)
    assert alice > 4.5
    assert carol < 0.5
    assert "A new romance" in model.recommend(["Alice"], k=2).frame["item_id"].to_list()


def test_the_two_solvers_agree():
    data = tastes()
    exact = LinearOnFeatures(reg=1.0).fit(data)
    stepped = LinearOnFeatures(reg=1.0, solver="gradient", n_epochs=1000).fit(data)
    np.testing.assert_allclose(stepped.user_factors_, exact.user_factors_, atol=2e-4)
    np.testing.assert_allclose(stepped.user_offsets_, exact.user_offsets_, atol=2e-4)
    assert stepped.objective_history_[-1] == pytest.approx(exact.objective_history_[-1], rel=1e-5)
    assert exact.objective_history_.size == 1
    assert stepped.objective_history_.size == 1001


def test_an_item_with_features_only_is_known_and_listed_unless_ratings_are_asked_for():
    data = tastes()
    shown = LinearOnFeatures().fit(data).recommend([0], k=30).frame
    assert 29 in shown["item_id"]
    picky = LinearOnFeatures(min_ratings=1).fit(data)
    assert 29 not in picky.recommend([0], k=30).frame["item_id"]
    assert np.isfinite(picky.score([0], [29])[0])


def test_the_score_is_the_sum_of_the_models_parts():
    model = LinearOnFeatures().fit(tastes())
    users, items = [3, 3, 17], [0, 29, 8]
    expected = [
        model.user_factors_[u] @ model.item_factors_[i] + model.user_offsets_[u] + model.item_offsets_[i]
        for u, i in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(model.score(users, items), expected, rtol=1e-5)
    assert model.encoder.names == ["genre=a", "genre=b"]


def test_folding_in_the_training_ratings_gives_the_users_own_parameters():
    data = tastes()
    model = LinearOnFeatures().fit(data)
    folded = model.fold_in_users(data)
    np.testing.assert_array_equal(folded.vectors, model.user_factors_)
    np.testing.assert_array_equal(folded.offsets, model.user_offsets_)
    newcomers = sl.read(
        pl.DataFrame({"user_id": ["p", "p", "lost"], "item_id": [0, 1, 999], "value": [5.0, 1.0, 5.0]}),
        kind="ratings",
        scale=(0.5, 5),
    )
    found = model.fold_in_users(newcomers)
    assert dict(zip(found.user_ids.to_list(), found.known.tolist(), strict=True)) == {
        "lost": False,
        "p": True,
    }
    frame = model.recommend(found, k=5, on_unknown="skip").frame
    assert (frame["item_id"].is_in([*range(0, 30, 2), 29])).all()


def test_with_the_latent_features_of_a_factorisation_it_is_its_half_step():
    data = tastes()
    latent = sl.MatrixFactorization(3, reg=2.0, bias_reg=0.0, reg_exponent=0, item_bias=False, min_ratings=1)
    latent.fit(data, rng=0)
    ratings = centred(data.interactions.matrix("last"), latent.item_offsets_, np.float32)
    w, b = feature_regression.user_parameters(ratings, latent.item_factors_, 2.0)
    np.testing.assert_allclose(w, latent.user_factors_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(b, latent.user_offsets_, rtol=1e-4, atol=1e-5)
    x = feature_regression.learn_item_features(ratings, w, b, 2.0)
    expected = rating_solvers.half_step_without_bias(ratings.T.tocsr(), w, b, 2.0, np.ones(30), row="item")
    np.testing.assert_array_equal(x, expected)


def test_users_tell_the_features_of_an_item_that_has_none():
    data = tastes()
    model = LinearOnFeatures(reg=0.5, mean_shrinkage=None).fit(data)
    rated = [(u, "secret", 5.0 if u % 2 == 0 else 1.0) for u in range(20)] + [("stranger", "odd", 5.0)]
    events = sl.read(
        pl.DataFrame(
            {
                "user_id": [str(u) for u, *_ in rated],
                "item_id": [i for _, i, _ in rated],
                "value": [y for *_, y in rated],
            }
        ),
        kind="ratings",
        scale=(0.5, 5),
    )
    with_text_ids = sl.read(
        pl.DataFrame(
            {
                "user_id": [u for u, *_ in rated[:-1]],
                "item_id": [900] * 20,
                "value": [y for *_, y in rated[:-1]],
            }
        ),
        kind="ratings",
        scale=(0.5, 5),
    )
    a, b = model.learn_item_features(with_text_ids)[0]
    assert a > b + 0.5
    assert not model.learn_item_features(events).any()  # users "0", "1", … are not 0, 1, …


def test_a_start_at_the_optimum_stays_there():
    data = tastes()
    near = LinearOnFeatures(reg=1.0, solver="gradient", n_epochs=1000).fit(data)
    again = LinearOnFeatures(reg=1.0, solver="gradient", n_epochs=5).fit(data, start=near)
    assert again.objective_history_[0] == pytest.approx(near.objective_history_[-1], rel=1e-6)
    exact = LinearOnFeatures(reg=1.0).fit(data)
    np.testing.assert_array_equal(
        LinearOnFeatures(reg=1.0).fit(data, start=exact).user_factors_, exact.user_factors_
    )


def test_epochs_are_told_and_a_fit_can_be_watched():
    seen = []
    LinearOnFeatures(solver="gradient", n_epochs=3).fit(
        tastes(),
        on_epoch=lambda epoch: seen.append((epoch.number, epoch.n_epochs, epoch.model.predict([0], [0])[0])),
    )
    assert [s[:2] for s in seen] == [(1, 3), (2, 3), (3, 3)]
    assert np.isfinite([s[2] for s in seen]).all()


@pytest.mark.parametrize("solver", ["closed_form", "gradient"])
def test_the_same_bits_on_any_number_of_threads(solver):
    before, models = threads.num_threads(), []
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            models.append(LinearOnFeatures(solver=solver).fit(tastes()))
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(models[0].user_factors_, models[1].user_factors_)


def test_a_saved_model_recommends_the_same(tmp_path):
    model = LinearOnFeatures().fit(tastes())
    loaded = sl.load(model.save(tmp_path / "model"))
    assert loaded.recommend(range(40), k=5).frame.equals(model.recommend(range(40), k=5).frame)
    assert loaded.encoder.names == model.encoder.names


def test_features_too_many_to_be_dense_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(linear_on_features, "MOST_NUMBERS", 79)
    with pytest.raises(ParameterError, match="2 features × 40 rows would take"):
        LinearOnFeatures().fit(tastes())


def test_data_that_it_cannot_use_is_refused():
    rows = pl.DataFrame({"user_id": [0], "item_id": [0], "value": [1.0]})
    with pytest.raises(DataError, match="needs item features"):
        LinearOnFeatures().fit(sl.read(rows, kind="ratings", scale=(0.5, 5)))
    with pytest.raises(DataError, match="predicts ratings"):
        LinearOnFeatures().fit(sl.read(rows, kind="events"))
    titled = pl.DataFrame({"item_id": [0], "title": ["A film"]})
    worded = sl.read(
        rows, kind="ratings", scale=(0.5, 5), items=titled, features={"items": {"title": "text"}}
    )
    with pytest.raises(DataError, match=r"no item feature but text.*title"):
        LinearOnFeatures().fit(worded)
    assert LinearOnFeatures(["title"]).fit(worded).predict([0], [0])[0] == pytest.approx(1.0)


@pytest.mark.parametrize("solver", ["closed_form", "gradient"])
def test_columns_without_a_single_feature_leave_the_biases(solver):
    rows = pl.DataFrame({"user_id": [0, 0], "item_id": [0, 1], "value": [1.0, 4.0]})
    wordless = pl.DataFrame({"item_id": [0, 1], "title": ["!", None]})
    data = sl.read(
        rows, kind="ratings", scale=(0.5, 5), items=wordless, features={"items": {"title": "text"}}
    )
    model = LinearOnFeatures(["title"], mean_shrinkage=None, solver=solver).fit(data)
    np.testing.assert_allclose(model.predict([0, 0], [0, 1]), 2.5, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"reg": -1}, "reg"),
        ({"columns": "genres"}, "columns must be a list"),
        ({"mean_shrinkage": -1}, "mean_shrinkage"),
        ({"solver": "magic"}, "closed_form, gradient"),
        ({"n_epochs": 3}, "takes no n_epochs"),
        ({"learning_rate": 0.1}, "takes no learning_rate"),
        ({"solver": "gradient", "learning_rate": 0}, "above 0"),
        ({"min_ratings": -1}, "min_ratings"),
    ],
)
def test_a_wrong_parameter_is_named(params, message):
    with pytest.raises(ParameterError, match=message):
        LinearOnFeatures(**params)
