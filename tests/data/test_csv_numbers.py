"""Numbers read from the bytes of a CSV, against Python's own reading of the cells."""

import csv
import io
import math
import re
from contextlib import contextmanager
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortlist import threads
from shortlist.data import csv_numbers, csv_survey, csv_texts
from shortlist.data.cells import to_numbers
from shortlist.data.csv_file import CsvTable
from shortlist.data.timestamps import ISO, read_times

INT64 = st.integers(-(2**63), 2**63 - 1)
NEARLY_WHOLE = st.sampled_from(
    [
        "007",
        "+7",
        "7.0",
        "-0",
        "-",
        "0x7",
        "1e3",
        " 7",
        "7 ",
        "9223372036854775808",
        "-9223372036854775809",
        "٣",
        "7\r",
    ]
)
WHOLE = st.integers(-20, 20).map(str) | INT64.map(str) | st.just("")
DIGITS = st.text("0123456789", min_size=1, max_size=18)
PLAIN = st.builds(
    lambda sign, a, b: f"{sign}{a}" + b,
    st.sampled_from(["", "-"]),
    DIGITS,
    st.just("") | DIGITS.map(lambda d: "." + d),
)
NUMBER = (
    PLAIN
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(
        ["", " 4.5", "3 ", "+2", ".5", "5.", "1E-3", "-0", "-0.0", "0.1", "4.35", "000000000000000001"]
    )
)
NO_NUMBER = st.sampled_from(["abc", "1,5", "--1", "-", ".", "nan", "inf", "1_0", "4.5 stars", "1e", '"', " "])
CHUNK = st.integers(1, 60) | st.just(csv_survey.CHUNK)


def table_of(columns, quoting=csv.QUOTE_MINIMAL, line_end="\n", final=True, junk=()):
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, lineterminator=line_end)
    writer.writerow([f"c{n}" for n in range(len(columns))])
    rows = list(zip(*columns, strict=True))
    for at, row in enumerate(rows):
        if at in junk:
            text.write("one field too many" + "," * len(columns) + line_end)
        writer.writerow(row)
    content = text.getvalue() if final else text.getvalue().removesuffix(line_end)
    return CsvTable.of("numbers", np.frombuffer(content.encode(), np.uint8), ",")


@contextmanager
def running(chunk, n_threads, most=1000):
    before = threads.num_threads()
    threads.set_num_threads(n_threads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_survey, "CHUNK", chunk)
        patch.setattr(csv_numbers, "MOST_UNCLEAN", most)
        yield
    threads.set_num_threads(before)


def is_whole(text):
    return re.fullmatch(r"0|-?[1-9][0-9]*", text) is not None and -(2**63) <= int(text) < 2**63


@settings(max_examples=300)
@given(
    st.lists(st.tuples(WHOLE, NUMBER, st.text('ab\n"é', max_size=3)), min_size=1, max_size=30),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sets(st.integers(0, 30)),
    CHUNK,
    st.integers(1, 3),
)
@example(
    [("1", "4.35", ""), ("-9223372036854775808", "-0.0", "a"), ("", "", "")],
    csv.QUOTE_ALL,
    "\n",
    True,
    {1},
    1,
    2,
)
@example([("0", "0.00", "\n")], csv.QUOTE_MINIMAL, "\n", True, set(), csv_survey.CHUNK, 1)
@example(
    [("1", "6.4708321257442331", ""), ("2", "103.03515748823385", ""), ("3", "89146200212010439.9", "")],
    csv.QUOTE_MINIMAL,
    "\n",
    True,
    set(),
    60,
    1,
)
def test_values_are_those_of_python(rows, quoting, line_end, final, junk, chunk, n_threads):
    columns = list(zip(*rows, strict=True))
    with running(chunk, n_threads):
        table = table_of(columns, quoting, line_end, final, junk)
        frame = table.load(["c1", "c0", "c2"], {"c0": "id", "c1": "number"})
    assert frame.columns == ["c1", "c0", "c2"]
    assert frame.dtypes == [pl.Float64, pl.Int64, pl.String]
    assert frame["c0"].to_list() == [int(text) if text else None for text in columns[0]]
    floats = [float(text) if text else None for text in columns[1]]
    assert frame["c1"].to_list() == floats
    negative = [n is not None and math.copysign(1, n) < 0 for n in floats]
    assert [n is not None and math.copysign(1, n) < 0 for n in frame["c1"].to_list()] == negative
    assert tuple(frame["c2"].to_list()) == columns[2]


