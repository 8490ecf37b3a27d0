"""A mean that merely leaves the row's own value out is caught; features out of fold and from earlier events pass."""

import numpy as np
import pytest
from data.test_derived_features import DAY

import shortlist as sl
from shortlist.data.derived_features import DerivedFeatures
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.leak_check import leak_check
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ParameterError

MEANS = DerivedFeatures(["mean", "count"])


@pytest.fixture(scope="module")
def data():
    """Return ratings of 50 people with 20 to 100 events each, whose means differ; half of a rating is chance."""
    rng = np.random.default_rng(4)
    n_users, n_items = 50, 40
    user = np.repeat(np.arange(n_users), rng.integers(20, 100, n_users))
    item = rng.integers(0, n_items, user.size)
    value = (
        3
        + rng.normal(0, 0.5, n_users)[user]
        + rng.normal(0, 0.3, n_items)[item]
        + rng.normal(0, 0.7, user.size)
    )
    value = np.clip(np.round(2 * value) / 2, 0.5, 5).astype(np.float32)
    time = rng.integers(0, 1000, user.size) * DAY
    log = Interactions.of(user, item, value, time, n_users, n_items, Feedback.ratings(0.5, 5))
    return sl.Dataset(log, *(Vocabulary.of(list(range(n))) for n in (n_users, n_items)))


def served(train, test):
    return MEANS.of_others(train, test).values


def leave_one_out(train):
    """Return the user's mean and count without the row itself, beside the item's out of fold."""
    log, rows = train.interactions, MEANS.out_of_fold(train, rng=0)
    total, count = (np.bincount(log.user_idx, weight) for weight in (log.value, np.ones(len(log))))
    values = rows.values.copy()
    values[:, rows.names.index("user_mean")] = (total[log.user_idx] - log.value) / (count[log.user_idx] - 1)
    values[:, rows.names.index("user_count")] = count[log.user_idx]
    return values


def test_a_mean_without_the_row_itself_is_caught(data):
    found = leak_check(data, leave_one_out, served, rng=0)
    assert found.leaks
    assert found.seeming_rmse < 0.85 * found.real_rmse


@pytest.mark.parametrize("way", ["out_of_fold", "earlier"])
def test_the_two_ways_there_are_pass(data, way):
    def rows(train):
        return (MEANS.out_of_fold(train, rng=0) if way == "out_of_fold" else MEANS.earlier(train)).values

    found = leak_check(data, rows, served, rng=0)
    assert not found.leaks
    assert found.seeming_rmse == pytest.approx(found.real_rmse, rel=0.05)


def test_the_same_seed_gives_the_same_answer(data):
    small = data.with_interactions(data.interactions.take(np.arange(100)))
    one, same = (leak_check(small, lambda part: MEANS.earlier(part).values, served, rng=3) for _ in range(2))
    assert one == same


def test_a_tolerance_that_is_none_is_refused(data):
    with pytest.raises(ParameterError, match="tolerance must be a number"):
        leak_check(data, leave_one_out, served, tolerance=-1)
