"""`shortlist recommend --all`: the lists of everybody in one file."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from cli.conftest import N_USERS, Run, Shop

import shortlist as sl
from shortlist.data import batch


def test_all_writes_what_each_user_would_get(shop: Shop, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    result = run("recommend", shop.saved, "--all", "--out", str(out), "-k", "6", "--reasons")
    shown = sl.load(shop.saved).recommend(range(1, N_USERS + 1), 6, on_unknown="skip")
    found = pl.read_parquet(out)
    assert found.drop("reason").equals(shown.frame)
    assert found["reason"].to_list() == shown.reasons["reason"].to_list()
    assert f"{found.height} rows, users {N_USERS}" in result.stdout
    assert "without a list: 1 " in result.stdout
    assert "users a second" in result.stdout


def test_all_with_fallback_leaves_nobody_out(shop: Shop, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    result = run(
        "recommend", shop.saved, "--all", "--out", str(out), "-k", "3", "--on-unknown", "fallback", "--json"
    )
    said = json.loads(result.stdout)
    assert said.pop("seconds") > 0
    assert said.pop("users_per_second") > 0
    assert said == {
        "file": str(out), "k": 3, "total": N_USERS, "users": N_USERS, "rows": 3 * N_USERS, "without": 0,
        "short": 0, "before": 0,
    }  # fmt: skip
    assert pl.read_parquet(out)["user_id"].n_unique() == N_USERS


def test_a_run_that_was_cut_off_goes_on(
    shop: Shop, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "all.parquet"
    out.write_text("old")
    command = ("recommend", shop.saved, "--all", "--out", str(out))
    monkeypatch.setitem(batch.recommend_all.__kwdefaults__, "block_users", 10)
    monkeypatch.setattr(batch, "_counts", _fails_at_the_third(batch._counts))
    cut_off = run(*command)
    assert cut_off.exit_code == 2
    assert "planted" in cut_off.stderr
    assert f"keeps the lists of 20 of {N_USERS} users; the same command goes on there" in cut_off.stderr
    assert out.read_text() == "old"
    other = run(*command, "-k", "3")
    assert other.exit_code == 2
    assert "k was 10 and is 3" in " ".join(other.stderr.split())
    assert "20 users done before" in run(*command).stdout
    assert [entry.name for entry in tmp_path.iterdir()] == ["all.parquet"]
    assert pl.read_parquet(out)["user_id"].n_unique() == N_USERS - 1
    again = run(*command, "-k", "3", "--restart")
    assert again.exit_code == 0
    assert pl.read_parquet(out)["rank"].max() == 3


def _fails_at_the_third(counts):
    blocks = []

    def count(*arguments: object) -> object:
        blocks.append(arguments)
        if len(blocks) == 3:
            raise OSError("planted")
        return counts(*arguments)

    return count


def test_interrupting_before_a_block_is_done_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom shortlist.cli import main\nfrom shortlist.data import batch\n"
        "batch._counts = lambda shown, k: (print('begun', flush=True), time.sleep(60))\n"
        f"sys.argv = ['shortlist', 'recommend', {shop.saved!r}, '--all', '--out', {str(tmp_path / 'x.parquet')!r}]\n"
        "main()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_of_the_name_asked_for(shop: Shop, run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.parquet").mkdir()
    for out, words in (
        (tmp_path / "no" / "all.parquet", f"there is no folder {tmp_path / 'no'}"),
        (tmp_path / "folder.parquet", "is a folder"),
    ):
        result = run("recommend", shop.saved, "--all", "--out", str(out))
        assert result.exit_code == 2
        assert words in result.stderr


@pytest.mark.parametrize("option", ["--reasons", "--restart"])
def test_what_is_for_all_is_refused_for_one(shop: Shop, run: Run, option: str) -> None:
    result = run("recommend", shop.saved, "--user", "7", option)
    assert result.exit_code == 2
    assert f"{option} is for --all" in result.stderr
