"""`shortlist similar`: what is like an item."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.ids import typed_items
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from rich.table import Table

    from shortlist.cli.screen import Side
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline


def similar(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `fit` or `demo` saved.")],
    item: Annotated[list[str], typer.Option(metavar="ID", help="An item; may be repeated.")],
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="The length of a list.")] = 10,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="cosine|dot|euclidean",
            help="Of item vectors. cosine: of the angle; dot favours popular items; euclidean: distance. "
            "Default: the model's own measure, the cosine or what a neighbourhood model was fitted with.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the items most similar to an item, by the vectors or similarities of a fitted model."""
    with working(f"loading {directory}"):
        recommender = lazy.registry.load(directory)
        model, memory = model_that_compares(recommender), recommender.memory_
        ids = typed_items(item, memory)
        found = [_values(model, one, k, measure) for one in ids]
    if as_json:
        screen.write_json(found[0] if len(found) == 1 else {"k": k, "items": found})
        return
    console = screen.results()
    for number, values in enumerate(found):
        name = f"{values['item_id']} {values.get('title', '')}".rstrip()
        console.print("\n" * (number > 0) + f"Most similar to {name}", style="bold")
        console.print(_table(values))


def model_that_compares(recommender: "Model | Pipeline") -> "Model":
    """Return the model that similarity is asked of: a pipeline's scorer first, then those of its sources."""
    models: list[Model] = [recommender]  # type: ignore[list-item]
    if isinstance(recommender, lazy.pipeline.Pipeline):
        models = [recommender.scorer_.model, *recommender.models_]
    for model in models:
        if model.compares_items:
            return model
    raise ParameterError(
        f"no model of this {type(recommender).__name__} compares items; fit a factorisation, as WALS, or neighbours"
    )


def _values(model: "Model", item: Any, k: int, measure: str | None) -> dict[str, Any]:
    memory = model.memory_
    at = int(memory.items.index_of([item])[0])
    title = None if memory.titles is None else memory.titles[at]
    how: dict[str, Any] = {"measure": measure}
    found = model.similar_items([item], k, **how)
    return {
        "item_id": item,
        **({} if title is None else {"title": title}),
        "measure": found.measure,
        "k": k,
        "items": [_similar_values(row) for row in found.frame.to_dicts()],
    }


def _similar_values(row: dict[str, Any]) -> dict[str, Any]:
    title = {} if row.get("title") is None else {"title": row["title"]}
    return {
        "item_id": row["similar_item_id"],
        **title,
        "score": screen.short_float(row["score"]),
        "rank": row["rank"],
    }


def _table(values: dict[str, Any]) -> "Table":
    titled = any("title" in item for item in values["items"])
    columns: list[tuple[str, Side]] = [("#", "right"), ("item", "left")]
    columns += [("title", "left")] if titled else []
    columns.append((values["measure"], "right"))
    rows = [
        [
            str(item["rank"]),
            str(item["item_id"]),
            *([item.get("title", "")] if titled else []),
            f"{item['score']:.4g}",
        ]
        for item in values["items"]
    ]
    return screen.table(columns, rows)
