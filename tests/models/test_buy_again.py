import numpy as np
import polars as pl
import pytest
from experiments.hand_data import dataset
from hypothesis import given
from hypothesis import strategies as st
from oracles import buy_again as oracle

import shortlist as sl
from shortlist.data.feedback import Feedback
from shortlist.errors import ParameterError, UnknownIdError
from shortlist.models.past_items import past_items

EVENTS = Feedback.events()
# User 0 has item 1 at three moments (twice at the first) and item 2 lately; user 1 has item 1 once; user 2 only a 0.
LOG = [(0, 1, 1, 0), (0, 1, 1, 0), (0, 1, 1, 10), (0, 1, 1, 20), (0, 2, 1, 30), (1, 1, 1, 30), (2, 0, 0, 5)]


def shop(**keywords):
    return dataset(LOG, 3, 4, feedback=EVENTS, **keywords)


def lists(model, user, k=10, **limits):
    frame = model.recommend(user, k, exclude_seen=False, **limits).frame
    return dict(zip((frame["item_id"] - 500).to_list(), frame["score"].to_list(), strict=True))


def test_scores_are_by_hand():
    plain = sl.BuyAgain(10, repeat_rates=False).fit(shop())
    assert lists(plain, 100) == {2: 1.0, 1: 1 / 8 + 1 / 4 + 1 / 2}
    # Item 1: one of two came back; item 2: none of one; overall (1 + 1) / (3 + 2).
    weighed = sl.BuyAgain(10, shrinkage=2).fit(shop())
    assert weighed.repeat_rates_[[1, 2]] == pytest.approx([(1 + 0.8) / 4, 0.8 / 3])
    assert lists(weighed, 100) == pytest.approx({1: 0.45 * 7 / 8, 2: 0.8 / 3})
    assert list(lists(weighed, 100)) == [1, 2]


def test_without_a_half_life_or_times_moments_are_counted():
    assert lists(sl.BuyAgain(None, repeat_rates=False).fit(shop()), 100) == {1: 3.0, 2: 1.0}
    untimed = sl.BuyAgain(repeat_rates=False).fit(shop(timed=False))
    assert lists(untimed, 100) == {1: 4.0, 2: 1.0}


@st.composite
def logs(draw):
    """Return n_users, n_items and (user, item, positive, day) rows with repeats and equal moments."""
    n_users, n_items = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 40))
    columns = (rng.integers(0, high, size).tolist() for high in (n_users, n_items, 2, 9))
    return n_users, n_items, list(zip(*columns, strict=True))


@given(logs(), st.sampled_from([0.5, 3.0, 200.0]), st.sampled_from([None, 0.1, 5.0]), st.integers(0, 6))
def test_it_agrees_with_the_definition(log, half_life, shrinkage, k):
    n_users, n_items, events = log
    data = dataset(events, n_users, n_items, feedback=EVENTS)
    rates = {"repeat_rates": False} if shrinkage is None else {"shrinkage": shrinkage}
    model = sl.BuyAgain(half_life, **rates).fit(data)
    for user in range(n_users):
        expected = oracle.scores(events, user, n_items, half_life, shrinkage)
        assert model.known_users_[user] == bool(expected)
        if not expected:
            continue
        found = lists(model, user + 100, k)
        everything = lists(model, user + 100, n_items)
        assert everything == pytest.approx(expected, rel=1e-6)
        assert list(found) == list(everything)[:k]
        best_first = list(everything.items())
        assert best_first == sorted(best_first, key=lambda entry: (-entry[1], entry[0]))


def test_equal_scores_go_by_id():
    data = dataset([(0, 3, 1, 1), (0, 1, 1, 1), (0, 2, 1, 1)], 1, 4, feedback=EVENTS)
    assert list(lists(sl.BuyAgain().fit(data), 100)) == [1, 2, 3]


def test_what_came_after_now_does_not_count():
    model = sl.BuyAgain(10, repeat_rates=False).fit(shop())
    day = 86_400_000_000
    assert lists(model, 100, at=12 * day) == {1: 1 / 8 + 1 / 4}
    shown = model.recommend(100, 3, exclude_seen=False, at=12 * day)
    assert shown.reasons["reason"].to_list() == ["again: you chose this 2 times before"]
    assert shown.shortfalls == {100: "this user chose 1 items before, of which 1 may be shown"}


def test_excluding_what_was_seen_leaves_nothing_and_says_so():
    shown = sl.BuyAgain().fit(shop()).recommend([100, 101], 2)
    assert shown.frame.height == 0
    assert shown.shortfalls == {
        100: "this user chose 2 items before, of which 0 may be shown",
        101: "this user chose 1 items before, of which 0 may be shown",
    }


