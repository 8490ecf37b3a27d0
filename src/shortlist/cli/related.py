"""`shortlist related`: the most similar items of every item, stored, and renewed where they changed."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.similar import model_that_compares
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.cli.work import Work
    from shortlist.models.model import Model
    from shortlist.retrieval.related_items import RelatedItems


def related(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `fit` or `demo` saved.")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Where the related items go. Those that are there already are renewed: "
            "only what changed is searched.",
        ),
    ],
    n: Annotated[int | None, typer.Option("-n", "--n", min=1, help="Related items of each (20).")] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="cosine|dot|euclidean", help="As for `shortlist similar`; default: the model's own."
        ),
    ] = None,
    target_recall: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Find this share of them, as 0.95, in a fraction of the time; default: all of them.",
        ),
    ] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Build anew what is there already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find and store the items most similar to every item."""
    with working(f"loading {directory}") as work:
        model = model_that_compares(lazy.registry.load(directory))
        begun = time.perf_counter()
        if not anew and (out / "manifest.json").exists():
            found = _renewed(
                model, out, {"n": n, "asked_measure": measure, "target_recall": target_recall}, work
            )
        else:
            how: dict[str, Any] = {"measure": measure, "target_recall": target_recall, "on_block": _bar(work)}
            found = lazy.related_items.RelatedItems.build(model, n or 20, **how)
        seconds = time.perf_counter() - begun
        found.save(out)
    values = _values(found, out, seconds)
    if as_json:
        screen.write_json(values)
    else:
        screen.results().print(_said(values), soft_wrap=True)


def _renewed(model: "Model", out: Path, asked: dict[str, Any], work: "Work") -> "RelatedItems":
    before: RelatedItems = lazy.related_items.RelatedItems.load(out)
    if any(value is not None and value != getattr(before, name) for name, value in asked.items()):
        raise ParameterError(
            f"{out} holds {before.n} of each by {before.measure}, {_share(before.target_recall)}: leave -n, --measure "
            "and --target-recall out to renew them, give another folder, or --anew"
        )
    return before.update(model, on_block=_bar(work))


def _share(target_recall: float | None) -> str:
    return "exact" if target_recall is None else f"a share of {target_recall}"


def _bar(work: "Work") -> Any:
    shown = [0]

    def advance(done: int, total: int) -> None:
        if not shown[0]:
            work.step("finding related items", total=total)
        work.advance(done - shown[0])
        shown[0] = done

    return advance


def _values(found: "RelatedItems", out: Path, seconds: float) -> dict[str, Any]:
    return {
        "folder": str(out),
        "items": int(found.known_items_.sum()),
        "n": found.n,
        "measure": found.measure,
        "recall": found.recall_,
        "changes": None if found.changes is None else asdict(found.changes),
        "seconds": seconds,
    }


def _said(values: dict[str, Any]) -> str:
    text = f"{values['folder']}: {values['n']} related items of each of {values['items']:,} by {values['measure']}"
    if values["recall"] < 1:
        text += f", {values['recall']:.1%} of them found"
    changes = values["changes"]
    if changes is None:
        return f"{text}; {values['items'] / max(values['seconds'], 1e-9):,.0f} items a second"
    came_or_went = f"{changes['changed']:,} new or changed, {changes['removed']:,} gone"
    return f"{text}; {came_or_went}, {changes['searched']:,} searched"
