"""TwoTower: a network for users and a network for items, whose vectors meet in a dot product."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from scipy import sparse, special

from shortlist.errors import DataError, ParameterError
from shortlist.models.exact_search import pair_scores
from shortlist.models.feature_columns import checked_columns
from shortlist.models.feature_contributions_kept import ITEM_ROWS, USER_ROWS, KeepsRows
from shortlist.models.feature_contributions_towers import TowerSide, tower_contributions
from shortlist.models.fitting import Epoch
from shortlist.models.item_vectors import ItemVectors
from shortlist.models.model import Model
from shortlist.models.net_parameters import device_name, layer_sizes, patience_of, share_below_one
from shortlist.models.newcomers import new_items, new_users
from shortlist.models.torch_extra import require_torch
from shortlist.models.tower_examples import examples_of, loss_of
from shortlist.models.tower_features import described, encodings_of, feature_rows
from shortlist.models.tower_pairs import PairNet, PairTables, TargetScale
from shortlist.models.tower_parts import (
    OWN_SETTINGS,
    Examples,
    Side,
    Tower,
    TowerLoss,
    TowerSettings,
    TrainedTowers,
)
from shortlist.models.tower_start import moved_numbers, require_like
from shortlist.models.vectors import DotProduct, UserVectors
from shortlist.parameters import generator, number, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Id
    from shortlist.models.fitting import Fitting, OnEpoch
    from shortlist.models.vectors import Said
    from shortlist.stages import Request


class TwoTower(DotProduct, KeepsRows, Model):
    """Scores by the cosine of two vectors, one made of what is known of the user, one of what is known of the item.

    Each vector comes out of a network of its own: layers of `layers` units, ReLU between them, a linear last one, and
    its output divided by its length, so that u·v lies in [−1, 1]. What enters is the features, and beside them `id_dim`
    learned numbers of the id. Since the vector of an item does not depend on who asks, all are made once, after
    training; that of a new user takes one pass (`fold_in_users`).

    - layers: sizes of the layers, of both towers; the last is the length of the vectors
    - loss: None is "squared" for ratings, "cross_entropy" for labels, "softmax" for events
        - "squared": (u·v − t)², t the value brought from its scale to [−1, 1]; for ratings and labels
        - "cross_entropy": −y ln p − (1 − y) ln(1 − p), p = σ(a u·v + c) with a > 0 and c learned, y whether the event
          is positive
        - "softmax": −ln of the share of the pair's item in e^(u·v / temperature − ln q), among the items of the
          batch, q being an item's share of the pairs (logQ: without it popular items would be pushed down for being
          in most batches). The same item in another row of the batch is left out. Positive pairs only
    - user_features, item_features: names of columns; True for all but free text, False for none, None for all but free
      text where the data has any. encode: how a column is encoded, as in `FeatureEncoder.fit`, of either side
    - user_ids, item_ids: whether ids enter, too. id_dropout in [0, 1): the share of rows that are trained without
      their id, so that the towers can do without: who has features only gets zeros in its place
    - temperature > 0: of the softmax; weight_penalty λ ≥ 0: λ (‖W_u‖² + ‖W_m‖²) is added to the loss of each batch,
      over the weights of both towers without biases (AdamW's decay is another thing)
    - learning_rate, batch_size, n_epochs: of Adam. refit_epochs: as many when `fit` starts from an earlier model
    - validation_share in [0, 1), patience: so many of the examples are held back, and training ends after `patience`
      epochs without a lower loss on them (None: never); the state of the best epoch is kept. 0: none, all epochs run
    - device: "auto" is a graphics processor where there is one

    Known are users and items of the examples (where ids enter) and all that have a feature; items without an event are
    on lists by their features. Of several ratings of a pair the last counts; for "softmax" a pair counts once.
    `score` is the predicted rating (squared), a u·v + c (cross_entropy) or u·v (softmax); `predict` the rating or the
    probability. Fitted: `user_factors_` float32[n_users, d], `item_factors_` float32[n_items, d], of length 1, zeros
    for the unknown, and what was encoded of them (`KeepsRows`); `loss_history_`, `validation_history_` float64[epochs],
    in the unit of training.

    PyTorch runs on one thread where a step is small: up to 2^24 products of a parameter and a row. Beyond, its threads
    may sum in another order for other numbers of them (at the default sizes they do not). Cost of an epoch: examples ×
    parameters × 6 operations; Adam moves all parameters in every step, those of ids too.
    Source: Yi et al. 2019, "Sampling-bias-corrected neural modeling for large corpus item recommendations" (softmax);
    Ng, Machine Learning Specialization, course 3 week 2 (`course`).
    Raises `MissingExtraError` without PyTorch, `NonFiniteError` where training diverges, `DataError` for data without
    examples or without anything to enter a tower.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "user_factors_",
        "item_factors_",
        "item_offsets_",
        "user_tower_",
        "item_tower_",
        "user_numbers_",
        "item_numbers_",
        *USER_ROWS,
        *ITEM_ROWS,
        "user_encoding_",
        "item_encoding_",
        "loss_",
        "score_scale_",
        "score_shift_",
        "loss_history_",
        "validation_history_",
    )
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (USER_ROWS,)
    BY_USER: ClassVar[tuple[str, ...]] = ("user_factors_", "user_numbers_")

    user_factors_: NDArray[np.float32]
    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    user_tower_: NDArray[np.float32]
    item_tower_: NDArray[np.float32]
    user_numbers_: NDArray[np.float32]
    item_numbers_: NDArray[np.float32]
    user_encoding_: dict[str, Any] | None
    item_encoding_: dict[str, Any] | None
    loss_: TowerLoss
    score_scale_: float
    score_shift_: float
    loss_history_: NDArray[np.float64]
    validation_history_: NDArray[np.float64]
    pairs_: PairNet

    def __init__(
        self,
        layers: Sequence[int] = (256, 128, 32),
        *,
        loss: TowerLoss | None = None,
        user_features: bool | Sequence[str] | None = None,
        item_features: bool | Sequence[str] | None = None,
        encode: Mapping[str, Any] | None = None,
        user_ids: bool = True,
        item_ids: bool = True,
        id_dim: int = 32,
        id_dropout: float = 0.1,
        temperature: float = 0.1,
        weight_penalty: float = 0.0,
        learning_rate: float = 0.001,
        batch_size: int = 128,
        n_epochs: int = 30,
        refit_epochs: int = 5,
        validation_share: float = 0.1,
        patience: int | None = 3,
        device: str = "auto",
    ) -> None:
        self.layers = layer_sizes("layers", layers)
        self.loss = None if loss is None else one_of("loss", loss, TowerLoss)
        self.user_features = _columns("user_features", user_features)
        self.item_features = _columns("item_features", item_features)
        self.encode = None if encode is None else dict(encode)
        for name, value in (("user_ids", user_ids), ("item_ids", item_ids)):
            if not isinstance(value, bool):
                raise ParameterError(f"{name} must be True or False, got {value!r}")
        self.user_ids = user_ids
        self.item_ids = item_ids
        self.id_dim = whole("id_dim", id_dim, least=1)
        self.id_dropout = share_below_one("id_dropout", id_dropout)
        self.temperature = number("temperature", temperature, above_zero=True)
        self.weight_penalty = number("weight_penalty", weight_penalty)
        self.learning_rate = number("learning_rate", learning_rate, above_zero=True)
        self.batch_size = whole("batch_size", batch_size, least=1)
        self.n_epochs = whole("n_epochs", n_epochs, least=1)
        self.refit_epochs = whole("refit_epochs", refit_epochs, least=1)
        self.validation_share = share_below_one("validation_share", validation_share)
        self.patience = patience_of(patience)
        self.device = device_name(device)

    @classmethod
    def course(cls, *, weight_penalty: float = 0.0) -> Self:
        """Return the setting of the course's content lab: squared loss, Adam .01, 30 epochs of batches of 32.

        The layers are 256-128-32. All pairs are trained on and no epoch is chosen; ids do not enter.
        """
        return cls(
            loss="squared",
            user_ids=False,
            item_ids=False,
            weight_penalty=weight_penalty,
            learning_rate=0.01,
            batch_size=32,
            n_epochs=30,
            validation_share=0.0,
            patience=None,
        )

    @property
    def predicts_ratings(self) -> bool:
        """Return whether scores are predicted ratings; before the fit, whether they will be if it is on ratings."""
        if not self.is_fitted:
            return self.loss in (None, "squared")
        return self.loss_ == "squared" and self.memory_.feedback.kind == "ratings"

    @property
    def n_parameters_(self) -> int:
        """Return how many numbers the towers learned: weights, biases, and those of ids that were trained.

        The course counts 82,240 for 14 and 16 inputs without ids.
        """
        if self.is_fitted:
            own = (self.user_tower_, self.item_tower_, self.user_numbers_, self.item_numbers_)
            return sum(part.size for part in own)
        pairs = self._require_pairs()
        return pairs.user.to_flat().size + pairs.item.to_flat().size

    # On a dataset.

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: features, where the tower takes any."""
        return () if self.user_encoding_ is None else ("features",)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        require_torch(type(self).__name__)
        from shortlist.models.nets.tower_training import fit_towers

        start: TwoTower | None = fitting.start
        self.loss_ = loss_of(self.loss, dataset.feedback)
        if start is not None:
            require_like(self, start)
        self._choose_features(dataset, start)
        scale = TargetScale(*(dataset.feedback.scale or (-1.0, 1.0)))
        examples = examples_of(dataset.interactions, self.loss_, scale)
        sides = self._sides(dataset, examples)
        n_epochs = self.n_epochs if start is None else self.refit_epochs

        def ended(trained: TrainedTowers, epoch: int, loss: float, check: float | None) -> None:
            if fitting.on_epoch is not None:
                self._publish(trained, sides, scale)
                self._epoch_ended(fitting, epoch, n_epochs, loss, check)

        self.loss_history_ = self.validation_history_ = np.zeros(0)
        trained, history = fit_towers(
            sides,
            examples,
            self._settings(self.loss_, self.validation_share, n_epochs),
            fitting.rng,
            start=None if start is None else start._towers_for(dataset),
            on_epoch=ended,
        )
        self._publish(trained, sides, scale)
        self.loss_history_, self.validation_history_ = history.losses, history.validation_losses

    def _settings(self, loss: TowerLoss, validation_share: float, n_epochs: int) -> TowerSettings:
        own = {name: getattr(self, name) for name in OWN_SETTINGS}
        return TowerSettings(loss=loss, n_epochs=n_epochs, validation_share=validation_share, **own)

    def _choose_features(self, dataset: Dataset, start: TwoTower | None) -> None:
        """Set the encodings: those of `start` where there is one, since its weights belong to them."""
        if start is not None:
            self.user_encoding_, self.item_encoding_ = start.user_encoding_, start.item_encoding_
            return
        self.user_encoding_, self.item_encoding_ = encodings_of(
            dataset, self.user_features, self.item_features, self.encode
        )
        for side, ids, encoding in (
            ("user", self.user_ids, self.user_encoding_),
            ("item", self.item_ids, self.item_encoding_),
        ):
            if not ids and encoding is None:
                raise DataError(
                    f"nothing enters the tower of the {side}s: {side}_ids is False, and there is no feature to encode"
                )

    def _sides(self, dataset: Dataset, examples: Examples) -> tuple[Side, Side]:
        """Return what enters the towers, and set who and what is known."""
        n_users, n_items = len(dataset.users), len(dataset.items)
        users = feature_rows(self.user_encoding_, dataset.user_features, n_users)
        items = feature_rows(self.item_encoding_, dataset.item_features, n_items)
        self._keep_rows("user", users)
        self._keep_rows("item", items)
        has_user, has_item = (
            np.bincount(index, minlength=n) > 0
            for index, n in ((examples.user_idx, n_users), (examples.item_idx, n_items))
        )
        self.known_users_ = described(users) | (has_user & self.user_ids)
        self.known_items_ = described(items) | (has_item & self.item_ids)
        self.listed_items_ = self.known_items_
        return (
            Side(users, has_user if self.user_ids else None),
            Side(items, has_item if self.item_ids else None),
        )

    def _publish(self, trained: TrainedTowers, sides: tuple[Side, Side], scale: TargetScale) -> None:
        """Set the fitted attributes: the towers, and the vectors that they make of everybody and everything known."""
        self.user_tower_, self.item_tower_ = trained.user.to_flat(), trained.item.to_flat()
        self.user_numbers_, self.item_numbers_ = (
            np.zeros((0, self.id_dim), np.float32) if tower.ids is None else tower.ids
            for tower in (trained.user, trained.item)
        )
        users, items = (
            tower.vectors(sparse.csr_array(side.features), tower.ids)
            for tower, side in zip((trained.user, trained.item), sides, strict=True)
        )
        self.user_factors_ = users * self.known_users_[:, None]
        self.item_factors_ = items * self.known_items_[:, None]
        self.item_offsets_ = np.zeros(len(items), np.float32)
        self.score_scale_, self.score_shift_ = trained.scale, trained.shift
        if self.loss_ == "squared":
            self.score_scale_, self.score_shift_ = scale.half, scale.middle

    def _towers_for(self, dataset: Dataset) -> TrainedTowers:
        """Return these towers with the ids of `dataset`; what they do not know of it has zeros for its id."""
        users = moved_numbers(self.user_numbers_, self.memory_.users, dataset.users)
        items = moved_numbers(self.item_numbers_, self.memory_.items, dataset.items)
        return TrainedTowers(
            replace(self._user_tower, ids=users),
            replace(self._item_tower, ids=items),
            self.score_scale_,
            self.score_shift_,
        )

    @property
    def _user_tower(self) -> Tower:
        return Tower.from_flat(self.user_tower_, self.layers, self.user_numbers_ if self.user_ids else None)

    @property
    def _item_tower(self) -> Tower:
        return Tower.from_flat(self.item_tower_, self.layers, self.item_numbers_ if self.item_ids else None)

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return vectors float32[n, d] and offsets float32[n] of known users (positions ≥ 0), scaled as scores are."""
        return self._scaled(self.user_factors_[user_idx])

    def _scaled(self, unit: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scaled = unit * np.float32(self.score_scale_)
        return scaled, np.full(len(unit), self.score_shift_, np.float32)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        people, scale = self.people_of(request), self.score_scale_
        user = (
            self._tower_side("user", request.user_idx)
            if people is None
            else TowerSide.said(self._user_tower, self.user_encoding_, people.vectors / (scale or 1), request)
        )
        return tower_contributions(item_idx, user, self._tower_side("item", item_idx), scale)

    def _tower_side(self, side: Literal["user", "item"], index: NDArray[np.int32]) -> TowerSide:
        tower, vectors, encoding = (
            (self._user_tower, self.user_factors_, self.user_encoding_)
            if side == "user"
            else (self._item_tower, self.item_factors_, self.item_encoding_)
        )
        return TowerSide.kept(tower, encoding, vectors, partial(self._kept_rows, side), index)

    def fold_in_users(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> UserVectors:
        """Return the vectors of people from their features, in one pass through the tower.

        - features: a row a person, in columns like those of training; a column that is not there is missing. Where
          None, the user features of `events`
        - events: theirs, which are their history (`exclude_seen`) and say nothing of their vector

        Their ids are zeros to the tower, as of anybody who was not trained on. Who has no feature is unknown. The model
        is not changed. Raises `ParameterError` for a model without user features, `DataError` for columns of another
        kind.
        """
        self._require_fitted()
        if self.user_encoding_ is None:
            raise ParameterError(
                "this TwoTower was fitted without user features, and of a new user nothing else enters its tower"
            )
        people = new_users(events, features, self.memory_)
        rows = feature_rows(self.user_encoding_, people.table, len(people.ids))
        vectors, offsets = self._scaled(self._without_ids(self._user_tower, rows))
        return UserVectors(
            vectors, offsets, described(rows), people.ids.ids, people.log.history(), self.space
        )

    def fold_in_items(self, *, features: FeatureTable) -> ItemVectors:
        """Return the vectors of items from their features, comparable with `item_factors_`; a row without is unknown.

        Raises `ParameterError` for a model without item features.
        """
        self._require_fitted()
        if self.item_encoding_ is None:
            raise ParameterError("this TwoTower was fitted without item features")
        items = new_items(None, features, self.memory_)
        rows = feature_rows(self.item_encoding_, items.table, len(items.ids))
        known = described(rows)
        vectors = self._without_ids(self._item_tower, rows) * known[:, None]
        return ItemVectors(vectors, known, items.ids.ids)

    def _without_ids(self, tower: Tower, rows: sparse.csr_array) -> NDArray[np.float32]:
        zeros = None if tower.ids is None else np.zeros((rows.shape[0], self.id_dim), np.float32)
        return tower.vectors(rows, zeros)

    def predict(self, users: Iterable[Id], items: Iterable[Id]) -> NDArray[np.float32]:
        """Return float32[m]: the rating of each pair (users[p], items[p]), or for labels the probability of a 1.

        What is unknown has the vector of a user, an item, of whom nothing is known: zeros enter its tower. Raises
        `ParameterError` for unequal lengths, and with loss="softmax", whose scores are neither.
        """
        self._require_fitted()
        if self.loss_ == "softmax":
            raise ParameterError('loss="softmax" orders items and predicts no value; use score or recommend')
        user_idx, item_idx = self.memory_.users.index_of(users), self.memory_.items.index_of(items)
        if user_idx.size != item_idx.size:
            raise ParameterError(f"predict takes pairs: got {user_idx.size} users and {item_idx.size} items")
        unit = self._with_blank(self.user_factors_, self._user_tower, self.user_encoding_)
        of_items = self._with_blank(self.item_factors_, self._item_tower, self.item_encoding_)
        vectors, offsets = self._scaled(unit)
        row = np.where(_knows(self.known_users_, user_idx), user_idx, len(unit) - 1).astype(np.int64)
        column = np.where(_knows(self.known_items_, item_idx), item_idx, len(of_items) - 1).astype(np.int32)
        zeros = np.zeros(len(of_items), np.float32)
        scores = pair_scores(vectors, offsets, of_items, zeros, row, column)
        if self.loss_ == "cross_entropy":
            return special.expit(scores.astype(np.float64)).astype(np.float32)
        return scores

    def _with_blank(
        self, factors: NDArray[np.float32], tower: Tower, encoding: dict[str, Any] | None
    ) -> NDArray[np.float32]:
        """Return the vectors, and behind them that of somebody of whom nothing is known."""
        return np.vstack([factors, self._without_ids(tower, feature_rows(encoding, None, 1))])

    # On plain tables.

    def fit_pairs(
        self,
        user_rows: ArrayLike,
        item_rows: ArrayLike,
        targets: ArrayLike,
        *,
        validation_share: float | None = None,
        rng: np.random.Generator | int | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Fit both towers on tables of numbers, row n of each being pair n, and return self; for `predict_pairs`.

        - user_rows [m, f], item_rows [m, g]: standardised within, a constant column becomes 0
        - targets [m]: brought to [−1, 1] by their least and greatest within; with loss="cross_entropy" 0 or 1
        - validation_share: in place of the model's own
        - on_epoch: called with an `Epoch` after each, whose model has `predict_pairs`

        No ids are known, so lists, and what needs a fit on a dataset, stay as they were; `fit` forgets the pairs, and
        an artifact does not hold them. `pairs_` has the towers and the histories of the losses. A call that is broken
        off leaves all as it was.
        Raises `DataError` for a cell that is no finite number, which it names, `ParameterError` for tables of different
        lengths and with loss="softmax", which needs to know which items are the same.
        """
        require_torch(type(self).__name__)
        from shortlist.models.nets.tower_training import fit_towers

        pairs = PairTables.of(user_rows, item_rows, targets, self.loss or "squared")
        share = self.validation_share
        if validation_share is not None:
            share = share_below_one("validation_share", validation_share)

        def ended(trained: TrainedTowers, number: int, loss: float, check: float | None) -> None:
            if on_epoch is not None:
                now = copy.copy(self)
                now.pairs_ = pairs.net(trained, [loss], [] if check is None else [check])
                on_epoch(Epoch(number, self.n_epochs, now, loss, check))

        trained, history = fit_towers(
            pairs.sides,
            pairs.examples,
            self._settings(pairs.loss, share, self.n_epochs),
            generator(rng),
            on_epoch=ended,
        )
        self.pairs_ = pairs.net(trained, history.losses, history.validation_losses)
        return self

    def predict_pairs(self, user_rows: ArrayLike, item_rows: ArrayLike) -> NDArray[np.float32]:
        """Return float32[n]: the target of each pair of rows, in the unit that `fit_pairs` was given; for labels p(1).

        Tables have the columns of `fit_pairs`. A pair alone gives what it gives among others. Raises `DataError` for
        other columns or a cell that is no finite number, `ParameterError` where `fit_pairs` was not called.
        """
        pairs = self._require_pairs()
        return pairs.of_tables(user_rows, item_rows)

    def _require_pairs(self) -> PairNet:
        if not hasattr(self, "pairs_"):
            raise ParameterError("this TwoTower is not fitted on pairs; call fit_pairs first")
        return self.pairs_


def _columns(name: str, columns: object) -> bool | list[str] | None:
    return None if columns is None else checked_columns(name, columns)


def _knows(known: NDArray[np.bool_], index: NDArray[np.int32]) -> NDArray[np.bool_]:
    has: NDArray[np.bool_] = (index >= 0) & known[np.maximum(index, 0)]
    return has
