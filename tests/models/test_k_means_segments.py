from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from experiments.hand_data import dataset
from sklearn.metrics import adjusted_rand_score

import shortlist as sl
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError, UnknownIdError

EVENTS = Feedback.events()
# Users 0–2 like items 0–2, users 3 and 4 items 3 and 4; user 5 likes nothing; nobody likes item 5.
LIKES = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 0), (3, 3), (3, 4), (4, 3)]


def two_tastes(**keywords):
    return dataset([(u, i, 1) for u, i in LIKES], 6, 6, feedback=EVENTS, **keywords)


def planted(seed=0, n_users=90, n_items=30, n_groups=3):
    """Return likes where user u and item i mostly meet when u ≡ i modulo n_groups."""
    rng = np.random.default_rng(seed)
    same = np.arange(n_users)[:, None] % n_groups == np.arange(n_items) % n_groups
    liked = rng.random((n_users, n_items)) < np.where(same, 0.7, 0.03)
    liked[np.arange(n_users), np.arange(n_users) % n_groups] = True
    users, items = np.nonzero(liked)
    return dataset(
        list(zip(users, items, np.ones(users.size), strict=True)), n_users, n_items, feedback=EVENTS
    )


def with_features(data, *, users=None, items=None):
    def table(ids, values):
        return (
            None
            if values is None
            else FeatureTable(
                pl.DataFrame([ids.ids.rename("id"), pl.Series("kind", values, dtype=DTYPES["categorical"])]),
                {"kind": "categorical"},
            )
        )

    return replace(data, user_features=table(data.users, users), item_features=table(data.items, items))


def listed(model, user, k=10, **limits):
    frame = model.recommend(user, k, exclude_seen=False, **limits).frame
    return dict(zip((frame["item_id"] - 500).to_list(), frame["score"].to_list(), strict=True))


def test_what_is_popular_in_a_segment_of_users_is_by_hand():
    model = sl.KMeansSegments(2, dim=4, shrinkage=1).fit(two_tastes(), rng=0)
    assert model.segments_.tolist() == [0, 0, 0, 1, 1, -1]
    # (likes in the segment + share of all five people) / (3 + 1)
    assert listed(model, 100) == pytest.approx({0: 3.6 / 4, 1: 2.4 / 4, 2: 1.2 / 4, 3: 0.4 / 4, 4: 0.2 / 4})
    assert listed(model, 104) == pytest.approx({3: 2.4 / 3, 4: 1.2 / 3, 0: 0.6 / 3, 1: 0.4 / 3, 2: 0.2 / 3})
    plain = sl.KMeansSegments(2, dim=4, shrinkage=0).fit(two_tastes(), rng=0)
    assert listed(plain, 104) == {3: 1.0, 4: 0.5, 0: 0.0, 1: 0.0, 2: 0.0}


def test_what_is_popular_in_the_item_segments_of_a_person_is_by_hand():
    model = sl.KMeansSegments(2, of="items", dim=4, shrinkage=1).fit(two_tastes(), rng=0)
    assert model.segments_.tolist() == [0, 0, 0, 1, 1, -1]
    assert model.segment_sizes_.tolist() == [6, 3]
    # User 3 has two likes, both in segment 1: P(1) = (2 + 1/3) / 3, P(0) = (2/3) / 3.
    first, second = (2 + 1 / 3) / 3, (2 / 3) / 3
    expected = {3: first * 2 / 3, 4: first / 3, 0: second * 3 / 6, 1: second * 2 / 6, 2: second / 6}
    assert listed(model, 103) == pytest.approx(expected)
    assert sum(listed(model, 103).values()) == pytest.approx(1)


@pytest.mark.parametrize("of", ["users", "items"])
def test_planted_groups_are_found(of):
    data = planted()
    model = sl.KMeansSegments(3, of=of, dim=3).fit(data, rng=0)
    n = model.segments_.size
    assert adjusted_rand_score(np.arange(n) % 3, model.segments_) == 1
    for user in (100, 101, 102):
        top = model.recommend(user, 5, exclude_seen=False).frame["item_id"] - 500
        assert set(top % 3) == {(user - 100) % 3}
    assert (np.diff(model.cost_) <= 1e-9).all()


@pytest.mark.parametrize("of", ["users", "items"])
def test_people_folded_in_with_the_events_of_training_are_in_their_segment(of):
    data = planted(seed=1)
    model = sl.KMeansSegments(3, of=of, dim=5).fit(data, rng=0)
    folded = model.fold_in_users(data)
    assert (folded.vectors == model.user_factors_).all()
    assert model.recommend(folded, 4).frame.equals(model.recommend(data.users.ids, 4).frame)
    if of == "users":
        assert model.segment_of(folded).tolist() == model.segments_.tolist()


def test_a_stranger_without_a_known_like_has_no_segment():
    model = sl.KMeansSegments(2, dim=4).fit(two_tastes(), rng=0)
    folded = model.fold_in_users(dataset([(0, 0, 1), (1, 5, 1)], 2, 6, feedback=EVENTS))
    assert folded.known.tolist() == [True, False]
    assert model.segment_of(folded).tolist() == [0, -1]
    with pytest.raises(UnknownIdError):
        model.recommend(105)


