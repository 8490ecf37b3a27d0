"""benchmarks/tables.py: tables and figures in documents come from the JSON files, or an error says why not."""

import json
from pathlib import Path

import pytest
import results
import tables

OURS = {
    "columns": [{"title": "model", "format": ""}, {"title": "a|b", "format": ".2f"}],
    "rows": [["x", 0.126]],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "guides").mkdir(parents=True)
    table = results.table(
        {"model": "", "RMSE": ".3f", "fit s": ".1f"}, [["ours", 0.85649, 1.25], ["SVD", 0.9, None]]
    )
    payload = {"tables": {"rmse": table}, "gain": [0.25, {"low": 0.1}]}
    results.write(
        "explicit", payload, data_hash="h", seed=1, path=tmp_path / "benchmarks" / "results" / "explicit.json"
    )
    return tmp_path


def document(root: Path, text: str, name: str = "README.md") -> Path:
    path = root / name
    path.write_text(text)
    return path


def test_a_table_is_filled_and_then_current(root: Path) -> None:
    readme = document(root, "# Title\n\n<!-- table:explicit/rmse -->\nold\n<!-- /table -->\n\nend\n")
    assert tables.main(["--check"], root) == 1
    assert "old" in readme.read_text()
    assert tables.main([], root) == 0
    lines = readme.read_text().splitlines()
    assert lines[:8] == [
        "# Title",
        "",
        "<!-- table:explicit/rmse -->",
        "",
        "| model | RMSE | fit s |",
        "| --- | ---: | ---: |",
        "| ours | 0.856 | 1.2 |",
        "| SVD | 0.900 | – |",
    ]
    assert lines[9].startswith("*Measured on 20")
    assert lines[-4:] == ["", "<!-- /table -->", "", "end"]
    assert tables.main(["--check"], root) == 0


def test_a_changed_result_makes_the_document_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document(root, "gain <!-- value:explicit:gain.1.low:.1% -->?<!-- /value -->!\n", "docs/guides/page.md")
    assert tables.main([], root) == 0
    assert (
        root / "docs/guides/page.md"
    ).read_text() == "gain <!-- value:explicit:gain.1.low:.1% -->10.0%<!-- /value -->!\n"
    file = root / "benchmarks" / "results" / "explicit.json"
    file.write_text(file.read_text().replace("0.1", "0.2"))
    assert tables.main(["--check"], root) == 1
    assert "docs/guides/page.md: not what benchmarks/results says" in capsys.readouterr().out


def test_the_only_table_of_a_file_needs_no_name(root: Path) -> None:
    filled = tables.fill("<!-- table:explicit -->\n<!-- /table -->", root / "benchmarks" / "results")
    assert "| ours | 0.856 | 1.2 |" in filled


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ("<!-- table:nothing -->\n<!-- /table -->", "no results nothing.json; run make bench BENCH=nothing"),
        ("<!-- table:explicit/mae -->\n<!-- /table -->", "no table 'explicit/mae'; explicit.json has: rmse"),
        ("<!-- value:explicit:gain.2:.1f -->x<!-- /value -->", "nothing at '2' in explicit.json"),
        ("<!-- value:explicit:tables:.1f -->x<!-- /value -->", "is no single figure"),
        ("<!-- value:explicit:gain.0:.1q -->x<!-- /value -->", "cannot be written as '.1q'"),
        ("<!-- table:explicit -->\n<!-- table:explicit -->\n<!-- /table -->", "not closed"),
        ("<!-- value:explicit:gain.0:.1f -->x\n<!-- /value -->", "not closed"),
        ("<!-- table:explicit -->", "not closed"),
    ],
)
def test_a_marker_that_cannot_be_filled_is_an_error(
    root: Path, marker: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = document(root, f"first line\n{marker}\n")
    assert tables.main(["--check"], root) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{readme}: line 2: ")
    assert reason in error


def test_strokes_in_cells_do_not_break_the_table(root: Path) -> None:
    whole = json.loads((root / "benchmarks" / "results" / "explicit.json").read_text())
    assert tables.markdown(whole, OURS).splitlines()[:3] == [
        "| model | a\\|b |",
        "| --- | ---: |",
        "| x | 0.13 |",
    ]


def test_print_shows_every_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main(["--print"], root) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("## explicit: rmse\n")
    assert "| SVD | 0.900 | – |" in shown
