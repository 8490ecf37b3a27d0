from contextlib import suppress
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import splits as oracle

from shortlist.data import split
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError

# "1/5" is the fraction meant by 0.2, which no float is.
FRACTIONS = {"1/5": 0.2, "1/2": 0.5, "1/3": 1 / 3, "9/10": 0.9, "29/100": 0.29}


def dataset(users, times=None, items=None):
    users = np.asarray(users)
    m = users.size
    items = np.arange(m) if items is None else np.asarray(items)
    n_users, n_items = int(users.max(initial=0)) + 1, int(items.max(initial=0)) + 1
    log = Interactions.of(
        users,
        items,
        np.ones(m),
        None if times is None else np.asarray(times, np.int64),
        n_users,
        n_items,
        Feedback.events(),
        context=pl.DataFrame({"row": np.arange(m)}),
    )
    vocabulary = Vocabulary.of(np.arange(n_items))
    features = FeatureTable(pl.DataFrame({"id": np.arange(n_items)}), {})
    return Dataset(log, Vocabulary.of(np.arange(n_users)), vocabulary, item_features=features, name="hand")


def rows(part):
    return part.interactions.context["row"].to_list()


@st.composite
def datasets(draw, timed=None):
    users = draw(st.lists(st.integers(0, 4), min_size=2, max_size=30))
    with_times = draw(st.booleans()) if timed is None else timed
    # Few distinct moments, so that ties within and across users are the rule.
    times = (
        draw(st.lists(st.integers(0, 8), min_size=len(users), max_size=len(users))) if with_times else None
    )
    return dataset(users, times)


def rules(data):
    yield from (lambda f=f: split.random(data, f, rng=3) for f in FRACTIONS.values())
    yield from (lambda f=f: split.leave_last_out(data, f) for f in FRACTIONS.values())
    yield from (lambda n=n: split.leave_last_out(data, n=n) for n in (1, 3))
    yield from (lambda f=f: split.hide(data, 0.3, f, 0.4, rng=3) for f in (0, 0.4))
    if data.interactions.timestamp is not None:
        yield from (lambda f=f: split.global_time(data, f) for f in FRACTIONS.values())
        yield lambda: split.global_time(data, at=4)


def made(data):
    """Return every split that the data allows."""
    found = list(split.k_fold(data, 2, rng=1))
    for rule in rules(data):
        # A rule may leave a part empty here; the tests by hand say when.
        with suppress(DataError):
            found.append(rule())
    return found


@given(datasets())
def test_parts_are_disjoint_and_sum_to_the_input(data):
    for one in made(data):
        assert sorted(rows(one.train) + rows(one.test)) == list(range(len(data.interactions)))


@given(datasets())
def test_parts_keep_the_order_of_the_log(data):
    whole = rows(data)
    for one in made(data):
        for part in one:
            assert rows(part) == [row for row in whole if row in set(rows(part))]


@given(datasets())
def test_parts_keep_vocabularies_and_features(data):
    for one in made(data):
        for part in one:
            assert part.users is data.users
            assert part.items is data.items
            assert part.item_features is data.item_features


@given(datasets(timed=True))
def test_the_promised_order_in_time_holds(data):
    promised = {"global": ("global",), "per user": ("global", "per user"), "no": ("global", "per user", "no")}
    for one in made(data):
        assert split.time_order(one.train, one.test) in promised[one.time_ordered]


@given(datasets(timed=True))
def test_no_later_event_of_a_user_trains_an_earlier_one(data):
    for one in made(data):
        if one.time_ordered == "no":
            continue
        fit, held = one.train.interactions, one.test.interactions
        for user in range(len(data.users)):
            last = fit.timestamp[fit.user_idx == user].max(initial=-1)
            assert (held.timestamp[held.user_idx == user] > last).all()


@given(datasets(), st.sampled_from(sorted(FRACTIONS)))
def test_last_share_agrees_with_the_definition(data, fraction):
    compare_with_oracle(data, lambda: split.leave_last_out(data, FRACTIONS[fraction]), fraction=fraction)


@given(datasets(), st.integers(1, 4))
def test_last_n_agrees_with_the_definition(data, n):
    compare_with_oracle(data, lambda: split.leave_last_out(data, n=n), n=n)


def compare_with_oracle(data, rule, **size):
    log = data.interactions
    times = None if log.timestamp is None else log.timestamp.tolist()
    expected = oracle.last_of_each_user(log.user_idx.tolist(), times, **size)
    assume(expected)
    order = rows(data)
    assert set(rows(rule().test)) == {order[at] for at in expected}


@given(datasets())
def test_users_with_a_held_out_event_have_a_training_event(data):
    for one in made(data):
        if one.name.startswith("leave_last_out"):
            assert set(one.test.interactions.user_idx) <= set(one.train.interactions.user_idx)


@given(datasets(), st.integers(2, 5))
def test_folds_share_out_the_events(data, n_folds):
    m = len(data.interactions)
    assume(m >= n_folds)
    parts = list(split.k_fold(data, n_folds, rng=0))
    assert sorted(row for one in parts for row in rows(one.test)) == list(range(m))
    sizes = [len(one.test.interactions) for one in parts]
    assert max(sizes) - min(sizes) <= 1
    assert [one.name for one in parts] == [f"k_fold(n_folds={n_folds}), fold {f + 1}" for f in range(n_folds)]


def test_last_fifth_by_hand():
    # User 0 has 5 events (1 held out), user 1 has 10 (2), user 2 has 4 (none).
    data = dataset([0] * 5 + [1] * 10 + [2] * 4, times=range(19))
    assert rows(split.leave_last_out(data).test) == [4, 13, 14]


