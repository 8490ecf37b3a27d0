"""Exact search: right against brute force by every pass, and the same whatever the blocking."""

import copy
import pickle
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.exact_search import exact_lists

from shortlist import threads
from shortlist.kernels.exact_candidates import CHUNK
from shortlist.models import exact_passes, exact_search
from shortlist.models.exact_packed import PackedItems
from shortlist.models.exact_search import ItemSearch, pair_scores, search
from shortlist.stages import Eligible, offsets

PASSES = {
    "products": {"FEW_QUERIES": 0},
    "products of item ranges": {"FEW_QUERIES": 0, "SCAN_ITEMS": CHUNK},
    "bytes": {"LARGE_CATALOGUE": 0, "SCAN_ITEMS": CHUNK},
    "bytes, portable": {"LARGE_CATALOGUE": 0, "PORTABLE": True},
}


def eligible_of(n, n_items, rng, share=0.2):
    own = [np.flatnonzero(rng.random(n_items) < share).astype(np.int32) for _ in range(n)]
    item_rule = (rng.random(n_items) < share).astype(np.int8)
    flat = np.concatenate(own) if own else np.zeros(0, np.int32)
    ptr = offsets(np.array([o.size for o in own], np.int64))
    return Eligible(("rule",), item_rule, ptr, flat, np.ones(flat.size, np.int8))


def permitted_by(eligible, listed=None):
    permitted = np.tile(eligible.item_rule == 0, (len(eligible), 1))
    permitted[np.repeat(np.arange(len(eligible)), np.diff(eligible.ptr)), eligible.item_idx] = False
    return permitted if listed is None else permitted & listed


def as_lists(found):
    rows = [slice(found.ptr[r], found.ptr[r + 1]) for r in range(len(found))]
    return [found.item_idx[row].tolist() for row in rows], [found.score[row].tolist() for row in rows]


