"""The folder of an artifact: one saver at a time, files that are whole or not there, nothing left lying about.

A saver holds an exclusive lock on the file `.lock`, which is there only while somebody saves. Locks of processes that
die are released by the system. Readers take no lock, so that they need no permission to write.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MANIFEST = "manifest.json"
ARRAYS = "arrays"
LOCK = ".lock"
UNFINISHED = ".writing-"
WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.02


def require_writable(path: str | Path) -> None:
    """Raise `ArtifactError` unless an artifact can be saved at `path`, so far as can be told without writing.

    It can where nothing is there, or an artifact, or an empty folder, and we may write there or in the nearest folder
    above. The disk may still be full.
    """
    folder = Path(path)
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    is_folder, may_write = nearest.is_dir(), os.access(nearest, os.W_OK | os.X_OK)
    if not nearest.exists():  # another saver's failure has just removed it
        require_writable(folder)
        return
    if not is_folder:
        raise ArtifactError(f"{nearest} is a file; an artifact is a folder: give another path")
    if not may_write:
        raise ArtifactError(f"{folder}: you may not write in {nearest}; give another path")
    if folder.is_dir() and not (folder / MANIFEST).exists():
        _refuse_foreign(folder)


def _refuse_foreign(folder: Path) -> None:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:  # another saver's failure has just removed it
        return
    own = (MANIFEST, ARRAYS, LOCK)  # another saver may have finished since
    foreign = [name for name in names if name not in own and not name.startswith(UNFINISHED)]
    if foreign:
        raise ArtifactError(
            f"{folder} holds other files ({foreign[0]}) and no {MANIFEST}; give a new or empty folder"
        )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Return a context in which `folder` exists and no other saver is in it; folders made for it go if it fails.

    Waits for another saver. Raises `ArtifactError` when that takes longer than `WAIT_SECONDS`, `OSError`.
    """
    made = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    try:
        with _locked(folder):
            (folder / ARRAYS).mkdir(exist_ok=True)
            try:
                yield
            except BaseException:
                _remove_if_empty(folder / ARRAYS)
                raise
    except BaseException:
        for place in made:
            _remove_if_empty(place)
        raise


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty, or another saver's failure has removed it
        folder.rmdir()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Return a context in which the lock file of `folder`, which is made, is ours."""
    until = time.monotonic() + WAIT_SECONDS
    while (handle := _try_lock(folder)) is None:
        if time.monotonic() > until:
            raise ArtifactError(
                f"another process has been saving to {folder} for {WAIT_SECONDS:.0f} s; give another path, "
                "or try again when it is done"
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()  # before it is released: afterwards it may be another saver's
        os.close(handle)


def _try_lock(folder: Path) -> int | None:
    """Return the handle of the lock file, exclusively locked, or None while another saver has it."""
    handle = -1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A saver removes its lock file when it is done: what we have locked may be that file, and so nothing.
        if os.path.samestat(os.fstat(handle), os.stat(folder / LOCK)):  # noqa: PTH116
            ours, handle = handle, -1
            return ours
    except (
        BlockingIOError,
        FileNotFoundError,
    ):  # it is held, or its folder went with the failure of its holder
        return None
    finally:
        if handle >= 0:
            os.close(handle)
    return None


def write_whole(target: Path, content: bytes) -> None:
    """Write the file `target`, whose folder must exist, such that it holds all of `content` or is as it was."""
    unfinished = target.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
    try:
        # Not tempfile, which would hide the file from everybody but its owner.
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def sync(folder: Path) -> None:
    """Have the system put the names in `folder` on the disk, so that they outlast a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some file systems have no such thing
            raise
    finally:
        os.close(handle)


def tidy(folder: Path, named: Collection[str]) -> None:
    """Remove files that a cut-off save left, and array files that are not among `named`.

    Whoever calls it is alone in the folder. What cannot be removed stays for the next save: nothing reads it.
    """
    left = [entry for entry in folder.iterdir() if entry.name.startswith(UNFINISHED)]
    left += [entry for entry in (folder / ARRAYS).iterdir() if entry.name not in named]
    for entry in left:
        with suppress(OSError):
            entry.unlink()
