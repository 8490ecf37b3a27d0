"""Labelled candidates against plain sets; nothing of after the moment may be seen in them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from oracles import labelled_candidates as oracle

import shortlist as sl
from shortlist.errors import DataError, ParameterError

DAY = 86_400 * 10**6
START = 1_600_000_000 * 10**6


def purchases(seed=0, m=300, n_users=12, n_items=9, days=60, *, repeats=True):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(0, n_users, m),
            "item_id": rng.integers(0, n_items, m),
            "timestamp": START // 10**6 + rng.integers(0, days * 24, m) * 3600,
        }
    )
    return replace(sl.read(frame, kind="events"), repeats=repeats)


def events_of(data):
    log = data.interactions
    return list(zip(log.user_idx.tolist(), log.item_idx.tolist(), log.timestamp.tolist(), strict=True))


def rows_of(found):
    log = found.dataset.interactions
    return list(zip(log.user_idx.tolist(), log.item_idx.tolist(), log.value.tolist(), strict=True))


@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_all_candidates_are_those_of_plain_sets(seed, repeats):
    data = purchases(seed, m=120)
    now = START + (20 + seed) * DAY
    found = sl.labelled_candidates(data, now, window_days=9, n_negatives=None, repeats=repeats)
    expected = oracle.candidates(events_of(data), now, 9 * DAY, repeats=repeats)
    assert {(user, item): label for user, item, label in rows_of(found)} == expected
    assert len(rows_of(found)) == len(expected) == found.n_candidates
    assert found.n_ones == sum(expected.values())
    assert np.all(found.sampling_rate == 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_context_is_that_of_plain_loops(seed):
    data = purchases(seed)
    now = START + 30 * DAY
    found = sl.labelled_candidates(data, now, window_days=12, n_negatives=None)
    events = events_of(data)
    shown = found.dataset.interactions.context
    assert set(shown["month"]) == {"October"}  # 2020-10-13
    assert set(shown["weekday"]) == {"Tuesday"}
    for (user, item, _), row in zip(rows_of(found), shown.iter_rows(named=True), strict=True):
        expected = oracle.context(events, now, 12 * DAY, user, item)
        assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_nothing_after_the_moment_is_in_the_context():
    data = purchases()
    now = START + 30 * DAY
    log = data.interactions
    later = log.timestamp > now
    moved = replace(log, item_idx=np.where(later, 0, log.item_idx).astype(np.int32))
    ways = (data, data.with_interactions(moved))
    first, second = (sl.labelled_candidates(of, now, window_days=12, n_negatives=None) for of in ways)
    assert first.dataset.interactions.context.equals(second.dataset.interactions.context)
    assert not np.array_equal(first.labels, second.labels)


def test_an_event_at_the_moment_is_past_and_one_at_the_end_is_in_the_window():
    frame = pl.DataFrame(
        {
            "user_id": [1, 2, 1, 2, 1],
            "item_id": [1, 2, 2, 1, 1],
            "timestamp": [0, 10, 10 + 86400, 11 + 86400, 10**6],
        }
    )
    found = sl.labelled_candidates(
        sl.read(frame, kind="events", columns={"timestamp": "timestamp"}), 10 * 10**6, window_days=1, n_negatives=None,
        repeats=True,
    )  # fmt: skip
    ids = found.dataset.users.ids, found.dataset.items.ids
    assert [(ids[0][u], ids[1][i], y) for u, i, y in rows_of(found)] == [
        (1, 1, 0),
        (1, 2, 1),
        (2, 1, 0),
        (2, 2, 0),
    ]


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_negatives_are_kept_at_the_rate_that_is_recorded(exponent):
    data = purchases(1, m=3000, n_users=150, n_items=60, days=60)
    moments = [START + 20 * DAY, START + 40 * DAY]
    settings = {"window_days": 1.5, "popularity_exponent": exponent}
    everything = sl.labelled_candidates(data, moments, n_negatives=None, **settings)
    found = sl.labelled_candidates(data, moments, n_negatives=3.0, rng=0, **settings)
    assert found.n_ones == everything.n_ones
    assert found.n_zeros == pytest.approx(3 * found.n_ones, rel=0.1)
    assert found.n_candidates == everything.n_candidates
    # Weighed by 1/β the rows stand for all candidates, in all and with each item.
    zeros = found.labels == 0
    drawn = np.zeros(len(data.items))
    for seed in range(30):
        again = sl.labelled_candidates(data, moments, n_negatives=3.0, rng=seed, **settings)
        log = again.dataset.interactions
        np.add.at(drawn, log.item_idx, again.weights * (again.labels == 0) / 30)
    expected = np.bincount(
        everything.dataset.interactions.item_idx[everything.labels == 0], minlength=drawn.size
    )
    assert drawn.sum() == pytest.approx(expected.sum(), rel=0.03)
    np.testing.assert_allclose(drawn, expected, rtol=0.35)
    assert (np.ptp(found.sampling_rate[zeros]) < 1e-12) == (exponent == 0)


def test_the_same_seed_draws_the_same_rows():
    data = purchases()
    first, again, other = (
        sl.labelled_candidates(data, START + 30 * DAY, window_days=3, n_negatives=1, rng=seed)
        for seed in (4, 4, 5)
    )
    assert first.dataset.fingerprint == again.dataset.fingerprint != other.dataset.fingerprint


def test_windows_are_told_to_precede_one_another():
    data = purchases()
    early = sl.labelled_candidates(data, START + 10 * DAY, window_days=10, n_negatives=None)
    at_its_end = sl.labelled_candidates(data, START + 20 * DAY, window_days=10, n_negatives=None)
    within = sl.labelled_candidates(data, START + 20 * DAY - 1, window_days=10, n_negatives=None)
    assert early.precedes(at_its_end)
    assert not early.precedes(within)
    assert not at_its_end.precedes(early)
    assert "within 10 days" in early.to_text()


def test_a_model_learns_from_them_and_they_are_corrected():
    data = purchases(2, m=900, n_users=40)
    found = sl.labelled_candidates(data, START + 30 * DAY, window_days=6, n_negatives=2.0, rng=0)
    assert found.dataset.feedback.kind == "binary"
    assert found.probabilities(np.full(found.labels.size, 0.5)).max() < 0.5
    assert np.average(found.labels, weights=found.weights) == pytest.approx(
        found.n_ones / found.n_candidates, rel=0.15
    )


def test_what_cannot_be_labelled_says_why():
    data = purchases()
    for now in (START - DAY, START + 59 * DAY):
        with pytest.raises(DataError, match="not within the data"):
            sl.labelled_candidates(data, now, window_days=9)
    with pytest.raises(ParameterError, match="ask for fewer"):
        sl.labelled_candidates(data, START + 30 * DAY, window_days=9, n_negatives=100)
    with pytest.raises(ParameterError, match="one moment"):
        sl.labelled_candidates(data, [])
    with pytest.raises(ParameterError, match="window_days"):
        sl.labelled_candidates(data, START + 30 * DAY, window_days=0)
    timeless = data.with_interactions(replace(data.interactions, timestamp=None))
    with pytest.raises(DataError, match="need events with times"):
        sl.labelled_candidates(timeless, START)
    with pytest.raises(DataError, match="no candidate"):
        sl.labelled_candidates(data, START + 30 * DAY, window_days=1e-9)
