"""Vectors of fresh items from the mean of what is like them, by hand and on the lists of a model."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from models.test_side_features import board, described, table
from models.test_wals import dataset, random_events
from numpy.testing import assert_allclose, assert_array_equal

import shortlist as sl
from shortlist.data.features import FeatureTable
from shortlist.errors import DataError, ParameterError
from shortlist.models.group_means import GroupMeans, Groups
from shortlist.models.wals import WALS
from shortlist.registry import load


def tags(**of_item):
    """Return a feature table of tags, one row an item."""
    frame = pl.DataFrame(
        {"id": list(of_item), "tags": list(of_item.values())}, schema_overrides={"tags": pl.List(pl.String)}
    )
    return FeatureTable(frame, {"tags": "tags"})


VECTORS = np.array([[1, 0], [3, 2], [0, 8], [50, 50]], np.float32)


def test_means_equal_those_by_hand():
    """a: of x and y, (2, 1); b: of y and z, (1.5, 5); c is of w alone, which does not count."""
    groups = Groups.of(tags(x=["a"], y=["a", "b"], z=["b"], w=["c"]), "tags")
    means = groups.means(VECTORS, np.array([True, True, True, False]))
    assert means.labels == ["a", "b"]
    assert_array_equal(means.vectors, [[2, 1], [1.5, 5]])


def test_a_row_gets_the_mean_of_the_means_of_its_labels():
    means = GroupMeans(["a", "b"], np.array([[2, 1], [1.5, 5]], np.float32))
    fresh = tags(one=["b"], both=["a", "b"], partly=["a", "new"], strange=["new"], none=[], missing=None)
    vectors, known = means.vectors_of(Groups.of(fresh, "tags"))
    assert_array_equal(vectors[:3], [[1.5, 5], [1.75, 3], [2, 1]])
    assert_array_equal(known, [True, True, True, False, False, False])
    assert not vectors[3:].any()


def test_an_item_nobody_touched_stands_at_the_mean_of_its_label():
    data = described(*board())  # items 40 to 43 have no events
    plain, model = WALS(4).fit(data, rng=0), WALS(4, cold_items_like="genre").fit(data, rng=0)
    assert_array_equal(model.item_factors_[:40], plain.item_factors_[:40])
    assert_array_equal(model.user_factors_, plain.user_factors_)
    for item, like in ((40, slice(0, 40, 2)), (41, slice(1, 40, 2))):
        assert_allclose(
            model.item_factors_[item], plain.item_factors_[like].mean(axis=0), rtol=1e-5, atol=1e-7
        )
    assert model.known_items_.all()
    assert_array_equal(model.listed_items_, model.known_items_)
    assert not plain.known_items_[40:].any()


def test_it_is_scored_at_the_mean_of_what_is_like_it_and_may_be_listed():
    model = WALS(4, cold_items_like="genre").fit(described(*board()), rng=0)
    for user in (0, 1):
        like = list(range(user, 40, 2))
        assert model.score([user], [40 + user])[0] == pytest.approx(
            model.score([user] * 20, like).mean(), rel=1e-5
        )
    shown = model.recommend([0, 1], k=3).frame
    assert set(shown.filter(pl.col("user_id") == 0)["item_id"]) == {0, 40, 42}
    assert set(shown.filter(pl.col("user_id") == 1)["item_id"]) == {1, 41, 43}
    assert set(model.similar_items([40], k=19).frame["similar_item_id"] % 2) == {0}


def test_a_pipeline_lists_it_too():
    model = WALS(4, cold_items_like="genre")
    pipeline = sl.Pipeline([sl.Nearest(model, k=5)], sl.ModelScorer(model)).fit(described(*board()), rng=0)
    assert set(pipeline.recommend([0], k=3).frame["item_id"]) == {0, 40, 42}


def test_an_item_of_no_known_label_stays_unknown():
    data = described(genres={i: "even" if i < 30 else ["odd", None][i % 2] for i in range(40)})
    model = WALS(4, cold_items_like="genre").fit(data, rng=0)
    assert_array_equal(np.flatnonzero(~model.known_items_), np.arange(30, 40))


def test_events_with_items_at_a_mean_say_nothing_when_folded_in():
    model = WALS(4, cold_items_like="genre").fit(described(*board()), rng=0)
    folded = model.fold_in_users(dataset([(100, 2), (100, 4), (101, 2), (101, 4), (101, 40), (102, 40)]))
    assert_array_equal(folded.known, [True, True, False])
    assert_array_equal(folded.vectors[0], folded.vectors[1])


@pytest.mark.parametrize("cold_items_like", [None, "genre"])
def test_folding_in_training_people_gives_their_vectors_all_the_same(cold_items_like):
    data = described(*board())
    model = WALS(4, cold_items_like=cold_items_like).fit(data, rng=0)
    assert_array_equal(model.fold_in_users(data).vectors, model.user_factors_)


def test_fresh_items_outside_the_catalogue_get_the_same_vector(tmp_path):
    data = described(*board())
    model = load(WALS(4, cold_items_like="genre").fit(data, rng=0).save(tmp_path / "wals"))
    fresh = table({"new": "even", "strange": "neither"}, "genre")
    found = model.item_vectors_like("genre", fresh)
    assert_array_equal(found.vectors[0], model.item_factors_[40])
    assert found.item_ids.to_list() == ["new", "strange"]
    assert_array_equal(found.known, [True, False])
    given = WALS(4).fit(data, rng=0).item_vectors_like("genre", fresh, catalogue=data.item_features)
    assert_array_equal(given.vectors, found.vectors)


def test_a_refit_solves_an_item_that_was_at_a_mean_once_it_has_events():
    rows, countries, genres = board()
    start = WALS(4, cold_items_like="genre").fit(described(rows, countries, genres), rng=0)
    grown = described([*rows, (0, 40), (2, 40)], countries, genres)
    model = WALS(4, cold_items_like="genre").fit(grown, start=start)
    assert model.solved_items_[40]
    assert not model.solved_items_[42]


def test_what_cannot_be_used_is_told():
    with pytest.raises(ParameterError, match="cold_items_like must name a column or be None, got 3"):
        WALS(cold_items_like=3)
    with pytest.raises(DataError, match="no item features, so no 'genre'"):
        WALS(cold_items_like="genre").fit(dataset(random_events()))
    with pytest.raises(ParameterError, match="no tags or categorical feature 'maker'; there are: genre"):
        WALS(cold_items_like="maker").fit(described())
    model = WALS(2, n_epochs=1).fit(described())
    with pytest.raises(ParameterError, match="keeps no means of 'genre'"):
        model.item_vectors_like("genre", table({"a": "even"}, "genre"))


def test_a_column_that_describes_nobody_who_was_liked_makes_nobody_known():
    data = described(genres={i: None if i < 30 else "odd" for i in range(40)})
    model = WALS(4, cold_items_like="genre").fit(data, rng=0)
    assert model.known_items_.sum() == 30
    assert model.group_labels_ == []
    assert model.item_vectors_like("genre", replace(data).item_features).known.sum() == 0
