import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.kernels.same_moment import mark_pairs

# Time, user, item: few of each so that they meet; many items, so that some share a place of the table.
EVENTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 40)), max_size=60)


def marked(events, block):
    users, items, times = (np.array([event[at] for event in events]) for at in (1, 2, 0))
    found = np.zeros(len(events), bool)
    columns = users.astype(np.int32), items.astype(np.int32), times.astype(np.int64)
    for start in range(0, len(events), block):
        mark_pairs(*columns, start, min(start + block, len(events)), found)
    return found.tolist()


@given(EVENTS, st.integers(1, 40))
def test_events_of_one_pair_and_moment_are_marked_whatever_the_blocks(events, block):
    events = sorted(events, key=lambda event: event[0])
    assert marked(events, block) == [events.count(event) > 1 for event in events]


def test_a_moment_of_many_events_is_marked_too(rng):
    # Pairs whose numbers differ in high or low bits only, in a table that fills.
    users, items = rng.integers(0, 2**31, 300), rng.integers(0, 3, 300)
    events = [(7, int(u), int(i)) for u, i in zip(users, items, strict=True)] * 2
    assert all(marked(events, 1000))
    assert not any(marked(events[:300], 1000))
