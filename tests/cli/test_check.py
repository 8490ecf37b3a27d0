import json
from pathlib import Path

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.csv", "b.csv", "c.csv", "d.csv"), "at most three files"),
        (("a.csv", "b.csv", "--items", "c.csv"), "not both"),
        (("a.csv", "--column", "user_id"), "ROLE=NAME"),
        (("a.csv", "--column", "=who"), "ROLE=NAME"),
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
