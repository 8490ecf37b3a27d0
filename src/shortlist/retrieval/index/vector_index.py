"""VectorIndex: the one interface of `ExactIndex` and `ApproximateIndex`, and what they share."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from shortlist.errors import ArtifactError, NotFittedError, ParameterError
from shortlist.models.model import Model
from shortlist.models.vectors import EmbeddingModel, UserVectors
from shortlist.parameters import one_of, whole
from shortlist.retrieval.index.asked import eligible_of, shortfalls
from shortlist.retrieval.index.found import Found
from shortlist.retrieval.index.index_file import read_index, write_index
from shortlist.retrieval.index.indexed_items import IndexedItems, require_some
from shortlist.retrieval.index.stored_vectors import IndexMeasure, Storage, checked_queries
from shortlist.stages import Lists

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id, Ids
    from shortlist.stages import Eligible


class VectorIndex(ABC):
    """Vectors with ids, searched for those that score highest with a query.

    - measure: "dot" (plus offsets), "cosine", or "euclidean", whose score is minus the distance
    - storage: "float32"; "half", half of the memory; or "int8", a quarter, with a scale for each vector

    A position is the place of an item in `ids`: the order in which items came, those removed left out. Equal scores go
    by smaller position. Scores are those of the vectors as they are stored, summed in a fixed order, so that every
    index of the same storage gives an item the same score, bit for bit. Several threads may search while others
    change the index: a search sees all of a change or nothing of it.

    Changes copy the arrays of the index, O(n · dim): make many at once.
    """

    _items: IndexedItems | None

    def __init__(self, measure: IndexMeasure = "dot", storage: Storage = "float32") -> None:
        self.measure: IndexMeasure = one_of("measure", measure, IndexMeasure)
        self.storage: Storage = one_of("storage", storage, Storage)
        self._items = None
        self._changing = threading.Lock()

    # What a subclass writes.

    @abstractmethod
    def _built(self, items: IndexedItems, queries: NDArray[np.float32] | None) -> None:
        """Search `items` from now on, whatever was there before; `queries` are like those to come."""

    @abstractmethod
    def _changed(
        self, items: IndexedItems, gone: NDArray[np.integer[Any]], fresh: NDArray[np.integer[Any]]
    ) -> None:
        """Search `items` from now on: those before without positions `gone`, and with new vectors at `fresh`.

        `fresh` are positions in `items`. A vector that is replaced is in both.
        """

    @abstractmethod
    def _at_rest(self) -> AbstractContextManager[IndexedItems]:
        """Return a context in which the items, which it gives, are those that `_rank` searches."""

    @abstractmethod
    def _rank(
        self,
        items: IndexedItems,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        """Return the k best permitted positions of `items` for each query; items and queries are there."""

    @abstractmethod
    def _saved(self) -> tuple[IndexedItems, dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the items, and plain values and arrays that `_restored` needs beside them."""

    @abstractmethod
    def _restored(
        self, items: IndexedItems, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        """Take over what `_saved` returned."""

    @abstractmethod
    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters."""

    # What a caller uses.

    @final
    def build(
        self,
        vectors: NDArray[np.floating],
        ids: Iterable[Id] | None = None,
        *,
        offsets: NDArray[np.floating] | None = None,
        space: Model | str | None = None,
        queries: NDArray[np.floating] | None = None,
    ) -> Self:
        """Hold `vectors` float[n, dim] in place of any before and return self.

        - ids: n distinct integers or strings; the positions 0 … n − 1 unless given
        - offsets float[n]: added to every dot product of an item (its bias)
        - space: the model that the vectors are of, which then refuses to be confused with another
        - queries float[m, dim]: a sample of queries like those to come, for an index that measures its recall; a
          sample of the vectors unless given

        Raises `DataError` (naming ids) for NaN, infinity, zero vectors under the cosine, ids that are there twice, and
        shapes that do not fit; `ParameterError` for offsets without "dot".
        """
        items = require_some(self._made(vectors, ids, offsets, space))
        sample = None if queries is None else checked_queries(queries, items.vectors.dim, self.measure)
        with self._changing:
            self._built(items, sample)
        return self

    @final
    def build_from(self, model: Model, *, queries: NDArray[np.floating] | None = None) -> Self:
        """Hold the vectors of the items that a fitted `model` lists, with their ids, and return self.

        Under "dot" its item offsets go with them, so that scores lack nothing but the user's own offset. Raises
        `ParameterError` for a model whose score is no dot product.
        """
        items = self._items_of(model)
        sample = None if queries is None else checked_queries(queries, items.vectors.dim, self.measure)
        with self._changing:
            self._built(items, sample)
        return self

    @final
    def add(
        self,
        ids: Iterable[Id],
        vectors: NDArray[np.floating],
        *,
        offsets: NDArray[np.floating] | None = None,
    ) -> None:
        """Add items behind those that are there. Raises `DataError` for an id that is there, and as `build`."""
        more = self._made(vectors, ids, offsets, None)
        with self._changing:
            if self._items is None:
                self._built(require_some(more), None)
                return
            n = len(self._items)
            self._changed(self._items.added(more), np.zeros(0, np.int64), np.arange(n, n + len(more)))

    @final
    def replace(
        self,
        ids: Iterable[Id],
        vectors: NDArray[np.floating],
        *,
        offsets: NDArray[np.floating] | None = None,
    ) -> None:
        """Give items that are there other vectors; they keep their positions.

        Without `offsets` theirs become 0. Raises `UnknownIdError`, and as `build`.
        """
        others = self._made(vectors, ids, offsets, None)
        with self._changing:
            items, at = self._required().replaced(others)
            self._changed(items, at, at)

    @final
    def remove(self, ids: Iterable[Id]) -> None:
        """Take items out. Raises `UnknownIdError` for an id that is not there, `DataError` for one given twice."""
        with self._changing:
            items, at = self._required().removed(ids)
            self._changed(items, at, np.zeros(0, np.int64))

    @final
    def search(
        self,
        queries: NDArray[np.floating] | UserVectors,
        k: int = 10,
        *,
        allowed: NDArray[np.bool_] | None = None,
        forbidden: Sequence[Iterable[Id]] | None = None,
    ) -> Found:
        """Return the `k` best items for each query, best first; all there are where `k` is more.

        - queries float[n, dim], or float[dim] for one; or people folded in by the model that the index is of, of whom
          those that are not known have empty lists
        - allowed: bool[n_items] aligned with `ids`, or bool[n, n_items] with a row for each query
        - forbidden: for each query the ids that it may not find (what a user has seen)

        A list is shorter than `k` only when no more items may be found; `shortfalls` says why.
        Raises `DataError` for queries that are not finite or of another dimension, zero queries under the cosine, and
        masks that do not fit; `UnknownIdError` for forbidden ids; `ParameterError` for people of another model.
        """
        whole("k", k, least=0)
        if isinstance(queries, UserVectors):
            self.require_space(queries.space)
            return self._search_for(queries, k, allowed, forbidden)
        vectors = np.atleast_2d(queries)
        with self._at_rest() as items:
            eligible = eligible_of(items.ids, len(vectors), allowed, forbidden)
            asked = checked_queries(vectors, items.vectors.dim, self.measure)
            lists = self._ranked(items, asked, k, eligible, np.zeros(len(asked), np.float32))
        return Found(items.ids.ids, lists, shortfalls(lists, k, eligible))

    def _search_for(
        self,
        people: UserVectors,
        k: int,
        allowed: NDArray[np.bool_] | None,
        forbidden: Sequence[Iterable[Id]] | None,
    ) -> Found:
        """Return the lists of people folded in; those of whom nothing is known have empty ones, which say so."""
        known, unknown = np.flatnonzero(people.known), np.flatnonzero(~people.known)
        with self._at_rest() as items:
            eligible = eligible_of(items.ids, len(people.vectors), allowed, forbidden)
            asked = checked_queries(people.vectors[known], items.vectors.dim, self.measure)
            found = self._ranked(items, asked, k, eligible.rows(known), people.offsets[known])
        lists = found.scatter(known, len(people.vectors))
        why = shortfalls(lists, k, eligible)
        nothing = dict.fromkeys(unknown.tolist(), "nothing is known of this user")
        return Found(items.ids.ids, lists, why | nothing)

    @final
    def rank(
        self,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32] | None = None,
    ) -> Lists:
        """Return the k best permitted positions for each query, whose offset is added to its scores.

        `eligible` goes by positions of the index, a row for each query.
        """
        with self._at_rest() as items:
            asked = checked_queries(queries, items.vectors.dim, self.measure)
            own = np.zeros(len(asked), np.float32) if query_offsets is None else query_offsets
            return self._ranked(items, asked, k, eligible, own)

    @final
    def vectors_of(self, ids: Iterable[Id]) -> NDArray[np.float32]:
        """Return float32[m, dim]: the vectors of items as they are stored. Raises `UnknownIdError`."""
        items = self._required()
        return items.vectors.decoded(items.ids.positions(ids))

    @final
    @property
    def ids(self) -> Ids:
        """Return the ids of all items, by position."""
        return self._required().ids.ids

    @final
    @property
    def dim(self) -> int:
        """Return the length of the vectors."""
        return self._required().vectors.dim

    @final
    @property
    def space(self) -> str | None:
        """Return the model (`Model.space`) that the vectors are of, None where that was not said."""
        return None if self._items is None else self._items.space

    @final
    def require_space(self, space: Model | str) -> None:
        """Raise `ParameterError` unless the vectors are those of this model."""
        wanted = space.space if isinstance(space, Model) else space
        if self.space != wanted:
            own = "no model that it was told of" if self.space is None else f"another model ({self.space})"
            raise ParameterError(f"this index is of {own}, not of {wanted}: build it again from that one")

    def __len__(self) -> int:
        return 0 if self._items is None else len(self._items)

    @final
    def save(self, path: str | Path) -> Path:
        """Save the index as a folder and return its path; `load` reads it.

        What is there already is replaced as a whole, or stays as it was. Raises `ArtifactError`.
        """
        items, values, arrays = self._saved()
        return write_index(path, type(self).__name__, items, values | {"params": self.params()}, arrays)

    @final
    @classmethod
    def load(cls, path: str | Path, *, mapped: bool = True, space: Model | str | None = None) -> Self:
        """Return the index that was saved at `path`.

        - mapped: the arrays stay in their files, which the system reads when they are touched and several processes
          share; they must stay unchanged meanwhile. Every checksum is verified, so each file is read once here.
        - space: the model that the index must be of

        Raises `ArtifactError` for a missing, truncated, altered or newer index and one of another class or model.
        """
        items, values, arrays = read_index(path, cls.__name__, mapped=mapped)
        try:
            index = cls(**values["params"])
            index._restored(items, values, arrays)
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{path} was saved by another version of shortlist ({error!r}); build it again"
            ) from error
        if space is not None:
            try:
                index.require_space(space)
            except ParameterError as error:
                raise ArtifactError(f"{path}: {error}") from error
        return index

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params().items())
        return f"<{type(self).__name__}({shown}) of {len(self):,} items{self._measured()}>"

    def _measured(self) -> str:
        """Return what `repr` says behind the number of items."""
        return ""

    @final
    def _made(
        self,
        vectors: NDArray[np.floating],
        ids: Iterable[Id] | None,
        offsets: NDArray[np.floating] | None,
        space: Model | str | None,
    ) -> IndexedItems:
        return IndexedItems.of(
            vectors, ids, offsets=offsets, measure=self.measure, storage=self.storage, space=space
        )

    @final
    def _items_of(self, model: Model) -> IndexedItems:
        if not isinstance(model, EmbeddingModel) or not model.is_fitted:
            raise ParameterError(
                f"{model!r} is not a fitted model of vectors; build an index from one that is"
            )
        listed = np.flatnonzero(model.listed_items_)
        offsets = model.item_offsets_[listed] if self.measure == "dot" and model.item_offsets_.any() else None
        return require_some(
            self._made(model.item_factors_[listed], model.memory_.items.ids_of(listed), offsets, model)
        )

    @final
    def _ranked(
        self,
        items: IndexedItems,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        k = min(k, len(items))
        if k == 0 or not len(queries):
            return Lists.empty(len(queries))
        return self._rank(items, queries, k, eligible, query_offsets)

    @final
    def _required(self) -> IndexedItems:
        if self._items is None:
            raise NotFittedError(f"this {type(self).__name__} is empty; build it, or add items to it")
        return self._items
