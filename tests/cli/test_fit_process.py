"""`shortlist fit` as a process that is interrupted, or that another one fits beside into the same folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import Run, Shop
from cli.test_process import assert_interruptible

import shortlist as sl

COMMAND = [sys.executable, "-m", "shortlist.cli"]
ENDLESS = ("n_epochs = 3", "refit_epochs = 100000000")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def fitted(shop: Shop, run: Run, tmp_path: Path) -> Path:
    """Return the folder of a fit of the shop."""
    assert run("fit", str(shop.config), "--out", str(tmp_path / "m")).exit_code == 0
    return tmp_path / "m"


def test_an_interrupted_refit_leaves_the_old_artifact(shop: Shop, fitted: Path) -> None:
    before = content(fitted)
    config = shop.variant("endless.toml", ENDLESS)
    command = [*COMMAND, "fit", config, "--out", str(fitted), "--start", str(fitted)]
    assert_interruptible(command)
    assert content(fitted) == before


def test_an_interruption_while_saving_leaves_the_old_artifact(shop: Shop, fitted: Path) -> None:
    """The signal comes when a file of the new artifact has been written, and its manifest has not."""
    before = content(fitted)
    config = shop.variant("seeded.toml", ("[data]", "seed = 5\n[data]"))
    code = (
        "import os, signal, sys\nfrom shortlist.cli import main\nfsync = os.fsync\n"
        "def interrupting(handle):\n    fsync(handle)\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "os.fsync = interrupting\n"
        f"sys.argv = ['shortlist', 'fit', {config!r}, '--out', {str(fitted)!r}]\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert content(fitted) == before


def test_two_fits_into_one_folder_leave_one_of_them_whole(shop: Shop, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "m"
    configs = [shop.variant(f"seed{seed}.toml", ("[data]", f"seed = {seed}\n[data]")) for seed in (1, 2)]
    commands = [[*COMMAND, "fit", config, "--out", str(out)] for config in configs]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    loaded = sl.load(out)
    assert loaded.seed_ in {1, 2}
    alone = tmp_path / "alone"
    assert run("fit", configs[loaded.seed_ - 1], "--out", str(alone)).exit_code == 0
    assert content(out) == content(alone)
