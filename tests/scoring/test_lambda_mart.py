"""The learned ranker: it learns what is there, from the past alone, and says what it lacks."""

import builtins

import numpy as np
import pytest
from scoring.learning_data import N_USERS, events, proposing

import shortlist as sl
from shortlist import scorer_training, threads
from shortlist.data.memory import Limits
from shortlist.errors import DataError, MissingExtraError, NotFittedError, ParameterError
from shortlist.metrics.binary import auc
from shortlist.models.bound_stages import bound
from shortlist.registry import class_of
from shortlist.scoring.lambda_mart import LambdaMARTScorer

SMALL: dict = {"n_trees": 40, "min_rows": 5, "n_leaves": 4}


def rows_of_examples(data, *, leaky):
    """The features that a scorer would learn from; `leaky` makes them with a scorer that saw what came after."""
    parts = scorer_training.cut(data)
    pipeline = proposing(scorer_training.Unscored()).fit(parts.train, rng=0)
    found = scorer_training.examples(pipeline, parts, np.random.default_rng(0))
    scorer = bound(LambdaMARTScorer(), data if leaky else parts.train, {})
    return found, scorer.features(found.request, found.candidates).values


def test_it_learns_what_decides():
    fitted = proposing(LambdaMARTScorer(**SMALL)).fit(events(), rng=0)
    scorer = fitted.scorer_
    assert scorer.names_[scorer.trees_.n_splits.argmax()] == "affinity genre"
    other = events(seed=1)
    parts = scorer_training.cut(other)
    found = scorer_training.examples(
        proposing(scorer_training.Unscored()).fit(parts.train, rng=0), parts, np.random.default_rng(0)
    )
    later = bound(LambdaMARTScorer(), parts.train, {})
    later.trees_, later.names_ = scorer.trees_, scorer.names_
    score = later.score(found.request, found.candidates)
    assert auc(found.positive, score) > 0.7
    assert abs(auc(found.positive, found.candidates.source_score[:, 0]) - 0.5) < 0.1


def test_features_of_examples_say_nothing_of_what_came_after():
    """What was taken after the cut is drawn anew: the features stay, but for a scorer that saw it."""
    one = events(late=np.tile([0, 1], (N_USERS, 1)))
    other = events(late=np.tile([2, 3], (N_USERS, 1)))
    found, rows = rows_of_examples(one, leaky=False)
    found_other, rows_other = rows_of_examples(other, leaky=False)
    both = np.intersect1d(found.request.user_idx, found_other.request.user_idx)
    mine, theirs = (
        np.isin(some.request.user_idx[some.candidates.row], both) for some in (found, found_other)
    )
    np.testing.assert_array_equal(rows[mine], rows_other[theirs])
    assert both.size > N_USERS / 2
    _, planted = rows_of_examples(one, leaky=True)
    _, planted_other = rows_of_examples(other, leaky=True)
    assert not np.array_equal(planted[mine], planted_other[theirs], equal_nan=True)


def test_one_person_alone_gets_what_a_batch_gives_and_so_does_what_was_saved():
    data = events()
    fitted = proposing(LambdaMARTScorer(**SMALL)).fit(data, rng=0)
    users = range(N_USERS)
    shown = fitted.recommend(users, 5).frame
    for user in (0, 7, 41):
        assert fitted.recommend([user], 5).frame.equals(shown.filter(user_id=user))
    known = {"FixedVectors": type(fitted.models_[0])}
    again = sl.Pipeline.from_state(fitted.to_state(), lambda name: known.get(name) or class_of(name))
    assert again.recommend(users, 5).frame.equals(shown)


def test_the_same_seed_gives_the_same_trees_on_any_number_of_threads():
    data, before, shown = events(), threads.num_threads(), []
    try:
        for n in (1, 2):
            threads.set_num_threads(n)
            fitted = proposing(LambdaMARTScorer(**SMALL)).fit(data, rng=3)
            shown.append(fitted.recommend(range(N_USERS), 5).frame)
    finally:
        threads.set_num_threads(before)
    assert shown[0].equals(shown[1])


def test_what_is_missing_is_said(monkeypatch):
    data = events()
    with pytest.raises(ParameterError, match="n_leaves must be a whole number of at least 2"):
        LambdaMARTScorer(n_leaves=1)
    scorer = bound(LambdaMARTScorer(), data, {})
    fitted = proposing(scorer_training.Unscored()).fit(data, rng=0)
    request = fitted.memory_.request(np.arange(3, dtype=np.int32), 5, Limits())
    with pytest.raises(NotFittedError, match="has not learned from candidates yet"):
        scorer.score(request, fitted.candidates(request))
    nothing_taken = data.with_interactions(data.interactions.where(data.interactions.user_idx < 3))
    with pytest.raises(DataError, match=r"candidates of \d people who took one to learn from and needs 10"):
        proposing(LambdaMARTScorer()).fit(nothing_taken, rng=0)

    real = builtins.__import__

    def without_lightgbm(name, *rest, **more):
        if name == "lightgbm":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_lightgbm)
    with pytest.raises(MissingExtraError, match=r"pip install 'shortlist\[ranker\]'"):
        proposing(LambdaMARTScorer()).fit(data, rng=0)
