import numpy as np
import polars as pl
import pytest
from models.test_feature_mapping import world
from oracles import evaluation as oracle

import shortlist as sl
from shortlist.errors import DataError, ParameterError


@pytest.fixture(scope="module")
def parts():
    return sl.split.hide(world(60, 40, seed=3)[0], 0.2, 0.3, 0.2, rng=0)


@pytest.fixture(scope="module")
def models(parts):
    made = {
        "map": sl.FeatureMapping({"taste": sl.WALS(dim=4)}),
        "content": sl.ContentBased(["genres"]),
        "popular": sl.Popularity(),
    }
    return {name: model.fit(parts.train, rng=0) for name, model in made.items()}


def liked_of_cold(parts):
    """Return user → the cold items that they like in the test part, by id."""
    log, data = parts.test.interactions, parts.test
    trained = set(parts.train.interactions.item_idx.tolist())
    found = {}
    for user, item, value in zip(log.user_idx, log.item_idx, log.value, strict=True):
        if value >= 4 and item not in trained:
            found.setdefault(data.users.ids[int(user)], set()).add(data.items.ids[int(item)])
    return found


@pytest.mark.parametrize("name", ["map", "content"])
def test_cold_candidates_agree_with_the_definitions(parts, models, name):
    found = sl.evaluate(models[name], *parts, k=3, candidates="cold", n_bootstrap=0)
    trained = set(parts.train.interactions.item_idx.tolist())
    cold = [item for at, item in enumerate(parts.train.items.ids.to_list()) if at not in trained]
    expected = []
    for user, liked in liked_of_cold(parts).items():
        shown = (
            models[name].recommend([user], 3, items=cold, on_unknown="fallback").frame["item_id"].to_list()
        )
        expected.append(oracle.ranking(shown, liked, 3)["ndcg"])
    assert found.result("ndcg").value == pytest.approx(np.mean(expected))
    assert found.result("ndcg").n_users == len(expected)
    assert any("without a training event" in note for note in found.notes)
    shown = found.result("catalogue_coverage").value * len(cold)
    assert shown == pytest.approx(round(shown))


def test_models_are_compared_on_cold_items(parts, models):
    found = sl.evaluate(models, *parts, k=3, candidates="cold", baseline="popular")
    # Nobody has them, so popularity has nothing to show.
    assert found.result("ndcg", "popular").value == 0
    assert found.model_counts["popular"]["short"] == found.counts["users_evaluated"]
    assert found.result("ndcg", "map", "warm users").is_significant


def test_cold_items_are_a_segment_of_the_whole_catalogue(parts, models):
    found = sl.evaluate(models, *parts, k=20, n_bootstrap=0)
    recall = {name: found.result("recall", name, "cold items").value for name in models}
    assert recall["map"] > recall["popular"] == 0


def test_all_items_are_the_default(parts, models):
    both = [
        sl.evaluate(models["map"], *parts, n_bootstrap=0, **given) for given in ({}, {"candidates": "all"})
    ]
    assert both[0].frame.equals(both[1].frame)
    assert not any("without a training event" in note for note in both[0].notes)


def test_data_without_cold_items_is_refused():
    rows = [(user, item, 5) for user in range(4) for item in range(4)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "value"], orient="row")
    parts = sl.split.leave_last_out(sl.read(frame, kind="ratings", scale=(1, 5)), n=1)
    popular = sl.Popularity().fit(parts.train)
    assert parts.train.interactions.item_idx.max() == 2  # the last item of everybody is in the test part
    assert sl.evaluate(popular, *parts, candidates="cold", n_bootstrap=0).result("ndcg").value == 0
    everything = sl.split.random(sl.read(frame, kind="ratings", scale=(1, 5)), 0.1, rng=0)
    with pytest.raises(DataError, match="every item of the data has a training event"):
        sl.evaluate(sl.Popularity().fit(everything.train), *everything, candidates="cold")


def test_another_word_is_refused(parts, models):
    with pytest.raises(ParameterError, match="candidates='warm' is not one of all, cold"):
        sl.evaluate(models["map"], *parts, candidates="warm")
