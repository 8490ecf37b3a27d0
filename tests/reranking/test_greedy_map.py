"""Items chosen for the determinant of a given matrix: as its definition says, and what no such matrix can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reranking.test_greedy_selection import case, chosen_by_kernel

import shortlist as sl
from shortlist.errors import ParameterError


def by_determinants(similarity, relevance, k):
    """Return the greedy choice, every determinant computed anew."""
    chosen = []
    while len(chosen) < min(k, len(relevance)):
        values = {}
        for i in set(range(len(relevance))) - set(chosen):
            own = [*chosen, i]
            determinant = np.linalg.det(similarity[np.ix_(own, own)])
            values[i] = 2 * relevance[i] + np.log(max(determinant, 1e-300))
        chosen.append(max(values, key=lambda i: (values[i], -i)))
    return chosen


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 9))
def test_choices_are_those_of_the_determinants(seed, m, k):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((m, m + 1)) * rng.uniform(0.5, 2, (m, 1))
    similarity, relevance = vectors @ vectors.T, rng.standard_normal(m)
    assert sl.greedy_map(similarity, relevance, k).tolist() == by_determinants(similarity, relevance, k)


def test_a_matrix_of_rank_three_has_three_items_to_give(rng):
    vectors = rng.standard_normal((9, 3)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert sl.greedy_map(unit.astype(float) @ unit.T.astype(float), k=9).size == 3
    assert sl.greedy_map(np.zeros((4, 4)), k=2).size == 0


def test_the_kernel_of_select_chooses_the_same_by_vectors():
    for seed in range(20):
        vectors, made = case(seed, 9, 5)
        made |= {"weight": np.array([0.6, 0, 0.4, 0, 0]), "pinned": {}, "capped": [[]] * 9}
        cosines = vectors.astype(float) @ vectors.T.astype(float)
        matrix = (1 - made["epsilon"]) * cosines
        np.fill_diagonal(matrix, 1.0)
        chosen = sl.greedy_map(matrix, 0.6 / 0.4 / 2 * made["relevance"], k=5)
        assert chosen.tolist() == chosen_by_kernel(5, vectors, made)[0]


def test_of_nothing_nothing_is_chosen():
    assert sl.greedy_map(np.zeros((0, 0)), k=3).tolist() == []
    assert sl.greedy_map(np.eye(3), k=0).tolist() == []


ALIKE = np.array([[1, 0.9, 0.9, 0], [0.9, 1, -0.9, 0], [0.9, -0.9, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("similarity", "relevance", "words"),
    [
        (ALIKE, None, r"smallest eigenvalue is -0\.8, most of it from the rows 0, 1, 2\..*add 0\.8 to the diagonal"),
        (-np.eye(2), None, "not positive semi-definite"),
        ([[1, 0.5], [0.4, 1]], None, r"similarity\[0, 1\] is 0\.5 and similarity\[1, 0\] is 0\.4"),
        ([[1, np.nan], [0, 1]], None, r"similarity\[0, 1\] is nan; every number must be finite \(1 are not\)"),
        (np.eye(2), [0, np.inf], r"relevance\[1\] is inf"),
        (np.eye(2), [0.0], r"a number for each of the 2 rows of similarity, got the shape \(1,\)"),
        (np.ones((2, 3)), None, r"a square matrix, got the shape \(2, 3\)"),
        ([["a"]], None, "similarity must be numbers"),
    ],
)  # fmt: skip
def test_what_is_no_similarity_is_refused(similarity, relevance, words):
    with pytest.raises(ParameterError, match=words):
        sl.greedy_map(similarity, relevance, 2)


def test_a_length_is_a_whole_number():
    with pytest.raises(ParameterError, match="k must be a whole number of at least 0"):
        sl.greedy_map(np.eye(2), k=-1)
