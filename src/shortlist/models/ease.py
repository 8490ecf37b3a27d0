"""EASE: the best linear model that predicts each item from all others, in closed form."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.contributions import Contributions
from shortlist.errors import ParameterError
from shortlist.kernels.item_gram import gram_lower, sum_dense_rows
from shortlist.models.model import Model
from shortlist.models.positive_matrix import one_item_each, positive_matrix
from shortlist.models.score_rows import NOTHING, history_vectors, positive_items, rank_rows, score_rows
from shortlist.models.symmetric_inverse import TILE, negative_inverse
from shortlist.parameters import number, one_of, whole
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import History, Lists, Request

Precision = Literal["single", "double"]


class EASE(Model):
    """Scores x·B: x is 1 at the items a person has a positive event with, B the weights of every item for every other.

        B = argmin ‖X − X B‖² + λ ‖B‖²   with diag B = 0,   so   B_ij = −P_ij / P_jj,   P = (XᵀX + λ I)⁻¹

    - reg: λ > 0, in people. Rare items need more; 100 to 1,000 is usual, less for sparse data
    - min_users: items that fewer people have a positive event with are left out
    - memory_limit_gib: a fit that would take more memory than this is refused before it begins
    - precision: of the inversion, "double" for a tiny λ, at twice the memory and time. B is float32 either way

    Known are users with a positive event at an item that entered, and the items that entered. Each score is summed in
    the order of the items.
    The own measure of `similar_items` is the partial correlation −P_ij / √(P_ii P_jj) in [−1, 1]: what two items have
    to do with each other that no other item explains.

    Fitted: `weights_` float32[m, m], rows and columns in the order of the m known items.
    Cost: m³ operations and the m × m matrix (`EASE.gib_needed(m)`) to fit; the rows of B that a person's items name to
    score. Steck, Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019, (8); X is 0 or 1 here.
    Raises `ParameterError` for a matrix over the limit and for a λ too small for the precision, `DataError` for data
    without positive events.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("weights_",)
    knows_by_history: ClassVar[bool] = True
    own_measure: ClassVar[str] = "partial correlation"

    weights_: NDArray[np.float32]

    def __init__(
        self,
        reg: float = 250.0,
        *,
        min_users: int = 1,
        memory_limit_gib: float = 8.0,
        precision: Precision = "single",
    ) -> None:
        self.reg = number("reg", reg, above_zero=True)
        self.min_users = whole("min_users", min_users, least=1)
        self.memory_limit_gib = number("memory_limit_gib", memory_limit_gib, above_zero=True)
        self.precision = one_of("precision", precision, Precision)

    @staticmethod
    def gib_needed(n_items: int, precision: Precision = "single") -> float:
        """Return how many GiB a fit over `n_items` items takes at its peak: the matrix, and what works on it.

        >>> round(EASE.gib_needed(40_981), 1), round(EASE.gib_needed(40_981, "double"), 1)
        (7.8, 18.8)
        """
        size = np.dtype(_DTYPES[one_of("precision", precision, Precision)]).itemsize
        band = min(TILE, n_items)
        inverting = size * (2 * n_items * band + threads.num_threads() * band**2) + _PIVOT * band**2
        # After it: a byte for each weight to see that all are finite, or the weights in single precision.
        after = n_items**2 * (1 if precision == "single" else 4)
        return (size * n_items**2 + max(inverting, after)) / 2**30

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        matrix = positive_matrix(dataset, "EASE")
        entered = np.bincount(matrix.indices, minlength=matrix.shape[1]) >= self.min_users
        if not entered.any():
            raise ParameterError(f"min_users={self.min_users} leaves no item: lower it")
        self._require_memory(int(entered.sum()))
        self.known_items_ = self.listed_items_ = entered
        ptr, item = _at_positions(matrix, self._position)
        self.known_users_ = np.diff(ptr) > 0
        self.weights_ = self._weights(ptr, item)

    def _require_memory(self, n_items: int) -> None:
        needed = self.gib_needed(n_items, self.precision)
        if needed > self.memory_limit_gib:
            raise ParameterError(
                f"the weights of {n_items:,} items for each other take {needed:,.1f} GiB to fit, above "
                f"memory_limit_gib={self.memory_limit_gib:g}: raise it where the machine has the memory, leave out "
                "rare items by min_users, or use ItemNeighbors or WALS, which need no such matrix"
            )

    def _weights(self, ptr: NDArray[np.int64], item: NDArray[np.int32]) -> NDArray[np.float32]:
        gram = _gram(ptr, item, int(self.known_items_.sum()), self.reg, _DTYPES[self.precision])
        least = self.reg * (1 - _ROUNDING[self.precision])
        try:
            negative_inverse(gram)
        except np.linalg.LinAlgError as error:
            raise ParameterError(self._too_small()) from error
        # 1 / P_jj is the squared residual of item j plus its penalty: at least λ, unless rounding has eaten it.
        residual = -1 / np.diagonal(gram)
        if not (np.isfinite(residual).all() and residual.min() >= least):
            raise ParameterError(self._too_small())
        _scale_columns(gram, residual)
        return gram.astype(np.float32, copy=False)

    def _too_small(self) -> str:
        other = ', or take precision="double"' if self.precision == "single" else ""
        return f"reg={self.reg:g} is too small for {self.precision} precision on this data: raise it{other}"

    @cached_property
    def _position(self) -> NDArray[np.int32]:
        """Return int32[n_items]: the row of each item in `weights_`, −1 for those that did not enter."""
        return np.where(self.known_items_, np.cumsum(self.known_items_) - 1, -1).astype(np.int32)

    def _rows_of(self, history: History) -> NDArray[np.float32]:
        ptr, item = _at_positions(positive_items(history, self.known_items_.size), self._position)
        sums = np.empty((len(history), self.weights_.shape[0]), np.float32)
        sum_dense_rows(ptr, item, self.weights_, sums)
        return self._in_catalogue(sums)

    def _in_catalogue(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32[b, n_items] of float32[b, m]: `NOTHING` for the items that did not enter."""
        if self.known_items_.all():
            return rows
        out = np.full((len(rows), self.known_items_.size), NOTHING)
        out[:, self.known_items_] = rows
        return out

    def _rank(self, request: Request) -> Lists:
        return rank_rows(self._rows_of, request, self.listed_items_)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_rows(self._rows_of, self.memory_, user_idx, item_idx)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return B_ji of each positive item j of the request's history that entered: scores are their sum."""
        past = positive_items(request.history, self.known_items_.size).indices.astype(np.int32)
        past, known = past[self.known_items_[past]], self.known_items_[item_idx]
        of_past = self.weights_[np.ix_(self._position[past], self._position[item_idx])].T * known[:, None]
        return Contributions(item_idx, past, of_past.astype(np.float64))

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the people of `events` for `recommend`: their history is all that this model needs of them.

        Items are matched by id. Known are people with a positive event at an item that entered. The model is not
        changed. Raises `DataError` unless the values mean what they did in training.
        """
        self._require_fitted()
        return history_vectors(events, self)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._rank(request)

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        request = one_item_each(item_idx, k, self.known_items_.size)
        return rank_rows(self._partial_correlations, request, self.known_items_)

    def _partial_correlations(self, history: History) -> NDArray[np.float32]:
        """Return the rows of single items: B_ij and B_ji have one sign, and their product is the square."""
        at = self._position[history.item_idx]
        there, back = self.weights_[at], self.weights_[:, at].T
        return self._in_catalogue(np.copysign(np.sqrt(np.maximum(there * back, 0)), there))

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError(
            "EASE has no item vectors: leave measure out, and similar items go by partial correlation"
        )


# Bytes for each entry of a pivot while it is inverted: four arrays in double precision.
_PIVOT = 32
_DTYPES: dict[Precision, type[np.floating[Any]]] = {"single": np.float32, "double": np.float64}
# What rounding may take from 1 / P_jj, which is at least λ.
_ROUNDING: dict[Precision, float] = {"single": 1e-2, "double": 1e-6}


def _at_positions(
    matrix: sparse.csr_array, position: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return ptr int64[n + 1] and the positions int32[m] of each row's items, those at −1 left out."""
    moved = position[matrix.indices]
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = moved >= 0
    return offsets(np.bincount(row[kept], minlength=matrix.shape[0])), moved[kept]


def _gram(
    ptr: NDArray[np.int64],
    item: NDArray[np.int32],
    n_items: int,
    reg: float,
    dtype: type[np.floating[Any]],
) -> NDArray[np.floating[Any]]:
    """Return XᵀX + reg·I [n_items, n_items] of which the lower triangle alone is written."""
    ends = sparse.csr_array((np.arange(1, item.size + 1), item, ptr), shape=(ptr.size - 1, n_items)).tocsc()
    by_item = ends.indptr.astype(np.int64), ends.indices.astype(np.int32), ends.data
    gram = np.empty((n_items, n_items), dtype)
    arguments = *by_item, ptr, item.astype(np.uint32), reg, gram
    threads.run_blocks(lambda start, stop: gram_lower(*arguments, start, stop), n_items)
    return gram


def _scale_columns(negative: NDArray[np.floating[Any]], scale: NDArray[np.floating[Any]]) -> None:
    """Turn the lower triangle of −P into all of B_ij = −P_ij / P_jj in place, with zeros on the diagonal."""
    n = scale.size

    def band(start: int, stop: int) -> None:
        rows = slice(start * TILE, min(stop * TILE, n))
        for left in range(0, rows.stop, TILE):
            columns = slice(left, min(left + TILE, n))
            part = negative[rows, columns]
            if columns == rows:
                part[:] = np.tril(part, -1) + np.tril(part, -1).T
            else:
                negative[columns, rows] = part.T * scale[rows]
            part *= scale[columns]

    threads.run_blocks(band, -(-n // TILE), 1)
