import csv
import io
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlist.data.import_report import DataWarning
from shortlist.data.read import check, read
from shortlist.errors import DataError, ParameterError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
STRANGE = st.sampled_from(
    ["007", 'say "hi"', "a\nb", "a\r\nb", "x,y", "a/b", " ", "é", "𝄞", "-0", str(2**53 + 1), str(2**64)]
)
FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("read")


def written(path, rows, header=("user_id", "item_id", "value", "timestamp")):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    path.write_bytes(text.getvalue().encode())
    return path


def triples(data):
    log = data.interactions
    users, items = data.users.ids_of(log.user_idx), data.items.ids_of(log.item_idx)
    return list(zip(users.to_list(), items.to_list(), log.value.tolist(), strict=True))


# --- ids -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(ANY_TEXT | STRANGE, STRANGE), min_size=1, max_size=8))
def test_string_ids_come_back_unchanged(folder, pairs):
    # One id that is no integer makes strings of all.
    pairs = [("x", "x"), *pairs]
    path = written(folder / "strings.csv", [(u, i, 1, n) for n, (u, i) in enumerate(pairs)])
    assert [(u, i) for u, i, _ in triples(read(path))] == pairs


@given(st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=8))
@example([(2**53 + 1, -(2**63)), (2**53, 2**63 - 1)])
def test_integer_ids_come_back_unchanged(folder, pairs):
    rows = [(u, i, 1, n) for n, (u, i) in enumerate(pairs)]
    frame = pl.DataFrame(pairs, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row")
    for source in (written(folder / "integers.csv", rows), frame):
        assert [(u, i) for u, i, _ in triples(read(source))] == pairs


def test_ids_are_strings_in_all_tables_where_they_are_in_one(folder):
    events = pl.DataFrame({"user": [1, 2], "item": [10, 11]})
    items = written(folder / "items.csv", [("10", "Ten"), ("x9", "Nine")], ("item_id", "title"))
    data = read(events, items=items)
    assert data.items.ids.to_list() == ["10", "11", "x9"]
    assert data.users.ids.to_list() == [1, 2]
    assert data.titles.to_list() == ["Ten", None, "Nine"]
    assert data.report.id_kinds == {"users": "integer", "items": "string"}


def test_a_rejected_row_does_not_decide_what_ids_are(folder):
    # A header that was appended again with the second half of the file.
    path = folder / "twice.csv"
    path.write_text("user_id,item_id,value\n1,7,4\nuser_id,item_id,value\n2,7,5\n")
    with pytest.warns(DataWarning, match="1 unparsable value"):
        data = read(path, scale=(1, 5))
    assert (data.users.kind, data.items.kind) == ("integer", "integer")


# --- sources ---------------------------------------------------------------------------------------------------

EVENTS = pl.DataFrame(
    {
        "user_id": ["b", "a", "b", "c"],
        "item_id": [3, 1, 2, 3],
        "value": [4.5, 0.5, 3.0, 5.0],
        "timestamp": [40, 30, 20, 10],
    }
)


def test_every_source_gives_the_same_dataset(folder):
    EVENTS.write_csv(folder / "events.csv")
    EVENTS.write_csv(folder / "events.tsv", separator="\t")
    EVENTS.write_csv(
        folder / "events.txt", separator=";", include_bom=True, line_terminator="\r\n", quote_style="always"
    )
    EVENTS.write_parquet(folder / "events.data")
    sources = [
        EVENTS,
        EVENTS.lazy(),
        EVENTS.to_arrow(),
        EVENTS.to_pandas(),
        EVENTS.to_pandas().set_index("user_id"),
        EVENTS.to_pandas().sort_values("value").sort_index(),
        EVENTS.rechunk()[:2].vstack(EVENTS[2:]),
        folder / "events.csv",
        str(folder / "events.tsv"),
        folder / "events.data",
    ]
    read_all = [read(source, scale=(0.5, 5)) for source in sources]
    read_all.append(read(folder / "events.txt", scale=(0.5, 5), delimiter=";"))
    assert {data.fingerprint for data in read_all} == {read_all[0].fingerprint}
    assert triples(read_all[0]) == [("c", 3, 5.0), ("b", 2, 3.0), ("a", 1, 0.5), ("b", 3, 4.5)]
    assert read(folder / "events.csv").name == "events"


def test_anything_with_an_arrow_stream_is_a_frame():
    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return EVENTS.to_arrow().__arrow_c_stream__(requested_schema)

    assert read(Stream(), scale=(0.5, 5)).fingerprint == read(EVENTS, scale=(0.5, 5)).fingerprint


def test_pandas_holds_integers_beside_nan_as_floats():
    frame = pd.DataFrame(
        {"user": [1.0, None, 3.0], "item": pd.Series([1, None, 3], dtype="Int64"), "rating": [1, 2, 3]}
    )
    with pytest.warns(DataWarning, match="1 of 3 rows of interactions rejected"):
        data = read(frame, scale=(1, 5))
    assert triples(data) == [(1, 1, 1.0), (3, 3, 3.0)]


def test_pandas_columns_of_mixed_types_are_refused():
    with pytest.raises(DataError, match=r"interactions: this DataFrame cannot be converted to Arrow"):
        read(pd.DataFrame({"user": [1, "x"], "item": [1, 2]}))


@pytest.mark.parametrize("source", [None, 3, [("u", "i")], {"user": ["a"]}])
def test_other_objects_are_refused(source):
    with pytest.raises(DataError, match=r"expected a path or a list of paths .*, a Query, or a frame"):
        read(source)


@pytest.mark.parametrize("bytes_", [b"BZh91AY", b"PK\x03\x04....", b"ARROW1\x00\x00"])
def test_files_of_other_formats_say_what_to_do(folder, bytes_):
    path = folder / "packed.csv"
    path.write_bytes(bytes_)
    with pytest.raises(DataError, match=r"packed\.csv is (compressed|a zip|an Arrow)"):
        read(path)


def test_a_truncated_parquet_file_is_named(folder):
    path = folder / "cut.parquet"
    EVENTS.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cut\.parquet: this Parquet file is damaged"):
        read(path)


def test_a_frame_without_rows_is_refused():
    with pytest.raises(DataError, match="interactions: there are no rows"):
        read(EVENTS.clear())


def test_a_query_that_fails_is_named():
    with pytest.raises(DataError, match="interactions: the query of this LazyFrame fails"):
        read(EVENTS.lazy().select("nothing"))
    with pytest.raises(DataError, match="interactions: cannot be read"):
        read(EVENTS.lazy().with_columns(value=pl.col("user_id").cast(pl.Float64)))


def test_only_the_columns_that_are_used_are_read():
    # The other column would fail if it were computed.
    broken = EVENTS.lazy().with_columns(other=pl.col("user_id").cast(pl.Int64))
    assert len(read(broken, scale=(0.5, 5)).interactions) == 4


# --- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "kind", "scale"),
    [
        ("value", [1, 1, 1], "events", None),
        ("value", [0, 1, 1], "binary", (0, 1)),
        ("value", [0.5, 3, 5], "ratings", (0.5, 5)),
        ("rating", [1, 500, 1000], "events", None),
        ("value", [3, 3, 3], "events", None),
        ("plays", [1, 2, 3], "events", None),
        ("Weight", [0.1, 2, 3], "events", None),
        ("colour", [1, 2, 3], "events", None),
    ],
)
def test_the_kind_is_inferred_and_said(column, values, kind, scale):
    data = read(pl.DataFrame({"user": ["a", "b", "c"], "item": [1, 2, 3], column: values}))
    assert (data.feedback.kind, data.feedback.scale) == (kind, scale)
    assert f"ASSUMED: {data.report.assumed}" in data.report.to_text()
    assert data.report.assumed


