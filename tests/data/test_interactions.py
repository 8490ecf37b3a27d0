import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist import threads
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.errors import ParameterError

EVENTS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 5), st.integers(-2, 2)), max_size=25
)


def log_of(events, timed=True):
    users, items, values, times = (
        (list(column) for column in zip(*events, strict=True)) if events else ([], [], [], [])
    )
    return Interactions.of(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array(values, np.float64),
        np.array(times, np.int64) if timed else None,
        4,
        5,
        Feedback.ratings(0, 5),
        context=pl.DataFrame({"row": range(len(events))}),
    )


@given(EVENTS, st.booleans())
def test_the_log_is_sorted_by_time_and_stable(events, timed):
    log = log_of(events, timed)
    order = sorted(range(len(events)), key=lambda row: events[row][3]) if timed else list(range(len(events)))
    assert log.context["row"].to_list() == order
    wanted = [events[row] for row in order]
    assert list(zip(log.user_idx, log.item_idx, log.value, strict=True)) == [event[:3] for event in wanted]
    assert log.value.dtype == np.float32
    assert log.now == (max((event[3] for event in events), default=None) if timed else None)


@given(EVENTS, st.sampled_from(["last", "first", "sum", "mean", "count"]))
def test_the_matrix_is_that_of_a_loop(events, duplicates):
    log = log_of(events)
    cells = {}
    for user, item, value in zip(
        log.user_idx.tolist(), log.item_idx.tolist(), log.value.tolist(), strict=True
    ):
        cells.setdefault((user, item), []).append(value)
    combine = {
        "last": lambda v: v[-1],
        "first": lambda v: v[0],
        "sum": sum,
        "mean": lambda v: sum(v) / len(v),
        "count": len,
    }[duplicates]
    matrix = log.matrix(duplicates)
    assert matrix.shape == (4, 5)
    assert matrix.dtype == np.float32
    assert matrix.nnz == len(cells)
    stored = matrix.tocoo()
    got = {(int(r), int(c)): float(v) for r, c, v in zip(*stored.coords, stored.data, strict=True)}
    assert got == pytest.approx({cell: combine(values) for cell, values in cells.items()}, rel=1e-6)
    assert matrix.has_sorted_indices


@given(EVENTS)
def test_the_history_of_a_user_is_in_the_order_of_time(events):
    log = log_of(events)
    history = log.history()
    assert len(history) == 4
    for user in range(4):
        part = slice(history.ptr[user], history.ptr[user + 1])
        own = np.flatnonzero(log.user_idx == user)
        np.testing.assert_array_equal(history.item_idx[part], log.item_idx[own])
        np.testing.assert_array_equal(history.value[part], log.value[own])
        np.testing.assert_array_equal(history.timestamp[part], log.timestamp[own])
        np.testing.assert_array_equal(history.positive[part], log.value[own] >= 4)


@given(EVENTS, st.data())
def test_a_part_keeps_its_rows_together(events, data):
    log = log_of(events)
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events))), bool)
    part = log.where(keep)
    assert (
        part.context["row"].to_list()
        == log.context["row"].filter(pl.Series(keep, dtype=pl.Boolean)).to_list()
    )
    np.testing.assert_array_equal(part.user_idx, log.user_idx[keep])
    np.testing.assert_array_equal(part.timestamp, log.timestamp[keep])
    assert (part.n_users, part.n_items) == (4, 5)


def test_another_word_for_duplicates_is_an_error():
    with pytest.raises(ParameterError, match="duplicates='max' is not one of last, first, sum, mean, count"):
        log_of([]).matrix("max")


def test_a_value_of_nought_stays_stored():
    assert log_of([(0, 0, 0, 1)]).matrix().nnz == 1


def test_a_sum_does_not_lose_what_is_small():
    # In 32 bits, 2^24 + 1 is 2^24.
    zero = np.zeros(3, np.int32)
    log = Interactions.of(zero, zero, np.array([1, 2.0**24, 1]), None, 1, 1, Feedback.events())
    assert log.matrix("sum").data.tolist() == [2**24 + 2]


@given(EVENTS, st.integers(1, 5))
def test_a_repeat_has_the_pair_of_an_earlier_event(events, n_threads):
    wanted = threads.num_threads()
    threads.set_num_threads(n_threads)
    try:
        n_repeats = log_of(events).n_repeats
    finally:
        threads.set_num_threads(wanted)
    assert n_repeats == len(events) - len({event[:2] for event in events})
