"""The folder of an artifact when things go wrong: no space, a killed or interrupted save, two savers, readers."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from artifacts import saving_processes
from artifacts.saving_processes import left_behind, number_of, save

from shortlist import artifacts
from shortlist.artifacts import State, container, folder
from shortlist.errors import ArtifactError

SCRIPT = Path(saving_processes.__file__)


def run(*arguments, before=()):
    done = subprocess.run(
        [*before, sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def together(*commands):
    """Return what each of the processes says that run at the same time."""
    processes = [
        subprocess.Popen([sys.executable, SCRIPT, *map(str, command)], stdout=subprocess.PIPE, text=True)
        for command in commands
    ]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(commands)
    return [json.loads(text) for text in said]


def on_a_small_disk(place):
    """Return the start of a command that runs in a mount namespace of its own, with a disk of 256 KiB at `place`."""
    own = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    script = f'mount -t tmpfs -o size=256k tmpfs "{place}" && exec "$@"'
    return [*own, "sh", "-c", script, "sh"]


def test_a_full_disk_leaves_the_old_artifact_and_nothing_else(tmp_path):
    disk = on_a_small_disk(tmp_path)
    can = subprocess.run([*disk, "true"], capture_output=True, text=True, check=False)
    if can.returncode != 0:
        pytest.skip(
            f"this system lets us mount no disk of our own ({can.stderr.strip()}); limits to files are tested"
        )
    outcomes = run("fill", tmp_path, before=disk)
    full = [outcome for outcome in outcomes if "No space left on device" in outcome]
    assert len(full) > 10
    assert outcomes.count("saved") == len(outcomes) - len(full) > 3


def test_files_that_may_not_grow_leave_the_old_artifact_and_nothing_else(tmp_path):
    outcomes = run("limit", tmp_path)
    refused = [outcome for outcome in outcomes if "File too large" in outcome]
    assert len(refused) > 10
    assert outcomes.count("saved") == len(outcomes) - len(refused) > 3


def test_a_save_killed_at_any_moment_leaves_an_artifact_and_the_next_one_tidies_up(tmp_path):
    found = run("kill", tmp_path / "x", 120, 3)
    assert 0 < found["replaced"] < 120
    assert ".writing-" in found["litter"]  # it does happen; but
    assert found["left"] == []


def test_a_save_interrupted_at_any_moment_leaves_an_artifact(tmp_path):
    found = run("interrupt", tmp_path / "x", 60, 4)
    assert 0 < found["replaced"] < 60
    assert found["left"] == []


def test_savers_failures_and_readers_at_the_same_time(tmp_path):
    place = tmp_path / "x"
    save(place, 0)
    *done, loads, more = together(
        ("save", place, 2, 1), ("save", place, 2, 2), ("fail", place, 2), ("load", place, 2), ("load", place, 2)
    )  # fmt: skip
    assert loads["loaded"] + more["loaded"] > 20
    assert max(loads["different"], more["different"]) > 5
    assert all(sum(said.values()) > 0 for said in done)
    assert number_of(place) > 0
    assert left_behind(place) == []


def test_failures_take_no_folder_away_from_a_saver(tmp_path):
    """Nothing is there at first: each failure removes what it made, unless somebody else is at work in it."""
    place = tmp_path / "deep" / "x"
    together(("fail", place, 1.5), ("fail", place, 1.5), ("save", place, 1.5, 1))
    assert number_of(place) > 0
    assert left_behind(place) == []


def test_a_folder_may_go_or_be_filled_while_it_is_looked_at(tmp_path, monkeypatch):
    """Another saver fails, and takes the folder that it made with it; or is done, and its manifest is there."""
    place = tmp_path / "x"
    is_dir, seen = Path.is_dir, []

    def changed(folder):
        found = is_dir(folder)
        if folder == place and not seen:
            seen.append(folder)
            return change(found)
        return found

    place.mkdir()
    monkeypatch.setattr(Path, "is_dir", changed)
    change = lambda found: place.rmdir() or found  # noqa: E731
    save(place, 1)
    assert number_of(place) == 1
    seen.clear()
    exists, late = Path.exists, []

    def not_yet(file):
        if file == place / "manifest.json" and not late:
            late.append(file)
            return False
        return exists(file)

    monkeypatch.setattr(Path, "exists", not_yet)
    change = lambda found: found  # noqa: E731
    save(place, 2)
    assert (number_of(place), len(late)) == (2, 1)


def test_a_reader_that_is_overtaken_starts_again(tmp_path, monkeypatch):
    place = tmp_path / "x"
    save(place, 1)
    read_array, overtaken = container._read_array, []

    def slow(where, entry, mapped):
        if len(overtaken) < 3:
            overtaken.append(entry)
            save(place, 1 + len(overtaken))
        return read_array(where, entry, mapped)

    monkeypatch.setattr(container, "_read_array", slow)
    assert number_of(place) == 4
    assert len(overtaken) == 3


def test_a_reader_that_is_always_overtaken_gives_up(tmp_path, monkeypatch):
    place = tmp_path / "x"
    save(place, 0)
    read_array, count = container._read_array, []

    def slow(where, entry, mapped):
        count.append(1)
        save(place, len(count))
        return read_array(where, entry, mapped)

    monkeypatch.setattr(container, "_read_array", slow)
    monkeypatch.setattr(container, "_RETRIES", 5)
    with pytest.raises(ArtifactError, match="saved anew 5 times while it was read"):
        artifacts.read(place)


def test_a_second_saver_waits_for_the_first(tmp_path):
    place, order = tmp_path / "x", []
    entered = threading.Event()

    def first():
        with folder.alone_in(place):
            entered.set()
            assert not second.join(0.3)
            order.append("first")

    def then():
        entered.wait()
        save(place, 2)
        order.append("second")

    second = threading.Thread(target=then)
    holder = threading.Thread(target=first)
    second.start()
    holder.start()
    holder.join()
    second.join()
    assert order == ["first", "second"]
    assert number_of(place) == 2


def test_a_saver_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "WAIT_SECONDS", 0.1)
    save(tmp_path / "x", 1)
    with (
        folder.alone_in(tmp_path / "x"),
        pytest.raises(ArtifactError, match="another process has been saving to"),
    ):
        save(tmp_path / "x", 2)
    assert number_of(tmp_path / "x") == 1


def test_a_lock_left_by_a_dead_saver_is_no_lock(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".lock").touch()
    save(tmp_path / "x", 1)
    assert left_behind(tmp_path / "x") == []


def test_an_interrupted_save_of_nothing_yet_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(target, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(container, "write_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "a" / "b", 1)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_right_after_the_manifest_keeps_the_new_artifact(tmp_path, monkeypatch):
    save(tmp_path / "x", 1)
    write_whole = container.write_whole

    def interrupted(target, content):
        write_whole(target, content)
        if target.name == "manifest.json":
            raise KeyboardInterrupt

    monkeypatch.setattr(container, "write_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "x", 2)
    assert number_of(tmp_path / "x") == 2
    assert left_behind(tmp_path / "x") == []


def test_a_damaged_manifest_is_replaced(tmp_path):
    save(tmp_path / "x", 1)
    (tmp_path / "x" / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="JSON"):
        artifacts.write(tmp_path / "x", State("S", {"v": float("inf")}), {})
    assert len(list((tmp_path / "x" / "arrays").iterdir())) == 6  # whose they are cannot be told
    save(tmp_path / "x", 2)
    assert number_of(tmp_path / "x") == 2
    assert left_behind(tmp_path / "x") == []


def test_files_are_for_whom_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        save(tmp_path / "x", 1)
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "x").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o640}


def test_names_and_content_are_synced_before_and_after_the_manifest(tmp_path, monkeypatch):
    """A power cut after the save must find the manifest, and never a manifest without its arrays."""
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (calls.append(Path(f"/proc/self/fd/{fd}").readlink()), fsync(fd))
    )
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append(("replace", Path(b).name)), replace(a, b)))
    artifacts.write(tmp_path / "x", State("S", {}, {"a": np.arange(3)}), {})
    place = tmp_path / "x"
    first, named, synced, manifest, committed, own, parent = calls
    assert first.parent == place / "arrays"  # the array's content, under its unfinished name
    assert named[1].endswith(".safetensors")
    assert synced == place / "arrays"
    assert manifest.parent == place
    assert committed == ("replace", "manifest.json")
    assert (own, parent) == (place, tmp_path)


@pytest.mark.parametrize("what", ["a file", "below a file", "other files", "closed"])
def test_what_cannot_be_written_is_said_without_writing(tmp_path, monkeypatch, what):
    place = tmp_path / "x"
    if what in {"a file", "below a file"}:
        place.write_text("mine")
        words = f"{place} is a file"
    elif what == "other files":
        place.mkdir()
        (place / ".bashrc").touch()
        words = r"holds other files \(\.bashrc\)"
    else:
        monkeypatch.setattr(folder.os, "access", lambda path, mode: False)
        words = f"you may not write in {tmp_path}"
    before = sorted(tmp_path.rglob("*"))
    target = place / "deeper" if what == "below a file" else place
    with pytest.raises(ArtifactError, match=words):
        artifacts.require_writable(target)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_can_be_written_is_let_through(tmp_path):
    artifacts.require_writable(tmp_path / "new" / "deep")
    artifacts.require_writable(tmp_path)
    save(tmp_path / "x", 1)
    artifacts.require_writable(tmp_path / "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_a_killed_first_save_may_be_followed_by_another(tmp_path):
    """What it leaves, unfinished files and its lock, is no stranger's property."""
    place = tmp_path / "x"
    child = subprocess.Popen(
        [sys.executable, "-c", _DIES.format(tests=str(SCRIPT.parent), place=str(place))],
        stderr=subprocess.PIPE,
    )
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert sorted(entry.name[:9] for entry in place.iterdir()) == [".lock", ".writing-", "arrays"]
    save(place, 1)
    assert left_behind(place) == []


_DIES = """
import os, sys, signal
sys.path.insert(0, {tests!r})
import saving_processes, pathlib
fsync = os.fsync
def dying(handle):
    fsync(handle)
    if "arrays" not in os.readlink(f"/proc/self/fd/{{handle}}"):
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
saving_processes.save(pathlib.Path({place!r}), 1)
"""
