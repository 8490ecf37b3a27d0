import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import derived_features as oracle

import shortlist as sl
from shortlist.data import split
from shortlist.data.derived_features import DerivedFeatures
from shortlist.data.event_sums import folds
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

DAY = 86_400_000_000
GENRES = {0: ["a"], 1: ["b", "a"], 2: [], 3: ["b"]}
N_USERS, N_ITEMS = 3, len(GENRES)


def dataset(events, *, times=True, feedback=None):
    """Return data of `events` [(user, item, value, time)], sorted by time; time in µs."""
    user, item, value, time = (np.array(column) for column in zip(*events, strict=True))
    ids = [Vocabulary.of(list(range(n))) for n in (N_USERS, N_ITEMS)]
    log = Interactions.of(
        user, item, value.astype(np.float32), time if times else None, N_USERS, N_ITEMS,
        feedback or Feedback.ratings(0, 5),
    )  # fmt: skip
    genres = pl.Series("genres", list(GENRES.values()), dtype=pl.List(pl.String))
    table = FeatureTable(pl.DataFrame([ids[1].ids, genres]), {"genres": "tags"})
    return sl.Dataset(log, *ids, item_features=table)


EVENTS = [(0, 0, 4.0, 0), (1, 0, 2.0, 0), (0, 1, 1.0, DAY), (0, 3, 3.0, DAY), (1, 1, 5.0, 3 * DAY)]


def by_name(rows):
    return {
        name: np.round(rows.values[:, at].astype(float), 5).tolist() for at, name in enumerate(rows.names)
    }


def test_earlier_features_by_hand():
    found = by_name(DerivedFeatures(labels=["genres"], shrinkage=1.0).earlier(dataset(EVENTS)))
    nan = pytest.approx(np.nan, nan_ok=True)
    # The mean of all earlier values: none, none, 3, 3, 10 / 4. Events of one moment say nothing of one another.
    assert found["user_mean"] == [nan, nan, (4 + 3) / 2, (4 + 3) / 2, (2 + 2.5) / 2]
    assert found["user_count"] == [0, 0, 1, 1, 1]
    assert found["item_mean"] == [nan, nan, 3, 3, (1 + 2.5) / 2]
    assert found["item_count"] == [0, 0, 0, 0, 1]
    assert found["item_popularity"] == [0, 0, 0, 0, 0.25]
    assert found["user_recency_days"] == [nan, nan, 1, 1, 3]
    assert found["item_recency_days"] == [nan, nan, nan, nan, 2]
    assert found["user_count:genres=a"] == [0, 0, 1, 1, 1]
    assert found["user_mean:genres=b"] == [nan, nan, 3.5, 3.5, 2.25]


def test_features_now_by_hand():
    tables = DerivedFeatures(labels=["genres"], shrinkage=0.0).now(dataset(EVENTS), at="1970-01-06")
    nothing = (2, 3.0, 0.0, 3.0, 0.0, 3.0, 0.0, None)  # nobody's: the mean of all
    assert tables.users.frame.select(pl.exclude("user_recency_days")).row(2) == nothing[:-1]
    assert tables.users.frame["user_mean"].to_list() == pytest.approx([8 / 3, 3.5, 3])
    assert tables.users.frame["user_mean:genres=b"].to_list() == [2, 5, 3]
    assert tables.users.frame["user_recency_days"].to_list() == [4, 2, None]
    assert tables.items.frame["item_popularity"].to_list() == pytest.approx([0.4, 0.4, 0, 0.2])
    assert set(tables.users.kinds.values()) == {"numeric"}
    # At the moment of the last event it has happened.
    assert DerivedFeatures().now(dataset(EVENTS)).users.frame["user_recency_days"].to_list() == [2, 0, None]


LOGS = st.lists(
    st.tuples(
        st.integers(0, N_USERS - 1),
        st.integers(0, N_ITEMS - 1),
        st.integers(0, 10).map(lambda half: half / 2),
        st.integers(0, 4).map(lambda day: day * DAY),
    ),
    min_size=3,
    max_size=14,
).map(lambda events: sorted(events, key=lambda event: event[3]))
SHRINKAGE = st.sampled_from([0.0, 2.5])


