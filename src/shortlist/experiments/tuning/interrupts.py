"""Interrupts: Ctrl-C that counts wherever it arrives.

Python raises KeyboardInterrupt at whatever runs when the signal comes. Inside a finaliser or a callback of the garbage
collector, as a pool of database connections has them, it is printed and dropped, and a search would go on for ever.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Interrupts:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.seen = False

    def check(self) -> None:
        """Raise `KeyboardInterrupt` where it was, and was dropped."""
        if self.seen:
            raise KeyboardInterrupt


@contextmanager
def noticed() -> Iterator[Interrupts]:
    """Return what notices Ctrl-C; it is raised as always. Only the main thread of a program gets signals."""
    interrupts = Interrupts()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield interrupts
        return

    def handle(number: int, frame: FrameType | None) -> None:
        interrupts.seen = True
        before(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
