from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.data.memory import Limits, Memory, microseconds
from shortlist.data.read import read
from shortlist.errors import ParameterError, UnknownIdError


@pytest.fixture
def memory():
    events = pl.DataFrame(
        {
            "user": ["a", "a", "a", "b", "b"],
            "item": [10, 11, 10, 11, 12],
            "rating": [5, 2, 4, 5, 4],
            "timestamp": [1, 2, 3, 4, 5],
        }
    )
    items = pl.DataFrame({"item_id": [10, 13], "title": ["Ten", "Thirteen"]})
    return read(events, items=items, kind="ratings", scale=(1, 5)).memory


def test_each_user_counts_once_for_an_item(memory):
    # Item 10: user a twice; 11: b likes it, a does not; 12: b; 13: nobody.
    assert memory.n_positive.tolist() == [1, 1, 1, 0]


def test_an_item_is_called_by_its_title_or_its_id(memory):
    assert [memory.title_of(i) for i in range(4)] == ["Ten", "11", "12", "Thirteen"]


def test_a_request_knows_what_was_seen_up_to_now(memory):
    users = np.array([0, -1, 1], np.int32)
    request = memory.request(users, 2, Limits())
    assert request.now == 5_000_000
    assert [
        request.history.item_idx[a:b].tolist()
        for a, b in zip(request.history.ptr, request.history.ptr[1:], strict=False)
    ] == [
        [0, 1, 0],
        [],
        [1, 2],
    ]
    assert request.eligible.n_allowed().tolist() == [2, 4, 2]
    earlier = memory.request(users, 2, Limits(at=2_000_000))
    assert earlier.history.item_idx.tolist() == [0, 1]
    assert earlier.eligible.n_allowed().tolist() == [2, 4, 4]


def test_items_may_be_limited_and_excluded(memory):
    users = np.array([0], np.int32)
    assert memory.request(
        users, 1, Limits(items=[10, 12], exclude_seen=False)
    ).eligible.n_allowed().tolist() == [2]
    assert memory.request(users, 1, Limits(items=[10, 12])).eligible.n_allowed().tolist() == [1]
    assert memory.request(users, 1, Limits(exclude=[12])).eligible.n_allowed().tolist() == [1]
    with pytest.raises(UnknownIdError, match="unknown item: 99"):
        memory.request(users, 1, Limits(items=[99]))


@pytest.mark.parametrize("k", [-1, 1.5, True, "3"])
def test_k_is_a_whole_number(memory, k):
    with pytest.raises(ParameterError, match="k"):
        memory.request(np.array([0], np.int32), k, Limits())


def test_state_brings_it_back(memory):
    again = Memory.from_state(memory.to_state())
    assert again.users.ids.equals(memory.users.ids)
    assert again.items.ids.equals(memory.items.ids)
    assert again.titles.to_list() == memory.titles.to_list()
    assert (again.feedback, again.now, again.fingerprint) == (memory.feedback, memory.now, memory.fingerprint)
    for name in ("ptr", "item_idx", "value", "positive", "timestamp"):
        np.testing.assert_array_equal(getattr(again.history, name), getattr(memory.history, name))


def test_state_brings_back_data_without_times_and_titles():
    memory = read(pl.DataFrame({"user": [1], "item": [2]})).memory
    again = Memory.from_state(memory.to_state())
    assert (again.titles, again.now, again.history.timestamp) == (None, None, None)


@given(st.integers(-(10**16), 10**17), st.integers(-840, 840))
def test_moments_are_exact(wanted, minutes):
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    aware = (epoch + timedelta(microseconds=wanted)).astimezone(timezone(timedelta(minutes=minutes)))
    assert microseconds(aware) == microseconds(aware.isoformat()) == microseconds(wanted) == wanted


@pytest.mark.parametrize("moment", ["yesterday", 1.5, True, None])
def test_this_is_no_moment(moment):
    with pytest.raises(ParameterError, match="at="):
        microseconds(moment)
