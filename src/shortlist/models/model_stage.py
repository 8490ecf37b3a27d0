"""ModelStage: a stage of the pipeline that asks one model."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

from shortlist.artifacts import State
from shortlist.errors import ParameterError
from shortlist.models.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray


class ModelStage(ABC):
    """A source or scorer made from constructor parameters, of which `model` is one.

    A pipeline binds it to the fitted model; it is not changed by that. Arrays derived from the fitted model are
    made in `_prepare` and named in `FITTED`.
    """

    FITTED: ClassVar[tuple[str, ...]] = ()

    model: Model
    name: str

    @final
    def _set(self, model: Model, name: str | None) -> None:
        if not isinstance(model, Model):
            raise ParameterError(f"{type(self).__name__}(model=…) takes a model, got {model!r}")
        self.model = model
        self.name = name or type(self).__name__

    @abstractmethod
    def _prepare(self) -> None:
        """Set every attribute of `FITTED` from the fitted model."""

    @final
    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters without the model."""
        return {p: getattr(self, p) for p in inspect.signature(type(self)).parameters if p != "model"}

    @final
    def bind(self, model: Model) -> Self:
        """Return this stage over the fitted `model`."""
        make: Callable[..., Self] = type(self)
        stage = make(model=model, **self.params())
        stage._prepare()
        return stage

    @final
    def to_state(self) -> State:
        """Return parameters and derived arrays, without the model."""
        arrays: dict[str, NDArray[np.generic]] = {name: getattr(self, name) for name in self.FITTED}
        return State(type(self).__name__, {"params": self.params()}, arrays)

    @final
    @classmethod
    def from_state(cls, state: State, model: Model) -> Self:
        """Return the stage that `to_state` described, over `model`."""
        make: Callable[..., Self] = cls
        stage = make(model=model, **state.values["params"])
        for name in cls.FITTED:
            setattr(stage, name, state.arrays[name])
        return stage

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params().items() if value is not None)
        return f"{type(self).__name__}({self.model!r}{', ' if shown else ''}{shown})"
