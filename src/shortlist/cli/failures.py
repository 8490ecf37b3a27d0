"""Failures: one readable block on stderr and an exit status, instead of a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

import typer
from rich.text import Text
from typer.core import TyperGroup

from shortlist.cli import screen
from shortlist.errors import ShortlistError

FAILED = 2
INTERRUPTED = 130  # 128 + SIGINT, as a shell says it
NOBODY_READS = 141  # 128 + SIGPIPE

# What Typer itself prints. The class is Click's or Typer's own copy of it, whichever this version of Typer uses.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """The commands, with every failure of one of them reported in one place."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises `typer.Exit` with the status that the failure has."""
        try:
            return self._written_out(ctx)
        except (_UsageError, typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            _leave("interrupted", INTERRUPTED)
        except BrokenPipeError:
            _give_up_stdout()
            raise typer.Exit(NOBODY_READS) from None
        except Exception as error:  # the last place that can report it
            if ctx.params.get("debug"):
                traceback.print_exc()
                raise typer.Exit(FAILED) from error
            _leave(_message(error), FAILED)

    def _written_out(self, ctx: Any) -> Any:
        """Run the command and flush what it printed: at the interpreter's end no failure of that could be reported."""
        try:
            result = super().invoke(ctx)
        except typer.Exit:
            sys.stdout.flush()
            raise
        sys.stdout.flush()
        return result


def _message(error: Exception) -> str:
    if isinstance(error, ShortlistError):
        return str(error)
    if isinstance(error, OSError):
        return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    kind = type(error).__name__
    return f"{kind}: {error}\nThis was not foreseen. `shortlist --debug …` shows where it happened: please report it."


def _leave(message: str, status: int) -> NoReturn:
    label = Text("error: ", style="bold red") if status == FAILED else Text("")
    screen.notes().print(label + Text(message), soft_wrap=True)
    try:
        sys.stdout.flush()
    except OSError:
        _give_up_stdout()
    raise typer.Exit(status) from None


def _give_up_stdout() -> None:
    """Let what is still to be written go nowhere, or the flush at the interpreter's end would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
