import os
import stat
import threading
from pathlib import Path

import pytest

from shortlist.errors import ParameterError
from shortlist.output_file import require_writable, write_atomically


def test_a_writable_place_is_left_as_it_was(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    assert require_writable(tmp_path / "new.txt") == tmp_path / "new.txt"
    require_writable(str(tmp_path / "old.txt"))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("old.txt", "old")]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (".", "is a folder; give the name of a file"),
        ("none/new.txt", "there is no folder .*none; make it"),
        ("file.txt/new.txt", "there is no folder .*file.txt"),
        ("x" * 300, "cannot be written: File name too long"),
    ],
)
def test_where_nothing_can_be_written_is_refused(tmp_path, place, words):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ParameterError, match=words):
        require_writable(tmp_path / place)


def test_what_was_there_is_replaced_with_usual_permissions(tmp_path):
    file = tmp_path / "a.txt"
    for content in (b"one", b"two"):
        assert write_atomically(file, content).read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    file.write_bytes(b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(file, b"new")
    assert caught.value.filename == str(file)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"old")]


def test_a_link_keeps_pointing_at_its_file(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "real.txt")
    write_atomically(tmp_path / "link.txt", b"x")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "far" / "real.txt").read_bytes() == b"x"


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(Path(pipe).read_bytes()))
    reader.start()
    require_writable(pipe)
    write_atomically(pipe, b"through")
    reader.join()
    assert got == [b"through"]
