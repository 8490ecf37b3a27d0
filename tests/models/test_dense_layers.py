import itertools

import numpy as np
import pytest
from scipy import sparse

from shortlist.models.dense_layers import DenseLayers
from shortlist.models.held_out_rows import held_out_rows


@pytest.fixture
def layers(rng):
    sizes = [7, 5, 4, 3]
    return DenseLayers(
        [rng.standard_normal((a, b)).astype(np.float32) for a, b in itertools.pairwise(sizes)],
        [rng.standard_normal(b).astype(np.float32) for b in sizes[1:]],
    )


def by_matrices(layers, rows):
    for at, (weights, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        rows = rows @ weights.astype(np.float64) + bias
        rows = rows if at == len(layers.weights) - 1 else np.maximum(rows, 0)
    return rows


def test_it_is_products_sums_and_cuts_at_zero(layers, rng):
    rows = rng.standard_normal((50, 7)).astype(np.float32)
    np.testing.assert_allclose(layers.of_dense(rows), by_matrices(layers, rows), rtol=1e-4, atol=1e-5)


def test_sparse_rows_give_what_dense_ones_do(layers, rng):
    rows = (rng.standard_normal((50, 7)) * (rng.random((50, 7)) < 0.4)).astype(np.float32)
    features, beside = sparse.csr_array(rows[:, :4]), rows[:, 4:]
    expected = by_matrices(layers, rows)
    np.testing.assert_allclose(layers.of_sparse(features, beside), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layers.of_sparse(sparse.csr_array(rows)), expected, rtol=1e-4, atol=1e-5)


def test_a_row_alone_gives_bit_for_bit_what_it_gives_in_a_batch(layers, rng):
    rows = rng.standard_normal((40, 7)).astype(np.float32)
    features, beside = sparse.csr_array(rows[:, :4]), rows[:, 4:]
    together, of_sparse = layers.of_dense(rows), layers.of_sparse(features, beside)
    for n in range(40):
        one = slice(n, n + 1)
        np.testing.assert_array_equal(layers.of_dense(rows[one]), together[one])
        np.testing.assert_array_equal(layers.of_sparse(features[one], beside[one]), of_sparse[one])


def test_one_layer_is_linear():
    layers = DenseLayers([np.array([[-2.0]], np.float32)], [np.array([0.5], np.float32)])
    row = np.array([[1.0]], np.float32)
    assert layers.of_dense(row).tolist() == layers.of_sparse(sparse.csr_array(row)).tolist() == [[-1.5]]


def test_no_rows_give_none(layers):
    assert layers.of_dense(np.zeros((0, 7), np.float32)).shape == (0, 3)
    assert layers.of_sparse(sparse.csr_array((0, 7), dtype=np.float32)).shape == (0, 3)


def test_rows_without_features_give_what_zeros_do(layers):
    nothing = sparse.csr_array((2, 4), dtype=np.float32)
    zeros = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(
        layers.of_sparse(nothing, zeros), layers.of_dense(np.zeros((2, 7), np.float32))
    )


@pytest.mark.parametrize(
    ("n", "share", "held"), [(10, 0.0, 0), (10, 0.25, 2), (10, 0.001, 1), (1, 0.5, 0), (3, 0.99, 2)]
)
def test_rows_are_held_out_once(n, share, held, rng):
    kept, out = held_out_rows(n, share, rng)
    assert out.size == held
    assert sorted([*kept, *out]) == list(range(n))
    assert np.all(np.diff(kept) > 0)
    assert np.all(np.diff(out) > 0)


def test_nothing_is_drawn_where_nothing_is_held_out():
    rng, untouched = np.random.default_rng(1), np.random.default_rng(1)
    held_out_rows(9, 0, rng)
    assert rng.random() == untouched.random()
