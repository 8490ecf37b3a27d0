"""SoftmaxNet: a person's vector from who they are and what they had, trained by softmax over all items."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from shortlist.data.feature_encoder import FeatureEncoder
from shortlist.errors import DataError, ParameterError
from shortlist.models.feature_columns import checked_columns, encoding_of
from shortlist.models.feature_contributions_kept import USER_ROWS, KeepsRows, no_features
from shortlist.models.feature_contributions_softmax import KnownPerson, net_contributions
from shortlist.models.feature_contributions_words import Words, encoder_of, said_of
from shortlist.models.held_out_pairs import held_out_pairs
from shortlist.models.model import Model
from shortlist.models.net_parameters import device_name, layer_sizes
from shortlist.models.net_rows import dense_rows_of, scattered, weighted_sums_of
from shortlist.models.newcomers import new_users
from shortlist.models.positive_matrix import positive_matrix
from shortlist.models.score_rows import positive_items
from shortlist.models.softmax_people import NetVectors
from shortlist.models.softmax_start import random_arrays, take_over
from shortlist.models.torch_extra import require_torch
from shortlist.models.vectors import DotProduct, UserVectors, rank_by_vectors, said, unit_rows
from shortlist.parameters import number, one_of, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.features import FeatureTable
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import Said
    from shortlist.stages import History, Lists, Request

    Arrays = dict[str, NDArray[np.float32]]

Similarity = Literal["cosine", "dot"]
Negatives = Literal["all", "uniform", "popularity", "in_batch"]


class SoftmaxNet(DotProduct, KeepsRows, Model):
    """Scores ψ·v + c such that softmax over all items gives what a person has a large probability.

    Minimises the mean over positive pairs (u, i) of −ln (e^{s_ui} / Σ_j e^{s_uj}), where j runs over all items that
    anybody likes. ψ is a net's answer to what is known of the person (`nets.softmax_training` has the formulas):

    - user_ids: an embedding of the person themselves; user_features: columns of the user features, True for all but
      free text, dense ones as numbers, the others one weight a value; history: the mean embedding of the items they
      like. At least one of the three
    - tied: the history's items are embedded by their own v (before it is cut to length 1), which makes items alike that
      the same people have; for layers=() only, where both have dim numbers. None: wherever that is possible
    - layers: sizes of those between, each after a ReLU; () is linear, and with user_ids alone that is matrix
      factorisation with a softmax. dim ≥ 1: the length of ψ and v
    - similarity: "cosine" has ψ and v at length 1 and divides their product by `temperature` > 0: a low one looks at
      the items nearest to a person, a high one at all. "dot" takes the product as it is, divided likewise
    - item_bias: learn c; otherwise it is 0
    - negatives: what the sum over j has. "all" items (full softmax); in each step a sample of about `n_negatives`,
      drawn "uniform" or by "popularity": in proportion to likes^popularity_exponent; or "in_batch", the items of the
      people in the batch. Items drawn that a person of the batch has as targets are not their negatives. With a sample
      of all items this is full softmax
    - user_weight_exponent b ≥ 0: a pair of a person with n pairs counts n^−b; 1 has all people count alike
    - logq: take ln q_j off a sampled score, q_j being its probability of being in the sample, so that the sum is right
      in expectation; without it what is drawn often is pushed down. For "in_batch" off the targets' scores as well.
      Never part of the score of a fitted model
    - target_fraction in (0, 1]: with a history, the share of a person's items that an epoch learns to predict, drawn
      anew each time; the history is then the others, so that no item is in its own input. Later all are the history
    - n_epochs, batch_size (people a step), learning_rate of Adam, which falls linearly to nothing: 40 are not the
      first half of 80 epochs; refit_epochs: as many when `fit` starts from an earlier model
    - validation_share in [0, 1): of the pairs, held back for a loss after each epoch; the fit then keeps the best
      epoch, and stops after `patience` epochs without a better one (None: never)
    - init_std > 0: embeddings start as normal numbers of this standard deviation over √dim
    - device: where it is trained: "auto" (a GPU where PyTorch finds one), "cpu", "cuda"

    An event is positive as the data declares, a pair is when one of its events is. Items that nobody likes are unknown;
    people are known who like something (unless the net looks at features alone) or have a feature that it looks at.
    With a history, lists go by the events until `at`. A person folded in has no embedding of their own: the net sees
    their history and features.
    Fitted: `item_factors_` v float32[n_items, dim], `item_offsets_` c, `loss_history_` and `validation_history_`
    float64[epochs], `best_epoch_`, the weights of the net, and `item_lengths_`, that of each v before it was cut to 1.

    Sources: Covington, Adams and Sargin 2016, "Deep neural networks for YouTube recommendations" (the net and its
    sampled softmax); Yi et al. 2019, "Sampling-bias-corrected neural modeling" (logQ, temperature; here q is the exact
    probability of being in the sample, as in Horvitz and Thompson 1952). The history is a random part of the person's
    items, not the earlier ones: deviations.
    Cost of an epoch: 6 n_users n_columns dim operations, the columns being all items or the sample, and as many passes
    over the parameters as there are steps.
    Raises `MissingExtraError` without PyTorch, `DataError` where nothing is positive or features are missing,
    `NonFiniteError` where the steps diverge.
    """

    FITTED: ClassVar[tuple[str, ...]] = (
        "item_factors_",
        "item_offsets_",
        "item_lengths_",
        "id_factors_",
        "feature_part_",
        "feature_factors_",
        "history_factors_",
        "constant_",
        "layer_weights_",
        "user_encoding_",
        *USER_ROWS,
        "loss_history_",
        "validation_history_",
        "best_epoch_",
    )
    vectors_by_history: ClassVar[bool] = True
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = (USER_ROWS,)
    BY_USER: ClassVar[tuple[str, ...]] = ("id_factors_", "feature_part_")

    item_factors_: NDArray[np.float32]
    item_offsets_: NDArray[np.float32]
    item_lengths_: NDArray[np.float32]
    id_factors_: NDArray[np.float32]
    feature_part_: NDArray[np.float32]
    feature_factors_: NDArray[np.float32]
    history_factors_: NDArray[np.float32]
    constant_: NDArray[np.float32]
    layer_weights_: NDArray[np.float32]
    user_encoding_: dict[str, Any] | None
    loss_history_: NDArray[np.float64]
    validation_history_: NDArray[np.float64]
    best_epoch_: int

    def __init__(
        self,
        dim: int = 64,
        *,
        layers: Sequence[int] = (),
        user_ids: bool = False,
        history: bool = True,
        tied: bool | None = None,
        user_features: bool | Sequence[str] = False,
        similarity: Similarity = "cosine",
        temperature: float = 0.1,
        item_bias: bool = True,
        negatives: Negatives = "all",
        n_negatives: int = 2048,
        popularity_exponent: float = 0.5,
        logq: bool = True,
        user_weight_exponent: float = 0.0,
        target_fraction: float = 0.5,
        n_epochs: int = 40,
        refit_epochs: int = 10,
        batch_size: int = 128,
        learning_rate: float = 0.01,
        validation_share: float = 0.0,
        patience: int | None = None,
        init_std: float = 1.0,
        device: str = "auto",
    ) -> None:
        self.dim = whole("dim", dim, least=1)
        self.layers = layer_sizes("layers", layers, least=0)
        self.user_ids = _yes_or_no("user_ids", user_ids)
        self.history = _yes_or_no("history", history)
        self.user_features = checked_columns("user_features", user_features)
        self.tied = None if tied is None else _yes_or_no("tied", tied)
        if tied and not (history and not self.layers):
            raise ParameterError("tied=True is for history=True and layers=(): leave it out")
        if not (user_ids or history or user_features):
            raise ParameterError("a net that looks at nothing: set user_ids, history or user_features")
        self.similarity = one_of("similarity", similarity, Similarity)
        self.temperature = number("temperature", temperature, above_zero=True)
        self.item_bias = _yes_or_no("item_bias", item_bias)
        self.negatives = one_of("negatives", negatives, Negatives)
        self.n_negatives = whole("n_negatives", n_negatives, least=1)
        self.popularity_exponent = number("popularity_exponent", popularity_exponent)
        self.logq = _yes_or_no("logq", logq)
        self.user_weight_exponent = number("user_weight_exponent", user_weight_exponent)
        self.target_fraction = number("target_fraction", target_fraction, above_zero=True, most=1.0)
        self.n_epochs = whole("n_epochs", n_epochs, least=1)
        self.refit_epochs = whole("refit_epochs", refit_epochs, least=1)
        self.batch_size = whole("batch_size", batch_size, least=1)
        self.learning_rate = number("learning_rate", learning_rate, above_zero=True)
        self.validation_share = number("validation_share", validation_share, most=0.9)
        self.patience = None if patience is None else whole("patience", patience, least=1)
        if patience is not None and not validation_share:
            raise ParameterError("patience waits for a better validation loss: set validation_share too")
        self.init_std = number("init_std", init_std, above_zero=True)
        self.device = device_name(device)

    @property
    def knows_by_history(self) -> bool:
        """Return whether the net looks at histories."""
        return self.history

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what people are placed: what the net looks at besides ids."""
        return said(events=self.history, features=self.user_encoding_ is not None)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        require_torch("SoftmaxNet")
        liked = positive_matrix(dataset, "SoftmaxNet")
        features = self._features(dataset)
        likes_some, described = np.diff(liked.indptr) > 0, _has_entry(features, len(dataset.users))
        self.known_items_ = self.listed_items_ = np.bincount(liked.indices, minlength=liked.shape[1]) > 0
        self.known_users_ = (likes_some | described) if self.user_ids or self.history else described
        learnt = likes_some & self.known_users_
        if not learnt.any():
            raise DataError("nobody has both a positive event and a user feature: set user_ids or history")
        arrays = self._first(fitting.rng, int(learnt.sum()), features)
        if fitting.start is not None:
            take_over(self, fitting.start, dataset, arrays, learnt)
        rows = liked[learnt][:, self.known_items_]
        self._train(arrays, rows, None if features is None else features, learnt, fitting)

    def _features(self, dataset: Dataset) -> sparse.csr_array | None:
        """Return the encoded features of all users, and keep how they are encoded."""
        self.user_encoding_ = encoding_of(dataset.user_features, self.user_features, "user")
        encoded = self._encoded(dataset.user_features)
        n_users = len(dataset.users)
        self._keep_rows("user", no_features(n_users) if encoded is None else encoded)
        return encoded

    def _encoded(self, table: FeatureTable | None) -> sparse.csr_array | None:
        if self.user_encoding_ is None or table is None:
            return None
        return FeatureEncoder.from_values(self.user_encoding_).transform(table)

    @property
    def is_tied(self) -> bool:
        """Return whether the items of a history are embedded by their own vectors."""
        return self.history and not self.layers and self.tied is not False

    @property
    def _widths(self) -> list[int]:
        """Return the sizes of all layers, that of the sums of embeddings first and dim last."""
        return [*self.layers, self.dim]

    def _first(self, rng: np.random.Generator, n_people: int, features: sparse.csr_array | None) -> Arrays:
        """Return where the descent starts, embeddings of those that are learnt only."""
        n_items, first = int(self.known_items_.sum()), self._widths[0]
        shapes = {"items": (n_items, self.dim), "constant": (1, first)}
        if self.user_ids:
            shapes["ids"] = (n_people, first)
        if self.history and not self.is_tied:
            shapes["history"] = (n_items, first)
        if features is not None:
            shapes["features"] = (features.shape[1], first)
        arrays = random_arrays(shapes, self._widths, self.init_std, rng)
        if self.item_bias:
            arrays["offsets"] = np.zeros(n_items, np.float32)
        return arrays

    def _train(
        self,
        arrays: Arrays,
        liked: sparse.csr_array,
        features: sparse.csr_array | None,
        learnt: NDArray[np.bool_],
        fitting: Fitting,
    ) -> None:
        from shortlist.models.nets.device import device_of
        from shortlist.models.nets.flat_parameters import FlatParameters
        from shortlist.models.nets.softmax_training import Objective, People, SoftmaxTraining
        from shortlist.models.nets.training import Schedule, train

        parameters = FlatParameters(arrays, device_of(self.device))
        liked, held_back = held_out_pairs(liked, self.validation_share, fitting.rng)
        people = People(liked, None if features is None else features[learnt])
        goal = Objective(
            self.similarity == "cosine",
            self.temperature,
            self.negatives,
            self.n_negatives,
            self.popularity_exponent,
            self.logq,
            self.target_fraction,
            self.batch_size,
            ("items" if self.is_tied else "history") if self.history else None,
            self.user_weight_exponent,
        )
        net = SoftmaxTraining(parameters, people, goal, fitting.rng)
        n_epochs = self.n_epochs if fitting.start is None else self.refit_epochs
        self.loss_history_, self.validation_history_ = np.zeros(0), np.zeros(0)

        def ended(number: int, loss: float, validation_loss: float | None) -> None:
            self.loss_history_ = np.append(self.loss_history_, loss)
            if validation_loss is not None:
                self.validation_history_ = np.append(self.validation_history_, validation_loss)
            if fitting.on_epoch is not None:
                self.best_epoch_ = number
                self._publish(parameters.arrays(), features, learnt)
                self._epoch_ended(fitting, number, n_epochs, loss, validation_loss)

        history = train(
            parameters,
            net.loss_of,
            liked.shape[0],
            Schedule(
                n_epochs,
                self.batch_size,
                self.learning_rate,
                self.patience,
                negligible=self._ordinary_loss(liked.shape[1]),
                falling=True,
            ),
            fitting.rng,
            validate=None if held_back is None else lambda: net.validation_loss(held_back),
            on_epoch=ended,
        )
        self.best_epoch_ = int(history.best_epoch)
        self._publish(parameters.arrays(), features, learnt)

    def _ordinary_loss(self, n_items: int) -> float:
        """Return a loss that says nothing of steps that diverge: of few people one epoch's targets can be easy ones."""
        return 1 + float(np.log(n_items)) + (2 / self.temperature if self.similarity == "cosine" else 0.0)

    def _publish(self, arrays: Arrays, features: sparse.csr_array | None, learnt: NDArray[np.bool_]) -> None:
        """Set the fitted attributes, zeros for items and people that were not learnt."""
        n_users, first = learnt.size, self._widths[0]
        items = scattered(arrays["items"], self.known_items_)
        is_cosine = self.similarity == "cosine"
        self.item_lengths_ = np.linalg.norm(items, axis=1) if is_cosine else np.ones(len(items), np.float32)
        self.item_factors_ = unit_rows(items) if is_cosine else items
        no_offsets = np.zeros(len(arrays["items"]), np.float32)
        self.item_offsets_ = scattered(arrays.get("offsets", no_offsets), self.known_items_)
        nothing = np.zeros((0, first), np.float32)
        self.id_factors_ = scattered(arrays["ids"], learnt) if self.user_ids else nothing
        self.history_factors_ = (
            scattered(arrays["history"], self.known_items_) if "history" in arrays else nothing
        )
        self.constant_ = arrays["constant"][0]
        self.feature_factors_ = arrays.get("features", nothing)
        self.feature_part_ = (
            nothing if features is None else weighted_sums_of(features, self.feature_factors_)
        )
        assert self.feature_part_.shape[0] in (0, n_users)
        layers = [arrays[f"{what} {n}"].ravel() for n in range(1, len(self._widths)) for what in _LAYER]
        self.layer_weights_ = np.concatenate([np.zeros(0, np.float32), *layers])

    @property
    def _history_table(self) -> NDArray[np.float32]:
        """Return what embeds the items of a history, float32[n_items, w]."""
        return self._embedded(np.arange(self.known_items_.size))

    def _embedded(self, past: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return what embeds items of a history, float32[n, w]."""
        if not self.is_tied:
            return np.asarray(self.history_factors_[past])
        embedded: NDArray[np.float32] = self.item_factors_[past] * self.item_lengths_[past, None]
        return embedded

    @property
    def dense_layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Return weights [n_in, n_out] and biases [n_out] of each layer."""
        layers, at = [], 0
        for n_in, n_out in pairwise(self._widths):
            weights, at = self.layer_weights_[at : at + n_in * n_out].reshape(n_in, n_out), at + n_in * n_out
            biases, at = self.layer_weights_[at : at + n_out], at + n_out
            layers.append((weights, biases))
        return layers

    def user_vectors(self, user_idx: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return ψ float32[n, dim] at the temperature and offsets float32[n] (zeros) of known users, by all events."""
        vectors, _ = self._vectors(self._base(user_idx), self.memory_.history.take(user_idx))
        return vectors, np.zeros(user_idx.size, np.float32)

    def _base(self, user_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return what enters the first layer of known users beside their history, float32[n, w]."""
        base = np.tile(self.constant_, (user_idx.size, 1))
        for part in (self.id_factors_, self.feature_part_):
            if len(part):
                base += part[user_idx]
        return base

    def _vectors(
        self, base: NDArray[np.float32], history: History
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return ψ float32[n, dim] at the temperature, each row by itself, and bool[n]: whether it knows anything."""
        known = (base != self.constant_).any(axis=1)
        z = base
        if self.history:
            rows = self._past(history)
            length = np.diff(rows.indptr)
            rows.data[:] = np.repeat(1 / np.maximum(length, 1), length)
            z, known = z + weighted_sums_of(rows, self._history_table), known | (length > 0)
        return self._answer(z), known

    def _past(self, history: History) -> sparse.csr_array:
        """Return float32 CSR [n, n_items]: a 1 for each item of a history that the net has learnt."""
        return positive_items(history.where(self.known_items_[history.item_idx]), self.known_items_.size)

    def _answer(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ψ float32[n, dim] at the temperature, from what enters the first layer."""
        for weights, biases in self.dense_layers:
            z = dense_rows_of(np.maximum(z, 0), weights, biases)
        if self.similarity == "cosine":
            z = unit_rows(z)
        return (z / np.float32(self.temperature)).astype(np.float32)

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions:
        past = self._past(request.history).indices if self.history else np.zeros(0, np.int32)
        person = KnownPerson(*self._known_of(request), self.feature_factors_, past, self._embedded(past))
        return net_contributions(item_idx, self.item_factors_[item_idx], person, self._answer)

    def _known_of(
        self, request: Request
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], sparse.csr_array, Words]:
        """Return what enters the first layer of one person beside the history, their id's part, and their features."""
        people, encoder = self.people_of(request), encoder_of(self.user_encoding_)
        words, nobody = Words(encoder, encoder.width), np.zeros_like(self.constant_)
        if people is not None:
            assert isinstance(people, NetVectors)  # what fold_in_users of this class returns
            return people.base[0], nobody, said_of(request, encoder), words
        own = self.id_factors_[request.user_idx[0]] if self.user_ids else nobody
        row = self._kept_rows("user", request.user_idx, encoder.width)
        return self._base(request.user_idx)[0], own, row, words

    def _rank(self, request: Request) -> Lists:
        """Return lists by the events until the request's moment; none of whom nothing is known then."""
        return self._rank_based(self._base(request.user_idx), request)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        assert isinstance(users, NetVectors)  # what fold_in_users of this class returns
        return self._rank_based(users.base, request)

    def _rank_based(self, base: NDArray[np.float32], request: Request) -> Lists:
        vectors, known = self._vectors(base, request.history)
        rows = np.flatnonzero(known)
        zeros = np.zeros(rows.size, np.float32)
        lists = rank_by_vectors(vectors[rows], zeros, self, self.listed_items_, request.rows(rows))
        return lists.scatter(rows, len(request))

    def fold_in_users(
        self, events: Dataset | None = None, *, features: FeatureTable | None = None
    ) -> UserVectors:
        """Return the net's answers to people's histories and features: one pass, nothing is trained.

        - events: theirs. Items are matched by id, those that nobody liked in training say nothing; they count for a
          net with history=True
        - features: in a table of the columns of training; those of `events` where None

        They have no embedding of their own, whatever their id. Someone without a positive event and a feature that the
        net looks at is unknown. The model is not changed. Raises `DataError` unless values and columns mean what they
        did in training, `ParameterError` for a net that looks at ids alone, and for features where it looks at none.
        """
        self._require_fitted()
        if not (self.history or self.user_features):
            raise ParameterError(
                "this net knows people by their ids alone: fit it with history=True or user_features to fold people in"
            )
        if features is not None and self.user_encoding_ is None:
            raise ParameterError("this model was fitted without user_features: leave features out")
        people = new_users(events, features, self.memory_)
        base = np.tile(self.constant_, (len(people.ids), 1))
        encoded = self._encoded(people.table)
        if encoded is not None:
            base += weighted_sums_of(encoded, self.feature_factors_)
        history = people.log.history()
        vectors, known = self._vectors(base, history)
        zeros = np.zeros(len(vectors), np.float32)
        return NetVectors(vectors, zeros, known, people.ids.ids, history, self.space, base=base)


_LAYER = ("weights", "biases")


def _has_entry(features: sparse.csr_array | None, n_users: int) -> NDArray[np.bool_]:
    if features is None:
        return np.zeros(n_users, bool)
    has: NDArray[np.bool_] = np.diff(features.indptr) > 0
    return has


def _yes_or_no(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be True or False, got {value!r}")
    return value