@contextmanager
def only(name):
    """Search by one pass, in small blocks and buffers that soon are full."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_passes, "ROOM", CHUNK)
        patch.setattr(exact_passes, "ROOM_OF_BYTES", CHUNK)
        patch.setattr(exact_passes, "BLOCK_SCORES", 3 * CHUNK)
        for constant, value in PASSES[name].items():
            patch.setattr(exact_passes if hasattr(exact_passes, constant) else exact_search, constant, value)
        yield


@pytest.fixture(params=PASSES)
def every_pass(request):
    with only(request.param):
        yield


def vectors(rng, shape, kind):
    """Return float32 vectors that are hard in one way."""
    normal = rng.standard_normal(shape)
    made = {
        "normal": lambda: normal,
        "ties": lambda: rng.integers(-1, 2, shape),
        "duplicates": lambda: normal[rng.integers(0, 3, shape[0])] if shape[0] > 2 else normal,
        "zero rows": lambda: normal * (rng.random((shape[0], 1)) < 0.7),
        "constant": lambda: np.ones(shape) * rng.integers(1, 3, (shape[0], 1)),
        "far lengths": lambda: normal * 10.0 ** rng.integers(-6, 7, (shape[0], 1)),
        "tiny": lambda: normal * 1e-22,
        "below normal": lambda: normal * 1e-41,
        "huge": lambda: normal * 1e18,
        "shifted": lambda: normal * 1e-3 + 100,
    }
    return made[kind]().astype(np.float32)


KINDS = [
    "normal", "ties", "duplicates", "zero rows", "constant", "far lengths", "tiny", "below normal", "huge", "shifted",
]  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("euclidean", [False, True])
@given(
    n=st.integers(0, 4),
    n_items=st.integers(1, 60) | st.integers(300, 500),
    dim=st.integers(0, 21),
    k=st.integers(0, 12) | st.just(600),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    share=st.sampled_from([0.0, 0.2, 0.95, 1.0]),
    with_offsets=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_brute_force(name, euclidean, n, n_items, dim, k, kinds, share, with_offsets, seed):
    rng = np.random.default_rng(seed)
    q, items = vectors(rng, (n, dim), kinds[0]), vectors(rng, (n_items, dim), kinds[1])
    q_off, i_off = (vectors(rng, (m, 1), kinds[1])[:, 0] * with_offsets for m in (n, n_items))
    eligible, listed = eligible_of(n, n_items, rng, share), rng.random(n_items) < 0.9
    with only(name):
        prepared = ItemSearch(items, i_off if with_offsets else None, euclidean=euclidean)
        found = prepared.search(q, k, eligible, query_offsets=q_off, listed=listed)
    permitted = permitted_by(eligible, listed)
    assert as_lists(found) == exact_lists(q, items, k, permitted, q_off, i_off, euclidean=euclidean)


@pytest.mark.parametrize("euclidean", [False, True])
def test_rounding_in_the_product_hides_nothing(every_pass, euclidean):
    # Scores of the order of 10⁵ that differ by less than float32 rounds in their product.
    rng = np.random.default_rng(3)
    q, items = (vectors(rng, (n, 32), "shifted") for n in (3, 500))
    eligible, zero = eligible_of(3, 500, rng, share=0.1), np.zeros(500, np.float32)
    found = ItemSearch(items, euclidean=euclidean).search(q, 10, eligible)
    permitted = permitted_by(eligible)
    assert as_lists(found) == exact_lists(q, items, 10, permitted, zero[:3], zero, euclidean=euclidean)


@given(
    dim=st.integers(1, 70),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_bytes_are_within_their_bound(dim, kinds, seed):
    rng = np.random.default_rng(seed)
    items, q = vectors(rng, (37, dim), kinds[0]), vectors(rng, (1, dim), kinds[1])[0]
    packed, query = PackedItems.of(items), PackedItems.of(items).query(q)
    blocks = packed.packed.reshape(3, -1, 16, 4).transpose(0, 2, 1, 3).reshape(48, -1)
    dots = (blocks[:37].astype(np.int64) - 128) @ query.value16.astype(np.int64)
    guess = dots * packed.step.astype(float) * float(query.unit)
    error = np.abs(items.astype(float) @ q.astype(float) - guess)
    assert (error <= packed.step.astype(float) * float(query.radius)).all()
    assert (blocks[37:] == 128).all()


def test_no_pass_but_the_last_rescores_everything(monkeypatch, rng):
    """The quick passes know the lists of ordinary vectors, with offsets and masks, by themselves."""
    monkeypatch.setattr(exact_search, "_rescore_everything", None)
    q, items = rng.standard_normal((40, 16), np.float32), rng.standard_normal((40_000, 16), np.float32)
    prepared = ItemSearch(items, rng.standard_normal(40_000, np.float32))
    eligible = eligible_of(40, 40_000, rng)
    many = prepared.search(q, 10, eligible)
    assert prepared.packed_bytes == 0
    for r in (0, 39):
        one = prepared.search(q[r : r + 1], 10, eligible.rows(np.array([r])))
        assert one.item_idx.tolist() == many.item_idx[10 * r : 10 * r + 10].tolist()
        assert one.score.tobytes() == many.score[10 * r : 10 * r + 10].tobytes()
    assert prepared.packed_bytes == 40_000 * (16 + 4)


def test_one_query_gives_what_a_batch_gives(rng, every_pass):
    q, items = rng.standard_normal((60, 32), np.float32), rng.standard_normal((5000, 32), np.float32)
    eligible = eligible_of(60, 5000, rng)
    whole = search(q, items, 20, eligible)
    prepared = ItemSearch(items)
    for r in (0, 17, 59):
        alone = prepared.search(q[r : r + 1], 20, eligible.rows(np.array([r])))
        part = slice(whole.ptr[r], whole.ptr[r + 1])
        assert alone.score.tobytes() == whole.score[part].tobytes()
        assert alone.item_idx.tolist() == whole.item_idx[part].tolist()


def test_the_number_of_threads_changes_nothing(rng, every_pass):
    q, items = rng.standard_normal((3, 16), np.float32), rng.standard_normal((3000, 16), np.float32)
    eligible, before = eligible_of(3, 3000, rng), threads.num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            threads.set_num_threads(n)
            results.append(ItemSearch(items).search(q, 7, eligible))
    finally:
        threads.set_num_threads(before)
    assert len({r.score.tobytes() + r.item_idx.tobytes() for r in results}) == 1


def test_searches_from_several_threads_pack_once(monkeypatch, rng):
    monkeypatch.setattr(exact_search, "LARGE_CATALOGUE", 0)
    q, items = rng.standard_normal((1, 16), np.float32), rng.standard_normal((3000, 16), np.float32)
    packings, pack = [], PackedItems.of
    monkeypatch.setattr(PackedItems, "of", lambda items: packings.append(1) or pack(items))
    prepared, eligible, found = ItemSearch(items), eligible_of(1, 3000, rng), []
    workers = [
        threading.Thread(target=lambda: found.append(prepared.search(q, 9, eligible))) for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(packings) == 1
    assert len({lists.item_idx.tobytes() + lists.score.tobytes() for lists in found}) == 1


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda prepared: pickle.loads(pickle.dumps(prepared))])
def test_copies_leave_the_bytes_out(monkeypatch, rng, copied):
    monkeypatch.setattr(exact_search, "LARGE_CATALOGUE", 0)
    q, items = rng.standard_normal((1, 8), np.float32), rng.standard_normal((300, 8), np.float32)
    prepared, eligible = ItemSearch(items, euclidean=True), eligible_of(1, 300, rng)
    found = prepared.search(q, 9, eligible)
    other = copied(prepared)
    assert prepared.packed_bytes > 0 == other.packed_bytes
    assert as_lists(other.search(q, 9, eligible)) == as_lists(found)


def test_pairs_have_the_bits_of_the_lists(rng):
    q, items = rng.standard_normal((40, 24), np.float32), rng.standard_normal((700, 24), np.float32)
    q_off, i_off = rng.standard_normal(40, np.float32), rng.standard_normal(700, np.float32)
    lists = search(q, items, 30, eligible_of(40, 700, rng), query_offsets=q_off, item_offsets=i_off)
    pairs = pair_scores(q, q_off, items, i_off, lists.row, lists.item_idx)
    assert pairs.tobytes() == lists.score.tobytes()