def test_what_is_declared_wins_and_nothing_is_assumed():
    for declared in (
        {"kind": "events"},
        {"scale": (0, 10)},
        {"kind": "ratings", "scale": (0, 10), "positive_from": 7},
    ):
        data = read(EVENTS, **declared)
        assert data.report.assumed == ""
    assert data.feedback.positive_from == 7
    assert read(EVENTS, kind="events", columns={"value": None}).interactions.value.tolist() == [1, 1, 1, 1]


def test_an_observed_scale_is_said_even_where_the_kind_is_declared():
    data = read(EVENTS, kind="ratings", positive_from=3)
    assert (data.feedback.scale, data.feedback.positive_from) == ((0.5, 5), 3)
    assert "observed" in data.report.assumed


@pytest.mark.parametrize(
    ("values", "declared", "reasons"),
    [
        ([1, 5.5, 0.4], {"scale": (0.5, 5)}, ["value off the scale"] * 2),
        ([1, 2, 0], {"kind": "binary"}, ["value is neither 0 nor 1"]),
        ([1, -2, 0], {"kind": "events"}, ["value is negative"]),
        ([1, math.nan, math.inf], {"kind": "events"}, ["value is not finite"] * 2),
    ],
)
def test_values_out_of_range_are_rejected(values, declared, reasons):
    frame = pl.DataFrame({"user": ["a", "b", "c"], "item": [1, 2, 3], "value": values}, strict=False)
    with pytest.warns(DataWarning):
        data = read(frame, **declared)
    assert data.report.rejects["reason"].to_list() == reasons


