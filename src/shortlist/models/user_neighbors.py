"""UserNeighbors: items that the people most like a person have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.errors import ParameterError
from shortlist.kernels.neighbor_sums import average_lists, sum_lists
from shortlist.models.model import Model
from shortlist.models.neighborhood import (
    Comparison,
    Use,
    check_parameters,
    history_of_raters,
    predict_ratings,
    rows_of_people,
)
from shortlist.models.positive_matrix import positive_matrix
from shortlist.models.preferences import stated_in, with_stated
from shortlist.models.rating_baseline import Baseline, BaselineKind, RatingBaseline
from shortlist.models.removal_contributions import by_removal
from shortlist.models.score_rows import NOTHING, history_vectors, rank_rows, score_rows
from shortlist.models.similar_rows import Similarity, SimilarRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting
    from shortlist.models.term_weights import Weighting
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import History, Lists, Request


@dataclass(frozen=True, eq=False)
class _People:
    """What is asked of the training users: whom a row is like, and what each of them has.

    ptr int64[n_users + 1], item_idx int32[m], values float32[m]: 1 for a like, a rating's distance from its baseline.
    """

    index: SimilarRows
    comparison: Comparison
    baseline: RatingBaseline | None
    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    values: NDArray[np.float32]


class UserNeighbors(Model):
    """Scores an item by the people who have it among a person's nearest neighbours N(u), the most similar people.

    feedback="implicit": what they like (positive events) counts, Σ_{v in N(u) with i} s_uv.
    feedback="explicit": predicts ratings, b_ui + Σ_{v in N(u) who rated i} s_uv (r_vi − b_vi) / Σ s_uv, b the
    `baseline`; the last rating of a pair counts. Needs `kind="ratings"`.

    - n_neighbors >= 1: the size of N(u), taken among all people, whatever they rated; only similarities above 0 count
    - similarity of the rows of two people: "cosine"; "dot"; "jaccard", of what they have; for ratings
      "adjusted_cosine", of ratings less their item's mean, and "pearson", less the person's mean: both with norms, and
      pearson with means, over the items that both rated (Resnick et al. 1994; Herlocker et al. 1999)
    - shrinkage s >= 0: similarities are multiplied by n / (n + s), n the items both have (Koren 2008, (2))
    - weighting (implicit): "binary" counts every item alike; "tfidf", "bm25" and, most of all, "unit" rare items for
      more (`TermWeights`), with bm25_k1 >= 0 and bm25_b in [0, 1]. tf is the sum of the values of a pair's events, 1
      for ratings and labels
    - baseline (explicit): "biases" μ + b_i + b_u, regularised by item_reg and user_reg >= 0, or "mean", the person's
    - min_neighbors >= 1 (explicit): an item is listed only where so many of N(u) rated it; such a pair scores its
      baseline

    Items that nobody of N(u) has are not listed. Nobody is their own neighbour: a user of the training data is left
    out, and so is a folded-in person's own row, which is known by the id.

    Neighbours are found when they are asked for, from the request's history: so `at=` and people folded in need nothing
    more, a fit only counts, and nothing is kept beside the histories (an index of them is made at the first request).
    No users × users matrix is made. Cost of a request: Σ_{i in past} n_i for the neighbours, and what N(u) have.
    Sources: Resnick, Iacovou, Suchak, Bergstrom and Riedl, GroupLens, CSCW 1994; Herlocker, Konstan, Borchers and
    Riedl, SIGIR 1999; Koren, TKDD 4:1, 2010 (biases).
    """

    FITTED: ClassVar[tuple[str, ...]] = ()
    knows_by_history: ClassVar[bool] = True

    def __init__(
        self,
        n_neighbors: int = 100,
        *,
        similarity: Similarity = "cosine",
        feedback: Use = "implicit",
        weighting: Weighting = "binary",
        shrinkage: float = 10.0,
        bm25_k1: float = 1.2,
        bm25_b: float = 0.75,
        baseline: Baseline = "biases",
        item_reg: float = 25.0,
        user_reg: float = 10.0,
        min_neighbors: int = 5,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.similarity = similarity
        self.feedback = feedback
        self.weighting = weighting
        self.shrinkage = shrinkage
        self.bm25_k1 = bm25_k1
        self.bm25_b = bm25_b
        self.baseline = baseline
        self.item_reg = item_reg
        self.user_reg = user_reg
        self.min_neighbors = min_neighbors
        check_parameters(self)

    def require_separable(self) -> None:
        """Refuse: a person's neighbours are found by their events, and what is shown are theirs."""
        raise ParameterError(
            "UserNeighbors cannot be saved without histories: it finds people alike by their events and shows what "
            "they have, so the histories are the model; take ItemNeighbors, or save with histories"
        )

    @property
    def predicts_ratings(self) -> bool:
        """Return whether scores are predicted ratings."""
        return self.feedback == "explicit"

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        if self.feedback == "explicit":
            dataset.feedback.require_ratings('UserNeighbors(feedback="explicit")')
        else:
            positive_matrix(dataset, "UserNeighbors")  # refuses data without a like
        people = self._people
        self.known_users_ = np.diff(people.ptr) > 0
        self.known_items_ = np.bincount(people.item_idx, minlength=len(dataset.items)) > 0
        self.listed_items_ = self.known_items_

    @cached_property
    def _people(self) -> _People:
        memory = self.memory_
        rows = rows_of_people(self, memory.history, len(memory.items), memory.feedback)
        comparison = Comparison.of(self, rows)
        index = SimilarRows.of(comparison(rows), self.similarity, self.shrinkage)
        baseline, values = None, np.ones(rows.nnz, np.float32)
        if self.feedback == "explicit":
            kind: BaselineKind = "biases" if self.baseline == "biases" else "user_mean"
            baseline = RatingBaseline.of(rows, kind, self.item_reg, self.user_reg)
            values = baseline.deviations(rows, baseline.user_part(rows))
        return _People(index, comparison, baseline, rows.indptr.astype(np.int64), rows.indices, values)

    def _rows_of(self, history: History, *, unlisted: bool = False) -> NDArray[np.float32]:
        """Return the scores of every item; `unlisted`: the baseline stands where too few neighbours have a rating."""
        n_items, people = self.known_items_.size, self._people
        history, itself = stated_in(history, n_items)
        if not self.known_items_.all():
            history = history.where(self.known_items_[history.item_idx])
        past = rows_of_people(self, history, n_items, self.memory_.feedback)
        near = people.index.nearest(people.comparison(past), self.n_neighbors, itself.astype(np.int32))
        out = np.empty((len(history), n_items), np.float32)
        lists = (people.ptr, people.item_idx, people.values)
        if people.baseline is None:
            sum_lists(near.ptr, near.item_idx, near.score, *lists, out)
            return out
        average_lists(near.ptr, near.item_idx, near.score, *lists, True, self.min_neighbors, out)
        if unlisted:
            out[out == -np.inf] = 0
        of_person = people.baseline.user_part(past)
        return (out + (of_person[:, None] + people.baseline.item_part)).astype(np.float32)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return by how much scores fall without each of the latest 50 items of the request's history (`by_removal`).

        Neighbours are found anew each time. What nobody among them has scores 0 (explicit: the baseline).
        """
        history, people = request.history, self.people_of(request)
        itself = request.user_idx if people is None else self.memory_.users.index_of(people.user_ids)

        def scores_of(variants: History) -> NDArray[np.float64]:
            stated = with_stated(variants, np.repeat(itself, len(variants)), self.known_items_.size)
            rows = self._rows_of(stated, unlisted=True)[:, item_idx].astype(np.float64)
            return np.where(rows == NOTHING, 0.0, rows)

        counts = history.positive | (self.feedback == "explicit")
        return by_removal(history, counts & self.known_items_[history.item_idx], item_idx, scores_of)

    def _ranked(self, request: Request, itself: NDArray[np.int32]) -> Lists:
        history = with_stated(request.history, itself, self.known_items_.size)
        return rank_rows(self._rows_of, replace(request, history=history), self.listed_items_)

    def _rank(self, request: Request) -> Lists:
        return self._ranked(request, request.user_idx)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        users, row = np.unique(user_idx, return_inverse=True)
        history = with_stated(self.memory_.history.take(users), users, self.known_items_.size)
        memory = replace(self.memory_, history=history)
        return score_rows(partial(self._rows_of, unlisted=True), memory, row.astype(np.int32), item_idx)

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = True) -> NDArray[np.float32]:
        """Return float32[m]: the predicted rating of each pair (users[p], items[p]), also where one is unknown.

        An unknown user or item has the baseline of one without ratings. `clip` keeps predictions on the rating scale,
        which `score` does not. Raises `ParameterError` for feedback="implicit", and for unequal lengths.
        """
        self._require_fitted()
        if self._people.baseline is None:
            raise ParameterError('UserNeighbors predicts ratings with feedback="explicit" only')
        return predict_ratings(self, self._people.baseline, users, items, clip)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the people of `events` for `recommend`: their history is all that this model needs of them.

        Items are matched by id. Known are people with a positive event (explicit: a rating) at an item that the model
        knows. A person whose id is in the training data is not their own neighbour. The model is not changed. Raises
        `DataError` unless the values mean what they did in training.
        """
        self._require_fitted()
        return (history_vectors if self.feedback == "implicit" else history_of_raters)(events, self)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._ranked(request, self.memory_.users.index_of(users.user_ids))

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError("UserNeighbors compares people, not items: use ItemNeighbors for similar items")
