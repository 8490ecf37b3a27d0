"""The three sources on data whose answer is known, and against slow twins."""

import numpy as np
import pytest
from contract.random_data import datasets
from fixed_vectors import FixedVectors
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ParameterError

LIKE, DISLIKE = 5, 1


def dataset_of(events, n_users, n_items):
    """Return ratings on 1–5 in the order of time from (user, item, value) triples."""
    user, item, value = (np.array(column) for column in zip(*events, strict=True))
    times = np.arange(len(events), dtype=np.int64)
    log = Interactions.of(
        user, item, value.astype(np.float32), times, n_users, n_items, Feedback.ratings(1, 5)
    )
    return Dataset(log, Vocabulary.of(range(n_users)), Vocabulary.of(range(n_items)))


def proposed(source, dataset, users, **limits):
    request = dataset.memory.request(np.array(users, np.int32), 10, Limits(**limits))
    found = source.bind(dataset, source.model.clone().fit(dataset)).propose(request)
    parts = zip(found.ptr, found.ptr[1:], strict=False)
    return [found.item_idx[a:b].tolist() for a, b in parts], found


def test_nearest_takes_the_largest_products_that_are_permitted():
    dataset = dataset_of([(0, 0, LIKE), (1, 1, LIKE)], 2, 4)
    model = FixedVectors([[1, 0], [0, 0]], [[9, 0], [1, 5], [3, 0], [2, 0]])
    lists, found = proposed(sl.Nearest(model, k=2), dataset, [0, 1, -1])
    assert lists == [[2, 3], [], []]  # item 0 is seen; user 1 has no vector; −1 is nobody
    assert found.source_rank[:, 0].tolist() == [1, 2]
    assert found.source_score[:, 0].tolist() == [3.0, 2.0]
    lists, _ = proposed(sl.Nearest(model, k=2), dataset, [0], exclude_seen=False, exclude=[2])
    assert lists == [[0, 3]]


def test_related_starts_from_the_last_liked_items_and_skips_dislikes():
    # Items 0–1, 2–3, 4–5 lie close together, pair by pair.
    vectors = [[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0, 1, 0.1], [0, 0, 1], [0.1, 0, 1]]
    events = [(0, 4, LIKE), (0, 0, LIKE), (0, 2, DISLIKE)]
    model = FixedVectors([[1, 1, 1]], vectors)
    lists, found = proposed(sl.RelatedToRecent(model, recent=1, per_item=1), dataset_of(events, 1, 6), [0])
    assert (lists, found.anchor.tolist()) == ([[1]], [0])
    lists, found = proposed(sl.RelatedToRecent(model, recent=2, per_item=1), dataset_of(events, 1, 6), [0])
    assert sorted(zip(lists[0], found.anchor.tolist(), strict=True)) == [(1, 0), (5, 4)]


def test_related_counts_an_item_liked_twice_as_one_of_the_recent():
    vectors = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]
    events = [(0, 2, LIKE), (0, 0, LIKE), (0, 0, LIKE), (0, 0, LIKE)]
    lists, _ = proposed(
        sl.RelatedToRecent(FixedVectors([[1, 1]], vectors), recent=2, per_item=1),
        dataset_of(events, 1, 4),
        [0],
    )
    assert sorted(lists[0]) == [1, 3]


def slow_related(model, dataset, user, recent, per_item):
    vectors = model.item_factors_.astype(float)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    log, anchors = dataset.interactions, []
    for n in reversed(range(len(log))):
        item = int(log.item_idx[n])
        if log.user_idx[n] == user and log.positive[n] and model.known_items_[item] and item not in anchors:
            anchors.append(item)
    best = {}
    for anchor in anchors[:recent]:
        others = [i for i in range(len(unit)) if i != anchor and model.known_items_[i]]
        others.sort(key=lambda i: (-round(float(unit[i] @ unit[anchor]), 5), i))
        for item in others[:per_item]:
            if unit[item] @ unit[anchor] <= 0:
                continue
            best[item] = max(best.get(item, -2.0), float(unit[item] @ unit[anchor]))
    return best


@given(dataset=datasets(), recent=st.integers(1, 4), per_item=st.integers(1, 4), seed=st.integers(0, 99))
def test_related_equals_its_definition(dataset, recent, per_item, seed):
    log, rng = dataset.interactions, np.random.default_rng(seed)
    vectors = rng.standard_normal((log.n_items, 3))
    vectors[rng.random(log.n_items) < 0.2] = 0
    source = sl.RelatedToRecent(
        FixedVectors(np.ones((log.n_users, 3)), vectors), recent=recent, per_item=per_item
    )
    lists, found = proposed(source, dataset, range(log.n_users))
    model = source.model.clone().fit(dataset)
    for user in range(log.n_users):
        expected = slow_related(model, dataset, user, recent, per_item)
        assert set(lists[user]) == set(expected)
        part = slice(found.ptr[user], found.ptr[user + 1])
        np.testing.assert_allclose(
            found.source_score[part, 0], [expected[i] for i in lists[user]], rtol=1e-5, atol=1e-6
        )
        assert (np.diff(found.source_score[part, 0]) <= 0).all()


def test_popular_leaves_out_what_may_not_be_shown():
    events = [
        (0, 0, LIKE),
        (1, 0, LIKE),
        (2, 0, LIKE),
        (1, 1, LIKE),
        (2, 1, LIKE),
        (2, 2, LIKE),
        (2, 3, DISLIKE),
    ]
    lists, _ = proposed(sl.Popular(k=2), dataset_of(events, 3, 5), [0, 1, 2, -1])
    assert lists == [[1, 2], [2], [], [0, 1]]  # nobody likes 3 and 4; −1 is anybody


def test_wrong_parameters_are_named():
    with pytest.raises(ParameterError, match=r"Nearest.*takes a model, got 'wals'"):
        sl.Nearest("wals")
    with pytest.raises(ParameterError, match="per_item must be a whole number of at least 1, got 0"):
        sl.RelatedToRecent(sl.Popularity(), per_item=0)
    with pytest.raises(ParameterError, match="measure='angle' is not one of cosine, dot, euclidean"):
        sl.RelatedToRecent(sl.Popularity(), measure="angle")
