"""`shortlist sweep`: the sizes, what is refused before data is read, and what is written."""

import json
from pathlib import Path

import pytest
from cli.conftest import Run, Shop

import shortlist as sl

APART = ('[scorer]\ntype = "ModelScorer"\nmodel = "taste"', '[scorer]\ntype = "ModelScorer"\nmodel = "near"')
NEAR = (
    '[[sources]]\ntype = "Popular"',
    '[[sources]]\ntype = "Popular"\n\n[models.near]\ntype = "ItemNeighbors"',
)
OPTIONS = ("--retrieve", "5,10,20", "--requests", "2")


@pytest.fixture(scope="module")
def config(shop: Shop) -> str:
    return shop.variant("apart.toml", APART, NEAR)


def test_json_is_what_python_would_measure(shop: Shop, run: Run, config: str, tmp_path: Path) -> None:
    result = run("sweep", config, *OPTIONS, "--out", str(tmp_path / "out"), "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    data = sl.read(shop.ratings, items=shop.items, kind="ratings", scale=(1, 5))
    train, test = sl.split.leave_last_out(data, 0.3)
    taste = sl.WALS(dim=4, n_epochs=3)
    sources = [sl.Nearest(taste, 15), sl.RelatedToRecent(taste), sl.Popular()]
    pipeline = sl.Pipeline(sources, sl.ModelScorer(sl.ItemNeighbors()))
    expected = sl.sweep(pipeline, train, test, (5, 10, 20), 5, n_bootstrap=50, n_requests=2).to_values()
    assert document["knee"] == expected["knee"]
    for got, wanted in zip(document["sizes"], json.loads(json.dumps(expected["sizes"])), strict=True):
        for key in ("size", "n_candidates", "figures", "lost", "sources"):
            assert got[key] == wanted[key], key
    assert document["data"]["split"] == "leave_last_out(fraction=0.3)"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "sweep.html",
        "sweep.json",
        "sweep.png",
    ]


def test_the_screen_has_the_tables_and_the_answer(
    shop: Shop, run: Run, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(
        "shortlist.experiments.sweep.outcome.Sweep.save", lambda _, path: written.append(path)
    )
    result = run("sweep", config, *OPTIONS, "-k", "3", "--users", "9")
    assert result.exit_code == 0, result.output
    for words in ("Quality by size (9 users)", "Lost beside 20", "Knee: ", "ndcg@3 lost without each source"):
        assert words in result.stdout
    folder = shop.folder / "apart.sweep"
    assert f"written: {folder / 'sweep.html'}" in result.stdout
    assert written == [folder]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--retrieve", "20,ten"), "give whole numbers with commas"),
        (("--retrieve", "20,10"), "10 comes after 20"),
        (("--retrieve", "3,10"), "a list of k=5 items cannot be made of 3 candidates"),
        (("--out", "none/deep"), "cannot be made a folder"),
    ],
)
def test_what_is_wrong_is_said_before_data_is_read(
    run: Run, config: str, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.setattr("shortlist.config.configuration.Configuration.dataset", None)
    result = run("sweep", config, *options)
    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")


def test_a_configuration_that_is_no_experiment_is_refused(shop: Shop, run: Run) -> None:
    shared = run("sweep", str(shop.config))
    assert shared.exit_code == 2
    assert "[scorer] model: 'taste' is the model of the source 'Nearest' too" in shared.stderr
    text = shop.config.read_text().partition("[[sources]]")[0]
    (shop.folder / "single.toml").write_text(text)
    single = run("sweep", str(shop.folder / "single.toml"))
    assert single.exit_code == 2
    assert "a WALS retrieves nothing" in single.stderr