def assert_rows(found, expected):
    assert set(found.names) == set(expected[0])
    wanted = np.array([[row[name] for name in found.names] for row in expected])
    np.testing.assert_allclose(found.values, wanted, rtol=1e-5, atol=1e-5)


def expected_row(of, events, row, shrinkage, scale=1.0):
    user, item, _, time = events[row]
    return {
        **oracle.features(of, user, item, GENRES, shrinkage, scale),
        "user_recency_days": oracle.days_since(events, 0, user, time),
        "item_recency_days": oracle.days_since(events, 1, item, time),
    }


@settings(max_examples=40)
@given(LOGS, SHRINKAGE)
def test_earlier_is_what_its_definition_says(events, shrinkage):
    found = DerivedFeatures(labels=["genres"], shrinkage=shrinkage).earlier(dataset(events))
    expected = [
        expected_row(oracle.counted(events, row), events, row, shrinkage) for row in range(len(events))
    ]
    assert_rows(found, expected)


@settings(max_examples=40)
@given(LOGS, SHRINKAGE, st.integers(2, 3), st.integers(0, 9))
def test_out_of_fold_is_what_its_definition_says(events, shrinkage, n_folds, seed):
    derived = DerivedFeatures(labels=["genres"], shrinkage=shrinkage)
    found = derived.out_of_fold(dataset(events), n_folds=n_folds, rng=seed)
    fold, scale = folds(len(events), n_folds, seed), n_folds / (n_folds - 1)
    expected = [
        expected_row(oracle.counted(events, row, fold), events, row, shrinkage, scale)
        for row in range(len(events))
    ]
    assert_rows(found, expected)


@settings(max_examples=40)
@given(LOGS, LOGS, SHRINKAGE)
def test_rows_of_others_are_made_of_all_that_is_past(past, others, shrinkage):
    if all(event in past for event in others):
        return
    derived = DerivedFeatures(labels=["genres"], shrinkage=shrinkage)
    found = derived.of_others(dataset(past), dataset(others))
    expected = [
        {
            **oracle.features(past, user, item, GENRES, shrinkage),
            "user_recency_days": oracle.days_since(past, 0, user, time),
            "item_recency_days": oracle.days_since(past, 1, item, time),
        }
        for user, item, _, time in others
    ]
    assert_rows(found, expected)
    tables = derived.now(dataset(past))
    for name, values in zip(found.names, found.values.T, strict=True):
        if "recency" not in name:
            side = 0 if name.startswith("user") else 1
            served = tables[side].frame[name].fill_null(np.nan).to_numpy()
            np.testing.assert_array_equal(values, served[[event[side] for event in others]])


def other_value(events, row):
    user, item, value, time = events[row]
    return [*events[:row], (user, item, 5 - value, time), *events[row + 1 :]]


@settings(max_examples=40)
@given(LOGS, st.data())
def test_a_value_reaches_no_row_of_its_fold_and_none_that_is_not_later(events, data):
    derived, row = DerivedFeatures(labels=["genres"]), data.draw(st.integers(0, len(events) - 1))
    one, other = dataset(events), dataset(other_value(events, row))
    fold, time = folds(len(events), 3, 5), np.array([event[3] for event in events])
    apart = fold == fold[row]
    np.testing.assert_array_equal(
        derived.out_of_fold(one, n_folds=3, rng=5).values[apart],
        derived.out_of_fold(other, n_folds=3, rng=5).values[apart],
    )
    no_later = time <= time[row]
    np.testing.assert_array_equal(
        derived.earlier(one).values[no_later], derived.earlier(other).values[no_later]
    )


def test_only_the_labels_of_the_most_events_are_kept():
    events = [(0, 3, 1.0, 0), (0, 1, 1.0, 0), (1, 1, 2.0, 0)]  # b three times, a twice
    found = DerivedFeatures(["count"], labels=["genres"], n_labels=1).out_of_fold(
        dataset(events), n_folds=3, rng=0
    )
    assert found.names == ("user_count", "user_count:genres=b", "item_count")


