"""FactorizationMachine: pairwise interactions of ids, features and context, in linear time."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import special

from shortlist import threads
from shortlist.data.event_encoder import EventEncoder
from shortlist.data.removal import without_ids
from shortlist.models.encoded_columns import checked_names, encode_columns, kept_columns, moved_columns
from shortlist.models.exact_search import search
from shortlist.models.feature_contributions_fm import MachineParts
from shortlist.models.fm_courses import COURSES, Solver, Spread, flag, learned_events, require_consistent
from shortlist.models.fm_descent import Descent, Steps, Watch, loss_of_intercept, require_descending
from shortlist.models.fm_design import Design, Rows
from shortlist.models.fm_encoding import Encoding
from shortlist.models.fm_fold_in import IdPrior
from shortlist.models.fm_gibbs import Chain
from shortlist.models.fm_negatives import examples_of, with_negatives, with_negatives_of_each
from shortlist.models.fm_parameters import Parameters, Sums
from shortlist.models.fm_people import PersonVectors, sums_of_people
from shortlist.models.fm_posterior import Plan, Posterior, Scale, sample
from shortlist.models.fm_predictions import EXAMPLES_A_BLOCK, Predictor
from shortlist.models.held_out_rows import held_out_rows
from shortlist.models.model import Model
from shortlist.models.newcomers import new_users
from shortlist.models.unseen_items import UnseenItems
from shortlist.models.vectors import DotProduct, UserVectors, said
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.interactions import Interactions
    from shortlist.data.removal import Removal
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting
    from shortlist.models.fm_fold_in import Link
    from shortlist.models.vectors import Said
    from shortlist.stages import Lists, Request

LEAST_REG = 1e-6
LABEL_SHARE = 0.2


class FactorizationMachine(DotProduct, Model):
    """Predicts from all columns of an event and from each pair of them: ids, features and context alike.

    ŷ = w0 + Σ_i w_i x_i + Σ_{i<j} (v_i · v_j) x_i x_j, where x are the columns of `EventEncoder`. With ids alone it is
    w0 + w_u + w_i + v_u · v_i. Where the values are ratings ŷ is the rating; where they are labels it decides the
    probability of label 1; where they are events, that of an event among the events and `n_negatives` times as many
    pairs without one, drawn at random: good for ranking, and no probability of anything that was shown.

    - dim ≥ 1: length of v
    - user_ids, item_ids: whether ids have columns. user_columns, item_columns, context: which feature and context
      columns do; None: all there are but free text; () none. encode: how, by column (`FeatureEncoder.fit`)
    - solver: "gibbs" draws all parameters and priors from their posterior, again and again, and predicts by the mean
      over the draws: the best predictions, no rate or penalty to set, and a spread (`fm_gibbs`). Labels: probit.
      "adagrad" and "sgd" take a step an example (`fm_descent`). Labels: logit
    - n_epochs ≥ 1: sweeps of "gibbs"; burn_in ≥ 0 of them are not kept (None: 20, but at most a third), of the others
      n_kept ≥ 1, evenly
    - learning_rate > 0; reg, weight_reg ≥ 0: penalties of v and w of the columns that an example has; all of "adagrad"
      and "sgd" alone. None is the solver's own, here and above (`COURSES`; of the penalties a fifth for labels)
    - validation_share in [0, 1), patience ≥ 1: of "adagrad" and "sgd": the share of the events that is held back,
      and how many epochs without a better loss on it end the fit, the best state kept. patience=None: all events are
      learned from, for n_epochs
    - n_negatives ≥ 1: for positive-only events; with the user and the context of an event, and an item that has events
      of others. "gibbs" draws them once, the others anew for each epoch
    - init_std > 0: v starts as normal numbers of this standard deviation
    - min_ratings ≥ 0: items with fewer examples are predicted, but not put on lists
    - refit_epochs ≥ 1: n_epochs when `fit` starts from an earlier model with the same fields; columns are matched by
      name, new ones begin at random, and burn_in is at most a third of them

    Each event is an example, also where a pair has several. Users and items that are in an example, or have a feature
    that somebody in one has, are known. Who has no example gets what is known of ids as such: the mean of their prior
    with "gibbs", 0 else.

    `score` is ŷ (mean over the draws), by which lists are ordered, exactly: for a moment, ŷ is a dot product of a
    user's and an item's vector, plus an offset of each. With labels `predict` is the probability (mean over the draws).

    Fitted: `intercepts_` float64[S], `weights_` float32[n_columns + 2, S], `factors_` float32[n_columns + 2, S, dim],
    S the number of draws kept (1 for "adagrad" and "sgd"); the last two columns are those of unknown users and items.
    `noise_` float64[S]: standard deviation of the ratings; `loss_history_` float64[epochs]: mean squared error or
    cross-entropy, with "gibbs" of each draw (labels: of the hidden values). `item_factors_` float32[n_items, S · dim].
    Cost: a sweep O(columns of the examples · dim²), an epoch of the others O(columns of the examples · dim), on one
    thread. Memory: 4 S (dim + 1) bytes a column and 4 S dim an item, with 90 draws of dim 8 6 kB an item; in the fit
    some 4 dim + 20 bytes an example.
    Sources: Rendle 2010, Factorization Machines, equations 1 and 5; Rendle 2012; see `fm_gibbs` for what differs.
    Raises `DataError` without a column to learn from, without a positive event where events are all there is, and for
    values that are not finite.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "intercepts_",
        "weights_",
        "factors_",
        "noise_",
        "id_means_",
        "id_precisions_",
        "loss_history_",
        "encoding_",
        "user_ptr_",
        "user_columns_",
        "user_values_",
        "item_ptr_",
        "item_columns_",
        "item_values_",
    )
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (("user_ptr_", "user_columns_", "user_values_"),)

    intercepts_: NDArray[np.float64]
    weights_: NDArray[np.float32]
    factors_: NDArray[np.float32]
    noise_: NDArray[np.float64]
    id_means_: NDArray[np.float64]
    id_precisions_: NDArray[np.float64]
    loss_history_: NDArray[np.float64]
    encoding_: dict[str, Any]
    user_ptr_: NDArray[np.int64]
    user_columns_: NDArray[np.int32]
    user_values_: NDArray[np.float32]
    item_ptr_: NDArray[np.int64]
    item_columns_: NDArray[np.int32]
    item_values_: NDArray[np.float32]

    def __init__(
        self,
        dim: int = 8,
        *,
        user_ids: bool = True,
        item_ids: bool = True,
        user_columns: Sequence[str] | None = None,
        item_columns: Sequence[str] | None = None,
        context: Sequence[str] | None = (),
        encode: Mapping[str, str | Mapping[str, Any]] | None = None,
        solver: Solver = "gibbs",
        n_epochs: int | None = None,
        refit_epochs: int | None = None,
        burn_in: int | None = None,
        n_kept: int | None = None,
        learning_rate: float | None = None,
        reg: float | None = None,
        weight_reg: float | None = None,
        validation_share: float = 0.1,
        patience: int | None = None,
        n_negatives: int = 4,
        init_std: float = 0.1,
        min_ratings: int = 0,
    ) -> None:
        self.dim = whole("dim", dim, least=1)
        self.user_ids, self.item_ids = flag("user_ids", user_ids), flag("item_ids", item_ids)
        self.user_columns = checked_names("user_columns", user_columns)
        self.item_columns = checked_names("item_columns", item_columns)
        self.context = checked_names("context", context)
        self.encode = encode
        self.solver = one_of("solver", solver, Solver)
        self.n_epochs = None if n_epochs is None else whole("n_epochs", n_epochs, least=1)
        self.refit_epochs = None if refit_epochs is None else whole("refit_epochs", refit_epochs, least=1)
        self.burn_in = None if burn_in is None else whole("burn_in", burn_in, least=0)
        self.n_kept = None if n_kept is None else whole("n_kept", n_kept, least=1)
        self.learning_rate = (
            None if learning_rate is None else number("learning_rate", learning_rate, above_zero=True)
        )
        self.reg = None if reg is None else number("reg", reg)
        self.weight_reg = None if weight_reg is None else number("weight_reg", weight_reg)
        self.validation_share = number("validation_share", validation_share, most=0.99)
        self.patience = None if patience is None else whole("patience", patience, least=1)
        self.n_negatives = whole("n_negatives", n_negatives, least=1)
        self.init_std = number("init_std", init_std, above_zero=True)
        self.min_ratings = whole("min_ratings", min_ratings, least=0)
        require_consistent(self.solver, vars(self))

    def _of(self, name: str) -> Any:
        """Return the parameter, the solver's own where it is None."""
        given = getattr(self, name)
        return getattr(COURSES[self.solver], name) if given is None else given

    def _penalty(self, name: str) -> float:
        """Return reg or weight_reg; the solver's own counts a fifth for labels, whose loss is flatter."""
        own: float = self._of(name)
        return own * LABEL_SHARE if getattr(self, name) is None and self.link == "logit" else own

    @property
    def predicts_ratings(self) -> bool:
        """Return whether it was fitted on ratings; before the fit True: it will be if the data is."""
        return not self.is_fitted or self.memory_.feedback.kind == "ratings"

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Return the context columns that it was fitted with."""
        return tuple(self.encoder.context.kinds) if self.is_fitted else tuple(self.context or ())

    @property
    def link(self) -> Link:
        """Return what turns ŷ into a prediction."""
        if self.memory_.feedback.kind == "ratings":
            return "identity"
        return "probit" if self.solver == "gibbs" else "logit"

    # Fitting.

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: events by their id's row, and features where any were learned."""
        return said(events=len(self.encoder.user_ids) > 0, features=self.encoder.users.width > 0)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        log = learned_events(dataset)
        self._encode(dataset, log)
        context, context_idx = self._rows_of.moments(log.context, len(log))
        examples, fields = examples_of(log, context_idx), self.encoder.fields
        design = Design(self._user_rows, self._item_rows, context, fields, self._rows_of.n_columns, examples)
        negatives = None
        if dataset.feedback.kind == "events":
            every = dataset.interactions
            negatives = UnseenItems(every.user_idx, every.item_idx, np.unique(log.item_idx).astype(np.int32))
        if self.solver == "gibbs":
            self._sample(design, negatives, fitting)
        else:
            self._descend(design, negatives, fitting)

    def _encode(self, dataset: Dataset, log: Interactions) -> None:
        """Set the encoding, the rows of users and items, and who and what is known and listed."""
        encoded = encode_columns(type(self).__name__, dataset, log, self)
        self.encoding_ = encoded.encoder.to_values()
        self.known_users_, self.known_items_ = encoded.known_users, encoded.known_items
        rows = self._rows_of
        self.user_ptr_, self.user_columns_, self.user_values_ = rows.of_users(encoded.users)
        self.item_ptr_, self.item_columns_, self.item_values_ = rows.of_items(encoded.items)
        n_examples = np.bincount(log.item_idx, minlength=log.n_items)
        self.listed_items_ = self.known_items_ & (n_examples >= self.min_ratings)

    def _first(
        self, design: Design, start: FactorizationMachine | None, rng: np.random.Generator
    ) -> tuple[float | None, NDArray[np.float64], NDArray[np.float64]]:
        """Return w0, w and v that the fit begins at: those of the last draw of `start`, else None, 0 and random."""
        weights = np.zeros(design.n_columns)
        factors = self.init_std * rng.standard_normal((design.n_columns, self.dim))
        if start is None:
            return None, weights, factors
        here, there = moved_columns(self.encoder, start.encoder)
        weights[here], factors[here] = start.weights_[there, -1], start.factors_[there, -1]
        return float(start.intercepts_[-1]), weights, factors

    def _sample(self, design: Design, negatives: UnseenItems | None, fitting: Fitting) -> None:
        rng, start = fitting.rng, fitting.start
        examples = with_negatives(design.examples, negatives, self.n_negatives, rng)
        # By user, so that the examples of one lie side by side.
        design = design.with_examples(examples.take(np.argsort(examples.user_idx, kind="stable")))
        target = design.examples.target
        probit = self.link == "probit"
        scale = Scale(0.0, 1.0) if probit else Scale.of(target)
        values = 2.0 * target - 1 if probit else (target - scale.mean) / scale.deviation
        intercept, weights, factors = self._first(design, start, rng)
        units = scale.units(self.dim)
        chain = Chain(
            design,
            values.astype(np.float64),
            weights / units[-1] * (start is not None),
            factors / (units[:-1] if start is not None else 1.0),
            0.0 if intercept is None else (intercept - scale.mean) / scale.deviation,
            probit=probit,
            rng=rng,
        )
        if start is not None and not probit:
            chain.state.alpha = float(scale.deviation / start.noise_[-1]) ** 2
        n_epochs = self._of("n_epochs" if start is None else "refit_epochs")
        burn_in = self.burn_in
        if burn_in is None or start is not None:
            burn_in = min(self._of("burn_in"), n_epochs // 3)
        losses: list[float] = []

        def ended(epoch: int, loss: float, posterior: Posterior) -> None:
            losses.append(loss)
            if fitting.on_epoch is not None or epoch == n_epochs:
                self._set_posterior(posterior, losses)
                self._epoch_ended(fitting, epoch, n_epochs, loss)

        with threads.single_blas():
            sample(design, chain, Plan(n_epochs, burn_in, self._of("n_kept")), scale, ended)

    def _set_posterior(self, posterior: Posterior, losses: list[float]) -> None:
        parameters, priors = posterior.filled()
        self._set(parameters, losses)
        self.noise_ = 1 / np.sqrt(priors.noise_precisions)
        self.id_means_, self.id_precisions_ = priors.means, priors.precisions

    def _descend(self, design: Design, negatives: UnseenItems | None, fitting: Fitting) -> None:
        rng, n_epochs = fitting.rng, self._of("n_epochs" if fitting.start is None else "refit_epochs")
        share = 0.0 if self.patience is None else self.validation_share
        learned, held = held_out_rows(len(design.examples), share, rng)
        held_out = design.with_examples(
            with_negatives(design.examples.take(held), negatives, self.n_negatives, rng)
        )
        logistic, events = self.link == "logit", design.examples.take(learned)
        descent = self._descent(design, events.target, fitting)
        watch = Watch(held_out, logistic, self.patience if held.size else None)
        losses: list[float] = []
        parameters = descent.parameters()
        for epoch in range(1, n_epochs + 1):
            drawn = design.with_examples(with_negatives(events, negatives, self.n_negatives, rng))
            rate = self._of("learning_rate") * (1 if self.solver == "adagrad" else 1 - (epoch - 1) / n_epochs)
            steps = Steps(
                rate, self._penalty("reg"), self._penalty("weight_reg"), logistic, self.solver == "adagrad"
            )
            order = rng.permutation(len(drawn.examples))
            losses.append(descent.epoch(drawn, order, steps))
            least = loss_of_intercept(drawn.examples.target, logistic)
            require_descending(losses[-1], least, epoch, n_epochs, self._of("learning_rate"))
            parameters = watch.seen(descent.parameters())
            if fitting.on_epoch is not None:
                self._set_one(parameters, losses, design)
                self._epoch_ended(fitting, epoch, n_epochs, losses[-1], watch.loss)
            if watch.over:
                break
        self._set_one(watch.best or parameters, losses, design)

    def _descent(self, design: Design, target: NDArray[np.float32], fitting: Fitting) -> Descent:
        intercept, weights, factors = self._first(design, fitting.start, fitting.rng)
        if intercept is None:
            mean = float(target.mean(dtype=np.float64))
            if self.memory_.feedback.kind == "events":
                mean = 1 / (1 + self.n_negatives)
            intercept = float(special.logit(np.clip(mean, 0.01, 0.99))) if self.link == "logit" else mean
        factors[design.n_examples_of_column == 0] = 0
        return Descent(np.array([intercept]), weights.astype(np.float32), factors.astype(np.float32))

    def _set_one(self, parameters: Parameters, losses: list[float], design: Design) -> None:
        self._set(parameters, losses)
        of = design.examples
        noise = 1.0
        if self.link == "identity":
            rows = np.linspace(0, len(of) - 1, min(len(of), EXAMPLES_A_BLOCK)).astype(np.int64)
            some = design.with_examples(of.take(rows))
            noise = float(np.sqrt(np.mean((parameters.predictions(some)[:, 0] - some.examples.target) ** 2)))
        self.noise_ = np.array([noise])
        self.id_means_ = np.zeros((1, self.dim + 1))
        penalties = np.append(np.full(self.dim, self._penalty("reg")), self._penalty("weight_reg"))
        self.id_precisions_ = np.diag(np.maximum(penalties, LEAST_REG))[None]

    def _set(self, parameters: Parameters, losses: list[float]) -> None:
        self.intercepts_, self.weights_, self.factors_ = parameters
        self.loss_history_ = np.array(losses)
        for name in ("_item_sums", "item_factors_", "item_offsets_"):
            self.__dict__.pop(name, None)  # of the epoch before

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the rows of those who stay, and the parameters without the columns of who goes."""
        left = super()._without_users(removal, fitted)
        kept = kept_columns(self.encoder, removal.ids, type(self).__name__)
        kept = np.append(kept, np.ones(self.weights_.shape[0] - kept.size, bool))
        place = (np.cumsum(kept) - 1).astype(np.int32)
        left |= {name: place[left[name]] for name in ("user_columns_", "item_columns_")}
        left |= {name: left[name][kept] for name in ("weights_", "factors_")}
        return left | {"encoding_": without_ids(self.encoding_, "user_ids", removal.ids)}

    # Vectors.

    @cached_property
    def encoder(self) -> EventEncoder:
        """Return the encoder of the fitted model, whose `names` are those of the columns."""
        return EventEncoder.from_values(self.encoding_)

    @property
    def _rows_of(self) -> Encoding:
        return Encoding(self.encoder)

    @property
    def _parameters(self) -> Parameters:
        return Parameters(self.intercepts_, self.weights_, self.factors_)

    @property
    def _user_rows(self) -> Rows:
        return Rows(self.user_ptr_, self.user_columns_, self.user_values_)

    @property
    def _item_rows(self) -> Rows:
        return Rows(self.item_ptr_, self.item_columns_, self.item_values_)

    @cached_property
    def _item_sums(self) -> Sums:
        return self._parameters.side(self._item_rows.at(np.arange(self.known_items_.size)))

    @cached_property
    def item_factors_(self) -> NDArray[np.float32]:  # type: ignore[override]
        """Return float32[n_items, S · dim]: the vectors of the items by all draws, side by side."""
        return self._item_sums.joined

    @cached_property
    def item_offsets_(self) -> NDArray[np.float32]:  # type: ignore[override]
        """Return float32[n_items]."""
        return self._item_sums.mean_offsets

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, S · dim] and offsets float32[n] of known users, of a moment without context."""
        return self._at_moment(self._parameters.side(self._user_rows.at(user_idx)), None)

    def _at_moment(
        self, users: Sums, context: Mapping[str, Any] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.encoder.context.width:
            users = users.beside(self._parameters.side(self._rows_of.request(context)))
        vectors = users.joined / np.float32(self.intercepts_.size)
        return vectors, users.mean_offsets + np.float32(self.intercepts_.mean())

    def _rank(self, request: Request) -> Lists:
        return self._ranked(self._parameters.side(self._user_rows.at(request.user_idx)), request)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        assert isinstance(users, PersonVectors)
        return self._ranked(users.sums, request)

    def _ranked(self, users: Sums, request: Request) -> Lists:
        vectors, offsets = self._at_moment(users, request.context)
        return search(
            vectors,
            self.item_factors_,
            request.k,
            request.eligible,
            query_offsets=offsets,
            item_offsets=self.item_offsets_,
            listed=self.listed_items_,
        )

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        people = self.people_of(request)
        assert people is None or isinstance(people, PersonVectors)
        parts = MachineParts(self._rows_of, self._parameters, self._user_rows, self._item_rows)
        return parts.contributions(request, item_idx, people)

    def fold_in_users(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> UserVectors:
        """Return vectors of people from their events and their features, everything else staying as it is.

        - events: theirs; those with items that the model does not know say nothing. Their context counts
        - features: in a table of the columns of training; those of `events` where None

        People need not be new. Each gets the w and v that their events suggest (`fm_fold_in`), of ratings in closed
        form for each draw; of positive-only events beside `n_negatives` times as many unseen items, drawn by a fixed
        rule. Somebody without events is what their features say, and the mean of the ids. For a user of the
        training data the result is near their own vector, not equal: that one is a draw. A model without user ids goes
        by features alone. Known is who has an event with a known item or a feature that was learned. The model is not
        changed. Raises `DataError` unless values and columns mean what they did in training, `ParameterError` where
        both are None.
        """
        self._require_fitted()
        people = new_users(events, features, self.memory_)
        log = people.log
        if people.log.feedback.kind == "events":
            log = log.where(log.positive)
        log = log.where(self.known_items_[log.item_idx])
        rows = self._rows_of.features_of_users(people.ids, people.table)
        known = rows.has(self._learned_columns)
        if self.encoder.user_ids.ids.len():
            known |= np.bincount(log.user_idx, minlength=len(known)) > 0
            sums = self._sums_of(rows, log)
        else:
            sums = self._parameters.side(rows)
        vectors, offsets = self._at_moment(sums, None)
        history = people.log.history()
        return PersonVectors(vectors, offsets, known, people.ids.ids, history, self.space, sums=sums)

    def _sums_of(self, rows: Rows, log: Interactions) -> Sums:
        """Return the sums of people with the features `rows` and the events `log`, at this model's items."""
        context, context_idx = self._rows_of.moments(log.context, len(log))
        examples = examples_of(log, context_idx)
        if log.feedback.kind == "events" and len(log):
            items = np.flatnonzero(self.known_items_).astype(np.int32)
            examples = with_negatives_of_each(examples, items, self.n_negatives)
        design = Design(
            rows, self._item_rows, context, self.encoder.fields, self._rows_of.n_columns, examples
        )
        drawn = self.solver == "gibbs"
        # The penalties of gradient steps are those of half the squared error.
        noise = 1 / self.noise_**2 if drawn else np.ones(1)
        priors = IdPrior(self.id_means_, self.id_precisions_, noise)
        return sums_of_people(design, self._parameters, priors, self.link, growing=not drawn)

    @cached_property
    def _learned_columns(self) -> NDArray[np.bool_]:
        """Return bool[n_columns + 2]: feature columns that somebody with an example has."""
        return self._rows_of.learned_of_users(self._user_rows, self.known_users_)

    # Predicting.

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = True) -> NDArray[np.float32]:
        """Return float32[m]: the rating or probability of each pair (users[p], items[p]), also where one is unknown.

        Context is missing; `predict_events` has it. `clip` keeps ratings on their scale. Raises `ParameterError` for
        unequal lengths.
        """
        self._require_fitted()
        return self._predictor.of_pairs(users, items, clip=clip).mean

    def predict_events(self, events: Dataset, *, clip: bool = True) -> NDArray[np.float32]:
        """Return float32[m]: the rating or the probability of each event, in the log's order.

        Its context counts, and so do the features of `events`, where it has any; else those of training. Who and what
        is unknown is predicted from its features and the mean of the ids. The values of the events are not looked at.
        `clip` keeps ratings on their scale. Cost: O(columns of an event · S · dim) each.
        """
        return self.predict_spread(events, clip=clip).mean

    def predict_spread(self, events: Dataset, *, clip: bool = True) -> Spread:
        """Return what `predict_events` does, and how far each prediction may be off, by one standard deviation.

        From the draws of the posterior that are kept; with solver="adagrad" or "sgd" there is one set of parameters, so
        of_mean is 0 and of_value the noise in the training data, which is less than that in other data.
        """
        self._require_fitted()
        return self._predictor.of_events(events, clip=clip)

    @property
    def _predictor(self) -> Predictor:
        parts = self._rows_of, self._parameters, self._user_rows, self._item_rows
        return Predictor(*parts, self.memory_, self.link, self.noise_)
