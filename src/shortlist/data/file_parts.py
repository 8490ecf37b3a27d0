"""The parts of a file that is not whole yet: a folder beside it, from which a run that was cut off goes on.

`plan.json` says what the file is to hold. Each part is a Parquet file; once it is whole on the disk, a line of
`done.jsonl` names it, with its SHA-256 and what was counted in it. That line is the commit point: what has none, or is
not what its line says, is made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl

from shortlist.artifacts.folder import sync, write_whole
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PLAN = "plan.json"
DONE = "done.jsonl"
LOCK = ".lock"
ROW_GROUP = 1 << 17

Counts = dict[str, int]


class FileParts:
    """The parts of `file` that are done, in `folder`; `opened` makes it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.folder = folder_of(file)
        self.done: dict[int, Counts] = {}

    def add(self, number: int, frame: pl.DataFrame, counts: Counts) -> None:
        """Put part `number` on the disk; `counts` are given back when the run goes on."""
        content = io.BytesIO()
        frame.write_parquet(content)
        write_whole(self._path(number), content.getvalue())
        sync(self.folder)
        digest = hashlib.sha256(content.getvalue()).hexdigest()
        line = json.dumps({"part": number, "sha256": digest, "counts": counts})
        with (self.folder / DONE).open("ab") as journal:
            journal.write(f"{line}\n".encode())
            journal.flush()
            os.fsync(journal.fileno())
        self.done[number] = counts

    def join(self, target: Path) -> None:
        """Write the parts, in the order of their numbers, to `target`, streaming: memory holds a row group or two."""
        files = [self._path(number) for number in sorted(self.done)]
        # One row group at a time and in order: the bytes are the same however often the run was cut off.
        pl.scan_parquet(files).sink_parquet(target, row_group_size=ROW_GROUP, maintain_order=True)

    def remove(self) -> None:
        """Remove the folder with all parts."""
        self._clear()
        (self.folder / LOCK).unlink()
        self.folder.rmdir()

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08}.parquet"

    def _begin(self, plan: Mapping[str, Any]) -> None:
        self._clear()
        write_whole(self.folder / PLAN, json.dumps(plan, indent=1).encode())

    def _clear(self) -> None:
        # The journal first, so that no part is trusted; the plan last, for it marks the folder as ours.
        (self.folder / DONE).unlink(missing_ok=True)
        for entry in self.folder.iterdir():
            if entry.name not in (LOCK, PLAN):
                entry.unlink()
        (self.folder / PLAN).unlink(missing_ok=True)

    def _go_on(self) -> None:
        lines = _lines(self.folder / DONE)
        kept = [line for line in lines if _holds(self._path(line["part"]), line["sha256"])]
        # Written anew: a line that was cut off would spoil the one after it.
        write_whole(self.folder / DONE, "".join(f"{json.dumps(line)}\n" for line in kept).encode())
        self.done = {line["part"]: line["counts"] for line in kept}


def folder_of(file: Path) -> Path:
    """Return the folder of the parts of `file`."""
    return file.with_name(f"{file.name}.parts")


@contextmanager
def opened(file: Path, plan: Mapping[str, Any], *, restart: bool = False) -> Iterator[FileParts]:
    """Return the parts of `file` that are done, for nobody but us while the context lasts.

    - plan: what the file is to hold, plain JSON values; parts made for another plan are refused
    - restart: throw away what there is

    A folder in which no part was done is removed at the end. Raises `ParameterError` for another plan, naming what
    differs, for a folder that is something else, and while another process writes the same file; `OSError`.
    """
    parts = FileParts(file)
    _refuse_foreign(parts.folder)
    parts.folder.mkdir(exist_ok=True)
    with _alone_in(parts.folder, file):
        if restart or not (parts.folder / PLAN).exists():
            parts._begin(plan)
        else:
            _require_same(parts.folder, plan)
            parts._go_on()
        try:
            yield parts
        finally:
            if not parts.done:
                parts.remove()


def _refuse_foreign(folder: Path) -> None:
    if not folder.is_dir():
        return
    names = {entry.name for entry in folder.iterdir()} - {LOCK}
    if names and PLAN not in names and any(not name.startswith(".writing-") for name in names):
        raise ParameterError(f"{folder} holds other files ({min(names)}); give another file")


@contextmanager
def _alone_in(folder: Path, file: Path) -> Iterator[None]:
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ParameterError(
            f"another process is writing {file}: wait for it, or give another file"
        ) from error
    finally:
        os.close(handle)


def _plan(folder: Path) -> dict[str, Any] | None:
    """Return the plan in `folder`, None where there is none that can be read."""
    try:
        plan = json.loads((folder / PLAN).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return plan if isinstance(plan, dict) else None


def _require_same(folder: Path, plan: Mapping[str, Any]) -> None:
    begun = _plan(folder)
    if begun is None:
        raise ParameterError(f"{folder / PLAN} is damaged; restart (restart=True, --restart) to begin anew")
    differ = [name for name in {**begun, **plan} if begun.get(name) != plan.get(name)]
    if differ:
        said = ", ".join(f"{name} was {begun.get(name)!r} and is {plan.get(name)!r}" for name in differ)
        raise ParameterError(
            f"{folder} was begun for other lists: {said}. Ask for the same to go on there, or restart "
            "(restart=True, --restart) to begin anew"
        )


def _lines(journal: Path) -> list[dict[str, Any]]:
    """Return the lines that are whole."""
    lines = []
    for text in journal.read_bytes().splitlines() if journal.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:  # cut off while it was written
            continue
        if isinstance(line, dict) and set(line) == {"part", "sha256", "counts"}:
            lines.append(line)
    return lines


def _holds(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest
