"""What holds of every fit: the callback after each epoch, and a model that a failed fit leaves as it was."""

import copy

import numpy as np
import pytest
from models import test_matrix_factorization as ratings
from models import test_wals as likes

import shortlist as sl
from shortlist.errors import DataError, NonFiniteError, NotFittedError, ParameterError
from shortlist.models.model import Model


class EnoughError(Exception):
    """What a callback raises."""


MAKERS = {
    "wals": lambda: sl.WALS(3, n_epochs=4),
    "als": lambda: sl.MatrixFactorization(3, n_epochs=4),
    "sgd": lambda: sl.MatrixFactorization(3, n_epochs=4, solver="sgd"),
    "adam": lambda: sl.MatrixFactorization(3, n_epochs=4, solver="adam"),
}


@pytest.fixture(params=MAKERS)
def model(request) -> Model:
    return MAKERS[request.param]()


def data_for(model, seed=0):
    """Return data that the model takes, other for each seed."""
    if isinstance(model, sl.MatrixFactorization):
        return ratings.dataset(ratings.tastes(seed))
    return likes.dataset(likes.random_events(seed))


def state(model):
    return {name: copy.deepcopy(value) for name, value in vars(model).items() if name != "memory_"}


def assert_same_state(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name])


def test_every_epoch_is_told_of(model):
    seen = []
    model.fit(data_for(model), rng=0, on_epoch=lambda epoch: seen.append((epoch.number, epoch.n_epochs)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_model_of_an_epoch_is_what_a_fit_of_so_many_epochs_gives(model):
    data, snapshots = data_for(model), []

    def keep(epoch):
        users, items = data.users.ids[:3], data.items.ids[:3]
        answers = (
            epoch.model.recommend(users, 5).frame,
            epoch.model.score(users, items),
            epoch.model.similar_items(items, 3).frame,
        )
        snapshots.append((state(epoch.model), answers))

    model.fit(data, rng=5, on_epoch=keep)
    assert len(snapshots) == 4
    if getattr(model, "solver", None) != "sgd":  # whose steps depend on the number of epochs
        for number, (fitted, _) in enumerate(snapshots, 1):
            shorter = type(model)(**{**model.params(), "n_epochs": number}).fit(data, rng=5)
            assert_same_state(fitted | {"n_epochs": number}, state(shorter))
    fitted, (frame, scores, similar) = snapshots[-1]
    assert_same_state(fitted, state(model))
    assert frame.equals(model.recommend(data.users.ids[:3], 5).frame)
    np.testing.assert_array_equal(scores, model.score(data.users.ids[:3], data.items.ids[:3]))
    assert similar.equals(model.similar_items(data.items.ids[:3], 3).frame)


def test_watching_changes_nothing(model):
    data = data_for(model)
    watched = model.clone().fit(data, rng=1, on_epoch=lambda epoch: None)
    assert_same_state(state(watched), state(model.fit(data, rng=1)))


def test_a_copy_of_an_epochs_model_keeps(model):
    data, copies = data_for(model), []
    model.fit(data, rng=1, on_epoch=lambda epoch: copies.append(copy.deepcopy(epoch.model)))
    first = type(model)(**{**model.params(), "n_epochs": 1})
    if getattr(model, "solver", None) != "sgd":
        np.testing.assert_array_equal(copies[0].user_factors_, first.fit(data, rng=1).user_factors_)
    assert np.abs(copies[0].user_factors_ - model.user_factors_).max() > 0


@pytest.mark.parametrize("error", [EnoughError, KeyboardInterrupt])
@pytest.mark.parametrize("number", [1, 3])
def test_a_callback_that_raises_leaves_an_unfitted_model_unfitted(model, error, number):
    before = state(model)
    with pytest.raises(error):
        model.fit(data_for(model), on_epoch=raising(error, number))
    assert not model.is_fitted
    assert_same_state(state(model), before)
    with pytest.raises(NotFittedError):
        model.recommend([0])


@pytest.mark.parametrize("error", [EnoughError, KeyboardInterrupt])
def test_a_callback_that_raises_leaves_a_fitted_model_as_it_was(model, error):
    old = data_for(model)
    model.fit(old, rng=0)
    before, answer = state(model), model.recommend([1, 2]).frame
    with pytest.raises(error):
        model.fit(data_for(model, seed=7), start=model, on_epoch=raising(error, 2))
    assert_same_state(state(model), before)
    assert model.memory_ is old.memory
    assert model.recommend([1, 2]).frame.equals(answer)


def test_a_fit_that_fails_leaves_the_model_as_it_was():
    model = ratings.fitted(solver="adam")
    before = state(model)
    model.learning_rate = 1e60
    with pytest.raises(NonFiniteError):
        model.fit(ratings.dataset(ratings.tastes(3)))
    assert_same_state(state(model), before | {"learning_rate": 1e60})


def raising(error, number):
    def callback(epoch):
        if epoch.number == number:
            raise error

    return callback


def test_popularity_has_no_epochs_and_no_use_for_a_start():
    data, seen = likes.dataset(likes.random_events()), []
    cold = sl.Popularity().fit(data, on_epoch=seen.append)
    warm = sl.Popularity().fit(data, start=sl.Popularity().fit(likes.dataset(likes.random_events(4))))
    assert seen == []
    np.testing.assert_array_equal(cold.item_scores_, warm.item_scores_)


def test_a_start_of_another_kind_is_refused(model):
    data = data_for(model)
    with pytest.raises(ParameterError, match=f"fitted {type(model).__name__}.*got Popularity"):
        model.fit(data, start=sl.Popularity().fit(data))
    with pytest.raises(NotFittedError, match="is not fitted"):
        model.fit(data, start=model.clone())
    with pytest.raises(ParameterError, match=r"start has dim=2, this .* dim=3"):
        model.fit(data, start=type(model)(2).fit(data))
    assert not model.is_fitted


def test_a_start_on_values_of_another_kind_is_refused():
    rows = [(u, i, 5.0) for u, i in likes.random_events()]
    start = likes.fitted(rows, feedback=likes.STARS)
    with pytest.raises(DataError, match="start was fitted on ratings, this data is events"):
        likes.WALS(6).fit(likes.dataset(rows), start=start)
