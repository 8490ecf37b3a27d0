"""Columns: what each test user contributes to a metric, so that any group of users and any resample can be summed up.

A metric of a group is finish(Σ total / Σ weight). For a mean over users the weight is 1, and 0 for a user
without a value; for errors of ratings it is the user's number of ratings, and `finish` of "rmse" is the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from shortlist import metrics
from shortlist.errors import NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions
    from shortlist.experiments.truth import Truth

    Floats = NDArray[np.float64]

RANKING: dict[str, Callable[[metrics.Hits], NDArray[np.float64]]] = {
    "ndcg": metrics.ndcg,
    "recall": metrics.recall,
    "recall_capped": metrics.recall_capped,
    "precision": metrics.precision,
    "map": metrics.average_precision,
    "mrr": metrics.reciprocal_rank,
    "hit_rate": metrics.hit_rate,
}
NOVELTY, DIVERSITY = "novelty", "diversity"
COVERAGE, GINI = "catalogue_coverage", "gini"
RMSE, MAE = "rmse", "mae"


@dataclass(frozen=True, eq=False)
class Column:
    """One metric of one model: total float64[n] and weight float64[n] of the n test users."""

    metric: str
    total: Floats
    weight: Floats

    def finish(self, ratio: Any) -> Any:
        """Return the metric's value (or values) for Σ total / Σ weight."""
        return np.sqrt(ratio) if self.metric == RMSE else ratio

    @property
    def of_each_user(self) -> Floats:
        """Return float64[n]: the metric of each user alone, NaN where there is none."""
        with np.errstate(invalid="ignore"):
            return cast("Floats", self.finish(self.total / self.weight))


def ranking_columns(lists: NDArray[np.int32], truth: Truth) -> list[Column]:
    """Return the ranking metrics at the width of `lists` int32[evaluated users, k]."""
    rows, ptr, _ = metrics.users_with_truth(truth.ptr)
    hits = metrics.find_hits(lists, ptr, truth.item_idx)
    return _means({name: metric(hits) for name, metric in RANKING.items()}, rows, truth.user_idx.size)


def recall_column(lists: NDArray[np.int32], truth: Truth, items: NDArray[np.bool_]) -> Column:
    """Return recall with the truth cut to `items` bool[n_items]; users without any of it have no value."""
    rows, ptr, item_idx = truth.within(items)
    # `lists` has a row for each evaluated user, and `rows` counts all test users.
    position = np.cumsum(truth.is_evaluated) - 1
    found = metrics.recall(metrics.find_hits(lists[position[rows]], ptr, item_idx))
    return _means({"recall": found}, rows, truth.user_idx.size)[0]


def list_columns(
    lists: NDArray[np.int32], truth: Truth, item_users: NDArray[np.int64], n_users: int, vectors: Any | None
) -> list[Column]:
    """Return novelty, and diversity where there are `vectors` [n_items, d]; lists too short have no value."""
    rows, n = np.flatnonzero(truth.is_evaluated), truth.user_idx.size
    one = metrics.select_lists(lists, 1).rows
    columns = _means({NOVELTY: metrics.novelty(lists[one], item_users, n_users)}, rows[one], n)
    if vectors is not None:
        two = metrics.select_lists(lists, 2).rows
        columns += _means({DIVERSITY: metrics.intra_list_diversity(lists[two], vectors)}, rows[two], n)
    return columns


def rating_columns(
    predicted: NDArray[np.float32],
    test: Interactions,
    user_idx: NDArray[np.int32],
    scale: tuple[float, float],
) -> list[Column]:
    """Return the errors of ratings predicted for each test event, clipped to `scale`, by test user.

    Raises `NonFiniteError` where a prediction is NaN or infinite.
    """
    wrong = np.flatnonzero(~np.isfinite(predicted))
    if wrong.size:
        raise NonFiniteError(f"the predicted rating of test event {wrong[0]} is {predicted[wrong[0]]}")
    error = test.value.astype(np.float64) - np.clip(predicted.astype(np.float64), *scale)
    row, n = np.searchsorted(user_idx, test.user_idx), user_idx.size
    count = np.bincount(row, minlength=n).astype(np.float64)
    squares: Floats = np.bincount(row, error**2, minlength=n).astype(np.float64)
    sizes: Floats = np.bincount(row, np.abs(error), minlength=n).astype(np.float64)
    return [Column(RMSE, squares, count), Column(MAE, sizes, count)]


def _means(values: dict[str, Floats], rows: NDArray[np.int64], n: int) -> list[Column]:
    """Return a column for each metric whose values belong to the test users at `rows`; one shared weight."""
    weight = np.zeros(n)
    weight[rows] = 1.0
    return [Column(name, _spread(value, rows, n), weight) for name, value in values.items()]


def _spread(values: Floats, rows: NDArray[np.int64], n: int) -> Floats:
    out = np.zeros(n)
    out[rows] = values
    return out


def names(columns: Iterable[Column]) -> list[str]:
    """Return the metrics of the columns, each once, in order."""
    return list(dict.fromkeys(column.metric for column in columns))
