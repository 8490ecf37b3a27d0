import numpy as np
import pytest
from oracles import matrix_factorization as oracle

from shortlist import threads
from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, NonFiniteError, ParameterError, UnknownIdError
from shortlist.models.matrix_factorization import DESCENTS, MatrixFactorization

SOLVERS = ["als", "sgd", "adam"]
ONE_PAIR = [(0, 0, 4.0)]
ONE_USER = [(0, i, 3.0) for i in range(6)]
ONE_ITEM = [(u, 0, u % 5 + 0.5) for u in range(6)]


def dataset(rows, users=(), items=(), feedback=None):
    """Rows of (user, item, rating), in the order of time; `users` and `items` are ids without events."""
    u, i, y = zip(*rows, strict=True)
    user_ids, item_ids = Vocabulary.of(list(u), list(users)), Vocabulary.of(list(i), list(items))
    log = Interactions.of(
        user_ids.index_of(list(u)),
        item_ids.index_of(list(i)),
        np.array(y, np.float32),
        np.arange(len(y), dtype=np.int64),
        len(user_ids),
        len(item_ids),
        feedback or Feedback.ratings(0.5, 5),
    )
    return Dataset(log, user_ids, item_ids)


def tastes(seed=0, n_users=60, n_items=40, density=0.5):
    """Two groups of users that like opposite halves of the items: 5 or 4.5 for their own, 1 or 1.5 for the others'."""
    rng = np.random.default_rng(seed)
    rows = []
    for u, i in np.argwhere(rng.random((n_users, n_items)) < density):
        liked = (u % 2) == (i % 2)
        rows.append((int(u), int(i), float(rng.choice([5.0, 4.5] if liked else [1.0, 1.5]))))
    return rows


def fitted(rows=None, *, rng=0, users=(), items=(), **params):
    params = {"min_ratings": 1, "reg": 1.0, "dim": 4, **params}
    return MatrixFactorization(**params).fit(dataset(rows or tastes(), users, items), rng=rng)


