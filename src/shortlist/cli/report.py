"""`shortlist report`: what lists are like for all people together, with and without re-ranking, as one page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.reading import dataset_of
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.cli.work import Work
    from shortlist.data.dataset import Dataset


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `fit` or `demo` saved.")],
    out: Annotated[
        Path, typer.Option(metavar="FILE.html", help="Where the report goes; it loads nothing.")
    ] = Path("report.html"),
    users: Annotated[
        str, typer.Option(metavar="N|all", help="How many users of the data, drawn by the seed.")
    ] = "1000",
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="The length of the lists.")] = 10,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="An item feature by which exposure is counted (genres, maker); may be repeated.",
            show_default="those of the terms and caps of Select",
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG.toml",
            help="What it was fitted by: the item features are read again, for columns that DIR does not keep.",
        ),
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Lists that may hold what people have seen.")
    ] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the users and the intervals.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, which has every figure.")
    ] = False,
) -> None:
    """Report on fairness and on the bubble: exposure by group and maker, evenness, variety, calibration, popularity.

    Each figure with its interval, and where DIR re-ranks beside that of the same candidates by score
    alone; for each term of Select what it gains and what it costs. FILE.html is one page that works
    offline and names no person.
    """
    n_users = _number_of(users)
    lazy.report_outcome.require_page(out)
    with working(f"loading {directory}") as work:
        recommender = lazy.registry.load(directory)
        found = lazy.report.report(
            recommender,
            k=k,
            n_users=n_users,
            group=group or (),
            items=None if items is None else _features_of(items, work),
            exclude_seen=not include_seen,
            rng=seed,
            on_step=work.step,
        )
        work.step(f"writing {out}")
        found.save(out)
    if as_json:
        screen.write_json(found.to_values() | {"file": str(out)})
        return
    console = screen.results()
    console.print(found.to_text(), soft_wrap=True)
    console.print(f"\nwritten: {out}", soft_wrap=True)


def _number_of(text: str) -> int | None:
    """Return how many users are asked for, None for all of them."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise ParameterError(f"--users {text}: give a whole number, or all")
    return int(text)


def _features_of(config: Path, work: "Work") -> "Dataset":
    if config.suffix.lower() != ".toml":
        raise ParameterError(
            f"--items {config}: give the CONFIG.toml that DIR was fitted by, which says what its columns are"
        )
    return dataset_of(lazy.config.read(config), work)
