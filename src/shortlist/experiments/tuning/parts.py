"""Parts: a recommender taken apart into what has parameters, and put together again with others.

A parameter is addressed by place: `models.NAME.dim`, `sources.NAME.k` (or the source's number from 1),
`scorer.…`; where there is nothing but one model, `dim` alone, and `models.NAME.dim` for a model within it.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shortlist.config.arguments import parameter_types, takes_model
from shortlist.config.place import listed, suggest
from shortlist.errors import ParameterError
from shortlist.models.model import Model
from shortlist.models.stage import Stage
from shortlist.pipeline import Pipeline

Recommender = Model | Pipeline
# A source's name says which it is; it is nothing to search.
NOT_SEARCHED = ("name", "rng")


@dataclass(frozen=True, eq=False)
class Part:
    """A model or stage, with the prefix of its parameters' addresses: "models.taste." or "" (a lone model)."""

    prefix: str
    thing: Model | Stage

    @property
    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters as they stand, without the model of a stage."""
        return self.thing.params()

    @property
    def types(self) -> dict[str, Any]:
        """Return the annotated type of each parameter that can be searched."""
        found = parameter_types(type(self.thing))
        return {
            name: hint
            for name, hint in found.items()
            if name not in NOT_SEARCHED and not takes_model(hint) and name in self.params
        }


@dataclass(frozen=True, eq=False)
class Parts:
    """An unfitted recommender and its parts; a stage that has no parameters of the known kind is kept as it is.

    - names: what the models of a pipeline (or a lone model) are called; only these can be searched. By default all
      can, by the name of their class, the second of a class as "WALS 2"
    """

    recommender: Recommender
    names: Mapping[str, Model] | None = None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts: models, sources, scorer, adjustments."""
        if self.names is None and isinstance(self.recommender, Model):
            return _parts_of(self.recommender)
        stages = [Part(f"{place}.", stage) for place, stage in self._stages().items()]
        return (*(Part(f"models.{name}.", model) for name, model in self._models().items()), *stages)

    @cached_property
    def types(self) -> dict[str, Any]:
        """Return the type of every parameter that can be searched, by address."""
        return {part.prefix + name: hint for part in self.parts for name, hint in part.types.items()}

    @cached_property
    def values(self) -> dict[str, Any]:
        """Return every parameter that can be searched as it stands, by address."""
        return {address: value for part in self.parts for address, value in _searched(part)}

    def address(self, spelled: str) -> str:
        """Return the address that `spelled` means; a source may go by its number.

        Raises `ParameterError` with the nearest right spelling where there is no such parameter.
        """
        if spelled in self.types:
            return spelled
        kind, _, rest = spelled.partition(".")
        number, _, name = rest.partition(".")
        if kind == "sources" and number.isdecimal() and isinstance(self.recommender, Pipeline):
            sources = self.recommender.sources
            if 1 <= int(number) <= len(sources):
                return self.address(f"sources.{sources[int(number) - 1].name}.{name}")
        raise ParameterError(
            f"there is no parameter {spelled!r}.{suggest(spelled, self.types)} There are {listed(self.types)}"
        )

    def build(self, params: Mapping[str, Any]) -> Recommender:
        """Return an unfitted recommender that differs by `params` (address → value); the given one is not changed.

        Raises `ParameterError` where a constructor refuses a value.
        """
        made: dict[int, Model] = {}
        for model in self._all_models():
            self._make(model, params, made)
        if isinstance(self.recommender, Model):
            return made[id(self.recommender)]
        pipeline = self.recommender
        return pipeline.unfitted(
            sources=[self._staged(source, made, params) for source in pipeline.sources],
            scorer=self._staged(pipeline.scorer, made, params),
            rerank=[self._staged(step, made, params) for step in pipeline.rerank],
            rules=[self._staged(rule, made, params) for rule in pipeline.rules],
        )

    def refusal(self, params: Mapping[str, Any]) -> ParameterError | None:
        """Return why a constructor refuses `params`; None where none does."""
        try:
            self.build(params)
        except ParameterError as error:
            return error
        return None

    def describe(self) -> dict[str, str]:
        """Return what decides a fit, as text by place: each part's class and parameters, and whose model it uses."""
        names = {id(model): name for name, model in self._models().items()}
        found = {
            part.prefix.rstrip(".") or "model": repr(part.thing)
            for part in self.parts
            if isinstance(part.thing, Model)
        }
        for place, stage in self._all_stages().items():
            model = getattr(stage, "model", None)
            found[place] = f"{stage!r} of {names.get(id(model), 'its own')}"
        return found

    def _models(self) -> dict[str, Model]:
        used = self._all_models()
        if self.names is not None:
            return {name: model for name, model in self.names.items() if any(model is one for one in used)}
        seen: Counter[str] = Counter()
        named: dict[str, Model] = {}
        for model in used:
            kind = type(model).__name__
            seen[kind] += 1
            named[kind if seen[kind] == 1 else f"{kind} {seen[kind]}"] = model
        return named

    def _all_models(self) -> list[Model]:
        if isinstance(self.recommender, Model):
            return _with_those_within([self.recommender])
        stages = self._stages().values()
        return _with_those_within([stage.model for stage in stages if stage.model is not None])

    def _stages(self) -> dict[str, Stage]:
        return {place: stage for place, stage in self._all_stages().items() if isinstance(stage, Stage)}

    def _all_stages(self) -> dict[str, Any]:
        if isinstance(self.recommender, Model):
            return {}
        pipeline = self.recommender
        found: dict[str, Any] = {f"sources.{source.name}": source for source in pipeline.sources}
        found["scorer"] = pipeline.scorer
        found |= {f"rules.{rule.name}": rule for rule in pipeline.rules}
        found |= {f"rerank.{step.name}": step for step in pipeline.rerank}
        return {place: one for stage in found.items() for place, one in _with_parts(*stage)}

    def _changes(self, thing: Model | Stage, params: Mapping[str, Any]) -> dict[str, Any]:
        part = next((part for part in self.parts if part.thing is thing), None)
        if part is None:
            return {}
        return {name: params[part.prefix + name] for name in part.types if part.prefix + name in params}

    def _make(self, model: Model, params: Mapping[str, Any], made: dict[int, Model]) -> Model:
        """Return `model` with other parameters, made once, after the models that it is made of."""
        if id(model) not in made:
            changes = self._changes(model, params)
            if model.models:
                changes["models"] = {
                    name: self._make(part, params, made) for name, part in model.models.items()
                }
            made[id(model)] = type(model)(**model.params() | changes)
        return made[id(model)]

    def _staged(self, stage: Any, made: Mapping[int, Model], params: Mapping[str, Any]) -> Any:
        if not isinstance(stage, Stage):
            return stage
        parts = [self._staged(part, made, params) for part in stage.parts]
        model = {} if stage.model is None else {"model": made[id(stage.model)]}
        make: Any = type(stage)
        return make(*parts, **model, **stage.params() | self._changes(stage, params))


