import numpy as np
import pytest
from oracles import matrix_factorization as oracle
from scipy import optimize

import shortlist as sl
from shortlist import threads
from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, NonFiniteError, ParameterError
from shortlist.models.matrix_factorization import MatrixFactorization

SOLVERS = ["als", "sgd", "adam"]


def dataset(rows, users=(), items=(), feedback=None):
    """Rows of (user, item, label); `users` and `items` are ids without labels."""
    u, i, y = zip(*rows, strict=True)
    user_ids, item_ids = Vocabulary.of(list(u), list(users)), Vocabulary.of(list(i), list(items))
    log = Interactions.of(
        user_ids.index_of(list(u)),
        item_ids.index_of(list(i)),
        np.array(y, np.float32),
        np.arange(len(y), dtype=np.int64),
        len(user_ids),
        len(item_ids),
        feedback or Feedback.binary(),
    )
    return Dataset(log, user_ids, item_ids)


def clicks(seed=0, n_users=60, n_items=40, density=0.5):
    """Two groups of users that click nine times in ten on their own half of what they are shown, else one in ten."""
    rng = np.random.default_rng(seed)
    shown = np.argwhere(rng.random((n_users, n_items)) < density)
    return [
        (int(u), int(i), float(rng.random() < (0.9 if u % 2 == i % 2 else 0.1))) for u, i in shown.tolist()
    ]


