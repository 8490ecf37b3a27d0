import builtins
import json
import math
import struct
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from experiments.hand_data import Told, dataset, parts

import shortlist as sl
from shortlist.errors import DataError, MissingExtraError, ParameterError
from shortlist.experiments.comparing import candidates
from shortlist.experiments.comparing.candidates import Candidate, fit_all, small_part

ODD_NAME = '<b>taste</b> & "Тест" \''


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(3)
    events = []
    for user in range(30):
        for at, item in enumerate(rng.permutation(20)[:10]):
            events.append((user, item, 5.0 if item % 2 == user % 2 else 2.0, at + user / 100))
    tags = [["even" if item % 2 == 0 else "odd"] for item in range(20)]
    return sl.split.leave_last_out(dataset(events, 30, 20, tags=tags), 0.3)


@pytest.fixture(scope="module")
def recommenders():
    taste = sl.WALS(dim=4, n_epochs=2)
    return {
        ODD_NAME: taste,
        "ratings": sl.MatrixFactorization(dim=2, n_epochs=2),
        "pipeline": sl.Pipeline([sl.Nearest(taste, 15), sl.Popular()], sl.ModelScorer(taste)),
    }


@pytest.fixture(scope="module")
def compared(split, recommenders):
    return sl.compare(recommenders, *split, k=5, n_bootstrap=100, n_seeds=2, rng=4)


def test_figures_are_those_of_evaluate(split, recommenders, compared):
    train, test = split
    fitted = {
        ODD_NAME: sl.WALS(dim=4, n_epochs=2).fit(train, rng=4),
        "ratings": sl.MatrixFactorization(dim=2, n_epochs=2).fit(train, rng=4),
        "pipeline": sl.Pipeline(recommenders["pipeline"].sources, recommenders["pipeline"].scorer).fit(
            train, rng=4
        ),
        compared.baseline: popularity(compared).fit(train),
    }
    expected = sl.evaluate(fitted, train, test, 5, baseline=compared.baseline, n_bootstrap=100, rng=4)
    assert compared.evaluation.frame.equals(expected.frame)


def popularity(compared):
    """Return the baseline, made from the parameters that the comparison says."""
    return eval(compared.entry(compared.baseline).parameters, {"Popularity": sl.Popularity})


def test_intervals_of_the_main_metric_are_those_of_evaluate(compared):
    for contrast in compared.with_baseline:
        result = compared.evaluation.result("ndcg", contrast.model)
        expected = (result.difference, result.difference_low, result.difference_high)
        np.testing.assert_allclose((contrast.difference, contrast.low, contrast.high), expected, atol=1e-15)


def test_the_frame_is_ranked_and_has_differences_and_costs(compared):
    frame = compared.frame
    assert frame.height == 4
    assert frame["value"].is_sorted(descending=True)
    for row in frame.iter_rows(named=True):
        assert (row["difference"] is None) == (row["model"] == compared.baseline)
        assert (row["behind_best"] is None) == (row["model"] == frame["model"][0])
        assert row["fit_seconds"] >= 0
        assert 0 < row["single_ms"] <= row["single_ms_p95"]
        assert row["size_mb"] > 0


def test_what_is_given_is_left_as_it_was(recommenders, compared):
    assert not any(recommender.is_fitted for recommender in recommenders.values())


def test_what_is_fitted_is_not_fitted_again(split, monkeypatch):
    train, test = split
    fitted = sl.WALS(dim=3, n_epochs=1).fit(train, rng=0)
    monkeypatch.setattr(sl.WALS, "_fit", None)
    found = sl.compare({"a": fitted, "b": sl.Popularity()}, train, test, k=3, baseline="b", n_bootstrap=0)
    assert found.entry("a").times.fit_seconds is None
    assert found.entry("b").times.fit_seconds > 0
    assert [entry.name for entry in found.entries] == ["a", "b"]


def test_each_is_fitted_once_on_train_after_a_small_fit(split, monkeypatch):
    seen = []
    real = sl.Popularity._fit

    def record(self, data, *rest):
        seen.append((self.by, len(data.interactions)))
        return real(self, data, *rest)

    monkeypatch.setattr(sl.Popularity, "_fit", record)
    monkeypatch.setattr(candidates, "WARM_UP_EVENTS", 12)
    models = {"count": sl.Popularity(), "mean": sl.Popularity("mean")}
    sl.compare(models, *split, k=3, baseline="mean", n_bootstrap=0)
    n = len(split.train.interactions)
    assert sorted(seen) == [("count", 12), ("count", n), ("mean", 12), ("mean", n)]
    assert [size for _, size in seen] == [12, 12, n, n]


