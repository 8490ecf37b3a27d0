"""Stage: a part of the pipeline that is made from constructor parameters, fitted with it, and saved with it."""

from __future__ import annotations

import hashlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Sized
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np

from shortlist.artifacts import State
from shortlist.errors import ArtifactError, ParameterError
from shortlist.models.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from shortlist.data.dataset import Dataset

_LONGEST = 200


class Stage(ABC):
    """A source, rule, scorer or adjustment made from constructor parameters, of which `model` may be one.

    A pipeline binds it to the data, and to the fitted model where it has one; it is not changed by that. What is
    derived from them is set in `_prepare` and named in `FITTED`: arrays, and plain values that JSON can hold.
    """

    FITTED: ClassVar[tuple[str, ...]] = ()

    model: Model | None = None
    name: str

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
        """Return the constructor's parameters without the model."""
        return {p: getattr(self, p) for p in inspect.signature(type(self)).parameters if p != "model"}

    @final
    def bind(self, dataset: Dataset, model: Model | None = None) -> Self:
        """Return this stage over `dataset` and the `model` that is fitted on it."""
        stage = self._made(self.params(), model)
        stage._prepare(dataset)
        return stage

    @final
    def to_state(self) -> State:
        """Return parameters and what was derived, without the model."""
        fitted = {name: getattr(self, name) for name in self.FITTED}
        arrays = {name: value for name, value in fitted.items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in fitted.items() if name not in arrays}
        return State(type(self).__name__, {"params": self.params(), "fitted": plain}, arrays)

    @final
    @classmethod
    def from_state(cls, state: State, model: Model | None) -> Self:
        """Return the stage that `to_state` described, over `model`."""
        stage = cls._made(state.values["params"], model)
        found = {**state.arrays, **state.values.get("fitted", {})}
        if set(found) != set(cls.FITTED):
            raise ArtifactError(
                f"a {cls.__name__} has {sorted(cls.FITTED)}, this artifact {sorted(found)}: fit again"
            )
        for name, value in found.items():
            setattr(stage, name, value)
        return stage

    @final
    @classmethod
    def _made(cls, params: dict[str, Any], model: Model | None) -> Self:
        make: Callable[..., Self] = cls
        return make(**params) if model is None else make(model=model, **params)

    def __repr__(self) -> str:
        shown = [f"{name}={_short(value)}" for name, value in self.params().items() if value is not None]
        return f"{type(self).__name__}({', '.join([repr(self.model)][: self.model is not None] + shown)})"


def _short(value: object) -> str:
    """Return the `repr` of `value`; of a long list its size, and a checksum that tells it from another."""
    text = repr(value)
    if len(text) <= _LONGEST or not isinstance(value, Sized):
        return text
    return f"<{type(value).__name__} of {len(value):,}, {hashlib.sha256(text.encode()).hexdigest()[:8]}>"
