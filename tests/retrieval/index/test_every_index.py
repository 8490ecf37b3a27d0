"""Both indexes against brute force: all measures and storages, ties, duplicates, masks, and after every change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.vector_index import ListIndex, stored

import shortlist as sl
from shortlist.retrieval.index import exact_among

MEASURES = st.sampled_from(["dot", "cosine", "euclidean"])
STORAGES = st.sampled_from(["float32", "half", "int8"])
STRUCTURES = st.sampled_from(["graph", "cells"])
SETTINGS = [(m, s) for m in ("dot", "cosine", "euclidean") for s in ("float32", "half", "int8")]


def float32(x):
    return float(np.float32(x))


def small_vectors(rng, n, dim):
    """Whole numbers, so that there are ties and duplicates; no zero vector."""
    vectors = rng.integers(-3, 4, (n, dim)).astype(np.float64)
    vectors[~vectors.any(axis=1), 0] = 1
    return vectors


class Twin:
    """An index and the oracle, changed alike."""

    def __init__(self, index, ids, vectors, offsets):
        self.index, self.oracle = index, ListIndex(index.measure)
        index.build(vectors, ids, offsets=offsets)
        self.tell(self.oracle.add, ids, offsets)

    def tell(self, change, ids, offsets):
        given = np.zeros(len(ids)) if offsets is None else offsets
        for identity, vector, offset in zip(ids, self.index.vectors_of(ids), given, strict=True):
            change(identity, vector, offset)

    def add(self, ids, vectors, offsets):
        self.index.add(ids, vectors, offsets=offsets)
        self.tell(self.oracle.add, ids, offsets)

    def replace(self, ids, vectors, offsets):
        self.index.replace(ids, vectors, offsets=offsets)
        self.tell(self.oracle.replace, ids, offsets)

    def remove(self, ids):
        self.index.remove(ids)
        for identity in ids:
            self.oracle.remove(identity)

    def ids(self):
        return [identity for identity, _, _ in self.oracle.items]


def changed_twin(index, rng, dim):
    """Return a twin that was built and then changed three times at random."""
    n = int(rng.integers(1, 30))
    names = [f"item {i}" for i in rng.permutation(90)]

    def offsets(n):
        return rng.integers(-2, 3, n) if index.measure == "dot" and rng.random() < 0.7 else None

    twin = Twin(index, names[:n], small_vectors(rng, n, dim), offsets(n))
    for first in (30, 50, 70):
        known, more = twin.ids(), names[first : first + int(rng.integers(0, 20))]
        chosen = [known[i] for i in rng.permutation(len(known))[: int(rng.integers(0, len(known) + 1))]]
        match int(rng.integers(3)):
            case 0:
                twin.add(more, small_vectors(rng, len(more), dim), offsets(len(more)))
            case 1:
                twin.replace(chosen, small_vectors(rng, len(chosen), dim), offsets(len(chosen)))
            case 2:
                twin.remove(chosen)
    return twin


def asked(twin, rng, dim):
    """Return queries, k, and the three ways to say what each of them may find, as keywords and as a function."""
    ids, n = twin.ids(), int(rng.integers(1, 5))
    queries, k = small_vectors(rng, n, dim), int(rng.integers(0, 15))
    share = rng.choice([0.0, 0.1, 0.7, 1.0])
    shape = (n, len(ids)) if rng.random() < 0.5 else (len(ids),)
    allowed = rng.random(shape) < share if rng.random() < 0.7 else None
    forbidden = [[i for i in ids if rng.random() < 0.2] for _ in range(n)] if rng.random() < 0.7 else None

    def may_find(row):
        mask = np.broadcast_to(True if allowed is None else allowed, (n, len(ids)))[row]
        own = forbidden[row] if forbidden else ()
        return {i for i, ok in zip(ids, mask, strict=True) if ok and i not in own}.__contains__

    return queries, k, {"allowed": allowed, "forbidden": forbidden}, may_find


@settings(max_examples=50)
@given(seed=st.integers(0, 2**31), measure=MEASURES, storage=STORAGES)
def test_an_exact_index_finds_what_brute_force_finds(seed, measure, storage):
    rng, dim = np.random.default_rng(seed), 3
    twin = changed_twin(sl.ExactIndex(measure, storage), rng, dim)
    queries, k, limits, may_find = asked(twin, rng, dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_among, "BLOCK_ITEMS", int(rng.integers(1, 40)))
        found = twin.index.search(queries, k, **limits)
    wanted = [twin.oracle.search(q, k, float32, may_find(r)) for r, q in enumerate(queries)]
    assert found.to_list() == wanted
    assert twin.index.ids.to_list() == twin.ids()
    assert set(found.shortfalls) == {r for r, best in enumerate(wanted) if len(best) < k}


@settings(max_examples=50)
@given(seed=st.integers(0, 2**31), measure=MEASURES, storage=STORAGES, structure=STRUCTURES)
def test_an_approximate_list_is_full_permitted_and_in_the_exact_order(seed, measure, storage, structure):
    rng, dim = np.random.default_rng(seed), 3
    twin = changed_twin(sl.ApproximateIndex(measure, storage, structure=structure, exact_up_to=0), rng, dim)
    queries, k, limits, may_find = asked(twin, rng, dim)
    found = twin.index.search(queries, k, **limits).to_list()
    for row, (query, best) in enumerate(zip(queries, found, strict=True)):
        everything = twin.oracle.search(query, 90, float32, may_find(row))
        assert len(best) == min(k, len(everything))
        assert [entry for entry in everything if entry in best] == best
        alone = {name: None if limit is None else limit[row : row + 1] for name, limit in limits.items()}
        if limits["allowed"] is not None and limits["allowed"].ndim == 1:
            alone["allowed"] = limits["allowed"]
        assert twin.index.search(query, k, **alone).to_list() == [best]


@pytest.mark.parametrize(("measure", "storage"), SETTINGS)
def test_vectors_are_stored_as_the_page_says(rng, measure, storage):
    vectors = np.vstack([rng.normal(size=(20, 5)) * 10.0 ** rng.integers(-3, 3, (20, 1)), np.eye(5)])
    index = sl.ExactIndex(measure, storage).build(vectors)
    wanted = [stored(v, measure, storage, float32, np.float16) for v in vectors]
    np.testing.assert_allclose(index.vectors_of(range(25)), wanted, rtol=1e-6, atol=1e-9)


def clustered(rng, n, dim=12):
    """Vectors around 60 centres of different lengths, and queries of the same kind."""
    centres = rng.normal(size=(60, dim)) * rng.uniform(0.5, 2, (60, 1))
    drawn = centres[rng.integers(60, size=n + 64)] + 0.4 * rng.normal(size=(n + 64, dim))
    return drawn[:n], drawn[n:]


def recall(index, exact, queries, **limits):
    found, best = (i.search(queries, 10, **limits).to_list() for i in (index, exact))
    shared = [len({i for i, _ in a} & {i for i, _ in b}) for a, b in zip(found, best, strict=True)]
    return sum(shared) / sum(map(len, best))


@pytest.mark.parametrize(
    ("measure", "storage", "structure"),
    [(*setting, ("graph", "cells")[i % 2]) for i, setting in enumerate(SETTINGS[::2])],
)
def test_recall_is_what_is_measured_and_kept_by_filters_and_changes(rng, measure, storage, structure):
    vectors, queries = clustered(rng, 3000)
    given = {"offsets": rng.normal(size=3000)} if measure == "dot" else {}
    exact = sl.ExactIndex(measure, storage).build(vectors, **given)
    index = sl.ApproximateIndex(measure, storage, structure=structure, exact_up_to=40, effort_build=64)
    index.build(vectors, queries=queries, **given)
    assert index.recall_ >= 0.95
    assert f"recall@10 {index.recall_:.3f}" in repr(index)
    assert index.measured_recall(queries) == pytest.approx(recall(index, exact, queries), abs=0.01)
    for share in (0.5, 0.1, 0.01, 0.001):
        mask = rng.random(3000) < share
        mask[7] = True
        assert recall(index, exact, queries, allowed=mask) >= 0.95
    for one in (index, exact):
        one.remove(range(1000))
        one.replace(range(1000, 1500), vectors[:500])
        one.add(range(3000, 3200), vectors[500:700])
    assert recall(index, exact, queries) >= 0.95
    assert index.measured_recall(rng=1) >= 0.95


def test_an_index_of_few_items_has_no_graph_and_is_exact(rng):
    vectors, queries = clustered(rng, 300)
    index = sl.ApproximateIndex(exact_up_to=350).build(vectors)
    exact = sl.ExactIndex().build(vectors)
    assert index.recall_ == 1.0
    assert "searched exactly" in repr(index)
    assert index.search(queries).to_list() == exact.search(queries).to_list()
    index.add(range(300, 400), vectors[:100])
    assert "effort" in repr(index)  # it has grown beyond


@pytest.mark.parametrize("structure", ["graph", "cells"])
def test_the_same_vectors_give_the_same_index(rng, structure):
    vectors, queries = clustered(rng, 2000)
    empty = [sl.ApproximateIndex(structure=structure, exact_up_to=0, effort_build=16) for _ in range(2)]
    one, other = (index.build(vectors) for index in empty)
    assert one.proposer_bytes().tobytes() == other.proposer_bytes().tobytes()
    assert one.search(queries).to_list() == other.search(queries).to_list()
