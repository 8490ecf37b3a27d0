"""DeepFM: a factorisation machine and a net over the same embeddings of ids, features and context."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse, special

from shortlist.data.event_encoder import EventEncoder
from shortlist.data.removal import without_ids
from shortlist.errors import ParameterError
from shortlist.models.deep_fm_examples import Examples, Learning
from shortlist.models.deep_fm_fold_in import IdPrior, PersonLoss, folded, person_examples
from shortlist.models.deep_fm_parameters import DeepFMParameters, deep_part, first_values, take_deep_part
from shortlist.models.encoded_columns import (
    checked_names,
    encode_columns,
    fields_of,
    id_columns,
    kept_columns,
    moved_columns,
)
from shortlist.models.feature_contributions_deep_fm import DeepParts
from shortlist.models.feature_contributions_kept import ITEM_ROWS, USER_ROWS, KeepsRows, columns_at
from shortlist.models.fm_courses import learned_events
from shortlist.models.held_out_rows import held_out_rows
from shortlist.models.model import Model
from shortlist.models.net_parameters import device_name, layer_sizes, patience_of, share_below_one
from shortlist.models.newcomers import new_users
from shortlist.models.score_rows import NOTHING, rank_blocks
from shortlist.models.torch_extra import require_torch
from shortlist.models.vectors import UserVectors, said
from shortlist.parameters import number, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.event_encoder import Side
    from shortlist.data.features import FeatureTable
    from shortlist.data.interactions import Interactions
    from shortlist.data.removal import Removal
    from shortlist.data.vocabulary import Id, Vocabulary
    from shortlist.models.deep_fm_examples import Objective
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import Said
    from shortlist.stages import Lists, Request

    Floats = NDArray[np.float32]
    Values = Mapping[str, Floats]


class DeepFM(KeepsRows, Model):
    """Scores a user, an item and a moment by a factorisation machine and a net that share their embeddings.

    score = w₀ + Σ w x + ½ (‖Σ v x‖² − Σ ‖v‖² x²) + MLP([e_1; …; e_F]), where x are the columns of `EventEncoder`, v and
    w their embeddings and weights, and e_f = Σ v x over the columns of one field. It is the predicted rating where the
    values are ratings (squared error); else its σ is a probability (cross-entropy): of label 1 where they are labels,
    and where they are events that of a positive event among the events and `n_negatives` times as many pairs without
    one, drawn at random: good for ranking, and no probability of anything that was shown.

    - dim >= 1: length of the embeddings; layers: units of each layer of the net (ReLU); () leaves the net out, and a
      factorisation machine remains
    - user_ids, item_ids: whether ids have an embedding
    - user_columns, item_columns, context: which feature and context columns have; None: all there are but free text;
      () none. encode: how, by column (`FeatureEncoder.fit`)
    - n_negatives >= 1: of each event, for positive-only events; they have its moment's context
    - dropout in [0, 1): the share of units left out in a step; reg >= 0: adds reg/2 Σ (‖e_f‖² + (Σ w x)²) of an example
    - n_epochs >= 1 at most, batch_size >= 1, learning_rate > 0 (Adam), init_std > 0 of the embeddings
    - validation_share in [0, 1): of the events, held back; `patience` >= 1 epochs without a better loss on them end
      the fit, and the best parameters are kept. 0, or patience=None: all events are trained on, for n_epochs
    - refit_epochs >= 1: n_epochs when `fit` starts from an earlier model, which must have the same dim, layers and
      fields; columns are matched by name, and new ones begin at random
    - device: "auto" (a CUDA device where there is one), "cpu", "cuda", …; for the fit alone

    Users and items with an event, or with a feature that somebody with an event has too, are known. Who has no event
    has the mean of the ids' embeddings, and the features' own. Only `fit` needs PyTorch. Fitted, all NumPy:
    `embeddings_` float32[n_columns, dim], `weights_`, `bias_`, `deep_` (the layers, see `DeepFMParameters`),
    `user_sides_`, `item_sides_` (what the score needs of each), their encoded rows (`KeepsRows`), `loss_history_` and
    `validation_history_` float64[epochs], `best_epoch_`.

    Cost: an epoch O(m (nnz dim + n_fields dim n_1 + …)) and, since the optimiser's step is dense, O(n_columns dim) a
    batch; a list O(n_items (dim + n_1 n_2 + …)). Source: Guo et al. 2017, DeepFM, equations 1 to 4; there a field has
    one column that is 1, here a weighted sum of its columns. On the processor the same `rng` gives the same result for
    the same number of threads.
    Raises `DataError` where no event is positive and events are all there is, without any column, and for a value that
    is not finite.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "embeddings_",
        "weights_",
        "bias_",
        "deep_",
        "user_sides_",
        "item_sides_",
        *USER_ROWS,
        *ITEM_ROWS,
        "encoding_",
        "loss_history_",
        "validation_history_",
        "best_epoch_",
    )
    BY_USER: ClassVar[tuple[str, ...]] = ("user_sides_",)
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (USER_ROWS,)

    embeddings_: Floats
    weights_: Floats
    bias_: float
    deep_: Floats
    user_sides_: Floats
    item_sides_: Floats
    encoding_: dict[str, Any]
    loss_history_: NDArray[np.float64]
    validation_history_: NDArray[np.float64]
    best_epoch_: int

    def __init__(
        self,
        dim: int = 16,
        layers: Sequence[int] = (64, 32),
        *,
        user_ids: bool = True,
        item_ids: bool = True,
        user_columns: Sequence[str] | None = None,
        item_columns: Sequence[str] | None = None,
        context: Sequence[str] | None = (),
        encode: Mapping[str, str | Mapping[str, Any]] | None = None,
        n_negatives: int = 4,
        dropout: float = 0.0,
        reg: float = 0.01,
        n_epochs: int = 30,
        refit_epochs: int = 5,
        batch_size: int = 1024,
        learning_rate: float = 0.003,
        init_std: float = 0.05,
        validation_share: float = 0.1,
        patience: int | None = 2,
        device: str = "auto",
    ) -> None:
        self.dim = whole("dim", dim, least=1)
        self.layers = layer_sizes("layers", layers, least=0)
        self.user_ids, self.item_ids = _flag("user_ids", user_ids), _flag("item_ids", item_ids)
        self.user_columns = checked_names("user_columns", user_columns)
        self.item_columns = checked_names("item_columns", item_columns)
        self.context = checked_names("context", context)
        self.encode = encode
        self.n_negatives = whole("n_negatives", n_negatives, least=1)
        self.dropout = share_below_one("dropout", dropout)
        self.reg = number("reg", reg)
        self.n_epochs = whole("n_epochs", n_epochs, least=1)
        self.refit_epochs = whole("refit_epochs", refit_epochs, least=1)
        self.batch_size = whole("batch_size", batch_size, least=1)
        self.learning_rate = number("learning_rate", learning_rate, above_zero=True)
        self.init_std = number("init_std", init_std, above_zero=True)
        self.validation_share = share_below_one("validation_share", validation_share)
        self.patience = patience_of(patience)
        self.device = device_name(device)

    @property
    def predicts_ratings(self) -> bool:
        """Return whether it was fitted on ratings; before the fit True: it will be if the data is."""
        return not self.is_fitted or self.memory_.feedback.kind == "ratings"

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Return the context columns that it was fitted with."""
        return tuple(self.encoder.context.kinds) if self.is_fitted else tuple(self.context or ())

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: events by an embedding of theirs, and features where any were learned."""
        return said(events=id_columns(self.encoder, "user").size > 0, features=self.encoder.users.width > 0)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        require_torch(type(self).__name__)
        # An extra, which nothing but a fit may need.
        from shortlist.models.nets.deep_fm_net import train_deep_fm
        from shortlist.models.nets.training import Schedule

        used = dataset.with_interactions(learned_events(dataset))
        examples, rng = self._encoded(dataset, used), fitting.rng
        share = 0.0 if self.patience is None else self.validation_share
        parts = held_out_rows(len(used.interactions), share, rng)
        patience = self.patience if parts[1].size else None
        n_epochs = self.n_epochs if fitting.start is None else self.refit_epochs
        losses: list[tuple[float, float | None]] = []

        def ended(epoch: int, loss: float, check: float | None, values: Callable[[], Values]) -> None:
            losses.append((loss, check))
            if fitting.on_epoch is not None:
                self._set(values(), examples, losses, epoch)
                self._epoch_ended(fitting, epoch, n_epochs, loss, check)

        values, history = train_deep_fm(
            self._first_values(examples, parts[0], fitting),
            examples,
            parts,
            self._learning(used.interactions),
            Schedule(n_epochs, self.batch_size, self.learning_rate, patience, self._negligible),
            rng,
            device=self.device,
            on_epoch=ended,
        )
        self._set(values, examples, losses, history.best_epoch)

    def _encoded(self, dataset: Dataset, used: Dataset) -> Examples:
        """Set the encoding and who is known, and return the examples."""
        log = used.interactions
        encoder, users, items, self.known_users_, self.known_items_ = encode_columns(
            type(self).__name__, dataset, log, self
        )
        self.encoding_ = encoder.to_values()
        self._keep_rows("user", users)
        self._keep_rows("item", items)
        sides: tuple[Side, Side, Side] = ("user", "item", "context")
        user_fields, item_fields, context_fields = (fields_of(encoder, side) for side in sides)
        self.listed_items_ = self.known_items_
        return Examples(
            users,
            items,
            encoder.context_rows(log.context, len(log)),
            log.user_idx.astype(np.int64),
            log.item_idx.astype(np.int64),
            log.value if dataset.feedback.kind != "events" else np.ones(len(log), np.float32),
            (user_fields, item_fields, context_fields),
        )

    def _learning(self, log: Interactions) -> Learning:
        objectives: dict[str, Objective] = {"ratings": "squared", "binary": "binary", "events": "negatives"}
        drawn = np.flatnonzero(np.bincount(log.item_idx, minlength=log.n_items))
        return Learning(objectives[log.feedback.kind], self.reg, self.dropout, self.n_negatives, drawn)

    def _first_values(
        self, examples: Examples, learned: NDArray[np.int64], fitting: Fitting
    ) -> dict[str, Floats]:
        """Return the parameters that the fit begins at: those of `start`, else random ones and the mean as the bias.

        Columns that nothing is learned of, nor was before, are zero, and stay so.
        """
        sizes = self.encoder.n_columns, len(self.encoder.fields), self.dim, self.layers
        values = first_values(*sizes, self.init_std, fitting.rng)
        settled = examples.columns_of(learned)
        if fitting.start is None:
            mean = float(examples.target[learned].mean(dtype=np.float64))
            values["bias"][0] = mean if self.memory_.feedback.kind == "ratings" else self._logit(mean)
        else:
            settled[self._take_over(fitting.start, values)] = True
        values["table"][~settled] = 0
        return values

    def _take_over(self, start: DeepFM, values: dict[str, Floats]) -> NDArray[np.int64]:
        """Put `values` where `start` has them, and return the columns that it has; the others stay as they are."""
        if start.layers != self.layers:
            raise ParameterError(
                f"start has layers={start.layers}, this DeepFM {self.layers}: set the same, or fit without start"
            )
        here, there = moved_columns(self.encoder, start.encoder)
        values["table"][here] = np.column_stack([start.embeddings_, start.weights_])[there]
        values["bias"][0] = start.bias_
        take_deep_part(values, start.deep_)
        return here

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the sides of those who stay, and the parameters without the columns of who goes."""
        left = super()._without_users(removal, fitted)
        kept = kept_columns(self.encoder, removal.ids, type(self).__name__)
        left |= {name: left[name][kept] for name in ("embeddings_", "weights_")}
        left |= columns_at((np.cumsum(kept) - 1).astype(np.int32), left)
        return left | {"encoding_": without_ids(self.encoding_, "user_ids", removal.ids)}

    @property
    def _negligible(self) -> float:
        """Return a loss as good as none: data that a constant predicts begins there, and steps lead away a little."""
        low, high = self.memory_.feedback.scale or (0.0, 1.0)
        return 0.003 * (high - low) ** 2

    def _logit(self, mean: float) -> float:
        share = 1 / (1 + self.n_negatives) if self.memory_.feedback.kind == "events" else mean
        return float(special.logit(np.clip(share, 0.01, 0.99)))

    def _set(
        self, values: Values, examples: Examples, losses: Sequence[tuple[float, float | None]], best: int
    ) -> None:
        table = values["table"]
        self.embeddings_, self.weights_ = np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()
        self.bias_, self.deep_ = float(values["bias"][0]), deep_part(values)
        self.__dict__.pop("_net", None)  # of the epoch before
        self.user_sides_ = self._sides(examples.users, "user")
        self.item_sides_ = self._sides(examples.items, "item")
        self.loss_history_ = np.array([loss for loss, _ in losses])
        self.validation_history_ = np.array([check for _, check in losses if check is not None])
        self.best_epoch_ = best

    @cached_property
    def encoder(self) -> EventEncoder:
        """Return the encoder of the fitted model, whose `names` are those of the columns."""
        return EventEncoder.from_values(self.encoding_)

    @cached_property
    def _net(self) -> DeepFMParameters:
        fields = self.encoder.fields
        field_of = np.full(self.encoder.n_columns, -1)
        for at, field in enumerate(fields):
            field_of[field.start : field.stop] = at
        return DeepFMParameters(
            self.embeddings_, self.weights_, self.bias_, self.deep_, field_of, len(fields), tuple(self.layers)
        )

    def _sides(self, rows: sparse.csr_array, side: Side) -> Floats:
        """Return float32[n, width] of encoded rows; one without an id that was learned gets the mean of the ids."""
        net = self._net
        sides, ids = net.sides(rows), id_columns(self.encoder, side)
        learned = np.zeros(self.encoder.n_columns, bool)
        learned[ids] = self.embeddings_[ids].any(axis=1)
        with_id = np.zeros(rows.shape[0], bool)
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        with_id[row[learned[rows.indices]]] = True
        sides[~with_id] += net.mean_side(np.flatnonzero(learned))
        return sides

    def _mean_side(self, side: Side) -> Floats:
        """Return float32[1, width]: of somebody or something of whom nothing is known."""
        nothing = sparse.csr_array(np.zeros((1, self.encoder.n_columns), np.float32))
        return self._sides(nothing, side)

    def _moment(self, context: Mapping[str, Any] | None) -> Floats:
        """Return float32[width]: what a request's context adds to a user, and the constant."""
        moment: Floats = self._net.sides(self.encoder.request_row(context))[0] + self._net.constant
        return moment

    def fold_in_users(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> UserVectors:
        """Return vectors of users from their events and their features, everything else staying as it is.

        - events: theirs; those with items that the model does not know say nothing. Their context counts
        - features: in a table of the columns of training; those of `events` where None

        Whoever has events gets the embedding that they suggest (`deep_fm_fold_in`), of positive-only events beside
        `n_negatives` times as many unseen items, drawn by a fixed rule; for a user of the training data that is near
        their own, not equal. Somebody without events has their own, or else the mean of the ids. A model without user
        ids goes by features alone. Known is who has an event with a known item, or in the training data, or a feature
        that was learned. The model is not changed. Cost: some 60 times that of the events' scores. Raises `DataError`
        unless values mean what they did in training, `ParameterError` where both are None.
        """
        self._require_fitted()
        people = new_users(events, features, self.memory_)
        rows = self.encoder.user_rows(people.ids, people.table)
        position = self.memory_.users.index_of(people.ids.ids)
        before = np.append(self.known_users_, False)[position]
        learned = (self.embeddings_.any(axis=1) | (self.weights_ != 0))[rows.indices]
        row = np.repeat(np.arange(len(people.ids)), np.diff(rows.indptr))
        known = (np.bincount(row[learned], minlength=len(people.ids)) > 0) | before
        sides = self._sides(rows, "user")
        if people.table is None:  # the features of training stand
            sides[before] = self.user_sides_[position[before]]
        log = self._telling(people.log)
        if id_columns(self.encoder, "user").size:
            known[log.user_idx] = True
            self._place(sides, rows, log)
        zeros = np.zeros(len(people.ids), np.float32)
        return UserVectors(sides, zeros, known, people.ids.ids, people.log.history(), self.space)

    def _telling(self, log: Interactions) -> Interactions:
        """Return the events that say something of whose they are."""
        log = log.where(self.known_items_[log.item_idx])
        return log.where(log.positive) if log.feedback.kind == "events" else log

    def _place(self, sides: Floats, rows: sparse.csr_array, log: Interactions) -> None:
        """Put in place of the ids in `sides` [n, width] what the events of each say, of those who have any."""
        ids = id_columns(self.encoder, "user")
        only_ids = rows.copy()
        only_ids.data = np.where(np.isin(rows.indices, ids), rows.data, np.float32(0))
        bare = sides - self._sides(only_ids, "user")
        moments = self._net.sides(self.encoder.context_rows(log.context, len(log))) + self._net.constant
        field = next(at for at, of in enumerate(self.encoder.fields) if of.start == ids[0])
        prior, candidates = self._id_prior(ids), np.flatnonzero(self.known_items_).astype(np.int32)
        for person in np.unique(log.user_idx).tolist():
            own = log.user_idx == person
            of = person_examples(log.where(own), candidates, self.n_negatives)
            rest = (bare[person] + moments[own][of.event] + self.item_sides_[of.item_idx]).astype(np.float64)
            labels = log.feedback.kind != "ratings"
            loss = PersonLoss(self._net, field, rest, of.target.astype(np.float64), prior, labels)
            sides[person] = bare[person] + folded(loss)

    def _id_prior(self, ids: NDArray[np.int64]) -> IdPrior:
        table = np.column_stack([self.embeddings_[ids], self.weights_[ids]])
        losses = self.validation_history_ if self.validation_history_.size else self.loss_history_
        noise = max(float(losses[self.best_epoch_ - 1]), self._negligible)
        return IdPrior.of(table[self.embeddings_[ids].any(axis=1)], noise)

    def predict_events(self, events: Dataset) -> Floats:
        """Return float32[m]: the rating, clipped to the scale, or the probability of each event, in the log's order.

        Its context counts, and so do the features of `events`, where it has any; else those of training. Who and what
        is unknown is predicted from its features and the mean of the ids. Of positive-only events the probability is
        that among events and drawn pairs. The values of the events are not looked at. Cost: O(m) scores.
        """
        self._require_fitted()
        log = events.interactions
        moments = self._net.sides(self.encoder.context_rows(log.context, len(log))) + self._net.constant
        left = self._sides_of(events.users, events.user_features, "user")[log.user_idx] + moments
        right = self._sides_of(events.items, events.item_features, "item")
        return self._as_prediction(
            self._net.scores(left, right, np.arange(len(log)), np.ascontiguousarray(log.item_idx, np.int32))
        )

    def _sides_of(self, ids: Vocabulary, table: FeatureTable | None, side: Side) -> Floats:
        if table is not None:
            encode = self.encoder.user_rows if side == "user" else self.encoder.item_rows
            return self._sides(encode(ids, table), side)
        known, own = (
            (self.memory_.users, self.user_sides_)
            if side == "user"
            else (self.memory_.items, self.item_sides_)
        )
        # The position of an unknown id is −1, the last row.
        return np.concatenate([own, self._mean_side(side)])[known.index_of(ids.ids)]

    def predict(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool = True) -> Floats:
        """Return float32[m]: the rating or probability of each pair (users[p], items[p]), also where one is unknown.

        Context is missing; `predict_events` has it. `clip` keeps ratings on their scale. Raises `ParameterError` for
        unequal lengths.
        """
        self._require_fitted()
        user_idx, item_idx = self.memory_.users.index_of(users), self.memory_.items.index_of(items)
        if user_idx.size != item_idx.size:
            raise ParameterError(f"predict takes pairs: got {user_idx.size} users and {item_idx.size} items")
        left = np.concatenate([self.user_sides_, self._mean_side("user")]) + self._moment(None)
        right = np.concatenate([self.item_sides_, self._mean_side("item")])
        row, column = user_idx.astype(np.int64) % len(left), (item_idx % len(right)).astype(np.int32)
        return self._as_prediction(self._net.scores(left, right, row, column), clip=clip)

    def _as_prediction(self, score: Floats, *, clip: bool = True) -> Floats:
        feedback = self.memory_.feedback
        if feedback.kind != "ratings":
            return special.expit(score.astype(np.float64)).astype(np.float32)
        return np.clip(score, *(feedback.scale or (None, None))) if clip else score

    def _rank(self, request: Request) -> Lists:
        return self._rank_sides(self.user_sides_[request.user_idx], request)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return self._rank_sides(users.vectors, request)

    def _rank_sides(self, sides: Floats, request: Request) -> Lists:
        left = sides + self._moment(request.context)
        open_items = np.flatnonzero((request.eligible.item_rule == 0) & self.listed_items_).astype(np.int32)
        net, n_items = self._net, self.listed_items_.size

        def scores_of(rows: NDArray[np.int64]) -> Floats:
            out = np.full((rows.size, n_items), NOTHING, np.float32)
            row, column = np.repeat(rows, open_items.size), np.tile(open_items, rows.size)
            out[:, open_items] = net.scores(left, self.item_sides_, row, column).reshape(rows.size, -1)
            return out

        return rank_blocks(scores_of, request, self.listed_items_)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        people, width, users = self.people_of(request), self.encoder.n_columns, request.user_idx
        row = None if people is not None else self._kept_rows("user", users, width)
        person = (self.user_sides_[users] if people is None else people.vectors), row
        items = self.item_sides_[item_idx], self._kept_rows("item", item_idx, width)
        parts = DeepParts(self.encoder, self._net, self._sides)
        return parts.contributions(request, item_idx, person, items)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> Floats:
        users, row = np.unique(user_idx, return_inverse=True)
        left = self.user_sides_[users] + self._moment(None)
        return self._net.scores(left, self.item_sides_, row, item_idx)

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        return self._similar_vectors(item_idx, k, "cosine")

    def _similarity_vectors(self) -> Floats:
        """Return float32[n_items, dim]: the sum of the embeddings of each item's id and features."""
        first = self._net.n_first
        return np.ascontiguousarray(self.item_sides_[:, first : first + self.dim])


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be True or False, got {value!r}")
    return value
