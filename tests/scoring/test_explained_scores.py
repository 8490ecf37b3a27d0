"""What a learned score is made of: it adds up, and without what is cited the score falls more than without another."""

import builtins

import numpy as np
import pytest
from scoring.learning_data import N_ITEMS, N_USERS, events, proposing

from shortlist.contributions import ExplainsScores
from shortlist.data.memory import Limits
from shortlist.registry import class_of
from shortlist.scoring.lambda_mart import LambdaMARTScorer
from shortlist.scoring.objective import Objective

# Leaves of many rows, so that trees hold what decides and not noise: with leaves of 5 rows the share below is .84.
SMALL = {"n_trees": 20, "min_rows": 40, "n_leaves": 3, "patience": 0}


@pytest.fixture(scope="module")
def fitted():
    return proposing(Objective(LambdaMARTScorer(**SMALL), "revenue", price="price")).fit(events(), rng=0)


def asked(pipeline, user):
    """The request of one person, their candidates with scores, and where those are that are left."""
    request = pipeline.memory_.request(np.array([user], np.int32), N_ITEMS, Limits())
    candidates = pipeline.candidates(request)
    return request, candidates, np.flatnonzero(candidates.kept)


def test_amounts_and_base_are_the_score(fitted):
    scorer = fitted.scorer_.scorer
    assert isinstance(scorer, ExplainsScores)
    for user in (0, 9, 33):
        request, candidates, at = asked(fitted, user)
        found = scorer.contributions(request, candidates, at)
        total = found.base + found.of_features.sum(axis=1)
        np.testing.assert_allclose(total, scorer.score(request, candidates)[at], atol=1e-6)
        assert found.adds_up
        assert {"your taste in genre", "its popularity", "how high Nearest ranks it"} <= set(found.features)


def test_without_what_is_cited_the_score_falls_more_than_without_another(fitted):
    """Removed is what its features say: each is replaced by those of other candidates, and the scores averaged."""
    scorer, rng, won = fitted.scorer_.scorer, np.random.default_rng(0), []
    everybody = fitted.memory_.request(np.arange(N_USERS, dtype=np.int32), N_ITEMS, Limits())
    candidates = fitted.candidates(everybody)
    rows = scorer.features(everybody, candidates.where(candidates.kept))
    about = np.array(rows.about)
    others = rows.values[rng.integers(0, len(rows.values), 60)]
    for user in range(0, N_USERS, 2):
        request, mine, at = asked(fitted, user)
        best = at[np.argsort(-scorer.score(request, mine)[at], kind="stable")[:3]]
        found = scorer.contributions(request, mine, best)
        own = scorer.features(request, mine.where(mine.kept)).values[np.searchsorted(at, best)]
        for row, amounts in zip(own, found.of_features, strict=True):
            names = list(found.features)
            if amounts.max() <= 0:  # nothing speaks for it
                continue
            cited = names[int(amounts.argmax())]
            another = rng.choice([name for name in names if name != cited])
            left = []
            for name in (cited, another):
                changed = np.repeat(row[None], len(others), axis=0)
                changed[:, about == name] = others[:, about == name]
                left.append(scorer.trees_.scores(changed).mean())
            won.append(left[0] < left[1])
    assert np.mean(won) >= 0.9, np.mean(won)


def test_of_an_objective_an_amount_is_by_how_much_the_value_falls(fitted):
    request, candidates, at = asked(fitted, 5)
    plain, found = (
        some.contributions(request, candidates, at) for some in (fitted.scorer_.scorer, fitted.scorer_)
    )
    assert found.features == [*plain.features, "its price"]
    assert not found.adds_up
    score, worth = fitted.scorer_.scorer.score(request, candidates)[at], fitted.scorer_.worth_
    probability = fitted.scorer_.probability(request, candidates)[at]
    own = worth[candidates.item_idx[at]]
    np.testing.assert_allclose(found.of_features[:, -1], probability * (own - worth.mean()))
    genre = found.features.index("your taste in genre")
    without = fitted.scorer_._likely(score - plain.of_features[:, genre])
    np.testing.assert_allclose(found.of_features[:, genre], (probability - without) * own)


def test_a_saved_scorer_is_asked_and_explained_without_lightgbm(fitted, monkeypatch):
    state = fitted.to_state()
    request, candidates, at = asked(fitted, 7)
    expected = fitted.scorer_.contributions(request, candidates, at).of_features
    real = builtins.__import__

    def without_lightgbm(name, *rest, **more):
        if name == "lightgbm":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_lightgbm)
    known = {"FixedVectors": type(fitted.models_[0])}
    again = type(fitted).from_state(state, lambda name: known.get(name) or class_of(name))
    assert again.recommend(range(N_USERS), 5).frame.equals(fitted.recommend(range(N_USERS), 5).frame)
    np.testing.assert_array_equal(again.scorer_.contributions(request, candidates, at).of_features, expected)
