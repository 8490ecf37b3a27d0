import signal
import sys

import numpy as np
import polars as pl
import pytest
from oracles import two_tower as oracle

import shortlist as sl
from shortlist.errors import DataError, MissingExtraError, NotFittedError, ParameterError
from shortlist.models.tower_parts import Tower

SMALL = {"layers": (16, 8), "id_dim": 4, "batch_size": 16, "learning_rate": 0.01}
COUNTRIES = ("NO", "SE", None)


def small(**parameters):
    return sl.TwoTower(**SMALL | parameters)


def read(events, kind, *, n_users=12, n_items=10, features=True):
    """Return a dataset of (user, item, value); users have a country and an age, items a colour; item 9 no event."""
    users = pl.DataFrame(
        {
            "user_id": range(n_users),
            "country": [COUNTRIES[u % 3] for u in range(n_users)],
            "age": [20.0 + u for u in range(n_users)],
        }
    )
    items = pl.DataFrame(
        {"item_id": range(n_items), "colour": [("red", "blue")[i % 2] for i in range(n_items)]}
    )
    frame = pl.DataFrame(
        list(zip(*events, strict=True)), schema=["user_id", "item_id", "value"], orient="row"
    )
    given = {"users": users, "items": items} if features else {}
    kinds = {"users": {"country": "categorical", "age": "numeric"}, "items": {"colour": "categorical"}}
    scale = {"scale": (1, 5)} if kind == "ratings" else {}
    return sl.read(frame, kind=kind, **given, **scale, **({"features": kinds} if features else {}))


def world(kind="ratings", *, features=True, seed=0):
    """Return events of 11 users with 9 items: people of even age like red ones."""
    rng = np.random.default_rng(seed)
    user, item = (grid.ravel() for grid in np.meshgrid(np.arange(11), np.arange(9)))
    kept = rng.random(user.size) < 0.7
    user, item = user[kept], item[kept]
    likes = user % 2 == item % 2
    values = {"ratings": np.where(likes, 5.0, 2.0), "binary": likes * 1.0, "events": np.ones(user.size)}[kind]
    if kind == "events":
        user, item, values = user[likes], item[likes], values[likes]
    return read((user.tolist(), item.tolist(), values.tolist()), kind, features=features)


@pytest.mark.parametrize(
    ("kind", "loss"), [("ratings", "squared"), ("binary", "cross_entropy"), ("events", "softmax")]
)
def test_the_loss_goes_by_the_data(kind, loss):
    model = small(n_epochs=1).fit(world(kind), rng=0)
    assert model.loss_ == loss
    assert model.predicts_ratings is (kind == "ratings")


@pytest.mark.parametrize("kind", ["ratings", "binary", "events"])
def test_it_learns_who_likes_what(kind):
    data = world(kind)
    model = small(n_epochs=80, validation_share=0.0, temperature=0.3).fit(data, rng=0)
    user, item = (grid.ravel() for grid in np.meshgrid(np.arange(11), np.arange(9)))
    likes, score = user % 2 == item % 2, model.score(user, item)
    assert score[likes].mean() > score[~likes].mean() + 0.3
    assert model.loss_history_[-1] < 0.7 * model.loss_history_[0]


@pytest.mark.parametrize("kind", ["ratings", "events"])
def test_vectors_have_length_one_and_the_unknown_none(kind):
    model = small(n_epochs=2, user_features=False, item_features=False).fit(world(kind), rng=0)
    for vectors, known in (
        (model.user_factors_, model.known_users_),
        (model.item_factors_, model.known_items_),
    ):
        np.testing.assert_allclose(np.linalg.norm(vectors[known], axis=1), 1, rtol=1e-6)
        assert not vectors[~known].any()
    assert model.known_users_.tolist() == [True] * 11 + [False]
    assert model.known_items_.tolist() == [True] * 9 + [False]


def test_features_alone_make_known_and_listed():
    model = small(n_epochs=2).fit(world(), rng=0)
    assert model.known_users_.all()
    assert model.listed_items_.all()
    assert 9 in model.recommend(11, k=10).frame["item_id"]
    assert not model.user_numbers_[11].any()
    assert not model.item_numbers_[9].any()


