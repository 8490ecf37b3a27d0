import json
from pathlib import Path

import pytest
from cli.conftest import Run, Shop

import shortlist as sl
from shortlist.experiments import popularity_search
from shortlist.experiments.popularity_search import best_popularity


def test_json_is_what_python_would_measure(shop: Shop, run: Run) -> None:
    document = json.loads(run("evaluate", str(shop.config), "--json").stdout)
    data = sl.read(shop.ratings, items=shop.items, kind="ratings", scale=(1, 5))
    train, test = sl.split.leave_last_out(data, 0.3)
    taste = sl.WALS(dim=4, n_epochs=3)
    sources = [sl.Nearest(taste, 15), sl.RelatedToRecent(taste), sl.Popular()]
    pipeline = sl.Pipeline(sources, sl.ModelScorer(taste)).fit(train, rng=0)
    expected = sl.evaluate(pipeline, train, test, 5, n_bootstrap=50)
    found = {(r["model"], r["segment"], r["metric"]): r["value"] for r in document["results"]}
    assert {key: value for key, value in found.items() if key[0] == "Pipeline"} == {
        (r.model, r.segment, r.metric): r.value for r in expected.results
    }
    assert document["baseline"].startswith("popularity")
    assert (document["k"], document["interval"]["n_bootstrap"]) == (5, 50)


def test_the_table_has_both_and_the_difference(shop: Shop, run: Run) -> None:
    text = run("evaluate", str(shop.config)).stdout
    assert "popularity" in text
    assert "ndcg@5" in text
    assert "warm users: recall@5" in text
    assert "[95% interval]" in text
    assert "ordered in time for each user" in text


def test_the_best_popularity_is_found_for_the_lists_that_are_measured(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def record(train: object, **parameters: object) -> object:
        asked.update(parameters)
        return best_popularity(train, **parameters)

    monkeypatch.setattr(popularity_search, "best_popularity", record)
    config = shop.variant("seen.toml", ("k = 5\n", "k = 5\nexclude_seen = false\n"))
    assert run("evaluate", config).exit_code == 0
    assert (asked["k"], asked["exclude_seen"]) == (5, False)
    data = sl.read(shop.ratings, kind="ratings", scale=(1, 5))
    assert asked["split"](data).name == "leave_last_out(fraction=0.3)"


def test_too_little_to_choose_on_leaves_counts(run: Run, tmp_path: Path) -> None:
    rows = ["user,item", "1,a", "1,b", "1,c", "2,c", "2,a", "2,b", "3,b", "3,a"]
    (tmp_path / "likes.csv").write_text("\n".join(rows))
    (tmp_path / "c.toml").write_text(
        '[data]\ninteractions = "likes.csv"\n[split]\nkind = "leave_last_out"\nfraction = 0.4\n'
        '[models.m]\ntype = "WALS"\ndim = 2\n'
    )
    result = run("evaluate", str(tmp_path / "c.toml"), "--json")
    assert "note: no popularity can be chosen" in result.stderr
    assert json.loads(result.stdout)["baseline"] == "popularity: count"


def test_the_baseline_can_be_named(shop: Shop, run: Run) -> None:
    mean = '[models.mean]\ntype = "Popularity"\nby = "mean"\n\n[evaluate]\nbaseline = "mean"'
    config = shop.variant("named.toml", ("[evaluate]", mean))
    document = json.loads(run("evaluate", config, "--json").stdout)
    assert document["baseline"] == "mean"
    assert {result["model"] for result in document["results"]} == {"Pipeline", "mean"}


def test_a_baseline_called_like_the_class_stands_beside_it(shop: Shop, run: Run, tmp_path: Path) -> None:
    data = f'[data]\ninteractions = "{shop.ratings}"\nkind = "ratings"\nscale = [1, 5]\n'
    split = '[split]\nkind = "leave_last_out"\nfraction = 0.3\n'
    models = '[models.WALS]\ntype = "WALS"\ndim = 2\n[models.larger]\ntype = "WALS"\ndim = 4\n'
    (tmp_path / "c.toml").write_text(f'{data}{split}{models}[evaluate]\nbaseline = "WALS"\n')
    document = json.loads(run("evaluate", str(tmp_path / "c.toml"), "--json").stdout)
    assert {result["model"] for result in document["results"]} == {"WALS", "WALS (baseline)"}


def test_seen_items_count_where_the_file_says_so(shop: Shop, run: Run) -> None:
    config = shop.variant("seen.toml", ("k = 5\n", "k = 5\nexclude_seen = false\n"))
    assert json.loads(run("evaluate", config, "--json").stdout)["exclude_seen"] is False


def test_data_that_declares_repeats_is_measured_under_both_protocols(shop: Shop, run: Run) -> None:
    config = shop.variant("repeats.toml", ("scale = [1, 5]\n", "scale = [1, 5]\nrepeats = true\n"))
    text = run("evaluate", config).stdout
    assert text.index("new items: seen items are neither") < text.index("repeats allowed: seen items may be")
    assert text.count("warm users: recall@5") == 2
    document = json.loads(run("evaluate", config, "--json").stdout)
    assert list(document["protocols"]) == ["new items", "repeats allowed"]
    found = {(r["protocol"], r["model"]) for r in document["results"] if r["metric"] == "ndcg"}
    assert len(found) == 4


@pytest.mark.parametrize(
    "split",
    [
        'kind = "global_time"\nat = 2001-09-09T03:30:00Z',
        'kind = "global_time"\nfraction = 0.25',
        'kind = "random"',
        'kind = "random"\nseed = 3',
        'kind = "leave_last_out"\nn = 2',
    ],
)
def test_every_kind_of_split_can_be_measured(shop: Shop, run: Run, split: str) -> None:
    config = shop.variant("split.toml", ('kind = "leave_last_out"\nfraction = 0.3', split))
    result = run("evaluate", config)
    assert result.exit_code == 0, result.stderr
    assert split.split('"')[1] in result.stdout


def test_the_seed_of_the_split_counts(shop: Shop, run: Run) -> None:
    old = 'kind = "leave_last_out"\nfraction = 0.3'
    texts = {
        run("evaluate", shop.variant("seed.toml", (old, f'kind = "random"\nseed = {seed}')), "--json").stdout
        for seed in (1, 2)
    }
    assert len(texts) == 2


def test_a_split_is_needed(shop: Shop, run: Run) -> None:
    config = shop.variant("none.toml", ('[split]\nkind = "leave_last_out"\nfraction = 0.3\n', ""))
    result = run("evaluate", config)
    assert result.exit_code == 2
    assert "there is no [split]" in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("k = 5", "k = 0", "[evaluate]: k must be a whole number of at least 1, got 0"),
        ("k = 5", "k = 5\nlevel = 1.5", "[evaluate]: level must lie between 0 and 1, got 1.5"),
        ("k = 5", 'k = "5"', '[evaluate]: k: needs a whole number, not "5"'),
        ("k = 5", 'k = 5\nbaseline = "tast"', "Did you mean 'taste'?"),
        ("fraction = 0.3", "fraction = 1.3", "[split]: fraction=1.3"),
    ],
)
def test_what_is_wrong_ends_with_2(shop: Shop, run: Run, old: str, new: str, words: str) -> None:
    result = run("evaluate", shop.variant("wrong.toml", (old, new)))
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_missing_file_ends_with_2(tmp_path: Path, run: Run) -> None:
    result = run("evaluate", str(tmp_path / "none.toml"))
    assert result.exit_code == 2
    assert "none.toml: cannot be read: No such file or directory" in result.stderr
