"""The predicted rating of any pair, known or not, by models whose score is a dot product and two offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError
from shortlist.models.vectors import score_by_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id
    from shortlist.models.linear_on_features import LinearOnFeatures
    from shortlist.models.matrix_factorization import MatrixFactorization


def predicted(
    model: MatrixFactorization | LinearOnFeatures, users: Iterable[Id], items: Iterable[Id]
) -> NDArray[np.float32]:
    """Return float32[m]: what a fitted `model` scores each pair (users[p], items[p]).

    For an id outside the training data the global mean stands for the item's offset, and 0 for the user's; the dot
    product is left out where one of the two is. Raises `ParameterError` for unequal lengths.
    """
    user_idx, item_idx = model.memory_.users.index_of(users), model.memory_.items.index_of(items)
    if user_idx.size != item_idx.size:
        raise ParameterError(f"predict takes pairs: got {user_idx.size} users and {item_idx.size} items")
    user_known, item_known = user_idx >= 0, item_idx >= 0
    of_item = np.where(item_known, model.item_offsets_[item_idx], np.float32(model.global_mean_))
    rating = of_item + np.where(user_known, model.user_offsets_[user_idx], np.float32(0))
    both = user_known & item_known
    rating[both] = score_by_vectors(model, user_idx[both], item_idx[both])
    return rating.astype(np.float32)
