"""By how much the score of two towers falls without a feature or an id: the vector of the other side stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from shortlist.models.feature_contributions import OfPerson, by_features, falls
from shortlist.models.feature_contributions_events import ITEM, YOU
from shortlist.models.feature_contributions_words import Words, encoder_of, said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.feature_encoder import FeatureEncoder
    from shortlist.models.tower_parts import Tower
    from shortlist.stages import Request

    Encoding = dict[str, Any] | None
    KeptRows = Callable[[NDArray[np.int32], int], sparse.csr_array]
    Floats = NDArray[np.float32]


class TowerSide(NamedTuple):
    """Rows of one side: their vectors of length 1, what was encoded of them, their numbers of ids; and the tower."""

    tower: Tower
    encoder: FeatureEncoder
    vectors: Floats
    rows: sparse.csr_array
    ids: Floats | None

    @classmethod
    def kept(
        cls, tower: Tower, encoding: Encoding, vectors: Floats, rows: KeptRows, index: NDArray[np.int32]
    ) -> TowerSide:
        """Return what is known of the users or items at `index`, of whom `rows` has what `encoding` made of them."""
        encoder = encoder_of(encoding)
        ids = None if tower.ids is None else tower.ids[index]
        return cls(tower, encoder, vectors[index], rows(index, encoder.width), ids)

    @classmethod
    def said(cls, tower: Tower, encoding: Encoding, vectors: Floats, request: Request) -> TowerSide:
        """Return what the request says of its one person, who is not in the data and has no numbers of an id."""
        encoder = encoder_of(encoding)
        ids = None if tower.ids is None else np.zeros((1, tower.ids.shape[1]), np.float32)
        return cls(tower, encoder, vectors, said_of(request, encoder), ids)

    def without_each(
        self, itself: str, shared: Collection[str] = ()
    ) -> tuple[NDArray[np.int64], list[str], Floats]:
        """Return rows without a feature each: of which row, without what, and the vectors; the id is one of them.

        Without its id a row has zeros in place of the numbers, as what was not trained on.
        """
        words = Words(self.encoder, self.rows.shape[1], shared=shared)
        without = words.without_each(self.rows)
        of, rows = without.of, without.rows
        if self.ids is None:
            return of, without.names, self.tower.vectors(rows, None)
        own = np.flatnonzero(self.ids.any(axis=1))
        stacked = sparse.csr_array(sparse.vstack([rows, self.rows[own]], format="csr"))
        ids = np.concatenate([self.ids[of], np.zeros((own.size, self.ids.shape[1]), np.float32)])
        vectors = self.tower.vectors(stacked, ids)
        return np.concatenate([of, own]), [*without.names, *[itself] * own.size], vectors


def tower_contributions(
    item_idx: NDArray[np.int32], user: TowerSide, items: TowerSide, scale: float
) -> Contributions:
    """Return the falls of the scores of `items` for the one `user`.

    A score is `scale` times the product of the vectors, and a constant. Cost: a pass through its tower for each feature
    that a row has.
    """
    shared = user.encoder.kinds.keys() & items.encoder.kinds.keys()
    of, names, found = items.without_each(ITEM)
    _, of_person, changed = user.without_each(YOU, shared)
    score = _products(user.vectors, items.vectors, scale)[0]
    return by_features(
        item_idx,
        falls(score, _products(user.vectors, found, scale)[0], of, names),
        OfPerson(of_person, score - _products(changed, items.vectors, scale)),
    )


def _products(users: Floats, items: Floats, scale: float) -> NDArray[np.float64]:
    return scale * (users.astype(np.float64) @ items.T.astype(np.float64))