def _with_parts(place: str, stage: Any) -> list[tuple[str, Any]]:
    """Return a stage and those that it is made of, each by its place: "rerank.Select", "rerank.Select.MMR"."""
    parts = stage.parts if isinstance(stage, Stage) else ()
    return [(place, stage), *(found for part in parts for found in _with_parts(f"{place}.{part.name}", part))]


def _with_those_within(models: Sequence[Model]) -> list[Model]:
    """Return the distinct models in the order of their first use, then those that they are made of."""
    found = list(models)
    for model in found:  # grows as it goes
        found.extend(model.models.values())
    return list({id(model): model for model in found}.values())


def _parts_of(model: Model) -> tuple[Part, ...]:
    """Return a lone model and the distinct models that it is made of, each by the first of its shortest addresses."""
    found = [Part("", model)]
    for part in found:  # grows as it goes
        for name, within in part.thing.models.items() if isinstance(part.thing, Model) else ():
            if all(one.thing is not within for one in found):
                found.append(Part(f"{part.prefix}models.{name}.", within))
    return tuple(found)


def _searched(part: Part) -> list[tuple[str, Any]]:
    return [(part.prefix + name, part.params[name]) for name in part.types]


@dataclass(frozen=True, eq=False)
class Builder:
    """A function that makes an unfitted recommender, its keyword parameters standing for those of `Parts`.

    Its defaults are the parameters as they stand; a parameter without a default must be searched. Two functions of
    one name count as the same search, for nobody can see what a function does.
    """

    function: Callable[..., Any]

    @property
    def recommender(self) -> Callable[..., Any]:
        """Return the function."""
        return self.function

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return none: what it makes is not known."""
        return ()

    @cached_property
    def types(self) -> dict[str, Any]:
        """Return the type of each parameter; Any where it has no annotation that a value can be checked against."""
        known = parameter_types(self.function)
        return {name: known.get(name, Any) for name in inspect.signature(self.function).parameters}

    @cached_property
    def values(self) -> dict[str, Any]:
        """Return the defaults of the parameters that have one."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def address(self, spelled: str) -> str:
        """Return `spelled`. Raises `ParameterError` with the nearest right spelling for an unknown parameter."""
        if spelled not in self.types:
            raise ParameterError(
                f"there is no parameter {spelled!r}.{suggest(spelled, self.types)} There are {listed(self.types)}"
            )
        return spelled

    def build(self, params: Mapping[str, Any]) -> Any:
        """Return what the function makes of `params`, and of its defaults for the others."""
        return self.function(**params)

    def refusal(self, params: Mapping[str, Any]) -> ParameterError | None:
        """Return None: what a function refuses shows when it is called, and that is for a trial to do."""
        return None

    def describe(self) -> dict[str, str]:
        """Return the function's name and defaults."""
        name = f"{self.function.__module__}.{getattr(self.function, '__qualname__', self.function)}"
        return {"builder": f"{name}({', '.join(f'{key}={value!r}' for key, value in self.values.items())})"}