def test_score_is_the_rating_that_predict_gives_and_stays_on_the_scale():
    model = small(n_epochs=5).fit(world(), rng=0)
    users, items = np.repeat(np.arange(11), 9), np.tile(np.arange(9), 11)
    score = model.score(users, items)
    np.testing.assert_array_equal(score, model.predict(users, items))
    dots = (model.user_factors_[users] * model.item_factors_[items]).sum(1)
    np.testing.assert_allclose(score, 3 + 2 * dots, rtol=1e-5)
    assert score.min() >= 1 - 1e-5
    assert score.max() <= 5 + 1e-5


def test_labels_are_predicted_as_probabilities_in_the_order_of_the_scores():
    model = small(n_epochs=5).fit(world("binary"), rng=0)
    users, items = np.repeat(np.arange(11), 9), np.tile(np.arange(9), 11)
    score, chance = model.score(users, items), model.predict(users, items)
    np.testing.assert_allclose(chance, 1 / (1 + np.exp(-score.astype(float))), rtol=1e-5)
    assert model.score_scale_ > 0


def test_vectors_are_those_of_the_equations():
    data = world()
    model = small(n_epochs=3).fit(data, rng=0)
    tower = Tower.from_flat(model.user_tower_, model.layers, model.user_numbers_)
    age = data.user_features.frame["age"].to_numpy()
    for user in (0, 2, 11):
        country = [float(COUNTRIES[user % 3] == label) for label in ("NO", "SE")]
        features = [*country, (age[user] - age.mean()) / age.std()]
        row = np.append(features, model.user_numbers_[user])
        expected = oracle.vector(row, tower.layers.weights, tower.layers.biases)
        np.testing.assert_allclose(model.user_factors_[user], expected, rtol=1e-3, atol=1e-5)


def test_a_new_user_gets_a_vector_from_features_in_one_pass():
    model = small(n_epochs=3, user_ids=False).fit(world(), rng=0)
    table = world().user_features
    folded = model.fold_in_users(features=table)
    vectors, offsets = model.user_vectors(np.arange(12, dtype=np.int32))
    np.testing.assert_array_equal(folded.vectors, vectors)
    np.testing.assert_array_equal(folded.offsets, offsets)
    assert folded.known.all()
    alone = model.fold_in_users(features=sl.FeatureTable(table.frame[3:4], table.kinds))
    np.testing.assert_array_equal(alone.vectors, vectors[3:4])


def test_a_new_user_has_zeros_for_an_id_and_one_without_features_is_unknown():
    model = small(n_epochs=3).fit(world(), rng=0)
    frame = pl.DataFrame({"id": ["new", "blank"], "country": ["NO", None], "age": [20.0, None]})
    folded = model.fold_in_users(
        features=sl.FeatureTable(frame, {"country": "categorical", "age": "numeric"})
    )
    known = dict(zip(folded.user_ids, folded.known.tolist(), strict=True))
    assert known == {"new": True, "blank": False}
    assert model.recommend(folded, k=3, on_unknown="skip").frame["user_id"].unique().to_list() == ["new"]


def test_a_missing_column_is_missing_and_one_of_another_kind_is_refused():
    model = small(n_epochs=1).fit(world(), rng=0)
    some = sl.FeatureTable(pl.DataFrame({"id": [1], "country": ["SE"]}), {"country": "categorical"})
    assert model.fold_in_users(features=some).known.all()
    wrong = sl.FeatureTable(pl.DataFrame({"id": [1], "country": [5.0]}), {"country": "numeric"})
    with pytest.raises(DataError, match="country"):
        model.fold_in_users(features=wrong)


def test_new_items_get_vectors_from_features():
    model = small(n_epochs=3, item_ids=False).fit(world(), rng=0)
    vectors = model.fold_in_items(features=world().item_features)
    np.testing.assert_array_equal(vectors.vectors, model.item_factors_)
    assert vectors.known.all()


@pytest.mark.parametrize("side", ["user", "item"])
def test_without_features_nobody_can_be_folded_in(side):
    model = small(n_epochs=1, user_features=False, item_features=False).fit(world(), rng=0)
    with pytest.raises(ParameterError, match=f"without {side} features"):
        getattr(model, f"fold_in_{side}s")(features=world().user_features)


