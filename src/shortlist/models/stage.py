"""Stage: a part of the pipeline that is made from constructor parameters, fitted with it, and saved with it."""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Sized
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from shortlist.artifacts import State
from shortlist.errors import ArtifactError, ParameterError
from shortlist.models.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.removal import Removal

_LONGEST = 200


class Stage(ABC):
    """A source, rule, scorer or step of re-ranking made from constructor parameters, of which `model` may be one.

    A pipeline binds it to the data, and to the fitted model where it has one; it is not changed by that. What is
    derived from them is set in `_prepare` and named in `FITTED`: arrays, and plain values that JSON can hold; or in
    `STATES`, with its class: what has a `to_state` of its own and a `from_state`; and, where it holds something of
    people, a `without_users` and a `without_histories`, which return it without some people's or everybody's events.
    A stage that is made of stages takes them first, as `*terms` or by the parameters named in `PARTS`, and has them in
    `parts`; they are bound before it.
    """

    FITTED: ClassVar[tuple[str, ...]] = ()
    STATES: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    PARTS: ClassVar[tuple[str, ...]] = ()
    # What of `FITTED` has a row a user, and what is lists of each user: where these begin, and what stands on them.
    BY_USER: ClassVar[tuple[str, ...]] = ()
    USER_LISTS: ClassVar[tuple[tuple[str, ...], ...]] = ()
    # Whether what it does is another thing where the history of a person is not known. Of sources it does not count:
    # without a history they propose nothing, as for a newcomer.
    goes_by_history: ClassVar[bool] = False

    model: Model | None = None
    name: str
    parts: tuple[Stage, ...] = ()

    @property
    def asks_for_model(self) -> bool:
        """Return whether a pipeline should hand the scorer's model to this stage, which has none of its own."""
        return False

    @final
    def _set(self, model: Model | None, name: str | None) -> None:
        if model is not None and not isinstance(model, Model):
            raise ParameterError(f"{type(self).__name__}(model=…) takes a model, got {model!r}")
        self.model = model
        self.name = name or type(self).__name__

    @abstractmethod
    def _prepare(self, dataset: Dataset) -> None:
        """Set every attribute of `FITTED` from the data and the fitted model."""

    def _without_users(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the `fitted` values by name without what is the removed users' own."""
        return removal.cut(fitted, self.BY_USER, self.USER_LISTS)

    def _params_without_users(self, removal: Removal) -> dict[str, Any]:
        """Return the parameters without what is said of removed users."""
        return self.params()

    def _without_histories(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return the `fitted` values by name without anybody's events."""
        return fitted

    @final
    def _counted_anew(self, removal: Removal, fitted: dict[str, Any]) -> dict[str, Any]:
        """Return what is derived from the events of those who stay; `fitted` where these are not known."""
        if not removal.memory.has_histories:
            return fitted
        anew = self._made(self.params(), self.model, self.parts)
        anew._prepare(removal.dataset)
        return {name: getattr(anew, name) for name in self.FITTED}

    @final
    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters without the model and the parts."""
        parameters = inspect.signature(type(self)).parameters.values()
        left_out = ("model", *self.PARTS)
        named = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL and p.name not in left_out]
        return {name: getattr(self, name) for name in named}

    @final
    def bind(self, dataset: Dataset, model: Model | None = None, parts: Sequence[Stage] = ()) -> Self:
        """Return this stage over `dataset`, the `model` that is fitted on it, and its `parts`, bound likewise."""
        stage = self._made(self.params(), model, parts)
        stage._prepare(dataset)
        return stage

    @final
    def to_state(self, *, histories: bool = True, removal: Removal | None = None) -> State:
        """Return parameters and what was derived, without the model; the parts are among the state's parts.

        histories: False leaves everybody's events out; removal: leaves some people out.
        """
        fitted = {name: getattr(self, name) for name in self.FITTED}
        params = self.params()
        if removal is not None:
            fitted, params = self._without_users(removal, fitted), self._params_without_users(removal)
        if not histories:
            fitted = self._without_histories(fitted)
        arrays = {name: value for name, value in fitted.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in fitted.items() if name not in arrays}
        parts = {
            f"part.{number}": part.to_state(histories=histories, removal=removal)
            for number, part in enumerate(self.parts)
        }
        parts |= {name: self._facts(name, histories, removal).to_state() for name in self.STATES}
        return State(type(self).__name__, {"params": params, "fitted": plain}, arrays, parts)

    @final
    def _facts(self, name: str, histories: bool, removal: Removal | None) -> Any:
        """Return what stands in `STATES` under `name`, without some people's or everybody's events."""
        facts: Any = getattr(self, name)
        if removal is not None and hasattr(facts, "without_users"):
            facts = facts.without_users(removal)
        return facts.without_histories() if not histories and hasattr(facts, "without_histories") else facts

    @final
    @classmethod
    def from_state(cls, state: State, model: Model | None, parts: Sequence[Stage] = ()) -> Self:
        """Return the stage that `to_state` described, over `model` and `parts`."""
        stage = cls._made(state.values["params"], model, parts)
        found = {**state.arrays, **state.values.get("fitted", {})}
        if set(found) != set(cls.FITTED):
            raise ArtifactError(
                f"a {cls.__name__} has {sorted(cls.FITTED)}, this artifact {sorted(found)}: fit again"
            )
        found |= {name: kind.from_state(state.parts[name]) for name, kind in cls.STATES.items()}
        for name, value in found.items():
            setattr(stage, name, value)
        return stage

    @final
    @classmethod
    def _made(cls, params: dict[str, Any], model: Model | None, parts: Sequence[Stage]) -> Self:
        make: Callable[..., Self] = cls
        return make(*parts, **params) if model is None else make(*parts, model=model, **params)

    def __repr__(self) -> str:
        shown = [f"{name}={_short(value)}" for name, value in self.params().items() if value is not None]
        made_of = [repr(one) for one in (*self.parts, self.model) if one is not None]
        return f"{type(self).__name__}({', '.join(made_of + shown)})"


def _short(value: object) -> str:
    """Return the `repr` of `value`; of a long list its size, and a checksum that tells it from another."""
    text = repr(value)
    if len(text) <= _LONGEST or not isinstance(value, Sized):
        return text
    return f"<{type(value).__name__} of {len(value):,}, {hashlib.sha256(text.encode()).hexdigest()[:8]}>"
