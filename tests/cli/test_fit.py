import csv
import json
import re
from pathlib import Path

import pytest
from cli.conftest import Run, Shop

import shortlist as sl
from shortlist.artifacts import folder
from shortlist.cli import screen
from shortlist.cli.work import Work
from shortlist.models.fitting import Epoch


def test_what_is_fitted_is_what_python_would_fit(shop: Shop, run: Run) -> None:
    data = sl.read(shop.ratings, items=shop.items, kind="ratings", scale=(1, 5))
    taste = sl.WALS(dim=4, n_epochs=3)
    sources = [sl.Nearest(taste, 15), sl.RelatedToRecent(taste), sl.Popular()]
    expected = sl.Pipeline(sources, sl.ModelScorer(taste)).fit(data, rng=0)
    assert sl.load(shop.saved).recommend([3, 8], 5).frame.equals(expected.recommend([3, 8], 5).frame)


def test_json_says_what_was_saved(shop: Shop, run: Run, tmp_path: Path) -> None:
    config = shop.variant("seeded.toml", ("[data]", "seed = 11\n[data]"))
    document = json.loads(run("fit", config, "--out", str(tmp_path / "m"), "--json").stdout)
    assert document["saved"] == str(tmp_path / "m")
    assert (document["type"], document["seed"]) == ("Pipeline", 11)
    assert (document["events"], document["users"], document["items"]) == (480, 40, 31)
    assert document["rows_rejected"] == 0
    fitted = sl.load(tmp_path / "m")
    assert fitted.seed_ == 11
    assert fitted.memory_.fingerprint == document["data_sha256"]


def test_a_single_model_needs_no_sources(shop: Shop, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "single.toml"
    data = f'[data]\ninteractions = "{shop.ratings}"\nkind = "ratings"\nscale = [1, 5]\n'
    config.write_text(data + '[models.stars]\ntype = "MatrixFactorization"\ndim = 2\n')
    result = run("fit", str(config), "--out", str(tmp_path / "m"))
    assert result.exit_code == 0
    assert "MatrixFactorization(dim=2" in result.stdout
    assert isinstance(sl.load(tmp_path / "m"), sl.MatrixFactorization)


def test_rejected_rows_are_a_note_on_stderr(shop: Shop, run: Run, tmp_path: Path) -> None:
    (shop.folder / "dirty.csv").write_text(shop.ratings.read_text() + "7,,3,1\n")
    config = shop.variant("dirty.toml", ('"ratings.csv"', '"dirty.csv"'))
    result = run("fit", config, "--out", str(tmp_path / "m"), "--json")
    assert "note: 1 of 481 rows of" in result.stderr
    assert json.loads(result.stdout)["rows_rejected"] == 1


@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_rejected_rows_are_kept_in_a_file(shop: Shop, run: Run, tmp_path: Path, command: str) -> None:
    (shop.folder / "dirty.csv").write_text(shop.ratings.read_text() + "7,,3,1\n")
    config = shop.variant("dirty.toml", ('"ratings.csv"', '"dirty.csv"'))
    out = ("--out", str(tmp_path / "m")) if command == "fit" else ()
    assert run(command, config, *out, "--rejects", str(tmp_path / "rejects.csv")).exit_code == 0
    (kept,) = csv.DictReader((tmp_path / "rejects.csv").read_text().splitlines())
    assert (kept["row"], kept["line"], kept["reason"]) == ("481", "482", "missing id")
    assert kept["record"] == "7,,3,1"


def test_the_whole_file_is_checked_before_data_is_read(shop: Shop, run: Run, tmp_path: Path) -> None:
    config = shop.variant("wrong.toml", ('"ratings.csv"', '"missing.csv"'), ("n_bootstrap", "n_bootstraps"))
    result = run("fit", config, "--out", str(tmp_path / "m"))
    assert result.exit_code == 2
    assert "[evaluate]: n_bootstraps" in result.stderr
    assert "Did you mean 'n_bootstrap'?" in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"ratings.csv"', '"missing.csv"', "missing.csv"),
        ("[1, 5]", "[5, 1]", "scale"),
        ('type = "WALS"', 'type = "WASL"', "Did you mean 'WALS'?"),
    ],
)
def test_what_is_wrong_ends_with_2(
    shop: Shop, run: Run, tmp_path: Path, old: str, new: str, words: str
) -> None:
    result = run("fit", shop.variant("wrong.toml", (old, new)), "--out", str(tmp_path / "m"))
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_out_must_not_be_a_file(shop: Shop, run: Run, below: str) -> None:
    result = run("fit", str(shop.config), "--out", str(shop.ratings / below))
    assert result.exit_code == 2
    assert f"{shop.ratings} is a file" in result.stderr


