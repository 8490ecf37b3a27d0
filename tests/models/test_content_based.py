from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from experiments.hand_data import dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import content_based as oracle

import shortlist as sl
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError, UnknownIdError

DAY = 86_400_000_000
ITEMS = [
    {"tags": ["Romance"], "number": 1990.0},
    {"tags": ["Romance", "Comedy"], "number": 2000.0},
    {"tags": ["Action"], "number": 2010.0},
    {"tags": ["Action", "Comedy"], "number": None},
    {"tags": None, "number": None},
]
# User 0 likes the romance, dislikes the action film; user 1 the mirror; user 2 has no events.
LOG = [(0, 0, 5), (0, 2, 1), (1, 2, 5), (1, 0, 1)]


def table(ids, tags=None, number=None, title=None):
    columns = {"genres": (tags, "tags"), "year": (number, "numeric"), "title": (title, "text")}
    kinds = {name: kind for name, (cells, kind) in columns.items() if cells is not None}
    cells = [pl.Series(name, columns[name][0], dtype=DTYPES[kind]) for name, kind in kinds.items()]
    return FeatureTable(pl.DataFrame([pl.Series("id", ids, dtype=pl.Int64), *cells]), kinds)


def films(events=LOG, items=ITEMS, n_users=3, users=None, **keywords):
    """Return ratings of users 100, … of items 500, … with genres and year; `users` are the genres each states."""
    data = dataset(events, n_users, len(items), **keywords)
    features = table(data.items.ids, [item["tags"] for item in items], [item["number"] for item in items])
    of_users = None if users is None else table(data.users.ids, users)
    return replace(data, item_features=features, user_features=of_users)


def listed(model, user, k=10, **limits):
    frame = model.recommend(user, k, exclude_seen=False, **limits).frame
    return dict(zip((frame["item_id"] - 500).to_list(), frame["score"].to_list(), strict=True))


def test_scores_by_tags_are_by_hand():
    model = sl.ContentBased(["genres"]).fit(films())
    half = np.sqrt(0.5)
    assert listed(model, 100) == pytest.approx({0: 1.0, 1: half, 2: 0.0, 3: 0.0})
    assert list(listed(model, 101)) == [2, 3, 0, 1]
    dots = sl.ContentBased(["genres"], measure="dot").fit(films())
    assert listed(dots, 100) == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0}


def test_what_is_rated_below_the_mean_counts_against_its_features():
    model = sl.ContentBased(["genres"], measure="dot", weigh="rating", mean_shrinkage=0).fit(films())
    # Weights 2 and −2 of mean 3, divided by 4.
    assert listed(model, 100) == {0: 0.5, 1: 0.5, 2: -0.5, 3: -0.5}


def test_equal_ratings_say_something_against_the_mean_of_all():
    events = [(0, 0, 5), (0, 1, 5), (1, 2, 1), (1, 3, 1)]
    shrunk = sl.ContentBased(["genres"], weigh="rating").fit(films(events))
    assert list(listed(shrunk, 100))[:2] == [0, 1]
    assert list(listed(shrunk, 101))[:2] == [0, 1]  # whoever dislikes action is nearest to what has none
    alone = sl.ContentBased(["genres"], weigh="rating", mean_shrinkage=0).fit(films(events))
    assert not alone.known_users_.any()


def test_ratings_that_cancel_but_for_rounding_are_no_profile():
    values = [1, 1, 2]  # their distances from the mean of 4/3 sum to 2e-16
    items = [{"tags": ["x"], "number": None}] * len(values)
    events = [(0, item, value) for item, value in enumerate(values)]
    model = sl.ContentBased(["genres"], weigh="rating", mean_shrinkage=0).fit(films(events, items))
    assert not model.known_users_.any()
    with pytest.raises(UnknownIdError):
        model.recommend(100)


