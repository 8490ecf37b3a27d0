"""Model: the contract of every recommender, and what all of them share.

A subclass stores its constructor's parameters under their own names, sets its fitted arrays in `_fit`, names them in
`FITTED`, and answers three questions: who and what is known, how well does an item suit a user, which are best.
Everything a caller touches (`fit`, `recommend`, `score`, `similar_items`, `save`) is final and stands here once.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np

from shortlist import artifacts
from shortlist.artifacts import State
from shortlist.data.memory import Limits, Memory
from shortlist.data.recommendations import PLAIN_REASON, Recommendations, SimilarItems
from shortlist.data.removal import Removal
from shortlist.errors import (
    ArtifactError,
    DataError,
    NonFiniteError,
    NotFittedError,
    ParameterError,
    UnknownIdError,
)
from shortlist.models.answers import answer, as_ids, require_context, require_folded, require_users
from shortlist.models.exact_search import search
from shortlist.models.fitting import Epoch, Fitting, require_dataset, require_start
from shortlist.models.vectors import FoldsPeopleIn, UserVectors, unit_rows
from shortlist.parameters import generator, one_of, whole
from shortlist.stages import Eligible, Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.data.memory import Moment, OnUnknown
    from shortlist.data.vocabulary import Id, Ids
    from shortlist.models.fitting import OnEpoch
    from shortlist.models.vectors import Said
    from shortlist.stages import Request

Measure = Literal["cosine", "dot", "euclidean"]


class Model(ABC):
    """A recommender that is fitted on a `Dataset`.

    Fitted attributes end in `_`: `memory_` (ids, histories, titles), `known_users_` bool[n_users] and `known_items_`
    bool[n_items] (what the model has something to say about), `listed_items_` bool[n_items] (what may be on its
    lists; a subset of the known), `seed_` (None unless an integer was given).
    """

    FITTED: ClassVar[tuple[str, ...]] = ()
    # Whether its lists hold nothing but what the user chose before; reasons and shortfalls then say so.
    only_past: ClassVar[bool] = False
    # Whether the vector of a user is made from the history of the request, so that it is another one at another moment.
    vectors_by_history: ClassVar[bool] = False
    # What of `FITTED` has a row a user, and what is lists of each user: where these begin, and what stands on them.
    BY_USER: ClassVar[tuple[str, ...]] = ()
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = ()

    memory_: Memory
    known_users_: NDArray[np.bool_]
    known_items_: NDArray[np.bool_]
    listed_items_: NDArray[np.bool_]
    seed_: int | None

    # A model made of models takes them as its parameter `models`, by name; the fitted ones stand in `models_`.
    models: Mapping[str, Model] = MappingProxyType({})
    models_: Mapping[str, Model] = MappingProxyType({})

    # What a subclass may say otherwise, as a class variable or by its parameters.

    @property
    def predicts_ratings(self) -> bool:
        """Return whether scores are predicted ratings, and `predict` gives them."""
        return False

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Return the columns of the events' context that scores go by, which `recommend(context=)` may give."""
        return ()

    @property
    def own_measure(self) -> str:
        """Return what `similar_items` goes by unless a measure is named."""
        return "cosine"

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what the fitted model's `fold_in_users` places people: any of it is enough; empty: it cannot."""
        return ("events",) if isinstance(self, FoldsPeopleIn) else ()

    @property
    def knows_by_history(self) -> bool:
        """Return whether what it knows of a user are their events, so that without histories it knows nobody."""
        return False

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the `fitted` values by name without what is the removed users' own."""
        return removal.cut(fitted, ("known_users_", *self.BY_USER), self.USER_LISTS)

    def require_separable(self) -> None:
        """Raise `ParameterError` where histories are the model, so that it cannot be saved without them."""
        for model in self.models.values():
            model.require_separable()

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the `fitted` values by name without anybody's events."""
        if not self.knows_by_history:
            return fitted
        return fitted | {"known_users_": np.zeros_like(self.known_users_)}

    # What a subclass writes.

    @abstractmethod
    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        """Set every attribute of `FITTED`, and `known_users_`, `known_items_`, `listed_items_`.

        `self` is a clone that nobody else has. A model with epochs sets them all before it calls `_epoch_ended`.
        """

    @abstractmethod
    def _rank(self, request: Request) -> Lists:
        """Return the request's k best listed items of each user; all users are known."""

    @abstractmethod
    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32[m], finite, for pairs of known users and items, equal to the scores of `_rank`."""

    @abstractmethod
    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        """Return the k best listed items for folded-in users; raise `ParameterError` where a model has no vectors."""

    @abstractmethod
    def _similarity_vectors(self) -> NDArray[np.float32]:
        """Return float32[n_items, d], the vectors that similarity of items is taken between.

        Raises `ParameterError` where a model has none.
        """

    def _similar(self, item_idx: NDArray[np.int32], k: int) -> Lists:
        """Return the k known items most similar to each by `own_measure`, without the item itself, best first.

        A model with similarities of its own writes this anew and names them in `own_measure`.
        """
        return self._similar_vectors(item_idx, k, "cosine")

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions | None:
        """Return what the scores of listed items are made of, for the one person of the request; None: not known.

        The person is known, or folded in (`people_of`); it is the history of the request that counts.
        """
        return None

    def _reason(self) -> str:
        """Return why an item is on a list of this model, in a sentence a person can read."""
        return PLAIN_REASON

    # What a caller uses.

    @final
    def fit(
        self,
        dataset: Dataset,
        *,
        rng: np.random.Generator | int | None = None,
        start: Self | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Fit on `dataset` and return self. The same integer `rng` gives the same result on any number of threads.

        - start: a fitted model of this class (this very model, say) to take over from: where it knows a user or an
          item, by id, the fit begins at its factors, and it runs `refit_epochs` in place of `n_epochs`. Parameters may
          differ, but not `dim`. A model that counts and does not iterate gives the same result with and without it.
        - on_epoch: called with an `Epoch` after each epoch; never by a model without epochs

        A fit that does not come to its end, because of an error, Ctrl-C or an exception from `on_epoch`, leaves the
        model as it was before.
        Raises `DataError` for data without events or of a kind the model does not take, `ParameterError` for a
        `start` of another class or dim, `NotFittedError` for one that is not fitted.
        """
        require_dataset(dataset)
        if start is not None:
            self.check_start(start)
            old, new = start.memory_.feedback.kind, dataset.feedback.kind
            if old != new:
                raise DataError(f"start was fitted on {old}, this data is {new}: fit without start")
        fresh = self.clone()
        fresh.memory_ = dataset.memory
        fresh.seed_ = int(rng) if isinstance(rng, int | np.integer) else None
        fresh._fit(dataset, Fitting(generator(rng), start, on_epoch))
        fresh._check_finite()
        self.__dict__ = fresh.__dict__  # all at once, so that nothing can come between
        return self

    @final
    def check_start(self, start: object) -> None:
        """Raise `ParameterError` or `NotFittedError` unless `fit` may start from `start`, whatever the data."""
        require_start(self, start)
        began: Any = start
        if list(began.models_) != list(self.models):
            raise ParameterError(
                f"start is made of the models {', '.join(began.models_)}, this {type(self).__name__} of "
                f"{', '.join(self.models)}: they must be the same; fit without start"
            )
        for name, model in self.models.items():
            model.check_start(began.models_[name])

    @final
    def _epoch_ended(
        self,
        fitting: Fitting,
        number: int,
        n_epochs: int,
        loss: float | None = None,
        validation_loss: float | None = None,
    ) -> None:
        """Tell whoever watches the fit that epoch `number` of at most `n_epochs` has ended, and with what losses."""
        if fitting.on_epoch is not None:
            self._check_finite()
            fitting.on_epoch(Epoch(number, n_epochs, copy.copy(self), loss, validation_loss))

    @final
    @property
    def is_fitted(self) -> bool:
        """Return whether `fit` has been called."""
        return hasattr(self, "memory_")

    @final
    def score(self, users: Iterable[Id], items: Iterable[Id]) -> NDArray[np.float32]:
        """Return float32[m]: the score of each pair (users[p], items[p]); for rating models the predicted rating.

        Raises `UnknownIdError` for an id that the model has nothing to say about, `ParameterError` for unequal lengths.
        """
        self._require_fitted()
        user_idx = self.memory_.users.require(users, "user")
        item_idx = self.memory_.items.require(items, "item")
        self._require_histories(user_idx)
        if user_idx.size != item_idx.size:
            raise ParameterError(f"score takes pairs: got {user_idx.size} users and {item_idx.size} items")
        self._require_known(self.known_users_, user_idx, self.memory_.users.ids, "user")
        self._require_known(self.known_items_, item_idx, self.memory_.items.ids, "item")
        return self._score(user_idx, item_idx)

    @final
    def score_pairs(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32[m] for pairs of positions that `known_users_` and `known_items_` hold for."""
        self._require_fitted()
        return self._score(user_idx, item_idx)

    @final
    def rank(self, request: Request) -> Lists:
        """Return the k best items for each user of the request; an empty list for an unknown user."""
        self._require_fitted()
        people = self.people_of(request)
        if people is not None:
            return self.rank_folded(people, replace(request, people={}))
        known = np.flatnonzero(self.knows(request.user_idx))
        if known.size == len(request):
            return self._rank(request)
        return self._rank(request.rows(known)).scatter(known, len(request))

    @final
    def contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions | None:
        """Return what the scores of items (positions) are made of, for the one person of the request.

        None for a model that cannot say it, and for somebody whom it does not know.
        """
        self._require_fitted()
        if len(request) != 1:
            raise ParameterError(f"contributions are those of one person, the request has {len(request)}")
        if not self.knows_of(request)[0]:
            return None
        return self._contributions(request, item_idx)

    @final
    def rank_folded(self, users: UserVectors, request: Request) -> Lists:
        """Return the k best items for folded-in users, one row of the request each; an empty list for the unknown."""
        self._require_fitted()
        rows = np.flatnonzero(users.known)
        return self._rank_vectors(users.take(rows), request.rows(rows)).scatter(rows, len(request))

    @final
    def people_of(self, request: Request) -> UserVectors | None:
        """Return the people of the request as this model folded them in, None for users of the data."""
        return request.people.get(self.space) if request.people else None

    @final
    def knows_of(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: whether the model has something to say about each user, or person folded in."""
        people = self.people_of(request)
        return self.knows(request.user_idx) if people is None else people.known

    @final
    def knows(self, user_idx: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool[n]: whether the model has something to say about each user (−1: no)."""
        if self.known_users_.size == 0:
            return np.zeros(user_idx.size, bool)
        known: NDArray[np.bool_] = (user_idx >= 0) & self.known_users_[np.maximum(user_idx, 0)]
        return known

    @final
    def recommend(
        self,
        users: Id | Iterable[Id] | UserVectors,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        items: Iterable[Id] | None = None,
        exclude: Iterable[Id] | None = None,
        at: Moment | None = None,
        context: Mapping[str, Any] | None = None,
        on_unknown: OnUnknown = "raise",
    ) -> Recommendations:
        """Return at most `k` items for each user, best first.

        - users: one id or several, or `UserVectors` from `fold_in_users` of this model. Of people folded in, all events
          count unless `at` is given
        - exclude_seen: leave out what the user has an event with (up to `at`)
        - items: only these may be shown; exclude: these may not
        - at: now, as datetime, ISO 8601 text or µs; the last event of the training data by default
        - context: what is known of the moment by the name of a column, {"device": "phone"}, for a model that was fitted
          with such columns (`context_columns`); the others refuse it. A column that is not given is missing
        - on_unknown: users without a vector "raise" an error, are "skip"ped, or get the most popular items ("fallback")

        A list has distinct, permitted items, ranks from 1, finite scores, ties by id, and fewer than k items only with
        an entry in `.shortfalls`. Asking for one user gives what asking for many gives.
        Raises `UnknownIdError`, `ParameterError`, `NotFittedError`.
        """
        self._require_fitted()
        require_context(context, self.context_columns, type(self).__name__)
        limits = Limits(exclude_seen, items, exclude, at)
        if isinstance(users, UserVectors):
            self._require_own(users)
            if on_unknown == "raise":
                require_folded(users.user_ids, users.known)
            nobody = np.full(users.user_ids.len(), -1, np.int32)
            request = self.memory_.request(nobody, k, limits, users.history, context)
            lists = self.rank_folded(users, request)
            return answer(
                self.memory_,
                users.user_ids,
                replace(request, people={self.space: users}),
                lists,
                users.known,
                on_unknown,
                reason=self._reason(),
                contribute=self.contributions,
            )
        user_ids = as_ids(users)
        request = self.memory_.request(self.memory_.users.index_of(user_ids), k, limits, context=context)
        self._require_histories(request.user_idx)
        known = self.knows(request.user_idx)
        if on_unknown == "raise":
            require_users(self.memory_, user_ids, request.user_idx, known)
        lists = self.rank(request)
        return answer(
            self.memory_,
            user_ids,
            request,
            lists,
            known,
            on_unknown,
            only_past=self.only_past,
            reason=self._reason(),
            contribute=self.contributions,
        )

    @final
    def similar_items(
        self, items: Id | Iterable[Id], k: int = 10, *, measure: Measure | None = None
    ) -> SimilarItems:
        """Return the `k` items most similar to each of `items`, without the item itself, best first, ties by id.

        `measure` compares the item vectors (without offsets): "cosine" of the angle; "dot", which favours long
        vectors, so mostly popular items; "euclidean", minus the distance, which favours vectors of like length.
        None is the model's own measure, `own_measure`: the cosine, or what a neighbourhood model was fitted with.
        Raises `UnknownIdError` for an item without a vector, `ParameterError` for another measure, and for any named
        one where the model has no vectors.
        """
        self._require_fitted()
        item_ids = as_ids(items)
        item_idx = self.memory_.items.require(item_ids, "item")
        self._require_known(self.known_items_, item_idx, self.memory_.items.ids, "item")
        lists = self.similar(item_idx, k, measure)
        return SimilarItems(item_ids, lists, self.memory_, measure or self.own_measure)

    @final
    def similar(self, item_idx: NDArray[np.int32], k: int, measure: Measure | None = None) -> Lists:
        """Return the lists of `similar_items` for known items at positions `item_idx` int32[n]."""
        whole("k", k, least=0)
        if measure is None:
            return self._similar(item_idx, k)
        return self._similar_vectors(item_idx, k, one_of("measure", measure, Measure))

    @final
    def _similar_vectors(self, item_idx: NDArray[np.int32], k: int, measure: Measure) -> Lists:
        vectors = self._similarity_vectors()
        if measure == "cosine":
            vectors = unit_rows(vectors)
        # Each row forbids one item, itself.
        own = Eligible(
            ("itself",),
            np.zeros(vectors.shape[0], np.int8),
            np.arange(item_idx.size + 1),
            item_idx,
            np.ones(item_idx.size, np.int8),
        )
        return search(
            vectors[item_idx], vectors, k, own, euclidean=measure == "euclidean", listed=self.known_items_
        )

    @final
    @property
    def compares_items(self) -> bool:
        """Return whether `similar_items` has an answer: the fitted model has item vectors or similarities."""
        return hasattr(self, "item_factors_") or type(self)._similar is not Model._similar

    @final
    @property
    def has_item_vectors(self) -> bool:
        """Return whether `item_vectors` has an answer."""
        return type(self)._similarity_vectors is not Model._similarity_vectors and hasattr(
            self, "item_factors_"
        )

    @final
    def item_vectors(self) -> NDArray[np.float32]:
        """Return float32[n_items, d], what `similar_items` compares. Raises `ParameterError` where there is none."""
        self._require_fitted()
        return self._similarity_vectors()

    @final
    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @final
    def clone(self) -> Self:
        """Return an unfitted model with the same parameters."""
        return type(self)(**self.params())

    @final
    def save(self, path: str | Path, *, histories: bool = True) -> Path:
        """Save the fitted model as an artifact (a folder) and return its path; `shortlist.load` reads it.

        The artifact holds the training histories, which `exclude_seen` needs; with histories=False it holds nobody's
        events, and users of the data are known by their vectors alone (docs/concepts/privacy.md). Raises
        `ArtifactError`, and with histories=False `ParameterError` for a model that is nothing but histories.
        """
        self._require_fitted()
        if not histories:
            self.require_more_than_past()
        memory = self.memory_ if histories else self.memory_.without_histories()
        return artifacts.write(path, self.to_state(histories=histories), artifact_info(memory, self.seed_))

    @final
    def require_more_than_past(self) -> None:
        """Raise `ParameterError` for a model that lists past items only, since alone it needs histories."""
        if self.only_past:
            raise ParameterError(
                f"{type(self).__name__} cannot be saved alone without histories: it lists nothing but what its users "
                "chose before; a pipeline may have it in a source, for people who bring their events"
            )

    @final
    def without_users(self, users: Id | Iterable[Id]) -> Self:
        """Return a fitted model without `users` (ids); this one stays as it is.

        Their ids, events and vectors are gone, and everybody else's lists are what they were, unless they come from the
        events of other people (`UserNeighbors`). What the model learned of items from the removed people stays until
        the next fit; counts of people are those of who is left. The next fit of a pipeline fits it anew.
        Raises `UnknownIdError`, `ParameterError` where nobody would be left, `ArtifactError` where a parameter is a
        function. Cost: a copy of what has a row a user.
        """
        self._require_fitted()
        state = self.to_state(removal=Removal.of(self.memory_, users))
        classes = {type(model).__name__: type(model) for model in self.with_models_within()}
        return type(self).from_state(state, class_of=classes.__getitem__)

    @final
    def with_models_within(self) -> list[Model]:
        """Return this fitted model and those that it is made of, however deep."""
        return [self, *(deep for model in self.models_.values() for deep in model.with_models_within())]

    @final
    def to_state(
        self, *, with_memory: bool = True, histories: bool = True, removal: Removal | None = None
    ) -> State:
        """Return the arrays and values that `from_state` needs; a pipeline keeps one memory for all its models.

        histories: False leaves everybody's events out; removal: leaves some people out.
        Raises `ArtifactError` where a parameter is a function, what `save` raises without histories.
        """
        self._require_fitted()
        fitted = {
            name: getattr(self, name)
            for name in (*self.FITTED, "known_users_", "known_items_", "listed_items_")
        }
        if removal is not None:
            fitted = self._without_users(removal, fitted)
        if not histories:
            self.require_separable()
            fitted = self._without_histories(fitted)
        arrays = {name: value for name, value in fitted.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in fitted.items() if name not in arrays}
        params = {name: value for name, value in self.params().items() if value is not self.models}
        for name, value in params.items():
            if callable(value):
                raise ArtifactError(
                    f"{type(self).__name__}({name}=…) is a function, which cannot be saved; use a parameter of plain "
                    "values in its place, or keep the model in this process"
                )
        values = {"params": params, "fitted": plain, "seed": self.seed_, "models": list(self.models_)}
        parts = {
            f"model.{name}": model.to_state(with_memory=False, histories=histories, removal=removal)
            for name, model in self.models_.items()
        }
        if with_memory:
            memory = self.memory_ if removal is None else removal.memory
            parts["memory"] = (memory if histories else memory.without_histories()).to_state()
        return State(type(self).__name__, values, arrays, parts)

    @final
    @classmethod
    def from_state(
        cls, state: State, memory: Memory | None = None, class_of: Callable[[str], Any] | None = None
    ) -> Self:
        """Return the fitted model that `to_state` described; `class_of` finds the classes of models within it."""
        memory = memory or Memory.from_state(state.parts["memory"])
        within = _models_within(state, memory, class_of)
        given = {"models": {name: model.clone() for name, model in within.items()}} if within else {}
        model = cls(**state.values["params"], **given)
        expected = {*cls.FITTED, "known_users_", "known_items_", "listed_items_"}
        found = {**state.arrays, **state.values["fitted"]}
        if set(found) != expected:
            raise ArtifactError(
                f"a {cls.__name__} has {sorted(expected)}, this artifact {sorted(found)}: fit again"
            )
        for name, value in found.items():
            setattr(model, name, value)
        model.seed_ = state.values["seed"]
        model.memory_ = memory
        if within:
            model.models_ = within
        of_model = (model.known_users_.size, model.known_items_.size, model.listed_items_.size)
        n_users, n_items = len(model.memory_.users), len(model.memory_.items)
        if of_model != (n_users, n_items, n_items):
            raise ArtifactError(
                f"this {cls.__name__} is of {of_model[0]} users and {of_model[1]} items, its ids are {n_users} and "
                f"{n_items}: fit again"
            )
        return model

    @final
    def _require_fitted(self) -> None:
        if not self.is_fitted:
            raise NotFittedError(f"this {type(self).__name__} is not fitted; call fit(dataset) first")

    @final
    @property
    def space(self) -> str:
        """Return what tells the vectors of this fitted model from those of another: parameters, seed and data."""
        own = f"{self!r}, seed {self.seed_}, fitted on {self.memory_.fingerprint[:16]}"
        return "; ".join([own, *(model.space for model in self.models_.values())])

    @final
    def _require_own(self, users: UserVectors) -> None:
        if users.space != self.space:
            raise ParameterError(
                f"these vectors are of another model ({users.space}); fold the events in with this one: {self.space}"
            )

    @final
    def _check_finite(self) -> None:
        for name in self.FITTED:
            value = getattr(self, name)
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
                raise NonFiniteError(
                    f"{type(self).__name__}.{name} became NaN or infinite; raise reg or lower the rate"
                )

    @final
    def _require_histories(self, user_idx: NDArray[np.int32]) -> None:
        if self.knows_by_history and not self.memory_.has_histories and (user_idx >= 0).any():
            raise ParameterError(
                f"this artifact was saved without histories, and {type(self).__name__} knows its users by nothing "
                "else: hand their events in, with fold_in_users, or recommend_for of a pipeline"
            )

    @final
    def _require_known(self, known: NDArray[np.bool_], index: NDArray[np.int32], ids: Ids, what: str) -> None:
        missing = index[~known[index]]
        if missing.size:
            shown = ", ".join(repr(i) for i in ids.gather(missing[:5]).to_list())
            raise UnknownIdError(
                f"{type(self).__name__} has nothing to say about {what} {shown}: nothing usable in the training data"
            )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params().items())
        return f"{type(self).__name__}({shown})"


def _models_within(state: State, memory: Memory, class_of: Callable[[str], Any] | None) -> dict[str, Model]:
    """Return the fitted models that the model of `state` is made of, by name."""
    names = state.values.get("models", [])  # absent from artifacts of before models could be made of models
    if names and class_of is None:
        raise ArtifactError(f"a {state.type} is made of other models: load it with shortlist.load")
    parts = {name: state.parts[f"model.{name}"] for name in names}
    return {
        name: class_of(part.type).from_state(part, memory, class_of)
        for name, part in parts.items()
        if class_of is not None
    }


def artifact_info(memory: Memory, seed: int | None) -> dict[str, Any]:
    """Return what an artifact says of itself to a person."""
    return {
        "users": len(memory.users),
        "items": len(memory.items),
        "events": int(memory.history.item_idx.size),
        "data_sha256": memory.fingerprint,
        "seed": seed,
    }
