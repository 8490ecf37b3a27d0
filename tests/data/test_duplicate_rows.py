import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist.data.duplicate_rows import find_duplicates
from shortlist.data.import_report import DataWarning
from shortlist.data.read import check, read
from shortlist.errors import ParameterError

CSV = """user,item,rating,timestamp,place
a,1,4,1600000000,x
b,1,4,1600000000,x
a,1,4,1600000000,x
a,1,5,1600000000,x
a,1,4,1600000001,x
a,1,4,1600000000,"y
z"
a,1,4.0,1600000000,x
,1,4,1600000000,x
"""
CELLS = st.none() | st.integers(0, 1)
FLOATS = st.sampled_from([None, 0.5, float("nan")])
ROWS = st.lists(
    st.tuples(CELLS, CELLS, FLOATS, st.sampled_from(["x", "y"]), st.lists(CELLS, max_size=2)), max_size=15
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(CSV)
    return path


@given(ROWS)
@example([(None, None, None, "x", cells) for cells in ([], [], [None], [None])])
def test_a_duplicate_is_what_an_earlier_row_equals(rows):
    schema = {"a": pl.Int64, "b": pl.Int64, "c": pl.Float64, "d": pl.String, "e": pl.List(pl.Int64)}
    again, first = find_duplicates(pl.DataFrame(rows, schema=schema, orient="row"))
    said = [repr(row) for row in rows]  # NaN equals NaN
    wanted = [(at, said.index(row)) for at, row in enumerate(said) if said.index(row) < at]
    assert list(zip(again.tolist(), first.tolist(), strict=True)) == wanted


def test_duplicates_are_kept_and_counted(path):
    with pytest.warns(DataWarning, match="1 missing id"):
        data = read(path, scale=(1, 5))
    assert len(data.interactions) == 7
    # Rows 3, 4, 6 and 7 differ from row 1 by nothing, by the value, by a column that is not used, by how 4 is written.
    assert (data.report.repeats, data.report.duplicates) == (5, 3)
    assert (
        "5 repeat an earlier pair of user and item, 3 of them with its value, time" in data.report.to_text()
    )
    with pytest.warns(DataWarning):
        assert read(path, scale=(1, 5), context=["place"]).report.duplicates == 2


def test_duplicates_are_rejected_where_asked(path):
    with pytest.warns(DataWarning, match="3 duplicate of an earlier row, 1 missing id"):
        data = read(path, scale=(1, 5), duplicates="reject")
    assert data.report.rejects.select("row", "line", "column", "value", "reason").rows() == [
        (3, 4, None, "row 1", "duplicate of an earlier row"),
        (6, 7, None, "row 1", "duplicate of an earlier row"),
        (7, 9, None, "row 1", "duplicate of an earlier row"),
        (8, 10, "user", "", "missing id"),
    ]
    assert data.report.rejects["record"].to_list()[1] == 'a,1,4,1600000000,"y\nz"'
    assert (len(data.interactions), data.report.duplicates, data.report.repeats) == (4, 0, 2)


def test_context_is_part_of_what_a_row_says(path):
    report = check(path, scale=(1, 5), duplicates="reject", context=["place"])
    assert report.rejects["row"].to_list() == [3, 7, 8]


def test_rows_without_times_are_duplicates_by_the_rest():
    log = pl.DataFrame({"user": [1, 1, 1], "item": [2, 2, 3]})
    assert check(log).duplicates == 1
    assert check(log, duplicates="reject").n_events == 2
    assert check(log.with_columns(rating=pl.Series([1, 2, 2])), kind="events").duplicates == 0
    assert check(log.with_columns(place=pl.Series(["x", "y", "y"])), context=["place"]).duplicates == 0


def test_a_rejected_row_is_no_original():
    log = pl.DataFrame({"user": [1, 1, 1], "item": [2, 2, 2], "rating": [9, 4, 4]})
    report = check(log, scale=(1, 5), duplicates="reject")
    assert report.rejects.select("row", "value").rows() == [(1, "9"), (3, "row 2")]


def test_what_is_counted_is_what_would_be_rejected(rng):
    n = 2_000
    log = pl.DataFrame(
        {
            "user": rng.integers(0, 20, n),
            "item": rng.integers(0, 20, n),
            "timestamp": 1_600_000_000 + rng.integers(0, 5, n),
            "place": rng.choice(["x", "y"], n),
        }
    )
    kept, rejected = (check(log, duplicates=word, context=["place"]) for word in ("keep", "reject"))
    assert kept.duplicates == rejected.rejects.height > 100
    assert rejected.n_events == n - kept.duplicates == log.n_unique()
    first = rejected.rejects["value"].str.strip_prefix("row ").cast(pl.Int64).to_numpy() - 1
    assert log[rejected.rejects["row"].to_numpy() - 1].equals(log[first])
    assert np.all(first < rejected.rejects["row"].to_numpy() - 1)


def test_another_word_is_refused(path):
    with pytest.raises(ParameterError, match="duplicates='drop' is not one of keep, reject"):
        read(path, duplicates="drop")
