"""Data at the edge of sense, fitted by every model there is: either it answers, or it says why it cannot."""

import inspect

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist import registry, threads
from shortlist.errors import DataError, ParameterError

GENRES = ("Comedy", "Drama", "War|Drama", "Comedy|Romance", "War")


def data(users, items, values, *, more_users=(), more_items=()):
    """Return ratings 1 to 5 (positive from 4) with a genre for every item and an age for every user."""
    known_items = sorted({*items, *more_items})
    known_users = sorted({*users, *more_users})
    return sl.read(
        pl.DataFrame({"user_id": list(users), "item_id": list(items), "value": [float(v) for v in values]}),
        items=pl.DataFrame(
            {"item_id": known_items, "genres": [GENRES[n % len(GENRES)] for n in range(len(known_items))]}
        ),
        users=pl.DataFrame({"user_id": known_users, "age": [20.0 + 3 * n for n in range(len(known_users))]}),
        features={"items": {"genres": {"kind": "tags", "separator": "|"}}, "users": {"age": "numeric"}},
        kind="ratings",
        scale=(1, 5),
    )


def pairs(n_users, n_items, values):
    users = np.repeat([f"u{u}" for u in range(n_users)], n_items)
    items = np.tile([f"i{i}" for i in range(n_items)], n_users)
    return users.tolist(), items.tolist(), np.broadcast_to(values, n_users * n_items).tolist()


def some_of(n_users=9, n_items=8, seed=1):
    rng = np.random.default_rng(seed)
    users, items, _ = pairs(n_users, n_items, 1)
    keep = rng.random(len(users)) < 0.5
    values = rng.integers(1, 6, len(users))
    chosen = [(u, i, v) for u, i, v, kept in zip(users, items, values, keep, strict=True) if kept]
    return tuple(zip(*chosen, strict=True))


WORLDS = {
    "one pair": lambda: data(["u0"], ["i0"], [5]),
    "one user": lambda: data(*pairs(1, 4, [5, 4, 2, 5])),
    "one item": lambda: data(*pairs(4, 1, [5, 4, 2, 5])),
    "all equal": lambda: data(*pairs(5, 4, 4)),
    "all equal, more items": lambda: data(*pairs(5, 4, 4), more_items=["i8", "i9"]),
    "users without events": lambda: data(*some_of(), more_users=["new1", "new2"]),
    "nobody shares an item": lambda: data([f"u{n}" for n in range(6)], [f"i{n}" for n in range(6)], [5] * 6),
    "one positive": lambda: data(*pairs(3, 3, [1, 2, 3, 1, 5, 2, 1, 1, 1])),
}


def model_of(name, **parameters):
    """Return a model of the class with its defaults, small where it has a size."""
    cls = registry.class_of(name)
    if name == "Blend":
        parts = {"walk": sl.RP3beta(), "counts": sl.Popularity()}
        return cls(parts, weights={"walk": 0.7, "counts": 0.3}, **parameters)
    if name == "FeatureMapping":
        return cls({"taste": sl.WALS(dim=3)}, **parameters)
    known = inspect.signature(cls).parameters
    small = {"dim": 3, "n_segments": 1}
    return cls(**{key: value for key, value in small.items() if key in known} | parameters)


def has_dim(name):
    return "dim" in inspect.signature(registry.class_of(name)).parameters


def assert_sound(model, dataset):
    """Hold that the fitted `model` answers with finite, distinct, ranked items, short only with a reason."""
    for exclude_seen in (True, False):
        shown = model.recommend(dataset.users.ids, 4, exclude_seen=exclude_seen, on_unknown="skip")
        frame = shown.frame
        assert np.isfinite(frame["score"].to_numpy()).all()
        assert not frame.select("user_id", "item_id").is_duplicated().any()
        counts = dict(frame.group_by("user_id").len().iter_rows())
        for user in dataset.users.ids:
            assert counts.get(user, 0) == 4 or shown.shortfalls[user]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", registry.MODELS)
def test_it_answers_or_says_why_not(name, world):
    dataset = WORLDS[world]()
    model = model_of(name)
    try:
        model.fit(dataset, rng=0)
    except (DataError, ParameterError) as error:
        assert len(str(error)) > 30, "an error that says nothing"  # noqa: PT017 - refusing is as right
        assert not model.is_fitted
        return
    assert_sound(model, dataset)


@pytest.mark.parametrize("name", registry.MODELS)
def test_an_ordinary_world_is_fitted(name):
    dataset = data(*some_of())
    assert_sound(model_of(name).fit(dataset, rng=0), dataset)


@pytest.mark.parametrize("name", registry.MODELS)
def test_no_events_are_refused_and_the_model_stays_unfitted(name):
    dataset = data(*some_of())
    nothing = dataset.with_interactions(dataset.interactions.where(np.zeros(len(dataset.interactions), bool)))
    model = model_of(name)
    with pytest.raises(DataError, match="no interactions"):
        model.fit(nothing)
    assert not model.is_fitted


@pytest.mark.parametrize("name", registry.MODELS)
def test_an_empty_catalogue_after_filtering_gives_empty_lists_with_a_reason(name):
    dataset = data(*some_of())
    model = model_of(name).fit(dataset, rng=0)
    shown = model.recommend(dataset.users.ids, 3, exclude=dataset.items.ids, on_unknown="skip")
    assert shown.frame.height == 0
    assert set(shown.shortfalls) == set(dataset.users.ids)


@pytest.mark.parametrize("dim", [9, 64])
@pytest.mark.parametrize("name", [name for name in registry.MODELS if has_dim(name)])
def test_a_dim_above_the_catalogue_is_fitted_or_refused_by_name(name, dim):
    dataset = data(*some_of())
    model = model_of(name, dim=dim)
    try:
        model.fit(dataset, rng=0)
    except ParameterError as error:
        assert "dim" in str(error)  # noqa: PT017 - either is right
        return
    assert_sound(model, dataset)


@pytest.mark.parametrize("name", registry.MODELS)
def test_every_number_of_the_constructor_refuses_what_is_none(name):
    parameters = inspect.signature(registry.class_of(name)).parameters
    numbers = [key for key, p in parameters.items() if type(p.default) in (int, float)]
    for key in numbers:
        for wrong in (float("nan"), "three", -(10**400)):
            with pytest.raises(ParameterError, match=key):
                model_of(name, **{key: wrong})


@pytest.mark.parametrize("name", registry.MODELS)
def test_ctrl_c_in_a_fit_leaves_the_model_as_it_was(name, monkeypatch):
    dataset = data(*some_of())
    model = model_of(name).fit(dataset, rng=0)
    before = model.recommend(dataset.users.ids, 3, on_unknown="skip").frame
    reached = []

    def interrupted(function, n_rows, block=None):
        reached.append(n_rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threads, "run_blocks", interrupted)
        try:
            model.fit(data(*some_of(seed=2)), rng=0)
        except KeyboardInterrupt:
            assert reached  # models that only count never come to the pool
        else:
            assert not reached, "an interrupt was swallowed"
            return
    after = model.recommend(dataset.users.ids, 3, on_unknown="skip").frame
    assert after.equals(before)
