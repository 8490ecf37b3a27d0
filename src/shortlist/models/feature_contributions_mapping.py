"""What features add to the scores of items, and of a person, that were placed by their features (`FeatureMapping`).

A mapped vector is a sum over features, so a score is one as well: of the item's features for a given person, of the
person's for a given item. Where both are mapped each of the two sums is the whole score, so they are told as falls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.models.feature_contributions import by_features
from shortlist.models.feature_contributions_blend import Part, summed
from shortlist.models.feature_contributions_linear import added_by, added_by_person, total_of
from shortlist.models.feature_contributions_words import Words

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.contributions import Contributions
    from shortlist.data.feature_encoder import FeatureEncoder

    Floats = NDArray[np.float32]
    F64 = NDArray[np.float64]


class Side(NamedTuple):
    """Rows of one side: vectors float32[n, dim + 1], offsets last, and of those that are mapped the encoded features.

    rows CSR [n, f], empty where a row is not mapped; map float32[f + 1, dim + 1] as `FeatureMapping` has it.
    """

    vectors: Floats
    rows: sparse.csr_array
    encoder: FeatureEncoder
    map: Floats

    @property
    def mapped(self) -> NDArray[np.bool_]:
        """Return bool[n]: which rows are mapped."""
        has: NDArray[np.bool_] = np.diff(self.rows.indptr) > 0
        return has

    def weights(self, others: Floats) -> F64:
        """Return float64[f, m]: what a 1 in each feature adds to the score with each of `others` [m, dim + 1]."""
        feature = self.map[:-1].astype(np.float64)
        return feature[:, :-1] @ others[:, :-1].T.astype(np.float64) + feature[:, -1:]


def mapped_contributions(
    item_idx: NDArray[np.int32], user: Side, items: Side, within: Contributions | None
) -> Contributions | None:
    """Return what the scores of `items` are made of, for the one `user`; None where nothing can be said.

    `within` is what the model within says of its own score of a user who is not mapped; it is told of the items that
    are not. A word adds what it adds to the map: taken out of a text, it would have the others weigh more.
    """
    score = (user.vectors[:, :-1].astype(np.float64) @ items.vectors[:, :-1].T.astype(np.float64))[0]
    score += float(user.vectors[0, -1]) + items.vectors[:, -1]
    shared = user.encoder.kinds.keys() & items.encoder.kinds.keys()
    of_items = added_by(
        items.rows, items.weights(user.vectors)[:, 0], Words(items.encoder, items.encoder.width)
    )
    if user.mapped[0]:
        words = Words(user.encoder, user.encoder.width, shared=shared)
        return by_features(item_idx, of_items, added_by_person(user.rows, user.weights(items.vectors), words))
    own = by_features(item_idx, of_items, base=score - total_of(of_items, item_idx.size))
    mapped = items.mapped.astype(np.float64)
    parts = [
        Part(own if mapped.any() else None, mapped, mapped * score),
        Part(within, 1 - mapped, (1 - mapped) * score),
    ]
    return summed(item_idx, parts)
