"""The exact row solver against numpy.linalg.solve on matrices that are written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from shortlist import threads
from shortlist.errors import ParameterError
from shortlist.kernels.least_squares import solve_block
from shortlist.models.row_systems import solve_rows


def dense_solution(matrix, quadratic, linear, factors, base, penalised, reg):
    """Return each row's solution by building its d x d matrix and calling LAPACK, all in float64."""
    v = factors.astype(np.float64)
    out = np.zeros((matrix.shape[0], v.shape[1]))
    for u in range(len(out)):
        events = slice(matrix.indptr[u], matrix.indptr[u + 1])
        if matrix.indptr[u] == matrix.indptr[u + 1]:
            continue
        rows = v[matrix.indices[events]]
        a = np.diag(base + reg[u] * penalised) + rows.T @ (quadratic[events, None] * rows)
        out[u] = np.linalg.solve(a, rows.T @ linear[events])
    return out


def system(rng, n_rows=30, n_factors=40, d=7, density=0.2, dtype=np.float64):
    """Return a CSR structure with empty and full rows, positive weights, and well-scaled factors."""
    counts = rng.binomial(n_factors, density, n_rows)
    counts[: min(3, n_rows)] = (0, n_factors, 1)[: min(3, n_rows)]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([rng.choice(n_factors, n, replace=False) for n in counts]).astype(np.int32)
    matrix = sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=(n_rows, n_factors))
    quadratic = rng.uniform(0.5, 3.0, len(indices)).astype(dtype)
    linear = rng.normal(size=len(indices)).astype(dtype)
    factors = rng.normal(size=(n_factors, d)).astype(dtype)
    return (
        matrix,
        quadratic,
        linear,
        factors,
        rng.uniform(0.1, 2.0, d),
        np.ones(d),
        rng.uniform(0.1, 1.0, n_rows),
    )