def test_seeds_give_mean_and_spread(compared):
    found = {spread.model: spread for spread in compared.spreads}
    assert set(found) == {entry.name for entry in compared.entries}
    for name, spread in found.items():
        first, second = spread.values
        assert first == compared.evaluation.result("ndcg", name).value
        assert spread.mean == pytest.approx((first + second) / 2)
        assert spread.std == pytest.approx(abs(first - second) / math.sqrt(2))
    assert found[compared.baseline].std == 0


def test_the_seed_of_the_second_fit_is_the_next(split, recommenders, compared):
    again = sl.compare({"x": recommenders["ratings"]}, *split, k=5, n_bootstrap=0, rng=5)
    (spread,) = [one for one in compared.spreads if one.model == "ratings"]
    assert again.evaluation.result("ndcg", "x").value == spread.values[1]


def test_a_generator_gives_one_seed(split):
    found = sl.compare({"a": sl.Popularity()}, *split, k=3, n_bootstrap=0, rng=np.random.default_rng(1))
    assert found.seed == int(np.random.default_rng(1).integers(1 << 32)) == found.entry("a").seed


def test_repeats_show_both_protocols():
    events = [(u, i, 1.0, 10 * r + i) for u in range(6) for r in range(3) for i in range(u % 3 + 2)]
    events += [(u, 5 + u % 2, 1.0, 90) for u in range(6)]
    data = dataset(events, 6, 8, feedback=sl.Feedback.events())
    found = sl.compare(
        {"a": sl.Popularity()},
        *sl.split.leave_last_out(replace(data, repeats=True), n=2),
        k=2,
        n_bootstrap=20,
    )
    assert found.evaluation.protocols == ("new items", "repeats allowed")
    assert found.frame.height == 4
    assert {contrast.protocol for contrast in found.with_baseline} == set(found.evaluation.protocols)
    assert "ndcg@2, repeats allowed" in found.to_text()
    assert found.to_html().count("<h2>Quality: ") == 2


def test_a_recommender_of_another_kind_is_measured_but_not_saved(split):
    train, test = split
    told = Told(train, {u: [u % 20] for u in range(30)})
    found = sl.compare({"told": told}, train, test, k=2, n_bootstrap=0, n_seeds=2)
    assert found.entry("told").times.size_mb is None
    assert any("told: not fitted with other seeds" in note for note in found.notes)
    assert "told" in found.to_html()


class Asked(Told):
    def recommend(self, users, k=10, *, exclude_seen=True, items=None, on_unknown="raise"):
        self.asked.append((k, exclude_seen))
        return super().recommend(users, k, exclude_seen=exclude_seen, on_unknown=on_unknown)


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_lists_that_are_timed_are_those_that_are_measured(split, exclude_seen):
    asked = Asked(split.train, {u: [u % 20] for u in range(30)})
    sl.compare({"a": asked}, *split, k=2, n_bootstrap=0, baseline="a", exclude_seen=exclude_seen)
    assert {one for one in asked.asked if isinstance(one, tuple)} == {(2, exclude_seen)}


def test_sizes_are_megabytes_on_disk(split, tmp_path):
    model = sl.WALS(dim=4, n_epochs=1).fit(split.train, rng=0)
    found = sl.compare({"a": model}, *split, k=2, n_bootstrap=0, baseline="a")
    files = [file for file in model.save(tmp_path / "a").rglob("*") if file.is_file()]
    assert found.entry("a").times.size_mb == pytest.approx(
        sum(f.stat().st_size for f in files) / 1e6, rel=1e-3
    )


