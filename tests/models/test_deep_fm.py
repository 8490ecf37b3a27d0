"""DeepFM: its score against loops, one user against many, cold ones, context, and fits that go wrong."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from oracles import deep_fm as oracle

import shortlist as sl
from shortlist.errors import DataError, MissingExtraError, NonFiniteError, ParameterError
from shortlist.models.deep_fm_fold_in import IdPrior, PersonLoss, own_side

COUNTRIES = ("NO", "SE", None)
SMALL = {"dim": 3, "layers": (5, 4), "n_epochs": 2, "batch_size": 32}


def world(kind="ratings", seed=0, m=240, n_users=14, n_items=11):
    """Return events of people with a country and an age, of films with genres, and a device in each event."""
    rng = np.random.default_rng(seed)
    values = {
        "ratings": rng.integers(1, 6, m),
        "binary": rng.integers(0, 2, m),
        "events": rng.integers(0, 3, m),
    }
    events = pl.DataFrame(
        {
            "user_id": rng.integers(0, n_users, m),
            "item_id": rng.integers(0, n_items, m),
            "value": values[kind].astype(float),
            "device": rng.choice(["phone", "desk"], m),
            "hour": rng.integers(0, 24, m).astype(float),
        }
    )
    more = n_users + 3
    users = pl.DataFrame(
        {
            "user_id": range(more),
            "country": [COUNTRIES[n % 3] for n in range(more)],
            "age": [20.0 + n for n in range(more)],
        }
    )
    genres = ["a|b", "b", "c|a", "c"]
    items = pl.DataFrame(
        {"item_id": range(n_items + 2), "genres": [genres[n % 4] for n in range(n_items + 2)]}
    )
    return sl.read(
        events,
        users=users,
        items=items,
        context=["device", "hour"],
        features={
            "items": {"genres": {"kind": "tags", "separator": "|"}},
            "users": {"country": "categorical", "age": "numeric"},
        },
        kind=kind,
        **({"scale": (1, 5)} if kind == "ratings" else {}),
    )


def fitted(data=None, **parameters):
    return sl.DeepFM(**{**SMALL, **parameters}).fit(data or world(), rng=0)


def parts_of(model):
    """Return bias, w, v, fields, layers and output of a fitted model, in the words of the oracle."""
    fields = [(field.start, field.stop) for field in model.encoder.fields]
    layers, at, n_in = [], 0, len(fields) * model.dim
    for n_out in model.layers:
        weights = model.deep_[at : at + n_in * n_out].reshape(n_in, n_out)
        at += n_in * n_out
        layers.append((weights, model.deep_[at : at + n_out]))
        at, n_in = at + n_out, n_out
    return (
        model.bias_,
        model.weights_,
        model.embeddings_,
        fields,
        layers,
        model.deep_[at:] if layers else None,
    )


def encoded(model, data):
    """Return the dense row of columns of each event."""
    log, encoder = data.interactions, model.encoder
    users = encoder.user_rows(data.users, data.user_features).toarray()
    items = encoder.item_rows(data.items, data.item_features).toarray()
    return users[log.user_idx] + items[log.item_idx] + encoder.context_rows(log.context, len(log)).toarray()


@pytest.mark.parametrize("layers", [(), (5,), (5, 4), (3, 6, 2)])
def test_the_score_is_that_of_loops(layers):
    data = world()
    model = fitted(data, layers=layers, context=None)
    assert model.context_columns == ("device", "hour")
    expected = [oracle.score(row, *parts_of(model)) for row in encoded(model, data)[:40].astype(np.float64)]
    found = model.predict_events(data)[:40]
    np.testing.assert_allclose(found, np.clip(expected, 1, 5), rtol=1e-4)
    assert np.ptp(expected) > 0.05


def test_without_layers_it_is_a_factorisation_machine():
    data = world()
    model = fitted(data, layers=())
    bias, w, v, *_ = parts_of(model)
    expected = [
        bias + row @ w + oracle.interactions(row, v) for row in encoded(model, data)[:20].astype(np.float64)
    ]
    np.testing.assert_allclose(model.predict_events(data)[:20], expected, rtol=1e-4)
    assert model.deep_.size == 0


def test_an_embedding_is_shared_by_both_parts():
    data = world()
    model = fitted(data)
    wide = fitted(data, layers=())
    wide.embeddings_, wide.weights_, wide.bias_ = model.embeddings_, model.weights_, model.bias_
    rows = encoded(model, data)[:1].astype(np.float64)
    column = int(np.flatnonzero(rows[0])[0])
    bias, w, v, fields, layers, output = parts_of(model)
    moved = v.copy()
    moved[column] += 0.5
    both = [oracle.score(rows[0], bias, w, of, fields, layers, output) for of in (v, moved)]
    machine = [oracle.score(rows[0], bias, w, of, fields, [], None) for of in (v, moved)]
    deep = np.subtract(both, machine)
    assert machine[0] != machine[1]
    assert deep[0] != deep[1]
    # The model moves as the oracle does, so that its two parts do read one table.
    model.embeddings_ = moved.astype(np.float32)
    model.__dict__.pop("_net", None)
    assert model.predict_events(data)[0] == pytest.approx(np.clip(both[1], 1, 5), rel=1e-4)


@pytest.mark.parametrize("kind", ["ratings", "binary", "events"])
def test_scores_of_lists_pairs_and_single_users_are_the_same_bits(kind):
    data = world(kind)
    model = fitted(data, context=None)
    frame = model.recommend(data.users.ids, 20, exclude_seen=False).frame
    assert np.array_equal(model.score(frame["user_id"], frame["item_id"]), frame["score"].to_numpy())
    one = model.recommend(3, 20, exclude_seen=False).frame
    assert one.equals(frame.filter(pl.col("user_id") == 3))
    assert frame["item_id"].n_unique() == len(data.items)


@pytest.mark.parametrize("kind", ["binary", "events"])
def test_predictions_are_probabilities_unless_the_values_are_ratings(kind):
    data = world(kind)
    model = fitted(data)
    assert sl.DeepFM().predicts_ratings  # it may: only the data tells
    assert not model.predicts_ratings
    scores = model.score([1, 2], [3, 4]).astype(np.float64)
    np.testing.assert_allclose(model.predict([1, 2], [3, 4]), 1 / (1 + np.exp(-scores)), rtol=1e-6)
    ratings = fitted()
    assert ratings.predicts_ratings
    np.testing.assert_array_equal(ratings.predict([1], [2], clip=False), ratings.score([1], [2]))


def test_the_context_of_a_request_is_that_of_an_event():
    data = world()
    model = fitted(data, context=["device"], n_epochs=6)
    log = data.interactions
    for device in ("phone", "desk"):
        shown = model.recommend(data.users.ids, 20, exclude_seen=False, context={"device": device}).frame
        of = {
            (user, item): score
            for user, item, score in shown.select("user_id", "item_id", "score").iter_rows()
        }
        events = np.flatnonzero((log.context["device"] == device).to_numpy())[:30]
        expected = [of[int(log.user_idx[n]), int(log.item_idx[n])] for n in events]
        np.testing.assert_array_equal(
            model.predict_events(data)[events], np.clip(expected, 1, 5).astype(np.float32)
        )
    with pytest.raises(ParameterError, match="colour"):
        model.recommend(1, context={"colour": "red"})
    plain = model.recommend(1, 5).frame
    assert not plain.equals(model.recommend(1, 5, context={"device": "phone"}).frame)


def test_a_device_that_decides_is_learned():
    rng = np.random.default_rng(0)
    m = 1200
    device, item = rng.integers(0, 2, m), rng.integers(0, 6, m)
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(0, 20, m),
            "item_id": item,
            "value": ((item % 2) == device).astype(float),
            "device": np.where(device == 1, "phone", "desk"),
        }
    )
    data = sl.read(frame, kind="binary", context=["device"])
    settings = {"dim": 4, "n_epochs": 25, "learning_rate": 0.02, "batch_size": 64, "reg": 0.0}
    knowing, blind = (sl.DeepFM(context=columns, **settings).fit(data, rng=0) for columns in (["device"], []))
    area = [sl.metrics.auc(data.interactions.value, model.predict_events(data)) for model in (knowing, blind)]
    assert area[0] > 0.99
    assert area[1] < 0.75
    shown = knowing.recommend(3, 3, exclude_seen=False, context={"device": "phone"}).frame
    assert set(shown["item_id"] % 2) == {1}


def test_whoever_shares_a_feature_is_known_and_listed():
    data = world()
    model = fitted(data)
    assert model.known_users_.all()  # the last three have no event, but an age
    assert model.listed_items_.all()
    ids_only = fitted(data, user_columns=(), item_columns=())
    assert ids_only.known_users_.sum() == 14
    assert ids_only.listed_items_.sum() == 11
    assert model.recommend(16, 5).frame["score"].is_finite().all()


def test_who_is_unknown_has_the_mean_of_the_ids():
    data = world()
    model = fitted(data, user_columns=(), item_columns=())
    ids = np.flatnonzero([name.startswith("user_id=") for name in model.encoder.names])
    bias, w, v, fields, layers, output = parts_of(model)
    # The mean user as one column more in the field of the user.
    mean_v, mean_w = v[ids].mean(axis=0), w[ids].mean()
    item = int(np.flatnonzero([name == "item_id=4" for name in model.encoder.names])[0])
    unit = np.concatenate([mean_v, v[item]])
    expected = bias + mean_w + w[item] + mean_v @ v[item]
    for weights, offset in layers:
        unit = np.maximum(unit @ weights + offset, 0)
    assert model.predict([99], [4])[0] == pytest.approx(expected + unit @ output, rel=1e-4)
    assert [field[1] - field[0] for field in fields] == [14, 11]


def test_new_people_are_folded_in_by_their_features():
    data = world()
    model = fitted(data)
    like_16 = data.user_features.frame.filter(pl.col("id") == 16).with_columns(id=pl.lit(500))
    table = sl.FeatureTable(like_16.cast({"id": pl.Int64}), data.user_features.kinds)
    people = model.fold_in_users(features=table)
    assert people.known.all()
    found, expected = model.recommend(people, 6).frame, model.recommend(16, 6).frame
    assert found.drop("user_id").equals(expected.drop("user_id"))


def events_of(rows, kind="ratings"):
    """Return events (user, item, value) in the units of `world`, on a phone at noon."""
    columns = dict(zip(("user_id", "item_id", "value"), zip(*rows, strict=True), strict=True))
    frame = pl.DataFrame(columns | {"device": ["phone"] * len(rows), "hour": [12.0] * len(rows)})
    how = {"scale": (1, 5)} if kind == "ratings" else {}
    return sl.read(frame.cast({"value": pl.Float64}), kind=kind, context=["device", "hour"], **how)


@pytest.mark.parametrize("kind", ["ratings", "binary"])
@pytest.mark.parametrize("layers", [[5, 4], []])
def test_the_loss_of_a_person_is_that_of_the_scores_with_their_embedding(kind, layers):
    model = fitted(world(kind), layers=layers, context=None, n_epochs=3)
    rng = np.random.default_rng(0)
    net, n = model._net, 7
    right = model.item_sides_[rng.integers(0, 8, n)] + model._moment({"device": "phone"})
    target, theta = rng.random(n), rng.normal(size=model.dim + 1)
    target = target if kind == "ratings" else (target > 0.5).astype(float)
    prior = IdPrior(rng.normal(size=theta.size), rng.random(theta.size) + 0.5, 0.7)
    loss = PersonLoss(net, 0, right.astype(float), target, prior, kind != "ratings")
    value, slope = loss(theta)
    pairs = np.zeros(n, np.int64), np.arange(n, dtype=np.int32)
    z = net.scores(own_side(net, 0, theta)[None], np.ascontiguousarray(right), *pairs).astype(float)
    chance = 1 / (1 + np.exp(-z))
    fit = {
        "ratings": ((z - target) ** 2).sum() / (2 * 0.7),
        "binary": -(target * np.log(chance) + (1 - target) * np.log(1 - chance)).sum(),
    }[kind]
    assert value == pytest.approx(fit + ((theta - prior.mean) ** 2 / prior.variance).sum() / 2, rel=1e-5)
    for at, direction in enumerate(1e-6 * np.eye(theta.size)):
        rise = loss(theta + direction)[0] - loss(theta - direction)[0]
        assert slope[at] == pytest.approx(rise / 2e-6, rel=1e-4, abs=1e-6)


def test_new_people_are_folded_in_by_their_events():
    frame = pl.DataFrame({"user_id": np.repeat(np.arange(40), 12), "item_id": np.tile(np.arange(12), 40)})
    likes = (pl.col("user_id") % 2) == (pl.col("item_id") % 2)
    frame = frame.with_columns(value=pl.when(likes).then(5.0).otherwise(1.0)).sample(fraction=0.8, seed=0)
    for kind in ("ratings", "events"):
        how = {"scale": (1, 5)} if kind == "ratings" else {}
        log = frame if kind == "ratings" else frame.filter(pl.col("value") > 1)
        data = sl.read(log.sample(fraction=1.0, shuffle=True, seed=1), kind=kind, **how)
        model = sl.DeepFM(4, [8], n_epochs=40, batch_size=64, learning_rate=0.02, patience=None).fit(
            data, rng=0
        )
        new = pl.DataFrame(
            {"user_id": [100, 100, 101, 101, 102], "item_id": [0, 4, 1, 7, 99], "value": [5.0] * 5}
        )
        people = model.fold_in_users(sl.read(new, kind=kind, **how))
        assert people.known.tolist() == [True, True, False]
        shown = model.recommend(people, 4, on_unknown="skip").frame
        for user, parity in ((100, 0), (101, 1)):
            found = shown.filter(pl.col("user_id") == user)["item_id"].to_list()
            assert sum(item % 2 == parity for item in found) >= 3
        alone = model.fold_in_users(sl.read(new.filter(pl.col("user_id") == 101), kind=kind, **how))
        np.testing.assert_array_equal(alone.vectors[0], people.vectors[1])
        again = model.fold_in_users(
            data.with_interactions(data.interactions.where(data.interactions.user_idx < 3))
        )
        near = np.corrcoef(again.vectors[:3].ravel(), model.user_sides_[:3].ravel())[0, 1]
        assert near > 0.8


def test_people_without_events_or_features_are_unknown_and_those_of_training_are_themselves():
    model = fitted()
    nobody = events_of([(77, 99, 4.0)])
    assert not model.fold_in_users(nobody).known.any()
    trained = model.fold_in_users(events_of([(2, 99, 4.0)]))
    np.testing.assert_array_equal(trained.vectors, model.user_sides_[model.memory_.users.index_of([2])])


def test_the_same_seed_gives_the_same_model():
    data = world()
    first, again, other = (sl.DeepFM(**SMALL).fit(data, rng=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.deep_, again.deep_)
    assert np.array_equal(first.embeddings_, again.embeddings_)
    assert not np.array_equal(first.embeddings_, other.embeddings_)


def test_it_stops_when_the_held_out_events_are_predicted_worse():
    data = world(seed=3)
    settings = {"learning_rate": 0.05, "reg": 0.0, "n_epochs": 60, "validation_share": 0.3}
    seen = []
    model = sl.DeepFM(dim=8, layers=(16,), patience=3, **settings)
    model.fit(data, rng=0, on_epoch=lambda epoch: seen.append((epoch.number, epoch.validation_loss)))
    checks = model.validation_history_
    assert len(checks) == len(seen) < 60
    assert model.best_epoch_ == int(np.argmin(checks)) + 1 == len(checks) - 3
    held_to_the_end = fitted(data, patience=None, n_epochs=4)
    assert held_to_the_end.validation_history_.size == 0
    assert len(held_to_the_end.loss_history_) == held_to_the_end.best_epoch_ == 4


def test_it_learns_what_ratings_hold():
    rng = np.random.default_rng(4)
    users, items = rng.normal(size=(60, 2)), rng.normal(size=(40, 2))
    user, item = np.divmod(np.arange(2400), 40)
    rating = np.clip(3 + np.einsum("ud,ud->u", users[user], items[item]) + 0.2 * rng.normal(size=2400), 1, 5)
    frame = pl.DataFrame({"user_id": user, "item_id": item, "value": rating})
    train, test = sl.split.random(sl.read(frame, kind="ratings", scale=(1, 5)), 0.3, rng=0)
    truth = test.interactions.value
    mean = sl.metrics.rmse(truth, np.full(truth.size, train.interactions.value.mean()))
    for layers in ((), (16,)):
        model = sl.DeepFM(
            4, layers, n_epochs=60, batch_size=128, learning_rate=0.01, reg=0.003, init_std=0.2, patience=8
        )
        assert sl.metrics.rmse(truth, model.fit(train, rng=0).predict_events(test)) < 0.5 * mean


def test_an_earlier_fit_is_taken_over_by_the_names_of_the_columns():
    data = world()
    before = fitted(data, n_epochs=5)
    log = data.interactions
    fewer = data.with_interactions(log.where(log.item_idx != 3))
    after = sl.DeepFM(**SMALL, refit_epochs=1, learning_rate=1e-9).fit(fewer, rng=1, start=before)
    at = {name: n for n, name in enumerate(before.encoder.names)}
    columns = [at[name] for name in after.encoder.names]
    assert len(columns) < len(at)
    np.testing.assert_allclose(after.embeddings_, before.embeddings_[columns], atol=1e-6)
    np.testing.assert_allclose(after.deep_, before.deep_, atol=1e-6)
    assert len(after.loss_history_) == 1
    with pytest.raises(ParameterError, match="layers"):
        sl.DeepFM(3, (5,)).fit(data, start=before)
    with pytest.raises(ParameterError, match="fit without start"):
        sl.DeepFM(3, (5, 4), user_columns=()).fit(data, start=before)


def test_it_is_loaded_and_answers_without_torch(tmp_path):
    data = world()
    model = fitted(data, context=["device"])
    model.save(tmp_path / "model")
    expected = model.recommend([1, 16], 4, context={"device": "phone"}).frame
    script = (
        "import sys, shortlist as sl\n"
        f"model = sl.load({str(tmp_path / 'model')!r})\n"
        "frame = model.recommend([1, 16], 4, context={'device': 'phone'}).frame\n"
        "model.similar_items(1); model.score([1], [2])\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'torch']\n"
        "print(frame.write_json())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected.write_json()
    assert sl.load(tmp_path / "model").params() == model.params()


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("shortlist.models.torch_extra.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"shortlist\[nets\]"):
        fitted()


def test_an_interrupt_leaves_the_model_as_it_was():
    data = world()
    model = fitted(data)
    before = model.recommend(1, 5).frame

    def interrupt(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(world(seed=5), rng=0, on_epoch=interrupt)
    assert model.recommend(1, 5).frame.equals(before)


def test_an_epoch_is_a_fitted_model():
    data = world()
    scores = []
    sl.DeepFM(**SMALL).fit(data, rng=0, on_epoch=lambda epoch: scores.append(epoch.model.score([1], [2])[0]))
    assert len(scores) == 2
    assert scores[0] != scores[1]


def test_a_diverging_fit_stops_and_says_so():
    with pytest.raises(NonFiniteError, match="learning_rate"):
        fitted(learning_rate=1e4, n_epochs=50, reg=0.0, patience=None)


def test_a_batch_larger_than_the_data_is_all_of_it():
    whole, larger = (fitted(batch_size=size, patience=None, n_epochs=3) for size in (240, 10**9))
    assert np.array_equal(whole.embeddings_, larger.embeddings_)


def test_a_target_that_is_no_number_is_named():
    data = world()
    value = data.interactions.value.copy()
    value[7] = np.nan
    with pytest.raises(DataError, match=r"event 7 is nan \(1 are not finite\)"):
        fitted(data.with_interactions(replace(data.interactions, value=value)))


def test_what_cannot_be_fitted_says_why():
    data = world("events")
    log = data.interactions
    with pytest.raises(DataError, match="positive"):
        fitted(data.with_interactions(log.where(log.value == 0)))
    with pytest.raises(DataError, match="no column"):
        fitted(user_ids=False, item_ids=False, user_columns=(), item_columns=())
    with pytest.raises(ParameterError, match="colour"):
        fitted(context=["colour"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dim", 0),
        ("layers", (3, 0)),
        ("layers", "64"),
        ("dropout", 1.0),
        ("validation_share", 1),
        ("user_ids", 1),
        ("context", "device"),
        ("item_columns", [3]),
        ("patience", 0),
        ("device", 0),
        ("n_negatives", 0),
    ],
)
def test_a_wrong_parameter_is_named(name, value):
    with pytest.raises(ParameterError, match=name):
        sl.DeepFM(**{name: value})
