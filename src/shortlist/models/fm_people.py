"""People who were folded into a factorisation machine: a vector and an offset by each set of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist import threads
from shortlist.models.fm_fold_in import folded
from shortlist.models.fm_parameters import Sums
from shortlist.models.vectors import UserVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design
    from shortlist.models.fm_fold_in import IdPrior, Link
    from shortlist.models.fm_parameters import Parameters


@dataclass(frozen=True, eq=False)
class PersonVectors(UserVectors):
    """People folded in; `sums` are theirs by each set of parameters, without any context."""

    sums: Sums = field(kw_only=True)

    def take(self, rows: NDArray[np.integer[Any]]) -> PersonVectors:
        """Return the users at `rows` int[n]."""
        sums = Sums(self.sums.vectors[rows], self.sums.offsets[rows])
        return PersonVectors(**{**vars(super().take(rows)), "sums": sums})


def sums_of_people(
    design: Design, parameters: Parameters, priors: IdPrior, link: Link, growing: bool
) -> Sums:
    """Return the sums of people (the users of `design`, by their features) with parameters of their own each.

    The examples of `design` are their events. With `growing` the prior's precision grows with their number, as the
    penalties of gradient steps do.
    """
    people, items = parameters.side(design.users), parameters.side(design.items)
    moments = parameters.side(design.context)
    base = parameters.predictions(design)
    of = design.examples
    side = design.sides()["user"]
    vectors, offsets = people.vectors.copy(), people.offsets.copy()

    def fold(start: int, stop: int) -> None:
        for person in range(start, stop):
            own = side.examples[side.example_ptr[person] : side.example_ptr[person + 1]]
            q = (
                items.vectors[of.item_idx[own]]
                + moments.vectors[of.context_idx[own]]
                + people.vectors[person]
            )
            z = np.concatenate([q, np.ones((*q.shape[:2], 1))], axis=2)
            prior = priors
            if growing:
                prior = priors._replace(precisions=priors.precisions * max(own.size, 1))
            theta = folded(z, base[own], of.target[own].astype(np.float64), prior, link)
            v = theta[:, :-1]
            offsets[person] += theta[:, -1] + np.einsum("sf,sf->s", v, people.vectors[person])
            vectors[person] += v

    with threads.single_blas():
        threads.run_blocks(fold, len(design.users))
    return Sums(vectors, offsets)
