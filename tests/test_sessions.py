"""Lists for people who are not in the data: by events, by features, by a session of items."""

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.data.interactions import Interactions
from shortlist.errors import DataError, ParameterError, UnknownIdError

LENGTH = 5


@pytest.fixture(scope="module")
def films():
    data = sl.datasets.movielens_small()
    return data.with_interactions(data.interactions.where(data.interactions.user_idx < 80))


def pipeline_of(scorer, **more):
    related = sl.ItemNeighbors()
    sources = [sl.Nearest(scorer, k=50), sl.RelatedToRecent(related), sl.Popular()]
    return sl.Pipeline(sources, sl.ModelScorer(scorer), **more)


@pytest.fixture(scope="module")
def fitted(films):
    return pipeline_of(sl.ItemNeighbors()).fit(films)


def events_of(data, users):
    """Return the events of some users of `data` as those of strangers, who have other ids."""
    at = data.users.index_of(users)
    log = data.interactions.where(np.isin(data.interactions.user_idx, at))
    ids = sl.Vocabulary.of([f"like {user}" for user in users])
    place = np.full(len(data.users), -1)
    place[at] = ids.index_of([f"like {user}" for user in users])
    moved = Interactions.of(
        place[log.user_idx], log.item_idx, log.value, log.timestamp, len(ids), len(data.items), data.feedback
    )
    return sl.Dataset(moved, ids, data.items)


@pytest.mark.parametrize("scorer", [sl.EASE(), sl.WALS(dim=8, n_epochs=3)], ids=["EASE", "WALS"])
def test_who_did_what_a_user_did_gets_the_list_of_that_user(films, scorer):
    fitted = pipeline_of(scorer).fit(films, rng=0)
    users = [1, 5, 7]
    known, stranger = fitted.recommend(users, LENGTH), fitted.recommend_for(events_of(films, users), k=LENGTH)
    assert stranger.user_ids.to_list() == [f"like {user}" for user in users]
    assert stranger.frame["item_id"].to_list() == known.frame["item_id"].to_list()
    np.testing.assert_allclose(stranger.frame["score"], known.frame["score"], rtol=1e-4)
    assert stranger.reasons["reason"].to_list() == known.reasons["reason"].to_list()
    np.testing.assert_array_equal(stranger.candidates.source_rank, known.candidates.source_rank)
    assert not stranger.in_turn
    assert not stranger.fallback


def test_a_session_is_a_person_who_likes_its_items(films, fitted):
    session = [1, 50, 260]
    shown = fitted.recommend_session(session, LENGTH)
    assert shown.frame["user_id"].to_list() == ["session"] * LENGTH
    assert not set(shown.frame["item_id"]) & set(session)
    assert set(session) & set(fitted.recommend_session(session, 50, exclude_seen=False).frame["item_id"])
    titles = films.titles.gather(films.items.index_of(session)).to_list()
    anchors = shown.trace("session")["because_of"].drop_nulls().unique().to_list()
    assert anchors
    assert set(anchors) <= set(titles)
    liked = Interactions.of(
        np.zeros(3), films.items.index_of(session), np.full(3, 4.0), None, 1, len(films.items), films.feedback
    )
    events = sl.Dataset(liked, sl.Vocabulary.of(["x"]), films.items)
    assert fitted.recommend_for(events, k=LENGTH).frame.drop("user_id").equals(shown.frame.drop("user_id"))


def test_items_of_a_session_that_are_not_there_are_said_or_skipped(films, fitted):
    with pytest.raises(UnknownIdError, match="unknown items: -1, -2"):
        fitted.recommend_session([1, -1, -2])
    shown = fitted.recommend_session([1, -1, -2], LENGTH, skip_unknown=True)
    assert shown.frame.equals(fitted.recommend_session([1], LENGTH).frame)


