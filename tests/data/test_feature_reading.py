from datetime import UTC, date, datetime

import polars as pl
import pytest

from shortlist.data.feature_reading import FeatureSpec, infer_spec, read_features
from shortlist.data.tables import open_table
from shortlist.errors import DataError, ParameterError


def read_csv(tmp_path, text, **specs):
    path = tmp_path / "items.csv"
    path.write_text(text)
    declared = {column: FeatureSpec.of(column, spec) for column, spec in specs.items()}
    return read_features(open_table(path, "items"), "items", None, declared)


def read_frame(frame, **specs):
    declared = {column: FeatureSpec.of(column, spec) for column, spec in specs.items()}
    return read_features(open_table(pl.DataFrame(frame), "items"), "items", None, declared)


def rejects(rows):
    return rows.report.rejects.select("row", "line", "column", "value", "reason").rows()


def test_kinds_are_inferred_from_the_cells(tmp_path):
    rows = read_csv(
        tmp_path,
        "movieId,title,genres,year,seen,colour,zip,mood\n"
        "1,1984,Drama|War,1984,1984-10-10,red,01234,a|b\n"
        "2,300,,2006,,blue,56789,c\n"
        "3,,Drama,,2007-03-01T10:00:00+01:00,,99999,d\n",
    )
    assert rows.kinds == {
        "title": "text",
        "genres": "tags",
        "year": "numeric",
        "seen": "time",
        "colour": "categorical",
        "zip": "categorical",
        "mood": "categorical",
    }
    assert rows.ids.to_list() == [1, 2, 3]
    assert rows.features.rows() == [
        ("1984", ["Drama", "War"], 1984.0, datetime(1984, 10, 10, tzinfo=UTC), "red", "01234", "a|b"),
        ("300", [], 2006.0, None, "blue", "56789", "c"),
        (None, ["Drama"], None, datetime(2007, 3, 1, 9, tzinfo=UTC), None, "99999", "d"),
    ]
    assert [use.meaning for use in rows.report.columns] == [
        "", "text", "tags, separated by |", "numeric", "time", "categorical", "categorical", "categorical",
    ]  # fmt: skip


def test_typed_columns_say_what_they_are():
    rows = read_frame(
        {
            "item_id": ["a", "b"],
            "n": [1, None],
            "x": [float("nan"), 2.5],
            "flag": [True, False],
            "day": [date(2020, 1, 1), None],
            "tags": [["u", "", "v"], None],
            "group": pl.Series(["g", "h"], dtype=pl.Categorical),
            "blob": [b"1", b"2"],
        }
    )
    assert list(rows.kinds.values()) == ["numeric", "numeric", "categorical", "time", "tags", "categorical"]
    assert rows.features.rows() == [
        (1.0, None, "true", datetime(2020, 1, 1, tzinfo=UTC), ["u", "v"], "g"),
        (None, 2.5, "false", None, None, "h"),
    ]
    assert rows.report.notes == ("blob is left out: it is Binary, which is no kind of feature",)
    assert rows.report.unused == ("blob",)


def test_a_column_is_what_it_is_declared_to_be(tmp_path):
    rows = read_csv(
        tmp_path,
        "item_id,year,genres,code,junk,when\n7,1984, a ; b;;a ,5,x,86400\n",
        year="categorical",
        genres={"kind": "tags", "separator": ";"},
        code="text",
        junk="ignore",
        when="time",
    )
    assert rows.features.rows() == [("1984", ["a", "b", "a"], "5", datetime(1970, 1, 2, tzinfo=UTC))]
    assert rows.report.unused == ("junk",)


def test_rows_are_rejected_for_what_they_break(tmp_path):
    rows = read_csv(
        tmp_path,
        "item_id,price,seen\n1,5,2020-01-01\n,5,\n3,cheap,\n4,inf,\n5,,yesterday\n1,7,\n3,6,\n6\n",
        price="numeric",
        seen="time",
    )
    assert rejects(rows) == [
        (2, 3, "item_id", "", "missing id"),
        (3, 4, "price", "cheap", "unparsable number"),
        (4, 5, "price", "inf", "number is not finite"),
        (5, 6, "seen", "yesterday", "unparsable time"),
        (6, 7, "item_id", "1", "an earlier row has this id"),
        (8, 9, None, "6", "wrong number of fields"),
    ]
    # Row 7 is the first good one of id 3: the rejected row 3 does not shadow it.
    assert rows.ids.to_list() == [1, 3]
    assert rows.features["price"].to_list() == [5.0, 6.0]
    report = rows.report
    assert (report.rows_read, report.rows_kept, report.rows_rejected) == (8, 2, 6)


def test_a_rejected_row_does_not_change_what_a_column_is(tmp_path):
    rows = read_csv(tmp_path, "item_id,year\n1,1984\n,unknown\n")
    assert rows.kinds == {"year": "numeric"}


def test_a_table_may_be_ids_alone(tmp_path):
    rows = read_csv(tmp_path, "item_id\n1\n2\n")
    assert (rows.ids.to_list(), rows.features.width, rows.kinds) == ([1, 2], 0, {})


def test_a_feature_cannot_be_called_id():
    rows = read_frame({"item_id": [1], "id": ["x"], "size": [3]})
    assert rows.kinds == {"size": "numeric"}
    assert rows.report.notes[0].startswith("id is left out")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("texts", "has the kind 'texts', did you mean 'text'"),
        ({"kind": "text", "separator": "|"}, r"separator='\|' belongs to kind=\"tags\""),
        ({"kind": "tags", "separator": ""}, "separator=''"),
        ({"separator": "|"}, "must be a kind such as"),
        (3, "got 3"),
    ],
)
def test_a_wrong_declaration_says_what_is_right(spec, message):
    with pytest.raises(ParameterError, match=message):
        FeatureSpec.of("genres", spec)


def test_a_declared_column_must_be_there():
    with pytest.raises(DataError, match="there is no column 'genre', did you mean 'genres'"):
        read_frame({"item_id": [1], "genres": ["a"]}, genre="tags")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([[1]], "text"),
        ([[1]], "numeric"),
        ([[1]], "categorical"),
        ([[[1]]], "tags"),
        ([1], "tags"),
        ([True], "time"),
    ],
)
def test_a_type_that_cannot_be_the_declared_kind_is_refused(cells, kind):
    with pytest.raises(DataError, match="items: the column 'x' is"):
        read_frame({"item_id": [1], "x": cells}, x=kind)


def test_all_rows_rejected_is_an_error(tmp_path):
    with pytest.raises(
        DataError, match=r"none of the 2 rows can be used: 2 × missing id\n  row 1 \(line 2\)"
    ):
        read_csv(tmp_path, "item_id,x\n,1\n,2\n")


def test_an_empty_column_is_categorical():
    assert infer_spec(pl.Series("x", ["", None])).kind == "categorical"
    assert infer_spec(pl.Series("x", [None, None])).kind == "categorical"
