import numpy as np
import pytest
from experiments.hand_data import dataset
from hypothesis import given
from hypothesis import strategies as st

from shortlist.experiments.segments import DEFINITIONS, head_and_tail, item_segments, user_segments


def test_users_by_hand():
    # Training events: user 0 three, user 1 two, user 2 one, none of them positive; user 3 has none.
    train = dataset([(0, 0, 5), (0, 1, 1), (0, 2, 1), (1, 0, 4), (1, 1, 1), (2, 0, 3)], 4, 3)
    found = {name: np.flatnonzero(part).tolist() for name, part in user_segments(train, np.arange(4)).items()}
    assert found == {
        "all": [0, 1, 2, 3],
        "cold users": [2, 3],
        "warm users": [0, 1],
        "less active users": [1],
        "more active users": [0],
    }


def test_segments_without_members_are_left_out():
    train = dataset([(0, 0, 5), (1, 0, 5)], 2, 1)
    assert list(user_segments(train, np.arange(2))) == ["all", "warm users", "less active users"]


def test_a_repeated_like_counts_once_towards_the_head():
    train = dataset([(0, 0, 5)] * 9 + [(0, 1, 5), (1, 1, 5), (2, 1, 5)], 3, 2)
    assert item_segments(train)["head items"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("counts", "head"),
    [([], []), ([0, 0], []), ([7], [0]), ([5, 5], [0]), ([1, 1, 1], [0, 1]), ([0, 2, 2, 3], [1, 3])],
)
def test_head_by_hand(counts, head):
    assert np.flatnonzero(head_and_tail(np.array(counts, np.int64))["head items"]).tolist() == head


@given(st.lists(st.integers(0, 5), max_size=12))
def test_the_head_is_the_shortest_that_holds_half(counts):
    counts = np.array(counts, np.int64)
    head = head_and_tail(counts)["head items"]
    if counts.sum():
        assert 2 * counts[head].sum() >= counts.sum()
        assert 2 * (counts[head].sum() - counts[head].min()) < counts.sum()
        assert counts[head].min() >= counts[~head].max(initial=0)


def test_every_segment_is_defined_in_words():
    train = dataset([(0, 0, 5), (0, 1, 1), (1, 0, 5), (2, 0, 1)], 3, 2)
    assert set(user_segments(train, np.arange(3))) | set(item_segments(train)) == set(DEFINITIONS)
