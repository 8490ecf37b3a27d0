"""RP3beta: where a walk of three steps from a person ends, popular ends weighed down."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy import sparse

from shortlist.contributions import Contributions
from shortlist.errors import ParameterError
from shortlist.kernels.neighbor_sums import sum_lists
from shortlist.models.history_contributions import of_lists
from shortlist.models.item_neighbors import first_of_lists
from shortlist.models.model import Model
from shortlist.models.positive_matrix import positive_matrix
from shortlist.models.score_rows import history_vectors, positive_items, rank_rows, score_rows
from shortlist.models.similar_rows import Scale, SimilarRows
from shortlist.parameters import number, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import UserVectors
    from shortlist.stages import History, Lists, Request


class RP3beta(Model):
    """Scores an item by the walks person → item of their past → someone who has it → item, less for popular items.

    Each step goes to any of n neighbours with probability (1 / n)^α, and the end is divided by its popularity to β:
    Σ_{j in past} Σ_{v has j, i} (n_j n_v)^−α / n_i^β, with n the number of items of a person or people of an item. The
    first step is the same for every item of a person's past and left out.

    - alpha >= 0: 1 is the plain walk, less lets busy people and popular items count for more (Cooper et al. 2014)
    - beta >= 0: 0 leaves popular ends as likely as the walk makes them
    - n_neighbors >= 1: of each item of the past only so many ends are kept, those of the largest value
    - normalize: divide the ends of each item of the past by their sum, so that all items of the past say equally much

    Only positive events count. Items that no walk reaches are not listed. `similar_items` are the ends from one item,
    at most `n_neighbors`. Fitted: `end_ptr_` int64[n_items + 1], `end_idx_` int32[m] and `end_values_` float32[m],
    best first.
    Everything personal comes from the request's history, so fold-in and `at=` need nothing more.

    Cost: O(Σ_u n_u²) time to fit, O(n_items · n_neighbors) memory.
    Source: Paudel, Christoffel, Newell and Bernstein, Updatable, accurate, diverse, and scalable recommendations for
    interactive applications, TiiS 7:1, 2016, with the exponent α of their P³α under both steps, and the n_neighbors
    kept and the `normalize` that later comparisons added (Ferrari Dacrema et al. 2019).
    """

    FITTED: ClassVar[tuple[str, ...]] = ("end_ptr_", "end_idx_", "end_values_")
    knows_by_history: ClassVar[bool] = True
    own_measure: ClassVar[str] = "random walk"

    end_ptr_: NDArray[np.int64]
    end_idx_: NDArray[np.int32]
    end_values_: NDArray[np.float32]

    def __init__(
        self, alpha: float = 0.7, beta: float = 0.2, *, n_neighbors: int = 200, normalize: bool = False
    ) -> None:
        self.alpha = number("alpha", alpha)
        self.beta = number("beta", beta)
        self.n_neighbors = whole("n_neighbors", n_neighbors, least=1)
        if not isinstance(normalize, bool):
            raise ParameterError(f"normalize must be True or False, got {normalize!r}")
        self.normalize = normalize

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        people = positive_matrix(dataset, "RP3beta")
        rows = people.T.tocsr()
        n_u, n_i = np.diff(people.indptr), np.diff(rows.indptr)
        self.known_users_, self.known_items_ = n_u > 0, n_i > 0
        self.listed_items_ = self.known_items_
        onward = (np.maximum(n_u, 1) ** -self.alpha)[rows.indices].astype(np.float32)
        weighted = sparse.csr_array((onward, rows.indices, rows.indptr), shape=rows.shape)
        n_i = np.maximum(n_i, 1)
        lists = SimilarRows.of(weighted, "dot").nearest(
            rows,
            self.n_neighbors,
            np.arange(rows.shape[0], dtype=np.int32),
            Scale(n_i**-self.alpha, n_i**-self.beta),
        )
        self.end_ptr_, self.end_idx_, self.end_values_ = lists.ptr, lists.item_idx, lists.score
        if self.normalize:
            total = np.bincount(lists.row, lists.score, minlength=len(lists))
            self.end_values_ = (lists.score / total[lists.row]).astype(np.float32)

    def _rows_of(self, history: History) -> NDArray[np.float32]:
        past = positive_items(history, self.known_items_.size)
        out = np.empty((len(history), self.known_items_.size), np.float32)
        ends = self.end_ptr_, self.end_idx_, self.end_values_
        sum_lists(past.indptr.astype(np.int64), past.indices, past.data, *ends, out)
        return out

    def _rank(self, request: Request) -> Lists:
        return rank_rows(self._rows_of, request, self.listed_items_)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_rows(self._rows_of, self.memory_, user_idx, item_idx)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return the walks through each positive item of the request's history: scores are their sum."""
        past = positive_items(request.history, self.known_items_.size).indices.astype(np.int32)
        of_past = of_lists(self.end_ptr_, self.end_idx_, self.end_values_, past, item_idx)
        return Contributions(item_idx, past, of_past)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the people of `events` for `recommend`: their history is all that this model needs of them.

        Items are matched by id. Known are people with a positive event at an item that the model knows. The model is
        not changed. Raises `DataError` unless the values mean what they did in training.
        """
        self._require_fitted()
        return history_vectors(events, self)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._rank(request)

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        return first_of_lists(self.end_ptr_, self.end_idx_, self.end_values_, item_idx, k)

    def _similarity_vectors(self) -> NDArray[np.float32]:
        raise ParameterError(
            "RP3beta has no item vectors: leave measure out, and similar items go by its walk"
        )
