"""What `recommend` promises, of every model and of a pipeline, over random data and requests."""

import itertools
import tempfile

import numpy as np
import polars as pl
import pytest
from contract.random_data import datasets, requests
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.errors import UnknownIdError


def small_pipeline():
    wals = sl.WALS(dim=2, n_epochs=1)
    sources = [sl.Nearest(wals, k=4), sl.RelatedToRecent(wals, recent=2, per_item=2), sl.Popular(k=3)]
    return sl.Pipeline(sources, sl.ModelScorer(wals))


MAKERS = {
    "Popularity count": sl.Popularity,
    "Popularity mean": lambda: sl.Popularity("mean"),
    "MatrixFactorization": lambda: sl.MatrixFactorization(dim=3, n_epochs=2, min_ratings=1),
    "MatrixFactorization min_ratings": lambda: sl.MatrixFactorization(dim=2, n_epochs=1, min_ratings=3),
    "WALS": lambda: sl.WALS(dim=3, n_epochs=2),
    "Pipeline": small_pipeline,
}
NEEDS_RATINGS = {"MatrixFactorization", "MatrixFactorization min_ratings"}


def fitted(name, data):
    kinds = ("ratings",) if name in NEEDS_RATINGS else ("ratings", "binary", "events")
    dataset = data.draw(datasets(kinds).filter(lambda d: d.interactions.positive.any()))
    return dataset, MAKERS[name]().fit(dataset, rng=0)


def events_of(dataset, user, at):
    log = dataset.interactions
    mine = log.user_idx == dataset.users.index_of([user])[0]
    if at is not None and log.timestamp is not None:
        mine &= log.timestamp <= at
    return set(dataset.items.ids.gather(log.item_idx[mine]).to_list())


def check_contract(dataset, shown, request):
    frame = shown.frame
    assert frame.columns[:4] == ["user_id", "item_id", "score", "rank"]
    assert ("title" in frame.columns) == (dataset.item_features is not None)
    assert np.isfinite(frame["score"].to_numpy()).all()
    order = {user: n for n, user in enumerate(request["users"])}
    rows = frame.select("user_id", "item_id", "score", "rank").rows()
    assert [order[row[0]] for row in rows] == sorted(order[row[0]] for row in rows)
    lists = {u: [r[1:] for r in group] for u, group in itertools.groupby(rows, key=lambda r: r[0])}
    for user in request["users"]:
        check_list(dataset, lists.get(user, []), user, shown, request)


def check_list(dataset, rows, user, shown, request):
    items = [item for item, _, _ in rows]
    assert [rank for _, _, rank in rows] == list(range(1, len(rows) + 1))
    assert len(rows) <= request["k"]
    assert len(set(items)) == len(items)
    assert rows == sorted(rows, key=lambda r: (-r[1], r[0]))
    assert (user in shown.shortfalls) == (len(rows) < request["k"])
    if request["items"] is not None:
        assert set(items) <= set(request["items"])
    assert not set(items) & set(request["exclude"] or [])
    if request["exclude_seen"]:
        assert not set(items) & events_of(dataset, user, request["at"])


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=60)
@given(data=st.data())
def test_lists_keep_their_promises(name, data):
    dataset, model = fitted(name, data)
    request = data.draw(requests(dataset))
    shown = model.recommend(**request)
    check_contract(dataset, shown, request)
    assert shown.reasons.height == shown.frame.height
    assert shown.reasons["reason"].null_count() == 0


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=25)
@given(data=st.data())
def test_one_user_gets_what_a_batch_gives(name, data):
    dataset, model = fitted(name, data)
    request = data.draw(requests(dataset))
    batch = model.recommend(**request)
    for user in request["users"]:
        alone = model.recommend(**{**request, "users": user})
        assert alone.frame.rows() == [row for row in batch.frame.rows() if row[0] == user]
        assert alone.reasons.rows() == [row for row in batch.reasons.rows() if row[0] == user]
        assert alone.shortfalls.get(user) == batch.shortfalls.get(user)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15)
