"""Contributions put together from what features of items and of a person add to scores, or take with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.contributions import Contributions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]


class OfItems(NamedTuple):
    """Amounts of features of single items: of which of the m items int64[v], the names, and amounts float64[v]."""

    row: NDArray[np.int64]
    names: Sequence[str]
    amounts: F64


class OfPerson(NamedTuple):
    """Amounts of what is known of the person or the moment: names, and amounts float64[n, m], a column an item."""

    names: Sequence[str]
    amounts: F64


def by_features(
    item_idx: NDArray[np.int32], of_items: OfItems, *of_person: OfPerson, base: F64 | None = None
) -> Contributions:
    """Return the contributions of features; with `base` they add up, else they are falls of the score.

    Amounts of one name and item are added.
    """
    names = list(dict.fromkeys([*of_items.names, *(name for person in of_person for name in person.names)]))
    place = {name: at for at, name in enumerate(names)}
    amounts = np.zeros((item_idx.size, len(names)))
    np.add.at(amounts, (of_items.row, _places(place, of_items.names)), of_items.amounts)
    for person in of_person:
        np.add.at(amounts.T, _places(place, person.names), person.amounts)
    adds_up = base is not None
    return Contributions(
        item_idx,
        features=names,
        of_features=amounts,
        base=np.zeros(item_idx.size) if base is None else base,
        adds_up=adds_up,
    )


def falls(scores: F64, item_scores: F64, row: NDArray[np.int64], names: Sequence[str]) -> OfItems:
    """Return by how much `scores` float64[m] fall where items without a feature score `item_scores` float64[v]."""
    return OfItems(row, names, scores[row] - item_scores)


def _places(place: dict[str, int], names: Sequence[str]) -> NDArray[np.int64]:
    return np.array([place[name] for name in names], np.int64)
