"""The shared array types: histories, eligibility, lists, candidates."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.stages import Candidates, Eligible, History, Lists, offsets


def history_of(rows, timestamps=None):
    items = [i for row in rows for i in row]
    times = None if timestamps is None else np.array([t for row in timestamps for t in row], np.int64)
    value = np.array(items, np.float32)
    return History(
        offsets(np.array([len(r) for r in rows])), np.array(items, np.int32), value, value >= 2, times
    )


def rows_of(history):
    return [history.item_idx[a:b].tolist() for a, b in zip(history.ptr, history.ptr[1:], strict=False)]


ragged = st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=5)


@given(ragged, st.data())
def test_take_gives_the_rows_asked_for_and_nothing_for_strangers(rows, data):
    wanted = data.draw(st.lists(st.integers(-1, len(rows) - 1), max_size=8))
    taken = history_of(rows).take(np.array(wanted, np.int32))
    assert rows_of(taken) == [rows[w] if w >= 0 else [] for w in wanted]


def test_until_keeps_events_up_to_and_at_the_moment():
    history = history_of([[1, 2, 3], [4]], [[10, 20, 30], [20]])
    assert rows_of(history.until(20)) == [[1, 2], [4]]
    assert history.until(None) is history
    assert history.until(30) is history


@given(ragged, st.booleans(), st.sets(st.integers(0, 9)) | st.none(), st.sets(st.integers(0, 9)) | st.none())
def test_every_item_has_the_rule_that_forbids_it(rows, exclude_seen, items, exclude):
    as_array = lambda ids: None if ids is None else np.array(sorted(ids), np.int32)  # noqa: E731
    history = history_of(rows)
    eligible = Eligible.of(
        10, history, exclude_seen=exclude_seen, items=as_array(items), exclude=as_array(exclude)
    )
    for r, row in enumerate(rows):
        codes = eligible.rule_of(np.full(10, r), np.arange(10, dtype=np.int32))
        allowed = 0
        for i, code in enumerate(codes.tolist()):
            forbidden = {
                "seen": exclude_seen and i in row,
                "not in items=": items is not None and i not in items,
                "in exclude=": exclude is not None and i in exclude,
            }
            assert (code == 0) == (not any(forbidden.values()))
            assert code == 0 or forbidden[eligible.rules[code - 1]]
            allowed += code == 0
        assert eligible.n_allowed()[r] == allowed


@given(ragged, st.integers(0, 6))
def test_padded_and_from_padded_are_inverse(rows, k):
    flat = np.array([i for r in rows for i in r[:k]], np.int32)
    lists = Lists(offsets(np.array([len(r[:k]) for r in rows])), flat, flat.astype(np.float32))
    padded = lists.padded(k)
    score = np.where(padded >= 0, padded, 0).astype(np.float32)
    back = Lists.from_padded(padded, score)
    assert back.ptr.tolist() == lists.ptr.tolist()
    assert back.item_idx.tolist() == lists.item_idx.tolist()
    assert lists.rank.tolist() == [n + 1 for r in rows for n in range(len(r[:k]))]


def test_scatter_puts_lists_where_they_belong():
    lists = Lists(np.array([0, 2, 3]), np.array([5, 6, 7], np.int32), np.ones(3, np.float32))
    spread = lists.scatter(np.array([1, 3]), 5)
    assert spread.padded(2).tolist() == [[-1, -1], [5, 6], [-1, -1], [7, -1], [-1, -1]]


def test_the_first_rule_that_removes_a_candidate_stays_its_reason():
    lists = Lists(np.array([0, 3]), np.array([0, 1, 2], np.int32), np.ones(3, np.float32))
    once = Candidates.from_lists(lists, "source").remove(np.array([0, 1, 2], np.int8), ("seen", "hidden"))
    twice = once.remove(np.array([1, 1, 0], np.int8), ("no score",))
    assert [twice.rules[c - 1] for c in twice.removed_by.tolist()] == ["no score", "seen", "hidden"]
    assert not twice.kept.any()
