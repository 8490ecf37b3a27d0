"""FactorizationMachine on datasets: what it learns, cold users and items, context, spread, and what it refuses."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import shortlist as sl
from shortlist import threads
from shortlist.data.features import FeatureTable
from shortlist.errors import DataError, NonFiniteError, ParameterError

N_USERS, N_ITEMS = 40, 30
SOLVERS = ["gibbs", "adagrad", "sgd"]
FAST = {"n_epochs": 12}


def taste(user, item, hour):
    """Even users like even items; the evening lifts items of the first genre; every user and item has a level."""
    same = 1.0 if user % 2 == item % 2 else -1.0
    return 3 + 0.8 * same + 0.02 * (user % 40 - 20) + (0.7 if hour == "evening" and item % 3 == 0 else 0.0)


def frame(*, share=0.5, seed=0, users=range(N_USERS), items=range(N_ITEMS), noise=0.2):
    rng = np.random.default_rng(seed)
    rows = []
    for user in users:
        for item in items:
            if rng.random() < share:
                hour = str(rng.choice(["morning", "evening"]))
                value = float(np.clip(taste(user, item, hour) + noise * rng.normal(), 1, 5))
                rows.append({"user_id": user, "item_id": item, "value": value, "hour": hour})
    return pl.DataFrame(rows)


def items_table(n=N_ITEMS + 2):
    return pl.DataFrame(
        {
            "item_id": range(n),
            "parity": [str(item % 2) for item in range(n)],
            "genres": [["first", "second", "third"][item % 3] for item in range(n)],
        }
    )


def users_table(n=N_USERS + 2):
    return pl.DataFrame({"user_id": range(n), "side": [str(user % 2) for user in range(n)]})


def ratings(events=None, **options):
    return sl.read(
        frame() if events is None else events,
        kind="ratings",
        scale=(1, 5),
        items=items_table(),
        users=users_table(),
        features={"items": {"parity": "categorical", "genres": "tags"}, "users": {"side": "categorical"}},
        context=["hour"],
        **options,
    )


def likes(kind="events"):
    events = frame(share=0.6).with_columns(pl.col("value") >= 3.5)
    if kind == "events":
        events = events.filter("value")
    return sl.read(events.with_columns(pl.col("value").cast(pl.Int64)), kind=kind, context=["hour"])


def rmse(model, data):
    return float(np.sqrt(np.mean((model.predict_events(data) - data.interactions.value) ** 2)))


def fitted(solver="gibbs", data=None, **parameters):
    if solver == "gibbs":
        parameters = {"n_epochs": 60, "n_kept": 20, **parameters}
    return sl.FactorizationMachine(4, solver=solver, **parameters).fit(
        ratings() if data is None else data, rng=0
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_ratings_are_learned(solver):
    data = ratings()
    spread = float(data.interactions.value.std())
    assert rmse(fitted(solver, data, context=["hour"]), ratings(frame(seed=1))) < 0.5 * spread


def test_context_that_matters_is_learned():
    other = ratings(frame(seed=1))
    assert rmse(fitted(context=["hour"]), other) < rmse(fitted(), other) - 0.05


def test_gibbs_comes_near_the_noise():
    assert rmse(fitted(context=["hour"], n_epochs=100), ratings(frame(seed=1))) < 0.25


@pytest.mark.parametrize("solver", SOLVERS)
def test_score_is_the_prediction(solver):
    data = ratings()
    model = fitted(solver, data, n_epochs=30)
    users, items = np.repeat([0, 5, 7], 3), np.tile([1, 2, 29], 3)
    assert_allclose(model.score(users, items), model.predict(users, items, clip=False), rtol=1e-5)


def test_lists_of_a_moment_are_in_the_order_of_its_predictions():
    model = fitted(context=["hour"])
    for hour in ("morning", "evening"):
        shown = model.recommend([3], N_ITEMS, exclude_seen=False, context={"hour": hour}).frame
        asked = shown.select("user_id", "item_id").with_columns(value=3.0, hour=pl.lit(hour))
        expected = model.predict_events(ratings(asked), clip=False)
        assert_allclose(shown["score"], expected, rtol=1e-4)
        assert (np.diff(expected) <= 1e-4).all()
    evening = model.recommend([3], 5, exclude_seen=False, context={"hour": "evening"}).frame["score"][0]
    assert (
        evening
        > model.recommend([3], 5, exclude_seen=False, context={"hour": "morning"}).frame["score"][0] + 0.2
    )


def test_context_that_was_not_fitted_on_is_refused():
    with pytest.raises(ParameterError, match="uses no context"):
        fitted().recommend([1], 3, context={"hour": "evening"})


def test_cold_items_and_users_are_predicted_from_features():
    data = ratings()
    model = fitted(data=data)
    cold_item, cold_user = N_ITEMS, N_USERS + 1  # even, odd; nobody has an event with them
    assert model.known_items_[cold_item]
    assert model.known_users_[cold_user]
    by_even, by_odd = model.predict([2, 3], [cold_item] * 2)
    assert by_even > by_odd + 0.8
    even, odd = model.predict([cold_user] * 2, [2, 3])
    assert odd > even + 0.8
    assert cold_item in model.recommend([2], 20).frame["item_id"].to_list()


def test_without_features_cold_items_are_unknown_and_predicted_by_the_mean():
    model = fitted(item_columns=[], user_columns=[])
    assert not model.known_items_[N_ITEMS:].any()
    assert not model.known_users_[N_USERS:].any()
    stranger = model.predict([10_000], [10_000])
    mean = float(ratings().interactions.value.mean())
    assert stranger[0] == pytest.approx(mean, abs=0.3)


def test_a_model_without_ids_goes_by_features():
    model = fitted(user_ids=False, item_ids=False)
    assert_allclose(model.predict([0, 2], [1, 1]), model.predict([2, 0], [7, 7]), rtol=1e-6)
    assert model.predict([0], [0]) > model.predict([0], [1]) + 0.8


@pytest.mark.parametrize("kind", ["binary", "events"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_labels_and_likes_are_told_apart(kind, solver):
    data = likes(kind)
    own = {"gibbs": {"n_kept": 10}, "adagrad": {}, "sgd": {"learning_rate": 0.1}}[solver]
    model = sl.FactorizationMachine(4, solver=solver, n_epochs=40, **own).fit(data, rng=0)
    users, items = (part.ravel() for part in np.meshgrid(np.arange(N_USERS), np.arange(N_ITEMS)))
    chance = model.predict(users, items)
    liked = users % 2 == items % 2
    assert ((chance > 0) & (chance < 1)).all()
    assert chance[liked].mean() > chance[~liked].mean() + 0.3
    order = np.argsort(chance)
    ranks = np.empty(len(order))
    ranks[order] = np.arange(len(order))
    auc = (ranks[liked].sum() - liked.sum() * (liked.sum() - 1) / 2) / (liked.sum() * (~liked).sum())
    assert auc > 0.9


def test_label_probabilities_are_calibrated():
    rng = np.random.default_rng(0)
    users, items = rng.integers(30, size=4000), rng.integers(20, size=4000)
    chance = np.where(users % 3 == items % 3, 0.8, 0.2)
    events = pl.DataFrame(
        {"user_id": users, "item_id": items, "value": (rng.random(4000) < chance).astype(int)}
    )
    data = sl.read(events, kind="binary")
    for solver in ("gibbs", "sgd"):
        model = sl.FactorizationMachine(3, solver=solver, n_epochs=60).fit(data, rng=0)
        predicted = model.predict(np.arange(30), np.arange(30) % 20)
        same = np.arange(30) % 3 == (np.arange(30) % 20) % 3
        assert predicted[same].mean() == pytest.approx(0.8, abs=0.1)
        assert predicted[~same].mean() == pytest.approx(0.2, abs=0.1)


def test_the_spread_covers_as_often_as_it_says():
    other = ratings(frame(seed=1))
    found = fitted(context=["hour"], n_epochs=120).predict_spread(other, clip=False)
    off = np.abs(found.mean - other.interactions.value)
    assert np.mean(off < found.of_value) == pytest.approx(0.68, abs=0.08)
    assert np.mean(off < 2 * found.of_value) == pytest.approx(0.95, abs=0.04)
    assert (found.of_mean < found.of_value).all()


def test_more_data_narrows_the_spread():
    other = ratings(frame(seed=1))
    few = fitted(data=ratings(frame(share=0.15))).predict_spread(other).of_mean.mean()
    assert fitted().predict_spread(other).of_mean.mean() < 0.8 * few


@pytest.mark.parametrize("solver", ["gibbs", "sgd"])
def test_a_folded_in_user_is_near_their_own_vector(solver):
    data = ratings()
    model = fitted(solver, data, context=["hour"])
    events = frame().filter(pl.col("user_id") < 6)
    people = model.fold_in_users(ratings(events))
    asked = {"k": N_ITEMS + 2, "exclude_seen": False, "context": {"hour": "morning"}}
    shown = model.recommend(people, **asked, on_unknown="skip").frame.filter(pl.col("user_id") < 6)
    both = shown.join(model.recommend(range(6), **asked).frame, on=["user_id", "item_id"])
    assert len(both) == 6 * (N_ITEMS + 2)
    assert float((both["score"] - both["score_right"]).abs().mean()) < 0.2


def test_a_new_user_is_folded_in_from_events_or_features():
    model = fitted()
    events = frame(users=[100_000], share=0.8)  # even
    people = model.fold_in_users(ratings(events))
    row = people.user_ids.to_list().index(100_000)
    assert people.known[row]
    shown = model.recommend(people.take(np.array([row])), N_ITEMS + 2, exclude_seen=False).frame
    scores = dict(shown.select("item_id", "score").iter_rows())
    assert np.mean([scores[i] for i in range(0, 30, 2)]) > np.mean([scores[i] for i in range(1, 30, 2)]) + 0.8
    table = FeatureTable(pl.DataFrame({"id": [7_000, 7_001], "side": ["1", None]}), {"side": "categorical"})
    described = model.fold_in_users(features=table)
    assert described.known.tolist() == [True, False]
    first = model.recommend(described, 10, on_unknown="skip").frame
    assert np.mean([item % 2 for item in first.filter(user_id=7_000)["item_id"]]) > 0.8


@pytest.mark.parametrize("solver", ["gibbs", "adagrad"])
def test_a_folded_in_liker_gets_what_they_like(solver):
    model = sl.FactorizationMachine(4, solver=solver, n_epochs=40).fit(likes(), rng=0)
    liked = pl.DataFrame({"user_id": ["x"] * 6 + ["y"] * 5, "item_id": [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9]})
    new = sl.read(liked.with_columns(value=1), kind="events")
    people = model.fold_in_users(new)
    shown = model.recommend(people, 8).frame
    for user, parity in (("x", 0), ("y", 1)):
        assert np.mean([item % 2 == parity for item in shown.filter(user_id=user)["item_id"]]) > 0.7
    alone = model.fold_in_users(sl.read(liked.filter(user_id="y").with_columns(value=1), kind="events"))
    assert_array_equal(alone.vectors[0], people.vectors[1])


@pytest.mark.parametrize("solver", SOLVERS)
def test_saved_and_loaded_is_the_same(solver, tmp_path):
    data = ratings()
    model = fitted(
        solver, data, context=["hour"], encode={"parity": {"as": "hashing", "n_buckets": 4}}, **FAST
    )
    loaded = sl.load(model.save(tmp_path / "model"))
    assert loaded.params() == model.params()
    assert_array_equal(loaded.predict_events(data), model.predict_events(data))
    asked = {"k": 5, "context": {"hour": "evening"}}
    assert loaded.recommend([1, 2], **asked).frame.equals(model.recommend([1, 2], **asked).frame)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_seed_decides_on_any_number_of_threads(solver):
    data, found, before = ratings(), [], threads.num_threads()
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            found.append(fitted(solver, data, context=["hour"], **FAST))
    finally:
        threads.set_num_threads(before)
    assert_array_equal(found[0].factors_, found[1].factors_)
    assert_array_equal(found[0].weights_, found[1].weights_)
    assert_array_equal(found[0].predict_events(data), found[1].predict_events(data))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_warm_start_goes_on_from_where_it_was(solver):
    data = ratings()
    model = fitted(solver, data, context=["hour"], refit_epochs=3)
    again = model.clone().fit(data, rng=1, start=model)
    assert len(again.loss_history_) == 3
    assert again.loss_history_[0] < 0.6 * model.loss_history_[0]


def test_a_warm_start_needs_the_same_fields():
    data = ratings()
    with pytest.raises(ParameterError, match="start was fitted on the columns"):
        sl.FactorizationMachine(4, item_columns=[], n_epochs=21).fit(
            data, rng=0, start=fitted(**FAST, burn_in=2)
        )


def test_each_epoch_shows_a_model_that_answers():
    seen = []
    model = sl.FactorizationMachine(2, n_epochs=4, burn_in=2)
    model.fit(
        ratings(),
        rng=0,
        on_epoch=lambda e: seen.append((e.number, e.loss, len(e.model.recommend([1], 2).frame))),
    )
    assert [(number, n) for number, _, n in seen] == [(1, 2), (2, 2), (3, 2), (4, 2)]
    assert all(np.isfinite(loss) for _, loss, _ in seen)


def test_early_stopping_keeps_the_best_state():
    data = ratings(frame(share=0.15, noise=1.0))
    seen = []
    model = sl.FactorizationMachine(
        8, solver="adagrad", reg=0.0, weight_reg=0.0, n_epochs=60, patience=3, learning_rate=0.3
    )
    model.fit(data, rng=0, on_epoch=lambda epoch: seen.append(epoch.validation_loss))
    assert len(seen) < 60
    assert min(seen) == seen[-4]
    other = ratings(frame(seed=1))
    longer = sl.FactorizationMachine(
        8, solver="adagrad", reg=0.0, weight_reg=0.0, n_epochs=60, learning_rate=0.3
    )
    assert rmse(model, other) < rmse(longer.fit(data, rng=0), other)


def test_steps_that_diverge_say_so():
    with pytest.raises(NonFiniteError, match=r"epoch \d+ of 30: the mean loss is .*lower learning_rate"):
        fitted("sgd", learning_rate=5.0)


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    data = ratings()
    model = fitted("sgd", data, **FAST)
    before = model.predict_events(data)

    def stop(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(data, rng=5, on_epoch=stop)
    assert_array_equal(model.predict_events(data), before)


def test_values_that_are_no_numbers_are_refused():
    data = ratings()
    value = data.interactions.value.copy()
    value[3] = np.nan
    log = type(data.interactions)(
        **{
            **{f: getattr(data.interactions, f) for f in data.interactions.__dataclass_fields__},
            "value": value,
        }
    )
    with pytest.raises(DataError, match="value of event 3 is nan"):
        sl.FactorizationMachine().fit(data.with_interactions(log))


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(DataError, match="no column to learn from"):
        fitted(user_ids=False, item_ids=False, user_columns=[], item_columns=[])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"solver": "als"}, "solver='als' is not one of"),
        ({"learning_rate": 0.1}, "solver='gibbs' has no learning_rate"),
        ({"reg": 0.1}, "solver='gibbs' has no reg"),
        ({"solver": "sgd", "n_kept": 3}, "solver='sgd' has no n_kept"),
        ({"n_epochs": 10, "burn_in": 20}, "burn_in=20 leaves nothing of n_epochs=10"),
        ({"patience": 2}, "has no patience"),
        ({"user_ids": 1}, "user_ids must be True or False"),
        ({"item_columns": "genres"}, "item_columns must be a list"),
        ({"dim": 0}, "dim"),
        ({"n_negatives": 0}, "n_negatives"),
        ({"validation_share": 1.0}, "validation_share"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(ParameterError, match=message):
        sl.FactorizationMachine(**parameters)


def test_columns_that_are_not_there_are_named():
    with pytest.raises(ParameterError, match="item_columns names 'colour'"):
        fitted(item_columns=["colour"])
    with pytest.raises(ParameterError, match="context_columns names 'weather'"):
        fitted(context=["weather"])


def test_items_with_few_ratings_stay_off_lists():
    data = ratings(frame().filter((pl.col("item_id") != 4) | (pl.col("user_id") < 1)))
    few = int((data.interactions.item_idx == 4).sum())
    model = fitted(data=data, min_ratings=few + 1, **FAST)
    assert model.known_items_[4]
    assert not model.listed_items_[4]
    assert np.isfinite(model.predict([1], [4])).all()


def test_free_text_has_no_columns_unless_named():
    events = frame()
    titles = pl.DataFrame({"item_id": range(N_ITEMS), "title": [f"word{i % 2} film" for i in range(N_ITEMS)]})
    data = sl.read(events, kind="ratings", scale=(1, 5), items=titles, features={"items": {"title": "text"}})
    assert not any("title" in name for name in fitted(data=data, **FAST).encoder.names)
    named = fitted(data=data, item_columns=["title"], **FAST)
    assert "item.title:film" in named.encoder.names


def test_errors_of_ratings_are_what_it_may_be_tuned_by():
    ratings = sl.read(
        pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1], "value": [1.0, 5, 3]}), kind="ratings"
    )
    labels = sl.read(
        pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1], "value": [1, 0, 1]}), kind="binary"
    )
    model = sl.FactorizationMachine(n_epochs=2)
    assert model.predicts_ratings  # before the fit: it will, of ratings
    assert model.fit(ratings, rng=0).predicts_ratings
    assert not model.fit(labels, rng=0).predicts_ratings
