"""How results, progress, compilation and unforeseen failures are shown."""

import io
import json
import sys
import time
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from cli.conftest import Run
from hypothesis import given
from hypothesis import strategies as st

from shortlist.cli import compilation, lazy, screen
from shortlist.cli import work as progress
from shortlist.cli.measures import quality_table, segment_table
from shortlist.cli.screen import Screen, short_float, write_json
from shortlist.cli.work import Work
from shortlist.experiments.protocols import NEW_ITEMS
from shortlist.experiments.summary import Result


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_short_float_is_the_same_float32(value: float) -> None:
    assert np.float32(short_float(value)) == np.float32(value)


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "Amélie"), ("ascii", "Am\\u00e9lie")])
def test_json_can_be_read_in_any_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write_json({"title": "Amélie"})
    sys.stdout.flush()
    text = raw.getvalue().decode(encoding)
    assert shown in text
    assert json.loads(text) == {"title": "Amélie"}


def test_json_never_holds_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"score": float("nan")})


def test_a_terminal_sees_the_step_and_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    console, out = Screen(), io.StringIO()
    console.file = out
    work = Work(console)
    work.step("counting [x]", total=3)
    work.advance(2)
    work.note("a note")
    work.stop()
    assert "counting [x]" in out.getvalue()
    assert "2/3" in out.getvalue()
    assert "a note" in out.getvalue()


def test_a_step_that_is_over_is_not_said_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.5)
    console, out = Screen(), io.StringIO()
    console.file = out
    work = Work(console)
    work.step("quick")
    work.step("slow")
    give_up = time.monotonic() + 30
    while not out.getvalue() and time.monotonic() < give_up:
        time.sleep(0.05)
    work.stop()
    assert out.getvalue() == "slow …\n"


def test_the_first_real_compilation_is_announced_once() -> None:
    said: list[str] = []
    add = numba.njit(lambda a, b: a + b)
    with compilation.announced(said.append):
        add(1, 2)
        add(1.0, 2.0)
        add(3, 4)
    assert said == [compilation.MESSAGE]
    with compilation.announced(said.append):
        add(5, 6)
    assert said == [compilation.MESSAGE]


def test_the_unforeseen_is_one_block_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(lazy.registry, "load", load)
    result = run("recommend", "x", "--user", "1")
    assert result.exit_code == 2
    assert "error: ZeroDivisionError: planted" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in run("--debug", "recommend", "x", "--user", "1").stderr


def test_without_a_command_the_commands_are_shown(run: Run) -> None:
    result = run()
    assert all(name in result.output for name in ("demo", "check", "fit", "recommend", "similar", "evaluate"))


def test_a_misspelt_command_gives_the_right_one(run: Run) -> None:
    result = run("recomend")
    assert result.exit_code == 2
    assert "recommend" in result.stderr


def test_lazy_names_are_modules_and_nothing_else() -> None:
    assert all(getattr(lazy, name).__name__ for name in lazy.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = lazy.nothing


def figure(
    model: str, metric: str, value: float, difference: tuple[float, float, float] | None = None
) -> Result:
    bounds = (None, None, None) if difference is None else difference
    return Result(model, NEW_ITEMS, "all", metric, value, None, None, *bounds, 12)


def drawn(*results: Result) -> str:
    evaluation = SimpleNamespace(results=results, k=10, level=0.9, results_of=lambda protocol: results)
    console = Screen()
    console.file, console.width = io.StringIO(), 100
    console.print(quality_table(evaluation, NEW_ITEMS))
    assert segment_table(evaluation, NEW_ITEMS) is None
    return console.file.getvalue()


def test_a_star_marks_an_interval_that_leaves_out_0() -> None:
    text = drawn(
        figure("base", "ndcg", 0.1),
        figure("ours", "ndcg", 0.3, (0.2, 0.1, 0.25)),
        figure("base", "map", 0.1),
        figure("ours", "map", 0.3, (0.2, -0.1, 0.5)),
        figure("base", "mrr", 0.5),
        figure("ours", "mrr", 0.3, (-0.2, -0.3, -0.1)),
        figure("ours", "rmse", 0.9),
    )
    lines = {line.split()[0]: line.strip() for line in text.splitlines() if line.strip()}
    assert lines["ndcg@10"].endswith("+0.2000 [0.1000, 0.2500]*")
    assert lines["map@10"].endswith("+0.2000 [-0.1000, 0.5000]")
    assert lines["mrr@10"].endswith("*")
    assert lines["rmse"].split() == ["rmse", "0.9000", "12"]
    assert "[90% interval]" in lines["metric"]


def test_nothing_is_taken_for_markup() -> None:
    console = screen.results()
    console.file = io.StringIO()
    console.print(screen.table([("title", "left")], [["[red]x[/red] :cat:"]]))
    assert "[red]x[/red] :cat:" in console.file.getvalue()
