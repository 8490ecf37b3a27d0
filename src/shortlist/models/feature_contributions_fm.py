"""By how much a prediction of a factorisation machine falls without a feature, an id or a circumstance.

Without a feature its linear term is gone and all its pairs with the other columns, of the item, of the person and of
the moment. Shares that add up would give each of two features half of their pair, and so say of neither what taking it
away does; falls do. Everything learned stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist.models.feature_contributions import OfPerson, by_features, falls
from shortlist.models.feature_contributions_events import event_words
from shortlist.models.feature_contributions_kept import as_csr
from shortlist.models.feature_contributions_words import said_of
from shortlist.models.fm_design import Rows
from shortlist.models.fm_parameters import Sums

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.contributions import Contributions
    from shortlist.models.feature_contributions_words import Words
    from shortlist.models.fm_encoding import Encoding
    from shortlist.models.fm_parameters import Parameters
    from shortlist.models.fm_people import PersonVectors
    from shortlist.stages import Request


@dataclass(frozen=True, eq=False)
class MachineParts:
    """What a fitted machine is made of: how it encodes, its parameters, and the rows of its users and items."""

    encoding: Encoding
    parameters: Parameters
    users: Rows
    items: Rows

    def contributions(
        self, request: Request, item_idx: NDArray[np.int32], people: PersonVectors | None
    ) -> Contributions:
        """Return the falls of the scores of items, for the person of the request, folded in as `people` if at all.

        Cost: O(features · S · dim) an item, and as much for each feature of the person and the moment.
        """
        words = event_words(self.encoding.encoder, stand_in=True)
        person, changed, of_person = self._person(request, words["user"], people)
        now = self.encoding.encoder.request_row(request.context)
        others = words["context"].without_each(self._csr(Rows.of(now)))
        moment, moments = self._side(now), self._side(others.rows)
        items = self.items.at(item_idx)
        without = words["item"].without_each(self._csr(items))
        user, own = person.beside(moment), self.parameters.side(items)
        score = self._scores(user, own)[0]
        found = self._scores(user, self._side(without.rows))[0]
        return by_features(
            item_idx,
            falls(score, found, without.of, without.names),
            OfPerson(of_person, score - self._scores(changed.beside(moment), own)),
            OfPerson(others.names, score - self._scores(moments.beside(person), own)),
        )

    def _person(
        self, request: Request, words: Words, people: PersonVectors | None
    ) -> tuple[Sums, Sums, list[str]]:
        """Return the sums of the person, those without each thing known of them, and what that is."""
        if people is None:
            row = self.users.at(request.user_idx)
            without = words.without_each(self._csr(row))
            return self.parameters.side(row), self._side(without.rows), without.names
        row = self._said(request)
        without, described = words.without_each(self._csr(row)), self.parameters.side(row)
        changed = _moved(people.sums, described, self._side(without.rows))
        if not self.encoding.encoder.user_ids.ids.len():
            return people.sums, changed, without.names
        # Somebody of whom the same is said, and who did nothing.
        unplaced = self.parameters.side(self.encoding.of_users(as_csr(row, self._n_encoded)))
        nobody = Sums(unplaced.vectors[:1], unplaced.offsets[:1])
        return people.sums, _joined(changed, nobody), [*without.names, words.itself]

    def _said(self, request: Request) -> Rows:
        encoder = self.encoding.encoder
        ptr, columns, values = Rows.of(said_of(request, encoder.users))
        return Rows(ptr, columns + np.int32(len(encoder.user_ids)), values)

    @property
    def _n_encoded(self) -> int:
        return self.encoding.encoder.n_columns

    def _csr(self, rows: Rows) -> sparse.csr_array:
        return as_csr(rows, self.encoding.n_columns)

    def _side(self, rows: sparse.csr_array) -> Sums:
        return self.parameters.side(Rows.of(rows))

    def _scores(self, users: Sums, items: Sums) -> NDArray[np.float64]:
        """Return float64[n, m]: ŷ of each user and item, its mean over the sets."""
        each = np.einsum("usf,isf->ui", users.vectors, items.vectors, dtype=np.float64, optimize=True)
        each += users.offsets.sum(axis=1)[:, None] + items.offsets.sum(axis=1)
        mean: NDArray[np.float64] = (each + self.parameters.intercepts.sum()) / self.parameters.n_samples
        return mean


def _moved(own: Sums, before: Sums, after: Sums) -> Sums:
    """Return the sums `own` of one row with the part `before` of its columns put in place by each row of `after`."""
    moved = after.vectors - before.vectors
    rest = (own.vectors - before.vectors).astype(np.float64)
    pairs = np.einsum("nsf,nsf->ns", np.broadcast_to(rest, moved.shape), moved)
    return Sums(own.vectors + moved, own.offsets + after.offsets - before.offsets + pairs)


def _joined(one: Sums, other: Sums) -> Sums:
    return Sums(np.concatenate([one.vectors, other.vectors]), np.concatenate([one.offsets, other.offsets]))
