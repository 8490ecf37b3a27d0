"""What neighbourhoods of items and of users share: how rows are read, compared and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from scipy import sparse

from shortlist.errors import ParameterError
from shortlist.models.fold_in import at_known_items
from shortlist.models.history_matrices import last_values, positive_values
from shortlist.models.rating_baseline import Baseline, RatingBaseline
from shortlist.models.score_rows import positive_items
from shortlist.models.similar_rows import Similarity
from shortlist.models.term_weights import TermWeights, Weighting
from shortlist.models.vectors import UserVectors
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.feedback import Feedback
    from shortlist.data.vocabulary import Id
    from shortlist.models.model import Model
    from shortlist.stages import History

Use = Literal["implicit", "explicit"]

_OF_RATINGS = ("adjusted_cosine", "pearson")


class Neighbors(Protocol):
    """The parameters that `ItemNeighbors` and `UserNeighbors` share."""

    n_neighbors: int
    similarity: Similarity
    feedback: Use
    weighting: Weighting
    shrinkage: float
    bm25_k1: float
    bm25_b: float
    baseline: Baseline
    item_reg: float
    user_reg: float
    min_neighbors: int


def check_parameters(model: Neighbors) -> None:
    """Raise `ParameterError` for a parameter out of range, or for two that contradict each other."""
    whole("n_neighbors", model.n_neighbors, least=1)
    one_of("similarity", model.similarity, Similarity)
    one_of("feedback", model.feedback, Use)
    one_of("weighting", model.weighting, Weighting)
    one_of("baseline", model.baseline, Baseline)
    for name in ("shrinkage", "bm25_k1", "item_reg", "user_reg"):
        number(name, getattr(model, name))
    number("bm25_b", model.bm25_b, most=1)
    whole("min_neighbors", model.min_neighbors, least=1)
    if model.feedback == "implicit" and model.similarity in _OF_RATINGS:
        raise ParameterError(
            f'similarity={model.similarity!r} compares ratings: take feedback="explicit", or "cosine", "dot" or '
            '"jaccard" for likes'
        )
    if model.feedback == "explicit" and model.similarity == "dot":
        raise ParameterError(
            'similarity="dot" is for feedback="implicit"; ratings take "cosine" or "pearson"'
        )
    if model.weighting != "binary" and (model.feedback == "explicit" or model.similarity == "jaccard"):
        raise ParameterError(
            f'weighting={model.weighting!r} weighs likes for "cosine" and "dot"; here leave it at "binary"'
        )


def rows_of_people(model: Neighbors, history: History, n_items: int, feedback: Feedback) -> sparse.csr_array:
    """Return float32 CSR [n, n_items] of what counts of each person's events.

    For "implicit" a 1 for each item with a positive event (with another weighting and data of events: the sum of their
    values); for "explicit" the last rating of each pair.
    """
    if model.feedback == "explicit":
        return last_values(history, n_items)
    if model.weighting != "binary" and feedback.kind == "events":
        return positive_values(history, n_items)
    return positive_items(history, n_items)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What makes of rows (items over users, or users over items) the values that are compared.

    weights: of likes, else None; means float64[n_columns]: what is taken off each column's ratings, else None.
    """

    weights: TermWeights | None
    means: NDArray[np.float64] | None

    @classmethod
    def of(cls, model: Neighbors, rows: sparse.csr_array) -> Comparison:
        """Return the comparison of all training `rows` float32 CSR [n, n_columns]."""
        if model.feedback == "implicit":
            return cls(TermWeights.of(rows, model.weighting, model.bm25_k1, model.bm25_b), None)
        if model.similarity != "adjusted_cosine":
            return cls(None, None)
        n = np.bincount(rows.indices, minlength=rows.shape[1])
        total = np.bincount(rows.indices, rows.data.astype(np.float64), minlength=rows.shape[1])
        return cls(None, total / np.maximum(n, 1))

    def __call__(self, rows: sparse.csr_array) -> sparse.csr_array:
        """Return `rows` with the values to compare; the structure stays, zeros included."""
        if self.weights is not None:
            return self.weights.weigh(rows)
        if self.means is None:
            return rows
        values = (rows.data - self.means[rows.indices]).astype(np.float32)
        return sparse.csr_array((values, rows.indices, rows.indptr), shape=rows.shape)


def history_of_raters(events: Dataset, model: Model) -> UserVectors:
    """Return the people of `events` for a model of ratings that needs nothing but their history: vectors [n, 0].

    Known are people with a rating of an item that the model knows. Raises `DataError` as `history_vectors` does.
    """
    log = at_known_items(events, model.memory_)
    rated = log.user_idx[model.known_items_[log.item_idx]]
    known = np.bincount(rated, minlength=log.n_users) > 0
    empty, zeros = np.zeros((log.n_users, 0), np.float32), np.zeros(log.n_users, np.float32)
    return UserVectors(empty, zeros, known, events.users.ids, log.history(), model.space)


def predict_ratings(
    model: Model, baseline: RatingBaseline, users: Iterable[Id], items: Iterable[Id], clip: bool
) -> NDArray[np.float32]:
    """Return float32[m]: the score of pairs that `model` knows, the baseline where it does not know one of the two."""
    memory = model.memory_
    user_idx, item_idx = memory.users.index_of(users), memory.items.index_of(items)
    if user_idx.size != item_idx.size:
        raise ParameterError(f"predict takes pairs: got {user_idx.size} users and {item_idx.size} items")
    user_known = model.knows(user_idx)
    item_known = (item_idx >= 0) & model.known_items_[item_idx]
    asked, row = np.unique(np.where(user_known, user_idx, -1), return_inverse=True)
    own = baseline.user_part(last_values(memory.history.take(asked), len(memory.items)))
    of_user = np.where(user_known, own[row], baseline.of_strangers())
    of_item = np.where(item_known, baseline.item_part[item_idx], baseline.of_new_items())
    rating = (of_user + of_item).astype(np.float32)
    both = user_known & item_known
    rating[both] = model.score_pairs(user_idx[both], item_idx[both])
    scale: Any = memory.feedback.scale
    return np.clip(rating, *scale) if clip and scale else rating
