"""WALS on datasets: what counts as positive, who is known, known answers, fold-in, and parameters."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from shortlist import threads
from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError, UnknownIdError
from shortlist.models.wals import WALS
from shortlist.models.weighted_squares import Observed, half_step, objective
from shortlist.registry import load

EVENTS = Feedback.events()
STARS = Feedback.ratings(0.5, 5)


def dataset(rows, users=(), items=(), feedback=EVENTS):
    """Rows of (user, item) or (user, item, value) in the order of time; `users`, `items` are ids without events."""
    u, i, value = zip(*((*row, 1.0)[:3] for row in rows), strict=True)
    user_ids, item_ids = Vocabulary.of(list(u), list(users)), Vocabulary.of(list(i), list(items))
    log = Interactions.of(
        user_ids.index_of(list(u)),
        item_ids.index_of(list(i)),
        np.array(value, np.float32),
        np.arange(len(u), dtype=np.int64),
        len(user_ids),
        len(item_ids),
        feedback,
    )
    return Dataset(log, user_ids, item_ids)


def checkerboard(n=40, withhold_diagonal=True):
    """User u has item i when both are even or both odd, but not i = u."""
    return [(u, i) for u in range(n) for i in range(u % 2, n, 2) if i != u or not withhold_diagonal]


def random_events(seed=0, n_users=50, n_items=30, m=500):
    rng = np.random.default_rng(seed)
    return list(zip(rng.integers(0, n_users, m).tolist(), rng.integers(0, n_items, m).tolist(), strict=True))


def fitted(rows=None, *, rng=0, users=(), items=(), feedback=EVENTS, **params):
    return WALS(**{"dim": 6, **params}).fit(dataset(rows or random_events(), users, items, feedback), rng=rng)


@pytest.mark.parametrize("unobserved", ["all", "complement"])
@pytest.mark.parametrize("dim", [2, 3, 25, 100])
def test_the_withheld_square_of_the_checkerboard_comes_first(unobserved, dim):
    """Every other dimension beyond the two that the board has is one too many; 100 is more than there are items."""
    model = fitted(checkerboard(), dim=dim, unobserved=unobserved, reg=0.01)
    frame = model.recommend(range(40), k=1).frame
    assert_array_equal(frame["item_id"], frame["user_id"])
    assert frame["score"].min() > 0.7
    assert np.abs(model.score([0, 1], [1, 0])).max() < 0.01


def test_no_penalty_and_equal_weights_reproduce_the_best_low_rank_matrix():
    """With w = 1 on all pairs ("complement", w0 = 1) and no penalty, J is least at the truncated SVD."""
    rows = sorted(set(random_events(m=300)))
    model = fitted(rows, dim=3, unobserved="complement", unobserved_weight=1.0, reg=0.0, n_epochs=300)
    board = np.zeros((50, 30))
    board[tuple(np.array(rows).T)] = 1
    u, s, vt = np.linalg.svd(board)
    assert_allclose(model.user_factors_ @ model.item_factors_.T, (u[:, :3] * s[:3]) @ vt[:3], atol=2e-4)


def test_one_user_with_one_item_has_a_closed_form():
    """J = w (1-s)² + w0 s² + λu u² + λv v², s = uv, λu = λv = λ: by AM-GM u = v, so s = (w - λ) / (w + w0)."""
    model = fitted([("a", "x")], dim=1, unobserved_weight=0.5, reg=0.1, reg_exponent=1.0, n_epochs=200)
    assert model.score(["a"], ["x"])[0] == pytest.approx((1 - 0.1 * 1.5) / 1.5, rel=1e-5)


@pytest.mark.parametrize("dim", [1, 4, 30])
def test_all_pairs_observed_gives_every_pair_one_score(dim):
    model = fitted(
        checkerboard(12, False) + [(u, i) for u in range(12) for i in range((u + 1) % 2, 12, 2)], dim=dim
    )
    scores = model.user_factors_ @ model.item_factors_.T
    assert scores.min() > 0.8
    assert np.ptp(scores) < 1e-4


def test_events_of_a_pair_are_summed_into_its_weight():
    one = fitted([(0, 0, 2.0), (0, 0, 3.0), (0, 1, 1.0), (1, 0, 1.0)], alpha=0.5, dim=2)
    same = fitted([(0, 0, 5.0), (0, 1, 1.0), (1, 0, 1.0)], alpha=0.5, dim=2)
    other = fitted([(0, 0, 2.0), (0, 1, 1.0), (1, 0, 1.0)], alpha=0.5, dim=2)
    assert_array_equal(one.user_factors_, same.user_factors_)
    assert np.abs(one.user_factors_ - other.user_factors_).max() > 1e-4


def test_alpha_zero_looks_at_no_value():
    rows = random_events()
    valued = [(*row, 1.0 + n % 7) for n, row in enumerate(rows)]
    assert_array_equal(fitted(rows).item_factors_, fitted(valued).item_factors_)


def test_only_positive_ratings_count():
    """positive_from is 4 here: what is rated lower is as if never rated, though it is known to be seen."""
    rows = [(u, i, 5.0) for u, i in random_events()]
    low = [(u, (i + 1) % 30, 2.0) for u, i in random_events(seed=9)]
    with_low = fitted(low + rows, feedback=STARS, users=range(50), items=range(30))
    without = fitted(rows, feedback=STARS, users=range(50), items=range(30))
    assert_array_equal(with_low.item_factors_, without.item_factors_)
    assert with_low.memory_.history.item_idx.size == len(rows) + len(low)


def test_without_a_positive_event_there_is_nothing_to_fit():
    with pytest.raises(DataError, match=r"none of the 2 ratings is positive.*at least 4"):
        fitted([(0, 0, 3.5), (1, 0, 1.0)], feedback=STARS)


def test_users_and_items_without_positives_are_unknown_and_zero():
    model = fitted([(0, 0, 5.0), (0, 1, 4.0), (1, 0, 5.0), (2, 2, 1.0)], feedback=STARS, users=[7], items=[8])
    assert_array_equal(model.known_users_, [True, True, False, False])
    assert_array_equal(model.known_items_, [True, True, False, False])
    assert_array_equal(model.listed_items_, model.known_items_)
    assert not model.user_factors_[2:].any()
    assert not model.item_factors_[2:].any()
    assert set(model.recommend([0, 1], k=4, exclude_seen=False).frame["item_id"]) == {0, 1}
    for user in (2, 7):
        with pytest.raises(UnknownIdError, match=f"what user {user} likes"):
            model.recommend([user])
    with pytest.raises(UnknownIdError, match="item 8"):
        model.score([0], [8])


def test_ids_without_events_change_no_vector():
    """A larger catalogue nobody touched is no more unobserved pairs: those items have no vector."""
    small, large = fitted(), fitted(items=range(1000, 1200))
    assert_array_equal(small.item_factors_, large.item_factors_[:30])


@pytest.mark.parametrize("unobserved", ["all", "complement"])
def test_folding_in_training_users_gives_their_vectors(unobserved):
    model = fitted(unobserved=unobserved, alpha=0.3)
    folded = model.fold_in_users(dataset(random_events()))
    assert_array_equal(folded.vectors, model.user_factors_)
    assert_array_equal(folded.known, model.known_users_)


def test_folding_in_items_is_the_next_half_step_of_the_items():
    data = dataset(random_events())
    model = WALS(6).fit(data, rng=0)
    folded = model.fold_in_items(data)
    by_item = Observed.of(data.interactions.matrix("count")).transposed()
    by_item.weights.data[:] = 1
    assert_array_equal(folded.vectors, half_step(by_item, model.user_factors_, model.loss))
    assert folded.item_ids.to_list() == list(range(30))


def test_a_new_user_gets_what_a_twin_in_training_has():
    model = fitted(checkerboard(), dim=3)
    events = dataset([(100, i) for i in range(2, 40, 2)] + [(200, i) for i in range(3, 40, 2)])
    folded = model.fold_in_users(events)
    before = {name: np.copy(getattr(model, name)) for name in model.FITTED}
    frame = model.recommend(folded, k=1).frame
    assert frame.select("user_id", "item_id").rows() == [(100, 0), (200, 1)]
    assert_allclose(folded.vectors, model.user_factors_[:2], atol=1e-6)
    assert all(np.array_equal(before[name], getattr(model, name)) for name in before)


def test_folded_in_users_with_strange_or_disliked_items_only_are_unknown():
    model = fitted([(0, 0, 5.0), (0, 1, 4.0), (1, 0, 5.0)], feedback=STARS)
    events = dataset([(8, 99, 5.0), (9, 0, 1.0), (10, 1, 5.0)], feedback=STARS)
    folded = model.fold_in_users(events)
    assert_array_equal(folded.known, [False, False, True])
    assert not folded.vectors[:2].any()


def test_a_new_item_is_near_the_items_of_the_same_users():
    model = fitted(checkerboard(), dim=3)
    folded = model.fold_in_items(dataset([(u, "new") for u in range(0, 40, 2)] + [(777, "strange")]))
    assert_array_equal(folded.known, [True, False])
    scores = model.user_factors_ @ folded.vectors[0]
    assert scores[::2].min() > 0.7
    assert np.abs(scores[1::2]).max() < 0.01


def test_what_has_no_vector_says_nothing_when_folded_in():
    """An item only disliked in training, and a user who only dislikes, weigh nothing in the penalty either."""
    rows = [(u, i, 5.0) for u, i in random_events()] + [(0, 99, 1.0), (99, 0, 1.0)]
    model = fitted(rows, feedback=STARS)
    vectors = [
        (
            model.fold_in_users(dataset([(7, 3, 5.0), *also_liked], feedback=STARS)).vectors[0],
            model.fold_in_items(dataset([(3, 7, 5.0), *also_liking], feedback=STARS)).vectors[0],
        )
        for also_liked, also_liking in (((), ()), ([(7, 99, 5.0)], [(99, 7, 5.0)]))
    ]
    assert_array_equal(*vectors)


@pytest.mark.parametrize("fold_in", ["fold_in_users", "fold_in_items"])
def test_fold_in_refuses_values_of_another_meaning(fold_in):
    with pytest.raises(DataError, match=r"ratings.*events"):
        getattr(fitted(), fold_in)(dataset([(0, 0, 5.0)], feedback=STARS))


def test_fit_lowers_the_objective_epoch_by_epoch():
    data = dataset(random_events())
    pairs = Observed.of(data.interactions.matrix("count"))
    pairs.weights.data[:] = 1
    values = []
    for n_epochs in (1, 2, 4, 8):
        model = WALS(6, n_epochs=n_epochs).fit(data, rng=3)
        values.append(objective(pairs, model.user_factors_, model.item_factors_, model.loss))
    assert values == sorted(values, reverse=True)


def test_threads_do_not_matter():
    before, models = threads.num_threads(), []
    try:
        for n in (1, 4):
            threads.set_num_threads(n)
            models.append(fitted(rng=5))
    finally:
        threads.set_num_threads(before)
    assert_array_equal(models[0].user_factors_, models[1].user_factors_)
    assert_array_equal(models[0].item_factors_, models[1].item_factors_)


def test_seed_decides_the_start():
    assert_array_equal(fitted(rng=1).user_factors_, fitted(rng=1).user_factors_)
    assert np.abs(fitted(rng=1).user_factors_ - fitted(rng=2).user_factors_).max() > 1e-3


def test_order_of_events_does_not_matter():
    rows = random_events()
    assert_array_equal(fitted(rows).user_factors_, fitted(rows[::-1]).user_factors_)


def test_saved_and_loaded_it_folds_in_and_recommends_the_same(tmp_path):
    model = fitted(alpha=0.5, unobserved="complement")
    again = load(model.save(tmp_path / "wals"))
    assert again.params() == model.params()
    events = dataset(random_events(seed=4))
    assert_array_equal(again.fold_in_users(events).vectors, model.fold_in_users(events).vectors)
    assert again.recommend([3, 4]).frame.equals(model.recommend([3, 4]).frame)


def test_similar_items_of_the_checkerboard_have_its_colour():
    frame = fitted(checkerboard(), dim=3).similar_items([0, 1], k=19).frame
    assert ((frame["item_id"] - frame["similar_item_id"]) % 2 == 0).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"dim": 0}, "dim must be a whole number of at least 1, got 0"),
        ({"dim": 2.0}, "dim"),
        ({"unobserved_weight": -0.1}, "unobserved_weight must be a number at least 0"),
        ({"reg": np.nan}, "reg must"),
        ({"reg": "0.1"}, "reg must"),
        ({"reg_exponent": np.inf}, "reg_exponent"),
        ({"alpha": True}, "alpha"),
        ({"unobserved": "none"}, "unobserved='none' is not one of all, complement"),
        ({"n_epochs": 0}, "n_epochs"),
        ({"init_std": 0}, "init_std must be a number above 0"),
    ],
)
def test_wrong_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        WALS(**params)


def test_no_penalty_and_too_many_dimensions_is_an_error():
    with pytest.raises(ParameterError, match=r"at position \d+ has no unique solution.*reg"):
        fitted(checkerboard(), dim=50, reg=0.0)
