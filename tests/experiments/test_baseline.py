from experiments.hand_data import dataset

from shortlist.experiments.baseline import popularity_baseline
from shortlist.experiments.popularity_search import best_popularity


def test_the_best_popularity_is_the_baseline(rng):
    events = [
        (user, item, 5.0, 100 * step + user)
        for user in range(12)
        for step, item in enumerate(rng.permutation(9)[:6])
    ]
    data = dataset(events, 12, 9)
    found, expected = popularity_baseline(data, 3), best_popularity(data, k=3)
    assert (found.name, found.note) == (expected.name, None)
    assert found.model.memory_.fingerprint == data.fingerprint


def test_counts_where_nothing_can_be_chosen_and_why():
    found = popularity_baseline(dataset([(0, 0, 5.0), (1, 1, 5.0)], 2, 2))
    assert found.name == "popularity: count"
    assert "no popularity can be chosen" in found.note
    assert found.model.is_fitted
