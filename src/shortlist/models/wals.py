"""WALS: weighted alternating least squares, for likes, clicks and purchases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from shortlist import threads
from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.errors import DataError, NonFiniteError, ParameterError
from shortlist.models import wals_solvers
from shortlist.models.feature_columns import checked_columns, encoding_of
from shortlist.models.fold_in import moved_to_items
from shortlist.models.group_means import GroupMeans, Groups
from shortlist.models.history_contributions import shown_vector, sums_to
from shortlist.models.history_matrices import last_values, positive_values
from shortlist.models.item_vectors import ItemVectors
from shortlist.models.model import Model
from shortlist.models.newcomers import new_items, new_users
from shortlist.models.pair_weights import PairWeights, Weighting, require_usable
from shortlist.models.side_features import (
    Blocks,
    Factors,
    SideFeatures,
    feature_half_step,
    half_step_with_features,
)
from shortlist.models.vectors import DotProduct, UserVectors
from shortlist.models.wals_contributions import KnownFeatures, PersonalSystem
from shortlist.models.warm_start import rows_at
from shortlist.models.weighted_squares import Axes, Loss, Observed, Unobserved, axes_of
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.interactions import Interactions
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import Said
    from shortlist.stages import History, Request


Solver = Literal["exact", "cg", "gravity", "sgd"]


class WALS(DotProduct, Model):
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
      row is, which costs far less and never raises the objective, and comes to the same optimum over the epochs.
      "gravity" descends along the exact gradient of the whole objective, users and items together; "sgd" takes a step a
      pair, at first of `learning_rate` > 0, and `n_negatives` >= 1 on pairs drawn at random (`wals_solvers` has both)
    - user_features, item_features: columns of the feature tables that are factorised beside the pairs, True for all
      but free text, False for none; feature_weight w_f > 0: of each of their cells (`side_features` has the formulas).
      Users and items with a feature are then known without a positive pair
    - cold_items_like: a categorical or tags column; items of the catalogue without a vector get the mean vector of the
      items with the same label, so that they are known and may be listed. They take no part in the fit
    - refit_epochs >= 1: as many epochs when `fit` starts from an earlier model
    - init_std > 0: user vectors start as normal numbers with this standard deviation over √dim

    An event is positive as the data declares (`positive_from`); a pair is when one of its events is. What is seen but
    not positive counts as unobserved. Users and items without a positive pair, and without one of the features above,
    have no vector and are unknown. Fitted: `item_factors_` float32[n_items, dim], `user_factors_`
    float32[n_users, dim], `item_offsets_` (zeros), `user_feature_factors_` and `item_feature_factors_`
    float32[n_features, dim]. The users are solved last, so folding in the events and features of a training user gives
    that user's vector (with "cg" nearly).

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
        "solved_items_",
        "user_feature_factors_",
        "item_feature_factors_",
        "user_encoding_",
        "item_encoding_",
        "group_labels_",
        "group_factors_",
    )
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_", "user_counts_")

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_factors_: NDArray[np.float32]
    user_counts_: NDArray[np.int64]
    item_counts_: NDArray[np.int64]
    weight_scale_: float
    solved_items_: NDArray[np.bool_]
    user_feature_factors_: NDArray[np.float32]
    item_feature_factors_: NDArray[np.float32]
    user_encoding_: dict[str, Any] | None
    item_encoding_: dict[str, Any] | None
    group_labels_: list[str]
    group_factors_: NDArray[np.float32]

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
        cg_steps: int = 3,
        learning_rate: float = 0.7,
        n_negatives: int = 4,
        user_features: bool | Sequence[str] = False,
        item_features: bool | Sequence[str] = False,
        feature_weight: float = 1.0,
        cold_items_like: str | None = None,
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
        self.learning_rate = number("learning_rate", learning_rate, above_zero=True)
        self.n_negatives = whole("n_negatives", n_negatives, least=1)
        self.user_features = checked_columns("user_features", user_features)
        self.item_features = checked_columns("item_features", item_features)
        self.feature_weight = number("feature_weight", feature_weight, above_zero=True)
        self.cold_items_like = cold_items_like
        if not isinstance(cold_items_like, str | None):
            raise ParameterError(f"cold_items_like must name a column or be None, got {cold_items_like!r}")
        if self.solver in ("gravity", "sgd") and (self.user_features or self.item_features):
            raise ParameterError(f'solver={self.solver!r} takes no side features; use "exact" or "cg"')

    @property
    def loss(self) -> Loss:
        """Return the objective that the parameters describe."""
        return Loss(self.unobserved_weight, self.unobserved, self.reg, self.reg_exponent)

    @property
    def _weighting(self) -> Weighting:
        return Weighting(self.alpha, self.item_weight_exponent, self.user_weight_exponent, self.pair_weights)

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: events, and features where they were factorised."""
        return ("events",) if self.user_encoding_ is None else ("events", "features")

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        blocks, groups_of = self._blocks(dataset), self._groups(dataset)
        self.item_offsets_ = np.zeros(len(self.solved_items_), np.float32)
        factors = Factors(
            self._random_users(fitting.rng),
            np.zeros((len(self.solved_items_), self.dim), np.float32),
            *(_no_vectors(features, self.dim) for features in (blocks.of_users, blocks.of_items)),
        )
        n_epochs = self.n_epochs
        if fitting.start is not None:
            n_epochs = self.refit_epochs
            self._take_over(fitting.start, dataset, blocks, factors)
        epochs = self._descent(blocks, factors, n_epochs, fitting)
        for epoch in range(1, n_epochs + 1):
            try:
                with np.errstate(over="ignore", invalid="ignore"):
                    next(epochs)
                _require_finite(factors)
            except NonFiniteError as error:
                raise NonFiniteError(f"epoch {epoch} of {n_epochs}: {error}") from error
            self._publish(factors, groups_of)
            self._epoch_ended(fitting, epoch, n_epochs)

    def _descent(self, blocks: Blocks, factors: Factors, n_epochs: int, fitting: Fitting) -> Iterator[None]:
        """Return what runs an epoch each time it is advanced."""
        if self.solver == "gravity":
            return wals_solvers.gravity(blocks, factors, self.loss, n_epochs)
        if self.solver == "sgd":
            return wals_solvers.sgd(
                blocks,
                factors,
                self.loss,
                n_epochs,
                n_negatives=self.n_negatives,
                learning_rate=self.learning_rate,
                is_refit=fitting.start is not None,
                rng=fitting.rng,
            )
        cg_steps = self.cg_steps if self.solver == "cg" else None
        return wals_solvers.alternating(blocks, factors, self.loss, cg_steps)

    def _blocks(self, dataset: Dataset) -> Blocks:
        """Return what is factorised, and set what is known of it before the first epoch."""
        values = _positive_values(dataset.interactions)
        if values.nnz == 0:
            raise DataError(_no_positives(dataset))
        self.user_counts_ = np.diff(values.indptr).astype(np.int64)
        self.item_counts_ = np.bincount(values.indices, minlength=values.shape[1])
        self.weight_scale_ = self._weighting.scale(self.user_counts_, self.item_counts_, values)
        self.user_encoding_ = encoding_of(dataset.user_features, self.user_features, "user")
        self.item_encoding_ = encoding_of(dataset.item_features, self.item_features, "item")
        of_users = self._side_features(self.user_encoding_, dataset.user_features)
        of_items = self._side_features(self.item_encoding_, dataset.item_features)
        self.known_users_ = _known(self.user_counts_, of_users)
        self.solved_items_ = _known(self.item_counts_, of_items)
        counts = self.user_counts_, self.item_counts_
        pairs = Observed.of(self._weights(values, *counts, dataset.users, dataset.items))
        del values  # many events are much memory
        by_user = replace(pairs, n_columns=int(self.solved_items_.sum()))
        by_item = replace(pairs.transposed(), n_columns=int(self.known_users_.sum()))
        for side in (by_user, by_item):
            _require_penalties(self.loss, side)
        return Blocks(by_user, by_item, of_users, of_items)

    def _side_features(
        self, encoding: dict[str, Any] | None, table: FeatureTable | None
    ) -> SideFeatures | None:
        """Return the features in a `table` of users or items; None where the model has none of that side."""
        if encoding is None:
            return None
        encoder = FeatureEncoder.from_values(encoding)
        if table is None:
            raise DataError(f"these have no features, which the model needs: {', '.join(encoder.kinds)}")
        return SideFeatures(encoder.transform(table), self.feature_weight)

    def _groups(self, dataset: Dataset) -> Groups | None:
        """Return who is like whom, where items without a vector are to get one."""
        if self.cold_items_like is None:
            return None
        if dataset.item_features is None:
            raise DataError(
                f"this data has no item features, so no {self.cold_items_like!r} for cold_items_like"
            )
        return Groups.of(dataset.item_features, self.cold_items_like)

    def _publish(self, factors: Factors, groups: Groups | None) -> None:
        """Set the fitted attributes, items without a vector of their own at the mean of what is like them."""
        self.user_factors_, self.item_factors_ = factors.users, factors.items
        self.user_feature_factors_, self.item_feature_factors_ = factors.user_features, factors.item_features
        self.group_labels_, self.group_factors_ = [], np.zeros((0, self.dim), np.float32)
        self.known_items_ = self.listed_items_ = self.solved_items_
        if groups is None:
            return
        means = groups.means(factors.items, self.item_counts_ > 0)
        vectors, has_group = means.vectors_of(groups)
        self.item_factors_ = np.where(self.solved_items_[:, None], factors.items, vectors)
        self.known_items_ = self.listed_items_ = self.solved_items_ | has_group
        self.group_labels_, self.group_factors_ = means.labels, means.vectors

    def _random_users(self, rng: np.random.Generator) -> NDArray[np.float32]:
        users = rng.standard_normal((len(self.known_users_), self.dim), np.float32)
        users *= np.float32(self.init_std / np.sqrt(self.dim)) * self.known_users_[:, None]
        return users

    def _take_over(self, start: WALS, dataset: Dataset, blocks: Blocks, factors: Factors) -> None:
        """Put the users at their vectors in `start`; new ones where what they did with items it knows puts them."""
        old, has_vector = rows_at(start.user_factors_, start.known_users_, start.memory_.users, dataset.users)
        new = self.known_users_ & ~has_vector
        newcomers = dataset.with_interactions(dataset.interactions.where(new[dataset.interactions.user_idx]))
        log = moved_to_items(newcomers, start.memory_)
        folded, known = start._folded(log, dataset.users, dataset.user_features)
        for vectors, taken in ((folded, known & new), (old, has_vector & self.known_users_)):
            factors.users[taken] = vectors[taken]
        # Exact steps do not look at where the items were; conjugate gradients and the features begin there.
        factors.items, has_vector = rows_at(
            start.item_factors_, start.solved_items_, start.memory_.items, dataset.items
        )
        if blocks.of_items is not None:
            features = blocks.of_items.where(has_vector)
            factors.item_features = feature_half_step(features, factors.items, self.loss, feature="item")

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

    def fold_in_users(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> UserVectors:
        """Return vectors of people from their positive events and their features, the items staying as they are.

        - events: theirs. Items are matched by id, and those that the fit had no vector for say nothing
        - features: of a model fitted with `user_features`, in a table of the same columns; those of `events` where
          None. A person without a feature is one of whom none is known

        The people are all users of `events` and of `features`; ids need not be new. One exact half-step: for a user of
        the training data with the same events and features it gives their own vector (near it with solver="cg").
        Someone without positive events and features is unknown. The model is not changed. Raises `DataError` unless
        values and columns mean what they did in training, `ParameterError` where reg is 0 and the events leave the
        vector open, and for features of a model that was fitted without.
        """
        self._require_fitted()
        if features is not None and self.user_encoding_ is None:
            raise ParameterError("this model was fitted without user_features: leave features out")
        people = new_users(events, features, self.memory_)
        vectors, known = self._folded(people.log, people.ids, people.table, self._item_axes)
        offsets = np.zeros(len(vectors), np.float32)
        return UserVectors(vectors, offsets, known, people.ids.ids, people.log.history(), self.space)

    def _folded(
        self, log: Interactions, users: Vocabulary, table: FeatureTable | None, axes: Axes | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return vectors float32[n_users, dim] from events at this model's items, and bool[n_users]: who has one."""
        values = _positive_values(log.where(self.solved_items_[log.item_idx]))
        counts = np.diff(values.indptr), self.item_counts_
        weights = self._weights(values, *counts, users, self.memory_.items)
        observed = replace(Observed.of(weights), n_columns=int(self.solved_items_.sum()))
        features = None if table is None else self._side_features(self.user_encoding_, table)
        vectors = half_step_with_features(
            observed,
            self._solved_item_factors,
            self.loss,
            features,
            self.user_feature_factors_,
            row="user at position",
            axes=axes,
        )
        return vectors, _known(counts[0], features)

    @cached_property
    def _item_axes(self) -> Axes:
        """What folding in shares between requests, made with the first: as large as the item vectors."""
        with threads.single_blas():
            return axes_of(self._solved_item_factors, self.loss.unobserved_weight)

    @property
    def _solved_item_factors(self) -> NDArray[np.float32]:
        """Return the item vectors that are of the objective, zeros for the others."""
        if self.cold_items_like is None:
            return self.item_factors_
        return self.item_factors_ * self.solved_items_[:, None]

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return what each positive item of the request's history adds to scores (`wals_contributions`).

        Scores are made of the person's vector. Where it is the fold-in of the history, as with solver="exact" for
        users of the data and for everybody folded in, the base is 0. Else the base is the difference: what later
        events say of somebody who asks as of an earlier moment, what conjugate gradients leave open, and all that a
        vector found by descent differs. With `user_features`, what is known of the person is one feature, named by its
        columns. Items that the fit had no vector for add nothing; neither does any item without `reg` and
        `unobserved_weight`, where all is base. Cost: O(dim³ + (h + m) dim²).
        """
        vector, _ = shown_vector(self, request)
        turned, factors = vector @ self._item_axes.rotation, self.item_factors_[item_idx].astype(np.float64)
        observed, features = self._observed(request.history), self._features_of(request, turned)
        system = PersonalSystem.of(observed, self._item_axes, self.loss, features)
        pull = np.zeros(self.dim)
        if features is not None:
            made_of = PersonalSystem.of(self._made_of(request), self._item_axes, self.loss, features)
            pull = made_of.pull(turned)
        of_past, of_person = system.amounts(factors @ self._item_axes.rotation, pull)
        past = observed.weights.indices.astype(np.int32)
        parts = sums_to(factors @ vector - of_person, item_idx, past, of_past)
        if features is None:
            return parts
        return replace(parts, features=(self._features_name,), of_features=of_person[:, None])

    @property
    def _features_name(self) -> str:
        return ", ".join(FeatureEncoder.from_values(self.user_encoding_ or {}).kinds)

    def _features_of(self, request: Request, turned: NDArray[np.float64]) -> KnownFeatures | None:
        """Return the features of people where some of this person's are known: their vector then says so."""
        if self.user_encoding_ is None:
            return None
        alone = PersonalSystem.of(self._made_of(request), self._item_axes, self.loss)
        if alone.is_solved_by(turned):
            return None
        return KnownFeatures(self.user_feature_factors_, self.feature_weight)

    def _made_of(self, request: Request) -> Observed:
        """Return the pairs that the vector of the one person of the request was made of."""
        is_folded = self.people_of(request) is not None
        return self._observed(request.history if is_folded else self.memory_.history.take(request.user_idx))

    def _observed(self, history: History) -> Observed:
        """Return the positive pairs of `history` as fold-in weighs them."""
        liked = history.where(history.positive & self.solved_items_[history.item_idx])
        of_pairs = positive_values if self.memory_.feedback.kind == "events" else last_values
        values = of_pairs(liked, len(self.memory_.items))
        counts = np.diff(values.indptr), self.item_counts_
        weights = self._weighting.weights(values, *counts, self.weight_scale_)
        return replace(Observed.of(weights), n_columns=int(self.solved_items_.sum()))

    def fold_in_items(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> ItemVectors:
        """Return vectors of items from their positive events and their features, the users staying as they are.

        The mirror of `fold_in_users`: users are matched by id, and the vector of an item is comparable with
        `item_factors_`. An item of the training data gets what one more item half-step would give it.
        """
        self._require_fitted()
        if features is not None and self.item_encoding_ is None:
            raise ParameterError("this model was fitted without item_features: leave features out")
        items = new_items(events, features, self.memory_)
        values = _positive_values(items.log.where(self.known_users_[items.log.user_idx]))
        counts = self.user_counts_, np.bincount(values.indices, minlength=values.shape[1])
        weights = self._weights(values, *counts, self.memory_.users, items.ids).T.tocsr()
        observed = replace(Observed.of(weights), n_columns=int(self.known_users_.sum()))
        side = None if items.table is None else self._side_features(self.item_encoding_, items.table)
        vectors = half_step_with_features(
            observed,
            self.user_factors_,
            self.loss,
            side,
            self.item_feature_factors_,
            row="item at position",
        )
        return ItemVectors(vectors, _known(counts[1], side), items.ids.ids)

    def item_vectors_like(
        self, column: str, items: FeatureTable, *, catalogue: FeatureTable | None = None
    ) -> ItemVectors:
        """Return for each row of `items` the mean vector of the model's items with its category, maker or tags.

        - column: categorical or tags. With several tags: the mean of the tags' means
        - catalogue: the features of the model's items, matched by id; not needed for the column `cold_items_like`,
          whose means the model keeps

        Only items with a positive pair count in a mean. A user's score of such a vector is the mean of their scores of
        those items. A row whose labels none of them has is unknown and zero.
        Raises `ParameterError` for a column that is neither kind, or without a catalogue where one is needed.
        """
        self._require_fitted()
        if catalogue is not None:
            own = Groups.of(catalogue.align(self.memory_.items), column)
            means = own.means(self.item_factors_, self.item_counts_ > 0)
        elif column == self.cold_items_like:
            means = GroupMeans(self.group_labels_, self.group_factors_)
        else:
            raise ParameterError(
                f"this model keeps no means of {column!r}: give catalogue, the features of the items that it was "
                f"fitted on, or fit with cold_items_like={column!r}"
            )
        vectors, known = means.vectors_of(Groups.of(items, column))
        return ItemVectors(vectors, known, items.frame["id"])


def _positive_values(log: Interactions) -> sparse.csr_array:
    """Return the values of the positive pairs, float32 CSR [n_users, n_items]: the sum of events, else the last."""
    return log.where(log.positive).matrix("sum" if log.feedback.kind == "events" else "last")


def _known(counts: NDArray[np.integer[Any]], features: SideFeatures | None) -> NDArray[np.bool_]:
    """Return bool[n]: who has a positive pair or a feature."""
    has_pair: NDArray[np.bool_] = counts > 0
    return has_pair if features is None else has_pair | features.described


def _require_finite(factors: Factors) -> None:
    if not (np.isfinite(factors.users).all() and np.isfinite(factors.items).all()):
        raise NonFiniteError(
            "the vectors became NaN or infinite; raise reg, or look for huge weights, init_std or feature_weight"
        )


def _require_penalties(loss: Loss, side: Observed) -> None:
    with np.errstate(over="ignore"):
        largest = loss.penalties(side).max()
    if not np.isfinite(largest):
        raise ParameterError(
            f"the penalty reg nᵛ of what has most pairs is infinite with reg={loss.reg:g} and "
            f"reg_exponent={loss.reg_exponent:g}: lower them"
        )


def _no_vectors(features: SideFeatures | None, dim: int) -> NDArray[np.float32]:
    return np.zeros((0 if features is None else features.n_features, dim), np.float32)


def _no_positives(dataset: Dataset) -> str:
    feedback = dataset.feedback
    least = "above 0" if feedback.positive_from is None else f"at least {feedback.positive_from:g}"
    return (
        f"none of the {len(dataset.interactions)} {feedback.kind} is positive (their value would be {least})"
    )
