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

_LONGEST = 200


class Stage(ABC):
    """A source, rule, scorer or step of re-ranking made from constructor parameters, of which `model` may be one.

    A pipeline binds it to the data, and to the fitted model where it has one; it is not changed by that. What is
    derived from them is set in `_prepare` and named in `FITTED`: arrays, and plain values that JSON can hold; or in
    `STATES`, with its class: what has a `to_state` of its own and a `from_state`.
    A stage that is made of stages takes them first, as `*terms` or by the parameters named in `PARTS`, and has them in
    `parts`; they are bound before it.
    """

    FITTED: ClassVar[tuple[str, ...]] = ()
    STATES: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    PARTS: ClassVar[tuple[str, ...]] = ()

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
    def to_state(self) -> State:
        """Return parameters and what was derived, without the model; the parts are among the state's parts."""
        fitted = {name: getattr(self, name) for name in self.FITTED}
        arrays = {name: value for name, value in fitted.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in fitted.items() if name not in arrays}
        parts = {f"part.{number}": part.to_state() for number, part in enumerate(self.parts)}
        parts |= {name: getattr(self, name).to_state() for name in self.STATES}
        return State(type(self).__name__, {"params": self.params(), "fitted": plain}, arrays, parts)

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
