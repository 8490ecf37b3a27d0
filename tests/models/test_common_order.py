"""One order for everybody: the same lists as a full search for each user would give."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from shortlist import threads
from shortlist.models.common_order import best_permitted
from shortlist.models.exact_search import search
from shortlist.stages import Eligible, History, offsets


def eligible(rng, n_rows, n_items, most):
    """Return who has seen what, with some items forbidden to all."""
    length = rng.integers(0, most + 1, n_rows)
    seen = rng.integers(0, n_items, length.sum()).astype(np.int32)
    ones = np.ones(seen.size, np.float32)
    history = History(offsets(length), seen, ones, ones > 0, None)
    out = np.flatnonzero(rng.random(n_items) < 0.1).astype(np.int32)
    return Eligible.of(n_items, history, exclude_seen=True, exclude=out)


def by_search(scores, listed, k, allowed):
    none = np.zeros((len(allowed), 0), np.float32)
    items = np.zeros((scores.size, 0), np.float32)
    return search(none, items, k, allowed, item_offsets=scores, listed=listed)


@pytest.mark.parametrize("k", [0, 1, 7, 60, 100])
@pytest.mark.parametrize("n_rows", [0, 1, 300])
def test_it_is_what_a_search_for_each_user_finds(rng, k, n_rows):
    """Whole numbers up to five: many ties. Some users have seen nearly everything."""
    scores = rng.integers(-5, 6, 60).astype(np.float32)
    listed = rng.random(60) < 0.8
    allowed = eligible(rng, n_rows, 60, 150)
    ours, theirs = (find(scores, listed, k, allowed) for find in (best_permitted, by_search))
    assert_array_equal(ours.ptr, theirs.ptr)
    assert_array_equal(ours.item_idx, theirs.item_idx)
    assert_array_equal(ours.score, theirs.score)
    assert ours.score.dtype == np.float32


def test_nothing_to_list(rng):
    assert_array_equal(
        best_permitted(np.ones(5, np.float32), np.zeros(5, bool), 3, eligible(rng, 4, 5, 2)).ptr, [0] * 5
    )


def test_threads_do_not_matter(rng):
    scores, listed = rng.normal(size=50).astype(np.float32), np.ones(50, bool)
    allowed, before, found = eligible(rng, 10_000, 50, 40), threads.num_threads(), []
    try:
        for n in (1, 4):
            threads.set_num_threads(n)
            found.append(best_permitted(scores, listed, 10, allowed).item_idx)
    finally:
        threads.set_num_threads(before)
    assert_array_equal(*found)
