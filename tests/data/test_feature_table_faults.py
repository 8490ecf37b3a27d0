"""Feature tables as found: ids twice or unknown, words among numbers, columns without anything, very many labels."""

import warnings

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.data.import_report import DataWarning
from shortlist.errors import DataError

EVENTS = pl.DataFrame({"user_id": ["u1", "u2", "u2"], "item_id": ["i1", "i2", "i3"]})


def read(items):
    return sl.read(EVENTS, items=items, kind="events")


def test_an_id_without_events_is_in_the_catalogue_and_one_without_features_is_missing():
    data = read(pl.DataFrame({"item_id": ["i1", "new"], "price": [2.0, 3.0]}))
    assert data.items.ids.to_list() == ["i1", "i2", "i3", "new"]
    assert data.item_features.frame["price"].to_list() == [2, None, None, 3]
    assert (data.report.without_events, data.report.without_features) == ({"items": 1}, {"items": 2})
    rows = sl.EventEncoder.fit(data, user_ids=False).item_rows(data.items, data.item_features).toarray()
    assert rows[:, :3].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert rows[:, 3].tolist() == [-1, 0, 0, 1]


def test_a_second_row_of_an_id_is_rejected_when_read_and_refused_in_a_table():
    twice = pl.DataFrame({"item_id": ["i1", "i2", "i1"], "price": [1.0, 2.0, 9.0]})
    with pytest.warns(DataWarning, match="1 an earlier row has this id"):
        data = read(twice)
    assert data.item_features.frame["price"].to_list() == [1, 2, None]
    reject = data.report.tables[-1].rejects.row(0, named=True)
    assert (reject["row"], reject["column"], reject["value"]) == (3, "item_id", "i1")
    assert "earlier row has this id" in reject["reason"]
    with pytest.raises(DataError, match="several rows for id 'i1'"):
        FeatureTable(twice.rename({"item_id": "id"}), {"price": "numeric"})


def test_a_word_among_numbers_is_rejected_by_row_and_column_when_read():
    table = pl.DataFrame({"item_id": ["i1", "i2"], "price": ["1.5", "cheap"]})
    with pytest.warns(DataWarning):
        data = sl.read(EVENTS, items=table, kind="events", features={"items": {"price": "numeric"}})
    reject = data.report.tables[-1].rejects.row(0, named=True)
    assert (reject["row"], reject["column"], reject["value"]) == (2, "price", "cheap")
    assert data.item_features.frame["price"].to_list() == [1.5, None, None]
    words = table.with_columns(price=pl.lit("cheap"))
    with pytest.raises(DataError, match=r"none of the 2 rows(.|\n)*price"):
        sl.read(EVENTS, items=words, kind="events", features={"items": {"price": "numeric"}})


def test_a_word_among_numbers_is_named_by_row_and_id_in_a_table():
    frame = pl.DataFrame({"id": ["i1", "i2"], "price": ["1.5", "cheap"]})
    says = (
        "feature 'price' is String; numeric needs Float64: row 1 .id 'i2'. holds 'cheap', which is no number"
    )
    with pytest.raises(DataError, match=says):
        FeatureTable(frame, {"price": "numeric"})
    with pytest.raises(DataError, match="every cell is a number: cast the column"):
        FeatureTable(frame.head(1), {"price": "numeric"})
    with pytest.raises(DataError, match=r"feature 'price' is Int64; text needs String$"):
        FeatureTable(frame.head(1).with_columns(price=pl.lit(1, pl.Int64)), {"price": "text"})


# Each kind of column and what a constant of it is.
CONSTANT = {"numeric": 4.0, "categorical": "a", "tags": ["a", "b"], "text": "one word", "time": 10**15}
ENCODINGS = [(kind, None) for kind in CONSTANT] + [
    ("numeric", "quantile"), ("numeric", {"as": "quantile", "shape": "normal"}), ("categorical", "hashing"),
    ("tags", {"as": "hashing", "signed": True}), ("text", {"as": "svd", "dim": 2}), ("time", "parts"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "how"), ENCODINGS)
def test_an_all_missing_column_sets_nothing(kind, how):
    cells = pl.Series("x", [None] * 3, dtype=DTYPES[kind])
    table = FeatureTable(pl.DataFrame([pl.Series("id", [1, 2, 3]), cells]), {"x": kind})
    encoder = sl.FeatureEncoder.fit(table, encode={"x": how} if how else None)
    assert encoder.transform(table).nnz == 0
    assert np.isfinite(encoder.transform(constant(kind)).data).all()


@pytest.mark.parametrize(("kind", "how"), ENCODINGS)
def test_a_constant_column_is_the_same_in_each_row(kind, how):
    table = constant(kind)
    encoder = sl.FeatureEncoder.fit(table, encode={"x": how} if how else None)
    rows = encoder.transform(table).toarray()
    assert np.isfinite(rows).all()
    assert (rows == rows[0]).all()
    # A number has no deviation and no rank; a label is there.
    assert rows.any() == (kind not in {"numeric", "time"} or how == "parts")


def constant(kind):
    cells = pl.Series("x", [CONSTANT[kind]] * 3, dtype=DTYPES[kind])
    return FeatureTable(pl.DataFrame([pl.Series("id", [1, 2, 3]), cells]), {"x": kind})


def test_all_missing_and_constant_columns_are_read_and_fitted_on():
    items = pl.DataFrame(
        {
            "item_id": ["i1", "i2", "i3"],
            "gone": [None] * 3,
            "same": [1.0] * 3,
            "genres": [["a"], ["b"], ["a"]],
        }
    )
    data = read(items)
    assert data.item_features.kinds == {"gone": "categorical", "same": "numeric", "genres": "tags"}
    shown = sl.ContentBased().fit(data).recommend("u1", k=2).frame
    assert shown["item_id"].to_list()[0] == "i3"


def test_a_hundred_thousand_categories_are_read_and_encoded():
    n = 100_000
    items = pl.DataFrame(
        {"item_id": [f"i{at}" for at in range(n)], "maker": [f"maker {at}" for at in range(n)]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = read(items)
    encoder = sl.EventEncoder.fit(data)
    assert encoder.n_columns == 2 + 3 + n
    assert encoder.item_rows(data.items, data.item_features).nnz == n + 3
    hashed = sl.EventEncoder.fit(data, encode={"maker": {"as": "hashing", "n_buckets": 64}})
    assert hashed.n_columns == 2 + 3 + 64
    rare = sl.EventEncoder.fit(data, encode={"maker": {"min_count": 2, "unknown": True}})
    assert rare.n_columns == 2 + 3 + 1
