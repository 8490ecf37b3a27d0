"""WALS at the edge of sense: tiny, equal, singular and enormous problems give numbers or an error that says why."""

import numpy as np
import pytest
from models.test_side_features import described
from models.test_wals import checkerboard, dataset, random_events
from numpy.testing import assert_array_equal

from shortlist.errors import NonFiniteError, ParameterError
from shortlist.models.wals import WALS

SOLVERS = ["exact", "cg", "gravity", "sgd"]
every_solver = pytest.mark.parametrize("solver", SOLVERS)


@every_solver
@pytest.mark.parametrize("dim", [1, 8])
def test_one_user_with_one_item(solver, dim):
    """With λ = reg (1 + w0) the optimum is (1 - λ) / (1 + w0), see test_wals."""
    model = WALS(dim, solver=solver, n_epochs=60).fit(dataset([("a", "x")]), rng=0)
    assert model.score(["a"], ["x"])[0] == pytest.approx((1 - 0.01 * 1.1) / 1.1, rel=2e-3)
    assert model.recommend(["a"], k=3, exclude_seen=False).frame.height == 1


@every_solver
def test_an_all_equal_matrix_gives_nearly_equal_scores(solver):
    model = WALS(5, solver=solver).fit(dataset([(u, i) for u in range(20) for i in range(10)]), rng=0)
    scores = model.user_factors_ @ model.item_factors_.T
    assert np.ptp(scores) < 0.02
    assert scores.mean() == pytest.approx(0.9, abs=0.02)


@every_solver
def test_a_dim_beyond_rank_and_catalogue_is_fine_with_a_penalty(solver):
    model = WALS(60, solver=solver).fit(dataset(checkerboard()), rng=0)
    frame = model.recommend(range(40), k=1).frame
    assert_array_equal(frame["item_id"], frame["user_id"])


@pytest.mark.parametrize("solver", ["exact", "gravity", "sgd"])
@pytest.mark.parametrize("params", [{"dim": 50}, {"dim": 5, "unobserved_weight": 0.0}])
def test_a_singular_problem_without_penalty_is_an_error(solver, params):
    with pytest.raises(ParameterError, match=r"at position \d+ has no unique solution.*[Rr]aise reg"):
        WALS(solver=solver, reg=0.0, **params).fit(dataset(random_events(m=60)), rng=0)


@every_solver
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 1e38}, r"the weight of user 3 and item 5 is inf.*look at pair_weights, alpha"),
        (
            {"reg_exponent": 500.0},
            r"the penalty .* is infinite with reg=0.01 and reg_exponent=500: lower them",
        ),
    ],
)
def test_what_overflows_is_named_before_the_fit(solver, params, message):
    with pytest.raises(ParameterError, match=message):
        WALS(3, solver=solver, **params).fit(dataset(random_events()), rng=0)


@pytest.mark.parametrize("solver", ["exact", "gravity", "sgd"])
@pytest.mark.parametrize("params", [{"reg": 1e30}, {"unobserved_weight": 1e30}, {"init_std": 1e30}])
def test_enormous_parameters_give_finite_vectors(solver, params):
    model = WALS(3, solver=solver, **params).fit(dataset(random_events()), rng=0)
    assert np.isfinite(model.user_factors_).all()
    assert np.isfinite(model.item_factors_).all()


def test_vectors_that_became_infinite_name_the_epoch_and_the_cause():
    rows = random_events()
    start = WALS(3).fit(dataset(rows), rng=0)
    start.user_factors_ = np.full_like(start.user_factors_, np.nan)
    with pytest.raises(NonFiniteError, match=r"epoch 1 of 2: .*NaN or infinite.*raise reg"):
        WALS(3).fit(dataset(rows), rng=0, start=start)


def test_a_fit_that_is_broken_off_leaves_the_model_as_it_was():
    model = WALS(3, user_features=True).fit(described(), rng=0)
    before = {name: np.copy(getattr(model, name)) for name in ("user_factors_", "item_factors_")}

    def interrupt(epoch):
        if epoch.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(described(random_events(5)), rng=1, on_epoch=interrupt)
    for name, value in before.items():
        assert_array_equal(getattr(model, name), value)


def test_many_users_with_one_event_each():
    n = 50_000
    rng = np.random.default_rng(0)
    model = WALS(4, n_epochs=2).fit(
        dataset(list(zip(range(n), rng.integers(0, 50, n).tolist(), strict=True))), rng=0
    )
    assert model.known_users_.all()
    assert model.recommend([0, n - 1], k=3).frame.height == 6
