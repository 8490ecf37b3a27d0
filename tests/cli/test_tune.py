"""`shortlist tune`: a search from the command line, resumed, interrupted, killed, and what it writes."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cli.conftest import Run, Shop
from cli.test_process import COMMAND, ENVIRONMENT

import shortlist as sl
from shortlist import config
from shortlist.experiments.tuning.tune import Plan

TUNE = """
[tune]
trials = 4

[tune.space]
models.taste.reg = { low = 1e-4, high = 1.0, log = true }
"sources.Nearest.k" = [5, 15]
sources.2.per_item = { low = 2, high = 9 }
"""


@pytest.fixture
def tuned(shop: Shop):
    """Return a function that writes a variant of the shop's configuration with a [tune] table."""

    def write(name: str, table: str = TUNE, *changes: tuple[str, str]) -> Path:
        path = Path(shop.variant(name, *changes))
        path.write_text(path.read_text() + table)
        return path

    return write


def test_the_best_is_written_and_can_be_evaluated_and_fitted(tuned, run: Run, tmp_path: Path) -> None:
    source = tuned("best.toml")
    best, study = tmp_path / "deep" / "b.toml", tmp_path / "s.db"
    best.parent.mkdir()
    result = run("tune", str(source), "--out", str(best), "--study", str(study), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["best"] >= found["start"]
    assert found["counts"] == {"complete": 4, "pruned": 0, "failed": 0}
    assert found["files"] == {"best": str(best), "plot": None}
    searched = {"models.taste.reg", "sources.Nearest.k", "sources.RelatedToRecent.per_item"}
    assert set(found["best_params"]) == searched
    nearest, related, _ = config.read(best).recommender.sources  # type: ignore[union-attr]
    assert found["best_params"] == {
        "models.taste.reg": nearest.model.reg,
        "sources.Nearest.k": nearest.k,
        "sources.RelatedToRecent.per_item": related.per_item,
    }
    assert "best configuration" not in best.read_text()
    assert best.read_text().startswith("# Found by `shortlist tune`: ndcg@5 ")
    assert run("evaluate", str(best)).exit_code == 0
    assert run("fit", str(best), "--out", str(tmp_path / "m")).exit_code == 0
    assert run("check", str(source.parent / "ratings.csv")).exit_code == 0


def test_people_are_told_what_was_found_and_what_to_do_next(tuned, run: Run, tmp_path: Path) -> None:
    source, plot = tuned("told.toml"), tmp_path / "s.html"
    result = run("tune", str(source), "--plot", str(plot), "--trials", "3")
    assert result.exit_code == 0, result.output
    best, study = source.with_suffix(".best.toml"), source.with_suffix(".study.db")
    said = result.stdout.replace("\n", " ")
    for words in ("ndcg@5 ", "3 trials in ", "3 complete, 0 pruned, 0 failed", f"best configuration: {best}"):
        assert words in said
    assert f"next: shortlist evaluate {best}" in said
    assert f"plot: {plot}" in said
    assert "trial 0: ndcg@5 " in result.stderr
    assert best.exists()
    assert study.exists()
    assert "<svg" in plot.read_text()


def test_the_same_command_goes_on_and_ends_where_one_run_ends(tuned, run: Run, tmp_path: Path) -> None:
    source = tuned("again.toml")

    def trials(study: str, *options: str) -> pl.DataFrame:
        result = run("tune", str(source), "--study", str(tmp_path / study), "--json", *options)
        assert result.exit_code == 0, result.output
        return pl.DataFrame(json.loads(result.stdout)["trials"]).drop("seconds")

    assert trials("a.db", "--trials", "2").height == 2
    resumed = trials("a.db")
    assert resumed.equals(trials("b.db"))
    assert trials("a.db", "--restart", "--trials", "1").height == 1


def test_it_is_the_search_of_the_library_with_the_settings_of_evaluate(
    tuned, run: Run, tmp_path: Path
) -> None:
    source = tuned("same.toml", TUNE, ("k = 5", "k = 5\nexclude_seen = false"))
    result = run("tune", str(source), "--json")
    found = json.loads(result.stdout)
    assert (found["k"], found["exclude_seen"]) == (5, False)
    read = config.read(source)
    parts = read.split(read.dataset())
    space = {
        "models.taste.reg": {"low": 1e-4, "high": 1.0, "log": True},
        "sources.Nearest.k": [5, 15],
        "sources.RelatedToRecent.per_item": {"low": 2, "high": 9},
    }
    ours = sl.tune(
        read.recommender,
        parts.train,
        space,
        split=lambda data: sl.split.leave_last_out(data, 0.3),
        k=5,
        exclude_seen=False,
        trials=4,
        names=read.models,
    )
    assert [trial["value"] for trial in found["trials"]] == ours.trials["value"].to_list()
    own = run(
        "tune", str(tuned("own.toml", TUNE.replace("[tune]", '[tune]\nk = 3\nmetric = "map"'))), "--json"
    )
    assert [json.loads(own.stdout)[name] for name in ("metric", "k", "exclude_seen")] == ["map", 3, True]


def test_without_a_table_the_parameters_that_matter_are_searched(
    shop: Shop, run: Run, tmp_path: Path
) -> None:
    files = ["--study", str(tmp_path / "s.db"), "--out", str(tmp_path / "b.toml")]
    result = run("tune", str(shop.config), "--trials", "2", "--json", *files)
    assert result.exit_code == 0, result.output
    # The popularity of the source has no table of its own, so nothing could be written for it.
    names = ("unobserved_weight", "reg", "reg_exponent", "item_weight_exponent", "dim")
    assert list(json.loads(result.stdout)["best_params"]) == [f"models.taste.{name}" for name in names]


def test_the_search_is_handed_no_test_event(tuned, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tuned("unseen.toml")
    handed = []
    real = Plan.run

    def spy(plan, train, split, **options):
        handed.append((train, split))
        return real(plan, train, split, **options)

    monkeypatch.setattr(Plan, "run", spy)
    assert run("tune", str(source)).exit_code == 0
    read = config.read(source)
    train, test = read.split(read.dataset())
    ((given, rule),) = handed
    assert given.fingerprint == train.fingerprint
    events = {tuple(row) for row in zip(test.interactions.user_idx, test.interactions.item_idx, strict=True)}
    for part in (given, *rule(given)):
        own = zip(part.interactions.user_idx, part.interactions.item_idx, strict=True)
        assert not events & {tuple(row) for row in own}
    # What was read of the whole file is not handed over either, and the rule holds numbers alone.
    assert given.report is None
    assert rule.keywords == {"fraction": 0.3}


@pytest.mark.parametrize(
    "kind", ['kind = "leave_last_out"\nfraction = 0.3', 'kind = "global_time"\nat = {at}']
)
def test_other_test_events_in_the_file_change_no_trial(
    tuned, run: Run, shop: Shop, tmp_path: Path, kind: str
) -> None:
    kind = kind.format(at="2001-09-09T04:00:00Z")
    rows = pl.read_csv(shop.ratings)
    outputs = []
    for name in ("clean", "poisoned"):
        source = tuned(
            f"{name}.toml",
            TUNE,
            ('kind = "leave_last_out"\nfraction = 0.3', kind),
            ('interactions = "ratings.csv"', f'interactions = "{name}.csv"'),
        )
        rows.write_csv(shop.folder / f"{name}.csv")
        if name == "poisoned":
            read = config.read(source)
            train, test = read.split(read.dataset())
            other = poisoned(rows, test, np.random.default_rng(1))
            other.write_csv(shop.folder / "poisoned.csv")
            again = config.read(source)
            new_train, new_test = again.split(again.dataset())
            assert new_train.fingerprint == train.fingerprint
            assert new_test.fingerprint != test.fingerprint
        result = run("tune", str(source), "--json", "--study", str(tmp_path / f"{name}.db"))
        assert result.exit_code == 0, result.output
        outputs.append([{**t, "seconds": 0} for t in json.loads(result.stdout)["trials"]])
    assert outputs[0] == outputs[1]


def poisoned(rows: pl.DataFrame, test: sl.Dataset, rng: np.random.Generator) -> pl.DataFrame:
    """Return the rows with the ratings of the test events turned round and each given to another item."""
    log = test.interactions
    events = {
        (test.users.ids[int(u)], test.items.ids[int(i)])
        for u, i in zip(log.user_idx, log.item_idx, strict=True)
    }
    swapped = []
    for row in rows.iter_rows(named=True):
        if (row["user_id"], row["item_id"]) in events:
            row |= {"item_id": int(rng.integers(1, 31)), "rating": 7 - row["rating"]}
        swapped.append(row)
    return pl.DataFrame(swapped)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[tune]\ntrails = 3\n", "[tune]: trails: tune has no such key. Did you mean 'trials'?"),
        ("[tune]\ntrials = 0\n", "[tune]: trials must be a whole number of at least 1, got 0"),
        ('[tune]\nmetric = "ngcd"\n', '[tune]: metric: needs "ndcg" or "recall"'),
        (
            '[tune]\nmetric = "rmse"\n',
            "[tune]: metric='rmse' needs a model that predicts ratings, and Pipeline",
        ),
        ("[tune]\nstudy = 's.db'\n", "[tune]: study: tune has no such key."),
        ("[tune.space]\nmodels.taste.dmi = [1]\n", "Did you mean 'models.taste.dim'?"),
        ("[tune.space]\nmodels.tast.dim = [1]\n", "Did you mean 'models.taste.dim'?"),
        (
            "[tune.space]\nmodels.taste.dim = { low = 0, high = 4 }\n",
            "models.taste.dim: 0 cannot be tried: dim must",
        ),
        (
            "[tune.space]\nmodels.taste.reg = { low = 1, hihg = 4 }\n",
            "no such key: hihg. Did you mean 'high'?",
        ),
        ("[tune]\nspace = 3\n", "[tune]: space: needs a table"),
        ("[[tune]]\ntrials = 3\n", "tune: it is a table; write [tune] in single brackets"),
    ],
)
def test_mistakes_are_named_before_any_data_is_read(tuned, run: Run, table: str, words: str) -> None:
    source = tuned("wrong.toml", table, ('"ratings.csv"', '"nowhere.csv"'))
    result = run("tune", str(source))
    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")
    assert not source.with_suffix(".study.db").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--trials", "0"], "trials must be a whole number"),
        (["--timeout", "-1"], "timeout_minutes must be a number above 0"),
        (["--out", "{config}"], "is the configuration itself, which is kept; give another --out"),
        (["--out", "/nowhere/b.toml"], "there is no folder /nowhere"),
        (["--plot", "s.pdf"], "a chart is written as .png, .svg, .html"),
        (["--study", "{config}"], "is no study of a search"),
    ],
)
def test_wrong_options_leave_everything_as_it_is(tuned, run: Run, options: list[str], words: str) -> None:
    source = tuned("options.toml")
    before = source.read_bytes()
    result = run("tune", str(source), *(option.format(config=source) for option in options))
    assert result.exit_code == 2
    assert words in result.stderr.replace("\n", " ")
    assert source.read_bytes() == before
    assert not source.with_suffix(".best.toml").exists()