def test_contradictions_about_the_values_are_errors():
    pairs = EVENTS.select("user_id", "item_id")
    with pytest.raises(DataError, match="ratings need a column of values and none is recognised"):
        read(pairs, kind="ratings")
    with pytest.raises(DataError, match="ratings need a column of values"):
        read(pairs, scale=(1, 5))
    with pytest.raises(ParameterError, match="scale and positive_from belong to"):
        read(EVENTS, kind="events", scale=(1, 5))
    with pytest.raises(ParameterError, match="kind='likes' is not one of"):
        read(EVENTS, kind="likes")
    with pytest.raises(DataError, match="every rating in 'value' is 3; declare the scale"):
        read(EVENTS.with_columns(value=3), kind="ratings")
    with pytest.raises(DataError, match=r"holds values from -5 to -0.5; declare the scale and which ratings"):
        read(EVENTS.with_columns(value=-pl.col("value")))


# --- the log ---------------------------------------------------------------------------------------------------


def test_the_log_is_sorted_by_time_and_keeps_ties_and_repeats_in_order():
    frame = pl.DataFrame(
        {"user": [1, 1, 1, 1], "item": [1, 2, 1, 3], "timestamp": [9, 5, 5, 5], "value": [1, 2, 3, 4]}
    )
    data = read(frame, kind="events")
    assert triples(data) == [(1, 2, 2), (1, 1, 3), (1, 3, 4), (1, 1, 1)]
    assert data.report.repeats == 1
    assert data.interactions.timestamp.tolist() == [5_000_000] * 3 + [9_000_000]


def test_context_columns_stay_beside_their_events(folder):
    rows = [
        ("b", 1, "tv", "2", ""),
        ("a", 1, "", "1", "x"),
        ("", 1, "tv", "0", ""),
        ("c", 1, "web", "1.5", ""),
    ]
    path = written(folder / "context.csv", rows, ("user", "item", "device", "timestamp", "note"))
    with pytest.warns(DataWarning):
        data = read(path, context=["device", "timestamp", "note"])
    assert data.interactions.context.rows() == [(None, 1.0, "x"), ("web", 1.5, None), ("tv", 2.0, None)]
    typed = read(
        EVENTS.with_columns(place=pl.Series([[1], [2], [3], None])), scale=(0.5, 5), context=["place"]
    )
    assert typed.interactions.context["place"].to_list() == [None, [3], [2], [1]]


def test_ids_of_features_without_events_are_in_the_catalogue():
    items = pl.DataFrame({"id": [9, 1], "title": ["Nine", "One"]})
    users = pl.DataFrame({"user_id": ["a", "z"], "country": ["UK", "FR"]})
    data = read(EVENTS, items=items, users=users, scale=(0.5, 5))
    assert data.items.ids.to_list() == [1, 2, 3, 9]
    assert data.titles.to_list() == ["One", None, None, "Nine"]
    assert data.user_features.frame.rows() == [("a", "UK"), ("b", None), ("c", None), ("z", "FR")]
    assert data.report.without_events == {"users": 1, "items": 1}
    assert data.report.without_features == {"users": 2, "items": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"context": "place"}, "context must be a list"),
        ({"features": {"items": {"title": "text"}}}, "no such table is given: items="),
        ({"features": {"item": {}}}, "no table 'item', did you mean 'items'"),
        ({"columns": {"users": 3}}, "columns"),
        ({"kind": "ratings", "scale": (5, 1)}, "finite low < high"),
        ({"scale": (1, 2, 5)}, "scale must be"),
    ],
)
def test_wrong_parameters_are_named(arguments, message):
    with pytest.raises(ParameterError, match=message):
        read(EVENTS, **arguments)


def test_a_context_column_must_be_there():
    with pytest.raises(DataError, match="there is no column 'places', did you mean 'place'"):
        read(EVENTS.with_columns(place=1), context=["places"])


def test_all_rows_rejected_is_an_error_with_the_reasons(folder):
    path = folder / "dates.csv"
    path.write_text("user,item,date\n1,2,24/09/2018 14:27\n1,3,25/09/2018 14:27\n")
    with pytest.raises(
        DataError, match=r"none of the 2 rows can be used: 2 × unparsable timestamp\n  row 1 \(line 2\)"
    ):
        read(path)


