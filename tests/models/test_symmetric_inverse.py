import numpy as np
import pytest
from scipy import linalg

import shortlist as sl
from shortlist import threads
from shortlist.models.symmetric_inverse import negative_inverse


def positive_definite(n, dtype, rng, condition=1e3):
    directions = np.linalg.qr(rng.standard_normal((n, n)))[0]
    matrix = (directions * np.geomspace(1, 1 / condition, n)) @ directions.T
    return ((matrix + matrix.T) / 2).astype(dtype)


def swept(matrix, tile):
    """Return −A⁻¹ in full from the lower triangle; what stands above it must not count."""
    work = np.where(np.tri(len(matrix), dtype=bool), matrix, np.nan).astype(matrix.dtype)
    negative_inverse(work, tile)
    return np.tril(work) + np.tril(work, -1).T


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 30])
@pytest.mark.parametrize("tile", [1, 4, 8, 64])
def test_it_is_minus_the_inverse_whatever_the_tile(n, tile, rng):
    matrix = positive_definite(n, np.float64, rng)
    np.testing.assert_allclose(swept(matrix, tile), -np.linalg.inv(matrix), rtol=1e-10, atol=1e-10 * 1e3)


def test_single_precision_is_as_exact_as_lapack(rng):
    matrix = positive_definite(200, np.float32, rng, 1e4)
    exact = np.linalg.inv(matrix.astype(np.float64))
    factor, _ = linalg.lapack.spotrf(matrix, lower=1)
    lapack = np.tril(linalg.lapack.spotri(factor, lower=1)[0])
    of_lapack = np.abs(lapack - np.tril(exact)).max()
    assert np.abs(swept(matrix, 32) + exact).max() < 2 * of_lapack


@pytest.mark.parametrize("tile", [2, 64])
def test_what_is_not_positive_definite_is_refused(tile, rng):
    matrix = positive_definite(10, np.float64, rng)
    for spoiled in (matrix - 0.5 * np.eye(10), np.zeros((10, 10))):
        with pytest.raises(np.linalg.LinAlgError):
            negative_inverse(spoiled.copy(), tile)


def test_the_number_of_threads_changes_no_bit(rng):
    matrix = positive_definite(150, np.float32, rng)
    before = threads.num_threads()
    found = []
    try:
        for n in (1, 2, 5):
            sl.set_num_threads(n)
            found.append(swept(matrix, 16))
    finally:
        sl.set_num_threads(before)
    assert all(np.array_equal(found[0], other) for other in found[1:])
