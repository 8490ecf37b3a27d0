"""`shortlist check`: what a file holds, before anything is fitted on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shortlist.cli import lazy, screen, source_options
from shortlist.cli.reading import keeping_rejects, typed_delimiter, write
from shortlist.cli.source_options import COLUMNS, FORM, TABLES, option
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.data.duplicate_rows import Duplicates
    from shortlist.data.feedback import Kind

WITH_REJECTS = 1
LABELS = "Labels by a rule"


def check(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES", help="The interactions; then, if you have them, items and users."),
    ],
    items: source_options.Items = None,
    users: source_options.Users = None,
    impressions: Annotated[Path | None, option("FILE", "What was shown to whom.", TABLES)] = None,
    query: source_options.Query = None,
    kind: source_options.Kind = None,
    scale: source_options.Scale = None,
    positive_from: source_options.PositiveFrom = None,
    column: source_options.Column = None,
    context: Annotated[
        list[str] | None,
        option("NAME", "A further column to keep with each event; may be repeated.", COLUMNS),
    ] = None,
    feature: source_options.Feature = None,
    duplicates: Annotated[
        str, option("keep|reject", "What becomes of rows that say the same as an earlier one.", COLUMNS)
    ] = "keep",
    earliest: Annotated[str | None, option("TIME", "Reject earlier events.", COLUMNS)] = None,
    latest: Annotated[str | None, option("TIME", "Reject later events.", COLUMNS)] = None,
    engaged: Annotated[
        str | None, option("RULE", "Which rows are engagements, as in 'watch_seconds >= 30'.", LABELS)
    ] = None,
    shown: Annotated[
        str | None, option("RULE", "Which rows are exposures, as in 'event == \"shown\"'.", LABELS)
    ] = None,
    within_hours: Annotated[
        float | None, option("HOURS", "How long after an exposure an engagement counts.", LABELS)
    ] = None,
    per: Annotated[
        str | None, option("pair|exposure", "What gets one label; pairs if left out.", LABELS)
    ] = None,
    delimiter: Annotated[str | None, option("CHARACTER", "Between the columns of text files.", FORM)] = None,
    encoding: source_options.Encoding = None,
    rejects: source_options.Rejects = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is in your files, and which rows cannot be used and why.

    Ends with status 0 when every row can be used, 1 when some were rejected, 2 when a file cannot be used at all.
    """
    interactions, items_file, users_file = _sources(files, items, users)
    source = interactions if query is None else lazy.sql.Query(interactions, query)
    # A URL may hold a password, and is not shown.
    what = interactions if query is None else "the rows of the query"
    rule = {"engaged": engaged, "shown": shown, "within_hours": within_hours, "per": per}
    with working(f"reading {what}") as work, keeping_rejects(rejects, work):
        report = lazy.read.check(
            source,
            items=items_file,
            users=users_file,
            impressions=impressions,
            kind=cast("Kind | None", kind),
            scale=scale,
            positive_from=positive_from,
            labels=_labels(rule),
            columns=columns_of(column or []),
            context=context or [],
            features=features_of(feature or []),
            duplicates=cast("Duplicates", duplicates),
            earliest=earliest,
            latest=latest,
            delimiter=typed_delimiter(delimiter),
            encoding=encoding,
        )
        if rejects is not None:
            write(report.rejects, rejects, work)
    if as_json:
        screen.write_json(report.to_values())
    else:
        screen.results().print(report.to_text(), soft_wrap=True)
    if not report.ok:
        raise typer.Exit(WITH_REJECTS)


def _sources(
    files: list[str], items: Path | None, users: Path | None
) -> tuple[str, str | Path | None, str | Path | None]:
    if len(files) > 3:
        raise ParameterError(f"at most three files: interactions, items and users; got {len(files)}")
    for place, name, given in ((1, "--items", items), (2, "--users", users)):
        if given is not None and len(files) > place:
            raise ParameterError(f"give {files[place]} or {name} {given}, not both")
    interactions, items_file, users_file = (*files, None, None)[:3]
    return str(interactions), items or items_file, users or users_file


def _labels(rule: dict[str, Any]) -> Any:
    given = {name: value for name, value in rule.items() if value is not None}
    return lazy.labels.Labels(**given) if given else None


def columns_of(pairs: list[str]) -> dict[str, str | dict[str, str]] | None:
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


def features_of(declared: list[str]) -> dict[str, dict[str, object]] | None:
    """Return `--feature` as the argument `features` of `read`."""
    features: dict[str, dict[str, object]] = {}
    for entry in declared:
        column, equals, spec = entry.rpartition("=")
        table, dot, name = column.partition(".")
        if not (equals and dot and table and name and spec):
            raise ParameterError(f"--feature {entry}: write TABLE.NAME=KIND, as in items.genres=tags")
        kind, colon, separator = spec.partition(":")
        features.setdefault(table, {})[name] = {"kind": kind, "separator": separator} if colon else kind
    return features or None
