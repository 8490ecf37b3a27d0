import json
from pathlib import Path

import pytest
from cli.conftest import Run, Shop

import shortlist as sl
from shortlist.cli import saving


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
    monkeypatch.setattr(saving.os, "access", lambda path, mode: path != tmp_path)
    result = run("fit", str(shop.folder / "none.toml"), "--out", str(tmp_path / "a" / "b"))
    assert result.exit_code == 2
    assert f"you may not write in {tmp_path}" in result.stderr


def test_out_must_not_hold_other_files(shop: Shop, run: Run) -> None:
    result = run("fit", str(shop.config), "--out", str(shop.folder))
    assert result.exit_code == 2
    assert shop.ratings.exists()
