"""The files that a source of several names: a list of paths, a pattern such as events/*.csv.gz, a folder."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from shortlist.data.file_table import CSV_SUFFIXES, JSON_SUFFIXES, PARQUET_SUFFIXES, suffix_of
from shortlist.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    Location = str | os.PathLike[str]

FORMATS = {
    **dict.fromkeys(CSV_SUFFIXES, "CSV"),
    **dict.fromkeys(JSON_SUFFIXES, "JSON Lines"),
    **dict.fromkeys(PARQUET_SUFFIXES, "Parquet"),
}
# How Hive and Spark write a partition without a value.
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class PartFile:
    """One of several files; `partition`: key → value of the folders KEY=VALUE that it lies in, None for no value."""

    path: Path
    partition: Mapping[str, str | None] = field(default_factory=dict)


def is_one_file(location: Location) -> bool:
    """Return whether `location` names one file, be it there or not, rather than a pattern or a folder."""
    path = Path(location)
    return not path.is_dir() and (path.exists() or not glob.has_magic(str(path)))


def find_files(locations: Sequence[Location]) -> list[PartFile]:
    """Return the files at `locations`, each a path, a pattern or a folder; those of one location in order of name.

    Of a folder, and of those below it, all files are taken whose names end as those of CSV, JSON Lines or Parquet
    do; names that begin with "." or "_" are left out, as what Spark writes beside its data. A pattern takes *, ?, [ ]
    and ** as shells do. Folders KEY=VALUE below the folder, or below the part of a pattern without wildcards, give
    each file its partition.
    Raises `DataError` where a location names no file, or two name the same.
    """
    found = [file for location in locations for file in _at(Path(location))]
    if not found:
        raise DataError("the list of files is empty; name at least one")
    seen: dict[Path, Path] = {}
    for file in found:
        same = seen.setdefault(file.path.resolve(), file.path)
        if same is not file.path:
            raise DataError(f"{file.path} is named twice, also as {same}; its rows would count twice")
    return found


def _at(path: Path) -> list[PartFile]:
    if is_one_file(path):
        return [PartFile(path)]
    if path.is_dir():
        return _in_folder(path, path)
    fixed = _before_wildcards(path)
    # Path.glob takes no absolute pattern.
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    if not matches:
        raise DataError(f"no file matches {path}")
    files = [PartFile(match, _partition(match, fixed)) for match in matches if not match.is_dir()]
    if files:
        return files
    return [file for match in matches for file in _in_folder(match, fixed)]


def _in_folder(folder: Path, root: Path) -> list[PartFile]:
    files = [path for path in _walk(folder) if suffix_of(path) in FORMATS]
    if not files:
        raise DataError(f"{folder} is a folder without a file of CSV, JSON Lines or Parquet")
    kinds: dict[str, Path] = {}
    for path in files:
        kinds.setdefault(FORMATS[suffix_of(path)], path)
    if len(kinds) > 1:
        shown = ", ".join(f"{kind} ({path.name})" for kind, path in kinds.items())
        raise DataError(
            f"{folder} holds files of several formats: {shown}; name those of one: {folder}/*{files[0].suffix}"
        )
    return [PartFile(path, _partition(path, root)) for path in files]


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith((".", "_")):
            continue
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _before_wildcards(path: Path) -> Path:
    fixed = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _partition(path: Path, root: Path) -> dict[str, str | None]:
    pairs = [part.partition("=") for part in path.relative_to(root).parts[:-1]]
    return {
        unquote(key): None if value == NO_VALUE else unquote(value) for key, equals, value in pairs if equals
    }
