import numpy as np
import pytest
from data.test_split import dataset, rows
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles import splits as oracle

from shortlist.data import split
from shortlist.errors import DataError, ParameterError


@st.composite
def events(draw):
    """Return few users and items with many events, so that some of each can be hidden."""
    m = draw(st.integers(6, 40))
    users = draw(st.lists(st.integers(0, 5), min_size=m, max_size=m))
    items = draw(st.lists(st.integers(0, 4), min_size=m, max_size=m))
    times = draw(st.lists(st.integers(0, 9), min_size=m, max_size=m)) if draw(st.booleans()) else None
    return dataset(users, times, items)


def hidden(data, **given):
    try:
        return split.hide(data, **{"users": 0.4, "items": 0.4, "rng": 1} | given)
    except DataError:
        assume(False)


@given(events())
def test_nothing_hidden_is_trained_on(data):
    one = hidden(data)
    log = one.train.interactions
    assert not one.hidden_users[log.user_idx].any()
    assert not one.hidden_items[log.item_idx].any()


@given(events(), st.sampled_from([0.2, 0.5]))
def test_the_test_part_is_what_is_hidden_and_the_last_of_the_rest(data, fraction):
    one, log = hidden(data, fraction=fraction), data.interactions
    order = rows(data)
    cold = one.hidden_users[log.user_idx] | one.hidden_items[log.item_idx]
    rest = np.flatnonzero(~cold)
    times = None if log.timestamp is None else log.timestamp[rest].tolist()
    last = oracle.last_of_each_user(log.user_idx[rest].tolist(), times, fraction=str(fraction))
    expected = {order[at] for at in np.flatnonzero(cold)} | {order[rest[at]] for at in last}
    assert set(rows(one.test)) == expected
    assert sorted(rows(one.train) + rows(one.test)) == sorted(order)


@given(events())
def test_the_share_of_those_with_events_is_hidden(data):
    one, log = hidden(data), data.interactions
    for found, index in ((one.hidden_users, log.user_idx), (one.hidden_items, log.item_idx)):
        present = np.unique(index)
        assert found.sum() == int(0.4 * present.size + 1e-9)
        assert set(np.flatnonzero(found)) <= set(present)


@given(events())
def test_answers_are_early_and_of_hidden_users_with_items_that_stay(data):
    one, log = hidden(data), data.interactions
    assume((one.hidden_users[log.user_idx] & ~one.hidden_items[log.item_idx]).any())
    asked, rest = one.answers(0.5)
    assert sorted(rows(asked) + rows(rest)) == sorted(rows(one.test))
    known, left = asked.interactions, rest.interactions
    assert one.hidden_users[known.user_idx].all()
    assert not one.hidden_items[known.item_idx].any()
    if known.timestamp is not None:
        for user in np.unique(known.user_idx):
            later = (left.user_idx == user) & ~one.hidden_items[left.item_idx]
            assert (left.timestamp[later] > known.timestamp[known.user_idx == user].max()).all()


def test_by_hand():
    # Five users with the same five items in a row of time; one user and one item are hidden.
    data = dataset(np.repeat(np.arange(5), 5), range(25), np.tile(np.arange(5), 5))
    one = split.hide(data, 0.2, 0.2, 0.25, rng=0)
    (user,), (item,) = np.flatnonzero(one.hidden_users), np.flatnonzero(one.hidden_items)
    last = max(set(range(5)) - {item})
    assert set(rows(one.test)) == {
        5 * u + i for u in range(5) for i in range(5) if u == user or i in (item, last)
    }
    asked, rest = one.answers(0.5)
    answered = [i for i in range(5) if i != item][:2]
    assert rows(asked) == [5 * user + i for i in answered]
    assert len(rest.interactions) == len(one.test.interactions) - 2
    assert one.name == "hide(users=0.2, items=0.2, fraction=0.25)"
    assert one.name in repr(one)
    assert one.test.name == "hand, test of hide(users=0.2, items=0.2, fraction=0.25)"


def test_it_promises_of_time_what_holds():
    late_user = dataset([0, 0, 1, 1], times=[1, 2, 3, 4], items=[0, 1, 0, 1])
    orders = {
        tuple(np.flatnonzero(one.hidden_users)): one.time_ordered
        for one in (split.hide(late_user, 0.5, 0, 0, rng=seed) for seed in range(8))
    }
    assert orders == {(0,): "per user", (1,): "global"}
    early_item = dataset([0, 0, 0, 0], times=[1, 2, 3, 4], items=[0, 1, 2, 3])
    found = {split.hide(early_item, 0, 0.25, 0, rng=seed).time_ordered for seed in range(12)}
    assert found == {"no", "global"}


def test_only_users_or_only_items_may_be_hidden():
    data = dataset(np.repeat(np.arange(4), 4), range(16), np.tile(np.arange(4), 4))
    users, items = split.hide(data, 0.25, 0, rng=0), split.hide(data, 0, 0.25, rng=0)
    assert (users.hidden_users.sum(), users.hidden_items.sum()) == (1, 0)
    assert (items.hidden_users.sum(), items.hidden_items.sum()) == (0, 1)
    assert len(split.hide(data, 0.25, 0, 0, rng=0).test.interactions) == 4
    with pytest.raises(DataError, match="hides no user with an event"):
        items.answers()


def test_it_repeats_with_its_seed_only():
    data = dataset(np.arange(50))
    first, again, other = (split.hide(data, rng=seed).hidden_users for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_who_is_hidden_does_not_depend_on_what_is():
    data = dataset(np.arange(50))
    alone, both = split.hide(data, 0.2, 0, rng=3), split.hide(data, 0.2, 0.5, rng=3)
    assert (alone.hidden_users == both.hidden_users).all()


@pytest.mark.parametrize("name", ["users", "items", "fraction"])
@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan"), "0.1", True, None])
def test_a_share_outside_0_to_1_is_refused(name, share):
    with pytest.raises(ParameterError, match=f"{name} must be a share of at least 0 and below 1"):
        split.hide(dataset(range(20)), **{name: share})


def test_hiding_nothing_is_refused():
    with pytest.raises(ParameterError, match="hide nothing"):
        split.hide(dataset(range(20)), 0, 0)
    with pytest.raises(DataError, match=r"users=0.1 of the 3 users with an event is less than one"):
        split.hide(dataset(range(3)))


def hide_with_any_seed(data):
    for seed in range(12):
        split.hide(data, 0.5, 0.5, rng=seed)


def test_leaving_nothing_to_train_on_is_refused():
    # Sooner or later user 0 is hidden, and with item 1 the only item of user 1.
    with pytest.raises(DataError, match="training part without events"):
        hide_with_any_seed(dataset([0, 1], items=[0, 1]))