def test_the_popularity_found_keeps_a_name_of_its_own(split):
    found = sl.compare({"a": sl.Popularity()}, *split, k=3, n_bootstrap=0)
    twin = sl.compare({found.baseline: sl.Popularity()}, *split, k=3, n_bootstrap=0)
    assert twin.baseline == f"{found.baseline} (baseline)"


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"baseline": "count"}, ParameterError, r"'count' is not compared\. Did you mean 'counts'\?"),
        ({"metric": "ndgc"}, ParameterError, r"Did you mean 'ndcg'\?"),
        ({"metric": "rmse"}, ParameterError, "cannot be the main metric"),
        ({"n_seeds": 0}, ParameterError, "n_seeds must be a whole number of at least 1"),
        ({"k": 0}, ParameterError, "k must be a whole number"),
        ({"level": 1.0}, ParameterError, "level must lie between 0 and 1"),
    ],
)
def test_what_is_wrong_is_said_before_any_fit(split, monkeypatch, keywords, error, words):
    monkeypatch.setattr(sl.Popularity, "_fit", None)
    with pytest.raises(error, match=words):
        sl.compare({"counts": sl.Popularity()}, *split, **keywords)


def test_nothing_and_no_names_are_refused(split):
    with pytest.raises(ParameterError, match="nothing to compare"):
        sl.compare({}, *split)
    with pytest.raises(ParameterError, match="recommenders by name"):
        sl.compare([sl.Popularity()], *split)


def test_a_failing_fit_is_named(split):
    train, test = parts([(0, 0, 1.0), (1, 1, 1.0)], [(0, 1, 1.0)], 2, 2, feedback=sl.Feedback.events())
    with pytest.raises(DataError, match=r"^ratings: "):
        sl.compare({"ratings": sl.MatrixFactorization()}, train, test)
    with pytest.raises(DataError, match=r"^ratings \(c\.toml\): "):
        fit_all([Candidate("ratings", sl.MatrixFactorization(), 0, "c.toml")], train, print)


def test_what_cannot_be_fitted_must_come_fitted(split):
    told = Told(split.train, {})
    told.is_fitted = False
    with pytest.raises(ParameterError, match="told: Told is not fitted, and is neither"):
        sl.compare({"told": told}, *split)


def test_fitted_on_the_whole_data_is_refused(split):
    other = dataset([(0, 0, 5.0), (1, 1, 5.0)], 2, 2)
    with pytest.raises(ParameterError, match="was fitted on other data than train"):
        sl.compare({"a": sl.Popularity().fit(other)}, *split, k=2)


def test_a_small_part_has_events_of_both_kinds_and_only_its_ids(split):
    part = small_part(split.train, 20)
    log = part.interactions
    assert (len(log), int(log.positive.sum())) == (20, 10)
    assert len(part.users) == np.unique(log.user_idx).size
    assert part.item_features.frame["id"].to_list() == part.items.ids.to_list()
    whole = small_part(split.train, 10**6)
    assert len(whole.interactions) == len(split.train.interactions)


def finite(value):
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    assert value is None or isinstance(value, str | bool | int | float), type(value)
    return not isinstance(value, float) or math.isfinite(value)


def test_json_holds_everything_in_stable_keys(compared):
    values = json.loads(json.dumps(compared.to_values(), allow_nan=False))
    assert finite(values)
    assert list(values) == [
        "format", "metric", "k", "baseline", "seed", "data", "models", "requests", "with_baseline", "with_best",
        "seeds", "evaluation", "environment", "notes",
    ]  # fmt: skip
    assert values["models"][0].keys() == {"name", "type", "parameters", "origin", "seed", "times"}
    assert values["models"][0]["times"].keys() == {
        "fit_seconds", "batch_ms_per_user", "single_ms", "single_ms_p95", "size_mb",
    }  # fmt: skip
    assert values["with_baseline"][0].keys() == {
        "model", "reference", "protocol", "difference", "low", "high", "p_value", "p_holm", "n_users",
    }  # fmt: skip
    assert (values["data"]["name"], values["data"]["split"]) == ("hand", "leave_last_out(fraction=0.3)")
    assert values["environment"]["threads"] == sl.num_threads()
    assert len(values["evaluation"]["results"]) == compared.evaluation.frame.height


def test_text_has_every_model_and_asked_for_metrics(compared):
    short, long = compared.to_text(), compared.to_text(all_metrics=True, by_segment=True)
    for entry in compared.entries:
        assert entry.name in short
    assert "map@5" not in short
    assert "map@5" in long
    assert "warm users" not in short
    assert "head items" in long
    assert "ndcg@5 over 2 seeds" in short
    line = next(line for line in short.splitlines() if line.startswith(ODD_NAME) and "[" in line)
    assert f"{compared.evaluation.result('ndcg', ODD_NAME).value:.4f}" in line
    metrics = short[short.index("metrics, new items") :]
    wals = next(line for line in metrics.splitlines() if line.startswith(ODD_NAME))
    assert wals.rstrip().endswith("–")  # it predicts no ratings


