"""Descents on the objective of WALS other than alternating ones: their gradients, their steps, and where they end."""

import copy

import numpy as np
import pytest
from models.test_refit import cost, grown
from models.test_side_features import BOTH
from models.test_wals import checkerboard, dataset, random_events
from models.test_weighted_squares import FORMS, observed_pairs, vectors
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from shortlist import threads
from shortlist.errors import NonFiniteError, ParameterError
from shortlist.kernels.sampled_pairs import sampled_steps
from shortlist.models.gravity_descent import Side, _best_length, _polynomial, gravity_steps
from shortlist.models.sampled_descent import Draws
from shortlist.models.wals import WALS
from shortlist.models.weighted_squares import Loss, Observed, gradient, gram, objective
from shortlist.registry import load

OTHERS = ["gravity", "sgd"]
# How far from the exact optimum, as a share of J, the defaults may end.
WITHIN = {"gravity": 0.005, "sgd": 0.06}


@pytest.mark.parametrize("form", FORMS)
def test_the_gravity_gradient_is_that_of_the_objective(rng, form):
    pairs, loss = observed_pairs(rng, 7, 5), Loss(0.4, form, 0.2, 0.7)
    users, items = vectors(rng, pairs, 3)
    found = Side.of(pairs, loss).gradient(users, items, gram(items), loss)
    assert_allclose(2 * found, gradient(pairs, users, items, loss), rtol=1e-12)
    of_items = Side.of(pairs.transposed(), loss).gradient(items, users, gram(users), loss)
    step = 1e-5
    for at in np.ndindex(*items.shape):
        moved = [items.copy(), items.copy()]
        moved[0][at] += step
        moved[1][at] -= step
        up, down = (objective(pairs, users, shifted, loss) for shifted in moved)
        assert 2 * of_items[at] == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_the_objective_along_a_direction_is_the_polynomial(rng, form):
    pairs, loss = observed_pairs(rng), Loss(0.4, form, 0.2, 0.7)
    (users, items), (p, q) = vectors(rng, pairs, 3), vectors(rng, pairs, 3)
    sides = [Side.of(side, loss) for side in (pairs, pairs.transposed())]
    along = _polynomial(*sides, (users, items), [p, q], (gram(users), gram(items)), loss)
    for t in (-2.0, 0.0, 0.1, 1.0, 3.0):
        expected = objective(pairs, users + t * p, items + t * q, loss)
        assert np.polynomial.polynomial.polyval(t, along) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("along", "best"),
    [
        ([5, -4, 1, 0, 0], 2.0),  # 5 - 4t + t²
        ([0, 0, -2, 0, 1], -1.0),  # t⁴ - 2t²: both -1 and 1 are least, the first is taken
        ([0, -1, -2, 0, 1], 1.1071598),  # the deeper of two valleys
        ([3, 0, 0, 0, 0], 0.0),
        ([3, 0, 1, 0, 0], 0.0),
    ],
)
def test_the_best_length_is_the_least_point(along, best):
    assert _best_length(np.array(along, float)) == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_no_step_of_gravity_raises_the_objective(rng, form):
    pairs, loss = observed_pairs(rng, 60, 40), Loss(0.2, form, 0.05, 0.5)
    users, items = vectors(rng, pairs, 8)
    values, steps = (
        [objective(pairs, users, items, loss)],
        gravity_steps(pairs, pairs.transposed(), users, items, loss),
    )
    for _ in range(40):
        told = next(steps)
        values.append(objective(pairs, users, items, loss))
        assert told == pytest.approx(values[-1], rel=1e-9)
    assert (np.diff(values) <= 1e-12 * values[0]).all()
    slope = np.abs(gradient(pairs, users, items, loss)).max()
    assert slope < 0.02 * np.abs(gradient(pairs, *vectors(rng, pairs, 8), loss)).max()


