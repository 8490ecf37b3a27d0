"""MatrixFactorization: ratings or labels explained by a few latent factors of users and items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from scipy import special

from shortlist import threads
from shortlist.errors import DataError, ParameterError
from shortlist.models import label_solvers, rating_solvers
from shortlist.models.fold_in import at_known_items, moved_to_items
from shortlist.models.history_contributions import of_ridge, shown_scores, sums_to
from shortlist.models.history_matrices import last_values
from shortlist.models.mean_normalisation import centred, item_logits, item_means
from shortlist.models.model import Model
from shortlist.models.rating_objective import Factors, Penalty, frequency_scale
from shortlist.models.rating_prediction import predicted
from shortlist.models.removal_contributions import by_folding, by_removal
from shortlist.models.vectors import DotProduct, UserVectors
from shortlist.models.warm_start import rows_at
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray
    from scipy import sparse

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting
    from shortlist.stages import Request

Solver = Literal["als", "sgd", "adam"]
Objective = Literal["squared", "binary"]


class Descent(NamedTuple):
    """What a solver does unless it is told otherwise; `learning_rate` None: it has no such thing."""

    n_epochs: int
    refit_epochs: int
    learning_rate: float | None


DESCENTS: dict[str, Descent] = {
    "als": Descent(n_epochs=6, refit_epochs=2, learning_rate=None),
    "sgd": Descent(n_epochs=30, refit_epochs=10, learning_rate=0.05),
    "adam": Descent(n_epochs=200, refit_epochs=100, learning_rate=0.1),
}


class MatrixFactorization(DotProduct, Model):
    """Predicts the rating w_u · x_i + b_u + c_i + μ_i; the course's collaborative filtering, and what improves it.

    Minimises J = ½ Σ_rated (ŷ − y)² + ½ Σ_u n_u^ν (reg ‖w_u‖² + bias_reg b_u²) + ½ Σ_i n_i^ν (reg ‖x_i‖² +
    bias_reg c_i²), with n the number of ratings of the user or item and ν = `reg_exponent`. μ_i is the item's mean
    in the training data, shrunk to the global mean (`item_means`). Of several ratings of a pair the last counts.

    With `objective="binary"` it learns from labels y, 1 (engaged) and 0 (shown, not engaged), and only from the pairs
    that were shown: the first term is the cross-entropy Σ_shown log(1 + e^z) − y z of z = w_u · x_i + b_u + c_i + μ_i,
    where μ_i is the logit of the item's shrunk mean label (`item_logits`). `score` is z, by which lists are ordered;
    `predict` is the probability 1 / (1 + e^−z). (In float32 all z above 17 have the probability 1: ordered by it, such
    items would be ties.)

    - dim ≥ 1: length of w and x
    - objective: "squared" for data of kind "ratings", "binary" for data of kind "binary"
    - reg, bias_reg ≥ 0: penalties of factors and of biases; reg_exponent ν in [0, 1]: 0 penalises every user and
      item alike, 1 in proportion to their ratings. Binary: above 0, since equal labels have no finite optimum else
    - item_bias: learn c; otherwise it is 0
    - mean_shrinkage ≥ 0: how many ratings at the global mean each item starts with. Binary: above 0
    - solver: "als" solves [w; b] (then [x; c]) of each row jointly and exactly, in parallel (binary: by Newton's method
      with a line search, to convergence); "sgd" takes a step a rating, in parallel on a grid of blocks; "adam" takes
      one step an epoch down the full gradient, in float64
    - n_epochs ≥ 0, learning_rate > 0: None for the solver's own (`DESCENTS`); als has no learning rate
    - refit_epochs ≥ 0: as many epochs when `fit` starts from an earlier model; None for the solver's own
    - tol > 0 (als only): stop once an epoch lowers J by no more than this share of J; None never does
    - init_std > 0: w, b and x start as normal numbers of this standard deviation, c at 0
    - min_ratings: items with fewer training ratings (labels) are predicted, but not put on lists

    An item without ratings takes the global mean, a user without ratings w = b = 0; both are unknown. `course` is the
    course's own setting. Fitted: `item_factors_` float32[n_items, dim] (x), `item_offsets_` float32[n_items] (c + μ),
    `user_factors_` (w), `user_offsets_` (b), `global_mean_` (binary: its logit), and `objective_history_`
    float64[epochs + 1]: J before the first epoch and after each.

    Cost of an als epoch: O(nnz dim² + n_users dim³) at most, far less for rows with fewer than dim ratings; binary some
    three to six times that. Of an sgd epoch: O(nnz dim), and 12 bytes a rating.
    Sources: the course (Ng, Machine Learning Specialization, course 3 week 2) for J and its binary form; Koren, Bell
    and Volinsky 2009 for biases; Zhou et al. 2008 for weighting the penalty by n (there ν = 1); Gemulla et al. 2011 for
    the blocks of sgd.

    The defaults were chosen by RMSE on held-out parts of the *training* side of one fold of MovieLens small, among dim
    8–24, ν 0–.65, penalties around each optimum and shrinkages from 1 on; the optimum is flat, within .002 around
    them. dim + 1, the bias counted, is a multiple of four, which the solver pads to. Six als epochs come within .004
    of the RMSE of twenty. `min_ratings` 3 keeps items with one or two ratings, whose prediction is mostly the global
    mean, off lists; a larger one favours popular items further (`benchmarks/bench_explicit.py` prints what it does).
    Labels "four stars or more" of the same data did best around reg 1.5 and bias_reg .5, less than .01 of log-loss
    better than the defaults.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "item_factors_",
        "item_offsets_",
        "user_factors_",
        "user_offsets_",
        "global_mean_",
        "objective_history_",
    )
    predicts_ratings: ClassVar[bool] = True
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_", "user_offsets_")

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_factors_: NDArray[np.float32]
    user_offsets_: NDArray[np.float32]
    global_mean_: float
    objective_history_: NDArray[np.float64]

    def __init__(
        self,
        dim: int = 15,
        *,
        objective: Objective = "squared",
        reg: float = 3.0,
        bias_reg: float = 2.0,
        reg_exponent: float = 0.35,
        item_bias: bool = True,
        mean_shrinkage: float = 20.0,
        solver: Solver = "als",
        n_epochs: int | None = None,
        refit_epochs: int | None = None,
        learning_rate: float | None = None,
        tol: float | None = None,
        init_std: float = 0.1,
        min_ratings: int = 3,
    ) -> None:
        self.dim = whole("dim", dim, least=1)
        self.objective = one_of("objective", objective, Objective)
        self.reg = number("reg", reg)
        self.bias_reg = number("bias_reg", bias_reg)
        self.reg_exponent = number("reg_exponent", reg_exponent, most=1)
        self.item_bias = item_bias
        self.mean_shrinkage = number("mean_shrinkage", mean_shrinkage)
        self.solver = one_of("solver", solver, Solver)
        self.n_epochs = None if n_epochs is None else whole("n_epochs", n_epochs, least=0)
        self.refit_epochs = None if refit_epochs is None else whole("refit_epochs", refit_epochs, least=0)
        self.learning_rate = (
            None if learning_rate is None else number("learning_rate", learning_rate, above_zero=True)
        )
        self.tol = None if tol is None else number("tol", tol, above_zero=True)
        self.init_std = number("init_std", init_std, above_zero=True)
        self.min_ratings = whole("min_ratings", min_ratings, least=1)
        self._check_consistent()

    def _check_consistent(self) -> None:
        if not isinstance(self.item_bias, bool):
            raise ParameterError(f"item_bias must be True or False, got {self.item_bias!r}")
        if self.solver == "als" and self.learning_rate is not None:
            raise ParameterError('solver="als" solves exactly and takes no learning_rate; leave it out')
        if self.solver != "als" and self.tol is not None:
            raise ParameterError(
                f'tol is for solver="als"; with solver={self.solver!r} the objective may rise first'
            )

        for name in ("reg", "bias_reg", "mean_shrinkage") if self._is_binary else ():
            if getattr(self, name) == 0:
                raise ParameterError(
                    f'objective="binary" needs {name} above 0: labels that are all equal have no finite optimum else'
                )

    @property
    def _is_binary(self) -> bool:
        return self.objective == "binary"

    @classmethod
    def course(
        cls, dim: int = 100, reg: float = 1.0, *, n_epochs: int = 200, learning_rate: float = 0.1
    ) -> Self:
        """Return the model of the course's lab: plain means, unpenalised user bias, Adam from an N(0, 1) start.

        J is ½ Σ (w·x + b + μ − y)² + reg/2 (Σ‖w‖² + Σ‖x‖²), and every rated item may be on a list.
        """
        return cls(
            dim,
            reg=reg,
            bias_reg=0.0,
            reg_exponent=0.0,
            item_bias=False,
            mean_shrinkage=0.0,
            solver="adam",
            n_epochs=n_epochs,
            learning_rate=learning_rate,
            init_std=1.0,
            min_ratings=1,
        )

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        self._require_kind(dataset)
        raw = dataset.interactions.matrix("last")
        dtype = np.float64 if self.solver == "adam" else np.float32
        if self._is_binary:
            means, self.global_mean_ = item_logits(raw, self.mean_shrinkage)
            values = raw.astype(dtype)
        else:
            means, self.global_mean_ = (
                item_means(raw, self.mean_shrinkage),
                float(raw.data.mean(dtype=np.float64)),
            )
            values = centred(raw, means, dtype)
        n = np.bincount(raw.indices, minlength=raw.shape[1])
        self.known_users_, self.known_items_ = np.diff(raw.indptr) > 0, n > 0
        self.listed_items_ = n >= self.min_ratings
        factors = self._random_factors(values, fitting.rng)
        with threads.single_blas():
            if fitting.start is not None:
                self._take_over(fitting.start, dataset, values, means, factors)
            self._descend(values, factors, means, fitting)

    def _require_kind(self, dataset: Dataset) -> None:
        kind = dataset.feedback.kind
        if self._is_binary and kind != "binary":
            raise DataError(
                f'MatrixFactorization(objective="binary") learns from labels 0 and 1, and these values are {kind}: '
                'read the data with kind="binary" (labels=… makes labels of events), or choose another model'
            )
        if not self._is_binary and kind == "binary":
            raise DataError(
                "MatrixFactorization predicts ratings, and these values are binary: "
                'set objective="binary", which learns from labels'
            )
        if not self._is_binary:
            dataset.feedback.require_ratings(type(self).__name__)

    def _random_factors(self, ratings: sparse.csr_array, rng: np.random.Generator) -> Factors:
        n_users, n_items = ratings.shape
        users, user_bias, items = (
            self.init_std * rng.standard_normal(size)
            for size in ((n_users, self.dim), n_users, (n_items, self.dim))
        )
        users[~self.known_users_] = 0
        user_bias[~self.known_users_] = 0
        items[~self.known_items_] = 0
        return Factors(*(part.astype(ratings.dtype) for part in (users, user_bias, items, np.zeros(n_items))))

    def _take_over(
        self,
        start: MatrixFactorization,
        dataset: Dataset,
        ratings: sparse.csr_array,
        means: NDArray[np.float64],
        factors: Factors,
    ) -> None:
        """Put `factors` where `start` has them, new users and then new items where their ratings put them.

        An item's own mean may have moved; its bias takes up the difference, so that predictions stay.
        """
        w, b, x, c = factors
        users, items, old = dataset.users, dataset.items, start.memory_
        old_w, has_w = rows_at(start.user_factors_, start.known_users_, old.users, users)
        old_b, _ = rows_at(start.user_offsets_, start.known_users_, old.users, users)
        old_x, has_x = rows_at(start.item_factors_, start.known_items_, old.items, items)
        old_offset, _ = rows_at(start.item_offsets_, start.known_items_, old.items, items)
        new = self.known_users_ & ~has_w
        newcomers = dataset.with_interactions(dataset.interactions.where(new[dataset.interactions.user_idx]))
        new_w, new_b, met = start._folded(moved_to_items(newcomers, old))
        for kept, vectors, offsets in ((met, new_w, new_b), (has_w & self.known_users_, old_w, old_b)):
            w[kept], b[kept] = vectors[kept], offsets[kept]
        kept = has_x & self.known_items_
        x[kept] = old_x[kept]
        if self.item_bias:
            c[kept] = (old_offset - means)[kept]
        self._place_items(np.flatnonzero(self.known_items_ & ~has_x), ratings, means, factors)

    def _place_items(
        self,
        new: NDArray[np.intp],
        ratings: sparse.csr_array,
        means: NDArray[np.float64],
        factors: Factors,
    ) -> None:
        """Put the items at `new` where the users who rated them put them."""
        _, _, x, c = factors
        # In float32 for adam too: a start needs no more, and float64 would compile the solver once more.
        w, b = (part.astype(np.float32, copy=False) for part in factors[:2])
        rows = ratings[:, new].T.tocsr().astype(np.float32)
        x[new], c[new] = self._half_step(
            rows, w, b, own=means[new], bias=self.item_bias, row="among the new items number"
        )

    def _half_step(
        self,
        rows: sparse.csr_array,
        vectors: NDArray[np.float32],
        offsets: NDArray[np.float32],
        *,
        own: NDArray[np.float64] | None = None,
        bias: bool = True,
        row: str,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the vectors and biases of `rows` that minimise J; `own`: logits that rows of labels bring."""
        scale = frequency_scale(np.diff(rows.indptr), self.reg_exponent)
        sides = rows, vectors, offsets, self.reg
        if self._is_binary:
            return label_solvers.half_step(*sides, self.bias_reg, scale, own=own, bias=bias, row=row)
        if bias:
            return rating_solvers.half_step(*sides, self.bias_reg, scale, row=row)
        return rating_solvers.half_step_without_bias(*sides, scale, row=row), np.zeros(
            rows.shape[0], np.float32
        )

    def _descend(
        self,
        ratings: sparse.csr_array,
        factors: Factors,
        means: NDArray[np.float64],
        fitting: Fitting,
    ) -> None:
        """Lower J from `factors` on, which change in place, and set the fitted arrays."""
        n_epochs = self._epochs(warm=fitting.start is not None)

        def ended(history: list[float]) -> None:
            if fitting.on_epoch is not None:
                self._set(factors, means, history)
                self._epoch_ended(fitting, len(history) - 1, n_epochs, history[-1])

        logits = means if self._is_binary else None
        steps = self._steps(ratings, factors, logits, n_epochs, fitting.rng)
        self._set(factors, means, rating_solvers.descend(steps, n_epochs, self.tol or 0.0, ended))

    def _epochs(self, *, warm: bool) -> int:
        own = DESCENTS[self.solver]
        if warm:
            return own.refit_epochs if self.refit_epochs is None else self.refit_epochs
        return own.n_epochs if self.n_epochs is None else self.n_epochs

    def _set(self, factors: Factors, means: NDArray[np.float64], history: ArrayLike) -> None:
        self.user_factors_, self.user_offsets_, self.item_factors_, bias = (
            np.ascontiguousarray(part, np.float32) for part in factors
        )
        self.item_offsets_ = (means + bias).astype(np.float32)
        self.objective_history_ = np.array(history)

    def _steps(
        self,
        ratings: sparse.csr_array,
        factors: Factors,
        logits: NDArray[np.float64] | None,
        n_epochs: int,
        rng: np.random.Generator,
    ) -> Iterator[float]:
        penalty = Penalty.of(ratings, reg=self.reg, bias_reg=self.bias_reg, exponent=self.reg_exponent)
        if self.solver == "als" and logits is not None:
            return label_solvers.als(ratings, factors, penalty, logits, item_bias=self.item_bias)
        if self.solver == "als":
            return rating_solvers.als(ratings, factors, penalty, item_bias=self.item_bias)
        rate = self.learning_rate or DESCENTS[self.solver].learning_rate or 0.0
        settings: dict[str, Any] = {"learning_rate": rate, "item_bias": self.item_bias}
        if self.solver == "sgd":
            return rating_solvers.sgd(
                ratings, factors, penalty, logits, n_epochs=n_epochs, rng=rng, **settings
            )
        return rating_solvers.adam(ratings, factors, penalty, logits, **settings)

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, dim] and offsets float32[n] (b) of known users (positions ≥ 0)."""
        return self.user_factors_[user_idx], self.user_offsets_[user_idx]

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return vectors of the users of `events` from their ratings (or labels) there, the items staying as they are.

        One exact half-step of the objective ([w; b] jointly), whatever the solver was: for an "als" fit and a user of
        its training data it gives their own vector (binary: to the tolerance of Newton's method). Items are matched
        by id; ratings of items that the model does not know say nothing, and a user with no other is unknown. The model
        is not changed; user ids are those of `events` and need not be new. Raises `DataError` unless these are ratings
        on the training scale (binary: labels), `ParameterError` where reg is 0 and the ratings of a user leave their
        vector open.
        """
        self._require_fitted()
        log = at_known_items(events, self.memory_)
        vectors, offsets, known = self._folded(log)
        return UserVectors(vectors, offsets, known, events.users.ids, log.history(), self.space)

    def _folded(
        self, log: Interactions
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
        """Return w, b and who has them, bool[n_users], from events at this model's items."""
        ratings = log.where(self.known_items_[log.item_idx]).matrix("last")
        n = np.diff(ratings.indptr)
        with threads.single_blas():
            vectors, offsets = self._half_step(
                ratings, self.item_factors_, self.item_offsets_, row="user at position"
            )
        return np.ascontiguousarray(vectors), np.ascontiguousarray(offsets), n > 0

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return what each rated item of the request's history adds, as the fold-in of that history has it.

        Squared: the sum Σ_j (y_j − c_j − μ_j) x_i·A⁻¹x_j (`of_ridge`; x with a 1 for the bias, A the matrix of the
        fold-in). The base is the item's own level c_i + μ_i, and by how much the vector is not the fold-in of the
        history: of "sgd" and "adam", and of somebody of the data who asks as of an earlier moment.
        Binary: by how much z falls without each of the latest 50 labels (`by_removal`).
        """
        history = request.history
        rated = self.known_items_[history.item_idx]
        if self._is_binary:
            return by_removal(history, rated, item_idx, by_folding(self, item_idx))
        ratings = last_values(history.where(rated), self.known_items_.size)
        past = ratings.indices.astype(np.int32)
        scale = frequency_scale(np.diff(ratings.indptr), self.reg_exponent)[0]
        vectors, penalised = self._with_one(past), np.append(np.full(self.dim, self.reg), self.bias_reg)
        with threads.single_blas():
            matrix = vectors.T @ vectors + np.diag(scale * penalised)
        apart = ratings.data - self.item_offsets_[past].astype(np.float64)
        of_past = of_ridge(matrix, self._with_one(item_idx), vectors, apart)
        return sums_to(shown_scores(self, request, item_idx), item_idx, past, of_past)

    def _with_one(self, item_idx: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.hstack([self.item_factors_[item_idx], np.ones((item_idx.size, 1))]).astype(np.float64)

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = True) -> NDArray[np.float32]:
        """Return float32[m]: the predicted rating of each pair (users[p], items[p]), also where one is unknown.

        Binary: the probability of a 1, in [0, 1]. An unknown user's prediction is the item's (μ_i + c_i), an unknown
        item's is the global mean and the user's b_u. `clip` keeps predictions on the rating scale, which `score` does
        not. Raises `ParameterError` for unequal lengths.
        """
        self._require_fitted()
        rating = predicted(self, users, items)
        if self._is_binary:
            return special.expit(rating.astype(np.float64)).astype(np.float32)
        return np.clip(rating, *(self.memory_.feedback.scale or (None, None))) if clip else rating
