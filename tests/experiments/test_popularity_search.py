from functools import partial

import pytest
from experiments.hand_data import dataset

from shortlist.data import split
from shortlist.data.feedback import Feedback
from shortlist.errors import DataError, ParameterError
from shortlist.experiments.evaluate import evaluate
from shortlist.experiments.popularity_search import best_half_life, best_popularity
from shortlist.models.popularity import Popularity

N_ITEMS = 12


def fashion(feedback=None):
    """Return data in which everybody likes the item of the day, so that what was liked last is liked next."""
    events = [(u, d, 5, d + u / 100) for d in range(N_ITEMS) for u in range(d % 3, 30, 3 if d % 2 else 1)]
    return dataset(events, 30, N_ITEMS, feedback=feedback)


def evergreen():
    """Return data in which one item is liked by all through all time, and each day has an item few like once."""
    events = [(u, 0, 5, u + 0.5) for u in range(30)]
    events += [(u, 1 + u % (N_ITEMS - 1), 5, u) for u in range(30)]
    return dataset(events, 30, N_ITEMS)


def test_what_was_liked_last_wins_where_fashion_rules():
    found = best_popularity(fashion(), half_lives_days=(0.5, 1000), k=1, split=split.global_time)
    assert (found.model.by, found.half_life_days) == ("decayed", 0.5)
    assert found.name == "popularity: half-life of 0.5 days"


def test_a_count_wins_where_nothing_changes():
    found = best_popularity(
        evergreen(), half_lives_days=(0.01,), k=1, split=partial(split.global_time, fraction=0.4)
    )
    assert found.model.by == "count"
    assert found.half_life_days == float("inf")
    assert found.name == "popularity: count"


def test_the_table_has_what_evaluate_finds_on_the_same_cut():
    data = fashion()
    found = best_popularity(data, half_lives_days=(1, 5), shrinkages=(3,), k=2, split=split.global_time)
    cut = split.global_time(data)
    models = [
        Popularity(),
        *(Popularity("decayed", half_life_days=d) for d in (1, 5)),
        Popularity("mean", shrinkage=3),
    ]
    expected = [evaluate(m.fit(cut.train), *cut, k=2, n_bootstrap=0).result("ndcg").value for m in models]
    assert found.table["ndcg"].to_list() == pytest.approx(expected)
    assert found.table["by"].to_list() == ["count", "decayed", "decayed", "mean"]
    assert found.table["half_life_days"].to_list() == [None, 1.0, 5.0, None]
    assert found.table["shrinkage"].to_list() == [None, None, None, 3.0]
    assert found.validation == cut.description


def test_the_winner_is_fitted_on_all_data_that_was_given():
    data = fashion()
    for search in (best_half_life, best_popularity):
        assert search(data, split=split.global_time).model.memory_.fingerprint == data.fingerprint


def test_the_winner_has_the_largest_ndcg():
    found = best_half_life(fashion(), (0.5, 2, 50, 1000), k=1, split=split.global_time)
    best = found.table.sort("ndcg", descending=True, maintain_order=True)["half_life_days"][0]
    assert found.half_life_days == best


def test_only_the_given_data_is_cut():
    train, test = split.global_time(fashion())
    cuts = []

    def rule(data):
        cuts.append(data)
        return split.global_time(data)

    found = best_half_life(train, split=rule)
    assert cuts == [train]
    assert found.model.memory_.fingerprint == train.fingerprint
    assert test.interactions.timestamp[0] > train.interactions.now


def test_of_equal_half_lives_the_first_wins():
    assert (
        best_half_life(fashion(), (1000, 1000.5, 1001), k=1, split=split.global_time).half_life_days == 1000
    )


def test_events_have_no_mean_to_try():
    assert set(best_popularity(fashion(Feedback.events()), split=split.global_time).table["by"]) == {
        "count",
        "decayed",
    }


def test_without_times_nothing_decays():
    data = dataset([(u, i, 5) for u in range(5) for i in range(8)], 5, 8, timed=False)
    assert set(best_popularity(data).table["by"]) == {"count", "mean"}
    with pytest.raises(DataError, match="needs timestamps"):
        best_half_life(data)


def test_no_half_life_is_refused():
    with pytest.raises(ParameterError, match="at least one"):
        best_half_life(fashion(), ())
    with pytest.raises(ParameterError, match="half_life_days"):
        best_half_life(fashion(), (0,))
    with pytest.raises(ParameterError, match="k must be a whole number of at least 1, got 0"):
        best_popularity(fashion(), k=0)