@pytest.mark.parametrize("solver", OTHERS)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"unobserved": "complement"},
        {"unobserved_weight": 1.0, "alpha": 2.0},
        {"item_weight_exponent": 0.5, "reg_exponent": 0.3, "reg": 0.5},
        {"unobserved_weight": 0.0, "reg": 0.1},
    ],
)
def test_it_comes_to_the_optimum_of_alternating_least_squares(solver, params):
    data = dataset(random_events(3, m=900))
    best = WALS(4, n_epochs=150, **params).fit(data, rng=0)
    found = WALS(4, solver=solver, **params).fit(data, rng=0)
    values = data.interactions.matrix("sum")
    weights = best._weighting.weights(values, best.user_counts_, best.item_counts_, best.weight_scale_)
    pairs = Observed.of(weights)
    optimum, reached = (objective(pairs, m.user_factors_, m.item_factors_, m.loss) for m in (best, found))
    assert reached < (1 + WITHIN[solver]) * optimum


@pytest.mark.parametrize("form", FORMS)
def test_steps_on_the_observed_and_on_all_pairs_are_the_gradient(rng, form):
    pairs, loss = observed_pairs(rng, 7, 5), Loss(0.4, form, 0.2, 0.7)
    users, items = vectors(rng, pairs, 3)
    everybody = Draws.of(pairs, loss, 1)
    drawn = [side.ravel() for side in np.meshgrid(everybody.users, everybody.items)]
    observed = moved_by(pairs, loss, users, items, [np.zeros(0, np.int32)] * 2, 0.0)
    nothing = Observed(sparse.csr_array(([0.0], ([0], [0])), (7, 5)), np.zeros(1), 0)
    of_all = moved_by(nothing, Loss(0.0, "all", 0.0, 1.0), users, items, drawn, loss.unobserved_weight)
    expected = [gradient(pairs, users, items, loss) / 2, gradient(pairs.transposed(), items, users, loss) / 2]
    for side in (0, 1):
        assert_allclose(
            observed[side] + of_all[side], expected[side], atol=1e-5 * np.abs(expected[side]).max()
        )


def moved_by(pairs, loss, users, items, drawn, drawn_weight, rate=1e-7):
    """Return what a pass with these draws moves users and items by, divided by minus the rate of all rows.

    The sums of squares are so large, and the rate so small, that hardly anything moves.
    """
    weights = pairs.weights
    user_idx = np.repeat(np.arange(weights.shape[0], dtype=np.int32), np.diff(weights.indptr))
    decay = [
        loss.penalties(side) / np.maximum(np.diff(side.weights.indptr), 1)
        for side in (pairs, pairs.transposed())
    ]
    moved = users.copy(), items.copy()
    squares = [np.full(len(side), 1e20) for side in moved]
    sampled_steps(
        user_idx,
        weights.indices.astype(np.int32),
        weights.data,
        pairs.targets,
        loss.taken_off,
        *(side.astype(np.int32) for side in drawn),
        drawn_weight,
        decay[0][user_idx],
        decay[1][weights.indices],
        *moved,
        *squares,
        rate * 1e10,
    )
    return [(before - after) / rate for before, after in zip((users, items), moved, strict=True)]


@pytest.mark.parametrize(("form", "n_negatives"), [("all", 1), ("complement", 5)])
def test_a_pass_with_random_draws_follows_the_gradient_in_expectation(rng, form, n_negatives):
    pairs, loss = observed_pairs(rng, 7, 5, density=0.5), Loss(0.4, form, 0.2, 0.7)
    users, items = vectors(rng, pairs, 3)
    draws, n_passes = Draws.of(pairs, loss, n_negatives), 1000
    found = [
        moved_by(pairs, loss, users, items, draws.draw(rng, pairs.weights.nnz), draws.weight)
        for _ in range(n_passes)
    ]
    expected = [gradient(pairs, users, items, loss) / 2, gradient(pairs.transposed(), items, users, loss) / 2]
    for side in (0, 1):
        samples = np.array([part[side] for part in found])
        error = samples.mean(axis=0) - expected[side]
        standard_error = samples.std(axis=0) / np.sqrt(n_passes)
        assert (np.abs(error) <= 5 * standard_error + 1e-5).all()
        assert np.linalg.norm(standard_error) < 0.05 * np.linalg.norm(expected[side])


