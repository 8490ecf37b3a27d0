"""WALS: weighted alternating least squares, for likes, clicks and purchases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from shortlist.errors import DataError
from shortlist.models.fold_in import at_known_items, moved_to_items
from shortlist.models.model import Model
from shortlist.models.pair_weights import PairWeights, Weighting, require_usable
from shortlist.models.vectors import UserVectors, rank_by_vectors, score_by_vectors
from shortlist.models.warm_start import rows_at
from shortlist.models.weighted_squares import Loss, Observed, Unobserved, half_step
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Ids, Vocabulary
    from shortlist.models.fitting import Fitting
    from shortlist.stages import Lists, Request


Solver = Literal["exact", "cg"]


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """Vectors of items in a model's space; what `fold_in_items` returns.

    vectors float32[n, d]; known bool[n]: false where there was nothing to make a vector from.
    """

    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]
    item_ids: Ids


class WALS(Model):
    """Scores u·v such that it is near 1 for positive pairs and near 0 for all others, weighed against each other.

    Minimises Σ_positive w (1 - u·v)² + w0 Σ_unobserved (u·v)² + Σ_u λ_u |u|² + Σ_i λ_i |v|², where
    λ_u = reg (Σ_i w_ui + w0 |I|)^ν, and the mirror for items (`weighted_squares` has the formulas and sources).

    - dim >= 1: length of the vectors. More is better until data runs out: quality and cost both grow
    - unobserved_weight w0 >= 0: of a pair without a positive event, against 1 for a positive one
    - reg >= 0, reg_exponent ν >= 0: the penalty λ; ν = 1 penalises in proportion to activity, 0 everybody alike
    - alpha >= 0: w = 1 + alpha * value of the pair: the sum of its events' values; with ratings or labels the
      value of its last positive event
    - item_weight_exponent a, user_weight_exponent b >= 0: w is multiplied by n_i^-a n_u^-b, scaled so that the mean
      of this factor over the training pairs is 1. n counts positive pairs: of the item in training, of the user
      their own, so that a person folded in is weighed as in training. a > 0 keeps popular items from ruling the fit
    - pair_weights: a function (n_user, n_item, value) → w in place of all three, called with one entry a pair
      (int64[m], int64[m], float32[m]); w finite and above 0, used as it is, and of a pair alone, since fold-in calls
      it too. No artifact and no configuration file can hold a function: such a model cannot be saved
    - unobserved: "all" puts w0 on positive pairs too (Rendle et al. 2021), "complement" does not (Hu et al. 2008)
    - n_epochs >= 1: one epoch solves the items, then the users
    - solver: "exact" solves each row's system; "cg" takes `cg_steps` >= 1 steps of conjugate gradients from where the
      row is, which costs far less and never raises the objective, and comes to the same optimum over the epochs
    - refit_epochs >= 1: as many epochs when `fit` starts from an earlier model
    - init_std > 0: user vectors start as normal numbers with this standard deviation over √dim

    An event is positive as the data declares (`positive_from`); a pair is when one of its events is. What is seen but
    not positive counts as unobserved. Users and items without a positive pair have no vector and are unknown.
    Fitted: `item_factors_` float32[n_items, dim], `user_factors_` float32[n_users, dim], `item_offsets_` (zeros). The
    users are solved last, so folding in the events of a training user gives that user's vector.

    Cost of an epoch: see `weighted_squares.half_step`. Memory: the factors, and 16 matrices of dim × dim.
    Raises `DataError` for data without a positive event.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "item_factors_",
        "item_offsets_",
        "user_factors_",
        "user_counts_",
        "item_counts_",
        "weight_scale_",
    )

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_factors_: NDArray[np.float32]
    user_counts_: NDArray[np.int64]
    item_counts_: NDArray[np.int64]
    weight_scale_: float

    def __init__(
        self,
        dim: int = 64,
        *,
        unobserved_weight: float = 0.1,
        reg: float = 0.01,
        reg_exponent: float = 1.0,
        alpha: float = 0.0,
        item_weight_exponent: float = 0.0,
        user_weight_exponent: float = 0.0,
        pair_weights: PairWeights | None = None,
        unobserved: Unobserved = "all",
        n_epochs: int = 12,
        refit_epochs: int = 2,
        init_std: float = 0.1,
        solver: Solver = "exact",
        cg_steps: int = 2,
    ) -> None:
        self.dim = whole("dim", dim, least=1)
        self.unobserved_weight = number("unobserved_weight", unobserved_weight)
        self.reg = number("reg", reg)
        self.reg_exponent = number("reg_exponent", reg_exponent)
        self.alpha = number("alpha", alpha)
        self.item_weight_exponent = number("item_weight_exponent", item_weight_exponent)
        self.user_weight_exponent = number("user_weight_exponent", user_weight_exponent)
        self.pair_weights = pair_weights
        self._weighting  # noqa: B018 (its own checks)
        self.unobserved = one_of("unobserved", unobserved, Unobserved)
        self.n_epochs = whole("n_epochs", n_epochs, least=1)
        self.refit_epochs = whole("refit_epochs", refit_epochs, least=1)
        self.init_std = number("init_std", init_std, above_zero=True)
        self.solver = one_of("solver", solver, Solver)
        self.cg_steps = whole("cg_steps", cg_steps, least=1)

    @property
    def loss(self) -> Loss:
        """Return the objective that the parameters describe."""
        return Loss(self.unobserved_weight, self.unobserved, self.reg, self.reg_exponent)

    @property
    def _weighting(self) -> Weighting:
        return Weighting(self.alpha, self.item_weight_exponent, self.user_weight_exponent, self.pair_weights)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        values = _positive_values(dataset.interactions)
        if values.nnz == 0:
            raise DataError(_no_positives(dataset))
        self.user_counts_ = np.diff(values.indptr).astype(np.int64)
        self.item_counts_ = np.bincount(values.indices, minlength=values.shape[1])
        self.weight_scale_ = self._weighting.scale(self.user_counts_, self.item_counts_, values)
        counts = self.user_counts_, self.item_counts_
        by_user = Observed.of(self._weights(values, *counts, dataset.users, dataset.items))
        by_item = by_user.transposed()
        self.known_users_ = self.user_counts_ > 0
        self.known_items_ = self.listed_items_ = self.item_counts_ > 0
        self.item_offsets_ = np.zeros(len(self.known_items_), np.float32)
        self.user_factors_ = self._random_users(fitting.rng)
        self.item_factors_ = np.zeros((len(self.known_items_), self.dim), np.float32)
        n_epochs = self.n_epochs
        if fitting.start is not None:
            n_epochs = self.refit_epochs
            self._take_over(fitting.start, dataset)
        for epoch in range(1, n_epochs + 1):
            self._solve_epoch(by_item, by_user)
            self._epoch_ended(fitting, epoch, n_epochs)

    def _solve_epoch(self, by_item: Observed, by_user: Observed) -> None:
        steps = self.cg_steps if self.solver == "cg" else None
        self.item_factors_ = half_step(
            by_item,
            self.user_factors_,
            self.loss,
            row="item at position",
            start=self.item_factors_,
            cg_steps=steps,
        )
        self.user_factors_ = half_step(
            by_user,
            self.item_factors_,
            self.loss,
            row="user at position",
            start=self.user_factors_,
            cg_steps=steps,
        )

    def _random_users(self, rng: np.random.Generator) -> NDArray[np.float32]:
        users = rng.standard_normal((len(self.known_users_), self.dim), np.float32)
        users *= np.float32(self.init_std / np.sqrt(self.dim)) * self.known_users_[:, None]
        return users

    def _take_over(self, start: WALS, dataset: Dataset) -> None:
        """Put the users at their vectors in `start`; new ones where their events with items it knows put them."""
        old, has_vector = rows_at(start.user_factors_, start.known_users_, start.memory_.users, dataset.users)
        new = self.known_users_ & ~has_vector
        newcomers = dataset.with_interactions(dataset.interactions.where(new[dataset.interactions.user_idx]))
        folded, known = start._folded(moved_to_items(newcomers, start.memory_), dataset.users)
        for vectors, taken in ((folded, known), (old, has_vector & self.known_users_)):
            self.user_factors_[taken] = vectors[taken]
        # Exact steps do not look at where the items were, conjugate gradients begin there.
        self.item_factors_, _ = rows_at(
            start.item_factors_, start.known_items_, start.memory_.items, dataset.items
        )

    def _weights(
        self,
        values: sparse.csr_array,
        n_user: NDArray[np.int64],
        n_item: NDArray[np.int64],
        users: Vocabulary,
        items: Vocabulary,
    ) -> sparse.csr_array:
        """Return w of the positive pairs in `values` CSR [n_users, n_items], float32; ids are for an error to name."""
        weights = self._weighting.weights(values, n_user, n_item, self.weight_scale_)
        require_usable(weights, users.ids, items.ids)
        return weights

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, dim] and offsets float32[n] (zeros) of known users (positions ≥ 0)."""
        return self.user_factors_[user_idx], np.zeros(user_idx.size, np.float32)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return vectors of the users of `events` from their positive events there, the items staying as they are.

        One exact half-step: for a user of the training data with the same events it gives their own vector. Items
        are matched by id, and those that the model has no vector for say nothing; a user with no other is unknown.
        The model is not changed; user ids are those of `events` and need not be new. Raises `DataError` unless the
        values mean what they did in training, `ParameterError` where reg is 0 and a user's events leave the vector
        open.
        """
        self._require_fitted()
        log = at_known_items(events, self.memory_)
        vectors, known = self._folded(log, events.users)
        offsets = np.zeros(len(vectors), np.float32)
        return UserVectors(vectors, offsets, known, events.users.ids, log.history(), self.space)

    def _folded(self, log: Interactions, users: Vocabulary) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return vectors float32[n_users, dim] from events at this model's items, and bool[n_users]: who has one."""
        values = _positive_values(log.where(self.known_items_[log.item_idx]))
        counts = np.diff(values.indptr), self.item_counts_
        weights = self._weights(values, *counts, users, self.memory_.items)
        observed = replace(Observed.of(weights), n_columns=int(self.known_items_.sum()))
        vectors = half_step(observed, self.item_factors_, self.loss, row="user at position")
        return vectors, np.diff(weights.indptr) > 0

    def fold_in_items(self, events: Dataset) -> ItemVectors:
        """Return vectors of the items of `events` from their positive events there, the users staying as they are.

        The mirror of `fold_in_users`: users are matched by id, and the vector of an item is comparable with
        `item_factors_`. An item of the training data gets what one more item half-step would give it.
        """
        self._require_fitted()
        log = _at_known_users(events, self.memory_)
        values = _positive_values(log.where(self.known_users_[log.user_idx]))
        counts = self.user_counts_, np.bincount(values.indices, minlength=values.shape[1])
        weights = self._weights(values, *counts, self.memory_.users, events.items).T.tocsr()
        observed = replace(Observed.of(weights), n_columns=int(self.known_users_.sum()))
        vectors = half_step(observed, self.user_factors_, self.loss, row="item at position")
        return ItemVectors(vectors, np.diff(weights.indptr) > 0, events.items.ids)

    def _rank(self, request: Request) -> Lists:
        vectors, offsets = self.user_vectors(request.user_idx)
        return rank_by_vectors(vectors, offsets, self, self.listed_items_, request)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_by_vectors(self, user_idx, item_idx)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return rank_by_vectors(users.vectors, users.offsets, self, self.listed_items_, request)

    def _similarity_vectors(self) -> NDArray[np.float32]:
        return self.item_factors_


def _positive_values(log: Interactions) -> sparse.csr_array:
    """Return the values of the positive pairs, float32 CSR [n_users, n_items]: the sum of events, else the last."""
    return log.where(log.positive).matrix("sum" if log.feedback.kind == "events" else "last")


def _at_known_users(events: Dataset, memory: Memory) -> Interactions:
    """Return the events with `user_idx` in the vocabulary of `memory`, those of other users left out."""
    if events.feedback.kind != memory.feedback.kind:
        raise DataError(
            f"these events are {events.feedback.kind}, the model was fitted on {memory.feedback.kind}"
        )
    position = memory.users.index_of(events.users.ids)[events.interactions.user_idx]
    return replace(events.interactions, user_idx=position, n_users=len(memory.users)).where(position >= 0)


def _no_positives(dataset: Dataset) -> str:
    feedback = dataset.feedback
    least = "above 0" if feedback.positive_from is None else f"at least {feedback.positive_from:g}"
    return (
        f"none of the {len(dataset.interactions)} {feedback.kind} is positive (their value would be {least})"
    )
