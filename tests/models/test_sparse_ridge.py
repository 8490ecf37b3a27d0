import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

from shortlist.models.sparse_ridge import ridge


def by_definition(rows, targets, reg):
    """Return W and c that minimise the objective, as one dense least-squares problem with a column of ones."""
    n, f = rows.shape
    root = np.sqrt(reg) * np.eye(f)
    system = np.block([[rows, np.ones((n, 1))], [root, np.zeros((f, 1))]])
    right = np.vstack([targets, np.zeros((f, targets.shape[1]))])
    found = np.linalg.lstsq(system, right, rcond=None)[0]
    return found[:-1], found[-1]


@given(
    st.integers(1, 12),
    st.integers(0, 9),
    st.integers(1, 4),
    st.sampled_from([0.01, 1.0, 100.0]),
    st.randoms(),
)
def test_it_agrees_with_dense_least_squares(n, f, d, reg, random):
    rng = np.random.default_rng(random.getrandbits(32))
    rows = rng.normal(2, 1, (n, f)) * (rng.random((n, f)) < 0.5)
    targets = rng.normal(size=(n, d))
    weights, constant = ridge(sparse.csr_array(rows), targets, reg)
    expected = by_definition(rows, targets, reg)
    assert_allclose(weights, expected[0], atol=1e-5)
    assert_allclose(constant, expected[1], atol=1e-5)


def test_the_gradient_vanishes_on_many_features():
    rng = np.random.default_rng(0)
    rows = sparse.random_array((400, 300), density=0.02, rng=rng, format="csr")
    targets, reg = rng.normal(size=(400, 8)), 0.5
    weights, constant = ridge(rows, targets, reg)
    error = rows @ weights + constant - targets
    assert_allclose(rows.T @ error + reg * weights, 0, atol=1e-5)
    assert_allclose(error.sum(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("targets", [np.zeros((3, 2)), np.ones((3, 2)), np.array([[1, 0], [2, 0], [3, 0]])])
def test_targets_that_are_constant_need_no_weights(targets):
    rows = sparse.csr_array(np.eye(3))
    weights, constant = ridge(rows, targets, 1.0)
    flat = np.ptp(targets, axis=0) == 0
    assert (weights[:, flat] == 0).all()
    assert_allclose(constant[flat], targets[0, flat])
