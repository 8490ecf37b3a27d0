"""Contributions of a weighted sum of models, from those of its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.contributions import Contributions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    F64 = NDArray[np.float64]


class Part(NamedTuple):
    """One model of a sum: what it says its scores are made of (None: it cannot), times `weight` float64[m].

    share float64[m]: its part of the sum, weight times score.
    """

    said: Contributions | None
    weight: F64
    share: F64


def summed(item_idx: NDArray[np.int32], parts: Sequence[Part]) -> Contributions | None:
    """Return what the sum of `parts` is made of, None where none of them can say.

    What the same item of the past, or the same feature, adds in several models is added. Where all that can say it add
    up, so does the sum: the share of a model that cannot is part of the base. Where one of them tells falls, these are
    falls with all other models as they are, and what an event or a feature adds stands for its fall.
    """
    told = [(part.said, part.weight) for part in parts if part.said is not None]
    if not told:
        return None
    m = item_idx.size
    past = np.unique(np.concatenate([said.past_item for said, _ in told]))
    names = list(dict.fromkeys(name for said, _ in told for name in said.features))
    place = {name: at for at, name in enumerate(names)}
    of_past, of_features = np.zeros((m, past.size)), np.zeros((m, len(names)))
    for said, weight in told:
        of_past[:, np.searchsorted(past, said.past_item)] += weight[:, None] * said.of_past
        columns = [place[name] for name in said.features]
        of_features[:, columns] += weight[:, None] * said.of_features
    adds_up = all(said.adds_up for said, _ in told)
    base = np.zeros(m)
    if adds_up:
        base = sum((part.share for part in parts), base) - of_past.sum(axis=1) - of_features.sum(axis=1)
    return Contributions(item_idx, past.astype(np.int32), of_past, names, of_features, base, adds_up)
