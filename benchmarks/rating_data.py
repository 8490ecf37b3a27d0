"""MovieLens files as the benchmarks of rating models need them: columns of the file, and a Dataset of some rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from results import leave_out

from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SCALE = (0.5, 5.0)


def movielens_folder(given: Path | None) -> Path:
    """Return the folder of `ratings.csv` and `movies.csv`: `given`, or the one of the data package."""
    if given is None:
        try:
            import shortlist_movielens
        except ImportError:
            leave_out("MovieLens small: pip install -e packages/shortlist-movielens, or give --data FOLDER")
        given = shortlist_movielens.DIRECTORY
    if not (given / "ratings.csv").is_file() or not (given / "movies.csv").is_file():
        leave_out(f"no ratings.csv and movies.csv in {given}")
    return given


def read_ratings(folder: Path) -> pl.DataFrame:
    """Return userId, movieId, rating, timestamp in the order of the file."""
    return pl.read_csv(folder / "ratings.csv")


def dataset(
    users: NDArray[np.integer[Any]],
    items: NDArray[np.integer[Any]],
    ratings: NDArray[np.floating[Any]],
    timestamp: NDArray[np.int64] | None = None,
) -> Dataset:
    """Return the ratings as a Dataset whose vocabularies are what occurs in them; `timestamp` in µs."""
    user_ids, item_ids = Vocabulary.of(users), Vocabulary.of(items)
    log = Interactions.of(
        user_ids.index_of(users),
        item_ids.index_of(items),
        ratings,
        timestamp,
        len(user_ids),
        len(item_ids),
        Feedback.ratings(*SCALE),
    )
    return Dataset(log, user_ids, item_ids)
