"""Blend: several models as one, by a weighted sum of each user's scaled scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shortlist.data.memory import Limits
from shortlist.errors import ParameterError
from shortlist.models.blend_weights import Search, weights_by_validation
from shortlist.models.blended_lists import Voice, blended_lists, weighted_sum
from shortlist.models.feature_contributions_blend import Part, summed
from shortlist.models.fold_in import at_known_items
from shortlist.models.model import Model
from shortlist.models.newcomers import can_place
from shortlist.models.vectors import FoldsPeopleIn, UserVectors, said
from shortlist.parameters import number, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.data.dataset import Dataset
    from shortlist.models.fitting import Fitting
    from shortlist.models.vectors import Said
    from shortlist.stages import Lists, Request


class Blend(Model):
    """Scores Σ_m weight_m · score_m(u, i) / unit_m(u) over models m, which are good in different ways.

    unit_m(u) is the user's best score from the model among the items that their history does not hold (among all items
    where the model lists only the past), and 1 where that is not above 0. So each model's best new item counts 1,
    whatever is asked for, and a weight means the same for everybody. A model gives 0 to items that it does not list and
    to users that it does not know; the blend knows and lists what any of its models with a weight above 0 does.

    - models: unfitted or fitted, by name. `fit` fits clones on the same data; one that is already fitted on the very
      same data is used as it is
    - weights: each ≥ 0, one above; a model with weight 0 is fitted and says nothing. None finds them (sum 1): models
      are fitted on all but `validation_share` of each user's events (the last ones; without times, random ones), the
      weights with the best mean NDCG at `validation_k` on the rest are searched (`blend_weights`), and the models are
      fitted on everything. Seen items are left out there, unless one of the models lists nothing else
    - validation_users: as many people at most, drawn at random, measure the weights
    - n_candidates: the weights are measured on so many best items of each model; more is closer to the whole catalogue

    Lists are exact: the best of all items by this score (`blended_lists`). People are folded in through the models
    that can fold in; the others say nothing of them. Fitted: `models_` by name, `weights_` by name.
    Cost: the fits (twice without weights); for a list, one of each model, a few hundred items long.
    Raises `ParameterError` for what is no model and for weights of other names.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("weights_",)
    # The models' scores are brought to one scale over what the user has not seen.
    knows_by_history: ClassVar[bool] = True

    weights_: dict[str, float]

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        weights: Mapping[str, float] | None = None,
        validation_share: float = 0.2,
        validation_k: int = 20,
        validation_users: int = 5000,
        n_candidates: int = 100,
    ) -> None:
        self.models = _models(models)
        self.weights = None if weights is None else _weights(weights, self.models)
        self.validation_share = number("validation_share", validation_share, above_zero=True, most=0.9)
        self.validation_k = whole("validation_k", validation_k, least=1)
        self.validation_users = whole("validation_users", validation_users, least=1)
        self.n_candidates = whole("n_candidates", n_candidates, least=1)

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Return the columns of context that any of the models goes by."""
        return tuple(sorted({name for model in self.models_.values() for name in model.context_columns}))

    @property
    def folds_in(self) -> tuple[Said, ...]:
        """Return by what any model with a weight above 0 places people."""
        heard = [model for name, model in self.models_.items() if self.weights_[name] > 0]
        found = {name for model in heard for name in model.folds_in}
        return said(events="events" in found, features="features" in found)

    def _fit(self, dataset: Dataset, fitting: Fitting) -> None:
        # Drawn first, so that the models are the same whether the weights are given or found.
        seeds = fitting.rng.integers(2**63, size=len(self.models) + 1).tolist()
        found = self.weights
        if found is None:
            search = Search(
                self.validation_share, self.validation_k, self.validation_users, self.n_candidates
            )
            found = weights_by_validation(self.models, dataset, search, np.random.default_rng(seeds[-1]))
        self.weights_ = dict(found)
        starts = {} if fitting.start is None else fitting.start.models_
        self.models_ = {
            name: model
            if model.is_fitted and model.memory_.fingerprint == dataset.fingerprint
            else model.clone().fit(dataset, rng=seed, start=starts.get(name), on_epoch=fitting.on_epoch)
            for (name, model), seed in zip(self.models.items(), seeds, strict=False)
        }
        heard = [model for name, model in self.models_.items() if self.weights_[name] > 0]
        self.known_users_ = np.any([model.known_users_ for model in heard], axis=0)
        self.known_items_ = np.any([model.known_items_ for model in heard], axis=0)
        self.listed_items_ = np.any([model.listed_items_ for model in heard], axis=0)

    def fold_in_users(self, events: Dataset) -> UserVectors:
        """Return the users of `events` as each model that folds people in has them; `recommend` accepts them.

        The models' own vectors stand in `.parts`, by name. Raises `ParameterError` where no model with a weight above 0
        folds in, and what the models raise.
        """
        self._require_fitted()
        parts = {
            name: model.fold_in_users(events)
            for name, model in self.models_.items()
            if isinstance(model, FoldsPeopleIn) and can_place(model.folds_in, events)
        }
        heard = [part.known for name, part in parts.items() if self.weights_[name] > 0]
        if not heard:
            raise ParameterError(f"none of the models of {self!r} can fold people in by what is given")
        log = at_known_items(events, self.memory_)
        nothing = np.zeros((log.n_users, 0), np.float32)
        known = np.any(heard, axis=0)
        zeros = np.zeros(log.n_users, np.float32)
        return UserVectors(nothing, zeros, known, events.users.ids, log.history(), self.space, parts)

    def _voices(self, request: Request, people: Mapping[str, UserVectors] | None = None) -> list[Voice]:
        """Return the models with a weight above 0 as asked by `request`; of `people` folded in, if there are any."""
        return [
            Voice(model, self.weights_[name], request, None if people is None else people[name])
            for name, model in self.models_.items()
            if self.weights_[name] > 0 and (people is None or name in people)
        ]

    def _rank(self, request: Request) -> Lists:
        return blended_lists(self._voices(request), request)

    def _rank_vectors(self, users: UserVectors, request: Request) -> Lists:
        return blended_lists(self._voices(request, users.parts), request)

    def _score(self, user_idx: NDArray[np.int32], item_idx: NDArray[np.int32]) -> NDArray[np.float32]:
        users, row = np.unique(user_idx, return_inverse=True)
        request = self.memory_.request(users, 1, Limits(exclude_seen=False))
        voices = self._voices(request)
        everybody = np.arange(users.size)
        scaled = [voice.scores(row, item_idx) / voice.unit(everybody)[row] for voice in voices]
        return weighted_sum(voices, np.stack(scaled, axis=1))

    def _contributions(self, request: Request, item_idx: NDArray[np.int32]) -> Contributions | None:
        people = self.people_of(request)
        alone = replace(request, people={})
        row, first = np.zeros(item_idx.size, np.int64), np.zeros(1, np.int64)
        parts = []
        for voice in self._voices(alone, None if people is None else people.parts):
            own = {} if voice.people is None else {voice.model.space: voice.people}
            said = voice.model.contributions(replace(alone, people=own), item_idx)
            factor = voice.weight / float(voice.unit(first)[0])
            share = factor * voice.scores(row, item_idx).astype(np.float64)
            listed = voice.model.listed_items_[item_idx].astype(np.float64)
            parts.append(Part(said, factor * listed, share))
        return summed(item_idx, parts)

    def _similarity_vectors(self) -> NDArray[np.float32]:
        names = ", ".join(self.models_)
        raise ParameterError(f"a Blend has no item vectors; ask one of its models, models_[…]: {names}")

    def _reason(self) -> str:
        said = [f"{name} ({weight:.2g})" for name, weight in self.weights_.items() if weight > 0]
        return f"scored highest for you in a blend of {', '.join(said)}"


def _models(models: object) -> dict[str, Model]:
    if not isinstance(models, Mapping) or not models:
        raise ParameterError(f'models takes models by name, {{"taste": WALS(), …}}; got {models!r}')
    for name, model in models.items():
        if not isinstance(name, str) or not name:
            raise ParameterError(f"the name of a model is a text that is not empty, got {name!r}")
        if not isinstance(model, Model):
            raise ParameterError(f"models[{name!r}] must be a model, got {model!r}")
    return dict(models)


def _weights(weights: object, models: Mapping[str, Model]) -> dict[str, float]:
    if not isinstance(weights, Mapping) or set(weights) != set(models):
        raise ParameterError(f"weights takes a number for each of {', '.join(models)}; got {weights!r}")
    found = {name: number(f"weights[{name!r}]", weights[name]) for name in models}
    if not any(found.values()):
        raise ParameterError(f"weights are all 0: give one of {', '.join(models)} a weight above 0")
    return found
