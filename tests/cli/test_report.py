"""`shortlist report`: the figures are those of Python, the page is written, and what is wrong is said."""

import json
from pathlib import Path

import pytest
from cli.conftest import N_ITEMS, Run, Shop

import shortlist as sl

MAKERS = (
    'items = "items.csv"',
    'items = "makers.csv"\nfeatures.items = { maker = "categorical", style = "categorical" }',
)
SELECT = (
    "[evaluate]",
    '[[rerank]]\ntype = "Select"\nterms = { Exposure = { on = "maker", weight = 0.3 } }\n\n[evaluate]',
)


@pytest.fixture(scope="module")
def saved(shop: Shop, run: Run) -> tuple[str, str]:
    """Return the configuration of the shop with makers, and where it was fitted to."""
    rows = [f"{item},Item {item},maker {item % 4},style {item % 3}" for item in range(1, N_ITEMS + 2)]
    (shop.folder / "makers.csv").write_text("\n".join(["item_id,title,maker,style", *rows]) + "\n")
    config, folder = shop.variant("makers.toml", MAKERS, SELECT), str(shop.folder / "makers")
    result = run("fit", config, "--out", folder)
    assert result.exit_code == 0, result.output
    return config, folder


def test_json_is_what_python_reports_and_the_page_has_it(
    saved: tuple[str, str], run: Run, tmp_path: Path
) -> None:
    config, folder = saved
    page = tmp_path / "report.html"
    options = ("--out", str(page), "--users", "20", "-k", "5", "--seed", "3", "--items", config)
    result = run("report", folder, *options, "--group", "style", "--group", "maker", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    data = sl.read(
        Path(config).parent / "ratings.csv",
        items=Path(config).parent / "makers.csv",
        features={"items": {"maker": "categorical", "style": "categorical"}},
    )
    expected = sl.report(sl.load(folder), k=5, n_users=20, group=["style", "maker"], items=data, rng=3)
    values = json.loads(json.dumps(expected.to_values()))
    for part in ("setting", "figures", "groups", "terms", "findings"):
        assert document[part] == values[part], part
    assert document["file"] == str(page)
    text = page.read_text()
    assert all(
        line.replace("'", "&#x27;") in text
        for lines in expected.to_values()["findings"].values()
        for line in lines
    )


def test_the_screen_has_findings_tables_and_the_file(
    saved: tuple[str, str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shortlist.experiments.report.outcome.Report.to_html", lambda _: "")
    page = tmp_path / "page.html"
    result = run("report", saved[1], "--out", str(page), "--users", "all", "-k", "3", "--include-seen")
    assert result.exit_code == 0, result.output
    for words in (
        "Share of the exposure by maker",
        "Exposure on maker, weight 0.3",
        "39 people",
        f"written: {page}",
    ):
        assert words in result.stdout
    assert page.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--users", "some"), "--users some: give a whole number, or all"),
        (("--users", "3"), "n_users must be a whole number of at least 10"),
        (("--out", "none/report.html"), "make it or give another"),
        (("--out", "report.pdf"), "give a name that ends in .html"),
        (("--items", "items.csv"), "give the CONFIG.toml that DIR was fitted by"),
        (("--group", "style"), "hand the item features in (items= in Python, --items CONFIG.toml"),
    ],
)
def test_what_is_wrong_is_said(
    saved: tuple[str, str], run: Run, options: tuple[str, ...], words: str
) -> None:
    result = run("report", saved[1], *options)
    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")
