"""`shortlist check`: what a file holds, before anything is fitted on it."""

from pathlib import Path
from typing import Annotated

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.work import working
from shortlist.errors import ParameterError

WITH_REJECTS = 1


def check(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES", help="The interactions; then, if you have them, items and users."),
    ],
    items: Annotated[Path | None, typer.Option(metavar="FILE", help="What is known of the items.")] = None,
    users: Annotated[Path | None, typer.Option(metavar="FILE", help="What is known of the users.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="ratings|binary|events", help="What the values are; inferred if left out."),
    ] = None,
    scale: Annotated[
        tuple[float, float] | None, typer.Option(metavar="LOW HIGH", help="The scale of the ratings.")
    ] = None,
    positive_from: Annotated[
        float | None, typer.Option(metavar="X", help="The rating from which on an event is positive.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=NAME", help="As in user_id=userId, or items.item_id=movieId; may be repeated."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is in your files, and which rows cannot be used and why.

    Ends with status 0 when every row can be used, 1 when some were rejected, 2 when a file cannot be used at all.
    """
    interactions, items, users = _sources(files, items, users)
    with working(f"reading {interactions}"):
        report = lazy.read.check(
            interactions,
            items=items,
            users=users,
            kind=kind,
            scale=scale,
            positive_from=positive_from,
            columns=_columns(column or []),
        )
    if as_json:
        screen.write_json(report.to_values())
    else:
        screen.results().print(report.to_text(), soft_wrap=True)
    if not report.ok:
        raise typer.Exit(WITH_REJECTS)


def _sources(
    files: list[Path], items: Path | None, users: Path | None
) -> tuple[Path, Path | None, Path | None]:
    if len(files) > 3:
        raise ParameterError(f"at most three files: interactions, items and users; got {len(files)}")
    for place, option, given in ((1, "--items", items), (2, "--users", users)):
        if given is not None and len(files) > place:
            raise ParameterError(f"give {files[place]} or {option} {given}, not both")
    interactions, items_file, users_file = (*files, None, None)[:3]
    return interactions, items or items_file, users or users_file  # type: ignore[return-value]


def _columns(pairs: list[str]) -> dict[str, str | dict[str, str]] | None:
    """Return `--column` as the argument `columns` of `read`: items.item_id=movieId is {"items": {"item_id": …}}."""
    columns: dict[str, str | dict[str, str]] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not (role and equals and name):
            raise ParameterError(f"--column {pair}: write ROLE=NAME, as in user_id=userId")
        table, dot, inner = role.partition(".")
        if dot:
            nested = columns.setdefault(table, {})
            if isinstance(nested, dict):
                nested[inner] = name
        else:
            columns[role] = name
    return columns or None
