"""What each source proposes is what its definition says, found by plain loops; and what each refuses."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import sources as oracle
from retrieval.described_data import DAY, allowed_of, asked, described, events_of, found_in, past_of

import shortlist as sl
from shortlist.data.import_report import DataWarning
from shortlist.data.memory import Limits
from shortlist.errors import DataError, ParameterError, UnknownIdError

MEASURES = st.sampled_from(["conditional", "cosine", "lift"])


def close(found, expected):
    assert set(found) == set(expected)
    np.testing.assert_allclose([found[i] for i in found], [expected[i] for i in found], rtol=1e-6)


def labels_of(table, column):
    cells = table.frame[column].to_list()
    return [set(cell if isinstance(cell, list) else [] if cell is None else [cell]) for cell in cells]


@settings(max_examples=40)
@given(st.data(), described(), st.integers(1, 3), st.integers(1, 3), st.sampled_from([None, 1]))
def test_top_in_group_is_its_definition(data, dataset, groups, k, half_life):
    source = sl.TopInGroup("genres", groups, k, half_life).bind(dataset)
    request, labels = data.draw(asked(dataset)), labels_of(dataset.item_features, "genres")
    found = source.propose(request)
    now = request.now
    for row, user in enumerate(request.user_idx.tolist()):
        life = None if half_life is None else half_life * DAY
        expected = oracle.top_in_group(
            events_of(dataset), labels, user, groups, k, life, now, allowed_of(request, row)
        )
        close(found_in(found, row), {item: score for item, (score, _) in expected.items()})
        for at in range(found.ptr[row], found.ptr[row + 1]):
            said = found.reason_of(at, 0)
            assert said == f"popular in {expected[int(found.item_idx[at])][1]}, which you like"


@settings(max_examples=40)
@given(st.data(), described(), st.integers(1, 4), st.sampled_from([0, 2.0]))
def test_top_in_user_group_is_its_definition(data, dataset, k, shrinkage):
    source = sl.TopInUserGroup("country", k, shrinkage).bind(dataset)
    request, labels = data.draw(asked(dataset)), labels_of(dataset.user_features, "country")
    found = source.propose(request)
    for row, user in enumerate(request.user_idx.tolist()):
        expected = oracle.top_in_user_group(
            events_of(dataset), labels, labels[user], k, shrinkage, allowed_of(request, row)
        )
        close(found_in(found, row), expected)


@settings(max_examples=50)
@given(st.data(), described(), st.integers(1, 4), st.sampled_from([0.5, 1.0, 3.0]))
def test_trending_is_its_definition_at_any_moment(data, dataset, k, half_life):
    source, request = sl.Trending(half_life, k).bind(dataset), data.draw(asked(dataset))
    found = source.propose(request)
    trends = oracle.trends(events_of(dataset), half_life * DAY, request.now)
    for row in range(len(request)):
        best = sorted((trends[item] for item in trends.keys() & allowed_of(request, row)), reverse=True)[:k]
        own = found_in(found, row)
        # Sums that are equal but for rounding may stand for one another.
        np.testing.assert_allclose(list(own.values()), best, rtol=1e-6)
        np.testing.assert_allclose(list(own.values()), [trends[item] for item in own], rtol=1e-6)


def test_trends_of_long_ago_are_in_order_although_they_weigh_nothing():
    dataset = data_of([(0, 0, 0), (1, 1, 1), (2, 2, 2)])
    found = (
        sl.Trending(0.0005, k=3)
        .bind(dataset)
        .propose(request_of(dataset, 3, at=10_000 * DAY, exclude_seen=False))
    )
    assert found.item_idx[:3].tolist() == [2, 1, 0]
    assert (found.source_score == 0).all()


@settings(max_examples=40)
@given(st.data(), described(), st.integers(1, 4), st.sampled_from([None, "date", "year"]))
def test_fresh_is_its_definition(data, dataset, k, column):
    source, request = sl.Fresh(k, column).bind(dataset), data.draw(asked(dataset))
    if column is None:
        new = {}
        for _, item, _, time, _ in events_of(dataset):
            new.setdefault(item, time)
    else:
        cells = dataset.item_features.frame[column]
        cells = cells.dt.timestamp("us") if column == "date" else cells
        new = {item: value for item, value in enumerate(cells.to_list()) if value is not None}
    if column != "year":
        new = {item: time / DAY for item, time in new.items() if time <= request.now}
    found = source.propose(request)
    for row in range(len(request)):
        best = sorted(new.keys() & allowed_of(request, row), key=lambda item: (-new[item], item))[:k]
        assert found_in(found, row) == {item: new[item] for item in best}
        assert list(found_in(found, row)) == best


@settings(max_examples=50)
@given(
    st.data(), described(), MEASURES, st.sampled_from([0, 1.5]), st.sampled_from(["gap", "column", "user"])
)
def test_bought_together_is_its_definition(data, dataset, measure, shrinkage, by):
    column, within = ("invoice" if by == "column" else None), ("user" if by == "user" else "session")
    source = sl.BoughtTogether(column, within, 2 * 1440, 2, 2, measure, shrinkage, 3).bind(dataset)
    events = [e for e in events_of(dataset) if by != "column" or e[4] is not None]
    if by == "user":
        events = [(*e[:4], "all") for e in events]
    held = oracle.baskets(events, 2 * DAY if by == "gap" else None)
    places = len(set().union(*held.values(), set()))
    values = oracle.values_after(held, held, places, measure, shrinkage)
    _same_as_after_recent(source, data.draw(asked(dataset)), values)


@settings(max_examples=50)
@given(st.data(), described(), MEASURES, st.sampled_from([0, 1.5]), st.integers(1, 3))
def test_next_item_is_its_definition(data, dataset, measure, shrinkage, window):
    source = sl.NextItem(window, 2, 2, measure, shrinkage, 3).bind(dataset)
    before, after, places = oracle.moments_after(events_of(dataset), window)
    values = oracle.values_after(before, after, places, measure, shrinkage)
    _same_as_after_recent(source, data.draw(asked(dataset)), values)


def _same_as_after_recent(source, request, values):
    """Compare proposals and anchors of a source with recent=2, per_item=2, n_neighbors=3."""
    found = source.propose(request)
    for row in range(len(request)):
        past, allowed = past_of(request, row), allowed_of(request, row)
        expected = oracle.after_recent(values, past, 2, 2, 3, allowed)
        close(found_in(found, row), {item: value for item, (value, _) in expected.items()})
        for at in range(found.ptr[row], found.ptr[row + 1]):
            assert found.anchor[at] == expected[int(found.item_idx[at])][1]


@settings(max_examples=20)
@given(st.data(), described(), st.sampled_from(["users", "items"]), st.sampled_from(["share", "lift"]))
def test_top_in_segment_is_its_definition(data, dataset, of, by):
    likes = {(e[0], e[1]) for e in events_of(dataset) if e[2]}
    if not likes:
        return
    model = sl.KMeansSegments(1, of=of, dim=9, shrinkage=2.0, n_init=1).fit(dataset, rng=0)
    request = data.draw(asked(dataset))
    found = sl.TopInSegment(model, 2, by).bind(dataset, model).propose(request)
    # One segment of all: everybody's share, and a lift of 1 for every item.
    size = len({user for user, _ in likes}) if of == "users" else len(likes)
    count = oracle.liked_by([(user, item, True) for user, item in likes])
    value = {
        i: 1.0 if by == "lift" else _share(n, size, 2.0 if of == "users" else 0) for i, n in count.items()
    }
    for row, user in enumerate(request.user_idx.tolist()):
        ranked = oracle.first_allowed([(v, i) for i, v in value.items()], 2, allowed_of(request, row))
        known = any(liker == user for liker, _ in likes)
        close(found_in(found, row), {item: v for v, item in ranked} if known else {})


def _share(n, size, shrinkage):
    return (n + shrinkage * n / size) / (size + shrinkage)


def test_segments_differ_and_strangers_are_placed_by_their_past():
    events = [(user, item, user) for user in range(6) for item in ((0, 1, 2) if user < 3 else (3, 4, 5))]
    dataset = data_of(events)
    model = sl.KMeansSegments(2, dim=2).fit(dataset, rng=0)
    source = sl.TopInSegment(model, 3, "lift").bind(dataset, model)
    history = dataset.memory.history.take(np.array([0, 5]))
    request = dataset.memory.request(np.full(2, -1, np.int32), 5, Limits(exclude_seen=False), history)
    found = source.propose(request)
    assert [sorted(found_in(found, row)) for row in (0, 1)] == [[0, 1, 2], [3, 4, 5]]


def test_again_is_what_nearest_of_buy_again_proposes():
    dataset = data_of([(0, 1, 0), (0, 1, 1), (0, 2, 1), (1, 0, 3)])
    model = sl.BuyAgain().fit(dataset)
    request = request_of(dataset, 2, exclude_seen=False)
    again, nearest = (
        made(k=5, model=model).bind(dataset, model).propose(request) for made in (sl.Again, sl.Nearest)
    )
    for array in ("ptr", "item_idx", "source_score", "anchor"):
        np.testing.assert_array_equal(getattr(again, array), getattr(nearest, array))
    assert again.anchor.tolist() == again.item_idx.tolist() == [1, 2, 0]


# Lists made elsewhere.

ROWS = {"user_id": [0, 0, 1, 0, 9, 1], "item_id": [2, 2, 1, 0, 0, 77]}


def precomputed(rows, **parameters):
    dataset = data_of([(0, 0, 0), (1, 1, 1), (2, 2, 2)])
    source = sl.PrecomputedLists(rows, **parameters).bind(dataset)
    return source, source.propose(request_of(dataset, 4, exclude_seen=False)), dataset


def test_precomputed_lists_go_by_rank_then_score_then_rows(tmp_path):
    frame = pl.DataFrame(ROWS | {"rank": [3, 1, 1, 2, 1, 1], "score": [1.0, 0.5, 2, 5, 1, 1]})
    for given_as, order in (("rank", [2, 0]), ("score", [0, 2]), ("neither", [2, 0])):
        columns = (
            ["user_id", "item_id"] + ["score"] * (given_as != "neither") + ["rank"] * (given_as == "rank")
        )
        path = tmp_path / f"{given_as}.csv"
        frame.select(columns).write_csv(path)
        for rows in (frame.select(columns), path):
            with pytest.warns(
                DataWarning, match="2 of 6 rows are left out: 1 unknown users such as 9; .*items such as 77"
            ):
                source, found, _ = precomputed(rows, default=[1, 0])
            lists = [list(found_in(found, row)) for row in range(4)]
            assert lists == [order, [1], [1, 0], [1, 0]]  # a user without a list, and nobody, get the default
            assert source.unknown_["n_rows"] == 2
    assert found_in(found, 0) == {2: 1.0, 0: 0.5}


def test_lists_of_a_frame_are_saved_and_only_the_frame_is_gone(tmp_path):
    frame = pl.DataFrame({"user_id": [0, 1], "item_id": [2, 2]})
    dataset = data_of([(0, 0, 0), (1, 1, 1), (2, 2, 2)])
    made = sl.Pipeline([sl.PrecomputedLists(frame), sl.Popular()], sl.ModelScorer(sl.Popularity())).fit(
        dataset
    )
    loaded = sl.load(made.save(tmp_path / "p"))
    assert loaded.recommend([0, 1], k=3).frame.equals(made.recommend([0, 1], k=3).frame)
    assert made.sources[0].lists is frame
    with pytest.raises(ParameterError, match="was loaded without the frame"):
        loaded.fit(dataset)
    made.fit(dataset)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"user_id": [0], "item": [1]}, r"no column 'item_id'.*columns: user_id, item"),
        ({"user_id": [0, None], "item_id": [1, 1]}, "user_id is empty in row 1"),
        (
            {"user_id": [0], "item_id": [1], "rank": ["first"]},
            "rank in row 0 .* is 'first', which is no number",
        ),
        ({"user_id": [0], "item_id": [1], "score": [float("nan")]}, "score in row 0"),
        ({"user_id": ["zero"], "item_id": [1]}, r"no row has a user and an item of the data.*'zero'"),
    ],
)
def test_tables_that_are_no_lists_are_refused(rows, words):
    with pytest.raises(DataError, match=words):
        precomputed(pl.DataFrame(rows))


def test_defaults_are_known_items_each_once():
    with pytest.raises(UnknownIdError, match="unknown item: 99"):
        precomputed(pl.DataFrame({"user_id": [0], "item_id": [1]}), default=[99])
    with pytest.raises(ParameterError, match="twice in default"):
        precomputed(pl.DataFrame({"user_id": [0], "item_id": [1]}), default=[1, 1])


# What a person is told, and what is refused.


def test_a_pipeline_says_of_which_group_an_item_is():
    data = sl.datasets.movielens_small()
    made = sl.Pipeline([sl.TopInGroup("genres")], sl.ModelScorer(sl.Popularity())).fit(data)
    shown = made.recommend([36], k=3)
    assert all(text.startswith("popular in ") for text in shown.reasons["reason"])
    assert shown.trace(36)["TopInGroup_reason"].str.contains(", which you like").all()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (sl.Trending, "Trending needs timestamps"),
        (lambda: sl.NextItem(name="then"), "then needs timestamps"),
        (sl.Fresh, "Fresh needs timestamps.*column="),
        (sl.BoughtTogether, 'BoughtTogether needs timestamps.*within="user"'),
        (lambda: sl.BoughtTogether("bill"), "BoughtTogether: the events have no column 'bill'.*none"),
        (lambda: sl.TopInGroup("genre"), "TopInGroup needs the item feature 'genre'.*no item features"),
        (lambda: sl.TopInUserGroup("country"), "TopInUserGroup needs the user feature 'country'"),
        (lambda: sl.Fresh(column="born"), "Fresh needs the item feature 'born'"),
    ],
)
def test_what_the_data_lack_is_named(source, words):
    dataset = data_of([(0, 0, None), (1, 1, None)])
    with pytest.raises(DataError, match=words):
        source().bind(dataset)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sl.TopInGroup(""), "column must be a text"),
        (lambda: sl.TopInGroup("g", half_life_days=0), "half_life_days must be a number above 0"),
        (lambda: sl.TopInUserGroup("g", shrinkage=-1), "shrinkage"),
        (lambda: sl.Trending(0), "half_life_days"),
        (lambda: sl.NextItem(measure="pmi"), "measure='pmi' is not one of"),
        (lambda: sl.BoughtTogether(per_item=9, n_neighbors=8), "n_neighbors=8 is below per_item=9"),
        (lambda: sl.TopInSegment(sl.WALS()), "takes a KMeansSegments"),
        (lambda: sl.Again(model=sl.WALS()), "takes a BuyAgain"),
        (lambda: sl.PrecomputedLists("a.csv", default="abc"), "default must be a list"),
    ],
)
def test_wrong_parameters_are_named(make, words):
    with pytest.raises(ParameterError, match=words):
        make()


def data_of(events):
    """Return likes from (user, item, day) triples; day None: data without times."""
    frame = pl.DataFrame(events, ["user_id", "item_id", "day"], orient="row")
    frame = frame.with_columns(value=1)
    if frame["day"].null_count():
        return sl.read(frame.drop("day"), kind="events")
    return sl.read(
        frame.select("user_id", "item_id", "value", timestamp=pl.from_epoch("day", "d")), kind="events"
    )


def request_of(dataset, n, **limits):
    users = np.where(np.arange(n) < len(dataset.users), np.arange(n), -1).astype(np.int32)
    return dataset.memory.request(users, 10, Limits(**limits))