@pytest.mark.parametrize("solver", SOLVERS)
def test_users_get_the_unseen_items_of_their_own_taste(solver):
    model = fitted(solver=solver)
    frame = model.recommend(range(60), k=5).frame
    own = frame["user_id"] % 2 == frame["item_id"] % 2
    assert frame.height > 250
    assert own.mean() > 0.99


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("item_bias", [True, False])
def test_the_score_is_the_sum_of_the_models_parts(solver, item_bias):
    model = fitted(solver=solver, item_bias=item_bias, n_epochs=5)
    users, items = [3, 3, 17, 42], [0, 39, 8, 11]
    expected = [
        model.user_factors_[u] @ model.item_factors_[i] + model.user_offsets_[u] + model.item_offsets_[i]
        for u, i in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(model.score(users, items), expected, rtol=1e-5)


def test_the_default_solver_minimises_the_stated_objective():
    rows = tastes()
    model = fitted(rows, reg=0.7, bias_reg=0.2, reg_exponent=0.5, mean_shrinkage=3.0, n_epochs=4)
    values, rated = np.zeros((60, 40)), np.zeros((60, 40), bool)
    for u, i, y in rows:
        values[u, i], rated[u, i] = y, True
    n_i, n_u = rated.sum(0), rated.sum(1)
    mean = (values.sum(0) + 3 * values[rated].mean()) / (n_i + 3)
    parts = (model.user_factors_, model.user_offsets_, model.item_factors_, model.item_offsets_ - mean)
    penalties = (0.7 * n_u**0.5, 0.2 * n_u**0.5, 0.7 * n_i**0.5, 0.2 * n_i**0.5)
    expected = oracle.cost(
        np.where(rated, values - mean, 0), rated, *(p.astype(float) for p in parts), *penalties
    )
    assert model.objective_history_[-1] == pytest.approx(expected, rel=1e-5)
    assert model.objective_history_.size == 5


def test_the_course_preset_minimises_the_cost_of_the_course():
    rows = [row for row in tastes() if row[1] != 39]
    model = MatrixFactorization.course(dim=5, reg=2.0, n_epochs=6).fit(dataset(rows, items=[39]), rng=3)
    values, rated = np.zeros((60, 40)), np.zeros((60, 40), bool)
    for u, i, y in rows:
        values[u, i], rated[u, i] = y, True
    mean = values.sum(0) / np.maximum(rated.sum(0), 1)
    parts = (model.user_factors_, model.user_offsets_, model.item_factors_)
    flat, free = np.full(60, 2.0), np.zeros(60)
    cost = oracle.cost(
        np.where(rated, values - mean, 0),
        rated,
        *(p.astype(float) for p in parts),
        np.zeros(40),
        flat,
        free,
        flat[:40],
        free,
    )
    assert model.objective_history_[-1] == pytest.approx(cost, rel=1e-5)
    np.testing.assert_allclose(model.item_offsets_[:39], mean[:39], rtol=1e-6)


def test_the_course_preset_starts_from_a_standard_normal():
    rows = [(u, i, 3.0) for u in range(40) for i in range(50)]
    model = MatrixFactorization.course(dim=100, n_epochs=0).fit(dataset(rows), rng=0)
    for part in (model.user_factors_, model.user_offsets_, model.item_factors_):
        assert part.std() == pytest.approx(1, abs=0.25)
    assert model.item_factors_.std() == pytest.approx(1, abs=0.03)
    assert model.params()["solver"] == "adam"


# The table of the lectures, with Eve, who has rated nothing.
STARS = {
    "Love at last": (5, 5, 0, 0),
    "Romance forever": (5, None, None, 0),
    "Cute puppies of love": (None, 4, 0, None),
    "Nonstop car chases": (0, 0, 5, 4),
    "Swords vs. karate": (0, 0, 5, None),
}
PEOPLE = ("Alice", "Bob", "Carol", "Dave")


def course_table():
    rows = [
        (p, film, s)
        for film, stars in STARS.items()
        for p, s in zip(PEOPLE, stars, strict=True)
        if s is not None
    ]
    return dataset(rows, users=["Eve"], feedback=Feedback.ratings(0, 5))


@pytest.mark.parametrize("solver", SOLVERS)
def test_eve_who_rated_nothing_is_predicted_the_mean_of_each_film(solver):
    model = MatrixFactorization(
        2, mean_shrinkage=0, item_bias=False, solver=solver, n_epochs=50, min_ratings=1
    )
    model.fit(course_table(), rng=0)
    predicted = model.predict(["Eve"] * 5, list(STARS))
    np.testing.assert_allclose(predicted, [2.5, 2.5, 2.0, 2.25, 5 / 3], rtol=1e-6)
    with pytest.raises(UnknownIdError, match="Eve"):
        model.score(["Eve"], ["Love at last"])
    with pytest.raises(UnknownIdError, match="Eve"):
        model.recommend(["Eve"])


def test_alice_is_predicted_to_love_puppies_and_carol_not():
    model = MatrixFactorization(2, reg=0.1, bias_reg=0.1, reg_exponent=0, n_epochs=100, min_ratings=1)
    model.fit(course_table(), rng=0)
    alice, carol = model.predict(["Alice", "Carol"], ["Cute puppies of love", "Romance forever"])
    assert alice > 4
    assert carol < 1


def test_what_is_unknown_is_predicted_from_what_is_known():
    rows = tastes()
    model = fitted(rows, users=[100], items=[200])
    mean = np.mean([y for _, _, y in rows])
    unknown = model.predict([3, 100, 999, 999, 3], [200, 7, 7, 777, 777], clip=False)
    b, offset = model.user_offsets_[3], model.item_offsets_[7]
    np.testing.assert_allclose(unknown, [mean + b, offset, offset, mean, mean + b], rtol=1e-5)
    assert not model.known_items_[model.memory_.items.index_of([200])[0]]
    assert 200 not in model.recommend([3], k=50).frame["item_id"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_users_and_items_without_ratings_have_zero_factors(solver):
    rows = tastes()
    model = fitted(rows, users=[100], items=[200], solver=solver, n_epochs=3)
    user, item = model.memory_.users.index_of([100])[0], model.memory_.items.index_of([200])[0]
    np.testing.assert_array_equal(model.user_factors_[user], 0)
    np.testing.assert_array_equal(model.item_factors_[item], 0)
    assert model.user_offsets_[user] == 0
    assert model.item_offsets_[item] == pytest.approx(np.mean([y for _, _, y in rows]))


def test_predictions_stay_on_the_scale_unless_asked_otherwise():
    model = fitted(reg=0.01, bias_reg=0.01, dim=8)
    pairs = [u for u in range(60) for _ in range(40)], [i for _ in range(60) for i in range(40)]
    free, clipped = model.predict(*pairs, clip=False), model.predict(*pairs)
    assert free.max() > 5
    np.testing.assert_array_equal(clipped, np.clip(free, 0.5, 5))
    with pytest.raises(ParameterError, match="pairs"):
        model.predict([1, 2], [1])


def test_the_last_of_several_ratings_of_a_pair_counts():
    rows = tastes()
    changed = [(u, i, 3.0) for u, i, _ in rows[:50]] + rows
    np.testing.assert_array_equal(fitted(changed).item_factors_, fitted(rows).item_factors_)
    np.testing.assert_array_equal(fitted(rows + rows[:50]).item_factors_, fitted(rows).item_factors_)


def test_items_with_too_few_ratings_are_predicted_but_not_listed():
    rows = [*tastes(), (0, 98, 5.0), (2, 98, 5.0), (4, 99, 5.0)]
    model = fitted(rows, min_ratings=2)
    listed = set(model.recommend(range(60), k=100).frame["item_id"])
    assert 98 in listed
    assert 99 not in listed
    assert np.isfinite(model.score([6], [99])[0])


def test_one_rating_of_five_leads_the_lists_with_plain_means_and_not_with_shrunk_ones():
    rng = np.random.default_rng(0)
    quality = np.linspace(2, 4.5, 20)
    rows = [
        (u, i, float(np.clip(np.rint(2 * (quality[i] + 0.5 * rng.normal())) / 2, 0.5, 5)))
        for u, i in np.argwhere(rng.random((60, 20)) < 0.5).tolist()
    ]
    rows.append((0, 99, 5.0))

    def lists_it_leads(**params):
        frame = fitted(rows, reg=10.0, **params).recommend(range(1, 60), k=1).frame
        return (frame["item_id"] == 99).mean()

    assert lists_it_leads(mean_shrinkage=0, item_bias=False) > 0.95
    assert lists_it_leads(mean_shrinkage=20) == 0


def test_folding_in_the_training_ratings_gives_the_users_own_vectors():
    rows = tastes()
    model = fitted(rows, n_epochs=3)
    folded = model.fold_in_users(dataset(rows))
    np.testing.assert_allclose(folded.vectors, model.user_factors_, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(folded.offsets, model.user_offsets_, rtol=1e-3, atol=1e-5)
    assert folded.known.all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fold_in_is_one_exact_half_step(solver):
    model = fitted(solver=solver, n_epochs=4, reg=0.8, bias_reg=0.3, reg_exponent=0.5)
    new = [("p", 0, 5.0), ("p", 1, 1.0), ("q", 2, 4.0), ("p", 4, 4.5)]
    folded = model.fold_in_users(dataset(new))
    for row, (items, stars) in enumerate([([0, 1, 4], [5.0, 1.0, 4.5]), ([2], [4.0])]):
        scale = len(items) ** 0.5
        targets = np.array(stars) - model.item_offsets_[items]
        vector, bias = oracle.row_optimum(targets, model.item_factors_[items], 0.8 * scale, 0.3 * scale)
        np.testing.assert_allclose(folded.vectors[row], vector, rtol=1e-4, atol=1e-6)
        assert folded.offsets[row] == pytest.approx(bias, rel=1e-4, abs=1e-6)


def test_a_fold_in_changes_nothing_and_is_recommended_to():
    model = fitted()
    before = {name: np.copy(getattr(model, name)) for name in model.FITTED}
    new = [("even", 0, 5.0), ("even", 1, 1.0), ("odd", 0, 1.0), ("odd", 1, 5.0), ("lost", 12345, 5.0)]
    folded = model.fold_in_users(dataset(new))
    frame = model.recommend(folded, k=10, on_unknown="skip").frame
    assert set(frame["user_id"]) == {"even", "odd"}
    liked = frame["item_id"] % 2 == (frame["user_id"] == "odd")
    assert liked.all()
    assert not set(frame["item_id"]) & {0, 1}
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(model, name), value)


def test_ratings_of_items_the_model_does_not_know_say_nothing():
    model = fitted(items=[200])
    alone = model.fold_in_users(dataset([("p", 0, 5.0), ("p", 1, 1.0)]))
    with_unknown = model.fold_in_users(
        dataset([("p", 0, 5.0), ("p", 777, 5.0), ("p", 1, 1.0), ("p", 200, 5.0)])
    )
    np.testing.assert_array_equal(alone.vectors, with_unknown.vectors)
    np.testing.assert_array_equal(alone.offsets, with_unknown.offsets)


def test_a_fold_in_refuses_another_scale():
    with pytest.raises(DataError, match="scale"):
        fitted().fold_in_users(dataset([("p", 0, 50.0)], feedback=Feedback.ratings(0, 100)))


@pytest.mark.parametrize("feedback", [Feedback.events(), Feedback.binary()])
def test_values_that_are_no_ratings_are_refused(feedback):
    with pytest.raises(DataError, match="MatrixFactorization predicts ratings"):
        MatrixFactorization().fit(dataset([(0, 0, 1.0)], feedback=feedback))


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(solver):
    before = threads.num_threads()
    models = []
    try:
        for n in (1, 3):
            threads.set_num_threads(n)
            models.append(fitted(solver=solver, n_epochs=3, rng=7))
    finally:
        threads.set_num_threads(before)
    for name in MatrixFactorization.FITTED:
        np.testing.assert_array_equal(getattr(models[0], name), getattr(models[1], name))
    other = fitted(solver=solver, n_epochs=3, rng=8)
    assert not np.array_equal(other.item_factors_, models[0].item_factors_)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("rows", [ONE_PAIR, ONE_USER, ONE_ITEM])
def test_one_user_or_one_item_is_enough(solver, rows):
    model = fitted(rows, solver=solver, dim=8)
    assert np.isfinite(model.score([r[0] for r in rows], [r[1] for r in rows])).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_equal_ratings_predict_themselves(solver):
    rows = [(u, i, 3.5) for u in range(8) for i in range(6) if (u + i) % 3]
    model = fitted(rows, solver=solver)
    predicted = model.predict([r[0] for r in rows], [r[1] for r in rows])
    np.testing.assert_allclose(predicted, 3.5, atol=0.02)


def test_without_a_penalty_a_singular_system_is_a_clear_error():
    with pytest.raises(ParameterError, match=r"no unique solution.*reg"):
        fitted(reg=0, bias_reg=0, dim=50)


def test_a_rate_too_high_stops_with_the_epoch_and_the_cause():
    with pytest.raises(NonFiniteError, match=r"after epoch \d+.*learning_rate"):
        fitted(solver="sgd", learning_rate=50.0)


def test_the_tolerance_ends_an_als_fit_early():
    model = fitted(n_epochs=200, tol=1e-4)
    gains = -np.diff(model.objective_history_) / model.objective_history_[1:]
    assert 2 < gains.size < 200
    assert gains[-1] <= 1e-4
    assert (gains[:-1] > 1e-4).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_each_solver_runs_its_own_number_of_epochs(solver):
    model = fitted(solver=solver)
    assert model.objective_history_.size == DESCENTS[solver].n_epochs + 1
    assert model.objective_history_[-1] < model.objective_history_[0] / 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dim": 0}, "dim must be a whole number of at least 1"),
        ({"dim": 2.5}, "dim"),
        ({"dim": True}, "dim"),
        ({"reg": -1}, "reg must be a number at least 0"),
        ({"bias_reg": float("nan")}, "bias_reg"),
        ({"item_bias": "yes"}, "item_bias must be True or False"),
        ({"reg_exponent": 1.5}, "at most 1"),
        ({"mean_shrinkage": float("inf")}, "mean_shrinkage"),
        ({"solver": "cg"}, "als, sgd, adam"),
        ({"n_epochs": -1}, "n_epochs"),
        ({"learning_rate": 0.1}, "takes no learning_rate"),
        ({"solver": "sgd", "learning_rate": 0}, "above 0"),
        ({"solver": "adam", "tol": 0.1}, "tol is for"),
        ({"tol": 0}, "tol must be a number above 0"),
        ({"init_std": 0}, "init_std"),
        ({"min_ratings": 0}, "min_ratings"),
    ],
)
def test_a_wrong_parameter_is_named(params, message):
    with pytest.raises(ParameterError, match=message):
        MatrixFactorization(**params)


def test_a_saved_model_recommends_the_same(tmp_path):
    from shortlist import artifacts

    model = fitted()
    state, _ = artifacts.read(model.save(tmp_path / "model"))
    loaded = MatrixFactorization.from_state(state)
    assert loaded.params() == model.params()
    assert loaded.recommend(range(60), k=5).frame.equals(model.recommend(range(60), k=5).frame)
    pairs = [0, 999], [3, 5]
    np.testing.assert_array_equal(loaded.predict(*pairs), model.predict(*pairs))
    assert loaded.clone().params() == model.params()
