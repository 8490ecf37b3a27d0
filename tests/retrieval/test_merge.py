"""Merging proposals: no duplicates, every origin kept, and turns of the sources where there is a size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.merge import taken

import shortlist as sl
from shortlist.errors import ParameterError
from shortlist.retrieval.merge import BEYOND_SIZE, Merge, union
from shortlist.stages import Candidates, Eligible, History, Lists, Request, offsets

N_ITEMS = 6


@st.composite
def proposals(draw, n, name):
    rows = [draw(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=4)) for _ in range(n)]
    flat = np.array([i for row in rows for i in row], np.int32)
    anchor = np.array([draw(st.integers(-1, N_ITEMS - 1)) for _ in flat], np.int32)
    return proposed(rows, name, anchor)


def proposed(rows, name, anchor=None):
    flat = np.array([i for row in rows for i in row], np.int32)
    ptr = offsets(np.array([len(r) for r in rows]))
    return Candidates.from_lists(Lists(ptr, flat, -np.arange(flat.size, dtype=np.float32) - 1), name, anchor)


def request_of(forbidden, n_items=N_ITEMS):
    """Return a request of as many users as there are lists of `forbidden` items."""
    n = len(forbidden)
    ptr, nothing = np.zeros(n + 1, np.int64), np.zeros(0, np.int32)
    history = History(ptr, nothing, np.zeros(0, np.float32), np.zeros(0, bool), None)
    flat = np.array([i for row in forbidden for i in sorted(row)], np.int32)
    own = offsets(np.array([len(row) for row in forbidden]))
    eligible = Eligible(("out",), np.zeros(n_items, np.int8), own, flat, np.ones(flat.size, np.int8))
    return Request(np.arange(n, dtype=np.int32), history, eligible, 10, None)


@given(st.data(), st.integers(1, 4), st.integers(1, 3))
def test_is_the_union_with_every_origin(data, n, n_sources):
    parts = [data.draw(proposals(n, f"s{s}")) for s in range(n_sources)]
    merged = union(parts, N_ITEMS)
    found = {}
    for m in range(merged.item_idx.size):
        key = (int(merged.row[m]), int(merged.item_idx[m]))
        assert key not in found
        found[key] = (merged.source_rank[m].tolist(), merged.source_score[m].tolist(), int(merged.anchor[m]))
    expected = {}
    for s, part in enumerate(parts):
        for p in range(part.item_idx.size):
            key = (int(part.row[p]), int(part.item_idx[p]))
            rank, score, anchor = expected.setdefault(key, ([0] * n_sources, [0.0] * n_sources, -1))
            rank[s], score[s] = int(part.source_rank[p, 0]), float(part.source_score[p, 0])
            own = int(part.anchor[p])
            goes_first = anchor < 0 or own == key[1]  # the item itself: it is of the user's past
            expected[key] = (rank, score, own if goes_first else anchor)
    assert found == expected
    assert merged.sources == tuple(f"s{s}" for s in range(n_sources))
    assert list(found) == sorted(found)


def kept_of(merged, row):
    mine = merged.kept & (merged.row == row)
    return set(merged.item_idx[mine].tolist())


def in_turn_of(merged, row):
    mine = np.flatnonzero(merged.kept & (merged.row == row))
    return [(round(1 / merged.score[m]), int(merged.item_idx[m])) for m in mine]


@given(st.data(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 7))
def test_within_the_size_are_the_items_that_turns_bring(data, n, n_sources, size):
    names = [f"s{s}" for s in range(n_sources)]
    parts = [data.draw(proposals(n, name)) for name in names]
    forbidden = [data.draw(st.sets(st.integers(0, N_ITEMS - 1), max_size=3)) for _ in range(n)]
    weights = [data.draw(st.sampled_from([0, 0.1, 0.3, 0.5, 1, 2, 3])) for _ in names]
    room = size
    quotas = []
    for _ in names:
        least = data.draw(st.integers(0, min(room, 2)))
        room -= least
        quotas.append((least, data.draw(st.sampled_from([least, least + 1, size + least]))))
    merge = Merge(size, dict(zip(names, weights, strict=True)), dict(zip(names, quotas, strict=True)))
    request = request_of(forbidden)
    merged = merge(parts, request)
    everything = union(parts, N_ITEMS)
    np.testing.assert_array_equal(merged.item_idx, everything.item_idx)
    np.testing.assert_array_equal(merged.source_rank, everything.source_rank)
    for row in range(n):
        lists = [part.item_idx[part.ptr[row] : part.ptr[row + 1]].tolist() for part in parts]
        permitted = set(range(N_ITEMS)) - forbidden[row]
        by_turns = taken(lists, permitted, size, weights, quotas)
        assert kept_of(merged, row) == set(by_turns)
        assert [item for _, item in sorted(in_turn_of(merge.in_turn(parts, request), row))] == by_turns


def test_a_heavier_source_brings_more_and_ties_go_to_the_first():
    parts = [proposed([[0, 1, 2, 3]], "a"), proposed([[4, 5, 6, 7]], "b")]
    nobody = request_of([[]], 8)
    assert kept_of(Merge(3)(parts, nobody), 0) == {0, 4, 1}
    assert kept_of(Merge(3, {"b": 2})(parts, nobody), 0) == {0, 4, 5}
    assert kept_of(Merge(5, {"a": 0})(parts, nobody), 0) == {4, 5, 6, 7, 0}
    assert kept_of(Merge(4, {"a": 9}, {"b": [2, 2]})(parts, nobody), 0) == {0, 1, 4, 5}
    assert kept_of(Merge(8, {}, {"b": [0, 1]})(parts, nobody), 0) == {0, 1, 2, 3, 4}


def test_without_a_size_the_turns_order_everything():
    parts = [proposed([[0, 1], []], "a"), proposed([[2, 1], []], "b")]
    ordered = Merge().in_turn(parts, request_of([[1], []], 3))
    assert sorted(in_turn_of(ordered, 0)) == [(1, 0), (2, 2)]
    assert ordered.rules == ("out",)


def test_what_is_cut_stays_in_the_trace_with_all_origins():
    parts = [proposed([[0, 1]], "a"), proposed([[1, 0]], "b")]
    merged = Merge(1)(parts, request_of([[]]))
    assert merged.source_rank.tolist() == [[1, 2], [2, 1]]
    assert merged.removed_by.tolist() == [0, 2]
    assert merged.rules[1] == BEYOND_SIZE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"size": 0}, "size must be a whole number of at least 1"),
        ({"weights": {"a": 1}}, "give size= too"),
        ({"size": 5, "weights": {"a": -1}}, r"weights\['a'\] must be a number at least 0"),
        (
            {"size": 5, "quotas": {"a": [3, 4], "b": [3, 3]}},
            "promise 6 candidates to the sources, and size is 5",
        ),
        ({"size": 5, "quotas": {"a": [3, 2]}}, "at least 3, got 2"),
        ({"size": 5, "quotas": {"a": 3}}, r"two whole numbers, \[least, most\], got 3"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(ParameterError, match=words):
        Merge(**given)


def test_a_name_that_is_no_source_is_refused_with_the_nearest():
    sources, scorer = [sl.Popular()], sl.ModelScorer(sl.Popularity())
    with pytest.raises(ParameterError, match="no source is called 'popular', did you mean 'Popular'"):
        sl.Pipeline(sources, scorer, merge=Merge(5, {"popular": 2}))
    with pytest.raises(ParameterError, match="quotas of the merge: no source is called 'Nearest'"):
        sl.Pipeline(sources, scorer, merge=Merge(5, {}, {"Nearest": [1, 2]}))


def test_is_told_by_its_values():
    merge = Merge(5, {"a": 2}, {"b": [1, 3]})
    again = Merge.from_values(merge.to_values())
    assert again == merge
    assert hash(again) == hash(merge)
    assert merge != Merge(5)
    assert repr(merge) == "Merge(size=5, weights={'a': 2.0}, quotas={'b': (1, 3)})"
