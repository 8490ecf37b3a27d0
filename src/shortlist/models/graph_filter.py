"""GraphFilter: a person's items smoothed over the graph of people and items, in closed form (GF-CF)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.contributions import Contributions
from shortlist.data.truncated_svd import SingularVectors, truncated_svd
from shortlist.errors import ParameterError
from shortlist.kernels.graph_filter import add_lists, add_products, in_basis
from shortlist.models.history_contributions import of_lists
from shortlist.models.model import Model
from shortlist.models.positive_matrix import one_item_each, positive_matrix
from shortlist.models.score_rows import NOTHING, history_vectors, positive_items, rank_rows, score_rows
from shortlist.models.similar_rows import Scale, SimilarRows
from shortlist.parameters import number, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import History, Lists, Request


class GraphFilter(Model):
    """Scores x·F: x is 1 at the items a person has a positive event with, F a filter that items pass to one another by.

        F = D^−p Rᵀ U^−a R D^−q  +  α D^−p V Vᵀ D^p

    R is the 0/1 matrix of people and items, U and D hold how many items each person and how many people each item has.
    The first part goes from an item to the people who have it and on to what else they have; of each item it keeps the
    `n_neighbors` largest targets. The second keeps what varies slowly over the graph and drops the rest: V are the
    `dim` first right singular vectors of U^−a/2 R D^−p.

    - user_exponent: a >= 0; the larger, the less do people with long histories count
    - item_exponent: p >= 0; the larger, the less do the popular items of a history count
    - target_exponent: q >= 0; the larger, the less popular the recommended items
    - n_neighbors: None keeps all, which is up to n_items² entries
    - dim and low_pass: dim, and α >= 0; 0 in either leaves the second part out

    The published GF-CF is user_exponent 1, item_exponent and target_exponent 0.5, n_neighbors None, dim 256.
    An item to which no path leads scores 0. Known are users and items with a positive event. `rng` only draws where the
    search for V starts.
    `similar_items` goes by D^−½ Rᵀ U^−a R D^−½, which favours neither popular nor rare items; an item that is not among
    the `n_neighbors` targets of another is not on its list.

    Fitted: `filter_ptr_`, `filter_idx_`, `filter_values_` (the first part; for each item its targets, best first),
    `singular_values_` float64[dim], `basis_` float32[n_items, dim] (V), `degrees_` int64[n_items] (D).
    Cost: to fit, Σ_u n_u² operations and a truncated SVD; for each person asked for, the lists of their items and
    n_items · dim operations. Memory: 8 bytes for each entry of F that is kept, twice the basis.
    Shen et al., How Powerful is Graph Convolution for Recommendation?, CIKM 2021, section 4; the free exponents and the
    cut to `n_neighbors` are ours. Raises `DataError` for data without positive events.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "filter_ptr_",
        "filter_idx_",
        "filter_values_",
        "singular_values_",
        "basis_",
        "degrees_",
    )
    knows_by_history: ClassVar[bool] = True
    own_measure: ClassVar[str] = "symmetric filter"

    filter_ptr_: NDArray[np.int64]
    filter_idx_: NDArray[np.int32]
    filter_values_: NDArray[np.float32]
    singular_values_: NDArray[np.float64]
    basis_: NDArray[np.float32]
    degrees_: NDArray[np.int64]

    def __init__(
        self,
        user_exponent: float = 0.7,
        item_exponent: float = 0.5,
        target_exponent: float = 0.3,
        *,
        n_neighbors: int | None = 500,
        dim: int = 256,
        low_pass: float = 0.3,
    ) -> None:
        self.user_exponent = number("user_exponent", user_exponent, most=_MOST)
        self.item_exponent = number("item_exponent", item_exponent, most=_MOST)
        self.target_exponent = number("target_exponent", target_exponent, most=_MOST)
        self.n_neighbors = None if n_neighbors is None else whole("n_neighbors", n_neighbors, least=1)
        self.dim = whole("dim", dim, least=0)
        self.low_pass = number("low_pass", low_pass)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        matrix = positive_matrix(dataset, "GraphFilter")
        self.degrees_ = np.bincount(matrix.indices, minlength=matrix.shape[1])
        self.known_users_ = np.diff(matrix.indptr) > 0
        self.known_items_ = self.listed_items_ = self.degrees_ > 0
        # Each path through a person has the weight U^−a: half of it for either side of the product.
        half = np.diff(matrix.indptr).astype(np.float64).clip(1) ** (-self.user_exponent / 2)
        matrix.data[:] = np.repeat(half, np.diff(matrix.indptr))
        lists = self._linear(matrix.T.tocsr())
        self.filter_ptr_, self.filter_idx_, self.filter_values_ = lists.ptr, lists.item_idx, lists.score
        self.singular_values_, self.basis_ = self._spectrum(matrix, fitting.rng)

    def _linear(self, by_item: sparse.csr_array) -> Lists:
        scale = Scale(self._power(-self.item_exponent), self._power(-self.target_exponent))
        n = by_item.shape[0] if self.n_neighbors is None else min(self.n_neighbors, by_item.shape[0])
        return SimilarRows.of(by_item, "dot").nearest(by_item, n, scale=scale)

    def _spectrum(self, matrix: sparse.csr_array, rng: np.random.Generator) -> SingularVectors:
        if not self._has_spectral_part:
            return SingularVectors(np.zeros(0), np.zeros((matrix.shape[1], 0), np.float32))
        matrix.data *= self._power(-self.item_exponent)[matrix.indices].astype(np.float32)
        return truncated_svd(matrix, self.dim, rng)

    @property
    def _has_spectral_part(self) -> bool:
        return self.dim > 0 and self.low_pass > 0

    def _power(self, exponent: float) -> NDArray[np.float64]:
        """Return float64[n_items]: the degrees to a power; 1 for an item that nobody has."""
        power: NDArray[np.float64] = self.degrees_.clip(1).astype(np.float64) ** exponent
        return power

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        return self._power(-self.item_exponent).astype(np.float32)

    @cached_property
    def _targets(self) -> NDArray[np.float32]:
        """Return float32[d, n_items], α D^p V transposed, d the next multiple of 8 from dim on."""
        gain = (self.low_pass * self._power(self.item_exponent)).astype(np.float32)
        dim = self.basis_.shape[1]
        targets = np.zeros((dim + -dim % 8, self.basis_.shape[0]), np.float32)
        targets[:dim] = (self.basis_ * gain[:, None]).T
        return targets

    def _rows_of(self, history: History) -> NDArray[np.float32]:
        rows = positive_items(history, self.known_items_.size)
        ptr, item = rows.indptr.astype(np.int64, copy=False), rows.indices.astype(np.int32, copy=False)
        out = np.empty((len(history), self.known_items_.size), np.float32)
        add_lists(ptr, item, self.filter_ptr_, self.filter_idx_, self.filter_values_, out)
        if self._has_spectral_part:
            in_spectrum = np.zeros((len(history), self._targets.shape[0]), np.float32)
            in_basis(ptr, item, self._weights, self.basis_, in_spectrum[:, : self.dim])
            add_products(in_spectrum, self._targets, out)
        out[:, ~self.known_items_] = NOTHING
        return out

    def _rank(self, request: Request) -> Lists:
        return rank_rows(self._rows_of, request, self.listed_items_)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_rows(self._rows_of, self.memory_, user_idx, item_idx)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return F_ji of each positive item j of the request's history: scores are their sum."""
        past = positive_items(request.history, self.known_items_.size).indices.astype(np.int32)
        past, known = past[self.known_items_[past]], self.known_items_[item_idx]
        of_past = of_lists(self.filter_ptr_, self.filter_idx_, self.filter_values_, past, item_idx)
        if self._has_spectral_part:
            in_basis = self.basis_[past].astype(np.float64) * self._weights[past][:, None]
            of_past += self._targets[: self.basis_.shape[1], item_idx].T @ in_basis.T
        return Contributions(item_idx, past, of_past * known[:, None])

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the people of `events` for `recommend`: their history is all that this model needs of them.

        Items are matched by id. Known are people with a positive event at a known item. The model is not changed.
        Raises `DataError` unless the values mean what they did in training.
        """
        self._require_fitted()
        return history_vectors(events, self)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._rank(request)

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        request = one_item_each(item_idx, k, self.known_items_.size)
        return rank_rows(self._symmetric_rows, request, self.known_items_)

    def _symmetric_rows(self, history: History) -> NDArray[np.float32]:
        """Return the rows of D^−½ Rᵀ U^−a R D^−½ of single items; `NOTHING` where they are 0 or not kept."""
        out = np.empty((len(history), self.known_items_.size), np.float32)
        add_lists(history.ptr, history.item_idx, self.filter_ptr_, self.filter_idx_, self.filter_values_, out)
        of_item = self._power(self.item_exponent - 0.5)[history.item_idx]
        symmetric = out * of_item[:, None] * self._power(self.target_exponent - 0.5)
        return np.where(out > 0, symmetric, NOTHING).astype(np.float32)

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError("GraphFilter compares items by its filter: leave measure out")


# Beyond it the powers of usual degrees leave float32.
_MOST = 4.0