@given(
    st.lists(st.tuples(WHOLE, NUMBER), min_size=1, max_size=30),
    st.data(),
    CHUNK,
    st.integers(1, 3),
)
def test_a_column_with_another_cell_keeps_its_text(rows, data, chunk, n_threads):
    at = data.draw(st.integers(0, len(rows) - 1))
    columns = [list(column) for column in zip(*rows, strict=True)]
    spoiled = data.draw(st.integers(0, 1))
    columns[spoiled][at] = data.draw((NEARLY_WHOLE, NO_NUMBER)[spoiled])
    with running(chunk, n_threads):
        frame = table_of(columns, csv.QUOTE_ALL).load(["c0", "c1"], {"c0": "id", "c1": "number"})
    # An id with a quote in it is read as text; others as the texts that occur.
    assert frame.dtypes[spoiled] in ((pl.Enum, pl.String), (pl.String,))[spoiled]
    assert frame.dtypes[1 - spoiled] == (pl.Float64, pl.Int64)[spoiled]
    assert frame.to_series(spoiled).to_list() == columns[spoiled]


@given(st.text("0123456789-+. ", min_size=1, max_size=21) | NEARLY_WHOLE | INT64.map(str))
def test_an_id_is_a_number_where_int64_prints_itself_so(text):
    frame = table_of([[text], ["x"]], csv.QUOTE_ALL).load(["c0"], {"c0": "id"})
    assert frame.dtypes == [pl.Int64 if is_whole(text) else pl.Enum]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 10), CHUNK, st.integers(1, 3))
def test_too_many_unusual_cells_make_a_column_text(unusual, most, chunk, n_threads):
    cells = [" 1" if odd else "1" for odd in unusual]
    with running(chunk, n_threads, most):
        frame = table_of([cells, ["x"] * len(cells)]).load(["c0"], {"c0": "number"})
    assert frame.dtypes == [pl.String if sum(unusual) > most else pl.Float64]


def test_a_column_that_is_not_asked_for_as_numbers_stays_text():
    table = table_of([["1", "2"], ["3", "4"]])
    assert table.load(["c0", "c1"], {"c1": "id"}).rows() == [("1", 3), ("2", 4)]
    assert table.load(["c0"], {"c1": "id"}).rows() == [("1",), ("2",)]


def test_no_rows_are_columns_of_text():
    table = CsvTable.of("numbers", np.frombuffer(b"a,b\n1\n", np.uint8), ",")
    assert table.load(["a", "b"], {"a": "id"}).schema == {"a": pl.String, "b": pl.String}


IDS = st.sampled_from(["", "a", "b", "item-10", "item-9", "é", " a", "7", "\r", ","]) | st.text(max_size=3)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(IDS, st.sampled_from(["1", "x"])), min_size=1, max_size=40),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sets(st.integers(0, 40)),
    CHUNK,
    st.integers(1, 3),
)
def test_ids_of_text_are_those_of_the_file(rows, quoting, line_end, final, junk, chunk, n_threads):
    columns = [*zip(*rows, strict=True)]
    with running(chunk, n_threads):
        frame = table_of(columns, quoting, line_end, final, junk).load(["c1", "c0"], {"c0": "id"})
    column = frame["c0"]
    if column.dtype == pl.Int64:
        assert all(text == "" or is_whole(text) for text in columns[0])
        return
    assert tuple(column.cast(pl.String).to_list()) == columns[0]
    if column.dtype == pl.Enum:
        assert column.dtype.categories.to_list() == sorted(set(columns[0]))
    else:
        assert any('"' in text or "\n" in text for text in columns[0])


def test_more_ids_than_the_first_table_holds():
    ids = [f"item-{number * number % 20_011}" for number in range(50_000)]
    frame = table_of([ids, ["x"] * len(ids)]).load(["c0"], {"c0": "id"})
    assert frame["c0"].dtype == pl.Enum
    assert frame["c0"].cast(pl.String).to_list() == ids


def test_ids_that_hardly_repeat_stay_strings(monkeypatch):
    monkeypatch.setattr(csv_texts, "MOST_DISTINCT", 2)
    for n, dtype in (2, pl.Enum), (5, pl.String):
        ids = [f"item-{number}" for number in range(n)]
        frame = table_of([ids, ["x"] * n]).load(["c0"], {"c0": "id"})
        assert frame["c0"].dtype == dtype
        assert frame["c0"].cast(pl.String).to_list() == ids


