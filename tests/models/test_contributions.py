"""What scores are made of, by the history: sums, one item alone, dense oracles, and what is left without an item."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from experiments.hand_data import dataset
from faithfulness import cases_of
from numpy.testing import assert_allclose, assert_array_equal
from oracles import contributions as oracle

import shortlist as sl
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.memory import Limits
from shortlist.errors import ParameterError
from shortlist.models.people import people_of, request_for
from shortlist.models.removal_contributions import MOST_REMOVED

N_USERS, N_ITEMS, N_EVENTS = 30, 16, 260
ALL = Limits(exclude_seen=False)
DAY = 86_400_000_000
FORMS = {
    "WALS": (sl.WALS, {"dim": 6, "n_epochs": 3}),
    "weighted": (
        sl.WALS,
        {
            "dim": 6, "n_epochs": 3, "unobserved": "complement", "alpha": 0.5, "reg": 0.2, "reg_exponent": 0.5,
            "item_weight_exponent": 0.4, "user_weight_exponent": 0.2,
        },
    ),
    "cg": (sl.WALS, {"dim": 6, "n_epochs": 3, "solver": "cg"}),
    "sgd": (sl.WALS, {"dim": 6, "n_epochs": 3, "solver": "sgd"}),
    "gravity": (sl.WALS, {"dim": 6, "n_epochs": 3, "solver": "gravity"}),
    "like others": (sl.WALS, {"dim": 6, "n_epochs": 3, "cold_items_like": "genres"}),
    "ratings": (sl.MatrixFactorization, {"dim": 5, "min_ratings": 1}),
    "adam": (sl.MatrixFactorization, {"dim": 5, "solver": "adam", "n_epochs": 20}),
    "BPR": (sl.BPR, {"dim": 4, "n_epochs": 4, "sampler": "popularity"}),
    "dynamic": (sl.BPR, {"dim": 4, "n_epochs": 4, "sampler": "dynamic"}),
    "PureSVD": (sl.PureSVD, {"dim": 5}),
    "values": (sl.PureSVD, {"dim": 5, "entries": "values", "item_exponent": 0.5}),
    "ItemNeighbors": (sl.ItemNeighbors, {"n_neighbors": 5}),
    "past": (sl.ItemNeighbors, {"n_neighbors": 5, "neighbors_of": "past"}),
    "explicit": (sl.ItemNeighbors, {"feedback": "explicit", "similarity": "pearson", "min_neighbors": 2}),
    "RP3beta": (sl.RP3beta, {"n_neighbors": 6}),
    "EASE": (sl.EASE, {"reg": 5.0, "min_users": 3}),
    "GraphFilter": (sl.GraphFilter, {"dim": 4, "n_neighbors": 6}),
    "linear": (sl.GraphFilter, {"low_pass": 0.0}),
    "BuyAgain": (sl.BuyAgain, {"half_life_days": 40.0}),
    "Popularity": (sl.Popularity, {}),
}  # fmt: skip
REMOVING = {
    "labels": (sl.MatrixFactorization, {"dim": 4, "objective": "binary", "n_epochs": 2}),
    "UserNeighbors": (sl.UserNeighbors, {"n_neighbors": 8}),
    "explicit": (
        sl.UserNeighbors,
        {"n_neighbors": 12, "feedback": "explicit", "similarity": "pearson", "min_neighbors": 2},
    ),
}
# Scores that are nothing but the sum of what each item would score by itself.
LINEAR = (
    "PureSVD",
    "values",
    "ItemNeighbors",
    "past",
    "RP3beta",
    "EASE",
    "GraphFilter",
    "linear",
    "BuyAgain",
)


def events(seed, feedback=None, n_users=N_USERS):
    """Return random events, a good part of them of a pair that has one already; the last items have few."""
    rng = np.random.default_rng(seed)
    item = np.minimum(rng.integers(N_ITEMS, size=N_EVENTS), rng.integers(N_ITEMS, size=N_EVENTS))
    value = rng.integers(0, 2, N_EVENTS) if feedback == Feedback.binary() else rng.integers(1, 6, N_EVENTS)
    rows = list(zip(rng.integers(n_users, size=N_EVENTS), item, value, np.arange(N_EVENTS), strict=True))
    tags = [["Drama", "War"] if i % 3 else ["Comedy"] for i in range(N_ITEMS)]
    return dataset(rows, n_users, N_ITEMS, tags, feedback)


def fitted(form, feedback=None):
    made, parameters = form
    return made(**parameters).fit(events(1, feedback), rng=3)


def feedback_of(name):
    return Feedback.binary() if name == "labels" else None


@pytest.fixture(scope="module", params=FORMS)
def model(request):
    return fitted(FORMS[request.param])


@pytest.fixture(scope="module", params=REMOVING)
def removing(request):
    return fitted(REMOVING[request.param], feedback_of(request.param))


def request_of(model, user, limits=ALL):
    return model.memory_.request(np.array([user], np.int32), N_ITEMS, limits)


def folded_request(model, feedback=None, seed=9):
    """Return the request for the first of some people who are not in the data."""
    people = people_of(events(seed, feedback, 6), None, model.memory_, {})
    return request_for(people, [model], model.memory_, N_ITEMS, ALL, None).rows(np.array([0]))


def shown(model, request):
    """Return the items on the list of the one person, and their scores."""
    lists = model.rank(request)
    return lists.item_idx, lists.score.astype(np.float64)


def total(parts):
    return parts.base + parts.of_past.sum(axis=1) + parts.of_features.sum(axis=1)


def assert_sums(model, request):
    items, score = shown(model, request)
    parts = model.contributions(request, items)
    assert parts.adds_up
    assert_allclose(total(parts), score, rtol=1e-4, atol=1e-4 * np.abs(score).max(initial=1e-3))
    assert_array_equal(np.unique(parts.past_item), np.sort(parts.past_item))
    assert np.isin(parts.past_item, request.history.item_idx).all()
    return items.size


def test_amounts_sum_to_the_score(model):
    asked = [request_of(model, user) for user in range(N_USERS) if model.known_users_[user]]
    asked += [
        request_of(model, user, replace(ALL, at=60 * DAY)) for user in range(6) if model.known_users_[user]
    ]
    assert sum(assert_sums(model, request) for request in asked) > 60


def test_amounts_of_people_folded_in_sum_to_the_score(model):
    if model.folds_in:
        assert assert_sums(model, folded_request(model)) > 0


@pytest.mark.parametrize("name", LINEAR)
def test_what_an_item_adds_is_what_it_scores_alone(name):
    model = fitted(FORMS[name])
    request = request_of(model, int(np.flatnonzero(model.known_users_)[2]))
    items = np.flatnonzero(model.listed_items_).astype(np.int32)
    parts = model.contributions(request, items)
    assert not parts.base.any()
    for column, past in enumerate(parts.past_item):
        alone = replace(request, history=request.history.where(request.history.item_idx == past))
        listed, score = shown(model, alone)
        expected = np.zeros(N_ITEMS)
        expected[listed] = score
        assert_allclose(parts.of_past[:, column], expected[items], rtol=1e-4, atol=1e-6)
    assert parts.past_item.size > 2


def weights_of(model, history):
    """Return the positive items of one history, and what WALS weighs them with: of ratings the last positive counts."""
    liked = history.where(history.positive)
    past = np.unique(liked.item_idx)
    sums = model.memory_.feedback.kind == "events"
    values = [liked.value[liked.item_idx == item] for item in past]
    value = np.array([of_item.sum() if sums else of_item[-1] for of_item in values])
    damped = model.item_counts_[past] ** -model.item_weight_exponent * past.size**-model.user_weight_exponent
    return past, (1 + model.alpha * value) * model.weight_scale_ * damped


def assert_as_pulled(model, request, parts, **features):
    past, weights = weights_of(model, request.history)
    in_fit = model.item_factors_.astype(float) * model.solved_items_[:, None]
    expected, of_features = oracle.wals(
        in_fit, model.item_factors_[parts.item_idx].astype(float), past, weights, w0=model.unobserved_weight,
        complement=model.unobserved == "complement", reg=model.reg, exponent=model.reg_exponent,
        n_items=int(model.solved_items_.sum()), **features,
    )  # fmt: skip
    assert_array_equal(parts.past_item, past)
    assert_allclose(parts.of_past, expected, rtol=1e-3, atol=1e-5)
    assert_allclose(parts.of_features.sum(axis=1), of_features, rtol=1e-2, atol=1e-4)
    assert_allclose(parts.base, 0, atol=1e-4)


@pytest.mark.parametrize("name", ["WALS", "weighted", "like others"])
@pytest.mark.parametrize("feedback", [None, Feedback.events()], ids=["ratings", "events"])
def test_wals_shares_a_score_out_by_what_each_like_pulls(name, feedback):
    model = fitted(FORMS[name], feedback)
    items = np.flatnonzero(model.known_items_).astype(np.int32)
    for request in (request_of(model, 4), folded_request(model, feedback)):
        assert_as_pulled(model, request, model.contributions(request, items))


def test_what_is_known_of_a_person_is_a_feature_of_wals():
    data = events(1)
    places = ["north", "south", None] * (N_USERS // 3)
    table = FeatureTable(
        pl.DataFrame([data.users.ids.rename("id"), pl.Series("place", places)]), {"place": "categorical"}
    )
    parameters = {"dim": 4, "n_epochs": 3, "user_features": True, "reg": 0.05, "feature_weight": 2.0}
    model = sl.WALS(**parameters).fit(replace(data, user_features=table), rng=3)
    items = np.flatnonzero(model.listed_items_).astype(np.int32)
    encoded = np.eye(model.user_feature_factors_.shape[0])
    for user, place in ((3, 0), (4, 1), (5, None)):
        request = request_of(model, user)
        parts = model.contributions(request, items)
        assert_sums(model, request)
        assert list(parts.features) == ([] if place is None else ["place"])
        features = {} if place is None else {
            "Phi": model.user_feature_factors_.astype(float), "w_f": 2.0, "f": encoded[place]
        }  # fmt: skip
        assert_as_pulled(model, request, parts, **features)
    # Of an earlier moment, what came later is of the base and not of the features.
    earlier = request_of(model, 5, replace(ALL, at=120 * DAY))
    parts = model.contributions(earlier, items)
    assert not parts.features
    assert np.abs(parts.base).max() > 1e-3


def test_rating_amounts_are_of_one_rating_at_a_time():
    model = fitted(FORMS["ratings"])
    request, items = request_of(model, 7), np.flatnonzero(model.listed_items_).astype(np.int32)
    parts = model.contributions(request, items)
    own = request.history
    past = np.unique(own.item_idx)
    last = np.array([own.value[own.item_idx == item][-1] for item in past], float)
    expected = oracle.ratings(
        model.item_factors_.astype(float), model.item_offsets_, items, past, last,
        reg=model.reg, bias_reg=model.bias_reg, exponent=model.reg_exponent,
    )  # fmt: skip
    assert_array_equal(parts.past_item, past)
    assert_allclose(parts.of_past, expected, rtol=1e-4, atol=1e-6)
    assert_allclose(
        parts.base, model.item_offsets_[items], rtol=1e-4
    )  # the item's own level, nothing of the person


@pytest.mark.parametrize("name", ["BPR", "dynamic"])
def test_likes_of_bpr_pull_the_vector_where_it_is(name):
    model = fitted(FORMS[name])
    request, items = folded_request(model), np.flatnonzero(model.listed_items_).astype(np.int32)
    parts, u = model.contributions(request, items), model.people_of(request).vectors[0].astype(float)
    others = np.setdiff1d(model.contrast_items_, parts.past_item)
    past = model.memory_.history.where(model.memory_.history.positive)
    pairs = np.unique(past.row * N_ITEMS + past.item_idx)
    likes = np.bincount(pairs % N_ITEMS, minlength=N_ITEMS)[others] if name == "BPR" else None
    expected = oracle.pairwise(
        model.item_factors_.astype(float), model.item_offsets_, items, parts.past_item, others, u,
        reg=model.user_reg, likes=likes, n_draws=model._candidates,
    )  # fmt: skip
    assert_allclose(parts.of_past, expected, rtol=1e-3, atol=1e-4)
    if name == "BPR":  # the gradient vanishes, so nothing is left over; of weights by rank it need not
        assert_allclose(parts.base, model.item_offsets_[items], atol=1e-3)


def left_over(model, request, past, items, feedback):
    """Return the scores of items without the events of `past`, by the people and lists that everybody can ask for."""
    kept = request.history.where(request.history.item_idx != past)
    rows = [(0, i, v, t / DAY) for i, v, t in zip(kept.item_idx, kept.value, kept.timestamp, strict=True)]
    people = dataset(rows, 1, N_ITEMS, feedback=feedback or Feedback.ratings(1, 5))
    if isinstance(model, sl.UserNeighbors):  # the person is not to find themselves
        people = replace(people, users=model.memory_.users.__class__.of(model.memory_.users.ids[4:5]))
    lists = model.recommend(model.fold_in_users(people), N_ITEMS, exclude_seen=False).lists
    score = np.full(N_ITEMS, np.nan)
    score[lists.item_idx] = lists.score
    return score[items]


@pytest.mark.parametrize("name", REMOVING)
def test_amounts_by_removal_are_those_of_scoring_without(name):
    feedback = feedback_of(name)
    model = fitted(REMOVING[name], feedback)
    request, items = request_of(model, 4), np.flatnonzero(model.listed_items_).astype(np.int32)
    parts = model.contributions(request, items)
    assert not parts.adds_up
    assert not parts.base.any()
    whole = left_over(model, request, -1, items, feedback)
    for column, past in enumerate(parts.past_item):
        fall = whole - left_over(model, request, past, items, feedback)
        compared = np.isfinite(
            fall
        )  # both on the list: of the others the score is no longer one of a neighbourhood
        assert_allclose(parts.of_past[compared, column], fall[compared], rtol=1e-4, atol=2e-5)
        assert compared.sum() > 2
    assert parts.past_item.size > 2


def test_what_is_left_out_are_the_latest_items(rng):
    rows = [(u, i, 5.0) for u in range(6) for i in rng.permutation(80)[: 70 - u]]
    model = sl.UserNeighbors().fit(dataset(rows, 6, 80))
    request = request_of(model, 0)
    parts = model.contributions(request, np.array([1, 2], np.int32))
    assert_array_equal(parts.past_item, np.sort(request.history.item_idx[-MOST_REMOVED:]))


def test_a_past_speaks_for_itself_alone_and_popularity_for_nobody():
    again, popular = fitted(FORMS["BuyAgain"]), fitted(FORMS["Popularity"])
    request = request_of(again, 3)
    items, score = shown(again, request)
    parts = again.contributions(request, items)
    assert_allclose(parts.of_past[np.arange(items.size), np.searchsorted(parts.past_item, items)], score)
    assert np.count_nonzero(parts.of_past) == items.size
    of_item = popular.contributions(request, items)
    assert (of_item.features, of_item.past_item.size) == (("popularity",), 0)


def test_who_is_not_known_and_who_is_many_have_none():
    model = fitted(FORMS["EASE"])
    stranger = model.memory_.request(np.array([-1], np.int32), 3, ALL)
    assert model.contributions(stranger, np.array([1], np.int32)) is None
    two = model.memory_.request(np.array([0, 1], np.int32), 3, ALL)
    with pytest.raises(ParameterError, match="one person"):
        model.contributions(two, np.array([1], np.int32))


def assert_silent(model):
    request = request_of(model, int(np.flatnonzero(model.known_users_)[0]), replace(ALL, at=-DAY))
    parts = model.contributions(request, np.array([3, 1], np.int32))
    assert request.history.item_idx.size == 0
    assert parts.of_past.shape == (2, 0)
    assert np.isfinite(total(parts)).all()


def test_before_the_first_event_no_item_of_the_past_says_anything(model):
    assert_silent(model)


def test_before_the_first_event_nothing_can_be_left_out(removing):
    assert_silent(removing)


def test_an_item_asked_for_twice_has_its_amounts_twice(model):
    request = request_of(model, 4)
    items = shown(model, request)[0][[1, 0, 1]]
    parts = model.contributions(request, items)
    assert_array_equal(total(parts)[0], total(parts)[2])
    assert_array_equal(parts.of_past[0], parts.of_past[2])


@pytest.fixture(scope="module")
def films():
    return sl.datasets.movielens_small()


FAITHFUL = {
    "WALS": (sl.WALS(16, n_epochs=4), False),
    "MatrixFactorization": (sl.MatrixFactorization(8, n_epochs=2), True),
    "RP3beta": (sl.RP3beta(), False),
}


@pytest.mark.parametrize("name", FAITHFUL)
def test_without_the_cited_item_a_score_falls_by_more(films, name, rng):
    model, rated = FAITHFUL[name]
    model.fit(films, rng=0)
    cases = cases_of(model, rng.choice(610, 30, replace=False).astype(np.int32), 4, rng, rated=rated)
    assert cases.faithful.mean() >= 0.9
    assert cases.faithful.size > 100


def test_the_harness_sees_that_a_wrong_item_is_cited(films, rng):
    def turned(model, request, items):
        parts = model.contributions(request, items)
        return replace(parts, of_past=parts.of_past.max() - parts.of_past)

    users = rng.choice(610, 10, replace=False).astype(np.int32)
    cases = cases_of(sl.RP3beta().fit(films), users, 4, rng, explain=turned)
    assert cases.faithful.mean() < 0.1
