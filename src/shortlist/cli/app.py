"""The application: global options, and which function is which command."""

import sys
from typing import Annotated

import typer

from shortlist import __version__
from shortlist.cli.check import check
from shortlist.cli.compare import compare
from shortlist.cli.demo import demo
from shortlist.cli.evaluate import evaluate
from shortlist.cli.failures import Commands
from shortlist.cli.fit import fit
from shortlist.cli.forget import forget
from shortlist.cli.init import init
from shortlist.cli.recommend import recommend
from shortlist.cli.related import related
from shortlist.cli.report import report
from shortlist.cli.similar import similar
from shortlist.cli.sweep import sweep
from shortlist.cli.tune import tune

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    check,
    init,
    fit,
    recommend,
    similar,
    related,
    evaluate,
    tune,
    compare,
    sweep,
    report,
    forget,
):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"shortlist {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="On an error, show the whole traceback.")] = False,
) -> None:
    """Recommendations from raw interactions to a measured and explained list.

    Start with [bold]shortlist demo[/bold], or with [bold]shortlist check[/bold] on your own ratings or events.
    """


def main() -> None:
    """Run the command line; the console script `shortlist`."""
    app()
