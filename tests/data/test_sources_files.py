"""Several files as one table: lists, patterns, folders, partitions."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.data.read import check, read
from shortlist.data.tables import open_table
from shortlist.errors import DataError


def csv(path, *rows, header="user,item,value"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def parquet(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(columns).write_parquet(path)
    return path


def rows(source, columns=("user", "item", "value"), **how):
    return open_table(source, "interactions").load(list(columns), **how).rows()


LINE = st.sampled_from(["1,2,3", ",5,6", "7,8", "x,1,y"])
ONE, TWO = ("1", "2", "3"), ("4", "5", "6")


@pytest.fixture
def events(tmp_path):
    csv(tmp_path / "events" / "b.csv", "4,5,6")
    csv(tmp_path / "events" / "a.csv", "1,2,3")
    return tmp_path / "events"


def test_a_pattern_a_folder_and_a_list_are_one_table(events, monkeypatch):
    monkeypatch.chdir(events.parent)
    for source in (
        events / "*.csv",
        str(events / "[ab].csv"),
        events,
        "events",
        "events/?.csv",
        "e*",
        "**/*.csv",
    ):
        assert rows(source) == [ONE, TWO], source
    assert rows([events / "b.csv", str(events / "a.csv")]) == [TWO, ONE]
    assert rows((events / "b.csv", "events/a*")) == [TWO, ONE]


def test_packed_files_stand_beside_plain_ones(events):
    (events / "c.csv.gz").write_bytes(gzip.compress(b"user,item,value\n7,8,9\n"))
    assert rows(events / "*.csv*") == rows(events) == [ONE, TWO, ("7", "8", "9")]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    csv(tmp_path / "a.csv", "4,5,6")
    assert rows(csv(tmp_path / "[a].csv", "1,2,3")) == [ONE]


def test_columns_may_stand_in_another_order(events):
    csv(events / "c.csv", "9,7,8", header="value,user,item")
    assert rows(events)[2] == ("7", "8", "9")


def test_the_dataset_is_that_of_one_file_with_all_rows(events, tmp_path):
    whole = csv(tmp_path / "whole.csv", "1,2,3", "4,5,6")
    many, one = read(events, kind="events"), read(whole, kind="events")
    assert many.users.ids.to_list() == one.users.ids.to_list() == [1, 4]
    assert many.interactions.value.tolist() == one.interactions.value.tolist()


def test_one_file_of_text_ids_makes_text_of_all_as_they_are_written(events):
    csv(events / "c.csv", "007,x,9.50")
    numbers = {"user": "id", "item": "id", "value": "number"}
    table = open_table(events, "interactions")
    assert table.load(["user", "value"], numbers).rows() == [("1", 3.0), ("4", 6.0), ("007", 9.5)]
    csv(events / "d.csv", "1,x,nine")
    assert rows(events, ["user", "value"], numbers=numbers) == [
        ("1", "3"),
        ("4", "6"),
        ("007", "9.50"),
        ("1", "nine"),
    ]


def test_rejects_name_the_file_and_the_place_in_it(events):
    csv(events / "a.csv", "1,2,3", ",2,3", "1,2")
    csv(events / "b.csv", "4,5,6", "4,5,many")
    report = check(events, kind="events")
    a, b = str(events / "a.csv"), str(events / "b.csv")
    assert report.tables[0].rejects.select("file", "row", "line", "column", "record").rows() == [
        (a, 2, 3, "user", ",2,3"),
        (a, 3, 4, None, "1,2"),
        (b, 2, 3, "value", "4,5,many"),
    ]
    assert f"{b}, row 2 (line 3), column value" in report.to_text()
    assert report.tables[0].rows_read == 5


@settings(max_examples=20)
@given(st.lists(st.lists(LINE, min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_row_and_reject_is_found_again_by_its_place(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("many")
    for n, lines in enumerate(files):
        csv(folder / f"{n}.csv", *lines)
    table = open_table(folder, "interactions")
    n_rows = table.load(["user"]).height
    assert n_rows + table.rejects.height == sum(map(len, files))
    at = pl.int_range(n_rows, eager=True).to_numpy()
    places = table.place(at)
    good = [files[int(Path(f).stem)][row - 1] for f, row in zip(places.file, places.row, strict=True)]
    assert (
        good
        == table.records(at).to_list()
        == [line for lines in files for line in lines if line.count(",") == 2]
    )
    assert [line.split(",")[2] for line in good] == table.cells("value", at).to_list()


@pytest.mark.parametrize(
    ("header", "difference"),
    [
        ("user,item", "it lacks 'value'"),
        ("user,item,value,when", "it has 'when' besides"),
        ("user,item,rating", "it lacks 'value' and it has 'rating' besides"),
    ],
)
def test_files_of_other_columns_are_named_with_the_difference(events, header, difference):
    csv(events / "c.csv", ",".join("123456"[: header.count(",") + 1]), header=header)
    with pytest.raises(DataError, match=rf"c\.csv has not the columns of .*a\.csv: {difference}$"):
        check(events)


def test_sources_that_name_no_files_say_so(events, tmp_path):
    (tmp_path / "empty").mkdir()
    parquet(events / "c.parquet", user=[1])
    for source, words in [
        (tmp_path / "*.csv", r"no file matches .*\*\.csv"),
        (tmp_path / "empty", "is a folder without a file of CSV, JSON Lines or Parquet"),
        (events, r"several formats: CSV \(a\.csv\), Parquet \(c\.parquet\); name those of one: .*/\*\.csv"),
        ([events / "a.csv", events / "c.parquet"], "are of different formats; read files of one"),
        ([], "the list of files is empty"),
        (
            [events / "a.csv", events / "*.csv"],
            r"a\.csv is named twice, also as .*a\.csv; its rows would count twice",
        ),
        ([tmp_path / "missing.csv"], "there is no file"),
        ([events / "a.csv", 7], "expected a path or a list of paths .*, got list"),
    ]:
        with pytest.raises(DataError, match=words):
            check(source)


# --- JSON Lines and Parquet --------------------------------------------------------------------------------------


def test_a_key_that_a_file_of_json_lines_lacks_is_missing_there(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"user": 1, "item": 2}\n')
    (tmp_path / "b.jsonl").write_text('{"user": 3, "value": 4}\n')
    assert rows(tmp_path) == [(1, 2, None), (3, None, 4)]
    table = open_table(tmp_path, "interactions")
    assert table.cells("value", pl.Series([0, 1]).to_numpy()).to_list() == [None, "4"]
    assert table.load(["value"]).rows() == [(None,), (4,)]


def test_files_with_ids_of_the_other_kind_make_text_which_is_said(tmp_path):
    for name, value in (("a", 1), ("b", "1")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"user": value, "item": 1}) + "\n")
    table = open_table(tmp_path, "interactions")
    assert table.load(["user", "item"]).rows() == [("1", 1), ("1", 1)]
    assert 'so that 1 and "1" are one' in table.notes["user"]


def test_parquet_columns_take_the_wider_type_without_loss(tmp_path):
    parquet(tmp_path / "a.parquet", user=pl.Series([1], dtype=pl.Int32), item=[2**53 + 1], value=[None])
    parquet(tmp_path / "b.parquet", user=pl.Series([2], dtype=pl.UInt64), item=[0.5], value=[3.0])
    assert rows(tmp_path) == [(1, str(2**53 + 1), None), (2, "0.5", 3.0)]


def test_parquet_columns_without_a_common_type_are_an_error(tmp_path):
    parquet(tmp_path / "a.parquet", user=[1], item=[1], value=[[1]])
    parquet(tmp_path / "b.parquet", user=[1], item=[1], value=[1])
    with pytest.raises(
        DataError, match=r"'value' is List\(Int64\) in .*a\.parquet and Int64 in .*b\.parquet"
    ):
        rows(tmp_path)


def test_rejects_of_parquet_name_file_and_record(tmp_path):
    parquet(tmp_path / "a.parquet", user=[1, 2], item=[1, 2])
    parquet(tmp_path / "b.parquet", user=[3, None], item=[3, 4])
    rejects = check(tmp_path / "*.parquet", kind="events").tables[0].rejects
    assert rejects.select("file", "row", "line").rows() == [(str(tmp_path / "b.parquet"), 2, None)]
    assert json.loads(rejects["record"][0]) == {"user": None, "item": 4}


# --- partitions --------------------------------------------------------------------------------------------------


def test_folders_give_columns(tmp_path):
    for day, kind, user in (("2024-01-01", "a%2Fb", 1), ("2024-01-02", "__HIVE_DEFAULT_PARTITION__", 2)):
        parquet(tmp_path / f"day={day}" / f"kind={kind}" / "part-0.snappy.parquet", user=[user], item=[user])
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "day=2024-01-01" / ".part.crc").write_text("x")
    for source in (tmp_path, tmp_path / "**" / "*.parquet", tmp_path / "day=*", str(tmp_path) + "/*/*/*"):
        assert rows(source, ["user", "day", "kind"]) == [(1, "2024-01-01", "a/b"), (2, "2024-01-02", None)]
    assert rows(tmp_path / "day=2024-01-01" / "*", ["user", "kind"]) == [(1, "a/b")]
    assert rows(tmp_path, ["day"]) == [("2024-01-01",), ("2024-01-02",)]
    data = read(tmp_path, kind="events", columns={"timestamp": "day"}, context=["kind"])
    assert data.report.to_text().count("2024-01-02") == 1


def test_whole_numbers_in_folders_are_integers(tmp_path):
    csv(tmp_path / "user=7" / "a.csv", "1", header="item")
    csv(tmp_path / "user=8" / "a.csv", "2", "3", header="item")
    data = read(tmp_path, kind="events")
    assert data.users.ids.to_list() == [7, 8]
    assert rows(tmp_path, ["item", "user"]) == [("1", "7"), ("2", "8"), ("3", "8")]
    table = open_table(tmp_path, "interactions")
    assert table.cells("user", pl.Series([0, 2]).to_numpy()).to_list() == ["7", "8"]


def test_a_column_of_the_files_goes_before_a_folder(tmp_path):
    parquet(tmp_path / "user=7" / "a.parquet", user=[1], item=[2])
    assert rows(tmp_path, ["user", "item"]) == [(1, 2)]


def test_files_of_other_partitions_are_an_error(tmp_path):
    parquet(tmp_path / "day=1" / "a.parquet", user=[1])
    parquet(tmp_path / "a.parquet", user=[1])
    with pytest.raises(DataError, match=r"lies in folders of no partition and .* in those of day=…"):
        rows(tmp_path, ["user"])


@pytest.mark.parametrize(
    ("source", "name"),
    [("events/a.csv", "a"), ("events/*.csv", "events"), ("events", "events"), (["events/a.csv"], "data")],
)
def test_the_dataset_is_called_after_the_file_or_folder(events, monkeypatch, source, name):
    monkeypatch.chdir(events.parent)
    assert read(source, kind="events").name == name
