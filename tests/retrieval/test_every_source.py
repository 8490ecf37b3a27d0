"""What every source promises, whatever it proposes: held to on random data and requests."""

import json
from dataclasses import replace
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from retrieval.described_data import asked, described, found_in

import shortlist as sl
from shortlist import registry
from shortlist.artifacts import State
from shortlist.data.memory import Limits
from shortlist.stages import Candidates

LISTS = pl.DataFrame({"user_id": [0, 0, 1, 1], "item_id": [0, 1, 1, 0], "score": [1.0, 3.0, 2.0, 2.0]})
# Each with how many items it may propose at most.
MAKERS = {
    "Again": (lambda: sl.Again(k=3), 3),
    "BoughtTogether": (lambda: sl.BoughtTogether(recent=2, per_item=3, gap_minutes=1440), 6),
    "Fresh": (lambda: sl.Fresh(k=3), 3),
    "Nearest": (lambda: sl.Nearest(sl.PureSVD(2), k=3), 3),
    "NextItem": (lambda: sl.NextItem(recent=2, per_item=3), 6),
    "Popular": (lambda: sl.Popular(k=3), 3),
    "PrecomputedLists": (lambda: sl.PrecomputedLists(LISTS, k=2, default=[0]), 2),
    "RelatedToRecent": (lambda: sl.RelatedToRecent(sl.PureSVD(2), recent=2, per_item=3), 6),
    "TopInGroup": (lambda: sl.TopInGroup("genres", groups=2, k=2, half_life_days=4), 4),
    "TopInSegment": (lambda: sl.TopInSegment(sl.KMeansSegments(1, dim=9, n_init=1, n_iterations=2), k=3), 3),
    "TopInUserGroup": (lambda: sl.TopInUserGroup("country", k=3), 3),
    "Trending": (lambda: sl.Trending(2, k=3), 3),
}
# Their proposals that the user has seen stay in the trace.
PROPOSES_SEEN = ("RelatedToRecent",)
# By a user's id: of a person who is not in the data it knows nothing, unless their vector comes with the request.
BY_ID = ("Nearest", "PrecomputedLists")


def large_enough():
    """Return datasets with the ids that `LISTS` names."""
    return described().filter(lambda d: len(d.users) > 1 and len(d.items) > 1)


def large_enough_and_liked():
    """Return those in which somebody likes something."""
    return large_enough().filter(lambda d: d.interactions.positive.any())


def bound(name, dataset):
    source = MAKERS[name][0]()
    if not dataset.interactions.positive.any():
        return None
    return source.bind(dataset, source.model and source.model.clone().fit(dataset, rng=0))


def same(found: Candidates, expected: Candidates):
    for array in ("ptr", "item_idx", "source_rank", "source_score", "anchor"):
        np.testing.assert_array_equal(getattr(found, array), getattr(expected, array))
    said = [[c.reason_of(at, 0) for at in range(c.item_idx.size)] for c in (found, expected)]
    assert said[0] == said[1]


def test_there_is_a_maker_for_every_source():
    assert set(MAKERS) == set(registry.SOURCES)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=14)
@given(data=st.data())
def test_proposals_are_few_distinct_permitted_and_the_same_for_each_alone(name, data):
    dataset = data.draw(large_enough())
    source = bound(name, dataset)
    if source is None:
        return
    request = data.draw(asked(dataset))
    found = source.propose(request)
    assert found.sources == (name,)
    for row in range(len(request)):
        assert len(found_in(found, row)) <= MAKERS[name][1]  # which are distinct
        same(
            source.propose(request.rows(np.array([row]))),
            Candidates.joined([(np.array([0]), rows(found, row))], 1),
        )
    assert np.isfinite(found.source_score).all()
    assert all(source.explain(n) for n in (0, 1, 7))
    if name not in PROPOSES_SEEN:
        assert not request.eligible.rule_of(found.row, found.item_idx).any()


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=6)
@given(data=st.data())
def test_a_source_that_was_saved_proposes_the_same(name, data):
    dataset = data.draw(large_enough())
    source = bound(name, dataset)
    if source is None:
        return
    request = data.draw(asked(dataset))
    state = source.to_state()
    stored = State(state.type, json.loads(json.dumps(state.values)), state.arrays)
    same(type(source).from_state(stored, source.model).propose(request), source.propose(request))


@settings(max_examples=3)
@given(large_enough_and_liked())
def test_a_pipeline_of_all_sources_that_was_saved_gives_the_same(dataset):
    made = sl.Pipeline([make() for make, _ in MAKERS.values()], sl.ModelScorer(sl.Popularity()))
    made.fit(dataset, rng=0)
    with TemporaryDirectory() as folder:
        loaded = sl.load(made.save(f"{folder}/saved"))
    users = dataset.users.ids.to_list()
    shown, again = (of.recommend(users, k=4, exclude_seen=False) for of in (made, loaded))
    assert shown.reasons.equals(again.reasons)
    for user in users:
        assert shown.trace(user).equals(again.trace(user))


@pytest.mark.parametrize("name", [name for name in MAKERS if name not in BY_ID])
@settings(max_examples=8)
@given(data=st.data())
def test_people_who_are_not_in_the_data_get_what_others_of_their_past_and_features_get(name, data):
    dataset = data.draw(large_enough())
    source = bound(name, dataset)
    if source is None:
        return
    request = data.draw(asked(dataset))
    countries = np.array(dataset.user_features.frame["country"].to_list(), object)
    features = {"country": countries[request.user_idx]}
    nobody = np.full(len(request), -1, np.int32)
    if name == "TopInSegment" and request.history.item_idx.size < dataset.memory.history.item_idx.size:
        return  # users of the data stay in their segment, whenever it is
    same(source.propose(replace(request, user_idx=nobody, features=features)), source.propose(request))


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=5)
@given(data=st.data())
def test_nobody_of_whom_nothing_is_known_is_no_trouble(name, data):
    dataset = data.draw(large_enough())
    source = bound(name, dataset)
    if source is None:
        return
    request = dataset.memory.request(np.full(2, -1, np.int32), 5, Limits())
    found = source.propose(request)
    assert len(found) == 2
    assert (found.anchor == -1).all()
    assert len(source.propose(request.rows(np.zeros(0, np.int64)))) == 0


def rows(candidates, row):
    part = slice(candidates.ptr[row], candidates.ptr[row + 1])
    aligned = ("item_idx", "source_rank", "source_score", "anchor", "score", "removed_by", "source_reason")
    cut = {
        name: None if getattr(candidates, name) is None else getattr(candidates, name)[part]
        for name in aligned
    }
    return replace(candidates, ptr=np.array([0, part.stop - part.start]), **cut)
