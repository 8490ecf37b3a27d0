"""Scores changed after scoring: by how much, for which items, and what cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from reranking.test_select import N_ITEMS, N_USERS, K, catalogue, pipeline

from shortlist.data.feature_arrays import NEVER
from shortlist.data.memory import Limits
from shortlist.errors import DataError, ParameterError
from shortlist.reranking.boost import Boost
from shortlist.reranking.freshness import Freshness

DAY = 86_400_000_000


def before_and_after(seed, step, at=None):
    data = catalogue(seed)
    fitted = pipeline(seed, step).fit(data)
    limits = Limits(exclude_seen=False) if at is None else Limits(exclude_seen=False, at=at)
    request = fitted.memory_.request(np.arange(N_USERS, dtype=np.int32), K, limits)
    candidates = fitted.candidates(request)
    before = candidates.step_score[:, 0].astype(float)
    spread = np.array([np.ptp(before[candidates.row == user]) for user in range(N_USERS)])
    return data, fitted, request, candidates, before, spread[candidates.row]


def test_freshness_adds_a_share_of_the_spread_that_halves():
    data, _, request, candidates, before, spread = before_and_after(0, Freshness(30.0, 0.5))
    log = data.interactions
    first = np.full(N_ITEMS, NEVER)
    np.minimum.at(first, log.item_idx, log.timestamp)
    since = first[candidates.item_idx]
    age = (request.now - since) / DAY
    share = np.where(since == NEVER, 0.0, 0.5 ** (np.where(since == NEVER, 0, age) / 30))
    np.testing.assert_allclose(candidates.score, before + 0.5 * spread * share, rtol=1e-5, atol=1e-6)
    assert (share > 0).any()
    assert (share == 0).any()


def test_what_is_not_out_yet_counts_as_new():
    *_, candidates, before, spread = before_and_after(0, Freshness(30.0, 0.5), at=0)
    known = candidates.score != before.astype(np.float32)
    assert known.any()
    np.testing.assert_allclose(candidates.score[known], (before + 0.5 * spread)[known], rtol=1e-5)


def test_a_boost_adds_its_amount_of_the_spread_for_each_label():
    data, _, _, candidates, before, spread = before_and_after(1, Boost("genres", {"a": 0.5, "b": -0.25}))
    tags = data.item_features.frame["genres"].to_list()
    amount = np.array([0.5 * ("a" in own) - 0.25 * ("b" in own) for own in tags])
    np.testing.assert_allclose(
        candidates.score, before + spread * amount[candidates.item_idx], rtol=1e-5, atol=1e-6
    )


def test_the_trace_names_a_boost_as_it_is_called():
    fitted = pipeline(1, Boost("maker", {"x": 0.5}, name="own brand")).fit(catalogue(1))
    assert "score after own brand" in fitted.recommend([0, 1, 2, 3], K, on_unknown="skip").trace(1).columns


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ParameterError, match=r"amounts\['a'\] must be a finite number, got inf"):
        Boost("genres", {"a": float("inf")})
    with pytest.raises(ParameterError, match="names no label"):
        Boost("genres", {})
    with pytest.raises(ParameterError, match="no item has maker 'w'; there are 'x', 'y', 'z'"):
        pipeline(0, Boost("maker", {"w": 1})).fit(catalogue(0))
    with pytest.raises(ParameterError, match="half_life_days must be a number above 0"):
        Freshness(0)
    data = catalogue(0)
    timeless = data.with_interactions(replace(data.interactions, timestamp=None))
    with pytest.raises(DataError, match="Freshness needs timestamps"):
        pipeline(0, Freshness()).fit(timeless)
