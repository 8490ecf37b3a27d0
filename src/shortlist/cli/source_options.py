"""The options that say how files are to be read, the same for every command that reads them."""

from pathlib import Path
from typing import Annotated, Any

import typer

TABLES, VALUES = "Tables", "What the values are"
COLUMNS, FORM = "Columns and rows", "How files are written"


def option(metavar: str, text: str, panel: str) -> Any:
    """Return an option that stands under `panel` in the help."""
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel)


Items = Annotated[Path | None, option("FILE", "What is known of the items.", TABLES)]
Users = Annotated[Path | None, option("FILE", "What is known of the users.", TABLES)]
Query = Annotated[
    str | None,
    option(
        "SQL",
        "The SELECT that gives the interactions; the first file is a database URL, in which $NAME stands for an "
        "environment variable, such as a password.",
        TABLES,
    ),
]
Kind = Annotated[
    str | None, option("ratings|binary|events", "What the values are; inferred if left out.", VALUES)
]
Scale = Annotated[tuple[float, float] | None, option("LOW HIGH", "The scale of the ratings.", VALUES)]
PositiveFrom = Annotated[float | None, option("X", "The rating from which on an event is positive.", VALUES)]
Column = Annotated[
    list[str] | None,
    option("ROLE=NAME", "As in user_id=userId, or items.item_id=movieId; may be repeated.", COLUMNS),
]
Feature = Annotated[
    list[str] | None,
    option(
        "TABLE.NAME=KIND",
        "As in items.genres=tags, or items.genres='tags:;' with their separator; may be repeated.",
        COLUMNS,
    ),
]
Encoding = Annotated[str | None, option("NAME", "Of text files, such as windows-1252.", FORM)]
Rejects = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep every rejected row, in a .csv, .jsonl or .parquet file."),
]
