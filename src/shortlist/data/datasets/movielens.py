"""MovieLens small, from the data package `shortlist-movielens` (GroupLens's terms: no commercial use)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from shortlist.data.features import FeatureTable
from shortlist.data.read import read
from shortlist.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

    from shortlist.data.dataset import Dataset

INSTALL = "pip install packages/shortlist-movielens"
SCALE = (0.5, 5.0)
NO_GENRES = "(no genres listed)"
YEAR_AT_END = r"\((\d{4})\)\s*$"


def movielens_small() -> Dataset:
    """Return 100,836 ratings from 0.5 to 5 (positive from 4) of 9,724 movies by 610 users, 1996 to 2018.

    Item features of 9,742 movies, 18 of them without a rating: title (text), genres (tags; an empty list where the
    file says "(no genres listed)"), year (numeric; that in parentheses at the end of the title, null where there is
    none). Raises `MissingExtraError` with the command to run when the data package is not installed.
    Source: F. M. Harper and J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5 (4), 2015.
    """
    folder = _directory()
    data = read(
        folder / "ratings.csv",
        items=folder / "movies.csv",
        kind="ratings",
        scale=SCALE,
        features={"items": {"title": "text", "genres": {"kind": "tags", "separator": "|"}}},
        name="MovieLens small",
    )
    return data if data.item_features is None else replace(data, item_features=_with_year(data.item_features))


def _with_year(movies: FeatureTable) -> FeatureTable:
    genre = pl.element()
    frame = movies.frame.with_columns(
        pl.col("genres").list.eval(genre.filter(genre != NO_GENRES)),
        pl.col("title").str.extract(YEAR_AT_END).cast(pl.Float64).alias("year"),
    )
    return FeatureTable(frame, {**movies.kinds, "year": "numeric"})


def _directory() -> Path:
    try:
        import shortlist_movielens
    except ImportError as error:
        raise MissingExtraError(
            f"MovieLens small is a package of its own, under its own licence: from a clone of shortlist run `{INSTALL}`"
        ) from error
    return shortlist_movielens.DIRECTORY
