"""Merging proposals: no duplicates, every origin kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.retrieval.merge import union
from shortlist.stages import Candidates, Lists, offsets

N_ITEMS = 6


@st.composite
def proposals(draw, n, name):
    rows = [draw(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=4)) for _ in range(n)]
    flat = np.array([i for row in rows for i in row], np.int32)
    anchor = np.array([draw(st.integers(-1, N_ITEMS - 1)) for _ in flat], np.int32)
    lists = Lists(
        offsets(np.array([len(r) for r in rows])), flat, -np.arange(flat.size, dtype=np.float32) - 1
    )
    return Candidates.from_lists(lists, name, anchor)


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
