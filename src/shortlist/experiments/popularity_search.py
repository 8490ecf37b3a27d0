"""The best popularity: which variant of the baseline, found on a validation part of the training data.

A model should beat the best of these, not the weakest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shortlist.data.split import leave_last_out
from shortlist.errors import ParameterError
from shortlist.experiments.columns import ranking_columns
from shortlist.experiments.recommender import top_lists
from shortlist.experiments.truth import Truth
from shortlist.models.popularity import Popularity
from shortlist.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Split
    from shortlist.experiments.recommender import Recommender

    Rule = Callable[[Dataset], Split]

HALF_LIVES_DAYS = (7.0, 30.0, 90.0, 365.0, 1000.0, 3000.0)
SHRINKAGES = (10.0, 50.0, 200.0)


@dataclass(frozen=True, eq=False)
class PopularitySearch:
    """What was tried, and what won.

    - model: the winner, fitted on all data that was given
    - table: one row a variant in the order tried: by, half_life_days (null where it has no part), shrinkage (likewise),
      ndcg (mean over the validation users)
    - validation: the cut of the given data that the variants were chosen on, in words; k: the cutoff
    """

    model: Popularity
    table: pl.DataFrame
    validation: str
    k: int

    @property
    def half_life_days(self) -> float:
        """Return the winner's half-life in days; infinite where it does not decay."""
        return self.model.half_life_days if self.model.by == "decayed" else float("inf")

    @property
    def name(self) -> str:
        """Return the winner in words, for tables."""
        return {
            "count": "popularity: count",
            "decayed": f"popularity: half-life of {self.model.half_life_days:g} days",
            "mean": f"popularity: mean rating shrunk by {self.model.shrinkage:g}",
        }[self.model.by]


def best_half_life(
    dataset: Dataset,
    half_lives_days: Sequence[float] = HALF_LIVES_DAYS,
    k: int = 10,
    *,
    split: Rule = leave_last_out,
    exclude_seen: bool = True,
) -> PopularitySearch:
    """Return the search for the half-life of time-decayed popularity with the largest NDCG@k; `.half_life_days` has it.

    `dataset` is the training part: its own validation part is cut off by `split`, which should be the rule that made
    the test part (say `functools.partial(split.global_time, fraction=0.1)`), so the test part is never seen. The first
    of equal half-lives wins. Cost: one fit and one evaluation a half-life.
    Raises `ParameterError` for no half-life or one not above 0, `DataError` without timestamps and where no validation
    user has a relevant item.
    """
    if not half_lives_days:
        raise ParameterError("half_lives_days is empty: name at least one half-life in days")
    return _search(dataset, _decayed(half_lives_days), k, split, exclude_seen)


def best_popularity(
    dataset: Dataset,
    half_lives_days: Sequence[float] = HALF_LIVES_DAYS,
    shrinkages: Sequence[float] = SHRINKAGES,
    k: int = 10,
    *,
    split: Rule = leave_last_out,
    exclude_seen: bool = True,
) -> PopularitySearch:
    """Return the search over counts, time-decayed counts and shrunk means for the largest NDCG@k.

    As `best_half_life`, whose parameters these are. Decayed counts are tried where the data has timestamps, means of
    the value with each of `shrinkages` where it has ratings or labels (the mean strength of events says little).
    """
    candidates = [Popularity("count")]
    if dataset.interactions.timestamp is not None:
        candidates += _decayed(half_lives_days)
    if dataset.feedback.kind != "events":
        candidates += [Popularity("mean", shrinkage=shrinkage) for shrinkage in shrinkages]
    return _search(dataset, candidates, k, split, exclude_seen)


def _decayed(half_lives_days: Sequence[float]) -> list[Popularity]:
    return [Popularity("decayed", half_life_days=days) for days in half_lives_days]


def _search(
    dataset: Dataset, candidates: Sequence[Popularity], k: int, split: Rule, exclude_seen: bool
) -> PopularitySearch:
    whole("k", k, least=1)
    validation = split(dataset)
    truth = Truth.of(validation.train, validation.test, exclude_seen=exclude_seen)
    found = [
        _ndcg(candidate.clone().fit(validation.train), truth, k, exclude_seen) for candidate in candidates
    ]
    best = candidates[int(np.argmax(found))]
    return PopularitySearch(best.fit(dataset), _table(candidates, found), validation.description, k)


def _ndcg(model: Recommender, truth: Truth, k: int, exclude_seen: bool) -> float:
    lists = top_lists(model, truth.user_idx[truth.is_evaluated], k, exclude_seen=exclude_seen)
    values = {column.metric: column for column in ranking_columns(lists.item_idx, truth)}
    return float(values["ndcg"].total.sum() / values["ndcg"].weight.sum())


def _table(candidates: Sequence[Popularity], found: Sequence[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "by": [model.by for model in candidates],
            "half_life_days": [m.half_life_days if m.by == "decayed" else None for m in candidates],
            "shrinkage": [m.shrinkage if m.by == "mean" else None for m in candidates],
            "ndcg": found,
        },
        schema={"by": pl.String, "half_life_days": pl.Float64, "shrinkage": pl.Float64, "ndcg": pl.Float64},
    )
