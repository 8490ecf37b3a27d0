"""What only a process of its own shows: start, signals, pipes, full disks, exit statuses."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.conftest import Shop

COMMAND = [sys.executable, "-m", "shortlist.cli"]
# Buffered as it is for people, whatever holds for the tests.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
HEAVY = ("numba", "numpy", "pandas", "polars", "pyarrow", "scipy", "torch")


def test_help_starts_quickly() -> None:
    # Processor time, not the clock: other tests may be running beside this one.
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.6


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, shortlist.cli; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_the_console_script_is_there() -> None:
    script = Path(sys.executable).with_name("shortlist")
    done = subprocess.run([script, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("shortlist ")


def test_an_error_is_one_block_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "recommend", str(tmp_path), "--user", "1"], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    *progress, block = done.stderr.splitlines()
    assert block.startswith("error: no artifact at")
    assert all(line.endswith("…") for line in progress)


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--debug", "recommend", str(tmp_path), "--user", "1"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert "ArtifactError" in done.stderr


def assert_interruptible(command: list[str]) -> None:
    """Assert that Ctrl-C ends the fit that `command` begins, with its status and one word; it is gone in any case."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            while "fitting" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert rest.endswith("interrupted\n")
    assert "Traceback" not in rest


def test_interrupting_a_fit_is_clean(shop: Shop, tmp_path: Path) -> None:
    config = shop.variant("endless.toml", ("n_epochs = 3", "n_epochs = 100000000"))
    command = [*COMMAND, "fit", config, "--out", str(tmp_path / "m")]
    assert_interruptible(command)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_reader_that_goes_away_is_no_error(shop: Shop, option: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "recommend", shop.saved, "--user", "7", *option],
        check=False, stdout=writer, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 141
    assert "error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_status_of_check_is_for_who_reads_it(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user,item\n1,2\n,3\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "check", str(tmp_path / "events.csv"), "--json"],
        check=False, stdout=writer, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 141
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_a_full_disk_is_an_error(shop: Shop, option: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "recommend", shop.saved, "--user", "7", *option],
            check=False, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
        )  # fmt: skip
    assert done.returncode == 2
    assert "error: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_is_no_error(shop: Shop) -> None:
    arguments = ["recommend", shop.saved, "--user", "7", "--items", "5", "--include-seen", "--explain"]
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"Am?lie" in done.stdout


def test_progress_is_said_when_a_step_takes_long() -> None:
    code = (
        "import time\nfrom shortlist.cli.work import working\n"
        "with working('quick') as work:\n    work.step('slow')\n    time.sleep(1.5)\n    work.step('last')"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "slow …" in done.stderr
    assert "last …" not in done.stderr
    assert time.perf_counter() - start < 60
