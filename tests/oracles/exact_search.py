"""Exact search from its definition: every score by itself, in float64, summed in the order of the dims."""

import numpy as np
from oracles.top_k import k_best


def fixed_order_scores(query, items, query_offset, item_offsets, *, euclidean):
    """Return float32[n_items]: −distance, or the dot product and both offsets, rounded once at the end."""
    q, v = query.astype(np.float64), items.astype(np.float64)
    total = np.zeros(len(v))
    for f in range(q.size):
        total += (q[f] - v[:, f]) ** 2 if euclidean else q[f] * v[:, f]
    with np.errstate(over="ignore"):
        exact = (
            -np.sqrt(total) if euclidean else total + float(query_offset) + item_offsets.astype(np.float64)
        )
        return exact.astype(np.float32)


def exact_lists(queries, items, k, permitted, query_offsets, item_offsets, *, euclidean):
    """Return the items of each list and their scores; permitted bool[n, n_items]."""
    lists, scores = [], []
    for r, query in enumerate(queries):
        score = fixed_order_scores(query, items, query_offsets[r], item_offsets, euclidean=euclidean)
        best = k_best(score.tolist(), permitted[r], k)
        lists.append(best)
        scores.append(score[best].tolist())
    return lists, scores
