"""By how much a score of a SoftmaxNet falls without an item of the history, or without a feature of the person.

A history counts by its mean, so that without one item the others count more: what is told is the whole of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.contributions import Contributions
from shortlist.models.feature_contributions_events import YOU
from shortlist.models.net_rows import weighted_sums_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.models.feature_contributions_words import Words

    Floats = NDArray[np.float32]
    F64 = NDArray[np.float64]


class KnownPerson(NamedTuple):
    """What enters the net of one person, in numbers of its first layer.

    - base float32[w]: all but the history; own float32[w]: what their id adds to it, zeros for none
    - row CSR [1, f]: their features, `words` being how these read and `features` float32[f, w] what they add
    - past int32[h] and embedded float32[h, w]: the items of the history, distinct, and their embeddings
    """

    base: Floats
    own: Floats
    row: sparse.csr_array
    words: Words
    features: Floats
    past: NDArray[np.int32]
    embedded: Floats


def net_contributions(
    item_idx: NDArray[np.int32], vectors: Floats, person: KnownPerson, answer: Callable[[Floats], Floats]
) -> Contributions:
    """Return the falls of the scores of items with `vectors` float32[m, dim].

    `answer` is the net: float32[n, w] of what enters the first layer, to ψ at the temperature. Cost: a pass for each
    item of the history and each feature.
    """
    total = person.embedded.sum(axis=0, dtype=np.float64)
    h = person.past.size
    mean = total / max(h, 1)
    left = person.base + (total - person.embedded) / max(h - 1, 1)
    names, changes = _changes(person)
    inputs = [(person.base + mean)[None], left, person.base + mean + changes]
    scores = answer(np.concatenate(inputs).astype(np.float32)).astype(np.float64) @ vectors.T
    fallen = scores[0] - scores[1:]
    return Contributions(
        item_idx, person.past, fallen[:h].T.copy(), names, fallen[h:].T.copy(), adds_up=False
    )


def _changes(person: KnownPerson) -> tuple[list[str], Floats]:
    """Return what is known of the person besides the history, and float32[n, w]: what goes with each of it."""
    names, changes = list[str](), [np.zeros((0, person.base.size), np.float32)]
    if person.row.shape[1]:
        without = person.words.without_each(person.row)
        now = weighted_sums_of(person.row, person.features)
        names += without.names
        changes.append(weighted_sums_of(without.rows, person.features) - now)
    if person.own.any():
        names.append(YOU)
        changes.append(-person.own[None])
    return names, np.concatenate(changes)