@st.composite
def worlds(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_users, n_items = int(rng.integers(1, 5)), int(rng.integers(1, 7))
    items = [
        {
            "tags": None if rng.random() < 0.2 else rng.choice(list("abcd"), rng.integers(0, 3)).tolist(),
            "number": None if rng.random() < 0.3 else float(rng.choice([1.0, 2.0, 5.5])),
        }
        for _ in range(n_items)
    ]
    size = int(rng.integers(1, 12))
    columns = (rng.integers(0, n_users, size), rng.integers(0, n_items, size), rng.integers(1, 6, size))
    events = list(zip(*(column.tolist() for column in columns), strict=True))
    users = [rng.choice(list("abcz"), rng.integers(0, 3)).tolist() for _ in range(n_users)]
    return events, items, n_users, users


@settings(max_examples=60)
@given(
    worlds(),
    st.sampled_from(["cosine", "dot"]),
    st.sampled_from(["liked", "rating"]),
    st.sampled_from([None, 0.5]),
    st.sampled_from([0.0, 2.0]),
)
def test_it_agrees_with_the_definition(world, measure, weigh, taste_weight, shrinkage):
    events, items, n_users, users = world
    data = films(events, items, n_users, users)
    weights = {"tags": 0.5, "number": 2.0}
    tastes = {} if taste_weight is None else {"tastes": ["genres"], "taste_weight": taste_weight}
    model = sl.ContentBased(
        column_weights={"genres": 0.5, "year": 2.0},
        measure=measure,
        weigh=weigh,
        mean_shrinkage=shrinkage,
        **tastes,
    ).fit(data)
    names, rows = oracle.features(items, weights)
    log = [(user, item, value, value >= 4) for user, item, value in events]
    assert model.known_items_.tolist() == [any(row) for row in rows]
    for user in range(n_users):
        stated = None if taste_weight is None else [0.5 * (name in users[user]) for name in names]
        expected = oracle.scores(
            rows, log, user, measure=measure, weigh=weigh, shrinkage=shrinkage, stated=stated,
            taste_weight=taste_weight,
        )  # fmt: skip
        assert model.known_users_[user] == (expected is not None)
        if expected is None:
            continue
        found = listed(model, 100 + user)
        assert found == pytest.approx({i: expected[i] for i in found}, rel=1e-5, abs=1e-6)
        assert set(found) == set(np.flatnonzero(model.listed_items_).tolist())
        assert list(found.items()) == sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))


