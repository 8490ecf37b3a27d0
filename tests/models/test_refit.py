"""A fit that starts from an earlier model: where it begins, what it does with ids old and new, where it ends."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from models.test_matrix_factorization import SOLVERS, tastes
from models.test_matrix_factorization import dataset as rated
from models.test_wals import checkerboard, random_events
from models.test_wals import dataset as liked
from numpy.testing import assert_allclose, assert_array_equal

from shortlist import MatrixFactorization
from shortlist.data.vocabulary import Vocabulary
from shortlist.models.wals import WALS
from shortlist.models.weighted_squares import Observed, half_step, objective


def pairs_of(data):
    weights = data.interactions.matrix("count")
    weights.data[:] = 1
    return Observed.of(weights)


def cost(model, data):
    return objective(pairs_of(data), model.user_factors_, model.item_factors_, model.loss)


def grown(seed=0):
    """Return events, and the same with new ones: of known users and items, and of some that are new."""
    rng = np.random.default_rng(seed + 100)
    old = random_events(seed)
    new = list(zip(rng.integers(0, 60, 120).tolist(), rng.integers(0, 35, 120).tolist(), strict=True))
    return liked(old), liked(old + new)


def stars(model):
    """Return ratings, and the same with new ones that move the means, of old and of new users and items."""
    rows = tastes()
    new = [(u, i, 5.0 if (u + i) % 2 == 0 else 1.5) for u in range(55, 70) for i in range(30, 44)]
    old, both = rated(rows), rated([*rows, *new])
    return model.clone().fit(old, rng=0), old, both


def test_one_epoch_starts_at_the_old_users_and_at_the_fold_in_of_new_ones():
    old, new = grown()
    start = WALS(4).fit(old, rng=0)
    warm = WALS(4, refit_epochs=1).fit(new, start=start, rng=0)
    folded = start.fold_in_users(new)
    at = start.memory_.users.index_of(new.users.ids)
    users = folded.vectors.copy()
    users[at >= 0] = start.user_factors_[at[at >= 0]]
    assert (folded.known & (at < 0)).sum() >= 5
    assert (folded.known | (at >= 0)).all()  # nobody here starts at random
    pairs = pairs_of(new)
    items = half_step(pairs.transposed(), users, warm.loss)
    assert_array_equal(warm.item_factors_, items)
    assert_array_equal(warm.user_factors_, half_step(pairs, items, warm.loss))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_warm_epoch_is_nearer_the_optimum_than_three_cold_ones(seed):
    old, new = grown(seed)
    start = WALS(4, n_epochs=100).fit(old, rng=seed)
    warm = WALS(4, refit_epochs=1).fit(new, rng=seed, start=start)
    cold = [WALS(4, n_epochs=n).fit(new, rng=seed) for n in (1, 3)]
    assert cost(warm, new) < cost(cold[1], new) < cost(cold[0], new)


def test_warm_epochs_never_raise_the_objective():
    old, new = grown()
    start, values = WALS(4).fit(old, rng=0), []
    WALS(4, refit_epochs=12).fit(new, start=start, on_epoch=lambda e: values.append(cost(e.model, new)))
    assert len(values) == 12
    assert (np.diff(values) <= 1e-6 * values[0]).all()


@pytest.mark.parametrize("unobserved", ["all", "complement"])
def test_an_optimum_on_unchanged_data_stays_where_it_is(unobserved):
    data = liked(random_events())
    at_end = WALS(3, n_epochs=500, unobserved=unobserved, reg=0.1).fit(data, rng=0)
    again = at_end.clone().fit(data, start=at_end)
    for name in ("user_factors_", "item_factors_"):
        assert_allclose(getattr(again, name), getattr(at_end, name), atol=2e-4)


def test_a_start_that_shares_no_id_is_no_start():
    old, new = liked(random_events()), liked([(f"u{u}", f"i{i}") for u, i in random_events(3)])
    start = WALS(4).fit(old, rng=0)
    warm = WALS(4, refit_epochs=3).fit(new, rng=7, start=start)
    assert_array_equal(warm.user_factors_, WALS(4, n_epochs=3).fit(new, rng=7).user_factors_)


def test_users_of_new_items_alone_find_their_way():
    """The second board has other users and other items: a start that left them at zero would keep them there."""
    rows = checkerboard(20)
    both = rows + [(u + 100, i + 100) for u, i in rows]
    start = WALS(4, reg=0.01).fit(liked(rows), rng=0)
    model = WALS(4, reg=0.01, refit_epochs=12).fit(liked(both), rng=0, start=start)
    frame = model.recommend([*range(20), *range(100, 120)], k=1).frame
    assert_array_equal(frame["item_id"], frame["user_id"])


def test_users_and_items_without_events_any_more_are_unknown():
    rows = random_events()
    left = [row for row in rows if row[0] != 7 and row[1] != 11]
    start = WALS(4).fit(liked(rows), rng=0)
    model = WALS(4).fit(liked(left, users=[7], items=[11]), start=start)
    assert not model.known_users_[7]
    assert not model.known_items_[11]
    assert not model.user_factors_[7].any()
    assert_array_equal(model.known_users_.sum(), 49)
    without = WALS(4).fit(liked(left), start=start)
    assert_array_equal(without.user_factors_, np.delete(model.user_factors_, 7, axis=0))


@pytest.mark.parametrize("make", [WALS, MatrixFactorization])
def test_where_an_id_stood_in_the_old_vocabulary_does_not_matter(make):
    """Users 0…n are renamed n…0 in both data sets and in the start: each name must end where it did."""
    old, new = grown() if make is WALS else stars(make(4))[1:]
    start = make(4).fit(old, rng=0)
    warm = make(4).fit(new, rng=0, start=start)
    turned = make(4).fit(reversed_users(new), rng=0, start=reversed_model(start))
    order = new.users.index_of([-user for user in turned.memory_.users.ids.to_list()])
    assert_allclose(turned.user_factors_, warm.user_factors_[order], atol=1e-5)
    assert_allclose(turned.item_factors_, warm.item_factors_, atol=1e-5)


def reversed_users(data):
    """Return the data with each user id made negative, which turns the order of the vocabulary round."""
    users = Vocabulary.of([-user for user in data.users.ids.to_list()])
    log = replace(data.interactions, user_idx=(len(users) - 1 - data.interactions.user_idx).astype(np.int32))
    return replace(data, users=users, interactions=log)


def reversed_model(model):
    turned = copy.copy(model)
    turned.memory_ = replace(model.memory_, users=Vocabulary.of((-model.memory_.users.ids).to_list()))
    for name in ("user_factors_", "user_offsets_", "known_users_"):
        if hasattr(model, name):
            setattr(turned, name, getattr(model, name)[::-1].copy())
    return turned


@pytest.mark.parametrize("solver", SOLVERS)
def test_ratings_start_where_the_old_model_predicted(solver):
    model = MatrixFactorization(4, solver=solver, refit_epochs=0)
    start, old, new = stars(model)
    warm = model.fit(new, rng=0, start=start)
    assert np.abs(new_means(warm, start)).max() > 1e-3  # the means did move
    users, items = old.interactions.user_idx, old.interactions.item_idx
    pairs = old.users.ids.gather(users), old.items.ids.gather(items)
    assert_allclose(warm.score(*pairs), start.score(*pairs), atol=1e-5)
    at = np.flatnonzero(start.memory_.users.index_of(new.users.ids) < 0)
    folded = start.fold_in_users(new)
    assert at.size == 10
    assert_array_equal(warm.user_factors_[at], folded.vectors[at])
    assert_array_equal(warm.user_offsets_[at], folded.offsets[at])


def new_means(warm, start):
    """Return what the item means have moved by, for the items of the start."""
    from shortlist.models.mean_normalisation import item_means

    rows = [
        item_means(_matrix(model), model.mean_shrinkage)[
            model.memory_.items.index_of(start.memory_.items.ids)
        ]
        for model in (warm, start)
    ]
    return rows[0] - rows[1]


def _matrix(model):
    from scipy import sparse

    history = model.memory_.history
    shape = (len(history), len(model.memory_.items))
    return sparse.csr_array((history.value, (history.row, history.item_idx)), shape=shape)


@pytest.mark.parametrize("item_bias", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
def test_new_items_start_where_their_ratings_put_them(solver, item_bias):
    model = MatrixFactorization(4, solver=solver, refit_epochs=0, item_bias=item_bias)
    start, _, new = stars(model)
    warm = model.fit(new, rng=0, start=start)
    assert warm.known_items_.all()
    users, items = np.meshgrid(np.arange(0, 55), [40, 41, 42, 43], indexing="ij")
    liked_ones = (users + items) % 2 == 0
    scores = warm.score(users.ravel(), items.ravel()).reshape(users.shape)
    assert scores[liked_ones].mean() > scores[~liked_ones].mean() + 1


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_objective_starts_lower_than_cold_and_ends_as_low(solver):
    model = MatrixFactorization(4, solver=solver)
    start, _, new = stars(model)
    warm = model.clone().fit(new, rng=1, start=start).objective_history_
    cold = model.clone().fit(new, rng=1).objective_history_
    assert warm[0] < 0.5 * cold[0]
    assert warm[1] < cold[1]
    assert len(warm) < len(cold)
    assert warm[-1] < 1.03 * cold[-1]
    if solver == "als":
        assert (np.diff(warm) <= 1e-6 * warm[0]).all()


def test_a_fixed_point_of_als_stays():
    data = rated(tastes())
    at_end = MatrixFactorization(3, n_epochs=500).fit(data, rng=0)
    again = at_end.clone().fit(data, start=at_end)
    for name in ("user_factors_", "user_offsets_", "item_factors_", "item_offsets_"):
        assert_allclose(getattr(again, name), getattr(at_end, name), atol=1e-3)
    assert again.objective_history_[0] == pytest.approx(at_end.objective_history_[-1], rel=1e-5)


def test_refitting_is_the_same_with_every_seed_where_nobody_starts_at_random():
    old, new = grown()
    start = WALS(4).fit(old, rng=0)
    a, b = (WALS(4).fit(new, rng=seed, start=start) for seed in (1, 2))
    assert_array_equal(a.user_factors_, b.user_factors_)


def test_a_model_may_start_from_itself_and_a_loaded_one_is_as_good(tmp_path):
    import shortlist as sl

    old, new = grown()
    model = WALS(4).fit(old, rng=0)
    loaded = sl.load(model.save(tmp_path / "m"))
    from_disk = WALS(4).fit(new, rng=0, start=loaded)
    model.fit(new, rng=0, start=model)
    assert_array_equal(model.user_factors_, from_disk.user_factors_)
    assert model.memory_ is new.memory


@pytest.mark.parametrize("make", [WALS, MatrixFactorization])
def test_refit_epochs_is_checked(make):
    with pytest.raises(ValueError, match="refit_epochs must be a whole number of at least"):
        make(refit_epochs=-1)
