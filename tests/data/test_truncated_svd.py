"""The truncated SVD beside NumPy's dense one, on both of its ways: a dense Gram matrix and block Lanczos."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from shortlist import threads
from shortlist.data import truncated_svd as module
from shortlist.data.truncated_svd import sparse_product, truncated_svd
from shortlist.errors import NonFiniteError

SHAPES = [(50, 30), (30, 50), (300, 250), (250, 300)]


@pytest.fixture(autouse=True)
def one_blas_thread():
    with threads.single_blas():
        yield


@pytest.fixture(params=["dense", "lanczos"])
def way(request, monkeypatch):
    """Both ways for every matrix: from a side of 64 + 2 dim on, or of 1024, Lanczos takes over."""
    if request.param == "lanczos":
        monkeypatch.setattr(module, "DENSE_UP_TO", 1)
    return request.param


def zeros_and_ones(n, m, seed=0):
    matrix = sparse.random(n, m, 0.1, format="csr", dtype=np.float32, rng=np.random.default_rng(seed))
    matrix.data[:] = 1
    return sparse.csr_array(matrix)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dim", [1, 7, 40])
def test_values_and_projection_are_those_of_the_dense_decomposition(way, shape, dim):
    matrix = zeros_and_ones(*shape)
    found = truncated_svd(matrix, dim, np.random.default_rng(1))
    dense = matrix.toarray().astype(np.float64)
    _, values, right = np.linalg.svd(dense, full_matrices=False)
    n = min(dim, *shape)
    assert_allclose(found.values[:n], values[:n], rtol=3e-6)
    assert_allclose(dense @ found.right @ found.right.T, dense @ right[:n].T @ right[:n], atol=3e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_beyond_the_rank_there_are_zeros(way, turned):
    rng = np.random.default_rng(3)
    low = (rng.standard_normal((400, 5)) @ rng.standard_normal((5, 300))).astype(np.float32)
    matrix = sparse.csr_array(low.T if turned else low)
    found = truncated_svd(matrix, 24, np.random.default_rng(1))
    assert_array_equal(found.values > 0, np.arange(24) < 5)
    assert_array_equal(found.right[:, 5:], 0)
    assert_allclose(matrix @ found.right @ found.right.T, matrix.toarray(), atol=1e-4)


def test_a_dim_above_both_sides_is_the_whole_decomposition():
    matrix = zeros_and_ones(6, 4)
    found = truncated_svd(matrix, 10, np.random.default_rng(0))
    assert found.right.shape == (4, 10)
    assert_allclose(matrix @ found.right @ found.right.T, matrix.toarray(), atol=1e-6)


def test_a_matrix_of_nothing_has_no_vector():
    found = truncated_svd(sparse.csr_array((5, 3), dtype=np.float32), 2, np.random.default_rng(0))
    assert_array_equal(found.values, 0)
    assert_array_equal(found.right, 0)


def test_columns_are_orthonormal_and_their_largest_entry_is_positive(way):
    right = truncated_svd(zeros_and_ones(300, 250), 40, np.random.default_rng(2)).right
    assert_allclose(right.T @ right, np.eye(40), atol=2e-6)
    assert (right[np.abs(right).argmax(axis=0), range(40)] > 0).all()


def test_the_start_of_the_search_moves_the_result_by_rounding_only(way):
    """No two singular values of this matrix come near each other, so that each vector is its own."""
    rng = np.random.default_rng(5)
    left, right = (np.linalg.qr(rng.standard_normal((size, 20)))[0] for size in (300, 250))
    matrix = sparse.csr_array((left * 0.8 ** np.arange(20) @ right.T).astype(np.float32))
    one, other = (truncated_svd(matrix, 8, np.random.default_rng(seed)).right for seed in (1, 2))
    assert_allclose(one, other, atol=1e-5)


def test_a_basis_that_is_full_restarts_and_still_converges(monkeypatch):
    """Slowly falling values need more vectors than the basis has room for."""
    monkeypatch.setattr(module, "DENSE_UP_TO", 1)
    rng = np.random.default_rng(7)
    left, right = (np.linalg.qr(rng.standard_normal((400, 200)))[0] for _ in range(2))
    values = 1 / (1 + 0.01 * np.arange(200))
    matrix = sparse.csr_array((left * values @ right.T).astype(np.float32))
    assert_allclose(truncated_svd(matrix, 4, np.random.default_rng(0)).values, values[:4], rtol=1e-5)


def test_the_number_of_threads_changes_nothing(way):
    matrix, found = zeros_and_ones(300, 250), []
    before = threads.num_threads()
    for n in (1, 3):
        threads.set_num_threads(n)
        found.append(truncated_svd(matrix, 10, np.random.default_rng(0)))
    threads.set_num_threads(before)
    assert_array_equal(found[0].right, found[1].right)


def test_values_beyond_float32_are_refused(way):
    matrix = sparse.csr_array(np.full((300, 250), 1e30, np.float32) * np.arange(1, 251, dtype=np.float32))
    if way == "lanczos":
        with pytest.raises(NonFiniteError, match="scale them down"):
            truncated_svd(matrix, 3, np.random.default_rng(0))
    else:
        assert np.isfinite(truncated_svd(matrix, 3, np.random.default_rng(0)).values).all()


def test_a_sparse_product_is_that_of_the_dense_matrix():
    matrix = zeros_and_ones(40, 30)
    matrix.data[:] = np.random.default_rng(0).standard_normal(matrix.nnz)
    vectors = np.random.default_rng(1).standard_normal((30, 5)).astype(np.float32)
    assert_allclose(sparse_product(matrix, vectors), matrix.toarray() @ vectors, atol=1e-5)


def test_a_row_of_a_product_depends_on_nothing_but_the_row():
    matrix, vectors = zeros_and_ones(40, 30), np.random.default_rng(1).random((30, 5), np.float32)
    whole = sparse_product(matrix, vectors)
    rows = np.array([31, 3, 17])
    assert_array_equal(sparse_product(matrix[rows], vectors), whole[rows])
