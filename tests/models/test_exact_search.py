"""Exact search: right against brute force, and the same whatever the blocking."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.top_k import k_best

from shortlist import threads
from shortlist.models import exact_passes
from shortlist.models.exact_search import pair_scores, search
from shortlist.stages import Eligible, offsets


def eligible_of(n, n_items, rng, share=0.2):
    own = [np.flatnonzero(rng.random(n_items) < share).astype(np.int32) for _ in range(n)]
    item_rule = (rng.random(n_items) < share).astype(np.int8)
    flat = np.concatenate(own) if own else np.zeros(0, np.int32)
    ptr = offsets(np.array([o.size for o in own], np.int64))
    return Eligible(("rule",), item_rule, ptr, flat, np.ones(flat.size, np.int8))


def brute_force(q, items, k, eligible, q_off, i_off, euclidean):
    lists = []
    for r in range(len(q)):
        permitted = eligible.item_rule == 0
        permitted[eligible.item_idx[eligible.ptr[r] : eligible.ptr[r + 1]]] = False
        scores = []
        for i in range(len(items)):
            a, b = q[r].astype(float), items[i].astype(float)
            exact = -math.dist(a, b) if euclidean else sum(a * b) + float(q_off[r]) + float(i_off[i])
            scores.append(float(np.float32(exact)))
        lists.append(k_best(scores, permitted, k))
    return lists


@pytest.mark.parametrize("euclidean", [False, True])
@given(
    n=st.integers(0, 4),
    n_items=st.integers(1, 60),
    dim=st.integers(0, 5),
    k=st.integers(0, 70),
    seed=st.integers(0, 2**32 - 1),
    coarse=st.booleans(),
)
def test_equals_brute_force(euclidean, n, n_items, dim, k, seed, coarse):
    rng = np.random.default_rng(seed)
    make = (lambda *s: rng.integers(-1, 2, s)) if coarse else (lambda *s: rng.standard_normal(s))
    q, items = make(n, dim).astype(np.float32), make(n_items, dim).astype(np.float32)
    q_off, i_off = make(n).astype(np.float32), make(n_items).astype(np.float32)
    eligible = eligible_of(n, n_items, rng)
    found = search(q, items, k, eligible, query_offsets=q_off, item_offsets=i_off, euclidean=euclidean)
    expected = brute_force(q, items, k, eligible, q_off, i_off, euclidean)
    got = [found.item_idx[found.ptr[r] : found.ptr[r + 1]].tolist() for r in range(n)]
    assert got == expected


@pytest.mark.parametrize("euclidean", [False, True])
def test_rounding_in_the_product_hides_nothing(euclidean):
    # 500 items whose exact scores differ by less than float32 rounds in a product of large terms that cancel.
    rng = np.random.default_rng(3)
    items = np.zeros((500, 8), np.float32)
    items[:, 0] = items[:, 1] = 3e3
    items[:, 2] = rng.permutation(500) * np.float32(1e-4)
    q = np.zeros((3, 8), np.float32)
    q[:, 0], q[:, 1], q[:, 2] = 3e3, -3e3, 1.0
    eligible = eligible_of(3, 500, rng, share=0.1)
    zero = np.zeros(500, np.float32)
    found = search(q, items, 10, eligible, euclidean=euclidean)
    expected = brute_force(q, items, 10, eligible, np.zeros(3), zero, euclidean)
    assert [found.item_idx[found.ptr[r] : found.ptr[r + 1]].tolist() for r in range(3)] == expected


def test_one_query_gives_what_a_batch_gives(rng, monkeypatch):
    q, items = rng.standard_normal((300, 32), np.float32), rng.standard_normal((5000, 32), np.float32)
    eligible = eligible_of(300, 5000, rng)
    whole = search(q, items, 20, eligible)
    monkeypatch.setattr(exact_passes, "BLOCK_SCORES", 5000)
    for block in (whole, search(q, items, 20, eligible)):
        assert block.item_idx.tolist() == whole.item_idx.tolist()
        assert block.score.tobytes() == whole.score.tobytes()
    for r in (0, 17, 299):
        alone = search(q[r : r + 1], items, 20, eligible.rows(np.array([r])))
        part = slice(whole.ptr[r], whole.ptr[r + 1])
        assert alone.score.tobytes() == whole.score[part].tobytes()
        assert alone.item_idx.tolist() == whole.item_idx[part].tolist()


def test_the_number_of_threads_changes_nothing(rng):
    q, items = rng.standard_normal((500, 16), np.float32), rng.standard_normal((3000, 16), np.float32)
    eligible, before = eligible_of(500, 3000, rng), threads.num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            threads.set_num_threads(n)
            results.append(search(q, items, 7, eligible))
    finally:
        threads.set_num_threads(before)
    assert len({r.score.tobytes() + r.item_idx.tobytes() for r in results}) == 1


def test_pairs_have_the_bits_of_the_lists(rng):
    q, items = rng.standard_normal((40, 24), np.float32), rng.standard_normal((700, 24), np.float32)
    q_off, i_off = rng.standard_normal(40, np.float32), rng.standard_normal(700, np.float32)
    lists = search(q, items, 30, eligible_of(40, 700, rng), query_offsets=q_off, item_offsets=i_off)
    pairs = pair_scores(q, q_off, items, i_off, lists.row, lists.item_idx)
    assert pairs.tobytes() == lists.score.tobytes()


def test_items_that_are_not_listed_never_appear(rng):
    q, items = rng.standard_normal((5, 4), np.float32), rng.standard_normal((50, 4), np.float32)
    listed = np.arange(50) % 5 == 0
    found = search(q, items, 50, eligible_of(5, 50, rng, 0.0), listed=listed)
    assert (found.item_idx % 5 == 0).all()
    assert np.diff(found.ptr).tolist() == [10] * 5