def test_nothing_is_drawn_where_the_unobserved_have_no_weight(rng):
    assert Draws.of(observed_pairs(rng), Loss(0.0, "all", 0.1, 1.0), 4).draw(rng, 10)[0].size == 0


@pytest.mark.parametrize("solver", OTHERS)
def test_the_withheld_square_of_the_checkerboard_comes_first(solver):
    model = WALS(3, solver=solver).fit(dataset(checkerboard()), rng=0)
    frame = model.recommend(range(40), k=1).frame
    assert_array_equal(frame["item_id"], frame["user_id"])


@pytest.mark.parametrize("solver", OTHERS)
def test_folding_in_training_users_gives_their_vectors(solver, tmp_path):
    data = dataset(random_events())
    model = load(WALS(6, solver=solver).fit(data, rng=0).save(tmp_path / "wals"))
    assert_array_equal(model.fold_in_users(data).vectors, model.user_factors_)


@pytest.mark.parametrize("solver", OTHERS)
def test_threads_do_not_matter(solver):
    before, models = threads.num_threads(), []
    try:
        for n in (1, 4):
            threads.set_num_threads(n)
            models.append(WALS(6, solver=solver, n_epochs=3).fit(dataset(random_events()), rng=5))
    finally:
        threads.set_num_threads(before)
    assert_array_equal(models[0].user_factors_, models[1].user_factors_)
    assert_array_equal(models[0].item_factors_, models[1].item_factors_)


@pytest.mark.parametrize("solver", OTHERS)
def test_users_and_items_without_positives_stay_zero(solver):
    model = WALS(3, solver=solver).fit(dataset(random_events(), users=[99], items=[98]), rng=0)
    assert not model.user_factors_[-1].any()
    assert not model.item_factors_[-1].any()


@pytest.mark.parametrize("solver", OTHERS)
def test_each_epoch_is_watched_and_lowers_the_objective(solver):
    data, values = dataset(random_events()), []
    WALS(4, solver=solver, n_epochs=6).fit(
        data, rng=0, on_epoch=lambda epoch: values.append(cost(epoch.model, data))
    )
    assert len(values) == 6
    assert values[-1] < 0.95 * values[0]
    if solver == "gravity":
        assert (np.diff(values) <= 1e-6 * values[0]).all()


@pytest.mark.parametrize("solver", OTHERS)
def test_a_start_at_the_optimum_is_not_undone(solver):
    data = dataset(random_events())
    best = WALS(4, n_epochs=200).fit(data, rng=0)
    start = WALS(4, solver=solver).fit(data, rng=0)
    start.user_factors_, start.item_factors_ = best.user_factors_, best.item_factors_
    again = start.clone().fit(data, rng=1, start=copy.copy(start))
    assert cost(again, data) < 1.01 * cost(best, data)


@pytest.mark.parametrize("solver", OTHERS)
def test_a_warm_fit_is_nearer_the_optimum_than_a_cold_one_of_as_many_epochs(solver):
    old, new = grown()
    start = WALS(4, solver=solver).fit(old, rng=0)
    warm = start.clone().fit(new, rng=0, start=start)
    cold = WALS(4, solver=solver, n_epochs=2).fit(new, rng=0)
    assert cost(warm, new) < cost(cold, new)


@pytest.mark.parametrize("solver", OTHERS)
def test_side_features_are_refused(solver):
    with pytest.raises(ParameterError, match=f"solver='{solver}' takes no side features"):
        WALS(solver=solver, **BOTH)


def test_a_diverging_fit_tells_the_epoch_and_the_cause():
    with pytest.raises(NonFiniteError, match=r"epoch 1 of 12: .*lower learning_rate"):
        WALS(4, solver="sgd", learning_rate=1e30).fit(dataset(random_events()), rng=0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"solver": "adam"}, "solver='adam' is not one of exact, cg, gravity, sgd"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0"),
        ({"n_negatives": 0}, "n_negatives must be a whole number of at least 1"),
        ({"cg_steps": 0}, "cg_steps"),
    ],
)
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        WALS(**params)
