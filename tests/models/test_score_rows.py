"""Ranking by rows of scores, against a plain sort."""

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist import threads
from shortlist.data.memory import Limits
from shortlist.models.score_rows import NOTHING, history_vectors, positive_items, rank_rows, score_rows


@pytest.fixture(scope="module")
def data() -> sl.Dataset:
    rng = np.random.default_rng(3)
    n = 900
    rows = {
        "user_id": rng.integers(0, 60, n),
        "item_id": rng.integers(0, 40, n),
        "value": rng.integers(1, 6, n),
    }
    return sl.read(pl.DataFrame(rows), kind="ratings", scale=(1, 5))


def scores_of(history):
    """Items by their distance from the mean of the past; nothing to say about every third item of a parity."""
    out = np.empty((len(history), 40), np.float32)
    for row in range(len(history)):
        past = history.item_idx[history.ptr[row] : history.ptr[row + 1]]
        centre = past.mean(dtype=np.float64) if past.size else 0.0
        out[row] = -np.abs(np.arange(40) // 2 - centre / 2)
        out[row, int(centre) % 3 :: 3] = NOTHING
    return out


def sorted_plainly(data, request, listed):
    rows = scores_of(request.history)
    for row, scores in enumerate(rows):
        seen = set(request.history.item_idx[request.history.ptr[row] : request.history.ptr[row + 1]].tolist())
        allowed = [i for i in range(40) if listed[i] and i not in seen and scores[i] != NOTHING]
        yield sorted(allowed, key=lambda i: (-scores[i], i))[: request.k]


@pytest.mark.parametrize("k", [0, 1, 7, 100])
def test_lists_are_those_of_a_sort(data, k) -> None:
    listed = np.arange(40) != 4
    request = data.memory.request(np.arange(60, dtype=np.int32), k, Limits())
    lists = rank_rows(scores_of, request, listed)
    expected = list(sorted_plainly(data, request, listed))
    assert [lists.item_idx[a:b].tolist() for a, b in zip(lists.ptr, lists.ptr[1:], strict=False)] == expected


def test_a_list_ends_where_there_is_nothing_to_say(data) -> None:
    request = data.memory.request(np.arange(60, dtype=np.int32), 40, Limits(exclude_seen=False))
    lists = rank_rows(scores_of, request, np.ones(40, bool))
    assert np.isfinite(lists.score).all()
    assert set(np.diff(lists.ptr).tolist()) <= {26, 27}


def test_scores_of_pairs_are_those_of_the_lists(data) -> None:
    request = data.memory.request(np.arange(60, dtype=np.int32), 5, Limits())
    lists = rank_rows(scores_of, request, np.ones(40, bool))
    pairs = score_rows(scores_of, data.memory, lists.row.astype(np.int32), lists.item_idx)
    assert pairs.tobytes() == lists.score.tobytes()


def test_the_score_where_nothing_is_said_is_zero(data) -> None:
    item = int(np.flatnonzero(scores_of(data.memory.history.take(np.array([7])))[0] == NOTHING)[0])
    assert score_rows(
        scores_of, data.memory, np.array([7], np.int32), np.array([item], np.int32)
    ).tolist() == [0]


def test_neither_threads_nor_blocks_change_a_list(data, monkeypatch) -> None:
    request = data.memory.request(np.arange(60, dtype=np.int32), 5, Limits())
    everything = np.ones(40, bool)
    expected = rank_rows(scores_of, request, everything)
    monkeypatch.setattr("shortlist.models.score_rows._BLOCK_SCORES", 120)
    before = threads.num_threads()
    try:
        threads.set_num_threads(3)
        found = rank_rows(scores_of, request, everything)
    finally:
        threads.set_num_threads(before)
    assert found.item_idx.tolist() == expected.item_idx.tolist()
    assert found.score.tobytes() == expected.score.tobytes()


def test_a_positive_item_counts_once(data) -> None:
    history = data.memory.history
    matrix = positive_items(history, 40)
    for row in range(60):
        part = slice(history.ptr[row], history.ptr[row + 1])
        expected = sorted(set(history.item_idx[part][history.positive[part]].tolist()))
        assert matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].tolist() == expected


def test_people_without_a_positive_item_that_the_model_knows_are_unknown(data) -> None:
    model = sl.Popularity().fit(data)
    model.known_items_ = np.arange(40) < 20
    rows = {"user_id": ["a", "b", "c", "d"], "item_id": [3, 3, 30, 999], "value": [5, 1, 5, 5]}
    folded = history_vectors(sl.read(pl.DataFrame(rows), kind="ratings", scale=(1, 5)), model)
    assert folded.known.tolist() == [True, False, False, False]
    assert folded.vectors.shape == (4, 0)
