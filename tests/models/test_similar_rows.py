"""Similar rows against all pairs by plain loops, against scikit-learn, and against themselves counted by bits."""

import numpy as np
import pytest
from oracles import neighbors as oracle
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import cosine_similarity

from shortlist import threads
from shortlist.models import bit_chunks, similar_rows
from shortlist.models.similar_rows import Scale, SimilarRows
from shortlist.models.term_weights import TermWeights

KINDS = ["cosine", "dot", "jaccard", "adjusted_cosine", "pearson"]


def random_rows(seed, n=40, m=30, density=0.2, values=(1, 2, 3, 4, 5)):
    rng = np.random.default_rng(seed)
    rows = sparse.random_array((n, m), density=density, format="csr", dtype=np.float32, rng=rng)
    rows.data[:] = rng.choice(values, rows.nnz)
    return rows


def as_dicts(rows):
    return [
        dict(zip(rows.indices[a:b].tolist(), rows.data[a:b].tolist(), strict=True))
        for a, b in zip(rows.indptr, rows.indptr[1:], strict=False)
    ]


def as_lists(lists):
    return [
        dict(zip(lists.item_idx[a:b].tolist(), lists.score[a:b].tolist(), strict=True))
        for a, b in zip(lists.ptr, lists.ptr[1:], strict=False)
    ]


def themselves(rows):
    return np.arange(rows.shape[0], dtype=np.int32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shrinkage", "n", "values"), [(0.0, 5, (1,)), (3.0, 50, (1, 2, 5)), (0.0, 1, (-2, 0.5, 3))]
)
def test_lists_are_those_of_all_pairs(kind, shrinkage, n, values):
    if kind == "jaccard":
        values = (1,)
    for seed in range(3):
        rows = random_rows(seed, density=[0.03, 0.2, 0.6][seed], values=values)
        found = as_lists(SimilarRows.of(rows, kind, shrinkage).nearest(rows, n, themselves(rows)))
        plain = as_dicts(rows)
        for r, near in enumerate(found):
            expected = oracle.nearest(plain, plain[r], n, kind, shrinkage, without=r)
            assert list(near) == list(expected)
            assert list(near.values()) == pytest.approx(list(expected.values()), rel=2e-6)


def test_cosines_are_those_of_scikit_learn():
    rows = random_rows(1)
    near = as_lists(SimilarRows.of(rows, "cosine").nearest(rows, 1000, themselves(rows)))
    dense = cosine_similarity(rows.toarray())
    np.fill_diagonal(dense, 0)
    found = np.zeros_like(dense)
    for r, list_ in enumerate(near):
        found[r, list(list_)] = list(list_.values())
    assert found == pytest.approx(dense, rel=1e-6)


def test_tfidf_is_that_of_scikit_learn():
    rows = random_rows(2)
    theirs = TfidfTransformer(norm=None).fit_transform(rows)
    assert TermWeights.of(rows, "tfidf").weigh(rows).toarray() == pytest.approx(theirs.toarray(), rel=1e-6)


@pytest.mark.parametrize("weighting", ["tfidf", "bm25", "unit"])
def test_weights_of_other_rows_go_by_the_training_rows(weighting):
    rows, others = random_rows(3, n=20), random_rows(4, n=5)
    weighed = as_dicts(TermWeights.of(rows, weighting, 1.5, 0.4).weigh(others))
    expected = oracle.weighed(as_dicts(rows), 30, weighting, 1.5, 0.4, of=as_dicts(others))
    assert [list(row) for row in weighed] == [list(row) for row in expected]
    for row, right in zip(weighed, expected, strict=True):
        assert list(row.values()) == pytest.approx(list(right.values()), rel=1e-6)


@pytest.fixture
def eager_bits(monkeypatch):
    """Count by bits wherever it can be done."""
    monkeypatch.setattr(similar_rows, "_LEAST_WORK", -1)
    for name, cost in (("ONE_USER", -1.0), ("ONE_ROW", 9.0), ("MAKE_USER", -1.0)):
        monkeypatch.setattr(bit_chunks, name, cost)


