"""The lists of all users as a Parquet file: `shortlist recommend --all`, with a bar and a word where it is cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist.data.batch import Batch, recommend_all
from shortlist.data.file_parts import folder_of

if TYPE_CHECKING:
    from pathlib import Path

    from shortlist.cli.screen import Screen
    from shortlist.cli.work import Work
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline


@dataclass(frozen=True)
class Written:
    """A batch that is written."""

    batch: Batch

    def to_values(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.batch.to_values()

    def show(self, console: Screen) -> None:
        """Print what was written, and how fast."""
        batch = self.batch
        parts = [f"{batch.file}: {batch.rows:,} rows, users {batch.users:,}"]
        if batch.short:
            parts.append(f"with fewer than {batch.k} items: {batch.short:,}")
        if batch.without:
            parts.append(
                f"without a list: {batch.without:,} (--on-unknown fallback gives them the popular items)"
            )
        console.print("; ".join(parts), soft_wrap=True)
        rate = (
            f"{batch.users_per_second:,.0f} users a second"
            if batch.users_per_second
            else "nothing left to do"
        )
        before = f", {batch.before:,} users done before" if batch.before else ""
        console.print(f"{rate}{before}", soft_wrap=True)


def write_lists(recommender: Model | Pipeline, file: Path, k: int, work: Work, **arguments: Any) -> Written:
    """Write the lists of all users to `file` and return what was written; `arguments` as for `recommend_all`.

    Where the run is cut off, what is kept is said. Raises what `recommend_all` raises.
    """
    progress = _Progress(file, work)
    try:
        return Written(recommend_all(recommender, file, k, on_block=progress, **arguments))
    finally:
        progress.end()


class _Progress:
    """A bar that goes on where an earlier run was."""

    def __init__(self, file: Path, work: Work) -> None:
        self._file, self._work = file, work
        self._users = 0
        self._batch: Batch | None = None

    def __call__(self, batch: Batch) -> None:
        if self._batch is None:
            self._work.step(f"writing {self._file}", total=batch.total)
        self._work.advance(batch.users - self._users)
        self._users, self._batch = batch.users, batch

    def end(self) -> None:
        """Say what is kept, where the file did not come to its end."""
        folder = folder_of(self._file)
        if self._batch is not None and self._users and folder.exists():
            self._work.stop()
            self._work.note(
                f"{folder} keeps the lists of {self._users:,} of {self._batch.total:,} users; "
                "the same command goes on there"
            )