def test_a_user_alone_gets_bit_for_bit_what_a_batch_gives():
    data = world("events")
    model = small(n_epochs=3).fit(data, rng=0)
    together = model.recommend(data.users.ids, k=5, exclude_seen=False).frame
    for user in data.users.ids:
        alone = model.recommend(user, k=5, exclude_seen=False).frame
        assert alone.rows() == together.filter(pl.col("user_id") == user).rows()


@pytest.mark.parametrize("kind", ["ratings", "binary", "events"])
def test_the_same_seed_gives_the_same_model(kind):
    first, again = (small(n_epochs=3).fit(world(kind), rng=4) for _ in range(2))
    np.testing.assert_array_equal(first.user_factors_, again.user_factors_)
    np.testing.assert_array_equal(first.loss_history_, again.loss_history_)
    other = small(n_epochs=3).fit(world(kind), rng=5)
    assert not np.array_equal(first.user_factors_, other.user_factors_)


@pytest.mark.parametrize("kind", ["ratings", "binary", "events"])
def test_it_is_saved_and_loaded(kind, tmp_path):
    data = world(kind)
    model = small(n_epochs=2).fit(data, rng=0)
    loaded = sl.load(model.save(tmp_path / "towers"))
    shown = (some.recommend(data.users.ids, k=4).frame for some in (model, loaded))
    assert next(shown).equals(next(shown))
    folded = [some.fold_in_users(features=data.user_features) for some in (model, loaded)]
    np.testing.assert_array_equal(folded[0].vectors, folded[1].vectors)
    assert loaded.recommend(folded[0], k=2).frame.height  # of the same space


def test_answers_need_no_torch(monkeypatch, tmp_path):
    data = world()
    path = small(n_epochs=1).fit(data, rng=0).save(tmp_path / "towers")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        monkeypatch.setitem(sys.modules, name, None)
    model = sl.load(path)
    assert model.recommend(0, k=2).frame.height == 2
    assert model.fold_in_users(features=data.user_features).known.all()
    assert np.isfinite(model.predict([0], [1])).all()


def test_training_without_torch_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shortlist.models.torch_extra.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"TwoTower needs PyTorch.*shortlist\[nets\]"):
        small().fit(world(), rng=0)
    with pytest.raises(MissingExtraError, match="TwoTower needs PyTorch"):
        small().fit_pairs([[1.0]], [[1.0]], [1.0])


def test_ctrl_c_in_the_middle_leaves_the_model_as_it_was():
    model = small(n_epochs=2).fit(world(), rng=0)
    before = model.to_state()

    def interrupt(epoch):
        if epoch.number == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.fit(world(seed=1), rng=1, on_epoch=interrupt)
    after = model.to_state()
    assert all(np.array_equal(after.arrays[name], array) for name, array in before.arrays.items())


def test_epochs_are_told_with_losses_and_a_model_that_answers():
    told = []

    def look(epoch):
        told.append((epoch.number, epoch.loss, epoch.validation_loss))
        assert epoch.model.recommend(0, k=1).frame.height == 1

    model = small(n_epochs=3, patience=None).fit(world(), rng=0, on_epoch=look)
    assert told == list(
        zip((1, 2, 3), model.loss_history_.tolist(), model.validation_history_.tolist(), strict=True)
    )


def test_patience_ends_the_fit_early():
    model = small(n_epochs=400, learning_rate=0.03, patience=2, validation_share=0.3).fit(world(), rng=0)
    checks = model.validation_history_
    assert checks.size < 400
    assert checks.argmin() == checks.size - 3


def test_a_start_goes_on_from_its_weights_and_places_new_ids():
    old = small(n_epochs=60, validation_share=0.0).fit(world(features=False), rng=0)
    fresh = small(n_epochs=60, refit_epochs=1, validation_share=0.0)
    again = fresh.fit(world(features=False), rng=1, start=old)
    assert again.loss_history_.size == 1
    assert again.loss_history_[0] < 0.5 * old.loss_history_[0]


