"""What items are compared by: the vectors of a fitted model, or whatever measure it has of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shortlist.artifacts import State
from shortlist.artifacts.fingerprint import fingerprint
from shortlist.models.exact_search import ItemSearch
from shortlist.models.model import Measure, Model
from shortlist.models.vectors import unit_rows
from shortlist.stages import Eligible, Lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST_BYTES = 16


@dataclass(frozen=True, eq=False)
class ComparedItems:
    """The items of a fitted model and how they are compared.

    known bool[n_items]: those that can be compared; the others are on no list and have none. `vectors` float32[n_items,
    dim] are the model's own, `search` compares them; None where the model compares by something else.
    """

    model: Model
    measure: Measure | None
    known: NDArray[np.bool_]
    vectors: NDArray[np.float32] | None
    search: ItemSearch | None

    @classmethod
    def of(cls, model: Model, measure: Measure | None) -> ComparedItems:
        """Return the items of `model`. Raises `ParameterError` for a measure that it does not have."""
        if measure is None and type(model)._similar is not Model._similar:
            return cls(model, None, model.known_items_, None, None)
        vectors = np.ascontiguousarray(model._similarity_vectors(), np.float32)
        compared = unit_rows(vectors) if measure in (None, "cosine") else vectors
        search = ItemSearch(compared, euclidean=measure == "euclidean", packs=False)
        return cls(model, measure, model.known_items_, vectors, search)

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """Return uint8[n_items, 16], equal where two items have the same vector; no rows where there are no vectors."""
        return np.empty((0, DIGEST_BYTES), np.uint8) if self.vectors is None else _digests(self.vectors)

    @cached_property
    def fingerprint(self) -> str:
        """Return what is equal for models with the same items, compared in the same way by the same numbers."""
        parts = {"ids": self.model.memory_.items.to_state()}
        if self.vectors is None:
            parts["model"] = self.model.to_state(with_memory=False)
        named = "own" if self.vectors is None else self.measure or "cosine"
        arrays = {"known": self.known, "digests": self.digests}
        return fingerprint(State("Compared", {"measure": named}, arrays, parts))

    @property
    def by_vectors(self) -> bool:
        """Return whether similarity is that of vectors, each pair's alone."""
        return self.search is not None

    def nearest(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        """Return the k known items most similar to each of the known `item_idx` int32[n], without itself."""
        if self.search is None:
            return self.model.similar(item_idx, k)
        own = self._permitted(np.arange(item_idx.size + 1), item_idx)
        return self.search.search(self._vectors[item_idx], k, own, listed=self.known)

    def nearest_among(self, item_idx: NDArray[np.int32], among: NDArray[np.int32], k: int) -> Lists:
        """Return the k of `among` int32[m], ascending, most similar to each of `item_idx`, none of which is among them.

        Only where similarity is that of vectors. The scores are those of `nearest`, bit for bit.
        """
        if self.search is None:
            raise TypeError("a measure that is not one of vectors has no pairs to compare alone")
        part = ItemSearch(self._vectors[among], euclidean=self.search.catalogue.euclidean, packs=False)
        free = Eligible(
            (), np.zeros(among.size, np.int8), np.zeros(item_idx.size + 1, np.int64), _NONE, _NO_RULE
        )
        found = part.search(self._vectors[item_idx], k, free)
        return Lists(found.ptr, among[found.item_idx], found.score)

    @property
    def _vectors(self) -> NDArray[np.float32]:
        if self.search is None:
            raise TypeError("these items are not compared by vectors")
        return self.search.catalogue.items

    def _permitted(self, ptr: NDArray[np.int64], item_idx: NDArray[np.int32]) -> Eligible:
        """Return what is permitted where each row forbids one item, itself."""
        nobody, itself = np.zeros(self.known.size, np.int8), np.ones(item_idx.size, np.int8)
        return Eligible(("itself",), nobody, ptr, item_idx, itself)


_NONE, _NO_RULE = np.empty(0, np.int32), np.empty(0, np.int8)


def _digests(vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 16 bytes a row that differ where the rows do; −0 is not 0 there, which costs a search at most."""
    rows = vectors.view(np.uint8).reshape(vectors.shape[0], -1) if vectors.shape[1] else None
    if rows is None:
        return np.zeros((vectors.shape[0], DIGEST_BYTES), np.uint8)
    digests = (hashlib.blake2b(row.data, digest_size=DIGEST_BYTES).digest() for row in rows)
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
