"""Vectors: what a model whose score is a dot product has of users and items, and ranking by them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np

from shortlist.models.exact_search import ItemSearch, pair_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Ids
    from shortlist.stages import History, Lists, Request


@dataclass(frozen=True, eq=False)
class UserVectors:
    """Vectors of users in a model's space; what `fold_in_users` returns and `recommend` accepts.

    vectors float32[n, d]; offsets float32[n], added to every score of the user; known bool[n]: false where there was
    nothing to make a vector from. `user_ids` and `history` are those of the people folded in. `space` names the fitted
    model in whose space they lie; another one refuses them. parts: the same people's vectors by the models that the
    model is made of, by name.
    """

    vectors: NDArray[np.float32]
    offsets: NDArray[np.float32]
    known: NDArray[np.bool_]
    user_ids: Ids
    history: History
    space: str
    parts: Mapping[str, UserVectors] = field(default_factory=dict)

    def take(self, rows: NDArray[np.integer[Any]]) -> UserVectors:
        """Return the users at `rows` int[n]."""
        known, ids = self.known[rows], self.user_ids.gather(rows)
        vectors, offsets = self.vectors[rows], self.offsets[rows]
        history, parts = self.history.take(rows), {name: part.take(rows) for name, part in self.parts.items()}
        return UserVectors(vectors, offsets, known, ids, history, self.space, parts)


# What is known of people who are not in the data, by which a model may place them.
Said = Literal["events", "features"]
_ORDER: tuple[Said, ...] = ("events", "features")


def said(*, events: bool, features: bool) -> tuple[Said, ...]:
    """Return the names of those that hold.

    >>> said(events=True, features=False)
    ('events',)
    """
    return tuple(name for name, holds in zip(_ORDER, (events, features), strict=True) if holds)


@runtime_checkable
class FoldsPeopleIn(Protocol):
    """A model that has something to say about people who are not in the data."""

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the users of `events` in the model's space, by their events and the user features that it holds."""


@runtime_checkable
class EmbeddingModel(Protocol):
    """A model whose score is a dot product: user vector · item vector + item offset + user offset."""

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, d] and offsets float32[n] of known users (positions ≥ 0)."""


def rank_by_vectors(
    vectors: NDArray[np.float32],
    offsets: NDArray[np.float32],
    model: EmbeddingModel,
    listed: NDArray[np.bool_],
    request: Request,
) -> Lists:
    """Return the k best of `listed` bool[n_items] for user `vectors` float32[n, d] and `offsets` float32[n]."""
    return prepared_search(model).search(
        vectors, request.k, request.eligible, query_offsets=offsets, listed=listed
    )


class _Prepared(NamedTuple):
    factors: NDArray[np.float32]
    offsets: NDArray[np.float32]
    search: ItemSearch


# Beside the models, not in them: so copies, clones, pickles and artifacts have none, and it ends with its model.
_prepared: WeakKeyDictionary[EmbeddingModel, _Prepared] = WeakKeyDictionary()
_prepared_guard = threading.Lock()


def prepared_search(model: EmbeddingModel) -> ItemSearch:
    """Return the exact search among the model's items, which is kept as long as the model has these very vectors.

    Once asked for few users, it holds a large catalogue a second time as int8: n_items · (d + 4) bytes, a quarter of
    the vectors. Safe in threads.
    """
    factors, offsets = model.item_factors_, model.item_offsets_
    with _prepared_guard:
        kept = _prepared.get(model)
    if kept is None or kept.factors is not factors or kept.offsets is not offsets:
        # Made without holding the guard: it runs on the pool, whose threads may be waiting for the guard.
        kept = _Prepared(factors, offsets, ItemSearch(factors, offsets))
        with _prepared_guard:
            _prepared[model] = kept
    return kept.search


def score_by_vectors(
    model: EmbeddingModel, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return float32[m] for pairs of known users and items, bit for bit the scores of `rank_by_vectors`."""
    distinct, row = np.unique(user_idx, return_inverse=True)
    vectors, offsets = model.user_vectors(distinct)
    return pair_scores(vectors, offsets, model.item_factors_, model.item_offsets_, row, item_idx)


class DotProduct(ABC):
    """What an `EmbeddingModel` answers with: mixed into a `Model`, it ranks, scores and compares by the vectors."""

    listed_items_: NDArray[np.bool_]
    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]

    @abstractmethod
    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, d] and offsets float32[n] of known users (positions ≥ 0)."""

    def _rank(self, request: Request) -> Lists:
        vectors, offsets = self.user_vectors(request.user_idx)
        return rank_by_vectors(vectors, offsets, self, self.listed_items_, request)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_by_vectors(self, user_idx, item_idx)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return rank_by_vectors(users.vectors, users.offsets, self, self.listed_items_, request)

    @property
    def lists_by_vectors(self) -> bool:
        """Return whether the lists of people folded in are made of their `vectors` and `offsets` and nothing else."""
        return type(self)._rank_vectors is DotProduct._rank_vectors

    def _similarity_vectors(self) -> NDArray[np.float32]:
        return self.item_factors_


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rows at length 1; a zero row stays zero."""
    norm = np.sqrt(np.einsum("if,if->i", vectors, vectors, dtype=np.float64))
    return (vectors / np.where(norm > 0, norm, 1.0)[:, None]).astype(np.float32)