def test_limits_and_rules_hold_for_strangers(films, fitted):
    first = fitted.recommend_session([1, 50], LENGTH).frame["item_id"].to_list()
    without = fitted.recommend_session([1, 50], LENGTH, exclude=first[:1]).frame["item_id"].to_list()
    assert without[: LENGTH - 1] == first[1:]
    only = fitted.recommend_session([1, 50], LENGTH, items=first[:2])
    assert only.frame["item_id"].to_list() == first[:2]
    assert "only 2 items may be shown" in only.shortfalls["session"]


def test_of_whom_nothing_is_known_the_sources_take_turns(films, fitted):
    nobody = fitted.recommend_session([], LENGTH)
    assert (
        nobody.frame["item_id"].to_list()
        == films.items.ids_of(np.argsort(-films.memory.n_positive, kind="stable")[:LENGTH]).to_list()
    )
    assert nobody.in_turn == {"session"}
    np.testing.assert_allclose(nobody.frame["score"], 1 / np.arange(1, LENGTH + 1), rtol=1e-6)
    assert nobody.reasons["reason"].str.starts_with("popular: liked by").all()


def test_what_the_scorer_cannot_fold_in_is_in_the_order_of_turns(films):
    popular = sl.Popularity("mean")
    sources = [sl.RelatedToRecent(sl.ItemNeighbors()), sl.Popular(k=3)]
    fitted = sl.Pipeline(sources, sl.ModelScorer(popular)).fit(films)
    shown = fitted.recommend_session([1], 4)
    ranks = shown.candidates.source_rank
    first = {(1, 0): 0, (0, 1): 1}
    assert shown.in_turn == {"session"}
    order = np.argsort(-shown.candidates.score)[:2]
    assert ranks[order[0], 0] == 1
    assert ranks[order[1], 1] == 1 or first.get(tuple(ranks[order[1]])) == 0
    events = events_of(films, [1])
    assert fitted.recommend_for(events, k=4, on_unknown="skip").frame.is_empty()
    with pytest.raises(UnknownIdError, match="nothing in the events folded in"):
        fitted.recommend_for(events, on_unknown="raise")


def shops(kind="events"):
    """Return events of people of two countries who buy different things, of two makers."""
    rng = np.random.default_rng(0)
    country = np.repeat(["France", "Spain"], 30)
    user = np.repeat(np.arange(60), 6)
    item = rng.integers(0, 20, user.size) + 20 * (user >= 30)
    frame = pl.DataFrame({"user_id": user, "item_id": item, "value": rng.integers(1, 6, user.size)})
    people = pl.DataFrame({"user_id": np.arange(60), "country": country, "age": rng.integers(20, 60, 60)})
    kinds = {"country": "categorical", "age": "numeric"}
    goods = pl.DataFrame({"item_id": np.arange(40), "maker": ["a", "b"] * 20})
    features = {"users": kinds, "items": {"maker": "categorical"}}
    scale = {"scale": (1, 5)} if kind == "ratings" else {}
    return sl.read(frame, users=people, items=goods, kind=kind, features=features, **scale)


FOLDING = {
    "BPR": lambda: sl.BPR(dim=2, n_epochs=1),
    "Blend": lambda: sl.Blend(
        {"a": sl.WALS(dim=2), "b": sl.ItemNeighbors(), "c": sl.Popularity()}, weights={"a": 1, "b": 1, "c": 0}
    ),
    "ContentBased": lambda: sl.ContentBased(["maker"]),
    "EASE": sl.EASE,
    "FactorizationMachine": lambda: sl.FactorizationMachine(dim=2, n_epochs=2),
    "FeatureMapping": lambda: sl.FeatureMapping({"a": sl.WALS(dim=2)}, user_columns=["country"]),
    "GraphFilter": sl.GraphFilter,
    "ItemNeighbors": sl.ItemNeighbors,
    "KMeansSegments": lambda: sl.KMeansSegments(2),
    "LinearOnFeatures": sl.LinearOnFeatures,
    "MatrixFactorization": lambda: sl.MatrixFactorization(dim=2),
    "PureSVD": lambda: sl.PureSVD(dim=2),
    "RP3beta": sl.RP3beta,
    "SoftmaxNet": lambda: sl.SoftmaxNet(dim=2, n_epochs=1, history=True),
    "TwoTower": lambda: sl.TwoTower(layers=[2], n_epochs=1),
    "UserNeighbors": sl.UserNeighbors,
    "WALS": lambda: sl.WALS(dim=2, user_features=["country"]),
}
OF_RATINGS = ("LinearOnFeatures", "MatrixFactorization")


