"""Popularity against sums written out, and the measures of similar items on vectors whose answer is known."""

import math

import numpy as np
import pytest
from contract.random_data import datasets
from fixed_vectors import FixedVectors
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError, ParameterError
from shortlist.models.popularity import DAY


def last_events(log):
    """Return {(user, item): (position, value)} of the last event of each pair."""
    return {
        (u, i): (n, v)
        for n, (u, i, v) in enumerate(
            zip(log.user_idx.tolist(), log.item_idx.tolist(), log.value.tolist(), strict=True)
        )
    }


@given(datasets())
def test_counts_users_with_a_positive_event(dataset):
    log = dataset.interactions
    model = sl.Popularity().fit(dataset)
    for item in range(log.n_items):
        liked_by = {
            int(u)
            for u, i, p in zip(log.user_idx, log.item_idx, log.positive, strict=True)
            if i == item and p
        }
        assert model.item_scores_[item] == len(liked_by)
        assert model.listed_items_[item] == bool(liked_by)


@given(datasets().filter(lambda d: d.interactions.timestamp is not None), st.floats(1e-11, 1e-9))
def test_an_event_loses_half_its_weight_in_a_half_life(dataset, half_life_days):
    log = dataset.interactions
    model = sl.Popularity("decayed", half_life_days=half_life_days).fit(dataset)
    expected = np.zeros(log.n_items)
    for (_, item), (n, _) in last_events(log.where(log.positive)).items():
        age = int(log.timestamp.max()) - int(log.where(log.positive).timestamp[n])
        expected[item] += 2 ** (-(age / DAY) / half_life_days)
    np.testing.assert_allclose(model.item_scores_, expected, rtol=1e-6)


@given(datasets(("ratings",)), st.floats(0, 50))
def test_the_mean_is_shrunk_to_the_global_mean(dataset, shrinkage):
    last = last_events(dataset.interactions)
    overall = math.fsum(v for _, v in last.values()) / len(last)
    model = sl.Popularity("mean", shrinkage=shrinkage).fit(dataset)
    for item in range(dataset.interactions.n_items):
        values = [v for (_, i), (_, v) in last.items() if i == item]
        if values:
            expected = (sum(values) + shrinkage * overall) / (len(values) + shrinkage)
            assert model.item_scores_[item] == pytest.approx(expected, rel=1e-6)
        assert model.listed_items_[item] == bool(values)


def test_decay_without_times_and_wrong_parameters_are_refused():
    log = Interactions.of(
        np.array([0]), np.array([0]), np.array([1.0], np.float32), None, 1, 1, Feedback.events()
    )
    dataset = Dataset(log, Vocabulary.of(["u"]), Vocabulary.of(["i"]))
    with pytest.raises(DataError, match="needs timestamps"):
        sl.Popularity("decayed").fit(dataset)
    with pytest.raises(ParameterError, match="by='fame'"):
        sl.Popularity("fame")
    for value in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ParameterError, match="half_life_days"):
            sl.Popularity(half_life_days=value)
    with pytest.raises(ParameterError, match="no item vectors"):
        sl.Popularity().fit(dataset).similar_items(["i"])


SIDE = 0.1
# Item 0 asks; 1 points the same way but is long, 2 is near and a little turned, 3 is known to nobody.
VECTORS = [[1.0, 0.0], [10.0, 0.0], [1.0, SIDE], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("measure", "order", "scores"),
    [
        ("cosine", [1, 2], [1.0, 1 / math.hypot(1, SIDE)]),
        ("dot", [1, 2], [10.0, 1.0]),
        ("euclidean", [2, 1], [-SIDE, -9.0]),
    ],
)
def test_similar_items_by_each_measure(measure, order, scores):
    log = Interactions.of(
        np.array([0]), np.array([0]), np.array([1.0], np.float32), None, 1, 4, Feedback.events()
    )
    model = FixedVectors([[1, 1]], VECTORS).fit(Dataset(log, Vocabulary.of([7]), Vocabulary.of(range(4))))
    similar = model.similar_items(0, 5, measure=measure)
    assert similar.frame["similar_item_id"].to_list() == order
    np.testing.assert_allclose(similar.frame["score"], scores, rtol=1e-6)
    assert similar.frame["item_id"].to_list() == [0, 0]
    with pytest.raises(sl.errors.UnknownIdError, match="nothing to say about item 3"):
        model.similar_items([3])
    with pytest.raises(ParameterError, match="measure='angle'"):
        model.similar_items([0], measure="angle")
