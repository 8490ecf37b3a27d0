"""What a list is ranked for: the probability comes true, worth multiplies it, and it is said."""

import numpy as np
import pytest
from scoring.learning_data import N_ITEMS, N_USERS, PRICE, events, proposing

import shortlist as sl
from shortlist import scorer_training
from shortlist.data.memory import Limits
from shortlist.errors import DataError, NotFittedError, ParameterError
from shortlist.metrics.reliability import expected_calibration_error
from shortlist.models.bound_stages import bound
from shortlist.registry import class_of
from shortlist.scoring.lambda_mart import LambdaMARTScorer
from shortlist.scoring.objective import Objective

SMALL = {"n_trees": 20, "min_rows": 5, "n_leaves": 4}


def scored(pipeline):
    """The candidates of all users, with their scores."""
    users = np.arange(N_USERS, dtype=np.int32)
    return pipeline.candidates(pipeline.memory_.request(users, N_ITEMS, Limits()))


def test_probabilities_come_true():
    data = events()
    fitted = proposing(Objective(LambdaMARTScorer(**SMALL))).fit(data, rng=0)
    parts = scorer_training.cut(events(seed=5))
    other = proposing(scorer_training.Unscored()).fit(parts.train, rng=0)
    found = scorer_training.examples(other, parts, np.random.default_rng(0))
    # The same world, other people: the trees go by the genres of what they had.
    scorer = bound(fitted.scorer, parts.train, {})
    scorer.curves_ = fitted.scorer_.curves_
    scorer.scorer.trees_, scorer.scorer.names_ = fitted.scorer_.scorer.trees_, fitted.scorer_.scorer.names_
    probability = scorer.probability(found.request, found.candidates)
    # Each half's trees know less than those of all, so the curve is a little too flat with so few people.
    assert expected_calibration_error(found.positive, probability, 5) < 0.1
    assert probability.mean() == pytest.approx(found.positive.mean(), abs=0.02)
    assert np.std(probability) > 0.03


def half_come_back(seed):
    """A world of whom every other person has no event in the last 20 days."""
    data = events(seed)
    log = data.interactions
    return data.with_interactions(log.where((log.user_idx % 2 == 0) | (log.timestamp < 8 * 10**12)))


@pytest.mark.parametrize("curve", ["platt", "isotonic"])
def test_probabilities_count_those_who_take_nothing(curve):
    objective = Objective(LambdaMARTScorer(**SMALL), "purchase", window_days=20, curve=curve)
    fitted = proposing(objective).fit(half_come_back(0), rng=0)
    parts = scorer_training.cut(half_come_back(5), 20)
    other = proposing(scorer_training.Unscored()).fit(parts.train, rng=0)
    rng = np.random.default_rng(0)
    found = scorer_training.examples(other, parts, rng, absent_too=True)
    assert found.took.mean() == 0.5
    scorer = bound(fitted.scorer, parts.train, {})
    scorer.curves_ = fitted.scorer_.curves_
    scorer.scorer.trees_, scorer.scorer.names_ = fitted.scorer_.scorer.trees_, fitted.scorer_.scorer.names_
    probability = scorer.probability(found.request, found.candidates)
    assert probability.mean() == pytest.approx(found.positive.mean(), rel=0.2)
    assert expected_calibration_error(found.positive, probability, 5) < 0.05
    # Of those who came back alone, twice as much would be true.
    came = found.of(found.took)
    assert came.positive.mean() == pytest.approx(2 * found.positive.mean(), rel=0.05)
    # Few are drawn, and stand for the others.
    drawn = scorer_training.examples(other, parts, rng, absent_too=True, most_users=20)
    assert drawn.weight.tolist() == [1.5] * 40
    assert drawn.took.sum() == 20


