"""Random lists and truths, as plain Python and in the array form that the metrics take."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def lists_of_items(draw, n_items, min_items=0, min_users=0, max_users=6):
    """Draw (lists, width): distinct items below `n_items`, best first; the width may exceed the catalogue."""
    one = st.lists(st.integers(0, n_items - 1), unique=True, min_size=min_items)
    lists = draw(st.lists(one, min_size=min_users, max_size=max_users))
    longest = max([1, *map(len, lists)])
    return lists, longest + draw(st.integers(0, 3))


@st.composite
def evaluations(draw, min_users=0):
    """Draw (lists, width, truth): truth is one non-empty dict item -> gain a user, often with equal gains."""
    n_items = draw(st.integers(1, 12))
    lists, width = draw(lists_of_items(n_items, min_users=min_users))
    gain = st.one_of(st.sampled_from([1.0, 2.0, 3.0]), st.floats(0.01, 100.0))
    one = st.dictionaries(st.integers(0, n_items - 1), gain, min_size=1)
    truth = [draw(one) for _ in lists]
    return lists, width, truth


def padded(lists, width):
    """Return int32[len(lists), width] with -1 behind each list."""
    table = np.full((len(lists), width), -1, np.int32)
    for row, shown in enumerate(lists):
        table[row, : len(shown)] = shown
    return table


def csr(truth):
    """Return (ptr, item_idx, gains) of a list of dicts item -> gain."""
    ptr = np.cumsum([0, *map(len, truth)], dtype=np.int64)
    pairs = [pair for relevant in truth for pair in sorted(relevant.items())]
    item_idx = np.array([item for item, _ in pairs], np.int32)
    return ptr, item_idx, np.array([gain for _, gain in pairs])
