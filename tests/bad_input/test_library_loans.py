"""The messy file of the guide: every damage that was done to it is found, and what is left is worth modelling."""

import re
import runpy
import warnings
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import shortlist as sl

TESTS = Path(__file__).resolve().parents[1]
FILES = TESTS / "data_files"
GUIDE = TESTS.parent / "docs" / "guides" / "your-own-data.md"
HOW = {
    "encoding": "windows-1252",
    "delimiter": ";",
    "columns": {
        "user_id": "Lånernavn",
        "item_id": "Tittel",
        "value": "Terningkast",
        "timestamp": "Innlevert dato",
    },
    "kind": "ratings",
    "scale": (1, 6),
}
REASON_OF = {
    "no reader": "missing id",
    "not read": "unparsable value",
    "decimal comma": "value has a decimal comma",
    "off the dice": "value off the scale",
    "not a number": "value is not finite",
    "year 1900": "timestamp far before all others",
    "next century": "timestamp in the future",
    "loose semicolon": "wrong number of fields",
    "cut off": "wrong number of fields",
}


@pytest.fixture(scope="module")
def maker():
    return runpy.run_path(str(FILES / "make_library_loans.py"))


@pytest.fixture(scope="module")
def report():
    return sl.check(FILES / "library-loans.csv", **HOW)


def test_the_file_is_the_one_that_its_script_makes(maker, capfdbinary):
    maker["main"]()
    assert capfdbinary.readouterr().out == (FILES / "library-loans.csv").read_bytes()


def test_every_damaged_row_is_rejected_for_its_damage_and_no_other_row(maker, report):
    done = Counter()
    for damage, times in maker["DAMAGE"]:
        if damage in REASON_OF:
            done[REASON_OF[damage]] += times
    assert report.tables[0].reasons == dict(done)
    assert report.tables[0].rows_read == maker["N_LOANS"] + maker["N_TWICE"]
    assert report.n_events == report.tables[0].rows_read - sum(done.values())


def test_rows_that_stand_twice_and_names_with_spaces_are_said(maker, report):
    text = report.to_text()
    damage = dict(maker["DAMAGE"])
    assert f"{maker['N_TWICE']} of them with its value, time and context too" in text
    assert f"{2 * damage['space after name']} ids of users differ from another by spaces alone" in text
    assert f"{2 * damage['lower case']} ids of items differ from another by case alone" in text


def test_rejects_keep_the_whole_row(report):
    lines = (FILES / "library-loans.csv").read_text("windows-1252").splitlines()
    kept = report.rejects.select("line", "record").rows()
    assert [record for _, record in kept] == [lines[line - 1] for line, _ in kept]


def test_the_report_that_the_guide_shows_is_the_report(monkeypatch):
    shown = re.search(
        r"<!-- report -->\n```text\n(.*?)^```", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    monkeypatch.chdir(FILES)
    said = sl.check("library-loans.csv", **HOW).to_text().splitlines()
    assert shown is not None
    assert set(shown[1].splitlines()) <= set(said)


def test_a_model_beats_popularity_there():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = sl.read(FILES / "library-loans.csv", **HOW)
    train, test = sl.split.global_time(data, fraction=0.2)
    models = {"taste": sl.WALS(dim=16), "popular": sl.Popularity()}
    compared = sl.compare(models, train, test, baseline="popular", n_bootstrap=200)
    best = compared.frame.filter(pl.col("model") == "taste")
    assert compared.ranked("new items")[0] == "taste"
    assert best.height == 1
