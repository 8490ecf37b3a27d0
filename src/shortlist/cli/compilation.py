"""The announcement of kernels being compiled: the first run of an installation takes some seconds more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba.core import event

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

MESSAGE = "compiling kernels (once per installation) …"


class FirstCompilation(event.Listener):
    """Calls `announce` when the first kernel is really compiled; one that is loaded from the cache is not."""

    def __init__(self, announce: Callable[[str], object]) -> None:
        self._announce = announce
        self._done = False

    def on_start(self, event: Any) -> None:
        """Announce it, once."""
        if not self._done:
            self._done = True
            self._announce(MESSAGE)

    def on_end(self, event: Any) -> None:
        """Say nothing: what comes next says that it ended."""


def announced(announce: Callable[[str], object]) -> AbstractContextManager[Any]:
    """Return a context in which the first compilation of a kernel calls `announce` with `MESSAGE`."""
    context: AbstractContextManager[Any] = event.install_listener("numba:compile", FirstCompilation(announce))
    return context
