"""The selection kernel against full sorting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles.top_k import k_best

from shortlist.kernels.topk import select_rows
from shortlist.stages import offsets


@given(
    scores=hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 200)),
        elements=st.integers(-3, 3).map(float),  # few values: many ties
    ),
    k=st.integers(0, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_selects_what_sorting_selects(scores, k, seed):
    n, m = scores.shape
    rng = np.random.default_rng(seed)
    blocked = rng.random(m) < 0.3
    own = [np.flatnonzero(rng.random(m) < 0.3) for _ in range(n)]
    ptr = offsets(np.array([len(o) for o in own]))
    value, index = np.zeros((n, k), np.float32), np.zeros((n, k), np.int32)
    count = np.zeros(n, np.int64)
    select_rows(scores, blocked, ptr, np.concatenate(own).astype(np.int32), value, index, count)
    for r in range(n):
        permitted = ~blocked
        permitted[own[r]] = False
        expected = k_best(scores[r].tolist(), permitted, k)
        assert index[r, : count[r]].tolist() == expected
        assert value[r, : count[r]].tolist() == scores[r, expected].tolist()
