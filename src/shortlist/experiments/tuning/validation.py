"""Validation: one cut of the training data, and the score that a fitted recommender has on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shortlist import metrics
from shortlist.errors import DataError, ParameterError
from shortlist.experiments.columns import MAE, RANKING, RMSE, rating_columns
from shortlist.experiments.recommender import predicts_ratings, top_lists
from shortlist.experiments.truth import PositivePairs
from shortlist.parameters import one_of, whole
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from shortlist.data.split import Split
    from shortlist.experiments.truth import Truth

Metric = Literal["ndcg", "recall", "recall_capped", "precision", "map", "mrr", "hit_rate", "rmse", "mae"]
ERRORS = (RMSE, MAE)
# A snapshot during a fit is measured on so many users at most: enough to tell bad from good.
SNAPSHOT_USERS = 2000
# A list-by-list measure is said after these shares of the users.
SHARES = (1 / 8, 1 / 4, 1 / 2)


@dataclass(frozen=True)
class Target:
    """What is to be best: `metric` at `k`, with or without seen items in lists and truth."""

    metric: Metric
    k: int
    exclude_seen: bool

    def __post_init__(self) -> None:
        one_of("metric", self.metric, Metric)
        whole("k", self.k, least=1)

    @property
    def is_error(self) -> bool:
        """Return whether less is better."""
        return self.metric in ERRORS

    @property
    def label(self) -> str:
        """Return the metric with its cutoff.

        >>> Target("ndcg", 10, True).label, Target("rmse", 10, True).label
        ('ndcg@10', 'rmse')
        """
        return self.metric if self.is_error else f"{self.metric}@{self.k}"

    def is_better(self, value: float, than: float) -> bool:
        """Return whether `value` beats `than`; equal ones do not."""
        return value < than if self.is_error else value > than

    def require_measurable(self, recommender: Any) -> None:
        """Raise `ParameterError` for an error of ratings of what predicts none."""
        if self.is_error and not predicts_ratings(recommender):
            ranking = ", ".join(RANKING)
            raise ParameterError(
                f"metric={self.metric!r} needs a model that predicts ratings, and {type(recommender).__name__} "
                f"does not; choose one of {ranking}"
            )


class Validation:
    """The validation part of `parts`, whose truth is found once.

    Users are measured in an order drawn from `seed`, the same for every trial, so that trials that have come equally
    far compare the same users. Raises `DataError` where nobody has a relevant item, or errors are asked of data
    without ratings.
    """

    def __init__(self, parts: Split, target: Target, seed: int) -> None:
        self.parts = parts
        self.target = target
        self._seed = seed
        feedback = parts.test.feedback
        if target.is_error and (feedback.kind != "ratings" or feedback.scale is None):
            raise DataError(
                f"metric={target.metric!r} is the error of ratings, and this data has {feedback.kind}"
            )
        if not target.is_error:
            _ = self._truth

    @cached_property
    def _truth(self) -> Truth:
        return PositivePairs.of(*self.parts).truth(exclude_seen=self.target.exclude_seen)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """Return the rows of the users measured, in the order in which they are."""
        rows = np.flatnonzero(self._truth.is_evaluated)
        return np.random.default_rng(self._seed).permutation(rows)

    @property
    def n_users(self) -> int:
        """Return how many users are measured."""
        if self.target.is_error:
            return int(np.unique(self.parts.test.interactions.user_idx).size)
        return self._rows.size

    def score(self, model: Any) -> float:
        """Return the metric over all users, as `evaluate` measures it."""
        return self._error(model) if self.target.is_error else float(self._values(model, self._rows).mean())

    def snapshot(self, model: Any) -> float:
        """Return the metric over the first users in the order of measuring (an error of ratings: over all events)."""
        if self.target.is_error:
            return self._error(model)
        return float(self._values(model, self._rows[:SNAPSHOT_USERS]).mean())

    def running(self, model: Any) -> Iterator[tuple[int, float]]:
        """Yield (number from 1, metric so far) after an eighth, a quarter, half and all of the users.

        The last is `score`. An error of ratings has its last value only: predicting takes next to no time.
        """
        if self.target.is_error:
            yield len(SHARES) + 1, self._error(model)
            return
        ends = [max(1, int(share * self._rows.size)) for share in SHARES]
        found = np.zeros(0)
        for number, end in enumerate([*ends, self._rows.size], 1):
            found = np.concatenate([found, self._values(model, self._rows[found.size : end])])
            yield number, float(found.mean())

    def _values(self, model: Any, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the metric of each user at `rows` of the truth."""
        target, truth = self.target, self._truth
        lists = top_lists(model, truth.user_idx[rows], target.k, exclude_seen=target.exclude_seen)
        length = truth.n_relevant[rows]
        ptr = offsets(length)
        at = np.repeat(truth.ptr[:-1][rows] - ptr[:-1], length) + np.arange(ptr[-1])
        return RANKING[target.metric](metrics.find_hits(lists.item_idx, ptr, truth.item_idx[at]))

    def _error(self, model: Any) -> float:
        test = self.parts.test
        log = test.interactions
        predicted = model.predict(test.users.ids_of(log.user_idx), test.items.ids_of(log.item_idx))
        columns = rating_columns(predicted, log, np.unique(log.user_idx), test.feedback.scale or (0.0, 0.0))
        column = next(column for column in columns if column.metric == self.target.metric)
        return float(column.finish(column.total.sum() / column.weight.sum()))