def test_worth_multiplies_the_probability():
    data = events()
    likely = scored(proposing(Objective(LambdaMARTScorer(**SMALL), "purchase")).fit(data, rng=0))
    revenue = scored(
        proposing(Objective(LambdaMARTScorer(**SMALL), "revenue", price="price")).fit(data, rng=0)
    )
    np.testing.assert_array_equal(likely.item_idx, revenue.item_idx)
    kept = likely.kept
    np.testing.assert_allclose(
        revenue.score[kept], likely.score[kept] * PRICE[likely.item_idx[kept]], rtol=1e-5
    )


def test_the_objective_is_said_in_the_answer_and_the_trace():
    fitted = proposing(Objective(LambdaMARTScorer(**SMALL), "revenue", price="price")).fit(events(), rng=0)
    shown = fitted.recommend([3], 4)
    assert shown.objective == "expected revenue: probability of a purchase × price"


def test_an_item_without_a_price_is_removed_and_a_price_that_is_none_refused():
    unknown = PRICE.copy()
    unknown[4] = np.nan
    fitted = proposing(Objective(LambdaMARTScorer(**SMALL), "revenue", price="price")).fit(
        events(price=unknown), rng=0
    )
    candidates = scored(fitted)
    of_item = candidates.item_idx == 4
    assert not candidates.kept[of_item].any()
    assert "no score from revenue" in candidates.rules
    for wrong in (-1.0, np.inf):
        price = PRICE.copy()
        price[7] = wrong
        with pytest.raises(
            DataError, match=rf"price of item 7 \(row 7\) is {wrong:g}; it must be finite and at least 0"
        ):
            proposing(Objective(LambdaMARTScorer(**SMALL), "revenue", price="price")).fit(
                events(price=price), rng=0
            )


def test_a_staircase_keeps_the_order_of_the_scores():
    data = events()
    plain = scored(proposing(LambdaMARTScorer(**SMALL)).fit(data, rng=0))
    for curve in ("platt", "isotonic"):
        pipeline = proposing(Objective(LambdaMARTScorer(**SMALL), curve=curve)).fit(data, rng=0)
        raw = pipeline.scorer_.scorer.score(
            pipeline.memory_.request(np.arange(N_USERS, dtype=np.int32), N_ITEMS, Limits()), plain
        )
        ours = scored(pipeline).score
        for user in range(0, N_USERS, 9):
            mine = (plain.row == user) & plain.kept
            assert (np.diff(ours[mine][np.argsort(raw[mine], kind="stable")]) >= -1e-9).all()


def test_a_plain_model_can_be_ranked_for_an_objective_and_saved():
    likes = sl.Popularity()
    data = events()
    pipeline = sl.Pipeline(
        [sl.Nearest(likes, k=N_ITEMS)], Objective(sl.ModelScorer(likes), "probability")
    ).fit(data, rng=0)
    again = sl.Pipeline.from_state(pipeline.to_state(), class_of)
    assert again.recommend(range(N_USERS), 5).frame.equals(pipeline.recommend(range(N_USERS), 5).frame)
    assert (pipeline.recommend([0], 5).frame["score"] < 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "revenue"}, "the objective 'revenue' needs price="),
        ({"kind": "profit", "price": "price"}, "the objective 'profit' needs margin="),
        ({"kind": "purchase", "price": "price"}, "the objective 'purchase' goes by no price="),
        ({"kind": "fame"}, "kind='fame' is not one of"),
        ({"curve": "beta"}, "curve='beta' is not one of platt, isotonic"),
        ({"window_days": 0}, "window_days must be a number above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Objective(LambdaMARTScorer(), **arguments)


def test_before_it_has_learned_it_says_so():
    data = events()
    scorer = bound(Objective(LambdaMARTScorer()), data, {})
    unscored = proposing(scorer_training.Unscored()).fit(data, rng=0)
    request = unscored.memory_.request(np.arange(2, dtype=np.int32), 5, Limits())
    with pytest.raises(NotFittedError, match="has not learned from candidates yet"):
        scorer.score(request, unscored.candidates(request))
