"""LinearOnFeatures: each user's ratings as a linear function of the items' features."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from scipy import sparse

from shortlist import threads
from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.errors import DataError, ParameterError
from shortlist.models import feature_regression, rating_solvers
from shortlist.models.feature_contributions import by_features
from shortlist.models.feature_contributions_linear import added_by
from shortlist.models.feature_contributions_words import Words
from shortlist.models.fold_in import at_known_items, require_same_meaning
from shortlist.models.mean_normalisation import centred, item_means
from shortlist.models.model import Model
from shortlist.models.rating_prediction import predicted
from shortlist.models.vectors import DotProduct, UserVectors
from shortlist.models.warm_start import rows_at
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.interactions import Interactions
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting
    from shortlist.stages import Request

FeatureSolver = Literal["closed_form", "gradient"]

# float32 numbers in the dense parameters of users or features of items: 4 GiB.
MOST_NUMBERS = 1 << 30


class LinearOnFeatures(DotProduct, Model):
    """Predicts the rating w_u · x_i + b_u + μ_i from given features x_i of the items: a regression of each user's own.

    Minimises ½ Σ_rated (ŷ − y)² + reg/2 Σ_u ‖w_u‖²; b is not penalised. Users do not learn from one another, but by the
    means μ_i. The features are those of `FeatureEncoder`: numbers and times standardised, categories and tags 0 or 1,
    texts TF-IDF. An item that nobody rated is predicted from its features.

    - columns: of the item features; None for all but text, whose words by far outnumber the ratings of a user
    - reg ≥ 0
    - mean_shrinkage ≥ 0: how many ratings at the global mean each item's μ_i starts with (`item_means`); an item
      without ratings takes the global mean. None: μ = 0, the course's plain regression
    - solver: "closed_form", exact; "gradient": gradient descent (`descend_users`), which comes to the same
    - n_epochs ≥ 0, learning_rate > 0: of "gradient" alone; None for 300 and 1.0, up to which it cannot diverge
    - min_ratings ≥ 0: items with fewer ratings are predicted, but not put on lists; 0 lists new items too

    Known are users with a rating, and items with a rating or a feature that is not 0. `fit(start=…)` puts "gradient"
    at the parameters of an earlier fit on the same features; the optimum is the same, and "closed_form" needs no start.
    Fitted: `item_factors_` float32[n_items, f] (x), `item_offsets_` (μ), `user_factors_` float32[n_users, f] (w),
    `user_offsets_` (b), `global_mean_`, `objective_history_` float64 (J before each epoch and after the last; of
    "closed_form" J at the optimum), and `encoding_` (plain values of `encoder`).

    Cost: O(nnz f² + n_users f³) at most, far less for users with fewer than f ratings; "gradient" O(nnz f) an epoch.
    Features and parameters are dense, 4 f bytes a row. Source: the course (Ng, Machine Learning Specialization,
    course 3 week 2). The defaults were chosen by RMSE on a held-out part of MovieLens small with its genres and years.
    Raises `DataError` for data without item features, without a column to use or whose values are no ratings,
    `ParameterError` for features that would take more than 4 GiB, and for reg = 0 where ratings leave w open.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "item_factors_",
        "item_offsets_",
        "user_factors_",
        "user_offsets_",
        "global_mean_",
        "objective_history_",
        "encoding_",
    )
    predicts_ratings: ClassVar[bool] = True
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_", "user_offsets_")
    knows_by_history: ClassVar[bool] = True

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_factors_: NDArray[np.float32]
    user_offsets_: NDArray[np.float32]
    global_mean_: float
    objective_history_: NDArray[np.float64]
    encoding_: dict[str, Any]

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        reg: float = 10.0,
        mean_shrinkage: float | None = 5.0,
        solver: FeatureSolver = "closed_form",
        n_epochs: int | None = None,
        learning_rate: float | None = None,
        min_ratings: int = 0,
    ) -> None:
        if isinstance(columns, str):
            raise ParameterError(f"columns must be a list of names, got the single text {columns!r}")
        self.columns = None if columns is None else list(columns)
        self.reg = number("reg", reg)
        self.mean_shrinkage = None if mean_shrinkage is None else number("mean_shrinkage", mean_shrinkage)
        self.solver = one_of("solver", solver, FeatureSolver)
        self.n_epochs = None if n_epochs is None else whole("n_epochs", n_epochs, least=0)
        self.learning_rate = (
            None if learning_rate is None else number("learning_rate", learning_rate, above_zero=True)
        )
        self.min_ratings = whole("min_ratings", min_ratings, least=0)
        for name in ("n_epochs", "learning_rate"):
            if solver == "closed_form" and getattr(self, name) is not None:
                raise ParameterError(f'solver="closed_form" solves exactly and takes no {name}; leave it out')

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        dataset.feedback.require_ratings(type(self).__name__)
        self._encode(dataset)
        raw = dataset.interactions.matrix("last")
        means = (
            np.zeros(raw.shape[1]) if self.mean_shrinkage is None else item_means(raw, self.mean_shrinkage)
        )
        self.global_mean_ = 0.0 if self.mean_shrinkage is None else float(raw.data.mean(dtype=np.float64))
        self.item_offsets_ = means.astype(np.float32)
        n = np.bincount(raw.indices, minlength=raw.shape[1])
        self.known_users_ = np.diff(raw.indptr) > 0
        self.known_items_ = (n > 0) | self.item_factors_.any(axis=1)
        self.listed_items_ = self.known_items_ & (n >= self.min_ratings)
        self._solve(centred(raw, self.item_offsets_, np.float32), dataset, fitting)

    def _encode(self, dataset: Dataset) -> None:
        table = dataset.item_features
        if table is None:
            raise DataError(
                "LinearOnFeatures needs item features, and this data has none: read it with items="
            )
        columns = _columns(table) if self.columns is None else self.columns
        encoder = FeatureEncoder.fit(table, columns)
        n_rows, n_features = max(len(dataset.users), len(dataset.items)), len(encoder.names)
        if n_rows * n_features > MOST_NUMBERS:
            raise ParameterError(
                f"{n_features:,} features × {n_rows:,} rows would take {n_rows * n_features * 4 / 2**30:.1f} GiB; "
                "name fewer columns"
            )
        self.encoding_ = encoder.to_values()
        self.item_factors_ = encoder.transform(table).toarray()

    def _solve(self, ratings: sparse.csr_array, dataset: Dataset, fitting: Fitting) -> None:
        if self.solver == "closed_form":
            self.user_factors_, self.user_offsets_ = feature_regression.user_parameters(
                ratings, self.item_factors_, self.reg
            )
            self.objective_history_ = rating_solvers.descend(self._steps(ratings), 0)
            return
        self._begin(dataset, fitting.start)
        n_epochs = 300 if self.n_epochs is None else self.n_epochs

        def ended(history: list[float]) -> None:
            self.objective_history_ = np.array(history)
            self._epoch_ended(fitting, len(history) - 1, n_epochs, history[-1])

        with threads.single_blas():
            self.objective_history_ = rating_solvers.descend(self._steps(ratings), n_epochs, on_epoch=ended)

    def _begin(self, dataset: Dataset, start: LinearOnFeatures | None) -> None:
        """Put w and b at zero, or where `start` has them, if it was fitted on the same features."""
        n_users, n_features = len(dataset.users), self.item_factors_.shape[1]
        if start is None or start.encoding_ != self.encoding_:
            self.user_factors_ = np.zeros((n_users, n_features), np.float32)
            self.user_offsets_ = np.zeros(n_users, np.float32)
            return
        old = start.memory_.users, dataset.users
        self.user_factors_, has = rows_at(start.user_factors_, start.known_users_, *old)
        self.user_offsets_, _ = rows_at(start.user_offsets_, start.known_users_, *old)
        for rows in (self.user_factors_, self.user_offsets_):
            rows[~(has & self.known_users_)] = 0

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return zeros for all users: weights of features are 0 but for those of rated items, which can be told."""
        rows = {name: np.zeros_like(fitted[name]) for name in self.BY_USER}
        return super()._without_histories(fitted) | rows

    def _steps(self, ratings: sparse.csr_array) -> Any:
        return feature_regression.descend_users(
            ratings,
            self.item_factors_,
            self.reg,
            self.user_factors_,
            self.user_offsets_,
            learning_rate=self.learning_rate or 1.0,
        )

    @cached_property
    def encoder(self) -> FeatureEncoder:
        """Return the encoder of the fitted model, whose `names` are those of the features."""
        return FeatureEncoder.from_values(self.encoding_)

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, f] (w) and offsets float32[n] (b) of known users (positions ≥ 0)."""
        return self.user_factors_[user_idx], self.user_offsets_[user_idx]

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        people = self.people_of(request)
        if people is None:
            w, b = self.user_vectors(request.user_idx)
        else:
            w, b = people.vectors, people.offsets
        rows, words = sparse.csr_array(self.item_factors_[item_idx]), Words(self.encoder, w.shape[1])
        base = b.astype(np.float64) + self.item_offsets_[item_idx]
        return by_features(item_idx, added_by(rows, w[0].astype(np.float64), words), base=base)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return w and b of the users of `events` from their ratings there: for a training user, the user's own.

        In closed form, whatever the solver was. Items are matched by id; ratings of items that the model does not know
        say nothing, and a user with no other is unknown. The model is not changed. Raises `DataError` unless these are
        ratings on the training scale, `ParameterError` where reg is 0 and the ratings of a user leave w open.
        """
        self._require_fitted()
        log = at_known_items(events, self.memory_)
        ratings = self._centred(log.where(self.known_items_[log.item_idx]))
        w, b = feature_regression.user_parameters(ratings, self.item_factors_, self.reg)
        known = np.diff(ratings.indptr) > 0
        return UserVectors(w, b, known, events.users.ids, log.history(), self.space)

    def _centred(self, log: Interactions) -> sparse.csr_array:
        return centred(log.matrix("last"), self.item_offsets_, np.float32)

    def learn_item_features(self, events: Dataset) -> NDArray[np.float32]:
        """Return float32[n_items of events, f]: the features that this model's users say the items of `events` have.

        The mirror of the regression, x given w and b (`feature_regression.learn_item_features`, with this model's reg):
        of an item without features, say, or to see where ratings and a description disagree. The mean that is
        taken off is μ_i of an item that the model knows, else the global mean. Users are matched by id; ratings of
        users that it does not know say nothing, and an item with no other has zeros. Raises `DataError` unless these
        are ratings on the training scale.
        """
        self._require_fitted()
        require_same_meaning(events, self.memory_)
        at = self.memory_.items.index_of(events.items.ids)
        means = np.where(at >= 0, self.item_offsets_[at], np.float32(self.global_mean_))
        w, known = rows_at(self.user_factors_, self.known_users_, self.memory_.users, events.users)
        b, _ = rows_at(self.user_offsets_, self.known_users_, self.memory_.users, events.users)
        log = events.interactions
        ratings = centred(log.where(known[log.user_idx]).matrix("last"), means, np.float32)
        return np.asarray(feature_regression.learn_item_features(ratings, w, b, self.reg), np.float32)

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = True) -> NDArray[np.float32]:
        """Return float32[m]: the predicted rating of each pair (users[p], items[p]), also where one is unknown.

        A user without ratings is predicted μ_i, an item outside the training data the global mean and b_u (0 for the
        mean where `mean_shrinkage` is None). `clip` keeps predictions on the rating scale. Raises `ParameterError` for
        unequal lengths.
        """
        self._require_fitted()
        rating = predicted(self, users, items)
        return np.clip(rating, *(self.memory_.feedback.scale or (None, None))) if clip else rating


def _columns(table: FeatureTable) -> list[str]:
    chosen = [name for name, kind in table.kinds.items() if kind != "text"]
    if not chosen:
        raise DataError(
            "LinearOnFeatures found no item feature but text, which it uses only where columns= names it: "
            f"{', '.join(table.kinds) or 'there are no columns'}"
        )
    return chosen
