"""The command line: `shortlist COMMAND`. One file a command; what is heavy is loaded when a command needs it."""

from shortlist.cli.app import app, main

__all__ = ["app", "main"]
