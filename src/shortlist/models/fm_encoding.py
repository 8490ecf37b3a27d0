"""Users, items and moments as rows of a factorisation machine: what `EventEncoder` says, and who has no id there.

Two columns stand behind those of the encoder, for a user and for an item without a column of their own id: what is
known of such a one as such (the mean of the ids under Gibbs sampling, nothing else). They are there where ids are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from shortlist.models.encoded_columns import id_columns
from shortlist.models.fm_design import Rows, no_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from shortlist.data.context_columns import ContextFrame
    from shortlist.data.event_encoder import EventEncoder
    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Vocabulary

N_UNKNOWN = 2


@dataclass(frozen=True, eq=False)
class Encoding:
    """The rows that `encoder` makes, with the columns of those who are unknown to it."""

    encoder: EventEncoder

    @property
    def n_columns(self) -> int:
        """Return the number of columns, the two of the unknown included."""
        return self.encoder.n_columns + N_UNKNOWN

    def users(self, ids: Vocabulary, table: FeatureTable | None) -> Rows:
        """Return the rows of `ids`, and after them that of somebody of whom nothing is known."""
        return self.of_users(self.encoder.user_rows(ids, table))

    def of_users(self, rows: sparse.csr_array) -> Rows:
        """Return what `users` does, of rows that the encoder has made."""
        return self._with_unknown(rows, id_columns(self.encoder, "user"), self.encoder.n_columns)

    def items(self, ids: Vocabulary, table: FeatureTable | None) -> Rows:
        """Return the rows of `ids`, and after them that of something of which nothing is known."""
        return self.of_items(self.encoder.item_rows(ids, table))

    def of_items(self, rows: sparse.csr_array) -> Rows:
        """Return what `items` does, of rows that the encoder has made."""
        return self._with_unknown(rows, id_columns(self.encoder, "item"), self.encoder.n_columns + 1)

    def features_of_users(self, ids: Vocabulary, table: FeatureTable | None) -> Rows:
        """Return the rows of `ids` without any id: what their features say."""
        rows = self.encoder.user_rows(ids, table)
        return Rows.of(rows).without(id_columns(self.encoder, "user"))

    def learned_of_users(self, users: Rows, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return bool[n_columns]: feature columns that one of `users` with an example has, whose id tells.

        Without ids it is those whom the model knows.
        """
        ids, learned = id_columns(self.encoder, "user"), np.zeros(self.n_columns, bool)
        has_id = np.zeros_like(learned)
        has_id[ids] = True
        seen = users.has(has_id) if ids.size else np.append(known, False)
        learned[users.at(np.flatnonzero(seen)).columns] = True
        return learned & ~has_id

    def moments(self, context: ContextFrame | None, n: int) -> tuple[Rows, NDArray[np.int32]]:
        """Return the rows of the contexts of `n` events, and int32[n], which of them each event has."""
        if not self.encoder.context.width:
            return no_rows(), np.zeros(n, np.int32)
        return Rows.of(self.encoder.context_rows(context, n)), np.arange(n, dtype=np.int32)

    def request(self, context: Mapping[str, Any] | None) -> Rows:
        """Return one row: the context of a request."""
        return Rows.of(self.encoder.request_row(context))

    def _with_unknown(self, rows: sparse.csr_array, ids: NDArray[np.int64], unknown: int) -> Rows:
        n = rows.shape[0]
        known = Rows.of(rows)
        if not ids.size:
            return Rows(np.append(known.ptr, known.ptr[-1]), known.columns, known.values)
        is_id = np.zeros(self.n_columns, bool)
        is_id[ids] = True
        strangers = np.flatnonzero(~np.append(known.has(is_id), False))
        entries = np.ones(strangers.size, np.float32), (strangers, np.full(strangers.size, unknown))
        shape = (n + 1, self.n_columns)
        widened = sparse.csr_array(
            (known.values, known.columns, np.append(known.ptr, known.ptr[-1])), shape=shape
        )
        return Rows.of((widened + sparse.coo_array(entries, shape=shape).tocsr()).tocsr())