def test_a_star_stands_where_evaluate_finds_a_difference(compared):
    text = compared.to_text(all_metrics=True)
    for metric in ("ndcg", "recall", "novelty"):
        for entry in compared.entries:
            result = compared.evaluation.result(metric, entry.name)
            assert (f"{result.value:.4f}*" in text) or not result.is_significant
    assert any(result.is_significant for result in compared.evaluation.results)


def test_the_best_has_a_table_unless_it_is_the_baseline(split, recommenders, compared):
    assert compared.ranked("new items")[0] != compared.baseline
    assert "ndcg@5 behind the best" in compared.to_text()
    best = sl.compare(
        recommenders, *split, k=5, n_bootstrap=10, baseline=compared.ranked("new items")[0], rng=4
    )
    assert best.ranked("new items")[0] == best.baseline
    assert "behind the best" not in best.to_text()
    assert best.with_best


class Page(HTMLParser):
    VOID = ("meta", "br", "hr", "img", "link")

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags, self.problems, self.tables = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if (
            tag in ("script", "link", "iframe", "object", "img")
            or "src" in attributes
            or "href" in attributes
        ):
            self.problems.append(f"{tag} loads something")
        if tag == "th" and "scope" not in attributes:
            self.problems.append("th without scope")
        if tag == "svg" and not attributes.get("aria-label"):
            self.problems.append("picture without words")
        if tag == "table":
            self.tables.append([])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.problems.append(f"{tag} closes something else")

    def handle_data(self, data):
        self.text.append(data)
        if "table" in self.open:
            self.tables[-1].append(data)


def test_the_page_is_well_formed_accessible_and_loads_nothing(compared, tmp_path):
    page = Page()
    text = compared.save_html(tmp_path / "r.html").read_text(encoding="utf-8")
    page.feed(text)
    assert page.problems == []
    assert page.open == []
    assert "b" not in {tag for tag, _ in page.tags}  # a name is text
    assert "url(" not in text
    assert "@import" not in text
    said = "".join(page.text)
    for entry in compared.entries:
        assert entry.name in said
        assert entry.parameters in said
    for metric in compared.evaluation.frame["metric"].unique():
        assert metric in "".join(map("".join, page.tables))
    for segment in compared.evaluation.frame["segment"].unique():
        assert segment in said
    for figure in (compared.parts.train_sha256, "Holm", f"{sl.num_threads()} thread"):
        assert figure in said
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1


def test_tables_of_the_page_are_those_of_the_text(compared):
    page = Page()
    page.feed(compared.to_html())
    for contrast in compared.with_baseline:
        assert any(f"{contrast.difference:+.4f} [" in cell for table in page.tables for cell in table)


def test_the_picture_is_a_png_of_some_size(compared, tmp_path):
    content = compared.save_chart(tmp_path / "c.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 1200
    assert height > 400


def test_pictures_have_the_names(compared, tmp_path):
    text = compared.save_chart(tmp_path / "c.svg").read_text()
    assert "&lt;b&gt;taste&lt;/b&gt; &amp;" in text
    assert "fit, s" in text


def test_one_model_beside_the_baseline_without_intervals_can_be_drawn(split, tmp_path):
    found = sl.compare({"a": sl.Popularity()}, *split, k=3, n_bootstrap=0)
    assert "[" not in found.to_text().split("costs")[0].replace("[95% interval]", "")
    found.save_html(tmp_path / "r.html")
    found.save_chart(tmp_path / "r.png")


def test_text_and_json_need_no_extra(split, monkeypatch, tmp_path):
    real = builtins.__import__

    def refuse(name, *rest, **keywords):
        if name in ("altair", "vl_convert"):
            raise ImportError(name)
        return real(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    found = sl.compare({"a": sl.Popularity()}, *split, k=3, n_bootstrap=10)
    assert found.to_text()
    assert found.to_values()
    with pytest.raises(MissingExtraError, match="experiments"):
        found.save_html(tmp_path / "r.html")
    with pytest.raises(MissingExtraError, match="experiments"):
        found.save_chart(tmp_path / "r.png")
