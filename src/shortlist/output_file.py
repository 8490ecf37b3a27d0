"""Files that people ask for: checked before the work, and replaced as a whole after it."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator


def require_writable(file: str | Path) -> Path:
    """Return `file` as a path; raise `ParameterError` where no file can be written there. Leaves nothing behind.

    The folder must exist and take new files, for the file is written beside its name first.
    """
    path = Path(file)
    try:
        _try(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ParameterError(f"{path} cannot be written: {reason}; give another file") from error
    return path


def _try(path: Path) -> None:
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; give the name of a file")
    folder = _target(path).parent
    if not folder.is_dir():
        raise ParameterError(
            f"{path} cannot be written: there is no folder {folder}; make it or give another"
        )
    if _is_special(path):
        return
    # Tried for real: permission bits do not tell of a read-only file system, nor do they bind the superuser.
    beside = _beside(path)
    try:
        beside.open("xb").close()
    finally:
        beside.unlink(missing_ok=True)


def write_atomically(file: str | Path, content: bytes) -> Path:
    """Write `content` to `file` and return its path; what was there is replaced as a whole, or stays as it was.

    A device or pipe (`/dev/stdout`) is written to as it is. Raises `OSError` naming `file`.
    """
    path = Path(file)
    if _is_special(path):
        path.write_bytes(content)
        return path
    with replacing(path) as beside:
        beside.write_bytes(content)
    return path


@contextmanager
def replacing(file: str | Path) -> Iterator[Path]:
    """Return the path of an empty file beside `file` that replaces it at the end, or is removed on any failure.

    What was written is on the disk before the name is. Raises `ParameterError` for a folder, `OSError` naming `file`.
    """
    path = Path(file)
    if path.is_dir():
        raise ParameterError(f"{path} is a folder; give the name of a file")
    beside = _beside(path)
    try:
        # Ctrl-C may reach Python twice, from a library and from the signal, so the first removal may be cut off.
        try:
            beside.open("xb").close()
            yield beside
            _flush(beside)
            beside.replace(_target(path))
        finally:
            _remove(beside)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _beside(path: Path) -> Path:
    target = _target(path)
    # Of the process and the path alone, so that a name of the largest length has one too.
    return target.with_name(f".writing-{os.getpid()}-{abs(hash(target.name)):x}")


def _target(path: Path) -> Path:
    """Return where the content goes: a link keeps pointing to its file, which is replaced."""
    return Path(os.path.realpath(path))


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file() and not path.is_dir()
