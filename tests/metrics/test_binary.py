"""AUC and log loss against scikit-learn and by counting pairs, and their bootstrap against rows that are repeated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from shortlist.errors import ParameterError
from shortlist.metrics.binary import (
    auc,
    auc_draws,
    auc_of_users,
    log_loss,
    log_loss_draws,
    unsampled_probability,
)
from shortlist.metrics.intervals import Resampler


def rows(seed, n=60, levels=8):
    """Return labels of both kinds, scores with ties, weights and users."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    users = rng.permutation(np.arange(n) % 7)
    return labels, rng.integers(0, levels, n) / levels, rng.uniform(0.1, 3, n), users


def pairs_won(labels, scores, weights):
    """Return the AUC by counting every pair of a 1 and a 0."""
    won = total = 0.0
    for one in np.flatnonzero(labels == 1):
        for zero in np.flatnonzero(labels == 0):
            weight = weights[one] * weights[zero]
            won += weight * (float(scores[one] > scores[zero]) + 0.5 * float(scores[one] == scores[zero]))
            total += weight
    return won / total


@given(st.integers(0, 2**32 - 1))
def test_auc_counts_pairs(seed):
    labels, scores, weights, _ = rows(seed)
    assert auc(labels, scores, weights) == pytest.approx(pairs_won(labels, scores, weights), rel=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_both_are_scikit_learns(seed):
    labels, scores, weights, _ = rows(seed)
    expected = sklearn_metrics.roc_auc_score(labels, scores, sample_weight=weights)
    assert auc(labels, scores, weights) == pytest.approx(expected, rel=1e-12)
    inside = 0.01 + 0.98 * scores
    expected = sklearn_metrics.log_loss(labels, inside, sample_weight=weights)
    assert log_loss(labels, inside, weights) == pytest.approx(expected, rel=1e-12)


def test_a_draw_is_the_figure_of_the_users_drawn():
    labels, scores, weights, users = rows(3)
    resampler = Resampler(7, 40, rng=1)
    areas = auc_draws(labels, scores, users, resampler=resampler)
    losses = log_loss_draws(labels, scores, users, weights, resampler=resampler)
    drawn = np.concatenate(list(resampler.weights())).astype(int)
    for n, counts in enumerate(drawn):
        again = np.repeat(np.arange(60), counts[users])
        assert areas[n] == pytest.approx(auc(labels[again], scores[again]), rel=1e-12)
        assert losses[n] == pytest.approx(log_loss(labels[again], scores[again], weights[again]), rel=1e-9)


def test_draws_of_two_systems_are_paired():
    labels, scores, _, users = rows(5)
    resampler = Resampler(7, 40, rng=1)
    first, again = (
        auc_draws(labels, values, users, resampler=resampler) for values in (scores, 3 * scores + 1)
    )
    assert np.array_equal(first, again)


def test_the_means_are_those_of_the_weights():
    values = np.random.default_rng(0).normal(size=(7, 2))
    resampler = Resampler(7, 3000, rng=1)
    drawn = np.concatenate(list(resampler.weights()))
    assert drawn.shape == (3000, 7)
    np.testing.assert_allclose(resampler.means(values), drawn @ values / 7, rtol=1e-9, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_auc_within_users_is_that_of_each(seed):
    labels, scores, _, users = rows(seed)
    found, who = auc_of_users(labels, scores, users)
    expected = {
        user: auc(labels[users == user], scores[users == user])
        for user in range(7)
        if 0 < labels[users == user].sum() < (users == user).sum()
    }
    assert who.tolist() == list(expected)
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-12)


def test_a_probability_among_kept_rows_becomes_one_among_all():
    rng = np.random.default_rng(0)
    p, kept = 0.2, 0.05
    label = rng.random(400_000) < p
    row_kept = label | (rng.random(label.size) < kept)
    among_kept = label[row_kept].mean()
    assert among_kept > 0.8
    assert unsampled_probability([among_kept], kept)[0] == pytest.approx(p, abs=0.005)
    assert unsampled_probability([0.0, 1.0, 0.3], [0.1, 0.1, 1.0]).tolist() == [0.0, 1.0, 0.3]


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.2], "needs a 1 and a 0"),
        ([1, 2], [0.1, 0.2], "0 or 1"),
        ([1, 0], [0.1, float("nan")], "finite score"),
        ([1, 0], [0.1], "must be alike"),
        ([], [], "no label"),
    ],
)
def test_what_has_no_auc_is_refused(labels, scores, message):
    with pytest.raises(ParameterError, match=message):
        auc(labels, scores)


def test_what_is_no_probability_is_refused():
    with pytest.raises(ParameterError, match="outside"):
        log_loss([1, 0], [0.5, 1.5])
    with pytest.raises(ParameterError, match="share"):
        unsampled_probability([0.5], 0.0)
    with pytest.raises(ParameterError, match="has no row"):
        log_loss_draws([1, 0], [0.5, 0.5], np.array([0, 0]), resampler=Resampler(2, 5, rng=0))
