"""`shortlist recommend`: lists for some users on the screen, or for everybody in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.ids import split_lists, typed_items, typed_users
from shortlist.cli.lists import ShownLists
from shortlist.cli.session import for_session
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.cli.batch import Written
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline

IDS_HELP = "ids separated by commas, or @FILE with one id a line; may be repeated."


def recommend(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `fit` or `demo` saved.")],
    user: Annotated[list[str] | None, typer.Option(metavar="ID", help="A user; may be repeated.")] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS",
            help=f"In place of a user: items that somebody likes who is not in the data, the oldest first; {IDS_HELP}",
        ),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What is known of such a person, by a user feature of the data: country=France; may be repeated.",
        ),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="All users of the data, into the file --out.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Where the lists of --all go.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="The length of a list.")] = 10,
    items: Annotated[
        list[str] | None, typer.Option(metavar="IDS", help=f"Show only these: {IDS_HELP}")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="IDS", help=f"Leave these out: {IDS_HELP}")
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Show also what a user has seen.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As of this time (ISO 8601); the last event of the data."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What is known of the moment, for a model that goes by it: device=phone; may be repeated.",
        ),
    ] = None,
    on_unknown: Annotated[
        str | None,
        typer.Option(
            metavar="raise|skip|fallback",
            help="For users nothing is known of: an error, no list, or the popular items. "
            "Left out, it is raise for --user and skip for --all.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say where each item came from, what was removed.")
    ] = False,
    reasons: Annotated[
        bool, typer.Option("--reasons", help="With --all: a column that says why an item is on a list.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="With --all: begin anew instead of going on where a run was cut off."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Recommend items to one user, several, all, or somebody who is not in the data."""
    stranger = session is not None or feature is not None
    _require_one_kind(user, everybody=everybody, stranger=stranger)
    _require_consistent(out, on_unknown, everybody=everybody, explain=explain, stranger=stranger)
    _require_for_all(everybody, {"--reasons": reasons, "--restart": restart})
    with working(f"loading {directory}") as work:
        recommender = lazy.registry.load(directory)
        limits: dict[str, Any] = {"exclude_seen": not include_seen, "at": at}
        if context:
            limits["context"] = _context_of(context)
        limits |= {
            name: typed_items(split_lists(texts), recommender.memory_)
            for name, texts in (("items", items), ("exclude", exclude))
            if texts is not None
        }
        if stranger:
            result: ShownLists | Written = for_session(
                session or [], feature or [], recommender, k, limits, explain=explain
            )
        elif out is None:
            limits["on_unknown"] = on_unknown or "raise"
            result = _for_users(user or [], recommender, k, limits, explain=explain)
        else:
            limits["on_unknown"] = on_unknown or "skip"
            result = lazy.batch.write_lists(
                recommender, out, k, work, reasons=reasons, restart=restart, **limits
            )
    if as_json:
        screen.write_json(result.to_values())
    else:
        result.show(screen.results())


def _for_users(
    texts: list[str], recommender: "Model | Pipeline", k: int, limits: dict[str, Any], *, explain: bool
) -> ShownLists:
    users = typed_users(texts, recommender.memory_, must_exist=limits["on_unknown"] == "raise")
    shown = recommender.recommend(users, k, **limits)
    return ShownLists.of(shown, k, type(recommender).__name__, explain=explain)


def _context_of(texts: list[str]) -> dict[str, str | float]:
    """Return the values of NAME=VALUE texts."""
    values: dict[str, str | float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise ParameterError(f"--context {text}: write NAME=VALUE, as in --context device=phone")
        if name in values:
            raise ParameterError(f"--context gives {name!r} twice")
        values[name] = _number_or_text(value)
    return values


def _number_or_text(value: str) -> float | str:
    """Return a number where the text reads as one; 007 is a text."""
    if value.lstrip("-").isdecimal():
        return int(value) if str(int(value)) == value else value
    try:
        return float(value)
    except ValueError:
        return value


def _require_one_kind(user: list[str] | None, *, everybody: bool, stranger: bool) -> None:
    if not user and not everybody and not stranger:
        raise ParameterError("for whom? Give --user ID, --session IDS, or --all --out FILE.parquet")
    if user and everybody:
        raise ParameterError("give --user or --all, not both")
    if stranger and (user or everybody):
        raise ParameterError("--session and --feature are in place of --user and --all: give one of them")


def _require_consistent(
    out: Path | None, on_unknown: str | None, *, everybody: bool, explain: bool, stranger: bool
) -> None:
    if stranger and on_unknown is not None:
        raise ParameterError("--on-unknown is for --user and --all: a session always gets a list")
    if everybody and out is None:
        raise ParameterError("--all writes a file: give --out FILE.parquet")
    if out is not None and not everybody:
        raise ParameterError(
            "--out is the file of --all; for one user, send what is printed (--json) to a file"
        )
    if everybody and explain:
        raise ParameterError("--explain is for single users: give --user ID")


def _require_for_all(everybody: bool, given: dict[str, bool]) -> None:
    for name, on in given.items():
        if on and not everybody:
            raise ParameterError(f"{name} is for --all --out FILE.parquet")
