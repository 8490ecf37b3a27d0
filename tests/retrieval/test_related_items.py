"""Related items: those of the model, and after any change the same as built anew."""

from functools import partial

import numpy as np
import pytest
from fixed_vectors import FixedVectors
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ArtifactError, NotFittedError, ParameterError, UnknownIdError
from shortlist.retrieval import nearest_by_index
from shortlist.retrieval.index.approximate_index import ApproximateIndex
from shortlist.retrieval.related_items import Changes, RelatedItems

MEASURES = ["cosine", "dot", "euclidean"]


def model_of(vectors):
    """Return a fitted model of {item id: vector}; a zero vector is that of an item that cannot be compared."""
    ids = sorted(vectors)
    log = Interactions.of(
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        np.ones(1, np.float32),
        None,
        1,
        len(ids),
        Feedback.events(),
    )
    dataset = Dataset(log, Vocabulary.of(["ann"]), Vocabulary.of(ids))
    width = len(vectors[ids[0]])
    return FixedVectors([[1] * width], [vectors[i] for i in ids]).fit(dataset)


def assert_same(found, expected):
    assert found.items_.ids.equals(expected.items_.ids)
    every = np.arange(len(expected), dtype=np.int32)
    one, other = found.lists(every), expected.lists(every)
    np.testing.assert_array_equal(one.ptr, other.ptr)
    np.testing.assert_array_equal(one.item_idx, other.item_idx)
    np.testing.assert_array_equal(one.score, other.score)
    assert found.fingerprint_ == expected.fingerprint_


# Small whole numbers make ties; most items stay as they are from one version to the next.
VECTOR = st.tuples(st.integers(-2, 2), st.integers(-1, 2))
FIRST = st.dictionaries(st.integers(0, 30), VECTOR, min_size=1, max_size=20)
NEXT = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 30), VECTOR, max_size=4), st.sets(st.integers(0, 30), max_size=4)
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=80)
@given(FIRST, NEXT, st.integers(1, 5), st.integers(0, 3), st.sampled_from(MEASURES))
def test_an_update_gives_what_building_anew_gives(vectors, versions, n, spare, measure):
    related = RelatedItems.build(model_of(vectors), n, measure=measure, spare=spare)
    for changed, gone in versions:
        left = {item: vector for item, vector in (vectors | changed).items() if item not in gone}
        vectors = left or {0: (1, 1)}
        model = model_of(vectors)
        related = related.update(model)
        assert_same(related, RelatedItems.build(model, n, measure=measure))


def test_a_new_item_does_not_pass_one_that_was_hidden_behind_what_is_gone():
    # 1 and 2 are equally near to 0, and one of them fits on its list; then 1 goes, and 3 is as near as 2.
    related = RelatedItems.build(model_of({0: (1, 0), 1: (1, 0), 2: (1, 1)}), 1, measure="dot", spare=0)
    assert related.of([0]).frame["similar_item_id"].to_list() == [1]
    updated = related.update(model_of({0: (1, 0), 2: (1, 1), 3: (1, 2)}))
    assert updated.of([0]).frame["similar_item_id"].to_list() == [2]


def clustered(rng, n=400, dim=8):
    centres = rng.standard_normal((20, dim))
    return (centres[rng.integers(0, 20, n)] + 0.5 * rng.standard_normal((n, dim))).astype(np.float32)


def test_only_what_changed_is_searched(rng):
    vectors = dict(enumerate(clustered(rng)))
    related = RelatedItems.build(model_of(vectors), 5)
    vectors |= {3: vectors[3] * 2 + 1, 7: -vectors[7], 900: vectors[0] + 1}
    del vectors[11]
    model, told = model_of(vectors), []
    updated = related.update(model, on_block=lambda done, total: told.append((done, total)))
    assert updated.changes == Changes(changed=3, removed=1, searched=3)
    assert told == [(3, 3)]
    assert_same(updated, RelatedItems.build(model, 5))
    assert related.changes is None  # it is as it was
    # Without spare items a list that loses one is searched.
    short = RelatedItems.build(model_of(dict(enumerate(clustered(rng)))), 5, spare=0)
    assert short.update(model).changes.searched > 3


