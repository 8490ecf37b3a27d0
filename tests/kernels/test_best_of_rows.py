"""The best entries of rows, against sorting them all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles.top_k import k_best

from shortlist.kernels.best_of_rows import best_of_rows


@given(st.data(), st.integers(0, 3), st.integers(0, 6))
def test_are_those_that_sorting_puts_first(data, n_rows, k):
    rows = [
        data.draw(st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 0.5]), st.booleans()), max_size=8))
        for _ in range(n_rows)
    ]
    ptr = np.cumsum([0, *map(len, rows)])
    item = np.concatenate([np.arange(len(row)) for row in rows] or [[]]).astype(np.int32)
    score = np.array([value for row in rows for value, _ in row], np.float32)
    is_open = np.array([allowed for row in rows for _, allowed in row], bool)
    order = data.draw(st.permutations(range(n_rows)))
    found, scores = np.full((n_rows, k), -1, np.int32), np.zeros((n_rows, k), np.float32)
    for row in order:
        best_of_rows(ptr, item, score, is_open, found, scores, row, row + 1)
    for row, entries in enumerate(rows):
        best = k_best([value for value, _ in entries], [allowed for _, allowed in entries], k)
        assert [i for i in found[row].tolist() if i >= 0] == best
        assert scores[row, : len(best)].tolist() == [entries[i][0] for i in best]
