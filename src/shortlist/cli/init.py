"""`shortlist init`: a configuration file for the files at hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen, source_options
from shortlist.cli.check import columns_of, features_of
from shortlist.cli.reading import typed_delimiter
from shortlist.cli.source_options import FORM, option
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.data.discovery import Discovery

DEFAULT_OUT = Path("shortlist.toml")


def init(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…", help="The interactions and, if you have them, items and users; in any order."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="CONFIG.toml", help="The file that is written.")] = DEFAULT_OUT,
    force: Annotated[
        bool, typer.Option("--force", help="Replace CONFIG.toml where it is there already.")
    ] = False,
    items: source_options.Items = None,
    users: source_options.Users = None,
    query: source_options.Query = None,
    kind: source_options.Kind = None,
    scale: source_options.Scale = None,
    positive_from: source_options.PositiveFrom = None,
    column: source_options.Column = None,
    feature: source_options.Feature = None,
    delimiter: Annotated[
        str | None, option("CHARACTER", "Between the columns; found if left out.", FORM)
    ] = None,
    encoding: source_options.Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at your files and write a commented CONFIG.toml that fit and evaluate take as it stands.

    Which file is which, its delimiter, what the values mean, the kinds of the features and a split that suits
    the data are found out and said; correct in the file what is not so.
    """
    _require_free(out, force=force)
    sources: list[Any] = files if query is None else [lazy.sql.Query(files[0], query), *files[1:]]
    # A URL may hold a password, and is not shown.
    named = files if query is None else ["the rows of the query", *files[1:]]
    with working(f"reading {', '.join(named)}") as work:
        found = lazy.discovery.discover(
            sources,
            items=items,
            users=users,
            kind=kind,
            scale=scale,
            positive_from=positive_from,
            columns=columns_of(column or []),
            features=features_of(feature or []),
            delimiter=typed_delimiter(delimiter),
            encoding=encoding,
        )
        text = lazy.template.template(found, out.parent, lazy.evaluate.evaluate, lazy.tune.tune)
        if not found.report.ok:
            work.note(f"note: {found.report.summary()}")
        lazy.output_file.write_atomically(out, text.encode())
    if as_json:
        screen.write_json(_values(found, out))
        return
    console = screen.results()
    for line in (
        *found.report.to_text().splitlines(),
        "",
        *_decisions(found),
        "",
        f"wrote {out}",
        *_next(out),
    ):
        console.print(line, soft_wrap=True)


def _require_free(out: Path, *, force: bool) -> None:
    lazy.output_file.require_writable(out)
    if out.exists() and not force:
        raise ParameterError(f"{out} is there already; --force replaces it, --out names another file")


def _decisions(found: "Discovery") -> list[str]:
    lines = [f"{role}: {source}" for role, source in found.sources.items()]
    if "delimiter" in found.given:
        lines.append(f"delimiter: {found.given['delimiter']!r}")
    report = found.report
    share = report.repeats / max(report.n_events, 1)
    if found.repeats:
        lines.append(f"repeats: yes, {share:.0%} of the events repeat an earlier one; they are measured too")
    elif report.repeats:
        lines.append(f"repeats: no; {share:.0%} of the events repeat an earlier one")
    scorer, why = _scorer(found)
    return [*lines, f"split: {found.cut.kind}, since {found.cut.why}", f"scorer: {scorer}, since {why}"]


def _scorer(found: "Discovery") -> tuple[str, str]:
    chosen = lazy.template_order.scorer_for(found.data)
    return chosen.scorer.__name__, chosen.why


def _next(out: Path) -> list[str]:
    folder = out.with_suffix("")
    return [f"next: shortlist evaluate {out}", f"      shortlist fit {out} --out {folder.name}.fitted"]


def _values(found: "Discovery", out: Path) -> dict[str, Any]:
    return {
        "written": str(out),
        "sources": {role: str(source) for role, source in found.sources.items()},
        "delimiter": found.given.get("delimiter"),
        "repeats": found.repeats,
        "split": {"kind": found.cut.kind, "why": found.cut.why},
        "scorer": dict(zip(("type", "why"), _scorer(found), strict=True)),
        "report": found.report.to_values(max_rejects=10),
    }