def test_lists_are_those_of_the_model():
    data = sl.datasets.movielens_small()
    model = sl.WALS(dim=8, n_epochs=2).fit(data, rng=0)
    related, items = RelatedItems.build(model, 5), [1, 50, 260]
    found, expected = related.of(items, 4), model.similar_items(items, 4)
    assert found.frame.equals(expected.frame)
    assert found.measure == expected.measure == "cosine"
    assert related.of(1).frame.height == 5
    unknown = int(np.flatnonzero(~model.known_items_)[0])
    with pytest.raises(UnknownIdError, match="nothing is known"):
        related.of(model.memory_.items.ids[unknown])


@pytest.mark.parametrize("measure", MEASURES)
def test_an_index_finds_most_of_them_with_their_scores(rng, measure, monkeypatch, tmp_path):
    monkeypatch.setattr(nearest_by_index, "ApproximateIndex", partial(ApproximateIndex, exact_up_to=50))
    vectors = dict(enumerate(clustered(rng, 1500))) | {7: np.zeros(8, np.float32)}
    model = model_of(vectors)
    exact = RelatedItems.build(model, 5, measure=measure)
    found = RelatedItems.build(model, 5, measure=measure, target_recall=0.9)
    assert exact.recall_ == 1
    assert 0.8 < found.recall_ <= 1
    pairs = [set(zip(*map(np.ndarray.tolist, of_all(one)), strict=True)) for one in (exact, found)]
    assert len(pairs[0] & pairs[1]) > 0.8 * len(pairs[0])
    assert not found.lists(np.int32([7])).item_idx.size
    assert (found.lists(np.arange(1500, dtype=np.int32)).row != of_all(found)[1]).all()
    updated = RelatedItems.load(found.save(tmp_path / "related")).update(model)
    assert (updated.target_recall, updated.changes) == (0.9, None)
    with pytest.raises(ParameterError, match=r"target_recall=0\.9"):
        RelatedItems.build(sl.ItemNeighbors().fit(sl.datasets.movielens_small()), target_recall=0.9)


def of_all(related):
    lists = related.lists(np.arange(len(related), dtype=np.int32))
    return lists.row, lists.item_idx, lists.score


def test_a_measure_of_the_models_own_is_built_anew():
    data = sl.datasets.movielens_small()
    model = sl.ItemNeighbors(n_neighbors=5).fit(data)
    related = RelatedItems.build(model, 3)
    assert related.of([1]).frame.equals(model.similar_items([1], 3).frame)
    other = sl.ItemNeighbors(n_neighbors=5, shrinkage=50).fit(data)
    assert not related.is_of(other)
    updated = related.update(other)
    assert updated.is_of(other)
    assert_same(updated, RelatedItems.build(other, 3))


@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_saved_is_loaded_and_updated(tmp_path, rng, mapped):
    vectors = dict(enumerate(clustered(rng, 60)))
    model = model_of(vectors)
    related = RelatedItems.build(model, 4, measure="dot")
    loaded = RelatedItems.load(related.save(tmp_path / "related"), model, mapped=mapped)
    assert_same(loaded, related)
    assert loaded.of([5]).frame.equals(related.of([5]).frame)
    vectors[5] = vectors[6]
    other = model_of(vectors)
    with pytest.raises(ArtifactError, match="another model"):
        RelatedItems.load(tmp_path / "related", other)
    assert_same(loaded.update(other), RelatedItems.build(other, 4, measure="dot"))


def test_what_cannot_be_built_is_refused(rng):
    model = model_of({1: (1, 2), 2: (2, 1)})
    with pytest.raises(NotFittedError):
        RelatedItems.build(sl.WALS())
    with pytest.raises(ParameterError, match="related items are those of a fitted model"):
        RelatedItems.build("wals")
    with pytest.raises(ParameterError, match="measure"):
        RelatedItems.build(model, measure="angle")
    with pytest.raises(ParameterError, match="n must"):
        RelatedItems.build(model, 0)
    with pytest.raises(ParameterError, match="3 related items are stored"):
        RelatedItems.build(model, 3).of([1], 4)
    assert RelatedItems.build(model, 3).of([1]).frame["similar_item_id"].to_list() == [2]
