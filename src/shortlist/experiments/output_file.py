"""Files that an experiment writes: checked before the work, and replaced as a whole after it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from shortlist.errors import ParameterError


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
    beside = _beside(path)
    try:
        _write_through(beside, content)
        beside.replace(_target(path))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return path


def _write_through(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
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