@given(st.lists(NUMBER | NO_NUMBER, min_size=1, max_size=30), CHUNK, st.integers(1, 3))
def test_values_are_numbers_and_others_null(cells, chunk, n_threads):
    with running(chunk, n_threads):
        column = table_of([cells, ["x"] * len(cells)], csv.QUOTE_ALL).load(["c0"], {"c0": "value"})["c0"]
    wanted = to_numbers(pl.Series(cells))
    assert column.dtype == pl.Float64
    assert column.rename("").equals(wanted.rename(""), null_equal=True)


DIGIT_PAIR = st.integers(0, 99).map("{:02}".format)
DAY = st.builds(
    "{}-{}-{}".format,
    st.integers(0, 9999).map("{:04}".format)
    | st.sampled_from(["0001", "1900", "2000", "2024", "9999", "+2018"]),
    st.integers(0, 13).map("{:02}".format),
    st.integers(0, 32).map("{:02}".format),
)
CLOCK = st.builds(
    "{}{}:{}{}".format,
    st.sampled_from(["T", " ", "t", "  ", ""]),
    st.integers(0, 25).map("{:02}".format),
    st.sampled_from(["00", "59", "60", "7"]) | DIGIT_PAIR,
    st.just("") | st.sampled_from(["00", "59", "60", "61", "7", ""]).map(":{}".format),
)
FRACTION = st.just("") | st.text("0123456789", max_size=12).map(".{}".format)
ZONE = st.sampled_from(["", "Z", "z", " UTC", " Z", "+", "-00:00", "+0", "+00:0", "+1:00"]) | st.builds(
    "{}{}{}{}".format, st.sampled_from("+-"), DIGIT_PAIR, st.sampled_from(["", ":"]), st.just("") | DIGIT_PAIR
)
MOMENT = st.builds("{}{}{}{}".format, DAY, CLOCK, FRACTION, ZONE) | DAY
CANONICAL = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)


@settings(max_examples=150)
@given(
    st.lists(
        MOMENT | CANONICAL | st.sampled_from(["", " ", "2018", "noon", "1e9", " 2018-09-24 "]), max_size=5
    )
)
@example(["2000-02-29", "1900-02-29", "2024-02-29", "2023-02-29", "2024-02-30", "2018-04-31", "2018-12-31"])
@example(
    ["2018-09-24T14:27:00-01:30", "2018-09-24 14:27+0130", "2018-09-24T14:27:00+02", "2018-09-24T14:27Z"]
)
@example(["2018-09-24T24:00:00", "2018-09-24T23:60", "2016-12-31T23:59:60Z", "2018-09-24T14:27:61"])
@example(
    [
        "0001-01-01T00:00+01:00",
        "9999-12-31T23:59:59.9999999-01:00",
        "0000-12-31",
        "1969-12-31T23:59:59.9999999",
    ]
)
def test_times_are_those_of_the_slower_reader(cells):
    cells = ["2018-09-24T14:27:00Z", *cells]
    column = table_of([cells, ["x"] * len(cells)], csv.QUOTE_ALL).load(["c0"], {"c0": "time"})["c0"]
    if column.dtype == pl.String:
        assert pl.Series(cells).str.strip_chars().cast(pl.Float64, strict=False).is_not_null().any()
        return
    wanted, read = (read_times("numbers", cell) for cell in (pl.Series(cells), column))
    assert column.dtype == pl.Datetime("us", "UTC")
    assert read.readable.tolist() == wanted.readable.tolist()
    assert read.microseconds.tolist() == wanted.microseconds.tolist()
    assert wanted.meaning == ISO


def test_a_column_of_few_moments_is_not_guessed():
    # What no cell says is a time may as well be numbers that are broken.
    for cells in ["noon"], ["2018-09-24", "964982703"]:
        assert table_of([cells, ["x"] * len(cells)]).load(["c0"], {"c0": "time"}).dtypes == [pl.String]


def test_a_very_long_id_makes_strings_of_all():
    for length, dtype in (65_535, pl.Enum), (65_536, pl.String):
        column = table_of([["a", "x" * length], ["x", "x"]]).load(["c0"], {"c0": "id"})["c0"]
        assert column.dtype == dtype
        assert column.cast(pl.String).to_list() == ["a", "x" * length]