@pytest.mark.parametrize("of", ["users", "items"])
def test_segments_by_features_need_no_events(of):
    data = two_tastes()
    kinds = ["a", "a", "b", "b", "b", "a"]
    data = with_features(data, users=kinds, items=kinds)
    model = sl.KMeansSegments(2, of=of, on="features", n_init=1).fit(data, rng=0)
    assert model.segment_of([100 if of == "users" else 500])[0] == model.segments_[5]
    groups = [set(np.flatnonzero(model.segments_ == s).tolist()) for s in range(2)]
    assert groups == [{0, 1, 5}, {2, 3, 4}]
    if of == "users":
        assert model.known_users_.all()  # user 5 has no event
        frame = pl.DataFrame({"id": [7, 8], "kind": ["b", "new"]})
        strangers = dataset([(0, 0, 1), (1, 1, 1)], 2, 6, feedback=EVENTS)
        features = FeatureTable(frame.with_columns(pl.Series("id", [100, 101])), {"kind": "categorical"})
        folded = model.fold_in_users(strangers, features)
        assert model.segment_of(folded).tolist() == [1, -1]


@pytest.mark.parametrize(
    "parameters", [{}, {"of": "items"}, {"on": "features"}, {"of": "items", "on": "features"}]
)
def test_saved_alone_or_in_a_batch_the_lists_are_the_same(parameters, tmp_path):
    data = planted(seed=2)
    data = with_features(data, users=[str(u % 4) for u in range(90)], items=[str(i % 5) for i in range(30)])
    model = sl.KMeansSegments(3, dim=4, **parameters).fit(data, rng=3)
    batch = model.recommend(data.users.ids, 6).frame
    assert pl.concat([model.recommend(user, 6).frame for user in data.users.ids]).equals(batch)
    assert model.score(batch["user_id"], batch["item_id"]).tolist() == batch["score"].to_list()
    again = sl.load(model.save(tmp_path / "model"))
    assert again.recommend(data.users.ids, 6).frame.equals(batch)
    assert again.popular(0) == model.popular(0)
    assert again.fold_in_users(data).vectors.tolist() == model.fold_in_users(data).vectors.tolist()


def test_popular_items_of_a_segment_have_share_and_lift():
    model = sl.KMeansSegments(2, dim=4, shrinkage=1).fit(two_tastes(), rng=0)
    assert [(i.item_id, i.n_likes, i.share) for i in model.popular(0, 2)] == [(500, 3, 1.0), (501, 2, 2 / 3)]
    # Three like item 0; of 3 of 5 people, 9/5 would be expected.
    assert model.popular(0, 1)[0].lift == pytest.approx((3 + 1) / (9 / 5 + 1))
    typical = model.popular(1, by="lift")
    assert [i.item_id for i in typical] == [503, 504]
    assert [i.lift for i in typical] == pytest.approx([3 / (4 / 5 + 1), 2 / (2 / 5 + 1)])


def test_the_elbow_shows_how_many_groups_there_are():
    data = planted(n_groups=4, n_items=40)
    points = sl.KMeansSegments(dim=6).elbow(data, range(2, 8), rng=0)
    assert [point.n_segments for point in points] == list(range(2, 8))
    assert max(points, key=lambda point: point.silhouette).n_segments == 4
    cost = [point.cost for point in points]
    assert cost == sorted(cost, reverse=True)
    model = sl.KMeansSegments(4, dim=6).fit(data, rng=0)
    assert model.cost_[-1] == pytest.approx(cost[2])


def test_the_same_seed_gives_the_same_segments():
    data = planted()
    first, second = (sl.KMeansSegments(5, dim=8).fit(data, rng=4) for _ in range(2))
    assert (first.segments_ == second.segments_).all()
    assert (first.item_factors_ == second.item_factors_).all()
    assert first.segments_.max() == 4
    assert (np.diff(first.segment_sizes_) <= 0).all()


@pytest.mark.parametrize(
    ("parameters", "data", "error", "says"),
    [
        ({"n_segments": 6}, two_tastes, ParameterError, "n_segments=6, and there are 5 vectors"),
        ({"on": "features"}, two_tastes, DataError, "features of the users"),
        ({"of": "items", "on": "features"}, two_tastes, DataError, "features of the items"),
        ({}, lambda: dataset([(0, 0, 1)], 1, 1), DataError, "none of the 1 ratings is positive"),
    ],
)
def test_what_cannot_be_fitted_is_refused(parameters, data, error, says):
    with pytest.raises(error, match=says):
        sl.KMeansSegments(**parameters).fit(data(), rng=0)


@pytest.mark.parametrize(
    "parameters",
    [{"n_segments": 0}, {"of": "both"}, {"on": "model"}, {"dim": 0}, {"columns": "kind"}, {"shrinkage": -1}],
)
def test_wrong_parameters_are_refused(parameters):
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        sl.KMeansSegments(**parameters)


def test_wrong_questions_are_refused():
    data = two_tastes()
    model = sl.KMeansSegments(2, dim=4).fit(data, rng=0)
    with pytest.raises(ParameterError, match="segment=2: there are 2"):
        model.popular(2)
    with pytest.raises(ParameterError, match="by="):
        model.popular(0, by="fame")
    with pytest.raises(UnknownIdError):
        model.segment_of([1])
    features = FeatureTable(pl.DataFrame({"id": [100], "kind": ["a"]}), {"kind": "categorical"})
    with pytest.raises(ParameterError, match="features are used for"):
        model.fold_in_users(data, features)
    of_items = sl.KMeansSegments(2, of="items", dim=4).fit(data, rng=0)
    with pytest.raises(ParameterError, match="no segment of"):
        of_items.segment_of(of_items.fold_in_users(data))
    by_features = sl.KMeansSegments(1, on="features").fit(with_features(data, users=["a"] * 6), rng=0)
    with pytest.raises(DataError, match="give features="):
        by_features.fold_in_users(data)


def test_the_reason_names_the_segment():
    shown = sl.KMeansSegments(2, dim=4).fit(two_tastes(), rng=0).recommend(100, 1)
    assert shown.reasons["reason"].to_list() == ["popular among people like you"]
