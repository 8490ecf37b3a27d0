from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Memory
from shortlist.data.read import read
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError

EVENTS = {
    "user": ["b", "a", "b"],
    "item": [1, 2, 3],
    "rating": [5.0, 1.0, 4.0],
    "timestamp": [30, 20, 10],
    "place": [1, 2, 3],
}
ITEMS = {"id": [1, 2, 3], "title": ["One", None, "Three"], "year": [2000, 2001, None]}


def dataset(events=None, items=None, **arguments):
    arguments = {"scale": (0, 5), "context": ["place"], **arguments}
    return read(
        pl.DataFrame({**EVENTS, **(events or {})}),
        items=pl.DataFrame({**ITEMS, **(items or {})}),
        **arguments,
    )


def test_the_fingerprint_is_of_the_content():
    data = dataset()
    # Any order of the rows gives the same log, since no two events are of one time.
    assert dataset({name: column[::-1] for name, column in EVENTS.items()}).fingerprint == data.fingerprint
    assert len(data.fingerprint) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"events": {"user": ["b", "a", "c"]}},
        {"events": {"item": [1, 3, 2]}},
        {"events": {"rating": [5.0, 1.0, 4.5]}},
        {"events": {"timestamp": [30, 20, 11]}},
        {"events": {"place": [1, 2, 4]}},
        {"items": {"title": ["One", "Two", "Three"]}},
        {"items": {"year": [2000, 2001, 2002]}},
        {"scale": (0, 6), "positive_from": 4},
        {"positive_from": 4.5},
        {"context": []},
        {"columns": {"timestamp": None}},
        {"repeats": True},
    ],
)
def test_any_change_of_the_content_changes_it(change):
    assert dataset(**change).fingerprint != dataset().fingerprint


def test_an_empty_text_is_no_text():
    assert dataset(items={"title": ["One", "", "Three"]}).fingerprint == dataset().fingerprint


def test_titles_are_those_of_the_catalogue():
    assert dataset().titles.to_list() == ["One", None, "Three"]
    assert read(pl.DataFrame(EVENTS), scale=(0, 5)).titles is None


def test_parts_that_do_not_belong_together_are_refused():
    data = dataset()
    with pytest.raises(
        DataError, match="interactions of 2 users × 3 items do not belong to vocabularies of 1 users"
    ):
        replace(data, users=Vocabulary.of(["a"]))
    with pytest.raises(DataError, match="not aligned with its vocabulary"):
        replace(data, items=Vocabulary.of([1, 2, 4]))


def test_other_events_keep_everything_else():
    data = dataset()
    part = data.with_interactions(data.interactions.where(np.array([True, False, False])))
    assert len(part.interactions) == 1
    assert part.items is data.items
    assert part.report is data.report
    assert part.fingerprint != data.fingerprint


def test_declared_repeats_survive_parts_and_artifacts():
    data = dataset(repeats=True)
    assert data.repeats
    assert not dataset().repeats
    part = data.with_interactions(data.interactions.where(np.array([True, True, False])))
    assert part.repeats
    assert part.memory.repeats
    assert Memory.from_state(part.memory.to_state()).repeats
    state = part.memory.to_state()
    older = replace(state, values={name: v for name, v in state.values.items() if name != "repeats"})
    assert not Memory.from_state(older).repeats


def test_the_memory_is_made_once():
    data = dataset()
    assert data.memory is data.memory
    assert data.memory.now == 30_000_000


def test_it_says_what_it_is():
    assert repr(dataset(name="shop")) == "Dataset(shop: 3 ratings of 2 users × 3 items)"


def test_a_dataset_of_no_events_can_be_asked():
    none = np.zeros(0, np.int32)
    log = Interactions.of(none, none, none.astype(float), none.astype(np.int64), 2, 3, Feedback.events())
    data = dataset().with_interactions(log)
    assert data.memory.now is None
    assert data.memory.n_positive.tolist() == [0, 0, 0]
