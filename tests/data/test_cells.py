from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist.data.cells import is_numeric_text, one_kind, screen_ids, screen_numbers, settle_ids
from shortlist.data.rejects import Screening
from shortlist.data.tables import open_table
from shortlist.data.vocabulary import is_canonical_integer
from shortlist.errors import DataError

ID_TEXT = st.sampled_from(
    ["0", "-0", "00", "7", "+7", "-7", "07", "-07", " 7", "7.0", "1e3", "x", "9223372036854775807"]
)
ANY_ID = (
    ID_TEXT
    | st.integers(-(2**64), 2**64).map(str)
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
)


def screened(column):
    table = open_table(column.to_frame(), "interactions")
    return Screening(table, column.len())


def ids(cells, dtype=None, strict=True):
    column = pl.Series("user_id", cells, dtype=dtype, strict=strict)
    screening = screened(column)
    return screen_ids("events.csv", column, screening), screening


@given(st.lists(ANY_ID, min_size=1))
@example(["0"])
@example(["-9223372036854775808", "9223372036854775808"])
def test_text_ids_are_integers_only_if_each_is_written_as_one(cells):
    settled = settle_ids(pl.Series(cells), textual=True)
    if all(map(is_canonical_integer, cells)):
        assert settled.to_list() == [int(cell) for cell in cells]
    else:
        assert settled.to_list() == cells


def test_strings_of_a_typed_column_stay_strings():
    assert settle_ids(pl.Series(["1", "2"]), textual=False).to_list() == ["1", "2"]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt32, pl.UInt64, pl.Int128, pl.Decimal(20, 0)])
def test_integers_of_any_width_are_int64(dtype):
    column, screening = ids([1, 2, None], dtype)
    assert column.filter(pl.Series(screening.keep)).to_list() == [1, 2]
    assert column.dtype == pl.Int64
    assert screening.rejects()["reason"].to_list() == ["missing id"]


def test_integers_beyond_64_bits_are_strings():
    assert ids([1, 2**64 - 1], pl.UInt64)[0].to_list() == ["1", "18446744073709551615"]


def test_floats_are_ids_where_they_are_whole():
    column, screening = ids([1.0, None, float("nan"), 2.5, float("inf"), 2.0**53, 2.0**54])
    assert column.filter(pl.Series(screening.keep)).to_list() == [1, 2**53]
    assert screening.rejects().select("row", "value", "reason").rows() == [
        (2, None, "missing id"),
        (3, "NaN", "missing id"),
        (4, "2.5", "id is not a whole number"),
        (5, "inf", "id is not a whole number"),
        (7, "1.8014398509481984e+16", "id is not a whole number"),
    ]


def test_categories_are_strings_and_an_empty_string_is_no_id():
    column, screening = ids(["a", "", None, "b"], pl.Categorical)
    assert column.filter(pl.Series(screening.keep)).to_list() == ["a", "b"]
    assert screening.rejects()["row"].to_list() == [2, 3]


@pytest.mark.parametrize("cells", [[True], [[1]], [b"x"], [Decimal("1.5")], [{"a": 1}]])
def test_other_types_are_no_ids(cells):
    with pytest.raises(
        DataError, match=r"events.csv: the ids in 'user_id' are .*; make them integers or strings"
    ):
        ids(cells)


def test_ids_become_strings_where_either_is():
    assert [c.to_list() for c in one_kind(pl.Series([1, 2]), pl.Series(["1", "x"]))] == [
        ["1", "2"],
        ["1", "x"],
    ]
    assert [c.to_list() for c in one_kind(pl.Series([1]), pl.Series([2]))] == [[1], [2]]


def test_numbers_are_finite_or_rejected():
    cells = ["1", " 2.5 ", "1e3", ".5", "", "  ", "four", "nan", "inf", "1e39", "1,5", "1_0"]
    column = pl.Series("value", cells)
    screening = screened(column)
    values = screen_numbers("events.csv", column, screening)
    np.testing.assert_array_equal(values[screening.keep], [1, 2.5, 1000, 0.5])
    assert dict(screening.rejects().select("value", "reason").rows()) == {
        "": "missing value",
        "  ": "missing value",
        "four": "unparsable value",
        "nan": "value is not finite",
        "inf": "value is not finite",
        "1e39": "value is not finite",
        "1,5": "value has a decimal comma",
        "1_0": "unparsable value",
    }


def test_truth_values_are_one_and_nought():
    column = pl.Series("value", [True, False, None])
    screening = screened(column)
    assert screen_numbers("events", column, screening)[screening.keep].tolist() == [1, 0]
    with pytest.raises(DataError, match=r"the column 'value' is Date; a value is a number"):
        screen_numbers("events", pl.Series("value", [1]).cast(pl.Date), screening)


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        (["1", "-2.5", None, "0", "0.5"], True),
        (["1", "x"], False),
        (["01234", "56789"], False),
        (["1", "inf"], False),
        ([None], False),
    ],
)
def test_codes_are_no_numbers(cells, numeric):
    assert is_numeric_text(pl.Series(cells, dtype=pl.String)) is numeric


def test_a_row_is_rejected_once_for_the_first_reason():
    column = pl.Series("a", ["x", "y", "z"])
    screening = screened(column)
    screening.reject(np.array([True, False, True]), "a", column, "first")
    screening.reject(np.array([True, True, False]), "a", column, "second")
    assert screening.rejects().drop("file", "record").rows() == [
        (1, None, "a", "x", "first"),
        (2, None, "a", "y", "second"),
        (3, None, "a", "z", "first"),
    ]
    assert not screening.keep.any()


def test_long_values_are_cut():
    column = pl.Series("a", ["é" * 300])
    screening = screened(column)
    screening.reject(np.array([True]), "a", column, "long")
    assert screening.rejects()["value"].to_list() == ["é" * 200]