def solve(matrix, quadratic, linear, factors, base, penalised, reg):
    return solve_rows(
        matrix.indptr, matrix.indices, quadratic, linear, factors, base=base, penalised=penalised, reg=reg
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    d=st.integers(1, 13),
    n_rows=st.integers(1, 12),
    n_factors=st.integers(1, 20),
    density=st.floats(0, 1),
)
def test_equals_lapack(seed, d, n_rows, n_factors, density):
    given_system = system(np.random.default_rng(seed), n_rows, n_factors, d, density)
    assert_allclose(solve(*given_system), dense_solution(*given_system), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("d", [5, 64, 131])
def test_equals_lapack_across_chunks(d):
    given_system = system(np.random.default_rng(d), n_rows=6, n_factors=300, d=d, density=0.6)
    assert_allclose(solve(*given_system), dense_solution(*given_system), rtol=1e-9, atol=1e-11)


def test_float32_is_as_good_as_its_inputs():
    given_system = system(
        np.random.default_rng(1), n_rows=20, n_factors=2000, d=40, density=0.3, dtype=np.float32
    )
    x = solve(*given_system)
    assert x.dtype == np.float32
    assert_allclose(x, dense_solution(*given_system), rtol=3e-6, atol=1e-8)


def test_both_routes_agree():
    """A zero weight changes nothing in the system but forbids the route of few events."""
    matrix, quadratic, linear, factors, *rest = system(np.random.default_rng(2), n_rows=50, d=24)
    short = solve(matrix, quadratic, linear, factors, *rest)
    indptr = matrix.indptr + np.arange(51)
    where = matrix.indptr[1:]
    added = (
        np.insert(matrix.indices, where, 0),
        np.insert(quadratic, where, 0.0),
        np.insert(linear, where, 0.0),
    )
    widened = solve_rows(indptr, added[0], added[1], added[2], factors, base=rest[0], reg=rest[2])
    assert_allclose(short, widened, rtol=1e-9, atol=1e-12)


def test_negative_and_zero_weights():
    """As in the complement form: the shared part outweighs what the observed pairs take from it."""
    rng = np.random.default_rng(3)
    matrix, quadratic, linear, factors, _, penalised, reg = system(rng, d=6)
    quadratic = rng.choice([-0.4, -0.1, 0.0, 0.5], len(quadratic))
    eigenvalues, q = np.linalg.eigh(factors.T @ factors)
    rotated = factors @ q
    given_system = matrix, quadratic, linear, rotated, eigenvalues, penalised, reg
    assert_allclose(solve(*given_system), dense_solution(*given_system), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("where", [0, 3, 8])
def test_one_coordinate_without_penalty(where):
    """Few events and many: a bias that is not penalised, on either route."""
    rng = np.random.default_rng(where)
    matrix, quadratic, linear, factors, _, penalised, reg = system(rng, d=9)
    penalised[where] = 0.0
    factors[:, where] = 1.0
    given_system = matrix, quadratic, linear, factors, np.zeros(9), penalised, reg
    assert_allclose(solve(*given_system), dense_solution(*given_system), rtol=1e-8, atol=1e-10)


def test_one_event_fits_a_free_bias_exactly():
    x = solve_rows(
        np.array([0, 1]),
        np.array([0]),
        [2.0],
        [7.0],
        np.array([[0.5, -1.0, 3.0, 1.0]]),
        base=0.0,
        penalised=[1.0, 1.0, 1.0, 0.0],
        reg=0.1,
    )
    assert_allclose(x, [[0.0, 0.0, 0.0, 3.5]], atol=1e-14)


def test_known_answer_by_hand():
    """v = (1, 0) and (1, 1), weights 1 and 2, targets 1: A = [[4, 2], [2, 3]], b = (3, 2), x = (5, 2) / 8."""
    x = solve_rows(
        np.array([0, 2]),
        np.array([0, 1]),
        [1.0, 2.0],
        [1.0, 2.0],
        np.array([[1.0, 0.0], [1.0, 1.0]]),
        base=1,
        reg=0,
    )
    assert_allclose(x, [[5 / 8, 2 / 8]], rtol=1e-15)


def test_rows_without_events_are_zero():
    x = solve_rows(np.zeros(4, int), np.zeros(0, int), [], [], np.ones((2, 3)), base=0, reg=0)
    assert_array_equal(x, np.zeros((3, 3)))


def test_no_rows():
    assert solve_rows(np.zeros(1, int), np.zeros(0, int), [], [], np.ones((2, 3)), base=1, reg=0).shape == (
        0,
        3,
    )


@pytest.mark.parametrize(("factors", "base"), [(np.ones((5, 3)), 0.0), (np.full((5, 3), np.nan), 1.0)])
def test_singular_row_is_named(factors, base):
    with pytest.raises(ParameterError, match=r"user 1 has no unique solution.*Raise reg"):
        solve_rows(
            np.array([0, 0, 5, 7]),
            np.arange(7) % 5,
            np.ones(7),
            np.ones(7),
            factors,
            base=base,
            reg=0,
            row="user",
        )


def test_free_coordinate_nobody_has_is_singular():
    with pytest.raises(ParameterError, match="row 0"):
        solve_rows(
            np.array([0, 1]),
            np.array([0]),
            [1.0],
            [1.0],
            np.array([[1.0, 0.0]]),
            base=0,
            penalised=[1, 0],
            reg=1,
        )


def test_result_does_not_depend_on_threads_or_neighbours():
    rng = np.random.default_rng(4)
    matrix, quadratic, linear, factors, base, penalised, reg = system(rng, n_rows=200, d=16, dtype=np.float32)
    before = threads.num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            threads.set_num_threads(n)
            results.append(solve(matrix, quadratic, linear, factors, base, penalised, reg))
    finally:
        threads.set_num_threads(before)
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])
    one = slice(matrix.indptr[57], matrix.indptr[58])
    alone = solve_rows(
        np.array([0, one.stop - one.start]),
        matrix.indices[one],
        quadratic[one],
        linear[one],
        factors,
        base=base,
        reg=reg[57],
    )
    assert_array_equal(alone[0], results[0][57])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_arrays_compile_nothing_new(dtype):
    given_system = system(np.random.default_rng(5), dtype=dtype)
    first = solve(*given_system)
    compiled = len(solve_block.signatures)
    for array in given_system[1:]:
        array.flags.writeable = False
    assert_array_equal(solve(*given_system), first)
    assert len(solve_block.signatures) == compiled
