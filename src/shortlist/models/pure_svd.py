"""PureSVD: the events as one matrix of ones and zeros, and its best approximation of low rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from scipy import sparse

from shortlist.contributions import Contributions
from shortlist.data.truncated_svd import sparse_product, truncated_svd
from shortlist.errors import DataError
from shortlist.models.fold_in import at_known_items
from shortlist.models.model import Model
from shortlist.models.score_rows import positive_items
from shortlist.models.vectors import DotProduct, UserVectors, rank_by_vectors
from shortlist.parameters import number, one_of, whole
from shortlist.stages import History, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.fitting import Fitting
    from shortlist.stages import Lists, Request

Entries = Literal["positives", "values"]

# A vector shorter than this share of what it was projected from is rounding, and no vector.
_NO_VECTOR = 1e-5


class PureSVD(DotProduct, Model):
    """Scores r_u V Vᵀ: the person's row of the matrix of all pairs, unobserved ones 0, projected onto `dim` directions.

    V float32[n_items, dim] holds the right singular vectors of R D^(d−1) with the largest singular values; R has a row
    r_u for each person, D is the diagonal of the lengths ‖R e_i‖ of its columns. With d = 1 that is PureSVD
    (Cremonesi, Koren and Turrin 2010, "Performance of recommender algorithms on top-N recommendation tasks", (9)-(10));
    other d make it EigenRec (Nikolakopoulos, Kalantzis, Gallopoulos and Garofalakis 2019).

    - dim ≥ 1: how many directions. Few blur tastes together, many repeat the matrix, which recommends nothing new
    - item_exponent d ≥ 0: 1 lets the popular items shape the directions most, 0 makes all items alike
    - entries: what R holds. "positives" has 1 for a pair with a positive event; "values" has the value of the pair,
      positive or not: its last rating or label, or the sum of its events' values

    A person's vector is r_u V, from nothing but their own events: folding people in is exact, a person folded in with
    the events of training has the vector of training, and `at=` counts the events until then. Coordinates beyond the
    rank of R are 0, so a `dim` above it, or above the catalogue, gives what the rank gives. Users whose events and
    items whose columns lie outside the space have no vector and are unknown.
    Fitted: `item_factors_` V, `item_offsets_` (zeros), `singular_values_` float64[dim]. There are no epochs, and
    `start` changes nothing. Equal singular values at the cut leave V open; `rng` then decides, and else it moves V by
    rounding.

    Cost and accuracy: see `truncated_svd`. Memory: a few times n_items · dim.
    Raises `DataError` where R has no entry, `NonFiniteError` where its values are too large.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("item_factors_", "item_offsets_", "singular_values_")
    knows_by_history: ClassVar[bool] = True
    vectors_by_history: ClassVar[bool] = True

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    singular_values_: NDArray[np.float64]

    def __init__(self, dim: int = 32, *, item_exponent: float = 1.0, entries: Entries = "positives") -> None:
        self.dim = whole("dim", dim, least=1)
        self.item_exponent = number("item_exponent", item_exponent)
        self.entries = one_of("entries", entries, Entries)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        rows = self._rows(dataset.memory.history, len(dataset.items))
        if rows.nnz == 0:
            what = "is positive" if self.entries == "positives" else "has a value other than 0"
            raise DataError(f"none of the {len(dataset.interactions)} {dataset.feedback.kind} {what}")
        scaled = rows.copy()
        scaled.data *= _column_lengths(rows)[rows.indices] ** np.float32(self.item_exponent - 1)
        self.singular_values_, right = truncated_svd(scaled, self.dim, fitting.rng)
        self.known_items_ = self.listed_items_ = np.linalg.norm(right, axis=1) > _NO_VECTOR
        self.item_factors_ = right * self.known_items_[:, None]
        self.item_offsets_ = np.zeros(len(dataset.items), np.float32)
        self.known_users_ = self._projected(rows)[1]

    def _rows(self, history: History, n_items: int) -> sparse.csr_array:
        """Return R for the people of `history`: float32 CSR [n, n_items], indices ascending, no stored zero."""
        if self.entries == "positives":
            return positive_items(history, n_items)
        return _valued_items(history, n_items, summed=self._sums_values)

    @property
    def _sums_values(self) -> bool:
        return self.memory_.feedback.kind == "events"

    def _projected(self, rows: sparse.csr_array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return r V of each row, float32[n, dim], and bool[n]: whether something of the row lies in the space."""
        vectors = sparse_product(rows, self.item_factors_)
        length = np.linalg.norm(vectors, axis=1)
        before = np.sqrt(rows.multiply(rows).sum(axis=1))
        return vectors, length > _NO_VECTOR * before

    def _vectors(self, history: History) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return self._projected(self._rows(history, len(self.memory_.items)))

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, dim], r_u V, and offsets float32[n] (zeros) of known users (positions ≥ 0)."""
        vectors, _ = self._vectors(self.memory_.history.take(user_idx))
        return vectors, np.zeros(user_idx.size, np.float32)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return vectors of the users of `events`, r_u V, exactly as training makes them.

        Items are matched by id; those that the model has no vector for say nothing, and a user with no other is
        unknown. The model is not changed; user ids are those of `events` and need not be new. Raises `DataError` unless
        the values mean what they did in training.
        """
        self._require_fitted()
        history = at_known_items(events, self.memory_).history()
        vectors, known = self._vectors(history)
        zeros = np.zeros(len(known), np.float32)
        return UserVectors(vectors, zeros, known, events.users.ids, history, self.space)

    def _rank(self, request: Request) -> Lists:
        """Return lists by the events until the request's moment; none where they leave no vector."""
        vectors, known = self._vectors(request.history)
        rows, zeros = np.flatnonzero(known), np.zeros(int(known.sum()), np.float32)
        lists = rank_by_vectors(vectors[rows], zeros, self, self.listed_items_, request.rows(rows))
        return lists.scatter(rows, len(request))

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return what each item of the request's history adds: its entry of r_u times v_j·v_i, nothing else."""
        row = self._rows(request.history, len(self.memory_.items))
        past = row.indices[self.known_items_[row.indices]].astype(np.int32)
        entries = row.data[self.known_items_[row.indices]].astype(np.float64)
        factors = self.item_factors_[item_idx].astype(np.float64), self.item_factors_[past].astype(np.float64)
        return Contributions(item_idx, past, factors[0] @ factors[1].T * entries)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._rank(request)


def _column_lengths(rows: sparse.csr_array) -> NDArray[np.float32]:
    squares = np.bincount(rows.indices, rows.data.astype(np.float64) ** 2, rows.shape[1])
    lengths: NDArray[np.float32] = np.sqrt(squares).astype(np.float32)
    return lengths


def _valued_items(history: History, n_items: int, *, summed: bool) -> sparse.csr_array:
    """Return float32 CSR [n, n_items]: the sum of the values of each pair, or its last value; zeros left out."""
    key = history.row * max(n_items, 1) + history.item_idx
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if key.size else np.zeros(0, np.int64)
    value = history.value[order]
    if summed:
        first = np.append(0, last[:-1] + 1)[: last.size]
        value = np.add.reduceat(value, first, dtype=np.float64) if key.size else value
    else:
        value = value[last]
    row, item = np.divmod(ordered[last], max(n_items, 1))
    kept = value != 0
    ptr = offsets(np.bincount(row[kept], minlength=len(history)))
    entries = value[kept].astype(np.float32), item[kept].astype(np.int32), ptr
    return sparse.csr_array(entries, shape=(len(history), n_items))
