"""By how much a score of a DeepFM falls without a feature, an id or a circumstance; all that is learned stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from shortlist.models.feature_contributions import OfPerson, by_features, falls
from shortlist.models.feature_contributions_events import event_words
from shortlist.models.feature_contributions_words import said_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.event_encoder import EventEncoder, Side
    from shortlist.models.deep_fm_parameters import DeepFMParameters
    from shortlist.models.feature_contributions_words import Words
    from shortlist.stages import Request

    Floats = NDArray[np.float32]
    F64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DeepParts:
    """A fitted DeepFM as what is known of it asks: the encoder, the net, and the side that encoded rows make."""

    encoder: EventEncoder
    net: DeepFMParameters
    sides: Callable[[sparse.csr_array, Side], Floats]

    def contributions(
        self,
        request: Request,
        item_idx: NDArray[np.int32],
        person: tuple[Floats, sparse.csr_array | None],
        items: tuple[Floats, sparse.csr_array],
    ) -> Contributions:
        """Return the falls of the scores of `items` for `person`, each their side and encoded rows.

        The rows of somebody folded in are None: `request.features` says what is known. Cost: a score for each item and
        each feature of it, of the person and of the moment.
        """
        words = event_words(self.encoder)
        (own, row), (right, rows) = person, items
        now = self.encoder.request_row(request.context)
        others = words["context"].without_each(now)
        moment = self.net.sides(now) + self.net.constant
        moments = self.net.sides(others.rows) + self.net.constant
        changed, names = self._changed(own, row, request, words["user"])
        without = words["item"].without_each(rows)
        score = self._scores(own + moment, right)[0]
        found = self._scores(own + moment, self.sides(without.rows, "item"))[0]
        return by_features(
            item_idx,
            falls(score, found, without.of, without.names),
            OfPerson(names, score - self._scores(changed + moment, right)),
            OfPerson(others.names, score - self._scores(own + moments, right)),
        )

    def _changed(
        self, own: Floats, row: sparse.csr_array | None, request: Request, words: Words
    ) -> tuple[Floats, list[str]]:
        """Return the sides of the person without each thing known of them, and what that is."""
        if row is not None:
            without = words.without_each(row)
            return self.sides(without.rows, "user"), without.names
        row = self._said(request)
        without, before = words.without_each(row), self.sides(row, "user")
        changed = own + self.sides(without.rows, "user") - before
        if not len(self.encoder.user_ids):
            return changed, without.names
        # Somebody of whom the same is said, and who did nothing.
        return np.concatenate([changed, before]), [*without.names, words.itself]

    def _said(self, request: Request) -> sparse.csr_array:
        row = said_of(request, self.encoder.users)
        columns = row.indices + np.int32(len(self.encoder.user_ids))
        return sparse.csr_array((row.data, columns, row.indptr), shape=(1, self.encoder.n_columns))

    def _scores(self, left: Floats, right: Floats) -> F64:
        """Return float64[n, m]: the score of each pair of rows, the constant being in the left ones."""
        n, m = len(left), len(right)
        row, column = np.repeat(np.arange(n), m), np.tile(np.arange(m, dtype=np.int32), n)
        return self.net.scores(left, right, row, column).reshape(n, m).astype(np.float64)
