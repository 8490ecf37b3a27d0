"""Towers that go on from others: what both must share, and the numbers of ids that both have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError
from shortlist.models.warm_start import rows_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Vocabulary
    from shortlist.models.two_tower import TwoTower

# What a model that starts from another must share with it, for the weights to mean the same.
SHARED_WITH_START = ("layers", "id_dim", "user_ids", "item_ids", "user_features", "item_features", "encode")


def require_like(own: TwoTower, start: TwoTower) -> None:
    """Raise `ParameterError` where the weights of `start` would mean something else in `own`."""
    for name in SHARED_WITH_START:
        mine, other = getattr(own, name), getattr(start, name)
        if mine != other:
            raise ParameterError(
                f"start has {name}={other!r}, this TwoTower {mine!r}: its weights would mean something else; set "
                "the same, or fit without start"
            )
    if own.loss_ != start.loss_:
        raise ParameterError(f'start was fitted with loss="{start.loss_}", this is "{own.loss_}"')


def moved_numbers(
    numbers: NDArray[np.float32], old: Vocabulary, new: Vocabulary
) -> NDArray[np.float32] | None:
    """Return numbers float32[n, id_dim] of the ids of `new`, zeros for those that `old` has not; None for none."""
    if not numbers.size:
        return None
    return rows_at(numbers, np.ones(len(numbers), bool), old, new)[0]