def test_another_search_in_the_same_file_is_refused_with_what_to_do(tuned, run: Run, tmp_path: Path) -> None:
    study = ["--study", str(tmp_path / "s.db")]
    assert run("tune", str(tuned("first.toml")), *study, "--trials", "1").exit_code == 0
    other = str(tuned("second.toml", TUNE, ("dim = 4", "dim = 5")))
    result = run("tune", other, *study, "--trials", "1")
    assert result.exit_code == 2
    assert "the configuration of models.taste was WALS(dim=4" in result.stderr
    assert "(--study), or begin anew in the same (--restart)" in result.stderr
    assert run("tune", other, *study, "--trials", "1", "--restart").exit_code == 0


@contextmanager
def started(source: Path, study: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Return a search without an end that has finished a trial, in a process of its own, which is gone afterwards."""
    command = [*COMMAND, "tune", str(source), "--study", str(study), "--trials", "1000000", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as process:
        try:
            assert process.stderr is not None
            while "trial 0" not in process.stderr.readline():
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_ctrl_c_keeps_what_is_done_and_writes_the_best_so_far(tuned, run: Run, tmp_path: Path) -> None:
    source, study, plot = tuned("stopped.toml"), tmp_path / "s.db", tmp_path / "s.svg"
    with started(source, study, "--plot", str(plot)) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert rest.endswith("interrupted\n")
    assert "Traceback" not in rest
    assert "; interrupted" in said
    config.read(source.with_suffix(".best.toml"))
    assert plot.read_text().startswith("<svg")
    done = int(said.split(" trials in ")[0].split()[-1])
    result = run("tune", str(source), "--study", str(study), "--trials", str(done + 1), "--json")
    assert len(json.loads(result.stdout)["trials"]) == done + 1


def test_a_killed_search_leaves_a_study_to_go_on_with(tuned, run: Run, tmp_path: Path) -> None:
    source = tuned("killed.toml")
    with started(source, tmp_path / "s.db") as process:
        time.sleep(0.5)
        process.kill()
    result = run("tune", str(source), "--study", str(tmp_path / "s.db"), "--json")
    assert result.exit_code == 0, result.output
    trials = json.loads(result.stdout)["trials"]
    fresh = run("tune", str(source), "--study", str(tmp_path / "new.db"), "--json")
    expected = json.loads(fresh.stdout)["trials"]
    assert [t["value"] for t in trials[: len(expected)]] == [t["value"] for t in expected]
