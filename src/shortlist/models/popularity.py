"""Popularity: the baseline that everything else must beat."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from shortlist.contributions import Contributions
from shortlist.errors import DataError, ParameterError
from shortlist.models.common_order import common_order, first_of_order
from shortlist.models.model import Model
from shortlist.parameters import number, one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import Lists, Request

By = Literal["count", "decayed", "mean"]
DAY = 86_400_000_000  # µs
# What a person reads of the score.
_MEASURED: dict[By, str] = {
    "count": "popularity",
    "decayed": "recent popularity",
    "mean": "mean rating",
}


class Popularity(Model):
    """The same items for everybody, most popular first.

    - by="count": the number of users with a positive event with the item
    - by="decayed": the same, each user's last positive event weighing 2^(−age / `half_life_days`), age counted
      from the last training event. `best_half_life` finds the half-life on a validation part.
    - by="mean": mean value shrunk to the global mean, (Σy + `shrinkage`·μ) / (n + `shrinkage`), with the last value
      of each pair; `shrinkage` is in units of ratings (Efron and Morris 1977; "damped mean" in LensKit)

    Every user is known. An item without a positive event (for "mean": without any event) is not listed.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("item_scores_",)

    item_scores_: NDArray[np.float32]

    def __init__(self, by: By = "count", *, half_life_days: float = 90.0, shrinkage: float = 10.0) -> None:
        self.by = one_of("by", by, By)
        self.half_life_days = number("half_life_days", half_life_days, above_zero=True)
        self.shrinkage = number("shrinkage", shrinkage)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        log = dataset.interactions
        if self.by == "mean":
            scores, seen = _shrunk_mean(log, self.shrinkage)
        else:
            scores, seen = _count(log, self.half_life_days if self.by == "decayed" else None)
        self.item_scores_ = scores.astype(np.float32)
        self.known_users_ = np.ones(log.n_users, bool)
        self.known_items_ = self.listed_items_ = seen

    def most_popular(self, request: Request) -> Lists:
        """Return the request's k most popular permitted items, for people who are not in the data too."""
        self._require_fitted()
        return self._rank(request)

    def _rank(self, request: Request) -> Lists:
        return first_of_order(self.item_scores_, self._order, request.k, request.eligible)

    @cached_property
    def _order(self) -> NDArray[np.int32]:
        return common_order(self.item_scores_, self.listed_items_)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.item_scores_[item_idx]

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return one feature, how popular the item is: it is all of the score, for everybody alike."""
        of_item = self.item_scores_[item_idx].astype(np.float64)[:, None]
        return Contributions(item_idx, features=(_MEASURED[self.by],), of_features=of_item)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        raise ParameterError("Popularity has no user vectors; give user ids")

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError(
            "Popularity has no item vectors to compare; use a factorisation model for similar items"
        )


def _count(log: Interactions, half_life_days: float | None) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    liked = log.where(log.positive)
    if half_life_days is None or liked.timestamp is None:
        if half_life_days is not None:
            raise DataError('Popularity(by="decayed") needs timestamps, and these interactions have none')
        count = np.bincount(liked.matrix("last").indices, minlength=log.n_items).astype(np.float64)
        return count, count > 0
    last = _last_of_each_pair(liked)
    # log.now, not the last positive event: age counts from the end of the data.
    age_days = ((log.now or 0) - liked.timestamp[last]) / DAY
    weight = np.exp2(-age_days / half_life_days)
    seen = np.bincount(liked.item_idx[last], minlength=log.n_items) > 0
    return np.bincount(liked.item_idx[last], weight, minlength=log.n_items).astype(np.float64), seen


def _last_of_each_pair(log: Interactions) -> NDArray[np.int64]:
    key = log.user_idx.astype(np.int64) * max(log.n_items, 1) + log.item_idx
    _, from_end = np.unique(key[::-1], return_index=True)
    return np.sort(key.size - 1 - from_end)


def _shrunk_mean(log: Interactions, shrinkage: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    matrix = log.matrix("last")
    count = np.bincount(matrix.indices, minlength=log.n_items)
    total = np.bincount(matrix.indices, matrix.data.astype(np.float64), minlength=log.n_items)
    mean = float(matrix.data.mean(dtype=np.float64))
    seen = count > 0
    return np.where(seen, (total + shrinkage * mean) / np.maximum(count + shrinkage, 1e-300), mean), seen
