"""BPR: what a person likes is ranked above what the person is not known to like, pair by pair."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from shortlist import threads
from shortlist.errors import DataError, NonFiniteError, ParameterError
from shortlist.models.fold_in import at_known_items, moved_to_items
from shortlist.models.history_contributions import shown_scores, sums_to
from shortlist.models.model import Model
from shortlist.models.pairwise_contributions import shares_of_vector
from shortlist.models.pairwise_fold_in import LEAST_REG, Comparison, best_vector
from shortlist.models.score_rows import positive_items
from shortlist.models.triples import Pairs, Sampler, Scorer, Steps, run_epoch
from shortlist.models.vectors import DotProduct, UserVectors
from shortlist.models.warm_start import rows_at
from shortlist.parameters import number, one_of, whole
from shortlist.stages import offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.models.fitting import Fitting
    from shortlist.models.pairwise_fold_in import Weigh
    from shortlist.stages import Request

Negatives = Literal["uniform", "popularity", "dynamic"]

POPULARITY_EXPONENT = 0.5
N_CANDIDATES = 8
# Items that a person folded in is compared with: all, or as many drawn in the fit.
MOST_CONTRASTS = 512
# ln 2 is the loss of no scores at all; an epoch that is worse by so much goes up, not down.
DIVERGED = 10.0


class BPR(DotProduct, Model):
    """Scores u·v + c such that items a person likes come before others: the area under the curve, made smooth.

    Goes down Σ −ln σ(ŷ_ui − ŷ_uj) over triples of a user u, an item i that u likes and an item j that u is not known
    to like, by a gradient step on each triple. An epoch visits each pair (u, i) once, with a j freshly drawn; a step
    also goes down user_reg/2 |u|² + item_reg/2 (|v_i|² + |v_j|²) + bias_reg/2 (c_i² + c_j²).

    - dim ≥ 1: length of the vectors
    - sampler: how j is drawn, among the items that somebody likes and u is not known to.
      "uniform": each alike. "popularity": in proportion to likes^popularity_exponent. "dynamic": `n_candidates` are
      drawn alike, with replacement, and the one that scores highest for u is taken (Zhang, Chen, Wang and Yu 2013,
      "Optimizing top-N collaborative filtering via dynamic negative item sampling", section 4); scores are those
      before the current sixteenth of the epoch. It weighs the head of the list most and asks for smaller steps
    - popularity_exponent ≥ 0, n_candidates ≥ 2: for that sampler alone; None for `POPULARITY_EXPONENT`, `N_CANDIDATES`
    - learning_rate > 0: of the first step; it falls linearly towards 0 over the epochs, so that the last ones settle
    - user_reg, item_reg, bias_reg ≥ 0: penalties a triple, so in proportion to how often a row is met
    - item_bias: learn c; otherwise it is 0
    - n_epochs ≥ 1; refit_epochs ≥ 1: as many when `fit` starts from an earlier model
    - init_std > 0: vectors start as normal numbers of this standard deviation over √dim, c at 0

    An event is positive as the data declares, a pair is when one of its events is; how often and how strongly does not
    count. Items that nobody likes are unknown, and so are users who like nothing, or everything: they have no triple.
    Fitted: `user_factors_` float32[n_users, dim], `item_factors_` float32[n_items, dim], `item_offsets_` c,
    `loss_history_` float64[epochs]: the mean of −ln σ over an epoch's triples, each before its step; and
    `contrast_items_`, `contrast_weights_`, against which people are folded in.

    Source: Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking from implicit
    feedback", figure 4; deviations: pairs are visited once an epoch instead of drawn with replacement, and steps
    shrink. The result does not depend on the number of threads (`triples` says how).
    Cost of an epoch: O(nnz · dim), as many more scores as there are candidates; 24 bytes for each of at most 2 million
    triples beside the factors.
    Raises `DataError` where no user has a triple, `NonFiniteError` where the steps diverge: the mean loss of an epoch
    is not below 10.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "item_factors_",
        "item_offsets_",
        "user_factors_",
        "loss_history_",
        "contrast_items_",
        "contrast_weights_",
    )
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_",)

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_factors_: NDArray[np.float32]
    loss_history_: NDArray[np.float64]
    contrast_items_: NDArray[np.int32]
    contrast_weights_: NDArray[np.float64]

    def __init__(
        self,
        dim: int = 64,
        *,
        sampler: Negatives = "uniform",
        popularity_exponent: float | None = None,
        n_candidates: int | None = None,
        learning_rate: float = 0.2,
        user_reg: float = 0.02,
        item_reg: float = 0.02,
        bias_reg: float = 0.02,
        item_bias: bool = True,
        n_epochs: int = 40,
        refit_epochs: int = 10,
        init_std: float = 0.1,
    ) -> None:
        self.dim = whole("dim", dim, least=1)
        self.sampler = one_of("sampler", sampler, Negatives)
        self.popularity_exponent = (
            None if popularity_exponent is None else number("popularity_exponent", popularity_exponent)
        )
        self.n_candidates = None if n_candidates is None else whole("n_candidates", n_candidates, least=2)
        for name, own in (("popularity_exponent", "popularity"), ("n_candidates", "dynamic")):
            if getattr(self, name) is not None and sampler != own:
                raise ParameterError(
                    f"{name} is for sampler={own!r} alone, this is {sampler!r}: leave it out"
                )
        self.learning_rate = number("learning_rate", learning_rate, above_zero=True)
        self.user_reg = number("user_reg", user_reg)
        self.item_reg = number("item_reg", item_reg)
        self.bias_reg = number("bias_reg", bias_reg)
        if not isinstance(item_bias, bool):
            raise ParameterError(f"item_bias must be True or False, got {item_bias!r}")
        self.item_bias = item_bias
        self.n_epochs = whole("n_epochs", n_epochs, least=1)
        self.refit_epochs = whole("refit_epochs", refit_epochs, least=1)
        self.init_std = number("init_std", init_std, above_zero=True)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        liked = positive_items(dataset.memory.history, len(dataset.items))
        self.known_items_ = self.listed_items_ = np.bincount(liked.indices, minlength=liked.shape[1]) > 0
        count = np.diff(liked.indptr)
        self.known_users_ = (count > 0) & (count < self.known_items_.sum())
        if not self.known_users_.any():
            raise DataError(self._nothing_to_compare(dataset, liked))
        pairs = self._pairs(liked)
        sampler = self._sampler(np.bincount(liked.indices, minlength=liked.shape[1])[self.known_items_])
        scorer = self._random(fitting.rng)
        self._choose_contrasts(sampler, fitting.rng)
        if fitting.start is not None:
            self._take_over(fitting.start, dataset, scorer)
        self._descend(pairs, sampler, scorer, fitting)

    def _pairs(self, liked: sparse.csr_array) -> Pairs:
        """Return the pairs of known users, items counted among the known ones."""
        position = np.cumsum(self.known_items_, dtype=np.int32) - np.int32(1)
        count = np.diff(liked.indptr)
        user_idx = np.repeat(np.arange(count.size, dtype=np.int32), count)
        kept = self.known_users_[user_idx]
        ptr = offsets(count * self.known_users_)
        return Pairs(ptr, position[liked.indices[kept]], user_idx[kept], int(self.known_items_.sum()))

    def _sampler(self, likes: NDArray[np.int64]) -> Sampler:
        """Return how negatives are drawn, `likes` being those of each known item."""
        if self.sampler != "popularity":
            return Sampler(np.zeros(0), self._candidates)
        exponent = POPULARITY_EXPONENT if self.popularity_exponent is None else self.popularity_exponent
        return Sampler(np.concatenate([[0.0], np.cumsum(likes.astype(np.float64) ** exponent)]), 1)

    @property
    def _candidates(self) -> int:
        if self.sampler != "dynamic":
            return 1
        return N_CANDIDATES if self.n_candidates is None else self.n_candidates

    def _random(self, rng: np.random.Generator) -> Scorer:
        """Return where the descent starts: all users (zeros for the unknown), the known items."""
        std = np.float32(self.init_std / np.sqrt(self.dim))
        n_items = int(self.known_items_.sum())
        users = rng.standard_normal((self.known_users_.size, self.dim), np.float32) * std
        items = rng.standard_normal((n_items, self.dim), np.float32) * std
        return Scorer(users * self.known_users_[:, None], items, np.zeros(n_items, np.float32))

    def _choose_contrasts(self, sampler: Sampler, rng: np.random.Generator) -> None:
        """Set the items that people folded in are compared with, and how much each counts."""
        known = np.flatnonzero(self.known_items_).astype(np.int32)
        weights = np.diff(sampler.mass) if sampler.mass.size else np.ones(known.size)
        chosen = np.arange(known.size)
        if known.size > MOST_CONTRASTS:
            chosen = np.sort(rng.choice(known.size, MOST_CONTRASTS, replace=False))
        self.contrast_items_, self.contrast_weights_ = known[chosen], weights[chosen]

    def _take_over(self, start: BPR, dataset: Dataset, scorer: Scorer) -> None:
        """Put items and users at their vectors in `start`, new users where their events with its items put them."""
        memory, new_users = start.memory_, self.known_users_
        items, had = rows_at(start.item_factors_, start.known_items_, memory.items, dataset.items)
        bias, _ = rows_at(start.item_offsets_, start.known_items_, memory.items, dataset.items)
        had_known = had[self.known_items_]
        scorer.items[had_known] = items[self.known_items_][had_known]
        if self.item_bias:
            scorer.bias[had_known] = bias[self.known_items_][had_known]
        users, has_vector = rows_at(start.user_factors_, start.known_users_, memory.users, dataset.users)
        newcomers = new_users & ~has_vector
        log = dataset.interactions
        folded, known = start._folded(
            positive_items(
                moved_to_items(
                    dataset.with_interactions(log.where(newcomers[log.user_idx])), memory
                ).history(),
                len(memory.items),
            )
        )
        for vectors, taken in ((folded, known & new_users), (users, has_vector & new_users)):
            scorer.users[taken] = vectors[taken]

    def _descend(self, pairs: Pairs, sampler: Sampler, scorer: Scorer, fitting: Fitting) -> None:
        n_epochs = self.n_epochs if fitting.start is None else self.refit_epochs
        losses: list[float] = []
        for epoch in range(n_epochs):
            rate = self.learning_rate * (1 - epoch / n_epochs)
            steps = Steps(rate, rate * self.item_bias, self.user_reg, self.item_reg, self.bias_reg)
            losses.append(run_epoch(pairs, sampler, scorer, steps, fitting.rng))
            if not losses[-1] < DIVERGED:
                raise NonFiniteError(self._diverged(epoch + 1, losses[-1]))
            if fitting.on_epoch is not None or epoch + 1 == n_epochs:
                self._set(scorer, losses)
                self._epoch_ended(fitting, epoch + 1, n_epochs, losses[-1])

    def _set(self, scorer: Scorer, losses: list[float]) -> None:
        n_items = self.known_items_.size
        self.user_factors_ = scorer.users
        self.item_factors_ = np.zeros((n_items, self.dim), np.float32)
        self.item_factors_[self.known_items_] = scorer.items
        self.item_offsets_ = np.zeros(n_items, np.float32)
        self.item_offsets_[self.known_items_] = scorer.bias
        self.loss_history_ = np.array(losses)

    def _diverged(self, epoch: int, loss: float) -> str:
        return (
            f"the mean loss is {loss:g} in epoch {epoch}: the steps diverge. Lower learning_rate "
            f"({self.learning_rate:g}); its product with each penalty must stay well below 1"
        )

    def _nothing_to_compare(self, dataset: Dataset, liked: sparse.csr_array) -> str:
        if liked.nnz == 0:
            return f"none of the {len(dataset.interactions)} {dataset.feedback.kind} is positive"
        return (
            f"no user likes some of the {int(self.known_items_.sum())} liked items and not others: there are no pairs "
            "to compare; BPR needs another user with other items"
        )

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, dim] and offsets float32[n] (zeros) of known users (positions ≥ 0)."""
        return self.user_factors_[user_idx], np.zeros(user_idx.size, np.float32)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return vectors of the users of `events` from their positive events there, the items staying as they are.

        A vector minimises the objective that training goes down, in expectation over the sampler, with the items as
        they are: Σ_i Σ_j w_j (−ln σ(x_ij)) + n/2 user_reg |u|² over the person's n items i and all items j that the
        person does not like (512 of them, drawn in the fit, where there are more). That is a convex problem, solved by
        Newton's method: the same events always give the same vector, whoever is folded in beside. It is near the
        vector of training, not equal: there the items moved, and steps are stochastic. For "dynamic", w goes by the
        rank of j and is renewed with each step. A `user_reg` below 1e-4 counts as 1e-4.

        Items are matched by id; those that the model has no vector for say nothing; a user with no other, or with all,
        is unknown. The model is not changed. Raises `DataError` unless the values mean what they did in training.
        """
        self._require_fitted()
        log = at_known_items(events, self.memory_)
        vectors, known = self._folded(positive_items(log.history(), len(self.memory_.items)))
        zeros = np.zeros(len(vectors), np.float32)
        return UserVectors(vectors, zeros, known, events.users.ids, log.history(), self.space)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        """Return what each positive item of the request's history adds, as its fold-in has it (`shares_of_vector`).

        The base is the item's c_i, and by how much the person's vector is not the sum that a fold-in of the history is:
        a vector of training is near it, and not equal, as is a fold-in whose weights go by rank ("dynamic"). All of it
        is base where the history has nothing to compare.
        """
        liked = positive_items(request.history, self.known_items_.size).indices.astype(np.int32)
        liked = liked[self.known_items_[liked]]
        shown, problem = shown_scores(self, request, item_idx), self._problem(liked)
        if problem is None:
            return sums_to(shown, item_idx, liked[:0], np.zeros((item_idx.size, 0)))
        comparison, weigh = problem
        u = best_vector(comparison, weigh)
        shares = shares_of_vector(comparison, weigh(comparison.others @ np.append(u, 1.0)), u)
        return sums_to(shown, item_idx, liked, self.item_factors_[item_idx].astype(np.float64) @ shares.T)

    def _folded(self, liked: sparse.csr_array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return vectors float32[n, dim] of rows of items, and bool[n]: who has one."""
        vectors, known = np.zeros((liked.shape[0], self.dim), np.float32), np.zeros(liked.shape[0], bool)

        def fold(start: int, stop: int) -> None:
            for row in range(start, stop):
                items = liked.indices[liked.indptr[row] : liked.indptr[row + 1]]
                vector = self._vector(items[self.known_items_[items]])
                if vector is not None:
                    vectors[row], known[row] = vector, True

        with threads.single_blas():
            threads.run_blocks(fold, liked.shape[0])
        return vectors, known

    def _vector(self, liked: NDArray[np.int32]) -> NDArray[np.float64] | None:
        """Return the vector of who likes these known items; None where there is nothing to compare."""
        problem = self._problem(liked)
        return None if problem is None else best_vector(*problem)

    def _problem(self, liked: NDArray[np.int32]) -> tuple[Comparison, Weigh] | None:
        """Return what `best_vector` takes, of who likes these known items; None where there is nothing to compare."""
        at = np.flatnonzero(~np.isin(self.contrast_items_, liked))
        others, weights = self.contrast_items_[at], self.contrast_weights_[at]
        if others.size == 0:
            open_to_all = self.known_items_.copy()
            open_to_all[liked] = False
            others = np.flatnonzero(open_to_all).astype(np.int32)
            weights = np.ones(others.size)
        if liked.size == 0 or others.size == 0:
            return None
        comparison = Comparison(
            self._with_bias(liked), self._with_bias(others), max(self.user_reg, LEAST_REG)
        )
        if self.sampler == "dynamic":
            return comparison, partial(chances_of_best, n_candidates=self._candidates)
        share = weights / weights.sum()
        return comparison, lambda scores: share

    def _with_bias(self, item_idx: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.column_stack([self.item_factors_[item_idx], self.item_offsets_[item_idx]]).astype(
            np.float64
        )


def chances_of_best(scores: NDArray[np.float64], n_candidates: int) -> NDArray[np.float64]:
    """Return float64[n]: how likely each item is the one of largest score among draws with replacement, uniform.

    Of n items the one at rank r, from 1, is it with probability ((n − r + 1)^m − (n − r)^m) / n^m for m draws.

    >>> chances_of_best(np.array([0.1, 0.3]), 2)
    array([0.25, 0.75])
    """
    not_above = np.empty(scores.size)
    not_above[np.argsort(scores, kind="stable")] = np.arange(1, scores.size + 1) / scores.size
    return not_above**n_candidates - (not_above - 1 / scores.size) ** n_candidates