@pytest.mark.parametrize(
    "other",
    [
        {"layers": (8, 8)},
        {"id_dim": 5},
        {"user_ids": False},
        {"item_features": False},
        {"loss": "cross_entropy"},
    ],
)
def test_a_start_of_another_shape_is_refused(other):
    start = small(n_epochs=1).fit(world(), rng=0)
    with pytest.raises(ParameterError, match="start"):
        small(n_epochs=1, **other).fit(world(), rng=0, start=start)


def test_a_penalty_makes_smaller_weights():
    norms = [
        np.square(small(n_epochs=20, weight_penalty=penalty).fit(world(), rng=0).user_tower_).sum()
        for penalty in (0.0, 0.3)
    ]
    assert norms[1] < 0.8 * norms[0]


def test_it_is_evaluated_on_ratings_and_lists():
    train, test = sl.split.random(world(), 0.3, rng=0)
    model = small(n_epochs=5).fit(train, rng=0)
    found = sl.evaluate(model, train, test, k=3, n_bootstrap=0)
    assert np.isfinite(found.result("rmse").value)
    assert np.isfinite(found.result("ndcg").value)


# What cannot be.


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"layers": []}, "layers must be a list"),
        ({"layers": [0]}, r"layers\[0\]"),
        ({"loss": "hinge"}, "loss='hinge' is not one of squared"),
        ({"user_features": "age"}, "user_features must be"),
        ({"user_ids": 1}, "user_ids must be True or False"),
        ({"id_dropout": 1.0}, "id_dropout must be below 1"),
        ({"validation_share": 1}, "validation_share must be below 1"),
        ({"temperature": 0}, "temperature"),
        ({"patience": 0}, "patience"),
        ({"device": 3}, "device must be"),
        ({"weight_penalty": -1}, "weight_penalty"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(parameters, said):
    with pytest.raises(ParameterError, match=said):
        sl.TwoTower(**parameters)


def test_nothing_to_enter_a_tower_is_refused():
    with pytest.raises(DataError, match="nothing enters the tower of the users: user_ids is False"):
        small(user_ids=False).fit(world(features=False), rng=0)


def test_squares_of_events_are_refused():
    with pytest.raises(DataError, match='"squared" needs values that differ'):
        small(loss="squared").fit(world("events"), rng=0)


def test_softmax_predicts_no_value():
    model = small(n_epochs=1).fit(world("events"), rng=0)
    with pytest.raises(ParameterError, match="orders items and predicts no value"):
        model.predict([0], [1])


def test_columns_of_features_that_are_not_there_are_refused():
    with pytest.raises(DataError, match="no user features"):
        small(user_features=["age"]).fit(world(features=False), rng=0)
    with pytest.raises(ParameterError, match="shoe"):
        small(user_features=["shoe"]).fit(world(), rng=0)
    with pytest.raises(ParameterError, match="hat"):
        small(encode={"hat": "hashing"}).fit(world(), rng=0)


def test_too_many_categories_are_refused_with_what_to_do():
    n = 20_001
    events = ([0, 1], [0, 1], [5.0, 1.0])
    items = pl.DataFrame({"item_id": range(n), "sku": [f"s{i}" for i in range(n)]})
    data = sl.read(
        pl.DataFrame(list(zip(*events, strict=True)), schema=["user_id", "item_id", "value"], orient="row"),
        items=items,
        features={"items": {"sku": "categorical"}},
        kind="ratings",
        scale=(1, 5),
    )
    with pytest.raises(ParameterError, match=r"20001 numbers, 20000 at most.*'sku' as .*hashing"):
        small().fit(data, rng=0)
    hashed = small(n_epochs=1, encode={"sku": {"as": "hashing", "n_buckets": 8}}).fit(data, rng=0)
    assert hashed.listed_items_.all()


def test_unknown_pairs_are_predicted_by_blank_towers():
    model = small(n_epochs=2).fit(world(), rng=0)
    found = model.predict([999, 0], [0, 999])
    assert np.isfinite(found).all()
    with pytest.raises(ParameterError, match="pairs"):
        model.predict([0], [0, 1])


def test_before_a_fit_it_says_so():
    with pytest.raises(NotFittedError):
        small().recommend(1)
