"""Reject file: every rejected row with its place and reason, whole on disk or not there at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shortlist import output_file
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

FORMATS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda rejects, path: rejects.write_csv(path),
    ".jsonl": lambda rejects, path: rejects.write_ndjson(path),
    ".parquet": lambda rejects, path: rejects.write_parquet(path),
}


def require_writable(path: str | Path) -> None:
    """Raise `ParameterError`, before any work, where no rejects can be written: another suffix, a folder, no place."""
    file = Path(path)
    if file.suffix.lower() not in FORMATS:
        raise ParameterError(f"{file}: rejects are written as {', '.join(FORMATS)}; give a name that ends so")
    output_file.require_writable(file)


def write_rejects(rejects: pl.DataFrame, path: str | Path) -> int:
    """Write all of `rejects` to `path` in the format that its suffix names, and return how many there are.

    Raises `ParameterError` as `require_writable`, `OSError` when writing fails.
    """
    file = Path(path)
    require_writable(file)
    with output_file.replacing(file) as beside:
        FORMATS[file.suffix.lower()](rejects, beside)
    return rejects.height
