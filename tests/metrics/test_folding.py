"""Folding: by plain loops, on planted spaces, and of models that were trained with and without negatives."""

import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from oracles import softmax_net as oracle
from scipy import sparse

import shortlist as sl
from shortlist.errors import ParameterError
from shortlist.metrics import folding

# Whole numbers of few sizes: ties are frequent, and cosines far enough apart not to tie by rounding alone.
VECTORS = hnp.arrays(np.int64, (9, 2), elements=st.integers(-3, 3)).filter(lambda v: v.any(axis=1).all())


@given(VECTORS, st.lists(st.sets(st.integers(0, 3), min_size=1), min_size=9, max_size=9), st.integers(1, 10))
def test_it_is_the_definition_by_plain_loops(vectors, groups, n_neighbors):
    if all(a & b for a in groups for b in groups):
        with pytest.raises(ParameterError, match="no outsiders"):
            folding(vectors, table_of(groups))
        return
    # Beyond the first digits, so that no two items are as near to a third.
    moved = vectors + np.random.default_rng(0).uniform(-0.1, 0.1, vectors.shape)
    wanted = oracle.folding(moved.tolist(), groups, n_neighbors)
    for table in (table_of(groups), sparse.csr_array(table_of(groups))):
        assert_allclose(folding(moved, table, n_neighbors=n_neighbors), wanted, rtol=1e-12)


def table_of(groups):
    return np.array([[g in own for g in range(4)] for own in groups], np.int64)


def test_blocks_apart_fold_nowhere_and_blocks_laid_over_one_another_fold_as_chance_has_it(rng):
    labels = np.arange(2000) % 2
    place = rng.normal(size=(2000, 3))
    apart = np.hstack([place * (labels == g)[:, None] for g in (0, 1)])
    assert folding(apart, labels) == 0
    assert_allclose(folding(place, labels), 1.0, atol=0.03)


def test_all_others_as_neighbours_are_what_chance_gives(rng):
    labels = rng.integers(0, 3, 50)
    assert_allclose(folding(rng.normal(size=(50, 4)), labels, n_neighbors=500), 1.0, rtol=1e-12)


def test_labels_and_their_table_say_the_same(rng):
    labels = rng.integers(0, 3, 60)
    vectors = rng.normal(size=(60, 3))
    assert folding(vectors, labels) == folding(vectors, np.eye(3)[labels]) == folding(vectors, labels * 5 + 2)


def test_measures_differ_where_lengths_do():
    vectors = [[1.0, 0.0], [9.0, 1.0], [1.0, 0.9], [5.0, 5.0]]
    labels = [0, 0, 1, 1]
    found = {m: folding(vectors, labels, n_neighbors=1, measure=m) for m in ("cosine", "dot", "euclidean")}
    # Nearest by angle: 1, 0, 3, 2. By product: 1, 3, 1, 1. By distance: 2, 3, 0, 1. Chance: 2/3.
    assert found == {"cosine": 0.0, "dot": 0.75 / (2 / 3), "euclidean": 1.0 / (2 / 3)}


def test_items_without_a_group_or_a_vector_are_left_out(rng):
    vectors, labels = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    more = np.vstack([vectors, rng.normal(size=(5, 3)), np.zeros((5, 3))])
    assert folding(more, [*labels, *[-1] * 5, *[0] * 5]) == folding(vectors, labels)


def test_blocks_of_rows_do_not_change_the_number(rng, monkeypatch):
    vectors, labels = rng.normal(size=(101, 3)), rng.integers(0, 4, 101)
    whole = folding(vectors, labels)
    # The name shortlist.metrics.folding is the function's.
    monkeypatch.setattr(sys.modules[folding.__module__], "_BLOCK_FLOATS", 700)
    assert folding(vectors, labels) == whole


@pytest.mark.parametrize(
    ("vectors", "groups", "said"),
    [
        ([1.0, 2.0], [0, 1], "shape"),
        ([[1.0], [np.nan]], [0, 1], "item 1 holds NaN"),
        ([[1.0], [2.0]], [0, 1, 1], "one row for each of 2"),
        ([[1.0], [2.0]], [0.0, 1.0], "whole numbers"),
        ([[1.0], [2.0]], [[2, 0], [0, 1]], "0 and 1 alone"),
        ([[1.0], [2.0]], [0, -1], "1 of them"),
        ([[1.0], [2.0]], [3, 3], "no outsiders"),
    ],
)
def test_what_cannot_be_measured_is_said(vectors, groups, said):
    with pytest.raises(ParameterError, match=said):
        folding(vectors, groups)
    with pytest.raises(ParameterError, match="n_neighbors"):
        folding([[1.0], [2.0]], [0, 1], n_neighbors=0)
    with pytest.raises(ParameterError, match="measure"):
        folding([[1.0], [2.0]], [0, 1], measure="angle")


def planted(seed=0, n_items=30, n_users=120):
    """Return ratings by two kinds of people of their own items: 5 near their taste, a place on a ring, 1 far off."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        kind, taste = user % 2, rng.uniform(0, 2 * np.pi)
        for item in rng.choice(n_items, 20, replace=False):
            match = np.cos(taste - 2 * np.pi * item / n_items)
            rows.append((user, kind * n_items + int(item), float(np.clip(np.round(3 + 2.4 * match), 1, 5))))
    frame = pl.DataFrame(rows, ["user_id", "item_id", "value"], orient="row")
    return sl.read(frame, kind="ratings", scale=(1, 5)), np.repeat([0, 1], n_items)


def test_disjoint_blocks_fold_without_negatives_and_not_with_them():
    data, kinds = planted()
    shown_only = sl.MatrixFactorization(4, reg=0.1, n_epochs=15, min_ratings=1).fit(data, rng=0)
    against_all = sl.SoftmaxNet(4, n_epochs=40, batch_size=16, learning_rate=0.02).fit(data, rng=0)
    assert folding(shown_only.item_factors_, kinds) > 0.6
    assert folding(against_all.item_factors_, kinds) < 0.05