@pytest.mark.parametrize("kind", ["cosine", "dot", "jaccard"])
@pytest.mark.parametrize("shrinkage", [0.0, 4.0])
@pytest.mark.parametrize(
    ("n", "m", "density"), [(1, 3, 0.9), (70, 1000, 0.3), (1100, 40, 0.2), (2500, 300, 0.01)]
)
def test_counting_by_bits_changes_nothing(kind, shrinkage, n, m, density, request):
    rows = random_rows(n, n, m, density, values=(1,))
    plain = SimilarRows.of(rows, kind, shrinkage).nearest(rows, 20, themselves(rows))
    request.getfixturevalue("eager_bits")
    for most in (1, 16):  # with one chunk, the rest of long lists is counted alone
        request.getfixturevalue("monkeypatch").setattr(bit_chunks, "_MOST_CHUNKS", most)
        bits = SimilarRows.of(rows, kind, shrinkage).nearest(rows, 20, themselves(rows))
        assert np.array_equal(plain.ptr, bits.ptr)
        assert np.array_equal(plain.item_idx, bits.item_idx)
        assert np.array_equal(plain.score, bits.score)


def test_bits_are_used_where_they_are_eager(eager_bits, monkeypatch):
    called = []
    original = similar_rows.nearest_in_chunk
    monkeypatch.setattr(similar_rows, "nearest_in_chunk", lambda *a: (called.append(1), original(*a)))
    rows = random_rows(5, 70, 500, 0.4, values=(1,))
    SimilarRows.of(rows, "cosine").nearest(rows, 3, themselves(rows))
    assert called


@pytest.mark.parametrize("bits", [False, True])
def test_the_number_of_threads_and_of_rows_changes_nothing(bits, request):
    if bits:
        request.getfixturevalue("eager_bits")
    rows = random_rows(6, 300, 200, 0.1, values=(1,) if bits else (1, 2))
    index, own = SimilarRows.of(rows, "cosine"), themselves(rows)
    before = threads.num_threads()
    found = []
    for n in (1, 3):
        threads.set_num_threads(n)
        found.append(index.nearest(rows, 9, own))
    threads.set_num_threads(before)
    assert np.array_equal(found[0].item_idx, found[1].item_idx)
    assert np.array_equal(found[0].score, found[1].score)
    for r in (0, 17):
        alone = index.nearest(rows[r : r + 1], 9, own[r : r + 1])
        part = slice(found[0].ptr[r], found[0].ptr[r + 1])
        assert np.array_equal(alone.item_idx, found[0].item_idx[part])
        assert np.array_equal(alone.score, found[0].score[part])


def test_renumbering_rows_renumbers_the_lists():
    rows = random_rows(7, 60, 40, 0.3)
    order = np.random.default_rng(0).permutation(60)
    plain = as_lists(SimilarRows.of(rows, "pearson").nearest(rows, 60, themselves(rows)))
    moved = as_lists(SimilarRows.of(rows[order], "pearson").nearest(rows[order], 60, themselves(rows)))
    for r in range(60):
        assert {int(order[c]): s for c, s in moved[r].items()} == plain[order[r]]


def test_equal_similarities_go_by_the_smaller_row():
    rows = sparse.csr_array(np.array([[1, 1], [0, 1], [1, 0], [1, 0], [0, 1]], np.float32))
    near = SimilarRows.of(rows, "cosine").nearest(rows[:1], 3, np.zeros(1, np.int32))
    assert near.item_idx.tolist() == [1, 2, 3]


def test_a_row_that_is_nobody_may_find_its_double():
    rows = random_rows(8)
    near = SimilarRows.of(rows, "cosine").nearest(rows[3:4], 1)
    assert near.item_idx.tolist() == [3]
    assert near.score.tolist() == [1]


def test_ratings_that_do_not_differ_have_no_correlation():
    rows = sparse.csr_array(np.array([[0.1, 0.1, 0.1], [1, 2, 3], [0.1, 0.1, 0.1]], np.float32))
    for kind in ("pearson", "adjusted_cosine"):
        near = SimilarRows.of(rows, kind).nearest(rows, 3, themselves(rows))
        assert np.isfinite(near.score).all()
        assert (near.item_idx.size == 0) == (kind == "pearson")


def test_a_factor_for_each_row_makes_products_directed():
    rows = random_rows(9, values=(1,))
    of_query, of_row = np.arange(1.0, 41.0), np.arange(40.0, 0.0, -1.0)
    near = as_lists(SimilarRows.of(rows, "dot").nearest(rows, 99, themselves(rows), Scale(of_query, of_row)))
    plain = as_dicts(rows)
    for r, list_ in enumerate(near):
        for c, value in list_.items():
            assert value == pytest.approx(len(set(plain[r]) & set(plain[c])) * (r + 1) * (40 - c), rel=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (4, 4)])
def test_nothing_in_common_gives_empty_lists(shape):
    rows = sparse.csr_array(np.eye(*shape, dtype=np.float32))
    for kind in KINDS:
        assert len(SimilarRows.of(rows, kind).nearest(rows, 2, themselves(rows))) == shape[0]
