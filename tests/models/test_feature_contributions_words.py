"""How encoded rows read, and that a row without a feature is what the encoder makes of a cell without it."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.feature_worlds import without
from numpy.testing import assert_allclose
from scipy import sparse

import shortlist as sl
from shortlist.data.features import DTYPES, FeatureTable
from shortlist.models.feature_contributions_words import Row, Words

KINDS = {
    "genres": "tags",
    "country": "categorical",
    "year": "numeric",
    "price": "numeric",
    "released": "time",
    "story": "text",
}
ENCODE = {
    "genres": {"as": "multi_hot", "unknown": True},
    "country": {"as": "one_hot", "unknown": True},
    "year": {"as": "standard", "missing": True},
    "price": {"as": "quantile", "missing": True, "shape": "normal"},
    "released": {"as": "moment", "missing": True},
}
LABELS = st.sampled_from(["Film: Noir", "Drama", "é", "a b"])
CELLS = st.fixed_dictionaries(
    {
        "genres": st.one_of(st.none(), st.lists(LABELS, max_size=3)),
        "country": st.one_of(st.none(), LABELS),
        "year": st.one_of(st.none(), st.integers(1900, 2030).map(float)),
        "price": st.one_of(st.none(), st.integers(1, 5000).map(lambda cents: cents / 100)),
        "released": st.one_of(st.none(), st.dates(date(1950, 1, 1), date(2030, 1, 1))),
        "story": st.one_of(
            st.none(), st.lists(st.sampled_from(["old", "new", "tale"]), max_size=4).map(" ".join)
        ),
    }
)


def table_of(rows):
    """Return the feature table of dictionaries of cells."""
    columns = [pl.Series("id", range(len(rows)))]
    for name, kind in KINDS.items():
        cells = [row[name] for row in rows]
        if kind == "time":
            cells = [
                None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC) for day in cells
            ]
        columns.append(pl.Series(name, cells, dtype=DTYPES[kind]))
    return FeatureTable(pl.DataFrame(columns), KINDS)


@settings(max_examples=15)
@given(st.lists(CELLS, min_size=1, max_size=5), st.integers(0, 3), st.sampled_from(["", "your "]))
def test_a_row_without_a_feature_is_the_encoded_cell_without_it(rows, start, told):
    table = table_of(rows)
    encoder = sl.FeatureEncoder.fit(table, encode=ENCODE)
    encoded, width = encoder.transform(table), encoder.width + start + 2
    placed = encoded.copy()
    placed.resize((len(rows), width))
    placed.indices += start
    words = Words(encoder, width, start, shared=set(KINDS) if told else ())
    found = words.without_each(placed)
    assert found.rows.shape == (len(found.names), width)
    for at, (row, name) in enumerate(zip(found.of, found.names, strict=True)):
        assert name.startswith(told)
        left = encoder.transform(without(table, row, name))[[row]].toarray()[0]
        assert_allclose(found.rows[[at]].toarray()[0, start : start + encoder.width], left, atol=1e-6)
    for row in range(len(rows)):
        of_row = [
            name.removeprefix(told) for of, name in zip(found.of, found.names, strict=True) if of == row
        ]
        assert set(of_row) == said_in(rows[row], encoder, encoded[[row]])


def said_in(cells, encoder, encoded):
    """Return how the cells of a row read; a number that is the mean of all says nothing."""
    said = {f"genres: {tag}" for tag in cells["genres"] or []}
    said |= {f"story: {word}" for word in (cells["story"] or "").split()}
    if cells["country"] is not None:
        said.add(f"country: {cells['country']}")
    for name, read in (("year", "{:.0f}"), ("price", "{:.6g}"), ("released", "{}")):
        if cells[name] is not None and encoder.slices[name].start in encoded.indices:
            said.add(f"{name} {read.format(cells[name])}")
    return said


def test_what_cannot_be_read_back_is_its_column():
    cells = {"genres": ["Drama", "é"], "released": date(2020, 3, 4), "story": "old tale"}
    table = table_of([dict.fromkeys(KINDS) | cells, dict.fromkeys(KINDS)])
    encode = {
        "genres": {"as": "hashing", "n_buckets": 8},
        "released": {"as": "parts"},
        "story": {"as": "svd", "dim": 2},
    }
    encoder = sl.FeatureEncoder.fit(table, ["genres", "released", "story"], encode=encode)
    found = Words(encoder, encoder.width).without_each(encoder.transform(table))
    assert found.names == ["genres", "released", "story"]
    for at, name in enumerate(found.names):
        left = np.flatnonzero(found.rows[[at]].toarray()[0])
        assert not set(left) & set(range(encoder.slices[name].start, encoder.slices[name].stop))


@pytest.mark.parametrize(("stand_in", "left"), [(None, [2]), (4, [2, 4])])
def test_without_its_id_a_row_has_what_stands_for_it(stand_in, left):
    table = FeatureTable(pl.DataFrame({"id": [7], "genres": [["a"]]}), {"genres": "tags"})
    encoder = sl.FeatureEncoder.fit(table)
    words = Words(encoder, 5, 2, (0, 2), "the item itself", stand_in)
    row = Row(np.array([1, 2]), np.ones(2, np.float32))
    assert words.of(row) == ["the item itself", "genres: a"]
    placed = sparse.csr_array(np.array([[0, 1, 1, 0, 0]], np.float32))
    found = words.without_each(placed)
    assert found.names == ["the item itself", "genres: a"]
    assert found.rows[[0]].indices.tolist() == left
    assert found.rows[[1]].indices.tolist() == [1]
