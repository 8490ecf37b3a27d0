"""A command line in a process of its own, and a small shop with somebody who has seen everything."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli import app

Command = Callable[..., "Ended"]
N_ITEMS = 10
CONFIG = """
[data]
interactions = "ratings.csv"
kind = "ratings"
scale = [1, 5]

[models.taste]
type = "WALS"
dim = 4
n_epochs = 2
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def command(tmp_path, monkeypatch) -> Command:
    """Return a function that runs `shortlist` in `tmp_path`, in this process, which takes a hundredth of the time."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        done = CliRunner(env={"COLUMNS": "100"}).invoke(app, list(arguments))
        return Ended(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def process(tmp_path) -> Command:
    """Return a function that runs `shortlist` in `tmp_path`, in a process of its own."""

    def run(*arguments: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "shortlist.cli", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


def assert_refused(done: Ended, *words: str) -> None:
    """Assert that the command ended with status 2, nothing on stdout, and one readable block that holds `words`."""
    assert done.status == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "This was not foreseen" not in done.stderr
    assert done.stderr.count("error: ") == 1
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"


@dataclass(frozen=True)
class Shop:
    """`frame` are the ratings, `saved` a WALS fitted on them; user "all" has rated all of i0 … i9."""

    frame: pl.DataFrame
    model: sl.Model
    saved: Path


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    rows = [("all", f"i{item}", 5) for item in range(N_ITEMS)]
    rows += [(f"u{u}", f"i{item}", 1 + (u * item) % 5) for u in range(8) for item in range(0, N_ITEMS, 2)]
    frame = pl.DataFrame(rows, ["user_id", "item_id", "rating"], orient="row")
    model = sl.WALS(dim=4, n_epochs=2).fit(sl.read(frame, kind="ratings", scale=(1, 5)), rng=0)
    return Shop(frame, model, model.save(tmp_path_factory.mktemp("shop") / "artifact"))
