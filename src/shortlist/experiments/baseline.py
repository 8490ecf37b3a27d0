"""The baseline of a measurement where none is named: the best popularity, or counts where none can be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shortlist.data.split import leave_last_out
from shortlist.errors import DataError
from shortlist.experiments import popularity_search
from shortlist.experiments.protocols import excludes_seen, protocols_of
from shortlist.models.popularity import Popularity

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.experiments.popularity_search import Rule


class Baseline(NamedTuple):
    """A fitted popularity, its name for tables, and why it was not chosen by validation (None where it was)."""

    name: str
    model: Popularity
    note: str | None


def popularity_baseline(
    train: Dataset, k: int = 10, *, exclude_seen: bool | None = None, split: Rule = leave_last_out
) -> Baseline:
    """Return the best popularity, fitted on `train`; counts where no part of `train` can choose one.

    `split` cuts the validation part; k and exclude_seen are as in `evaluate`, where of two protocols the first decides.
    Cost: that of `best_popularity`.
    """
    first = protocols_of(train, exclude_seen)[0]
    try:
        found = popularity_search.best_popularity(train, k=k, split=split, exclude_seen=excludes_seen(first))
    except DataError as error:
        note = f"no popularity can be chosen on the training part, so the baseline is counts ({error})"
        return Baseline("popularity: count", Popularity().fit(train), note)
    return Baseline(found.name, found.model, None)
