import csv
import io
import os
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from oracles import csv_records as oracle

from shortlist.data import csv_survey
from shortlist.data.csv_file import CsvTable
from shortlist.errors import DataError, ParameterError

# Pieces that make broken quoting, ragged records and odd line ends likely.
PIECES = st.sampled_from(
    [
        "a",
        "1",
        '"',
        '""',
        ",",
        "\n",
        "\r\n",
        "\r",
        " ",
        "é",
        "\t",
        "/",
        '"a"',
        '"b\nc"',
        ',"',
        '",',
        "x,y,z\n",
        '"q",2,3\n',
    ]
)
CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(
    ['"', "a\nb", "x,y", "\r", "é"]
)


# Bytes that one thread takes at a time.
CHUNK = st.integers(1, 40) | st.just(csv_survey.CHUNK)


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "events.csv"

    def written(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@contextmanager
def cut_every(chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_survey, "CHUNK", chunk)
        yield


def rows_of(table):
    frame = table.load(table.columns)
    places = table.place(np.arange(frame.height))
    return list(zip(places.row.tolist(), places.line.tolist(), map(list, frame.rows()), strict=True))


def rejects_of(table):
    return table.rejects.select("row", "line", "value").rows()


@settings(max_examples=300)
@given(
    st.integers(1, 3),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(PIECES, min_size=1, max_size=60),
    st.booleans(),
    CHUNK,
)
@example(3, "\n", list('1,"a,3\n4,5,6\n7,"b",9\n'), False, 1)
@example(2, "\n", ["\r", "a", ",", "\r", "\n"], True, 1)
@example(2, "\n", ['1,"xxxxx\ny"\n3,4\n'], False, 8)
@example(1, "\r\n", ["a" * 9, "\r\n", "\r\n", "b", "\r\n"], False, 5)
def test_rows_and_rejects_are_those_of_the_slow_reader(write, n_fields, line_end, pieces, bom, chunk):
    text = ",".join("abc"[:n_fields]) + line_end + "".join(pieces)
    rows, rejects = oracle.parse(text, ",", n_fields)
    path = write("\ufeff" * bom + text)
    if not rows and not rejects:
        with pytest.raises(DataError, match="no row below it"):
            CsvTable.open(path, ",")
        return
    with cut_every(chunk):
        table = CsvTable.open(path, ",")
    assert rows_of(table) == rows
    assert rejects_of(table) == rejects
    assert table.survey.n_records == len(rows) + len(rejects)


@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_pythons_csv_module_writes_comes_back(write, cells, delimiter, line_end, quoting):
    # Unquoted, a carriage return at the end of a line is part of the line end.
    assume(quoting == csv.QUOTE_ALL or not any("\r" in cell for pair in cells for cell in pair))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([("first", "second"), *cells])
    table = CsvTable.open(write(text.getvalue()), delimiter)
    assert table.rejects.is_empty()
    assert table.load(["first", "second"]).rows() == cells


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=30), st.data())
def test_a_broken_record_costs_no_other(write, cells, data):
    # No line feed inside a cell: then a record is a line, and a stray quote can reach no further.
    clean = [[cell.replace("\n", "") for cell in row] for row in cells]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(clean)
    lines = text.getvalue().split("\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.sampled_from(['"', '1,"2,3', "1,2", "1,2,3,4", '"1"2,3,4', '1,2,3,"', " "]))
    table = CsvTable.open(write("a,b,c\n" + "\n".join(lines) + "\n"), ",")
    assert [cells for _, _, cells in rows_of(table)] == clean[:at] + clean[at + 1 :]
    assert rejects_of(table) == [(at + 1, at + 2, lines[at])]


def test_rejects_say_what_is_wrong(write):
    table = CsvTable.open(write('a,b\n1,2\n1,2,3\n\n"x\n5,6\n'), ",")
    assert table.rejects.drop("file", "record").rows() == [
        (2, 3, None, "1,2,3", "wrong number of fields"),
        (3, 5, None, '"x', "unbalanced quotes"),
    ]
    assert rows_of(table) == [(1, 2, ["1", "2"]), (4, 6, ["5", "6"])]


def test_line_numbers_count_line_ends_inside_quotes(write):
    table = CsvTable.open(write('a,b\n1,"x\ny\nz"\n2,3\n4\n'), ",")
    assert rows_of(table) == [(1, 2, ["1", "x\ny\nz"]), (2, 5, ["2", "3"])]
    assert rejects_of(table) == [(3, 6, "4")]


def test_a_header_may_hold_line_ends_and_quotes(write):
    table = CsvTable.open(write('\n"a\n1","b""2",c"3\nx,y,z\n'), ",")
    assert table.columns == ["a\n1", 'b"2', 'c"3']
    assert rows_of(table) == [(1, 4, ["x", "y", "z"])]


def test_lines_may_end_in_carriage_return_alone(write):
    table = CsvTable.open(write("a,b\r1,2\r3,4\r"), ",")
    assert rows_of(table) == [(1, 2, ["1", "2"]), (2, 3, ["3", "4"])]


def test_columns_are_loaded_in_the_order_asked(write):
    assert CsvTable.open(write("a,b,c\n1,2,3\n"), ",").load(["c", "a"]).rows() == [("3", "1")]


def test_a_file_read_from_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a,b\n1,2\n",))
    writer.start()
    table = CsvTable.open(pipe, ",")
    writer.join()
    assert rows_of(table) == [(1, 2, ["1", "2"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\r\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"a,b\n", r"header \(a, b\) and no row below"),
        (b"a,b\n\n\n", "no row below"),
        (b'"a,b\n1,2\n', "line 1: the quotes of the header"),
        (b"a,b,a\n1,2,3\n", "two columns are called 'a'"),
        (b"user;item\n1;2\n", r"separated by ';': pass delimiter=';'"),
        (b"user\titem\n1\t2\n", r"pass delimiter='\\t'"),
        (b"user::item\n1::2\n", "separate the columns by one character"),
        (
            b"a,b\n1,2\n3,caf\xe9\n",
            'line 3: byte 0xe9 is not UTF-8; name the encoding.*encoding="windows-1252"',
        ),
        (b"a,b\n1,2\n3,\xc3", "line 3: byte 0xc3 is not UTF-8"),
    ],
)
def test_unusable_files_say_what_to_do(write, content, message):
    path = write(content)
    with pytest.raises(DataError, match=message) as caught:
        CsvTable.open(path, ",")
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no file .*nothing\.csv"):
        CsvTable.open(tmp_path / "nothing.csv", ",")
    with pytest.raises(DataError, match=f"cannot read {tmp_path}"):
        CsvTable.open(tmp_path, ",")


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "é"])
def test_a_delimiter_is_one_ascii_character(write, delimiter):
    with pytest.raises(ParameterError, match="delimiter="):
        CsvTable.open(write("a,b\n1,2\n"), delimiter)


@pytest.mark.parametrize("chunk", [1, 4, 9, 1 << 22])
def test_utf8_is_checked_in_every_chunk(write, monkeypatch, chunk):
    monkeypatch.setattr(csv_survey, "CHUNK", chunk)
    good = "a,b\n" + "é,€𝄞\n" * 5
    assert len(rows_of(CsvTable.open(write(good), ","))) == 5
    for cut in range(5, 30):
        broken = good.encode()[:cut] + b"\xff" + good.encode()[cut:]
        with pytest.raises(DataError, match="is not UTF-8") as caught:
            CsvTable.open(write(broken), ",")
        start = error_start(broken)
        assert f"line {1 + broken[:start].count(10)}: byte 0x{broken[start]:02x} " in str(caught.value)


def error_start(content):
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError("the bytes are UTF-8")


def test_quotes_that_chain_over_all_lines_take_linear_time(write):
    # Each line closes the field of the line before and opens another: a restart must not read on to the end.
    def seconds(n):
        path = write("a,b\n" + 'y","z\n' * n)
        start = time.process_time()  # others may be at work on this machine
        CsvTable.open(path, ",")
        return time.process_time() - start

    seconds(10)
    assert seconds(200_000) < 200 * max(seconds(2_000), 1e-3)
