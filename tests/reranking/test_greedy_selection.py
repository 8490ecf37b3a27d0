"""The selection kernel against the definitions of its terms, on small random cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import greedy_selection as oracle

from shortlist.kernels.greedy_selection import Caps, Mix, Similar, greedy_selection

N_GROUPS, N_CAPS = 4, 3


def ragged(lists):
    ptr = np.concatenate([[0], np.cumsum([len(some) for some in lists])]).astype(np.int64)
    return ptr, np.array([g for some in lists for g in some], np.int32)


def case(seed, m, n):
    """A random case as keyword arguments of the oracle; similarities of float32 vectors, as the kernel has them."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((m, 3))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    vectors[rng.random(m) < 0.1] = 0
    shares = rng.random((2, N_GROUPS))
    shares[0, rng.random(N_GROUPS) < 0.3] = 0
    places = np.flatnonzero(rng.random(n) < 0.15)[:m]
    weight = rng.random(5) * (rng.random(5) < 0.6)
    weight[0] += 0.1
    return vectors, {
        "relevance": rng.random(m),
        "weight": weight,
        "epsilon": 0.05,
        "groups_of": [rng.choice(N_GROUPS, rng.integers(1, 3), replace=False) for _ in range(m)],
        "target": shares[0] / max(shares[0].sum(), 1e-9),
        "alpha": 0.01,
        "exposure_target": shares[1] / shares[1].sum(),
        "discount": 1 / np.log2(np.arange(n) + 2),
        "capped": [rng.choice(N_CAPS, rng.integers(0, 2), replace=False) for _ in range(m)],
        "limit": rng.integers(0, 4, N_CAPS),
        "pinned": dict(zip(places.tolist(), rng.permutation(m)[: places.size].tolist(), strict=True)),
    }


def chosen_by_kernel(n, vectors, given_case):
    similar, groups = Similar(vectors, given_case["epsilon"]), ragged(given_case["groups_of"])
    pinned, chosen, parts = np.full(n, -1), np.full(n, -1), np.zeros((n, 5))
    for place, candidate in given_case["pinned"].items():
        pinned[place] = candidate
    filled = greedy_selection(
        given_case["relevance"],
        given_case["weight"],
        similar,
        similar,
        Mix(*groups, given_case["target"]),
        given_case["alpha"],
        Mix(*groups, given_case["exposure_target"]),
        given_case["discount"],
        Caps(*ragged(given_case["capped"]), given_case["limit"].astype(np.int64)),
        pinned,
        chosen,
        parts,
    )
    return chosen[:filled].tolist(), parts[:filled]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 10), st.integers(1, 8))
def test_choices_are_those_of_the_definitions(seed, m, n):
    vectors, made = case(seed, m, n)
    similarity = vectors.astype(float) @ vectors.T.astype(float)
    chosen, _ = chosen_by_kernel(n, vectors, made)
    assert chosen == oracle.select(n, similarity=similarity, **made)


@pytest.mark.parametrize("term", range(1, 5))
def test_each_term_alone_is_its_definition(term):
    for seed in range(30):
        vectors, made = case(seed, 9, 6)
        made |= {
            "weight": np.eye(5)[0] * 0.4 + np.eye(5)[term] * 0.6,
            "pinned": {},
            "limit": np.full(N_CAPS, 9),
        }
        similarity = vectors.astype(float) @ vectors.T.astype(float)
        chosen, _ = chosen_by_kernel(6, vectors, made)
        assert chosen == oracle.select(6, similarity=similarity, **made)


def test_the_parts_are_what_the_terms_were_worth():
    vectors, made = case(3, 9, 5)
    made |= {"weight": np.full(5, 0.2), "pinned": {}}
    chosen, parts = chosen_by_kernel(5, vectors, made)
    similarity = vectors.astype(float) @ vectors.T.astype(float)
    for place, candidate in enumerate(chosen):
        before = chosen[:place]
        expected = [
            made["relevance"][candidate],
            oracle.mmr_value(similarity, before, candidate),
            oracle.determinant_gain(similarity, 0.05, before, candidate),
            -oracle.divergence(made["groups_of"], made["target"], 0.01, before, candidate),
            -oracle.distance(made["groups_of"], made["exposure_target"], made["discount"], before, candidate),
        ]
        np.testing.assert_allclose(parts[place], expected, rtol=1e-4, atol=1e-6)


def test_what_a_cap_leaves_out_stays_out_and_the_list_is_short():
    vectors, made = case(1, 6, 6)
    made |= {"capped": [[0]] * 6, "limit": np.array([2, 0, 0]), "pinned": {}}
    chosen, _ = chosen_by_kernel(6, vectors, made)
    assert len(chosen) == 2


def test_pins_move_up_when_nothing_else_may_be_chosen():
    vectors, made = case(1, 4, 4)
    made |= {"capped": [[0]] * 4, "limit": np.array([1, 0, 0]), "pinned": {1: 2, 3: 0}}
    chosen, _ = chosen_by_kernel(4, vectors, made)
    assert chosen == [2, 0]


def test_of_equal_candidates_the_first_is_chosen():
    vectors = np.zeros((3, 2), np.float32)
    _, made = case(0, 3, 3)
    made |= {"relevance": np.ones(3), "weight": np.array([1.0, 0, 0, 0, 0]), "pinned": {}, "capped": [[]] * 3}
    assert chosen_by_kernel(3, vectors, made)[0] == [0, 1, 2]


def test_duplicates_do_not_break_the_determinant():
    vectors = np.ones((5, 2), np.float32) / np.float32(np.sqrt(2))
    _, made = case(0, 5, 5)
    made |= {
        "relevance": np.zeros(5),
        "weight": np.array([0.5, 0, 0.5, 0, 0]),
        "pinned": {},
        "capped": [[]] * 5,
    }
    chosen, parts = chosen_by_kernel(5, vectors, made)
    assert sorted(chosen) == [0, 1, 2, 3, 4]
    assert np.isfinite(parts).all()


@pytest.mark.parametrize("seed", range(10))
def test_labels_are_compared_as_their_unit_vectors_are(seed):
    rng = np.random.default_rng(seed)
    labels = [rng.choice(5, rng.integers(0, 4), replace=False) for _ in range(9)]
    hot = np.array([np.isin(np.arange(5), own) for own in labels], np.float32)
    unit = hot / np.maximum(np.linalg.norm(hot, axis=1, keepdims=True), 1).astype(np.float32)
    ptr, label = ragged(labels)
    found = []
    for similar in (Similar(unit, 0.05), Similar(np.zeros((0, 1), np.float32), 0.05, ptr, label)):
        nothing = Mix(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0))
        caps = Caps(np.zeros(10, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
        picks, parts = np.full(6, -1), np.zeros((6, 5))
        weight, relevance = np.array([0.4, 0.3, 0.3, 0, 0]), np.random.default_rng(seed).random(9)
        rest = nothing, 0.0, nothing, np.ones(6), caps, np.full(6, -1), picks, parts
        assert greedy_selection(relevance, weight, similar, similar, *rest) == 6
        found.append((picks, parts))
    assert found[0][0].tolist() == found[1][0].tolist()
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-5)
