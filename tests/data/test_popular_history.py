import numpy as np
import pytest
from data.test_derived_features import EVENTS, LOGS, N_USERS, dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import derived_features as oracle

from shortlist.data.event_sums import folds
from shortlist.data.feedback import Feedback
from shortlist.data.popular_history import PopularHistory
from shortlist.errors import DataError, ParameterError


def test_items_are_those_of_the_most_events_by_hand():
    found = PopularHistory.now(dataset(EVENTS), 3)
    assert found.items.tolist() == [0, 1, 3]
    assert found.rows().toarray().tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    assert PopularHistory.now(dataset(EVENTS), 2).rows(np.array([1])).toarray().tolist() == [[1, 1]]
    # Nobody had item 2, so it has no column.
    assert PopularHistory.now(dataset(EVENTS)).items.size == 3


def expected(of, user, items):
    return [float(any(event[:2] == (user, item) for event in of)) for item in items]


@settings(max_examples=40)
@given(LOGS, st.integers(1, 4), st.data())
def test_rows_hold_the_history_that_counts(events, n_items, data):
    log = dataset(events)
    fold = folds(len(events), 3, 7)
    ways = {
        "earlier": (PopularHistory.earlier(log, n_items), None),
        "out of fold": (PopularHistory.out_of_fold(log, n_items, n_folds=3, rng=7), fold),
    }
    index = data.draw(st.lists(st.integers(0, len(events) - 1), max_size=4))
    for found, by_fold in ways.values():
        wanted = [
            expected(oracle.counted(events, row, by_fold), events[row][0], found.items)
            for row in range(len(events))
        ]
        assert len(found) == len(events)
        assert found.rows().toarray().tolist() == wanted
        some = found.rows(np.array(index, int))
        assert some.toarray().tolist() == [wanted[row] for row in index]
        assert some.has_canonical_format
        assert some.dtype == np.float32
    now = PopularHistory.now(log, n_items)
    assert now.rows().toarray().tolist() == [expected(events, user, now.items) for user in range(N_USERS)]


def test_what_is_not_allowed_is_refused():
    with pytest.raises(ParameterError, match="n_items must be"):
        PopularHistory.now(dataset(EVENTS), 0)
    with pytest.raises(DataError, match="no timestamps"):
        PopularHistory.earlier(dataset(EVENTS, times=False, feedback=Feedback.events()))