def test_a_folder_closed_to_us_is_said_before_the_work(
    shop: Shop, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder.os, "access", lambda path, mode: path != tmp_path)
    result = run("fit", str(shop.folder / "none.toml"), "--out", str(tmp_path / "a" / "b"))
    assert result.exit_code == 2
    assert f"you may not write in {tmp_path}" in result.stderr


def test_out_must_not_hold_other_files(shop: Shop, run: Run) -> None:
    result = run("fit", str(shop.config), "--out", str(shop.folder))
    assert result.exit_code == 2
    assert shop.ratings.exists()


def more_events(shop: Shop) -> str:
    """Return a configuration of the shop with more ratings, one of a new user."""
    (shop.folder / "more.csv").write_text(shop.ratings.read_text() + "99,2,5,1100000000\n1,4,5,1100000001\n")
    return shop.variant("more.toml", ('"ratings.csv"', '"more.csv"'))


def test_a_refit_starts_from_the_earlier_one(shop: Shop, run: Run, tmp_path: Path) -> None:
    result = run("fit", more_events(shop), "--out", str(tmp_path / "m"), "--start", shop.saved)
    assert result.exit_code == 0, result.output
    assert f"started from {shop.saved}, fitted Pipeline" in result.stdout
    taste = sl.WALS(dim=4, n_epochs=3)
    data = sl.read(shop.folder / "more.csv", items=shop.items, kind="ratings", scale=(1, 5))
    pipeline = sl.Pipeline(
        [sl.Nearest(taste, 15), sl.RelatedToRecent(taste), sl.Popular()], sl.ModelScorer(taste)
    )
    start = sl.load(shop.saved)
    assert isinstance(start, sl.Pipeline)
    warm, cold = (
        pipeline.fit(data, rng=0, start=begin).recommend([3, 99], 5).frame for begin in (start, None)
    )
    assert sl.load(tmp_path / "m").recommend([3, 99], 5).frame.equals(warm)
    assert not warm.equals(cold)


def test_a_refit_may_replace_what_it_started_from(shop: Shop, run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "m")
    assert run("fit", str(shop.config), "--out", out).exit_code == 0
    result = run("fit", more_events(shop), "--out", out, "--start", out, "--json")
    document = json.loads(result.stdout)
    assert document["start"] == document["saved"] == out
    assert sl.load(out).memory_.fingerprint == document["data_sha256"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("dim = 4", "dim = 5", r"--start .*: start has dim=4, this WALS dim=5.*set dim=4"),
        (
            'type = "WALS"\ndim = 4',
            'type = "MatrixFactorization"\ndim = 4',
            "start has the models WALS, Popularity",
        ),
        ('"ratings.csv"', '"missing.csv"', "missing.csv"),
    ],
)
def test_a_start_that_does_not_fit_is_refused_before_the_data_is_read(
    shop: Shop, run: Run, tmp_path: Path, old: str, new: str, words: str
) -> None:
    changes = {'"ratings.csv"': '"missing.csv"', old: new}
    config = shop.variant("unlike.toml", *changes.items())
    result = run("fit", config, "--out", str(tmp_path / "m"), "--start", shop.saved)
    assert result.exit_code == 2
    assert re.search(words, result.stderr)
    assert not (tmp_path / "m").exists()


def test_a_start_that_is_not_there_is_said(shop: Shop, run: Run, tmp_path: Path) -> None:
    result = run("fit", str(shop.config), "--out", str(tmp_path / "m"), "--start", str(tmp_path / "none"))
    assert result.exit_code == 2
    assert f"no artifact at {tmp_path / 'none'}" in result.stderr


def test_the_epochs_move_a_bar() -> None:
    """At a terminal the bar of a model has as many steps as it has epochs, and each moves it by one."""
    work, drawn = Work(screen.notes()), []
    work.step = lambda text, total=None: drawn.append((text, total))  # type: ignore[method-assign]
    work.advance = drawn.append  # type: ignore[method-assign]
    for model, n in ((sl.WALS(), 2), (sl.MatrixFactorization(), 1)):
        for number in range(1, n + 1):
            work.epochs(Epoch(number, n, model))
    assert drawn == [("fitting WALS", 2), 1, 1, ("fitting MatrixFactorization", 1), 1]
