import json
from pathlib import Path

import pytest
from cli.conftest import Run, Shop

import shortlist as sl

MODELS_ONLY = "[[sources]]"


@pytest.fixture(scope="module")
def wals(shop: Shop) -> str:
    text = shop.config.read_text().partition(MODELS_ONLY)[0]
    (shop.folder / "wals.toml").write_text(text.replace("taste", "wals") + "[evaluate]\nk = 5\n")
    return str(shop.folder / "wals.toml")


def test_json_is_what_python_would_compare(shop: Shop, run: Run, wals: str) -> None:
    result = run("compare", str(shop.config), wals, "--json")
    document = json.loads(result.stdout)
    data = sl.read(shop.ratings, items=shop.items, kind="ratings", scale=(1, 5))
    train, test = sl.split.leave_last_out(data, 0.3)
    taste = sl.WALS(dim=4, n_epochs=3)
    sources = [sl.Nearest(taste, 15), sl.RelatedToRecent(taste), sl.Popular()]
    recommenders = {"shop": sl.Pipeline(sources, sl.ModelScorer(taste)), "wals": taste}
    expected = sl.compare(
        recommenders,
        train,
        test,
        5,
        n_bootstrap=50,
        validation_split=lambda part: sl.split.leave_last_out(part, 0.3),
    ).to_values()
    for key in ("with_baseline", "with_best", "evaluation", "data", "baseline", "requests"):
        assert document[key] == expected[key], key
    assert [model["name"] for model in document["models"]] == ["shop", "wals", document["baseline"]]
    assert [model["origin"] for model in document["models"]] == [str(shop.config), wals, None]
    assert document["files"] == {"report": None, "picture": None}


def test_one_file_shows_its_models_beside_the_pipeline(shop: Shop, run: Run) -> None:
    text = run("compare", str(shop.config)).stdout
    rows = [line.split("  ")[0] for line in text.splitlines()]
    assert {"Pipeline", "taste"} <= set(rows)
    assert any(row.startswith("popularity") for row in rows)
    assert "warm users" not in text
    assert "map@5" not in text


def test_options_show_more(shop: Shop, run: Run) -> None:
    text = run(
        "compare", str(shop.config), "--all-metrics", "--by-segment", "-k", "3", "--metric", "recall"
    ).stdout
    for words in ("map@3", "warm users", "head items", "recall@3 by segment", "recall@3 [95% interval]"):
        assert words in text


def test_a_baseline_and_seeds_can_be_named(shop: Shop, run: Run) -> None:
    result = run("compare", str(shop.config), "--baseline", "taste", "--seeds", "2", "--json")
    document = json.loads(result.stdout)
    assert document["baseline"] == "taste"
    assert [model["name"] for model in document["models"]] == ["Pipeline", "taste"]
    assert [len(spread["values"]) for spread in document["seeds"]] == [2, 2]


def test_report_and_picture_are_written(shop: Shop, run: Run, wals: str, tmp_path: Path) -> None:
    html, png = tmp_path / "r.html", tmp_path / "r.png"
    result = run(
        "compare", str(shop.config), wals, "--html", str(html), "--png", str(png), "--baseline", "wals"
    )
    assert result.exit_code == 0, result.stderr
    assert f"report: {html}" in result.stdout
    assert f"shortlist compare {shop.config} {wals} -k 5 --metric ndcg --baseline wals<" in html.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--html", "none/r.html"), "there is no folder"),
        (("--html", "r.png"), "--html r.png: give a name that ends in .html"),
        (("--png", "none/r.png"), "there is no folder"),
        (("--png", "r.svg"), "--png r.svg: give a name that ends in .png"),
        (("--baseline", "tast"), "Did you mean 'taste'?"),
        (("--metric", "ndgc"), "Did you mean 'ndcg'?"),
    ],
)
def test_what_is_wrong_is_said_before_data_is_read(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.setattr("shortlist.config.configuration.Configuration.dataset", None)
    result = run("compare", str(shop.config), *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_failing_fit_names_its_file(shop: Shop, run: Run, tmp_path: Path) -> None:
    rows = ["user,item,timestamp", *(f"{u},{i},{10 * i + u}" for u in range(6) for i in range(u % 2, 8))]
    (tmp_path / "events.csv").write_text("\n".join(rows))
    head = '[data]\ninteractions = "events.csv"\n[split]\nkind = "leave_last_out"\n[models.m]\n'
    (tmp_path / "p.toml").write_text(head + 'type = "Popularity"\n')
    (tmp_path / "r.toml").write_text(head + 'type = "MatrixFactorization"\n')
    result = run("compare", str(tmp_path / "p.toml"), str(tmp_path / "r.toml"))
    assert result.exit_code == 2
    assert f"error: r ({tmp_path / 'r.toml'}): " in result.stderr


def test_files_of_different_splits_are_refused(shop: Shop, run: Run) -> None:
    other = shop.variant("cut.toml", ("fraction = 0.3", "fraction = 0.2"))
    result = run("compare", str(shop.config), other)
    assert result.exit_code == 2
    assert "do not have the same split" in result.stderr