def fitted(rows=None, *, rng=0, users=(), items=(), **params):
    params = {"min_ratings": 1, "reg": 0.5, "bias_reg": 0.5, "dim": 3, **params}
    return MatrixFactorization(objective="binary", **params).fit(
        dataset(rows or clicks(), users, items), rng=rng
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_users_are_shown_what_their_own_group_clicks_on(solver):
    model = fitted(solver=solver)
    frame = model.recommend(range(60), k=5).frame
    assert (frame["user_id"] % 2 == frame["item_id"] % 2).mean() > 0.97


def test_the_probabilities_are_those_that_the_labels_were_drawn_with():
    users, items = [u for u in range(60) for _ in range(40)], [i for _ in range(60) for i in range(40)]
    own = np.array(users) % 2 == np.array(items) % 2
    probability = fitted(clicks(density=0.9), dim=1, reg=0.3).predict(users, items)
    assert probability.min() >= 0
    assert probability.max() <= 1
    assert probability[own].mean() == pytest.approx(0.9, abs=0.04)
    assert probability[~own].mean() == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_fit_minimises_the_stated_objective(solver):
    rows = clicks()
    model = fitted(rows, solver=solver, reg_exponent=0.5, mean_shrinkage=3.0, n_epochs=4)
    labels, shown = np.zeros((60, 40)), np.zeros((60, 40), bool)
    for u, i, y in rows:
        labels[u, i], shown[u, i] = y, True
    n_i, n_u = shown.sum(0), shown.sum(1)
    overall = (labels.sum() + 1) / (shown.sum() + 2)
    mean = (labels.sum(0) + 3 * overall) / (n_i + 3)
    logit = np.log(mean / (1 - mean))
    parts = (model.user_factors_, model.user_offsets_, model.item_factors_, model.item_offsets_ - logit)
    penalties = (0.5 * n_u**0.5, 0.5 * n_u**0.5, 0.5 * n_i**0.5, 0.5 * n_i**0.5)
    expected = oracle.label_cost(labels, shown, *(p.astype(float) for p in parts), logit, *penalties)
    assert model.objective_history_[-1] == pytest.approx(expected, rel=1e-5)
    assert model.objective_history_[-1] < model.objective_history_[0]


def test_the_score_is_the_logit_of_the_probability():
    model = fitted()
    users, items = [3, 3, 17, 42], [0, 39, 8, 11]
    logit = model.score(users, items)
    np.testing.assert_allclose(model.predict(users, items), 1 / (1 + np.exp(-logit)), rtol=1e-6)
    vectors = [
        model.user_factors_[u] @ model.item_factors_[i] + model.user_offsets_[u] + model.item_offsets_[i]
        for u, i in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(logit, vectors, rtol=1e-5)


def test_what_is_unknown_has_the_probability_of_what_is_known():
    rows = clicks()
    model = fitted(rows, users=[100], items=[200])
    overall = (sum(y for *_, y in rows) + 1) / (len(rows) + 2)
    found = model.predict([999, 100, 3], [777, 7, 200])
    assert found[0] == pytest.approx(overall, rel=1e-5)
    assert found[1] == pytest.approx(1 / (1 + np.exp(-model.item_offsets_[7])), rel=1e-5)
    log_odds = np.log(overall / (1 - overall)) + model.user_offsets_[3]
    assert found[2] == pytest.approx(1 / (1 + np.exp(-log_odds)), rel=1e-5)
    assert 200 not in model.recommend([3], k=50).frame["item_id"]


def test_logits_beyond_all_floats_of_a_probability_are_zero_or_one_and_never_nan():
    model = fitted()
    model.user_factors_ = model.user_factors_ * np.float32(1e6)
    found = model.predict([u for u in range(40) for _ in range(40)], list(range(40)) * 40)
    assert np.isfinite(found).all()
    assert set(found.tolist()) == {0.0, 1.0}


def test_folding_in_the_training_labels_gives_the_users_own_vectors():
    rows = clicks()
    model = fitted(rows, n_epochs=3)
    folded = model.fold_in_users(dataset(rows))
    np.testing.assert_allclose(folded.vectors, model.user_factors_, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(folded.offsets, model.user_offsets_, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fold_in_is_the_optimum_of_the_persons_own_labels(solver):
    model = fitted(solver=solver, n_epochs=4, reg=0.8, bias_reg=0.3, reg_exponent=0.5)
    folded = model.fold_in_users(dataset([("p", 0, 1.0), ("p", 1, 0.0), ("p", 4, 1.0), ("lost", 12345, 1.0)]))
    assert folded.known.tolist() == [False, True]
    items, labels = [0, 1, 4], np.array([1.0, 0, 1])
    design = np.hstack([model.item_factors_[items], np.ones((3, 1))]).astype(float)
    penalties = np.array([0.8, 0.8, 0.8, 0.3]) * 3**0.5

    def slope(v):
        z = design @ v + model.item_offsets_[items]
        return design.T @ (1 / (1 + np.exp(-z)) - labels) + penalties * v

    mine = np.append(folded.vectors[1], folded.offsets[1]).astype(float)
    np.testing.assert_allclose(slope(mine), 0, atol=1e-5)
    np.testing.assert_allclose(mine, optimize.root(slope, np.zeros(4)).x, atol=1e-5)


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("solver", SOLVERS)
def test_labels_that_are_all_equal_fit(solver, label):
    rows = [(u, i, label) for u in range(8) for i in range(6) if (u + i) % 3]
    model = fitted(rows, solver=solver)
    probability = model.predict([r[0] for r in rows], [r[1] for r in rows])
    assert np.abs(probability - label).max() < 0.2


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "rows", [[(0, 0, 1.0)], [(0, i, i % 2) for i in range(6)], [(u, 0, 0) for u in range(6)]]
)
def test_one_user_or_one_item_is_enough_whatever_the_dim(solver, rows):
    model = fitted(rows, solver=solver, dim=8)
    assert np.isfinite(model.score([r[0] for r in rows], [r[1] for r in rows])).all()


def test_a_warm_start_begins_near_the_optimum_and_takes_in_new_people_and_items():
    rows = clicks()
    more = [*rows, *[(u + 100, i, y) for u, i, y in rows[:200]], (0, 99, 1.0), (2, 99, 1.0), (1, 99, 0.0)]
    old = fitted(rows, n_epochs=10)
    warm = MatrixFactorization(**{**old.params(), "n_epochs": None, "refit_epochs": 0}).fit(
        dataset(more), start=old, rng=1
    )
    cold = MatrixFactorization(**{**old.params(), "n_epochs": 0}).fit(dataset(more), rng=1)
    best = MatrixFactorization(**{**old.params(), "n_epochs": 20}).fit(dataset(more), rng=1)
    start, end = cold.objective_history_[0], best.objective_history_[-1]
    assert warm.objective_history_[0] - end < 0.1 * (start - end)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(solver):
    before, models = threads.num_threads(), []
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            models.append(fitted(solver=solver, n_epochs=3, rng=7))
    finally:
        threads.set_num_threads(before)
    for name in MatrixFactorization.FITTED:
        np.testing.assert_array_equal(getattr(models[0], name), getattr(models[1], name))


def test_a_saved_model_predicts_the_same(tmp_path):
    model = fitted()
    loaded = sl.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict([0, 999], [3, 5]), model.predict([0, 999], [3, 5]))
    assert loaded.params()["objective"] == "binary"


@pytest.mark.parametrize("name", ["reg", "bias_reg", "mean_shrinkage"])
def test_a_penalty_of_nothing_is_refused_since_there_may_be_no_finite_optimum(name):
    with pytest.raises(ParameterError, match=f"needs {name} above 0"):
        MatrixFactorization(objective="binary", **{name: 0})


@pytest.mark.parametrize("feedback", [Feedback.events(), Feedback.ratings(0, 1)])
def test_values_that_are_no_labels_are_refused(feedback):
    with pytest.raises(DataError, match="learns from labels"):
        MatrixFactorization(objective="binary").fit(dataset([(0, 0, 1.0)], feedback=feedback))


def test_labels_without_the_objective_for_them_are_refused():
    with pytest.raises(DataError, match=r'MatrixFactorization predicts ratings.*objective="binary"'):
        MatrixFactorization().fit(dataset([(0, 0, 1.0)]))


def test_a_rate_too_high_stops_with_the_epoch_and_the_cause():
    with pytest.raises(NonFiniteError, match=r"after epoch \d+.*learning_rate"):
        fitted(solver="sgd", learning_rate=1e6)
