"""Half-steps and the objective of WALS on arrays: equal to the paper's, optimal, and invariant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit.als import AlternatingLeastSquares
from implicit.cpu.als import calculate_loss
from numpy.testing import assert_allclose, assert_array_equal
from oracles import wals as oracle
from scipy import sparse

from shortlist import threads
from shortlist.errors import NonFiniteError, ParameterError
from shortlist.models.weighted_squares import Loss, Observed, gradient, half_step, objective

FORMS = ["all", "complement"]


def observed_pairs(rng, n_rows=20, n_columns=15, density=0.3, dtype=np.float64):
    """Random pairs with weights and targets; row 2 and column 3 have none."""
    weight = rng.uniform(0.3, 4.0, (n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < density)
    weight[2 % n_rows], weight[:, 3 % n_columns] = 0, 0
    weights = sparse.csr_array(weight.astype(dtype))
    targets = rng.uniform(0.5, 2.0, weights.nnz).astype(dtype)
    return Observed.of(weights, targets)


def dense(observed):
    targets = observed.weights.copy()
    targets.data = observed.targets
    return observed.weights.toarray(), targets.toarray()


def vectors(rng, observed, d, dtype=np.float64):
    """Random rows and columns; those without a pair are zero, as in a fit."""
    n_rows, n_columns = observed.weights.shape
    rows, columns = (rng.normal(size=(n, d)).astype(dtype) for n in (n_rows, n_columns))
    rows[np.diff(observed.weights.indptr) == 0] = 0
    columns[np.bincount(observed.weights.indices, minlength=n_columns) == 0] = 0
    return rows, columns


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    d=st.integers(1, 9),
    form=st.sampled_from(FORMS),
    w0=st.floats(0.01, 1.5),
    reg=st.floats(0.01, 3),
    exponent=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_half_step_and_objective_equal_the_paper(seed, shape, d, form, w0, reg, exponent):
    rng = np.random.default_rng(seed)
    pairs = observed_pairs(rng, *shape, density=0.6)
    rows, columns = vectors(rng, pairs, d)
    loss = Loss(w0, form, reg, exponent)
    args = (w0, form, reg, exponent)
    expected = oracle.half_step(*dense(pairs), columns, *args)
    assert_allclose(half_step(pairs, columns, loss), expected, rtol=1e-7, atol=1e-9)
    assert objective(pairs, rows, columns, loss) == pytest.approx(
        oracle.objective(*dense(pairs), rows, columns, *args), rel=1e-10
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("side", ["rows", "columns"])
def test_gradient_equals_finite_differences(rng, form, side):
    pairs, loss = observed_pairs(rng, 7, 5), Loss(0.4, form, 0.2, 0.7)
    rows, columns = vectors(rng, pairs, 3)
    if side == "columns":
        pairs, rows, columns = pairs.transposed(), columns, rows
    analytic, step = gradient(pairs, rows, columns, loss), 1e-5
    for at in np.ndindex(*rows.shape):
        shifted = [rows.copy(), rows.copy()]
        shifted[0][at] += step
        shifted[1][at] -= step
        up, down = (objective(pairs, moved, columns, loss) for moved in shifted)
        assert analytic[at] == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [4, 30])
def test_gradient_vanishes_after_a_half_step(rng, form, d):
    """30 is more than there are columns: the optimum is still unique, as the penalty is positive."""
    pairs, loss = observed_pairs(rng), Loss(0.3, form, 0.1, 1.0)
    rows, columns = vectors(rng, pairs, d)
    scale = np.abs(gradient(pairs, rows, columns, loss)).max()
    solved = half_step(pairs, columns, loss)
    assert np.abs(gradient(pairs, solved, columns, loss)).max() < 1e-12 * scale


@pytest.mark.parametrize("form", FORMS)
def test_no_perturbation_lowers_the_objective(rng, form):
    pairs, loss = observed_pairs(rng), Loss(0.3, form, 0.1, 1.0)
    _, columns = vectors(rng, pairs, 6)
    solved = half_step(pairs, columns, loss)
    least = objective(pairs, solved, columns, loss)
    for _ in range(64):
        move = 1e-3 * rng.normal(size=solved.shape) * (rng.random(solved.shape) < rng.random())
        assert objective(pairs, solved + move, columns, loss) >= least
        assert objective(pairs, solved - move, columns, loss) >= least


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_objective_never_rises(rng, form, dtype):
    pairs, loss = observed_pairs(rng, 60, 40, dtype=dtype), Loss(0.2, form, 0.05, 0.5)
    turned = pairs.transposed()
    rows, columns = vectors(rng, pairs, 8, dtype)
    values = [objective(pairs, rows, columns, loss)]
    for _ in range(6):
        columns = half_step(turned, rows, loss)
        values.append(objective(pairs, rows, columns, loss))
        rows = half_step(pairs, columns, loss)
        values.append(objective(pairs, rows, columns, loss))
    assert columns.dtype == rows.dtype == dtype
    rises = np.diff(values) / values[:-1]
    assert rises.max() < 1e-6 if dtype == np.float32 else rises.max() < 0


def test_float32_half_step_is_near_the_float64_one(rng):
    pairs, loss = observed_pairs(rng, 200, 150, density=0.4), Loss(0.05, "all", 0.02, 1.0)
    _, columns = vectors(rng, pairs, 48)
    single = Observed.of(pairs.weights.astype(np.float32), pairs.targets.astype(np.float32))
    exact = half_step(pairs, columns, loss)
    error = half_step(single, columns.astype(np.float32), loss) - exact
    assert np.linalg.norm(error) < 3e-6 * np.linalg.norm(exact)


def test_complement_is_the_objective_of_implicit(rng):
    """Its loss divides by the sum of all weights; w is the confidence, w0 = 1, ν = 0."""
    pairs = observed_pairs(rng, 30, 25)
    pairs = Observed.of(pairs.weights)
    rows, columns = vectors(rng, pairs, 7)
    loss = Loss(1.0, "complement", 0.3, 0.0)
    total = pairs.weights.sum() + 30 * 25 - pairs.weights.nnz
    theirs = calculate_loss(sparse.csr_matrix(pairs.weights.astype(np.float32)), rows, columns, 0.3) * total
    assert objective(pairs, rows, columns, loss) == pytest.approx(theirs, rel=1e-5)


def test_complement_takes_the_step_of_implicit(rng):
    pairs = Observed.of(observed_pairs(rng, 30, 25).weights)
    rows, columns = vectors(rng, pairs, 7)
    loss = Loss(1.0, "complement", 0.3, 0.0)
    model = AlternatingLeastSquares(
        7, regularization=0.3, iterations=1, use_cg=False, use_gpu=False, dtype=np.float64, num_threads=1
    )
    model.user_factors, model.item_factors = rows.copy(), columns.copy()
    model.fit(sparse.csr_matrix(pairs.weights), show_progress=False)
    # It stores the weights in float32.
    stored = Observed.of(pairs.weights.astype(np.float32).astype(np.float64))
    users = half_step(stored, columns, loss)
    items = half_step(stored.transposed(), users, loss)
    assert_allclose(users, model.user_factors, rtol=1e-6, atol=1e-9)
    assert_allclose(items, model.item_factors, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_order_of_rows_and_columns_does_not_matter(rng, form):
    pairs, loss = observed_pairs(rng), Loss(0.3, form, 0.1, 1.0)
    _, columns = vectors(rng, pairs, 6)
    by_row, by_column = rng.permutation(20), rng.permutation(15)
    weight, target = dense(pairs)
    moved = weight[by_row][:, by_column]
    permuted = Observed.of(sparse.csr_array(moved), target[by_row][:, by_column][moved > 0])
    expected = half_step(pairs, columns, loss)[by_row]
    assert_allclose(half_step(permuted, columns[by_column], loss), expected, rtol=1e-9, atol=1e-12)


def test_threads_do_not_matter(rng):
    pairs, loss = observed_pairs(rng, 5000, 3000, 0.01, np.float32), Loss(0.1, "all", 0.1, 1.0)
    _, columns = vectors(rng, pairs, 20, np.float32)
    before, results = threads.num_threads(), []
    try:
        for n in (1, 2, 7):
            threads.set_num_threads(n)
            results.append(half_step(pairs, columns, loss))
    finally:
        threads.set_num_threads(before)
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])


def test_transposed_keeps_weight_and_target_together(rng):
    pairs = observed_pairs(rng, 9, 6)
    turned = pairs.transposed()
    for there, back in zip(dense(pairs), dense(turned), strict=True):
        assert_array_equal(there, back.T)
    assert (pairs.n_columns, turned.n_columns) == (5, 8)


def test_equal_weights_are_kept_once_and_turned_without_moving(rng):
    weight = (rng.random((9, 6)) < 0.4) * np.float32(3)
    weight[2], weight[:, 3], weight[0, 0] = 0, 0, 3
    pairs = Observed.of(sparse.csr_array(weight))
    turned = pairs.transposed()
    assert pairs.weights.data.strides == turned.weights.data.strides == (0,)
    assert_array_equal(turned.weights.toarray(), weight.T)
    assert turned.weights.has_canonical_format
    assert turned.n_columns == np.count_nonzero(weight.any(axis=1))
    assert [len(values) for values in turned.coefficients] == [1, 1]


def test_columns_of_low_rank_leave_the_other_directions_zero(rng):
    """dim > rank in float32: rounding in the columns must not be taken for a direction."""
    pairs = observed_pairs(rng, 40, 30, dtype=np.float32)
    basis = np.linalg.qr(rng.normal(size=(12, 12)))[0][:, :2]
    columns = (rng.normal(size=(30, 2)) @ basis.T).astype(np.float32)
    solved = half_step(pairs, columns, Loss(0.1, "all", 1e-9, 0.0))
    outside = solved - solved @ basis @ basis.T
    assert np.linalg.norm(solved) > 1
    assert np.linalg.norm(outside) < 1e-5 * np.linalg.norm(solved)


def test_no_penalty_and_too_many_dimensions_is_an_error(rng):
    pairs = observed_pairs(rng, 40, 30, dtype=np.float32)
    columns = (rng.normal(size=(30, 2)) @ rng.normal(size=(2, 12))).astype(np.float32)
    with pytest.raises(ParameterError, match="user 0 has no unique solution"):
        half_step(pairs, columns, Loss(0.1, "all", 0.0, 0.0), row="user")


def test_no_penalty_is_fine_where_the_pairs_determine_the_row(rng):
    pairs = observed_pairs(rng, 40, 30)
    _, columns = vectors(rng, pairs, 5)
    expected = oracle.half_step(*dense(pairs), columns, 0.1, "all", 0.0, 0.0)
    assert_allclose(half_step(pairs, columns, Loss(0.1, "all", 0.0, 0.0)), expected, rtol=1e-8)


def test_factors_that_are_not_finite_are_an_error(rng):
    pairs = observed_pairs(rng)
    with pytest.raises(NonFiniteError, match="half-step"):
        half_step(pairs, np.full((15, 3), np.nan), Loss(0.1, "all", 1.0, 0.0))


def known_features(rng, pairs, d, n_features=9):
    """Features of the rows, and S, p that say how well rows times their vectors are those features."""
    features, phi = rng.normal(size=(pairs.weights.shape[0], n_features)), rng.normal(size=(n_features, d))
    return features, phi, {"shared": 0.7 * phi.T @ phi, "pull": 0.7 * features @ phi}


@pytest.mark.parametrize("w0", [0.3, 0.0])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("steps", [None, 40])
@pytest.mark.parametrize("d", [4, 12])
def test_known_features_are_further_terms_of_the_dense_system(rng, form, w0, steps, d):
    """Row 2 has no pairs; with w0 = 0 it has no penalty, and 12 dimensions are more than its 9 features."""
    pairs, loss = observed_pairs(rng), Loss(w0, form, 0.1, 1.0)
    _, columns = vectors(rng, pairs, d)
    features, phi, terms = known_features(rng, pairs, d)
    if w0 == 0 and d == 12:
        with pytest.raises(ParameterError, match="row 2 has no unique solution"):
            half_step(pairs, columns, loss, cg_steps=steps, **terms)
        return
    (weight, target), penalties = dense(pairs), loss.penalties(pairs)
    expected = np.zeros((20, d))
    for u in range(20):
        seen = np.where(weight[u] > 0, weight[u] + (w0 if form == "all" else 0), w0)
        a = columns.T @ (seen[:, None] * columns) + 0.7 * phi.T @ phi + penalties[u] * np.eye(d)
        expected[u] = np.linalg.solve(a, columns.T @ (weight[u] * target[u]) + 0.7 * phi.T @ features[u])
    assert_allclose(half_step(pairs, columns, loss, cg_steps=steps, **terms), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("equal", [True, False])
def test_conjugate_gradients_converge_to_the_exact_half_step(rng, form, equal):
    pairs, loss = observed_pairs(rng), Loss(0.3, form, 0.1, 0.5)
    if equal:
        pairs = Observed.of((pairs.weights > 0).astype(np.float64))
    start, columns = vectors(rng, pairs, 7)
    exact = half_step(pairs, columns, loss)
    errors = [
        np.linalg.norm(half_step(pairs, columns, loss, start=start, cg_steps=steps) - exact)
        for steps in (1, 2, 7, 20)
    ]
    assert errors[0] > errors[1] > 1e-3 > errors[2] > errors[3]
    assert errors[3] < 1e-10


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_no_conjugate_gradient_step_raises_the_objective(rng, form, dtype, steps):
    pairs, loss = observed_pairs(rng, 60, 40, dtype=dtype), Loss(0.2, form, 0.05, 0.5)
    turned = pairs.transposed()
    rows, columns = vectors(rng, pairs, 8, dtype)
    values = [objective(pairs, rows, columns, loss)]
    for _ in range(30):
        columns = half_step(turned, rows, loss, start=columns, cg_steps=steps)
        values.append(objective(pairs, rows, columns, loss))
        rows = half_step(pairs, columns, loss, start=rows, cg_steps=steps)
        values.append(objective(pairs, rows, columns, loss))
    assert columns.dtype == rows.dtype == dtype
    rises = np.diff(values) / values[:-1]
    assert rises.max() < 1e-6 if dtype == np.float32 else rises.max() < 1e-13


def test_one_step_goes_as_far_as_is_best_along_the_preconditioned_gradient(rng):
    """Along a line J is a parabola, of which the row takes the lowest point, whatever the direction."""
    pairs, loss = observed_pairs(rng), Loss(0.3, "all", 0.1, 0.5)
    start, columns = vectors(rng, pairs, 7)
    moved = half_step(pairs, columns, loss, start=start, cg_steps=1)
    slope = np.einsum("uk,uk->u", gradient(pairs, moved, columns, loss), moved - start)
    assert np.abs(slope).max() < 1e-10 * np.abs(gradient(pairs, start, columns, loss)).max()


def test_a_system_without_weight_and_penalty_leaves_the_start(rng):
    """Columns of zeros ask nothing of a row: there is no direction to go, and no division by zero."""
    pairs, loss = observed_pairs(rng), Loss(0.3, "all", 0.0, 0.0)
    start, columns = vectors(rng, pairs, 3)
    moved = half_step(pairs, 0 * columns, loss, start=start, cg_steps=2)
    assert_allclose(moved, start)


def test_threads_do_not_matter_to_conjugate_gradients(rng):
    pairs, loss = observed_pairs(rng, 5000, 3000, 0.01, np.float32), Loss(0.1, "all", 0.1, 1.0)
    start, columns = vectors(rng, pairs, 20, np.float32)
    before, results = threads.num_threads(), []
    try:
        for n in (1, 2, 7):
            threads.set_num_threads(n)
            results.append(half_step(pairs, columns, loss, start=start, cg_steps=2))
    finally:
        threads.set_num_threads(before)
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])
