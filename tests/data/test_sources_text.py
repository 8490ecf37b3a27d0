"""Text files however they are packed and encoded, and JSON Lines."""

import bz2
import gzip
import json
import os
import threading

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shortlist.data import json_lines
from shortlist.data.read import check, read
from shortlist.data.tables import open_table
from shortlist.errors import DataError, ParameterError

CSV = 'user,item,value,timestamp\nann,é/"tea",3,5\nbob,jam,4,6\n'.replace('é/"tea"', '"é/""tea"""')
PACKED = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip of two members": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "zstd": zstandard.compress,
    "zstd of two frames": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
    "zstd after a skippable frame": lambda data: b"\x50\x2a\x4d\x18\x02\0\0\0xx" + zstandard.compress(data),
    "zstd of unknown size": lambda data: b"".join(
        (out := zstandard.ZstdCompressor().compressobj(), [out.compress(data), out.flush()])[1]
    ),
}


def pairs(source, **how):
    data = read(source, kind="events", **how)
    users, items = (
        vocabulary.ids_of(index).to_list()
        for vocabulary, index in (
            (data.users, data.interactions.user_idx),
            (data.items, data.interactions.item_idx),
        )
    )
    return list(zip(users, items, strict=True))


def table_of(path, lines):
    path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
    return open_table(path, "interactions")


# --- packed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.CSV.zst", "events.parquet"])
def test_packed_text_is_known_by_its_first_bytes(tmp_path, pack, name):
    (tmp_path / name).write_bytes(pack(CSV.encode()))
    assert pairs(tmp_path / name) == [("ann", 'é/"tea"'), ("bob", "jam")]


@pytest.mark.parametrize("name", ["a.tsv.gz", "a.tab.zst", "a.TSV"])
def test_the_suffix_below_that_of_the_packing_says_the_delimiter(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(b"user\titem\n1\t2\n"))
    assert pairs(tmp_path / name) == [(1, 2)]


def test_a_pipe_may_be_packed(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(CSV.encode()),))
    thread.start()
    assert len(pairs(pipe)) == 2
    thread.join()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_every_cut_of_a_packed_file_is_an_error(tmp_path, pack):
    packed, path = pack(CSV.encode()), tmp_path / "events.csv"
    for n in range(4, len(packed)):
        path.write_bytes(packed[:n])
        with pytest.raises(DataError, match=r"events\.csv: the \w+ file (ends too early|is damaged)"):
            check(path)


CHECKED = zstandard.ZstdCompressor(write_checksum=True).compress(CSV.encode())


@pytest.mark.parametrize("packed", [gzip.compress(CSV.encode()), CHECKED], ids=["gzip", "zstd"])
def test_damage_and_what_follows_the_end_are_errors(tmp_path, packed):
    path = tmp_path / "events.csv"
    for damaged in (packed[:-2] + bytes([packed[-2] ^ 1]) + packed[-1:], packed + b"rubbish"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="file is damaged"):
            check(path)


def test_other_packings_say_what_to_do(tmp_path):
    path = tmp_path / "events.csv.bz2"
    path.write_bytes(bz2.compress(CSV.encode()))
    with pytest.raises(DataError, match="is compressed with bzip2: unpack it, or pack it with gzip or zstd"):
        check(path)


# --- encodings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("declared", [None, "latin-1"])
def test_a_byte_order_mark_says_the_encoding(tmp_path, encoding, declared):
    (tmp_path / "a.csv").write_bytes(CSV.encode(encoding))
    assert pairs(tmp_path / "a.csv", encoding=declared)[0] == ("ann", 'é/"tea"')


def test_utf16_is_known_in_either_order_of_bytes(tmp_path):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        (tmp_path / "a.csv").write_bytes(mark + CSV.encode(encoding))
        assert pairs(tmp_path / "a.csv")[0] == ("ann", 'é/"tea"')


@pytest.mark.parametrize("encoding", ["latin-1", "windows-1252", "ISO-8859-15", "utf-16-le", "cp437"])
def test_a_declared_encoding_is_used_for_all_text(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes(CSV.encode(encoding))
    (tmp_path / "a.jsonl").write_bytes('{"user": "é", "item": 1}\n'.encode(encoding))
    assert pairs(tmp_path / "a.csv", encoding=encoding)[0] == ("ann", 'é/"tea"')
    assert pairs(tmp_path / "a.jsonl", encoding=encoding) == [("é", 1)]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), min_size=1, max_size=9))
