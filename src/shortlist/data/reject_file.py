"""Reject file: every rejected row with its place and reason, whole on disk or not there at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

FORMATS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda rejects, path: rejects.write_csv(path),
    ".jsonl": lambda rejects, path: rejects.write_ndjson(path),
    ".parquet": lambda rejects, path: rejects.write_parquet(path),
}


def require_writable(path: str | Path) -> None:
    """Raise, before any work, what `write_rejects` would raise for the name of the file or its folder."""
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise ParameterError(f"{file}: rejects are written as {', '.join(FORMATS)}; give a name that ends so")
    with _replacing(file, keep=False):
        pass


def write_rejects(rejects: pl.DataFrame, path: str | Path) -> int:
    """Write all of `rejects` to `path` in the format that its suffix names, and return how many there are.

    Raises `ParameterError` for another suffix or a folder, `OSError` where it cannot be written.
    """
    file = Path(path)
    require_writable(file)
    with _replacing(file) as beside:
        FORMATS[file.suffix.lower()](rejects, beside)
    return rejects.height


@contextmanager
def _replacing(file: Path, *, keep: bool = True) -> Iterator[Path]:
    # The path of an empty file beside `file`, which replaces it at the end if it is to be kept.
    if file.is_dir():
        raise ParameterError(f"{file} is a folder; give the name of a file")
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.open("xb").close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
    try:
        yield beside
        if keep:
            beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
