import json

import polars as pl
import pytest

from shortlist.data.import_report import NoUsableRowsError
from shortlist.data.read import check
from shortlist.data.reject_file import require_writable, write_rejects
from shortlist.errors import ParameterError

BAD = ',1,"a long\nstory, with ""quotes"" and é"'


@pytest.fixture
def report(tmp_path):
    (tmp_path / "log.csv").write_text("user,item,note\n" + "ann,1,\n" * 3 + f"{BAD}\n" + "bob\n" * 30)
    (tmp_path / "items.csv").write_text("item,title\n1,One\n,Two\n")
    return check(tmp_path / "log.csv", items=tmp_path / "items.csv")


@pytest.mark.parametrize(
    ("suffix", "reader"),
    [(".csv", pl.read_csv), (".jsonl", pl.read_ndjson), (".parquet", pl.read_parquet), (".CSV", pl.read_csv)],
)
def test_every_reject_of_every_table_is_in_the_file(tmp_path, report, suffix, reader):
    path = tmp_path / f"rejects{suffix}"
    path.write_text("what was here before")
    assert report.write_rejects(path) == 32
    found = reader(path)
    assert found.columns == ["table", "file", "row", "line", "column", "value", "reason", "record"]
    assert found.height == 32
    assert found.row(0)[2:] == (4, 5, "user", found["value"][0], "missing id", BAD)
    assert found.row(1)[2:] == (5, 7, None, "bob", "wrong number of fields", "bob")
    assert found["table"][31].endswith("items.csv")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_no_rejects_are_a_file_without_rows(tmp_path):
    report = check(pl.DataFrame({"user": [1], "item": [1]}))
    assert report.write_rejects(tmp_path / "none.csv") == 0
    assert (tmp_path / "none.csv").read_text() == "table,file,row,line,column,value,reason,record\n"


def test_rows_of_a_frame_are_written_as_json(tmp_path):
    log = pl.DataFrame(
        {"user": ["a", None], "item": [1, 2], "tags": [["x"], ["y\u2028z", "\n"]], "blob": [b"1", b"2"]}
    )
    (record,) = check(log).rejects["record"]
    assert json.loads(record) == {"user": None, "item": 2, "tags": ["y\u2028z", "\n"]}


def test_the_file_is_whole_or_untouched(tmp_path, report, monkeypatch):
    path = tmp_path / "rejects.csv"
    path.write_text("before")

    def broken(_, file):
        file.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(__import__("shortlist").data.reject_file.FORMATS, ".csv", broken)
    with pytest.raises(OSError, match="No space left"):
        report.write_rejects(path)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["rejects.txt", "rejects", "rejects.csv.gz"])
def test_another_suffix_is_refused(tmp_path, report, name):
    with pytest.raises(ParameterError, match=r"rejects are written as \.csv, \.jsonl, \.parquet"):
        report.write_rejects(tmp_path / name)


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ParameterError, match="is a folder"):
        require_writable(tmp_path / "folder.csv")
    with pytest.raises(ParameterError, match=r"nowhere/rejects\.csv cannot be written: there is no folder"):
        require_writable(tmp_path / "nowhere" / "rejects.csv")
    require_writable(tmp_path / "rejects.csv")
    assert not (tmp_path / "rejects.csv").exists()


def test_rejects_are_there_even_where_nothing_else_is(tmp_path):
    with pytest.raises(NoUsableRowsError) as caught:
        check(pl.DataFrame({"user": [None, None], "item": [1, 2]}))
    assert write_rejects(caught.value.report.named_rejects, tmp_path / "all.parquet") == 2
    assert pl.read_parquet(tmp_path / "all.parquet")["table"].to_list() == ["interactions"] * 2