def random_films(seed=0, n_users=40, n_items=30):
    rng = np.random.default_rng(seed)
    items = [
        {"tags": rng.choice(list("abcdefg"), 2).tolist(), "number": float(rng.integers(1950, 2020))}
        for _ in range(n_items)
    ]
    pairs = rng.choice(n_users * n_items, 300, replace=False)
    values = rng.integers(1, 6, pairs.size)
    events = [(int(p) // n_items, int(p) % n_items, int(v)) for p, v in zip(pairs, values, strict=True)]
    data = films(events, items, n_users, [rng.choice(list("abc"), 1).tolist() for _ in range(n_users)])
    words = ["one", "two", "three", "four"]
    titles = [" ".join(rng.choice(words, 3)) for _ in range(n_items)]
    frame = data.item_features.frame.with_columns(pl.Series("title", titles))
    return replace(data, item_features=FeatureTable(frame, {**data.item_features.kinds, "title": "text"}))


@pytest.mark.parametrize("weigh", ["liked", "rating"])
def test_one_person_alone_a_block_and_saved_give_the_same_bits(weigh, tmp_path):
    data = random_films()
    model = sl.ContentBased(weigh=weigh, tastes=["genres"]).fit(data)
    batch = model.recommend(data.users.ids, 5)
    alone = pl.concat([model.recommend(user, 5).frame for user in data.users.ids])
    assert alone.equals(batch.frame)
    assert (
        model.score(batch.frame["user_id"], batch.frame["item_id"]).tolist() == batch.frame["score"].to_list()
    )
    again = sl.load(model.save(tmp_path / "model"))
    assert again.recommend(data.users.ids, 5).frame.equals(batch.frame)
    assert again.similar_items([500, 501]).frame.equals(model.similar_items([500, 501]).frame)
    assert repr(again) == repr(model)


@pytest.mark.parametrize("weigh", ["liked", "rating"])
def test_the_order_of_ids_changes_nothing(weigh):
    data = random_films()
    rng = np.random.default_rng(1)
    users, items = rng.permutation(len(data.users)), rng.permutation(len(data.items))
    log = data.interactions
    moved = replace(
        data,
        interactions=replace(
            log, user_idx=users[log.user_idx].astype(np.int32), item_idx=items[log.item_idx].astype(np.int32)
        ),
        item_features=FeatureTable(
            data.item_features.frame[np.argsort(items)].with_columns(data.items.ids.alias("id")),
            data.item_features.kinds,
        ),
        user_features=None,
    )
    found = sl.ContentBased(weigh=weigh).fit(data)
    other = sl.ContentBased(weigh=weigh).fit(moved)
    for user in (0, 7, 23):
        here, there = listed(found, 100 + user, 30), listed(other, 100 + int(users[user]), 30)
        assert {int(items[i]): s for i, s in here.items()} == pytest.approx(there, abs=1e-6)


def test_people_folded_in_with_the_events_of_training_get_their_lists():
    data = random_films()
    for tastes in ([], ["genres"]):
        model = sl.ContentBased(weigh="rating", tastes=tastes).fit(data)
        folded = model.fold_in_users(data)
        assert folded.known.tolist() == model.known_users_.tolist()
        shown = model.recommend(folded, 6, on_unknown="skip").frame
        assert shown.equals(model.recommend(data.users.ids, 6, on_unknown="skip").frame)
        few = model.recommend(folded.take(np.array([3, 1])), 6).frame
        assert few.equals(model.recommend([103, 101], 6).frame)


def test_stated_tastes_alone_make_a_profile():
    model = sl.ContentBased(["genres"]).fit(films())
    stated = table([7, 9, 8], [["Action"], ["Western"], ["Comedy", "Action"]])
    folded = model.fold_in_users(features=stated)
    assert folded.user_ids.to_list() == [7, 8, 9]
    assert folded.known.tolist() == [True, True, False]
    shown = model.recommend(folded, 2, on_unknown="skip").frame
    assert (shown["item_id"] - 500).to_list() == [2, 3, 3, 2]
    with pytest.raises(UnknownIdError, match="9"):
        model.recommend(folded)


def test_stated_tastes_join_events_by_id():
    model = sl.ContentBased(["genres"]).fit(films())
    news = dataset([(0, 0, 5), (1, 2, 5)], 2, 5)
    folded = model.fold_in_users(news, table([101, 300], [["Comedy"], ["Romance"]]))
    assert folded.user_ids.to_list() == [100, 101, 300]
    frame = model.recommend(folded, 1, exclude_seen=False).frame
    # Romance; action and comedy; romance.
    assert (frame["item_id"] - 500).to_list() == [0, 3, 0]
    assert model.recommend(folded, 5).frame.filter(pl.col("user_id") == 100)["item_id"].to_list() == [
        501,
        502,
        503,
    ]


def test_user_features_that_state_tastes_are_used_in_training():
    model = sl.ContentBased(["genres"], tastes=["genres"]).fit(films(users=[None, None, ["Comedy"]]))
    assert model.known_users_.all()
    assert list(listed(model, 102))[:2] == [1, 3]
    plain = sl.ContentBased(["genres"]).fit(films(users=[None, None, ["Comedy"]]))
    assert plain.known_users_.tolist() == [True, True, False]


def test_a_new_item_is_listed_and_one_without_features_is_not():
    model = sl.ContentBased().fit(films())
    assert model.known_items_.tolist() == [True] * 4 + [False]
    assert 3 in listed(model, 101)  # nobody has touched it
    with pytest.raises(UnknownIdError, match="504"):
        model.score([100], [504])


def test_columns_that_say_nothing_do_no_harm():
    empty = [{**item, "number": None} for item in ITEMS]
    constant = [{**item, "number": 7.0} for item in ITEMS]
    expected = listed(sl.ContentBased(["genres"]).fit(films()), 100)
    for items in (empty, constant):
        assert listed(sl.ContentBased().fit(films(items=items)), 100) == expected


def test_nothing_known_of_any_item_is_no_list():
    nothing = [{"tags": None, "number": None}] * 2
    model = sl.ContentBased().fit(films([(0, 0, 5)], nothing, 1))
    assert not model.known_items_.any()
    assert model.recommend(100, on_unknown="skip").frame.is_empty()


def test_one_user_and_one_item():
    model = sl.ContentBased().fit(films([(0, 0, 5)], ITEMS[:1], 1))
    assert listed(model, 100) == {0: 1.0}
    assert model.similar_items(500).frame.is_empty()


def test_what_came_after_now_does_not_count():
    events = [(0, 0, 5, 0), (0, 2, 5, 10)]
    model = sl.ContentBased(["genres"]).fit(films(events))
    assert list(listed(model, 100, at=5 * DAY))[:2] == [0, 1]
    assert listed(model, 100)[2] == pytest.approx(np.sqrt(0.5))
    before = model.recommend(100, at=-DAY)
    assert before.frame.is_empty()
    assert before.shortfalls


def test_the_last_rating_of_an_item_counts():
    events = [(0, 0, 1), (0, 2, 5), (0, 0, 5), (0, 2, 1)]
    model = sl.ContentBased(["genres"], weigh="rating", mean_shrinkage=0).fit(films(events))
    assert next(iter(listed(model, 100))) == 0


def test_weights_of_columns_move_the_scores():
    titled = sl.ContentBased(column_weights={"year": 0.0}).fit(films())
    assert listed(titled, 100) == listed(sl.ContentBased(["genres"]).fit(films()), 100)


@pytest.mark.parametrize("measure", ["cosine", "dot"])
def test_similar_items_have_similar_features_whatever_scores_go_by(measure):
    model = sl.ContentBased(["genres"], measure=measure).fit(films())
    found = model.similar_items(500)
    assert (found.frame["similar_item_id"] - 500).to_list() == [1, 2, 3]
    assert found.frame["score"].to_list() == pytest.approx([np.sqrt(0.5), 0, 0])
    assert found.measure == "cosine of features"
    with pytest.raises(ParameterError, match="leave measure= out"):
        model.similar_items(500, measure="dot")


@pytest.mark.parametrize("measure", ["cosine", "dot"])
def test_contributions_sum_to_the_score_and_name_the_features(measure):
    data = random_films()
    model = sl.ContentBased(measure=measure, weigh="rating", tastes=["genres"]).fit(data)
    for user, item in [(100, 500), (110, 529), (139, 511)]:
        parts = model.parts_of_score(user, item)
        assert sum(part for _, part in parts) == pytest.approx(
            model.score([user], [item])[0], rel=1e-5, abs=1e-7
        )
        assert {name for name, _ in parts} <= set(model.encoder.names)
        sizes = [abs(part) for _, part in parts]
        assert sizes == sorted(sizes, reverse=True)
        assert all(sizes)
    profile = model.profile(100)
    assert measure == "dot" or sum(part**2 for _, part in profile) == pytest.approx(1)


def test_the_reason_is_the_features():
    shown = sl.ContentBased().fit(films()).recommend(100, 1)
    assert shown.reasons["reason"].to_list() == ["its features are closest to those of what you like"]


def test_a_contribution_is_named_by_hand():
    model = sl.ContentBased(["genres"], measure="dot").fit(films([(0, 0, 5), (0, 1, 5)]))
    assert model.profile(100) == [("genres=Romance", 1.0), ("genres=Comedy", 0.5)]
    assert model.parts_of_score(100, 503) == [("genres=Comedy", 0.5)]
    with pytest.raises(UnknownIdError):
        model.parts_of_score(102, 503)
    with pytest.raises(UnknownIdError):
        model.profile(999)


@pytest.mark.parametrize(
    ("parameters", "data", "error", "says"),
    [
        ({}, lambda: dataset(LOG, 3, 5), DataError, "needs item features"),
        ({"weigh": "rating"}, lambda: films(feedback=Feedback.events()), DataError, 'weigh="liked"'),
        ({"columns": ["plot"]}, films, ParameterError, "no feature 'plot'"),
        ({"column_weights": {"plot": 1.0}}, films, ParameterError, "column_weights has 'plot'"),
        ({"tastes": ["age"]}, films, ParameterError, "tastes has 'age'"),
        ({"tastes": ["genres"]}, films, DataError, "columns of the user features are: none"),
        ({"tastes": ["year"]}, lambda: films(users=[None] * 3), DataError, "features are: genres"),
    ],
)
def test_what_cannot_be_fitted_is_refused(parameters, data, error, says):
    with pytest.raises(error, match=says):
        sl.ContentBased(**parameters).fit(data())


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"columns": "genres"}, "columns must be a list of names"),
        ({"tastes": [1]}, "tastes must be a list of names"),
        ({"column_weights": {"genres": -1.0}}, r"column_weights\['genres'\]"),
        ({"measure": "euclidean"}, "measure='euclidean' is not one of cosine, dot"),
        ({"weigh": "all"}, "weigh='all'"),
        ({"taste_weight": 0}, "taste_weight"),
    ],
)
def test_wrong_parameters_are_refused(parameters, says):
    with pytest.raises(ParameterError, match=says):
        sl.ContentBased(**parameters)


def test_wrong_fold_ins_are_refused():
    model = sl.ContentBased().fit(films())
    with pytest.raises(ParameterError, match="events, features or both"):
        model.fold_in_users()
    with pytest.raises(DataError, match="none of those of the items: genres, year"):
        model.fold_in_users(features=table([1], title=["x"]))
    with pytest.raises(DataError, match="scale"):
        model.fold_in_users(dataset(LOG, 3, 5, feedback=Feedback.ratings(0, 10)))
    other = sl.ContentBased(measure="dot").fit(films())
    with pytest.raises(ParameterError, match="another model"):
        other.recommend(model.fold_in_users(films()))


def test_ids_of_people_folded_in_may_be_of_another_kind():
    model = sl.ContentBased(["genres"]).fit(films())
    named = FeatureTable(pl.DataFrame({"id": ["Ann"], "genres": [["Action"]]}), {"genres": "tags"})
    assert model.recommend(model.fold_in_users(features=named), 1).frame["user_id"].to_list() == ["Ann"]
