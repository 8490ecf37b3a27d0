from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from shortlist import threads
from shortlist.errors import ParameterError
from shortlist.metrics import Resampler, intervals, mean_interval, percentile_interval


def test_intervals_cover_the_true_mean_as_often_as_they_say(rng):
    # 4,000 experiments of 150 users; given the shared weights they are independent.
    n_experiments, level = 4000, 0.9
    data = rng.standard_normal((150, n_experiments)) + 3.0
    draws = Resampler(150, 1000, rng=rng).means(data)
    found = [percentile_interval(data[:, i].mean(), draws[:, i], level=level) for i in range(n_experiments)]
    covered = sum(interval.low <= 3.0 <= interval.high for interval in found)
    # The percentile interval of n normal values is mean ± z·s·√((n−1)/n)/√n: a known share, a little under 0.9.
    z = stats.norm.ppf((1 + level) / 2)
    share = 2 * stats.t.cdf(z * np.sqrt(149 / 150), 149) - 1
    spread = np.sqrt(n_experiments * share * (1 - share))
    assert abs(covered - n_experiments * share) < 4 * spread
    too_high = sum(interval.low > 3.0 for interval in found)
    assert abs(too_high - n_experiments * (1 - share) / 2) < 4 * spread


def test_the_draws_are_those_of_all_resamples():
    # With 3 users every one of the 27 ordered resamples is equally likely.
    values = np.array([0.0, 1.0, 5.0])
    exact = [np.mean(chosen) for chosen in product(values, repeat=3)]
    means, expected = np.unique(np.round(exact, 9), return_counts=True)
    n = 20_000
    drawn, counts = np.unique(np.round(Resampler(3, n, rng=5).means(values), 9), return_counts=True)
    assert_array_equal(drawn, means)
    assert stats.chisquare(counts, expected / 27 * n).pvalue > 1e-4


def test_the_bounds_are_quantiles_of_the_draws(rng):
    values, resampler = rng.random(40), Resampler(40, 500, rng=1)
    point, low, high = mean_interval(values, resampler=resampler, level=0.8)
    assert point == values.mean()
    assert_allclose([low, high], np.quantile(resampler.means(values), [0.1, 0.9]), rtol=1e-15)


def test_all_metrics_of_a_comparison_see_the_same_resamples(rng):
    table, resampler = rng.random((30, 4)), Resampler(30, 200, rng=2)
    draws = resampler.means(table)
    for column in range(4):
        assert_allclose(resampler.means(table[:, column]), draws[:, column], rtol=1e-13)
    paired = resampler.means(table[:, 0] - table[:, 1])
    assert_allclose(paired, draws[:, 0] - draws[:, 1], rtol=0, atol=1e-14)


def test_pairing_finds_a_difference_that_the_spread_of_users_hides(rng):
    baseline = rng.normal(0.0, 10.0, 400)
    values = baseline + rng.normal(0.1, 0.1, 400)
    resampler = Resampler(400, 1000, rng=3)
    assert mean_interval(values, baseline, resampler=resampler).low > 0
    assert mean_interval(values, resampler=resampler).low < mean_interval(baseline, resampler=resampler).high


def test_the_same_seed_gives_the_same_draws_and_another_does_not():
    values = np.arange(20.0)
    first = Resampler(20, 100, rng=7).means(values)
    assert_array_equal(Resampler(20, 100, rng=7).means(values), first)
    assert_array_equal(Resampler(20, 100, rng=np.random.default_rng(7)).means(values), first)
    assert (Resampler(20, 100, rng=8).means(values) != first).any()
    fresh = Resampler(20, 100), Resampler(20, 100)
    assert (fresh[0].means(values) != fresh[1].means(values)).any()


def test_draws_depend_neither_on_the_block_nor_on_the_threads(rng, monkeypatch):
    table, resampler = rng.random((50, 3)), Resampler(50, 333, rng=4)
    whole = resampler.means(table)
    monkeypatch.setattr(intervals, "_BLOCK_WEIGHTS", 7 * 50)
    assert_allclose(resampler.means(table), whole, rtol=1e-14)
    monkeypatch.setattr(intervals, "_BLOCK_WEIGHTS", 1)
    assert_allclose(resampler.means(table), whole, rtol=1e-14)
    monkeypatch.undo()
    before = threads.num_threads()
    try:
        threads.set_num_threads(1)
        assert_array_equal(resampler.means(table), whole)
    finally:
        threads.set_num_threads(before)


@given(st.floats(-1e6, 1e6), st.integers(1, 50))
def test_a_constant_has_an_interval_without_width(constant, n):
    point, low, high = mean_interval(np.full(n, constant), resampler=Resampler(n, 50, rng=0))
    assert_allclose([point, low, high], constant, rtol=1e-14)


def test_a_large_common_level_costs_no_digits(rng):
    values, resampler = rng.random(50), Resampler(50, 100, rng=6)
    shifted = np.round(values * 2**20) / 2**20 + 2**30  # exact in float64
    draws = resampler.means(np.round(values * 2**20) / 2**20)
    assert_allclose(resampler.means(shifted) - 2**30, draws, rtol=0, atol=2**-20)


@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.8, 0.99]))
def test_a_higher_level_is_wider(seed, level):
    values = np.random.default_rng(seed).random(10)
    resampler = Resampler(10, 60, rng=0)
    inner = mean_interval(values, resampler=resampler, level=level - 0.1)
    outer = mean_interval(values, resampler=resampler, level=level)
    assert outer.low <= inner.low <= inner.high <= outer.high


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resampler(0), "n_users must be at least 1"),
        (lambda: Resampler(3, 0), "n_bootstrap must be at least 1"),
        (lambda: Resampler(3).means([1.0, 2.0]), "one row for each of 3 users"),
        (lambda: Resampler(3).means([1.0, np.nan, 2.0]), "user row 1 is not finite"),
        (lambda: mean_interval([[1.0], [2.0]], resampler=Resampler(2)), "one value a user"),
        (lambda: mean_interval([1.0, 2.0], [1.0], resampler=Resampler(2)), "one row for each of 2 users"),
        (lambda: percentile_interval(0.0, [1.0], level=0.0), "level"),
        (lambda: percentile_interval(0.0, [1.0], level=1.0), "level"),
        (lambda: percentile_interval(0.0, []), "not empty"),
        (lambda: percentile_interval(0.0, [np.nan]), "finite"),
    ],
)
def test_refuses_what_has_no_interval(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