# --- every row is kept or rejected -----------------------------------------------------------------------------

GOOD = st.tuples(
    st.sampled_from(["1", "2", "u3"]),
    st.sampled_from(["7", "8", 'i"9']),
    st.sampled_from(["0.5", "3", "5", " 4 "]),
    st.sampled_from(["964982703", "2018-09-24T14:27:30Z"]),
)
BAD_CELLS = [
    ["", "ok"],
    ["", "ok"],
    ["", "x", "nan", "inf", "6", "-1", "1,5", "0x1"],
    ["", "soon", "99999-01-01", "1e400"],
]
MISSING = {0: "missing id", 1: "missing id", 2: "missing value", 3: "missing timestamp"}


def cell_reason(column, cell):
    if column < 2:
        return None if cell else MISSING[column]
    if not cell.strip():
        return MISSING[column]
    if column == 2:
        try:
            number = float(cell.strip())
        except ValueError:
            return "value has a decimal comma" if cell == "1,5" else "unparsable value"
        if not math.isfinite(number):
            return "value is not finite"
        return None if 0.5 <= number <= 5 else "value off the scale"
    return None if cell in ("964982703", "2018-09-24T14:27:30Z") else "unparsable timestamp"


@given(st.lists(GOOD, min_size=1, max_size=20), st.data())
def test_counts_add_up_over_any_corruption(folder, rows, data):
    """The judge is plain Python, row by row: the first of id, value and time that is wrong is the reason."""
    lines, wanted, kept = [], [], []
    for number, row in enumerate(rows, start=1):
        cells, damage = (
            list(row),
            data.draw(st.sampled_from(["none", "none", "cell", "short", "long", "quote"])),
        )
        if damage == "cell":
            column = data.draw(st.integers(0, 3))
            cells[column] = data.draw(st.sampled_from(BAD_CELLS[column]))
        line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
        line = {"short": line[: line.rindex(",")], "long": line + ",9", "quote": '"' + line}.get(damage, line)
        lines.append(line)
        reason = {
            "short": "wrong number of fields",
            "long": "wrong number of fields",
            "quote": "unbalanced quotes",
        }.get(damage)
        reason = reason or next((r for c, cell in enumerate(cells) if (r := cell_reason(c, cell))), None)
        (kept.append(cells) if reason is None else wanted.append((number, number + 1, reason)))
    path = folder / "corrupt.csv"
    path.write_text("user_id,item_id,value,timestamp\n" + "\n".join(lines) + "\n")
    if not kept:
        with pytest.raises(DataError, match=f"none of the {len(rows)} rows can be used"):
            check(path, scale=(0.5, 5))
        return
    report = check(path, scale=(0.5, 5))
    (table,) = report.tables
    assert report.rejects.select("row", "line", "reason").rows() == wanted
    assert (table.rows_read, table.rows_kept) == (len(rows), len(kept))
    assert table.rows_read == table.rows_kept + table.rows_rejected
    assert report.n_events == len(kept)


def test_a_broken_row_among_many_is_found(folder, rng):
    n = 50_000
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(1, 500, n),
            "item_id": rng.integers(1, 900, n),
            "value": rng.integers(1, 6, n),
            "timestamp": [FIRST_DAY + timedelta(seconds=int(s)) for s in rng.integers(0, 10**8, n)],
        }
    )
    lines = frame.write_csv().splitlines(keepends=True)
    broken = {10: '"1,2,3\n', 20_000: "1,2\n", 40_000: "1,2,x,2020-01-01\n", 49_999: "1,2,3,never\n"}
    for row, text in broken.items():
        lines[row] = text
    path = folder / "many.csv"
    path.write_text("".join(lines))
    with pytest.warns(DataWarning):
        data = read(path, scale=(1, 5))
    assert data.report.rejects["row"].to_list() == list(broken)
    assert data.report.rejects["line"].to_list() == [row + 1 for row in broken]
    good = frame.with_row_index().filter(~pl.col("index").is_in([row - 1 for row in broken]))
    assert data.fingerprint == read(good.drop("index"), scale=(1, 5)).fingerprint
    assert np.all(np.diff(data.interactions.timestamp) >= 0)


def test_arrow_dictionaries_are_strings():
    table = pa.table({"user": pa.array(["a", "b"]).dictionary_encode(), "item": [1, 2]})
    assert read(table).users.ids.to_list() == ["a", "b"]
