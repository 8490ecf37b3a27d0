"""Work: what the program is busy with, said on stderr while it lasts."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from shortlist.cli import lazy, screen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shortlist.cli.screen import Screen
    from shortlist.models.fitting import Epoch


PATIENCE_SECONDS = 1.0


class Work:
    """Steps that follow one another: at a terminal a spinner or a bar, else a line for each that takes a second."""

    def __init__(self, console: Screen) -> None:
        self._console = console
        self._live: Progress | None = None
        self._line: threading.Timer | None = None

    def step(self, description: str, total: int | None = None) -> None:
        """Say that `description` has begun; with `total`, `advance` moves its bar."""
        self.stop()
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            self._line = threading.Timer(PATIENCE_SECONDS, self.note, [f"{description} …"])
            self._line.daemon = True
            self._line.start()
            return
        text = TextColumn("{task.description}", markup=False)
        measure = () if total is None else (BarColumn(), MofNCompleteColumn())
        self._live = Progress(
            SpinnerColumn(), text, *measure, TimeElapsedColumn(), console=self._console, transient=True
        )
        self._live.add_task(description, total=total)
        self._live.start()

    def advance(self, n: int) -> None:
        """Move the bar of the present step by `n`."""
        if self._live is not None:
            self._live.advance(self._live.task_ids[0], n)

    def epochs(self, epoch: Epoch) -> None:
        """Move a bar of the epochs of what is being fitted, its loss beside; hand this to `fit` as `on_epoch`."""
        fitting = f"fitting {type(epoch.model).__name__}"
        if epoch.number == 1:
            self.step(fitting, total=epoch.n_epochs)
        losses = {"loss": epoch.loss, "validation": epoch.validation_loss}
        shown = ", ".join(f"{name} {loss:.4g}" for name, loss in losses.items() if loss is not None)
        if shown:
            self.rename(f"{fitting}: {shown}")
        self.advance(1)

    def rename(self, description: str) -> None:
        """Say at a terminal that the present step is now `description`; its bar stays."""
        if self._live is not None:
            self._live.update(self._live.task_ids[0], description=description)

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, soft_wrap=True)

    def stop(self) -> None:
        """Take the spinner or bar away."""
        if self._line is not None:
            self._line.cancel()
            self._line = None
        if self._live is not None:
            self._live.stop()
            self._live = None


@contextmanager
def working(first_step: str) -> Iterator[Work]:
    """Return the `Work` of a command, begun with `first_step`; compilation of kernels is announced in it."""
    work = Work(screen.notes())
    work.step(first_step)
    try:
        with lazy.compilation.announced(work.note):
            yield work
    finally:
        work.stop()