def test_what_the_data_does_not_allow_is_left_out_or_refused():
    events = dataset(EVENTS, times=False, feedback=Feedback.events())
    assert DerivedFeatures().out_of_fold(events, rng=0).names == (
        "user_count",
        "item_count",
        "item_popularity",
    )
    assert DerivedFeatures(["count"]).now(events).items.frame["item_count"].to_list() == [2, 2, 0, 1]
    with pytest.raises(DataError, match="no feature 'recency' of this data: these events have no timestamps"):
        DerivedFeatures(["recency"]).out_of_fold(events, rng=0)
    with pytest.raises(DataError, match="no feature 'mean' of this data: the values of events are all alike"):
        DerivedFeatures(["mean"]).out_of_fold(events, rng=0)
    with pytest.raises(
        DataError, match="no timestamps, so none is earlier than another; make features out of fold"
    ):
        DerivedFeatures().earlier(events)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"features": ["means"]}, "features must be a list of some of mean, count, recency, popularity"),
        ({"features": "mean"}, "must be a list"),
        ({"labels": "genres"}, "labels must be a list of columns"),
        ({"n_labels": 0}, "n_labels must be"),
        ({"shrinkage": -1}, "shrinkage must be a number"),
    ],
)
def test_wrong_parameters_are_refused(arguments, says):
    with pytest.raises(ParameterError, match=says):
        DerivedFeatures(**arguments)


def test_wrong_data_is_refused():
    data = dataset(EVENTS)
    with pytest.raises(ParameterError, match="no tags or categorical feature 'genre'; there are: genres"):
        DerivedFeatures(labels=["genre"]).earlier(data)
    bare = sl.Dataset(data.interactions, data.users, data.items)
    with pytest.raises(DataError, match="labels names genres, and this data has no item features"):
        DerivedFeatures(labels=["genres"]).earlier(bare)
    with pytest.raises(ParameterError, match="n_folds must be a whole number of at least 2"):
        DerivedFeatures().out_of_fold(data, n_folds=1)
    with pytest.raises(DataError, match="5 events cannot be shared out among 6 folds"):
        DerivedFeatures().out_of_fold(data, n_folds=6)
    with pytest.raises(DataError, match="is before the last event"):
        DerivedFeatures().now(data, at="1970-01-02")


def test_rows_of_the_past_itself_are_refused():
    data = dataset(EVENTS)
    part = data.with_interactions(data.interactions.take(np.array([1, 3])))
    for events in (data, part):
        with pytest.raises(DataError, match="these events are in past too"):
            DerivedFeatures().of_others(data, events)
    train, test = split.random(data, 0.4, rng=0)
    assert len(DerivedFeatures().of_others(train, test).values) == 2
    other = sl.Dataset(data.interactions, Vocabulary.of(["a", "b", "c"]), data.items)
    with pytest.raises(DataError, match="different users or items"):
        DerivedFeatures().of_others(train, other)


def test_no_events_have_no_rows_and_nobody_has_a_mean():
    data = dataset(EVENTS)
    empty = data.with_interactions(data.interactions.take(np.zeros(0, int)))
    assert DerivedFeatures(labels=["genres"]).earlier(empty).values.shape == (0, 11)
    assert DerivedFeatures().now(empty).users.frame["user_mean"].to_list() == [None] * 3
    assert DerivedFeatures().of_others(empty, data).values.shape == (5, 7)


def test_features_become_context_that_an_encoder_reads():
    data = dataset(EVENTS)
    rows = DerivedFeatures(["mean", "count"], shrinkage=1.0).earlier(data)
    with_context = rows.as_context(data)
    assert with_context.interactions.context["user_mean"].to_list() == [None, None, 3.5, 3.5, 2.25]
    encoder = sl.EventEncoder.fit(with_context, context_columns=None, encode={"user_count": "quantile"})
    assert [field.name for field in encoder.fields if field.side == "context"] == list(rows.names)
    assert rows.table.kinds == dict.fromkeys(rows.names, "numeric")
    assert rows.table.frame["user_mean"].to_list() == [None, None, 3.5, 3.5, 2.25]
    with pytest.raises(ParameterError, match="a context column 'user_mean' already"):
        rows.as_context(with_context)
    part = data.with_interactions(data.interactions.take(np.arange(2)))
    with pytest.raises(DataError, match="of 5 events, the dataset has 2"):
        rows.as_context(part)


def test_the_same_seed_gives_the_same_rows():
    data = dataset(EVENTS)
    one, same, other = (DerivedFeatures().out_of_fold(data, rng=seed, n_folds=2).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other, equal_nan=True)
