"""The prepared search of a model: kept while its vectors are, never with its copies, never older than a fit."""

import copy
import gc
import pickle

import numpy as np
import polars as pl
import pytest
from fixed_vectors import FixedVectors

import shortlist as sl
from shortlist.models import exact_search, vectors
from shortlist.models.vectors import prepared_search


@pytest.fixture
def data():
    return sl.read(pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [10, 11, 12, 10]}))


def fitted(data, scale=1.0):
    rng = np.random.default_rng(5)
    return FixedVectors(*(scale * rng.standard_normal((3, 4)) for _ in range(2))).fit(data)


def test_is_kept_until_the_model_is_fitted_anew(data):
    model = fitted(data)
    search = prepared_search(model)
    assert prepared_search(model) is search
    model.items = -model.items
    model.fit(data)
    assert prepared_search(model) is not search


def test_a_new_fit_is_what_recommends(data):
    model = fitted(data)
    before = model.recommend([1, 2, 3], 3, exclude_seen=False).frame
    model.items = -model.items
    after = model.fit(data).recommend([1, 2, 3], 3, exclude_seen=False).frame
    again = FixedVectors(model.users, model.items).fit(data).recommend([1, 2, 3], 3, exclude_seen=False).frame
    assert after.equals(again)
    assert not after.equals(before)


def test_copies_and_pickles_have_none(data, monkeypatch):
    monkeypatch.setattr(exact_search, "LARGE_CATALOGUE", 0)
    model = fitted(data)
    size = len(pickle.dumps(model))
    model.recommend([1], 2, exclude_seen=False)
    assert prepared_search(model).packed_bytes > 0
    assert len(pickle.dumps(model)) == size
    for other in (copy.copy(model), copy.deepcopy(model), model.clone()):
        assert other not in vectors._prepared


def test_ends_with_the_model(data):
    model = fitted(data)
    prepared_search(model)
    before = len(vectors._prepared)
    del model
    gc.collect()
    assert len(vectors._prepared) < before