@given(data=st.data())
def test_saved_and_loaded_gives_the_same(name, data):
    dataset, model = fitted(name, data)
    request = data.draw(requests(dataset))
    with tempfile.TemporaryDirectory() as folder:
        loaded = sl.load(model.save(f"{folder}/artifact"))
    assert type(loaded) is type(model)
    assert loaded.recommend(**request).frame.equals(model.recommend(**request).frame, null_equal=True)
    assert loaded.recommend(**request).reasons.equals(model.recommend(**request).reasons)


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "Pipeline"])
@settings(max_examples=15)
@given(data=st.data())
def test_the_score_of_a_pair_is_the_score_on_the_list(name, data):
    dataset, model = fitted(name, data)
    users = dataset.users.ids.filter(model.known_users_).to_list()
    frame = model.recommend(users, 5, exclude_seen=False).frame
    assert model.score(frame["user_id"], frame["item_id"]).tolist() == frame["score"].to_list()


@pytest.mark.parametrize("name", MAKERS)
def test_unknown_users_raise_are_skipped_or_get_what_is_popular(name):
    dataset = sl.read(FRAME, kind="ratings", scale=(1, 5))
    model = MAKERS[name]().fit(dataset, rng=0)
    with pytest.raises(UnknownIdError, match=r"'nobody'.*on_unknown"):
        model.recommend(["ann", "nobody"])
    skipped = model.recommend(["nobody"], 2, on_unknown="skip")
    assert skipped.frame.height == 0
    assert skipped.shortfalls == {"nobody": "unknown user, skipped"}
    given_popular = model.recommend(["nobody"], 2, on_unknown="fallback")
    assert given_popular.frame["item_id"].to_list() == ["x", "y"]
    assert given_popular.fallback == {"nobody"}
    assert given_popular.reasons["reason"].to_list() == [
        "popular: liked by 3 people",
        "popular: liked by 2 people",
    ]
    with pytest.raises(sl.errors.ParameterError, match="on_unknown='quiet'"):
        model.recommend(["ann"], on_unknown="quiet")


FRAME = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "bob", "bob", "cy", "cy", "cy"],
        "item_id": ["x", "y", "x", "z", "x", "y", "z"],
        "value": [5, 4, 5, 1, 4, 5, 4],
    }
)


@pytest.mark.parametrize("name", MAKERS)
def test_wrong_requests_say_what_is_wrong(name):
    model = MAKERS[name]().fit(sl.read(FRAME, kind="ratings", scale=(1, 5)), rng=0)
    wrong = sl.errors.ParameterError
    for k in (-1, 2.5, "10", True):
        with pytest.raises(wrong, match="k must be a whole number"):
            model.recommend("ann", k)
    with pytest.raises(UnknownIdError, match="unknown item: 'q'"):
        model.recommend("ann", items=["q"])
    with pytest.raises(wrong, match="ISO 8601"):
        model.recommend("ann", at="yesterday")
    with pytest.raises(wrong, match="context"):
        model.recommend("ann", context={"day": "Monday"})
    with pytest.raises(sl.errors.NotFittedError, match="fit"):
        MAKERS[name]().recommend("ann")


@pytest.mark.parametrize("name", MAKERS)
def test_fitting_changes_neither_the_data_nor_what_was_given(name):
    dataset = sl.read(FRAME, kind="ratings", scale=(1, 5))
    before, model = dataset.fingerprint, MAKERS[name]()
    given = {key: repr(value) for key, value in vars(model).items()}
    model.fit(dataset, rng=0)
    del dataset.__dict__["fingerprint"]
    assert dataset.fingerprint == before
    assert {key: repr(value) for key, value in vars(model).items() if key in given} == given


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_seed_gives_the_same_lists(name, rng):
    dataset = sl.read(FRAME, kind="ratings", scale=(1, 5))
    first, second = (MAKERS[name]().fit(dataset, rng=3).recommend(["ann", "bob"]).frame for _ in range(2))
    assert first.equals(second)