@pytest.mark.parametrize("name", FOLDING)
def test_every_model_that_folds_people_in_scores_them_as_it_does_alone(name):
    data = shops("ratings" if name in OF_RATINGS else "events")
    model = FOLDING[name]().fit(data, rng=0)
    people = sl.Dataset(
        *(getattr(data, part) for part in ("interactions", "users", "items", "user_features"))
    )
    alone = model.recommend(model.fold_in_users(people), LENGTH, on_unknown="skip")
    fitted = sl.Pipeline([sl.Nearest(model), sl.Popular()], sl.ModelScorer(model)).fit(data)
    shown = fitted.recommend_for(people, k=LENGTH, on_unknown="skip")
    assert shown.frame.select("user_id", "item_id", "rank").equals(
        alone.frame.select("user_id", "item_id", "rank")
    )
    assert shown.frame["score"].equals(alone.frame["score"])
    assert shown.frame.height > 0
    assert model.folds_in


def test_what_folds_in_is_asked_only_for_what_it_goes_by():
    data = shops()
    for model, folds_in in (
        (sl.Popularity(), ()),
        (sl.KMeansSegments(2, on="features"), ("features",)),
        (sl.WALS(dim=2), ("events",)),
    ):
        fitted = sl.Pipeline([sl.Nearest(model), sl.Popular()], sl.ModelScorer(model)).fit(data, rng=0)
        assert fitted.models_[0].folds_in == folds_in
        assert (fitted.recommend_session([1, 2]).in_turn == {"session"}) == ("events" not in folds_in)
        shown = fitted.recommend_session([], features={"country": "Spain"})
        assert (shown.in_turn == {"session"}) == ("features" not in folds_in)


def test_features_alone_make_a_list(tmp_path):
    data = shops()
    taste = sl.WALS(dim=4, user_features=["country"])
    made = sl.Pipeline([sl.Nearest(taste)], sl.ModelScorer(taste)).fit(data, rng=0)
    for fitted in (made, sl.load(made.save(tmp_path / "p"))):
        french = fitted.recommend_session([], 5, features={"country": "France"})
        spanish = fitted.recommend_session([], 5, features={"country": "Spain"})
        assert max(french.frame["item_id"]) < 20 <= min(spanish.frame["item_id"])
        assert not french.in_turn
        table = data.user_features
        asked = sl.FeatureTable(table.frame.select("id", "country").head(1), {"country": "categorical"})
        by_table = fitted.recommend_for(features=asked, k=5)
        assert by_table.frame.drop("user_id").equals(french.frame.drop("user_id"))


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ({"contry": "France"}, "have no 'contry', did you mean 'country'"),
        ({"age": "old"}, "age is numeric, and 'old' is none"),
        ({"country": 1.5}, "country must be a text, got 1.5"),
    ],
)
def test_features_of_another_name_or_kind_are_refused(features, words):
    taste = sl.WALS(dim=2, user_features=True)
    fitted = sl.Pipeline([sl.Nearest(taste)], sl.ModelScorer(taste)).fit(shops(), rng=0)
    with pytest.raises(ParameterError, match=words):
        fitted.recommend_session([], features=features)


def test_events_of_another_kind_are_refused(films, fitted):
    with pytest.raises(DataError, match="these events are events"):
        fitted.recommend_for(shops())
    with pytest.raises(ParameterError, match="give events, features, or both"):
        fitted.recommend_for()
