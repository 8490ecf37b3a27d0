"""ItemNeighbors: items by how alike the items of a person's past are to them."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
from scipy import sparse

from shortlist.contributions import Contributions
from shortlist.errors import ParameterError
from shortlist.kernels.neighbor_sums import average_lists, sum_lists
from shortlist.models.history_contributions import of_lists
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
from shortlist.models.rating_baseline import Baseline, BaselineKind, RatingBaseline
from shortlist.models.score_rows import history_vectors, rank_rows, score_rows
from shortlist.models.similar_rows import Similarity, SimilarRows
from shortlist.parameters import one_of
from shortlist.stages import Lists, offsets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting
    from shortlist.models.term_weights import Weighting
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import History, Request


NeighborsOf = Literal["scored", "past"]


class _ItemLists(NamedTuple):
    """A list of items with values for each item: ptr int64[n_items + 1], idx int32[m], values float32[m]."""

    ptr: NDArray[np.int64]
    idx: NDArray[np.int32]
    values: NDArray[np.float32]


class ItemNeighbors(Model):
    """Scores an item by the items of the person's past that it is a near neighbour of; N(i) are the most similar to i.

    feedback="implicit": what a person likes (positive events) counts, Σ s_ij over the j of the past that are in N(i),
    or, with neighbors_of="past", over those whose N(j) has i.
    feedback="explicit": predicts ratings, b_ui + Σ_{j rated ∩ N(i)} s_ij (r_uj − b_uj) / Σ s_ij, b the `baseline`; the
    last rating of a pair counts. Needs `kind="ratings"`.

    - neighbors_of (implicit): "scored", N of the item that is scored, which gives every item as many neighbours to be
      found by; "past", N of the items of the past (Deshpande and Karypis 2004), where popular items are in more lists
    - n_neighbors >= 1: the size of N; only similarities above 0 count, so it may be smaller
    - similarity of the columns of two items: "cosine"; "dot"; "jaccard", of who has them; for ratings
      "adjusted_cosine", of ratings less their user's mean, and "pearson", less the item's mean: both with norms, and
      pearson with means, over the users who rated both (Sarwar et al. 2001, 3.1)
    - shrinkage s >= 0: similarities are multiplied by n / (n + s), n the users who have both (Koren 2008, (2)), so that
      a few users prove little
    - weighting (implicit): "binary" counts every user alike; "tfidf", "bm25" and, most of all, "unit" those who have
      little for more (`TermWeights`), with bm25_k1 >= 0 and bm25_b in [0, 1]. tf is the sum of the values of a pair's
      events, 1 for ratings and labels
    - baseline (explicit): "biases" μ + b_i + b_u, regularised by item_reg and user_reg >= 0, or "mean", the item's
    - min_neighbors >= 1 (explicit): an item is listed only where so many of N(i) have the person's rating, else one
      5-star neighbour would top every list; such a pair scores its baseline

    Items that no item of the past leads to are not listed. Similar items are N(i), so at most `n_neighbors`.
    Fitted: `neighbor_ptr_` int64[n_items + 1], `neighbor_idx_` int32[m] and `similarities_` float32[m], each item's
    best first; `item_baselines_` float64[n_items] and `global_mean_` (zeros for implicit).

    Everything personal comes from the request's history, so people folded in get what users of the training data get,
    and `at=` counts events up to it. No dense item × item matrix is made: cost O(Σ_u n_u²) time at most to fit, far
    less where all values are 1; O(n_items · n_neighbors) memory.
    Sources: Sarwar, Karypis, Konstan and Riedl, WWW 2001; Deshpande and Karypis, TOIS 22:1, 2004 (likes); Koren, TKDD
    4:1, 2010 (biases). Which side's neighbours rank better depends on the data: on a validation part of Gowalla "past"
    (Recall@20 .204 against .200 with weighting="unit"), on MovieLens small "scored".
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "neighbor_ptr_",
        "neighbor_idx_",
        "similarities_",
        "item_baselines_",
        "global_mean_",
    )
    knows_by_history: ClassVar[bool] = True

    neighbor_ptr_: NDArray[np.int64]
    neighbor_idx_: NDArray[np.int32]
    similarities_: NDArray[np.float32]
    item_baselines_: NDArray[np.float64]
    global_mean_: float

    def __init__(
        self,
        n_neighbors: int = 100,
        *,
        similarity: Similarity = "cosine",
        feedback: Use = "implicit",
        neighbors_of: NeighborsOf = "scored",
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
        self.neighbors_of = one_of("neighbors_of", neighbors_of, NeighborsOf)
        self.weighting = weighting
        self.shrinkage = shrinkage
        self.bm25_k1 = bm25_k1
        self.bm25_b = bm25_b
        self.baseline = baseline
        self.item_reg = item_reg
        self.user_reg = user_reg
        self.min_neighbors = min_neighbors
        check_parameters(self)
        if feedback == "explicit" and neighbors_of == "past":
            raise ParameterError(
                'neighbors_of="past" is for likes: with feedback="explicit" leave it at "scored"'
            )

    @property
    def predicts_ratings(self) -> bool:
        """Return whether scores are predicted ratings."""
        return self.feedback == "explicit"

    @property
    def own_measure(self) -> str:
        """Return the similarity, with its weighting."""
        return self.similarity if self.weighting == "binary" else f"{self.weighting} {self.similarity}"

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        people = self._people(dataset)
        self.known_users_ = np.diff(people.indptr) > 0
        rows = people.T.tocsr()
        self.known_items_ = self.listed_items_ = np.diff(rows.indptr) > 0
        self._set_baseline(people)
        rows = Comparison.of(self, rows)(rows)
        index = SimilarRows.of(rows, self.similarity, self.shrinkage)
        lists = index.nearest(rows, self.n_neighbors, np.arange(rows.shape[0], dtype=np.int32))
        self.neighbor_ptr_, self.neighbor_idx_, self.similarities_ = lists.ptr, lists.item_idx, lists.score

    def _people(self, dataset: Dataset) -> sparse.csr_array:
        if self.feedback == "explicit":
            dataset.feedback.require_ratings('ItemNeighbors(feedback="explicit")')
        elif self.weighting == "binary" or dataset.feedback.kind != "events":
            return positive_matrix(dataset, "ItemNeighbors")
        return rows_of_people(self, dataset.memory.history, len(dataset.items), dataset.feedback)

    def _set_baseline(self, people: sparse.csr_array) -> None:
        self.item_baselines_, self.global_mean_ = np.zeros(people.shape[1]), 0.0
        if self.feedback == "explicit":
            found = RatingBaseline.of(people, self._kind, self.item_reg, self.user_reg)
            self.item_baselines_, self.global_mean_ = found.item_part, found.global_mean

    @property
    def _kind(self) -> BaselineKind:
        return "biases" if self.baseline == "biases" else "item_mean"

    @cached_property
    def _expected(self) -> RatingBaseline:
        return RatingBaseline(self._kind, self.global_mean_, self.item_baselines_, self.user_reg)

    @cached_property
    def _influence(self) -> _ItemLists:
        """Return the similarities by the item of the past: list j holds the items i that it speaks for."""
        if self.neighbors_of == "past":
            return _ItemLists(self.neighbor_ptr_, self.neighbor_idx_, self.similarities_)
        n = self.known_items_.size
        stored = (self.similarities_, self.neighbor_idx_, self.neighbor_ptr_)
        turned = sparse.csr_array(stored, shape=(n, n)).tocsc()
        return _ItemLists(turned.indptr.astype(np.int64), turned.indices.astype(np.int32), turned.data)

    def _rows_of(self, history: History, *, unlisted: bool = False) -> NDArray[np.float32]:
        """Return the scores of every item; `unlisted`: the baseline stands where too few neighbours are rated."""
        if not self.known_items_.all():
            history = history.where(self.known_items_[history.item_idx])
        n_items = self.known_items_.size
        past = rows_of_people(self, history, n_items, self.memory_.feedback)
        out = np.empty((len(history), n_items), np.float32)
        of, ptr = self._influence, past.indptr.astype(np.int64)
        if self.feedback == "implicit":
            sum_lists(ptr, past.indices, np.ones(past.nnz, np.float32), of.ptr, of.idx, of.values, out)
            return out
        user_part = self._expected.user_part(past)
        apart = self._expected.deviations(past, user_part)
        least = self.min_neighbors
        average_lists(ptr, past.indices, apart, of.ptr, of.idx, of.values, False, least, out)
        if unlisted:
            out[out == -np.inf] = 0
        return (out + (user_part[:, None] + self.item_baselines_)).astype(np.float32)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return what each item of the request's history adds: scores are the base and their sum.

        Implicit: s_ij, and no base. Explicit: s_ij (r_uj − b_uj) / Σ s_ij, the base being the baseline b_ui; where too
        few neighbours are rated, nothing is added to it.
        """
        history, n_items = request.history, self.known_items_.size
        ratings = rows_of_people(
            self, history.where(self.known_items_[history.item_idx]), n_items, self.memory_.feedback
        )
        past, of = ratings.indices.astype(np.int32), self._influence
        similar = of_lists(of.ptr, of.idx, of.values, past, item_idx)
        if self.feedback == "implicit":
            return Contributions(item_idx, past, similar)
        of_person = self._expected.user_part(ratings)
        enough = (similar > 0).sum(axis=1) >= self.min_neighbors
        share = similar / np.where(enough, similar.sum(axis=1), np.inf)[:, None]
        of_past = share * self._expected.deviations(ratings, of_person)
        return Contributions(item_idx, past, of_past, base=of_person + self.item_baselines_[item_idx])

    def _rank(self, request: Request) -> Lists:
        return rank_rows(self._rows_of, request, self.listed_items_)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_rows(partial(self._rows_of, unlisted=True), self.memory_, user_idx, item_idx)

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = True) -> NDArray[np.float32]:
        """Return float32[m]: the predicted rating of each pair (users[p], items[p]), also where one is unknown.

        An unknown user or item has the baseline of one without ratings. `clip` keeps predictions on the rating scale,
        which `score` does not. Raises `ParameterError` for feedback="implicit", and for unequal lengths.
        """
        self._require_fitted()
        if self.feedback != "explicit":
            raise ParameterError('ItemNeighbors predicts ratings with feedback="explicit" only')
        return predict_ratings(self, self._expected, users, items, clip)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the people of `events` for `recommend`: their history is all that this model needs of them.

        Items are matched by id. Known are people with a positive event (explicit: a rating) at an item that the model
        knows. The model is not changed. Raises `DataError` unless the values mean what they did in training.
        """
        self._require_fitted()
        return (history_vectors if self.feedback == "implicit" else history_of_raters)(events, self)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._rank(request)

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        return first_of_lists(self.neighbor_ptr_, self.neighbor_idx_, self.similarities_, item_idx, k)

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError(
            f"ItemNeighbors has no item vectors: leave measure out, and similar items go by {self.own_measure}"
        )


def first_of_lists(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    values: NDArray[np.float32],
    rows: NDArray[np.int32],
    k: int,
) -> Lists:
    """Return the first k entries of the lists at `rows` int32[n], which are best first."""
    length = np.minimum(ptr[rows + 1] - ptr[rows], k)
    out = offsets(length)
    at = np.arange(out[-1]) + np.repeat(ptr[rows] - out[:-1], length)
    return Lists(out, idx[at], values[at])
