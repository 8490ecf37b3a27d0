"""BPR on datasets: what it learns, who is known, fold-in, warm start, and what it refuses."""

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import shortlist as sl
from shortlist import threads
from shortlist.errors import DataError, NonFiniteError, ParameterError
from shortlist.models.bpr import chances_of_best

SAMPLERS = ["uniform", "popularity", "dynamic"]


def read(pairs, kind="events", value=1, **options):
    users, items = zip(*pairs, strict=True)
    frame = pl.DataFrame({"user_id": users, "item_id": items}).with_columns(value=pl.lit(value))
    return sl.read(frame, kind=kind, **options)


def two_tastes(n_users=60, n_items=40, share=0.5, seed=0):
    """Even users like even items and odd users odd ones: a random half of them; the rest are held out."""
    rng = np.random.default_rng(seed)
    return [(u, i) for u in range(n_users) for i in range(u % 2, n_items, 2) if rng.random() < share]


def auc(model, pairs, n_users=60, n_items=40):
    """The share of held-out pairs of one taste that come before pairs of the other."""
    held_out = sorted({(u, i) for u in range(n_users) for i in range(u % 2, n_items, 2)} - set(pairs))
    users, items = np.array(held_out).T
    others = np.random.default_rng(9).integers(0, n_items // 2, len(users)) * 2 + (users + 1) % 2
    return np.mean(model.score(users, items) > model.score(users, others))


def fitted(pairs=None, *, rng=0, **params):
    return sl.BPR(**{"dim": 4, "n_epochs": 12, **params}).fit(read(pairs or two_tastes()), rng=rng)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("item_bias", [True, False])
def test_planted_tastes_are_found_where_nothing_was_seen(sampler, item_bias):
    """Few candidates: with many, the dynamic sampler finds the held-out likes and takes them for negatives."""
    pairs, options = two_tastes(), {"sampler": sampler, "item_bias": item_bias}
    if sampler == "dynamic":
        options["n_candidates"] = 3
    start = fitted(pairs, n_epochs=1, learning_rate=1e-6, **options)
    model = fitted(pairs, learning_rate=0.2, **options)
    assert abs(auc(start, pairs) - 0.5) < 0.15
    assert auc(model, pairs) > 0.97
    assert model.loss_history_[-1] < 0.95 * model.loss_history_[0]


def test_without_item_bias_offsets_stay_zero():
    assert_array_equal(fitted(item_bias=False).item_offsets_, 0)
    assert np.abs(fitted().item_offsets_).max() > 0.01


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_threads_change_nothing(sampler, monkeypatch):
    monkeypatch.setattr("shortlist.models.triples._TRIPLES_A_CELL", 1)
    before, models = threads.num_threads(), []
    for n in (1, 3):
        threads.set_num_threads(n)
        models.append(fitted(sampler=sampler, n_epochs=3))
    threads.set_num_threads(before)
    assert_array_equal(models[0].user_factors_, models[1].user_factors_)
    assert_array_equal(models[0].item_factors_, models[1].item_factors_)


def test_the_seed_decides_and_nothing_else():
    assert_array_equal(fitted(rng=3).item_factors_, fitted(rng=3).item_factors_)
    assert np.abs(fitted(rng=3).item_factors_ - fitted(rng=4).item_factors_).max() > 1e-3


def test_samplers_give_different_models():
    found = [fitted(sampler=sampler, n_epochs=2).item_factors_ for sampler in SAMPLERS]
    found.append(fitted(sampler="popularity", popularity_exponent=2, n_epochs=2).item_factors_)
    found.append(fitted(sampler="dynamic", n_candidates=9, n_epochs=2).item_factors_)
    assert len({factors.tobytes() for factors in found}) == len(found)


def test_popular_negatives_of_exponent_zero_are_as_good_as_uniform():
    """The same distribution by another way of drawing: the loss comes down alike."""
    one = fitted(sampler="popularity", popularity_exponent=0.0, n_epochs=20).loss_history_
    assert_allclose(one[-5:], fitted(n_epochs=20).loss_history_[-5:], atol=0.03)


def test_who_likes_nothing_or_everything_is_unknown():
    pairs = [("some", "x"), ("other", "y"), ("all", "x"), ("all", "y"), ("low", "x")]
    frame = pl.DataFrame({"user_id": [u for u, _ in pairs], "item_id": [i for _, i in pairs]})
    frame = frame.with_columns(value=pl.when(pl.col("user_id") == "low").then(1).otherwise(5))
    model = sl.BPR(dim=2, n_epochs=2).fit(sl.read(frame, kind="ratings", scale=(1, 5)), rng=0)
    known = dict(zip(model.memory_.users.ids, model.known_users_.tolist(), strict=True))
    assert known == {"some": True, "other": True, "all": False, "low": False}
    assert_array_equal(model.user_factors_[~model.known_users_], 0)


@pytest.mark.parametrize(
    "pairs", [[("a", "x")], [("a", "x"), ("a", "y")], [(u, i) for u in "ab" for i in "xyz"]]
)
def test_without_a_negative_there_is_nothing_to_compare(pairs):
    with pytest.raises(DataError, match="no pairs to compare"):
        sl.BPR().fit(read(pairs))


def test_without_a_positive_there_is_nothing_to_fit():
    with pytest.raises(DataError, match="none of the 1 ratings is positive"):
        sl.BPR().fit(read([("a", "x")], "ratings", scale=(1, 5)))


@pytest.mark.parametrize("rate", [1e3, 1e38])
def test_steps_that_diverge_are_an_error_that_names_epoch_and_cause(rate):
    with pytest.raises(NonFiniteError, match=r"in epoch \d+: the steps diverge. Lower learning_rate \(1"):
        fitted(learning_rate=rate, n_epochs=30)


def test_a_million_people_of_one_event_are_one_epoch():
    """Here ten thousand, each with a pair: whatever the draws, popular items end up ahead."""
    rng = np.random.default_rng(0)
    items = rng.zipf(2.0, 10_000) % 50
    model = fitted(list(zip(range(10_000), items.tolist(), strict=True)), n_epochs=5)
    assert np.isfinite(model.user_factors_).all()
    assert model.item_offsets_[1] > np.median(model.item_offsets_)


def test_renaming_people_leaves_the_quality():
    """Draws go by position, so that vectors differ; what is learnt does not."""
    pairs = two_tastes()
    renamed = fitted([(59 - u, 39 - i) for u, i in pairs], learning_rate=0.2)
    users, items = np.array(sorted({(u, i) for u in range(60) for i in range(u % 2, 40, 2)} - set(pairs))).T
    others = items ^ 1
    assert np.mean(renamed.score(59 - users, 39 - items) > renamed.score(59 - users, 39 - others)) > 0.97


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_people_folded_in_find_their_taste_and_come_near_the_vector_of_training(sampler):
    pairs = two_tastes()
    data = read(pairs)
    model = fitted(pairs, sampler=sampler, n_epochs=60, learning_rate=0.2, user_reg=0.05, item_reg=0.05)
    folded = model.fold_in_users(data)
    assert folded.known.all()
    scores = folded.vectors @ model.item_factors_.T
    trained = model.user_factors_ @ model.item_factors_.T
    assert np.corrcoef(scores.ravel(), trained.ravel())[0, 1] > 0.97


def test_folding_in_is_the_same_alone_beside_others_and_again():
    model, people = fitted(), read(two_tastes(seed=5))
    whole = model.fold_in_users(people)
    assert_array_equal(model.fold_in_users(people).vectors, whole.vectors)
    alone = model.fold_in_users(read([(u, i) for u, i in two_tastes(seed=5) if u == 7]))
    assert_array_equal(alone.vectors[0], whole.vectors[7])


def test_people_folded_in_without_anything_to_compare_are_unknown():
    model = fitted()
    events = read([("new", 999), ("all", 0), *(("all", i) for i in range(40)), ("one", 3)])
    folded = model.fold_in_users(events)
    assert dict(zip(folded.user_ids, folded.known.tolist(), strict=True)) == {
        "new": False,
        "all": False,
        "one": True,
    }


def test_who_likes_all_that_folding_compares_with_is_compared_with_the_rest(monkeypatch):
    monkeypatch.setattr("shortlist.models.bpr.MOST_CONTRASTS", 3)
    model = fitted()
    compared = model.memory_.items.ids.gather(model.contrast_items_).to_list()
    assert model.fold_in_users(read([("n", item) for item in compared])).known[0]


def test_a_warm_start_begins_where_the_old_model_ended():
    pairs = two_tastes()
    old = fitted(pairs, n_epochs=20, learning_rate=0.2)
    more = [*pairs, *((100, i) for i in range(0, 40, 4)), (0, 900), (2, 900)]
    new = sl.BPR(dim=4, refit_epochs=1, learning_rate=1e-6).fit(read(more), start=old, rng=0)
    cold = sl.BPR(dim=4, n_epochs=1, learning_rate=1e-6).fit(read(more), rng=0)
    assert new.loss_history_[0] < 0.5 * cold.loss_history_[0]
    assert_allclose(new.user_factors_[:60], old.user_factors_, atol=1e-4)
    assert_allclose(new.item_offsets_[:40], old.item_offsets_, atol=1e-4)
    scores = new.score([100] * 40, range(40))
    assert scores[::2].min() > scores[1::2].max()


def test_the_refit_runs_its_own_number_of_epochs_and_tells_of_each():
    old, told = fitted(), []
    sl.BPR(dim=4, refit_epochs=3).fit(
        read(two_tastes()),
        start=old,
        rng=0,
        on_epoch=lambda epoch: told.append(
            (
                epoch.number,
                epoch.n_epochs,
                epoch.model.loss_history_.size,
                len(epoch.model.recommend([0], k=3).frame),
            )
        ),
    )
    assert told == [(1, 3, 1, 3), (2, 3, 2, 3), (3, 3, 3, 3)]


def test_watching_changes_nothing():
    watched = sl.BPR(dim=4, n_epochs=12).fit(read(two_tastes()), rng=0, on_epoch=lambda epoch: None)
    assert_array_equal(watched.item_factors_, fitted().item_factors_)


def test_an_interrupted_fit_leaves_the_old_model():
    model = fitted()
    before = model.item_factors_

    def interrupt(epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(read(two_tastes(seed=3)), rng=1, on_epoch=interrupt)
    assert model.item_factors_ is before


def test_a_saved_model_is_the_same_model(tmp_path):
    model = fitted(sampler="dynamic")
    loaded = sl.load(model.save(tmp_path / "model"))
    people = read(two_tastes(seed=5))
    assert_array_equal(loaded.fold_in_users(people).vectors, model.fold_in_users(people).vectors)
    assert loaded.recommend(range(60)).frame.equals(model.recommend(range(60)).frame)


def test_chances_of_the_best_sum_to_one_and_go_up_with_the_score():
    scores = np.random.default_rng(0).permutation(7).astype(float)
    chances = chances_of_best(scores, 4)
    assert chances.sum() == pytest.approx(1)
    assert (np.diff(chances[np.argsort(scores)]) > 0).all()


WRONG = [
    {"dim": 0},
    {"sampler": "hard"},
    {"popularity_exponent": 0.5},
    {"n_candidates": 4},
    {"n_candidates": 1, "sampler": "dynamic"},
    {"learning_rate": 0},
    {"user_reg": -1},
    {"item_reg": np.nan},
    {"bias_reg": "1"},
    {"item_bias": 1},
    {"n_epochs": 0},
    {"refit_epochs": 0},
    {"init_std": 0},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_parameters_are_checked(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        sl.BPR(**wrong)