def test_events_tied_with_the_cut_are_held_out():
    data = dataset([0] * 10, times=[0, 1, 2, 3, 4, 5, 5, 5, 5, 6])
    assert rows(split.leave_last_out(data).test) == [5, 6, 7, 8, 9]


def test_a_user_whose_events_are_all_tied_stays_in_train():
    data = dataset([0] * 5 + [1] * 5, times=[7] * 5 + [1, 2, 3, 4, 5])
    assert rows(split.leave_last_out(data).test) == [9]


def test_a_basket_moves_whole():
    data = dataset([0] * 5, times=[1, 1, 2, 2, 2])
    assert rows(split.leave_last_out(data, n=1).test) == [2, 3, 4]


def test_a_single_event_stays_in_train():
    data = dataset([0, 1, 1, 1], times=[9, 1, 2, 3])
    assert rows(split.leave_last_out(data, n=1).test) == [3]
    assert rows(split.leave_last_out(data, 0.9).test) == [2, 3]


def test_ties_between_users_do_not_matter_to_last_out():
    data = dataset([0, 1, 0, 1], times=[1, 1, 2, 2])
    assert sorted(rows(split.leave_last_out(data, n=1).test)) == [2, 3]


def test_without_times_the_last_of_the_log_is_held_out():
    one = split.leave_last_out(dataset([0, 1, 0, 1, 0, 1]), n=1)
    assert rows(one.test) == [4, 5]
    assert one.time_ordered == "no"


def test_a_share_is_not_lost_to_rounding():
    # 0.29 · 100 is 28.999…96 in floating point.
    data = dataset([0] * 100, times=range(100))
    sizes = {
        len(rule(data, 0.29).test.interactions)
        for rule in (split.random, split.leave_last_out, split.global_time)
    }
    assert sizes == {29}


def test_global_cut_by_share_takes_its_ties_along():
    data = dataset([0, 1, 2, 3, 4], times=[1, 2, 3, 3, 3])
    one = split.global_time(data)
    assert rows(one.test) == [2, 3, 4]
    assert one.time_ordered == "global"


@pytest.mark.parametrize("at", [3, "1970-01-01T00:00:00.000003", datetime(1970, 1, 1, 0, 0, 0, 3, UTC)])
def test_global_cut_at_a_moment_holds_that_moment_out(at):
    one = split.global_time(dataset([0] * 5, times=[1, 2, 3, 3, 4]), at=at)
    assert rows(one.test) == [2, 3, 4]
    assert one.name == "global_time(at=1970-01-01T00:00:00.000003Z)"


def test_random_repeats_with_its_seed_only():
    data = dataset([0] * 50)
    first, again, other = (rows(split.random(data, rng=seed).test) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 10


def test_random_takes_a_generator():
    data = dataset([0] * 50)
    assert rows(split.random(data, rng=np.random.default_rng(1)).test) == rows(split.random(data, rng=1).test)


def test_it_unpacks_and_says_what_it_is():
    data = dataset([0] * 10, times=range(10))
    one = split.leave_last_out(data)
    train, test = one
    assert (train, test) == (one.train, one.test)
    assert test.name == "hand, test of leave_last_out(fraction=0.2)"
    assert one.description == (
        "leave_last_out(fraction=0.2): 8 training and 2 test events; ordered in time for each user, not globally: "
        "other people's later events are in the training part"
    )
    assert one.description in repr(one)


def test_order_is_found_in_the_data_whatever_made_the_parts():
    early, late = split.global_time(dataset([0, 1, 0, 1], times=[1, 2, 3, 4]), 0.5)
    assert split.time_order(early, late) == "global"
    assert split.time_order(late, early) == "no"
    mine, yours = split.leave_last_out(dataset([0, 0, 1, 1], times=[1, 2, 3, 4]), n=1)
    assert split.time_order(mine, yours) == "per user"
    assert split.time_order(*split.leave_last_out(dataset([0, 0, 1, 1]), n=1)) == "no"


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
@pytest.mark.parametrize("rule", [split.random, split.leave_last_out, split.global_time])
def test_a_share_outside_0_to_1_is_refused(rule, fraction):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        rule(dataset([0] * 10, times=range(10)), fraction)


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_wrong_number_is_refused(n):
    with pytest.raises(ParameterError, match="whole number"):
        split.leave_last_out(dataset([0] * 10), n=n)
    with pytest.raises(ParameterError, match="whole number"):
        split.k_fold(dataset([0] * 10), n)


def test_two_sizes_at_once_are_refused():
    data = dataset([0] * 10, times=range(10))
    with pytest.raises(ParameterError, match="not both"):
        split.leave_last_out(data, 0.5, n=1)
    with pytest.raises(ParameterError, match="not both"):
        split.global_time(data, 0.5, at=3)


def test_an_empty_part_is_refused():
    with pytest.raises(DataError, match="test part without events"):
        split.leave_last_out(dataset([0, 1, 2], times=[1, 2, 3]))
    with pytest.raises(DataError, match="training part without events"):
        split.global_time(dataset([0, 1, 2], times=[5, 5, 5]), 0.5)
    with pytest.raises(DataError, match="test part without events"):
        split.global_time(dataset([0, 1, 2], times=[1, 2, 3]))
    with pytest.raises(DataError, match="test part without events"):
        split.random(dataset([0, 1]))
    with pytest.raises(DataError, match="2 events cannot be shared out among 3 folds"):
        split.k_fold(dataset([0, 1]), 3)


def test_global_cut_needs_times():
    with pytest.raises(DataError, match="needs timestamps"):
        split.global_time(dataset([0, 1, 2]))
