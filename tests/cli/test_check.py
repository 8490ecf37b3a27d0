import json
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from cli.conftest import Run, Shop


def test_clean_files_end_with_0(shop: Shop, run: Run) -> None:
    result = run("check", str(shop.ratings), str(shop.items), "--kind", "ratings", "--scale", "1", "5")
    assert result.exit_code == 0
    assert "480 rows read, 480 kept, 0 rejected" in result.stdout
    assert "31 items" in result.stdout


def test_rejected_rows_end_with_1_and_their_places(tmp_path: Path, run: Run) -> None:
    (tmp_path / "events.csv").write_text("user,item\n1,2\n,3\n1,4\n")
    result = run("check", str(tmp_path / "events.csv"))
    assert result.exit_code == 1
    assert "line 3" in result.stdout
    document = json.loads(run("check", str(tmp_path / "events.csv"), "--json").stdout)
    assert document["ok"] is False
    assert document["tables"][0]["rows_rejected"] == 1


@pytest.mark.parametrize("content", [None, "a,b\n1,2\n", ""])
def test_unusable_files_end_with_2(tmp_path: Path, run: Run, content: str | None) -> None:
    file = tmp_path / "events.csv"
    if content is not None:
        file.write_text(content)
    result = run("check", str(file), "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "events.csv" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_declared_scale_rejects(shop: Shop, run: Run) -> None:
    result = run(
        "check", str(shop.ratings), "--kind", "ratings", "--scale", "3", "5", "--positive-from", "4", "--json"
    )
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["tables"][0]["rows_rejected"] > 0
    assert document["feedback"] == {"kind": "ratings", "scale": [3.0, 5.0], "positive_from": 4.0}


def test_columns_can_be_named(tmp_path: Path, run: Run) -> None:
    (tmp_path / "log.csv").write_text("who,what\n1,2\n")
    (tmp_path / "things.csv").write_text("ref,title\n2,Lamp\n")
    arguments = ["check", str(tmp_path / "log.csv"), "--items", str(tmp_path / "things.csv")]
    columns = ("user_id=who", "item_id=what", "items.item_id=ref")
    options = [part for column in columns for part in ("--column", column)]
    assert run(*arguments).exit_code == 2
    result = run(*arguments, *options)
    assert result.exit_code == 0
    assert "item_id ← what (mapped)" in result.stdout
    assert "item_id ← ref (mapped)" in result.stdout


def test_every_option_is_one_of_read(tmp_path: Path, run: Run) -> None:
    (tmp_path / "log.csv").write_bytes(
        b"user;item;event;when;place\nJos\xe9;1;shown;2020-01-01;x\nJos\xe9;1;click;2020-01-02;y\nann;1;shown;1999-01-01;x\n"
        b"ann;1;shown;2030-01-01;x\n"
    )
    (tmp_path / "goods.csv").write_bytes(b"item;kinds\n1;hot,sweet\n")
    options = (
        "--delimiter", ";", "--encoding", "latin-1", "--context", "place", "--column", "timestamp=when",
        "--feature", "items.kinds=tags:,", "--earliest", "2000-01-01", "--latest", "2029-12-31T23:00:00",
        "--engaged", 'event == "click"', "--shown", 'event == "shown"', "--within-hours", "24.0", "--per", "exposure",
    )  # fmt: skip
    result = run("check", str(tmp_path / "log.csv"), str(tmp_path / "goods.csv"), *options, "--json")
    assert result.exit_code == 1, result.stderr
    document = json.loads(result.stdout)
    events, goods = document["tables"]
    assert [reject["reason"] for reject in events["rejects"]] == [
        "timestamp before the earliest declared",
        "timestamp after the latest declared",
    ]
    assert [use["column"] for use in events["columns"]] == ["user", "item", "when", "place", "event"]
    assert goods["columns"][1]["meaning"] == "tags, separated by ,"
    assert document["labels"]["rule"] == {
        "engaged": 'event == "click"', "shown": 'event == "shown"', "within_hours": 24.0, "per": "exposure",
    }  # fmt: skip
    assert document["labels"]["ones"] == 1
    assert document["feedback"]["kind"] == "binary"


def test_impressions_may_be_a_file_of_their_own(tmp_path: Path, run: Run) -> None:
    (tmp_path / "clicks.csv").write_text("user,item,timestamp\n1,2,1600000001\n")
    (tmp_path / "shown.csv").write_text("user,item,timestamp\n1,2,1600000000\n1,3,1600000000\n")
    result = run("check", str(tmp_path / "clicks.csv"), "--impressions", str(tmp_path / "shown.csv"))
    assert result.exit_code == 0
    assert "labels: 1 × 1 (engaged after being shown), 1 × 0" in result.stdout


def test_interactions_may_come_from_a_database(tmp_path: Path, run: Run) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE visits (who TEXT, what INTEGER, stars REAL)")
        database.executemany(
            "INSERT INTO visits VALUES (?, ?, ?)", [("ann", 1, 4), ("bob", 2, 9), (None, 1, 3)]
        )
    select = "SELECT who AS user_id, what AS item_id, stars AS value FROM visits ORDER BY rowid"
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    result = run("check", url, "--query", select, "--scale", "1", "5", "--json")
    assert result.exit_code == 1, result.stderr
    (table,) = json.loads(result.stdout)["tables"]
    assert [(reject["row"], reject["reason"]) for reject in table["rejects"]] == [
        (2, "value off the scale"),
        (3, "missing id"),
    ]
    assert json.loads(table["rejects"][0]["record"]) == {"user_id": "bob", "item_id": 2, "value": 9.0}


def test_duplicates_may_be_rejected(tmp_path: Path, run: Run) -> None:
    (tmp_path / "log.csv").write_text("user,item\n1,2\n1,2\n")
    assert run("check", str(tmp_path / "log.csv")).exit_code == 0
    result = run("check", str(tmp_path / "log.csv"), "--duplicates", "reject")
    assert result.exit_code == 1
    assert "row 2 (line 3): duplicate of an earlier row: 'row 1'" in result.stdout


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.jsonl", "rejects.parquet"])
def test_rejects_are_kept_in_a_file(tmp_path: Path, run: Run, name: str) -> None:
    (tmp_path / "events.csv").write_text("user,item\n1,2\n" + ",3\n" * 50)
    file = tmp_path / name
    result = run("check", str(tmp_path / "events.csv"), "--rejects", str(file))
    assert result.exit_code == 1
    assert f"50 rejected rows are in {file}" in result.stderr
    readers = {".csv": pl.read_csv, ".jsonl": pl.read_ndjson, ".parquet": pl.read_parquet}
    kept = readers[file.suffix](file)
    assert kept["row"].to_list() == list(range(2, 52))
    assert kept["record"].unique().to_list() == [",3"]


def test_rejects_are_kept_where_no_row_can_be_used(tmp_path: Path, run: Run) -> None:
    (tmp_path / "events.csv").write_text("user,item\n,3\n")
    result = run("check", str(tmp_path / "events.csv"), "--rejects", str(tmp_path / "rejects.csv"))
    assert result.exit_code == 2
    assert "none of the 1 rows can be used" in result.stderr
    assert "missing id" in (tmp_path / "rejects.csv").read_text()


def test_a_place_where_rejects_cannot_be_is_said_before_the_reading(tmp_path: Path, run: Run) -> None:
    for name, words in (
        ("rejects.xls", "rejects are written as"),
        ("no/rejects.csv", "there is no folder"),
    ):
        result = run("check", str(tmp_path / "not there.csv"), "--rejects", str(tmp_path / name))
        assert result.exit_code == 2
        assert words in result.stderr


def test_a_rule_that_is_wrong_is_pointed_at(tmp_path: Path, run: Run) -> None:
    result = run("check", str(tmp_path / "any.csv"), "--engaged", "seconds => 3")
    assert result.exit_code == 2
    assert "engaged: at character 9" in result.stderr
    assert "\n          ^" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.csv", "b.csv", "c.csv", "d.csv"), "at most three files"),
        (("a.csv", "b.csv", "--items", "c.csv"), "not both"),
        (("a.csv", "--column", "user_id"), "ROLE=NAME"),
        (("a.csv", "--column", "=who"), "ROLE=NAME"),
        (("a.csv", "--feature", "genres=tags"), "TABLE.NAME=KIND"),
        (("a.csv", "--feature", "items.genres"), "TABLE.NAME=KIND"),
        (("a.csv", "--feature", "items.genres=tags"), "no such table is given"),
        (("a.csv", "--duplicates", "drop"), "keep, reject"),
        (("a.csv", "--earliest", "noon"), "earliest='noon'"),
        (("a.csv", "--per", "user"), "pair, exposure"),
        (("a.csv", "--kind", "stars"), "stars"),
        (("a.csv", "--scale", "1"), "--scale"),
        ((), "FILES"),
    ],
)
def test_bad_arguments_end_with_2(tmp_path: Path, run: Run, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    paths = [str(tmp_path / part) if part.endswith(".csv") else part for part in arguments]
    result = run("check", *paths)
    assert result.exit_code == 2
    assert words in result.stderr
