"""`shortlist demo`: the whole way on real data."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.lists import ShownLists
from shortlist.cli.measures import STAR, quality_table
from shortlist.cli.work import working

if TYPE_CHECKING:
    from shortlist.cli.screen import Screen
    from shortlist.experiments.demo import Demo, Favourite

METRICS = {
    "ndcg": "the films liked next are on the list, and near its top",
    "recall": "share of the films liked next that are on the list",
    "hit_rate": "share of people with at least one such film on the list",
    "catalogue_coverage": "share of all films that are on somebody's list",
    "novelty": "bits of surprise: 1 more for films that half as many people rated",
    "diversity": "how little the genres of a list overlap, from 0 to 1",
}


def demo(
    user: Annotated[int, typer.Option(metavar="ID", help="Whom the list is for, 1 to 610.")] = 36,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="The length of the list.")] = 10,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the fitted pipeline is saved.")] = Path(
        "shortlist-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the whole way on MovieLens small: measured quality, then a list for one user with reasons."""
    lazy.artifacts.require_writable(out)
    with working("starting") as work:
        found = lazy.demo.run(user, k, out, work.step)
        if found.problem is not None:
            work.note(f"note: {found.problem}. The list is ordered by the model alone.")
        lists = ShownLists.of(found.shown, k, type(found.pipeline).__name__)
    if as_json:
        screen.write_json(_values(found, lists))
        return
    console = screen.results()
    _show_quality(found, console)
    _show_order(found, console)
    _show_favourites(found, user, console)
    lists.show(console)
    console.print(f"\nSaved in {found.saved}, fitted on all ratings. Next:", soft_wrap=True)
    for command in (
        "recommend {} --user {} --explain",
        "similar {} --item 1",
        "recommend {} --all --out lists.parquet",
    ):
        console.print(f"  shortlist {command.format(found.saved, user)}", soft_wrap=True)


def _show_quality(found: "Demo", console: "Screen") -> None:
    data, measured = found.data, found.evaluation
    console.print(
        f"{data.name} (GroupLens): {len(data.interactions):,} ratings of {len(data.items):,} films "
        f"by {len(data.users):,} people; {data.feedback.positive_from:g} and up counts as liked."
    )
    console.print(f"Split: {found.split.description}.")
    console.print(
        "So this measures how well people's next favourites are found when what others did is known, before and after. "
        "It does not show how a recommender fares on days that it has seen nothing of."
    )
    console.print("\nQuality on the test part", style="bold")
    console.print(quality_table(measured, measured.protocols[0], list(METRICS)))
    console.print(f"{STAR}. The baseline is the best of {found.baseline.table.height} popularities.")
    for metric, meaning in METRICS.items():
        console.print(f"  {metric}: {meaning}")


def _show_order(found: "Demo", console: "Screen") -> None:
    """Say what orders the lists, in a line a step."""
    pipeline = found.pipeline
    n_sources = len(pipeline.sources)
    steps: list[tuple[str, Any]] = [("scorer", pipeline.scorer)]
    steps += [("then", step) for step in pipeline.rerank]
    console.print("\nHow a list is made", style="bold")
    console.print(
        f"  {n_sources} sources propose films: {', '.join(source.name for source in pipeline.sources)}"
    )
    for what, step in steps:
        parts = ", ".join(f"{part.name} {part.weight:g}" for part in step.parts)
        console.print(f"  {what}: {step.name}{f' by {parts}' if parts else ''}", soft_wrap=True)


def _show_favourites(found: "Demo", user: int, console: "Screen") -> None:
    console.print(f"\nWhat user {user} liked last", style="bold")
    rows = [[favourite.title, f"{favourite.value:g}", _day(favourite)] for favourite in found.favourites]
    console.print(screen.table([("title", "left"), ("rating", "right"), ("on", "left")], rows))
    console.print()


def _day(favourite: "Favourite") -> str:
    if favourite.timestamp is None:
        return ""
    return datetime.fromtimestamp(favourite.timestamp / 1e6, UTC).date().isoformat()


def _values(found: "Demo", lists: ShownLists) -> dict[str, Any]:
    return {
        "saved": str(found.saved),
        "scorer": {"type": type(found.pipeline.scorer).__name__, "problem": found.problem},
        "split": found.split.description,
        "evaluation": found.evaluation.to_values(),
        "favourites": [
            {"title": favourite.title, "value": favourite.value, "on": _day(favourite)}
            for favourite in found.favourites
        ],
        "recommended": lists.to_values(),
    }