def test_reasons_count_moments_and_strangers_get_what_is_popular():
    model = sl.BuyAgain(None).fit(shop())
    shown = model.recommend([100, 102, 999], 2, exclude_seen=False, on_unknown="fallback")
    assert shown.fallback == {102, 999}
    assert shown.reasons.filter(user_id=100)["reason"].to_list() == [
        "again: you chose this 3 times before",
        "again: you chose this once before",
    ]
    assert shown.reasons.filter(user_id=102)["reason"].to_list() == [
        "popular: liked by fewer than 5 people",
        "popular: liked by fewer than 5 people",
    ]


def test_who_liked_nothing_is_unknown():
    with pytest.raises(UnknownIdError, match="nothing in the training data says what user 102 likes"):
        sl.BuyAgain().fit(shop()).recommend(102)


def test_an_item_that_is_new_to_the_user_scores_nothing():
    model = sl.BuyAgain(repeat_rates=False).fit(shop())
    assert model.score([101, 101], [502, 501]).tolist() == [0.0, 1.0]


def test_nobody_coming_back_leaves_the_order_of_time():
    data = dataset([(0, 1, 1, 0), (0, 2, 1, 90), (1, 1, 1, 90)], 2, 3, feedback=EVENTS)
    assert list(lists(sl.BuyAgain(30).fit(data), 100)) == [2, 1]


def test_it_has_no_vectors():
    model = sl.BuyAgain().fit(shop())
    with pytest.raises(ParameterError, match="BuyAgain has no item vectors"):
        model.similar_items([501])
    with pytest.raises(ParameterError, match="no item vectors"):
        sl.Pipeline([sl.RelatedToRecent(sl.BuyAgain())], sl.ModelScorer(sl.BuyAgain())).fit(shop())
    wals = sl.WALS(dim=2).fit(shop())
    with pytest.raises(ParameterError, match="of another model"):
        model.recommend(wals.fold_in_users(shop()))


@pytest.mark.parametrize(
    "wrong", [{"half_life_days": 0}, {"half_life_days": "90"}, {"repeat_rates": 1}, {"shrinkage": 0}]
)
def test_a_parameter_out_of_range_is_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        sl.BuyAgain(**wrong)


def test_saved_and_loaded_it_ranks_alike(tmp_path):
    model = sl.BuyAgain(7, shrinkage=3).fit(shop())
    loaded = sl.load(model.save(tmp_path / "again"))
    assert loaded.params() == model.params()
    assert lists(loaded, 100) == lists(model, 100)


def test_past_items_of_nothing_are_none():
    data = dataset([(0, 0, 0, 1)], 1, 1, feedback=EVENTS)
    past = past_items(data.memory.history, 30, 5)
    assert [part.size for part in past] == [0, 0, 0, 0]
    assert past.find(np.array([0]), np.array([0], np.int32)).tolist() == [-1]


def songs():
    """Return a pipeline of repeats and taste, fitted on people who come back to what they like."""
    rng = np.random.default_rng(4)
    frame = pl.DataFrame(
        [
            {"user_id": u, "item_id": i, "timestamp": 1_000_000_000 + 86_400 * t}
            for u in range(12)
            for t, i in enumerate(rng.choice(np.arange(u % 2, 12, 2), 8).tolist())
        ]
    )
    data = sl.read(frame, kind="events", repeats=True)
    wals, again = sl.WALS(dim=4, n_epochs=4), sl.BuyAgain()
    sources = [
        sl.RelatedToRecent(wals),
        sl.Nearest(wals, k=12),
        sl.Nearest(again, name="again"),
        sl.Popular(),
    ]
    return data, sl.Pipeline(sources, sl.ModelScorer(wals)).fit(data, rng=0)


def test_a_pipeline_explains_repeats_as_repeats():
    data, pipeline = songs()
    shown = pipeline.recommend(3, 12, exclude_seen=False)
    log = data.interactions
    own = log.item_idx[log.user_idx == 3].tolist()
    assert len(set(own)) < 8  # somebody who came back to an item
    for item, reason in zip(shown.frame["item_id"].to_list(), shown.reasons["reason"].to_list(), strict=True):
        n = own.count(item)
        if n:
            assert reason == f"again: you chose this {'once' if n == 1 else f'{n} times'} before"
        else:
            assert not reason.startswith("again")
    assert set(own) <= set(shown.frame["item_id"])
    trace = shown.trace(3)
    assert set(trace.filter(pl.col("again_rank").is_not_null())["item_id"]) == set(own)


def test_a_pipeline_leaves_repeats_out_where_seen_items_are_excluded():
    _, pipeline = songs()
    shown = pipeline.recommend(3, 12)
    assert not any(reason.startswith("again") for reason in shown.reasons["reason"])