@settings(max_examples=50)
def test_characters_cut_by_a_chunk_survive(tmp_path_factory, text):
    from shortlist.data import text_bytes

    data = np.frombuffer(text.encode("utf-16"), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_bytes, "CHUNK", 3)
        assert text_bytes.as_utf8("a", data, None).tobytes().decode() == text


def test_text_in_an_undeclared_encoding_names_the_option(tmp_path):
    for name, text in (("a.csv", "user,item\n1,é\n"), ("a.jsonl", '{"user": 1}\n{"item": "é"}\n')):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
        with pytest.raises(DataError, match=r'line 2: byte 0xe9 is not UTF-8; name the .*encoding="windows'):
            check(tmp_path / name)


def test_a_wrong_encoding_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"user,item\n1,\x81\n")
    with pytest.raises(DataError, match=r"line 1 or soon after: not cp1252: .*0x81.*is the encoding right"):
        check(tmp_path / "a.csv", encoding="windows-1252")


@pytest.mark.parametrize("encoding", ["latin-eins", "base64", "rot13", "a\0b"])
def test_an_encoding_that_is_none_is_refused(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes(b"user,item\n1,2\n")
    with pytest.raises(ParameterError, match="is no encoding; write one such as"):
        check(tmp_path / "a.csv", encoding=encoding)


# --- JSON Lines ------------------------------------------------------------------------------------------------

JSON_ID = st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
CELL = st.none() | JSON_ID | st.booleans() | st.floats(allow_nan=False, allow_infinity=False, width=32)
BAD = st.sampled_from(
    ["5", "null", '["a"]', "{", '{"a":}', '{"a":1}{"a":2}', '{"a":NaN}', "x", '{"a":"\\ud800"}']
)


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_json_lines_may_be_packed_and_named_anything(tmp_path, pack):
    text = b'\n{"user": 1, "item": "a"}\r\n\r\n{"item": "b", "user": 2}'
    for name in ("events.jsonl", "events.ndjson.gz", "events.json", "events.log"):
        (tmp_path / name).write_bytes(pack(text))
        assert pairs(tmp_path / name) == [(1, "a"), (2, "b")]


@settings(max_examples=60)
@example(lines=['{"b": 9007199254740993}', '{"b": 0.0}'], block=1 << 20)
@given(
    lines=st.lists(
        st.dictionaries(st.sampled_from("ab"), CELL, min_size=1).map(json.dumps) | BAD | st.sampled_from(["", "  "]),
        min_size=1,
        max_size=12,
    ),
    block=st.sampled_from([1, 40, 1 << 20]),
)  # fmt: skip
def test_rows_and_rejects_are_those_of_a_plain_loop(tmp_path_factory, lines, block):
    lines = ["{}", *lines]
    expected, bad, record = [], [], 0
    for number, line in enumerate(lines, 1):
        record += bool(line.strip())
        try:
            value = json.loads(line, parse_constant=int) if line.strip() else None
            json.dumps(value, ensure_ascii=False).encode()
        except ValueError:
            value = "unreadable"
        if isinstance(value, dict):
            expected.append((record, number, value))
        elif line.strip():
            bad.append((record, number, line.strip()))
    path = tmp_path_factory.mktemp("json") / "events.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "BLOCK", block)
        table = table_of(path, lines)
        frame = table.load(table.columns)
    assert table.rejects.select("row", "line", "value").rows() == bad
    at = np.arange(len(expected))
    places = table.place(at)
    assert list(zip(places.row.tolist(), places.line.tolist(), strict=True)) == [row[:2] for row in expected]
    assert [json.loads(text) for text in table.records(at)] == [row[2] for row in expected]
    assert set(table.columns) == {key for _, _, row in expected for key in row}
    for column in table.columns:
        wanted = [row.get(column) for _, _, row in expected]
        assert [same(cell, value) for cell, value in zip(frame[column], wanted, strict=True)] == [True] * len(
            wanted
        )


def same(cell, value):
    # A column of one kind keeps it; one of several is text, in which numbers may be spelled otherwise.
    if cell is None or value is None:
        return cell is value
    if type(cell) is str and type(value) is not str:
        return float(cell) == value if isinstance(value, float) else json.loads(cell) == value
    return cell == value and (isinstance(cell, str) == isinstance(value, str))


def test_a_key_that_a_row_lacks_is_a_missing_cell(tmp_path):
    table = table_of(tmp_path / "a.jsonl", ['{"user": 1}', '{"item": 2}', "{}"])
    assert table.load(["user", "item"]).rows() == [(1, None), (None, 2), (None, None)]
    assert table.n_rows == 3


def test_ids_of_64_bits_stay_exact(tmp_path):
    ids = [2**53 + 1, -(2**63), 2**63 - 1]
    assert (
        table_of(tmp_path / "a.jsonl", [f'{{"user": {i}}}' for i in ids]).load(["user"])["user"].to_list()
        == ids
    )
    mixed = table_of(tmp_path / "b.jsonl", [f'{{"user": {i}}}' for i in (*ids, 0.5)])
    assert mixed.load(["user"])["user"].to_list() == [*map(str, ids), "0.5"]
    larger = table_of(tmp_path / "c.jsonl", [f'{{"user": {i}}}' for i in (2**64, 10**38)])
    assert larger.load(["user"])["user"].cast(pl.String).to_list() == [str(2**64), str(10**38)]


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_ids_of_both_kinds_become_text_which_is_said(tmp_path, monkeypatch, block):
    monkeypatch.setattr(json_lines, "BLOCK", block)
    lines = [
        '{"user": 1, "item": "a"}',
        '{"user": "1", "item": "b"}',
        '{"user": "x", "item": "1"}',
        '{"user": 2}',
    ]
    table = table_of(tmp_path / "a.jsonl", lines)
    frame = table.load(["user", "item"])
    assert frame["user"].to_list() == ["1", "1", "x", "2"]
    assert table.notes == {
        "user": "user holds text (2 rows) and numbers (2 rows); all are taken as text, so that 1 and "
        '"1" are one (so for 1 of them)'
    }


def test_values_of_no_common_type_become_text(tmp_path):
    lines = ['{"a": true, "b": [1]}', '{"a": 7, "b": {"c": 1}}', '{"a": "x"}']
    assert table_of(tmp_path / "a.jsonl", lines).load(["a"])["a"].to_list() == ["true", "7", "x"]


def test_lists_are_tags(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"user": 1, "item": 1}\n')
    (tmp_path / "i.jsonl").write_text('{"item": 1, "genres": ["x", "y"], "year": 1999}\n{"item": 2}\n')
    data = read(tmp_path / "a.jsonl", items=tmp_path / "i.jsonl", kind="events")
    assert data.item_features.frame["genres"].to_list() == [["x", "y"], None]


def test_rejects_of_json_say_line_and_reason(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"user":1,"item":2}\n\n[1]\n{"user":1\n{"user":null,"item":1}\n')
    report = check(tmp_path / "a.jsonl", kind="events")
    assert report.tables[0].rejects.select("row", "line", "column", "value", "reason").rows() == [
        (2, 3, None, "[1]", "no JSON object"),
        (3, 4, None, '{"user":1', "unreadable JSON"),
        (4, 5, "user", None, "missing id"),
    ]


def test_numbers_beyond_any_type_are_rejected_alone(tmp_path):
    table = table_of(
        tmp_path / "a.jsonl", ['{"a": 1}', '{"a": ' + "9" * 60 + "}", '{"a": 1e999}', '{"a": 2}']
    )
    assert table.load(["a"])["a"].to_list() == [1, 2]
    assert table.rejects["line"].to_list() == [2, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty; expected one JSON object a line"),
        ("\n \n", "the file is empty"),
        ("\ufeff", "the file is empty"),
        ('[\n{"user": 1}\n]', r"one JSON array; write one object a line \(jq"),
    ],
)
def test_a_json_file_that_cannot_be_used_says_why(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        table_of(tmp_path / "a.jsonl", text.encode())
