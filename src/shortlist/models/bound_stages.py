"""Stages of a pipeline with the stages that they are made of: all in a row, bound to data, and loaded again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shortlist.errors import ArtifactError, ParameterError
from shortlist.models.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np

    from shortlist.artifacts import State
    from shortlist.data.dataset import Dataset
    from shortlist.data.removal import Removal
    from shortlist.models.fitting import OnEpoch
    from shortlist.models.model import Model


def flat(stages: Iterable[Any]) -> list[Stage]:
    """Return every stage that is a `Stage`, each followed by those that it is made of."""
    found: list[Stage] = []
    for stage in stages:
        if isinstance(stage, Stage):
            found += [stage, *flat(stage.parts)]
    return found


def models_of(stages: Iterable[Any]) -> dict[int, Model]:
    """Return each distinct model of the stages, in the order of its first use, by its `id`."""
    models = [stage.model for stage in flat(stages) if stage.model is not None]
    return {id(model): model for model in models}


def uses_of(stages: Iterable[Any], models: Sequence[Model]) -> list[int | None]:
    """Return for each stage in the order of `flat` the position of its model in `models`, None where it has none."""
    at = {id(model): m for m, model in enumerate(models)}
    return [at.get(id(stage.model)) for stage in flat(stages)]


def require_distinct(stages: Iterable[Any], what: str) -> None:
    """Raise `ParameterError` where two stages have one name."""
    names = [stage.name for stage in stages]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"two {what}s are called {twice[0]!r}; give one of them another name=")


def fitted_on(
    model: Model,
    dataset: Dataset,
    rng: np.random.Generator,
    start: Model | None,
    on_epoch: OnEpoch | None,
) -> Model:
    """Return the model where it is fitted on these very data, else a clone that is."""
    if model.is_fitted and model.memory_.fingerprint == dataset.fingerprint:
        return model
    return model.clone().fit(dataset, rng=rng, start=start, on_epoch=on_epoch)


def bound(stage: Any, dataset: Dataset, fitted: Mapping[int, Model], default: Model | None = None) -> Any:
    """Return the stage over `dataset` and the fitted model that stands for its own; what is no `Stage` as it is.

    `fitted` has the fitted models by the `id` of the given ones; `default` is for a stage that asks for a model.
    """
    if not isinstance(stage, Stage):
        return stage
    parts = [bound(part, dataset, fitted, default) for part in stage.parts]
    model = fitted.get(id(stage.model)) if stage.model is not None else None
    return stage.bind(dataset, default if model is None and stage.asks_for_model else model, parts)


def saved(
    stages: Iterable[Any], *, histories: bool = True, removal: Removal | None = None
) -> dict[str, State]:
    """Return the states of stages by the name of their part. Raises `ArtifactError` for one that is no `Stage`.

    histories: False leaves everybody's events out; removal: leaves some people out.
    """
    states = {}
    for number, stage in enumerate(stages):
        if not isinstance(stage, Stage):
            raise ArtifactError(f"{stage!r} cannot be saved: only shortlist's own stages can")
        states[f"stage.{number}"] = stage.to_state(histories=histories, removal=removal)
    return states


def loaded(
    parts: Mapping[str, State], models: list[Model | None], class_of: Callable[[str], Any]
) -> list[Any]:
    """Return the stages that `saved` described; `models` has the model of each in the order of `flat`.

    Raises `LookupError` where there are too few models.
    """
    left = list(models)
    n_stages = sum(name.startswith("stage.") for name in parts)
    return [_loaded(parts[f"stage.{number}"], left, class_of) for number in range(n_stages)]


def _loaded(state: State, models: list[Model | None], class_of: Callable[[str], Any]) -> Any:
    """Return the stage that `state` describes; the models that it and its parts use are taken off `models`."""
    model = models.pop(0)
    n_parts = sum(name.startswith("part.") for name in state.parts)
    parts = [_loaded(state.parts[f"part.{number}"], models, class_of) for number in range(n_parts)]
    return class_of(state.type).from_state(state, model, parts)
