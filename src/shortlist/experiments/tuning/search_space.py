"""The search space: which values of which parameters are tried, checked against the constructors that take them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, get_args

import numpy as np

from shortlist.config.place import listed, suggest
from shortlist.config.values import UnsuitableError, convert, describe
from shortlist.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from shortlist.experiments.tuning.parts import Builder, Parts

Plain = bool | int | float | str | None
# A parameter is searched to this many significant digits: more would be noise in the file that names the best.
DIGITS = 4
RANGE_KEYS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included, drawn evenly or evenly on the logarithm; or whole ones, in steps."""

    low: float
    high: float
    log: bool = False
    step: int | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        for name, end in (("low", self.low), ("high", self.high)):
            if not _is_number(end):
                raise ParameterError(f"{name} must be a finite number, got {end!r}")
        if not self.low < self.high:
            raise ParameterError(f"low={self.low!r} must be less than high={self.high!r}")
        _require_switch(self.log)
        if self.log and self.low <= 0:
            raise ParameterError(f"log = true needs low above 0, got {self.low!r}")
        self._check_step()

    def _check_step(self) -> None:
        if self.whole and not all(_is_whole(end) for end in (self.low, self.high)):
            raise ParameterError("the parameter is a whole number, so low and high must be whole")
        if self.step is None:
            return
        if not self.whole:
            raise ParameterError("a step is for whole numbers; name choices instead")
        if not _is_whole(self.step) or not 1 <= self.step <= self.high - self.low:
            raise ParameterError(
                f"step must be a whole number from 1 to the width of the range, got {self.step!r}"
            )
        if self.log:
            raise ParameterError("give log = true or a step, not both")

    def __contains__(self, value: object) -> bool:
        if not _is_number(value) or not self.low <= value <= self.high:
            return False
        return not self.whole or (value - self.low) % (self.step or 1) == 0

    @property
    def ends(self) -> tuple[float, float]:
        """Return the smallest and the largest value that can be tried."""
        return self.low, self.high - (self.high - self.low) % (self.step or 1) if self.whole else self.high

    def beyond(self, value: float) -> float | None:
        """Return a number beyond the end that `value` is at: within a fiftieth of the range, on its scale; else None.

        >>> Range(0, 10, whole=True).beyond(10), Range(0, 10, whole=True).beyond(5)
        (11, None)
        """
        scale = math.log if self.log else float
        low, at, high = scale(self.low), scale(value), scale(self.high)
        near = (high - low) / 50
        step = 1 if self.whole else (self.high - self.low) * 1e-6
        if high - at <= near:
            return self.high + step
        return self.low - step if at - low <= near else None

    @property
    def size(self) -> float:
        """Return how many values there are, infinite for real numbers."""
        if not self.whole:
            return math.inf
        return (self.high - self.low) // (self.step or 1) + 1

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        made: BaseDistribution
        distributions = optuna_module().distributions
        if self.whole:
            made = distributions.IntDistribution(*map(int, self.ends), log=self.log, step=int(self.step or 1))
        else:
            made = distributions.FloatDistribution(float(self.low), float(self.high), log=self.log)
        return made

    def used(self, drawn: Any) -> float:
        """Return the value tried for a `drawn` one: in four significant digits, and within the range.

        >>> Range(0.001, 1.0, log=True).used(0.0123456789)
        0.01235
        """
        if self.whole:
            return int(drawn)
        return min(max(float(f"{drawn:.{DIGITS}g}"), float(self.low)), float(self.high))

    def __str__(self) -> str:
        kind = ", log" if self.log else f", step {self.step}" if self.step else ""
        return f"{self.low:g} to {self.high:g}{kind}"


@dataclass(frozen=True)
class Choices:
    """One of these values, without an order."""

    values: tuple[Plain, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ParameterError("there is no choice; name at least one value")
        for value in self.values:
            if not _is_plain(value):
                raise ParameterError(f"a choice is a number, a text, true or false; got {value!r}")
        twice = [value for at, value in enumerate(self.values) if _among(value, self.values[:at])]
        if twice:
            raise ParameterError(f"the choice {twice[0]!r} stands there twice")

    def __contains__(self, value: object) -> bool:
        return _among(value, self.values)

    @property
    def ends(self) -> tuple[Plain, ...]:
        """Return every value."""
        return self.values

    @property
    def size(self) -> float:
        """Return how many values there are."""
        return len(self.values)

    def distribution(self) -> BaseDistribution:
        """Return what Optuna draws from."""
        made: BaseDistribution = optuna_module().distributions.CategoricalDistribution(self.values)
        return made

    def used(self, drawn: Any) -> Any:
        """Return the value tried for a `drawn` one: itself."""
        return drawn

    def __str__(self) -> str:
        return " | ".join(map(str, self.values))


Dimension = Range | Choices
Space = dict[str, Dimension]


def read_space(given: Mapping[str, Any], parts: Parts | Builder) -> Space:
    """Return the space that `given` describes for the parameters of `parts`, by address.

    An entry is `{low, high, log, step}`, `{choices}` or a list of choices; tables within tables are addresses, so
    `{"models": {"taste": {"dim": …}}}` is `{"models.taste.dim": …}`. Each end and each choice is tried on the
    constructor. Raises `ParameterError` naming the parameter, with the nearest right spelling.
    """
    space: Space = {}
    for spelled, entry in flattened(given, parts):
        address = parts.address(spelled)
        if address in space:
            raise ParameterError(f"{address}: it stands there twice")
        try:
            space[address] = _dimension(entry, parts.types[address])
        except ParameterError as error:
            raise ParameterError(f"{address}: {error}") from None
    if not space:
        raise ParameterError("the space is empty: name at least one parameter")
    _require_accepted(space, parts)
    return space


def optuna_module() -> Any:
    """Return Optuna. Raises `MissingExtraError` with the command that installs it."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError(
            "tuning needs Optuna, which is not installed: pip install 'shortlist[experiments]'"
        ) from error
    return optuna


def flattened(given: Mapping[str, Any], parts: Parts | Builder, prefix: str = "") -> list[tuple[str, Any]]:
    """Return (address as spelled, entry) of every entry of a nested table."""
    found: list[tuple[str, Any]] = []
    for key, entry in given.items():
        spelled = f"{prefix}{key}"
        if isinstance(entry, Mapping) and spelled not in parts.types and not _is_entry(entry):
            found += flattened(entry, parts, f"{spelled}.")
        else:
            found.append((spelled, entry))
    return found


def _is_entry(table: Mapping[str, Any]) -> bool:
    return any(key in table and not isinstance(table[key], Mapping) for key in ("low", "high", "choices"))


def _dimension(entry: object, hint: Any) -> Dimension:
    if isinstance(entry, Mapping) and "choices" in entry:
        _require_keys(entry, ("choices",))
        entry = entry["choices"]
        if isinstance(entry, str) or not isinstance(entry, Sequence):
            raise ParameterError(f"choices needs a list, not {entry!r}")
    if isinstance(entry, Mapping):
        return _range(entry, hint)
    if isinstance(entry, Sequence) and not isinstance(entry, str):
        return Choices(tuple(_converted(value, hint) for value in entry))
    raise ParameterError(
        f"needs {{ low = …, high = … }}, {{ choices = […] }} or a list of choices, not {entry!r}"
    )


def _range(entry: Mapping[str, Any], hint: Any) -> Range:
    _require_keys(entry, RANGE_KEYS)
    missing = [key for key in ("low", "high") if key not in entry]
    if missing:
        raise ParameterError(f"needs {' and '.join(missing)}")
    if hint is Any:
        return Range(**entry, whole=all(_is_whole(entry[key]) for key in ("low", "high")))
    kinds = (hint, *get_args(hint))
    if float not in kinds and int not in kinds:
        raise ParameterError(f"takes {describe(hint)}, which has no range; name choices instead")
    return Range(**entry, whole=float not in kinds)


def _require_keys(entry: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in entry:
        if key not in known:
            raise ParameterError(f"no such key: {key}.{suggest(str(key), known)} There are {listed(known)}")


def _converted(value: Any, hint: Any) -> Any:
    if value is None and type(None) in get_args(hint):
        return None
    try:
        return convert(value, hint, Path())
    except UnsuitableError as error:
        raise ParameterError(str(error)) from None


def _require_accepted(space: Space, parts: Parts | Builder) -> None:
    """Raise `ParameterError` where a constructor refuses an end or choice, alone and beside every other choice."""
    for address, dimension in space.items():
        for value in dimension.ends:
            refused = parts.refusal({address: value})
            others = (
                {address: value, other: choice}
                for other, choices in space.items()
                if other != address
                for choice in choices.ends
            )
            if refused is not None and all(parts.refusal(changes) for changes in others):
                raise ParameterError(f"{address}: {value!r} cannot be tried: {refused}")


def _require_switch(log: object) -> None:
    if not isinstance(log, bool):
        raise ParameterError(f"log must be true or false, got {log!r}")


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    return math.isfinite(value)


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, bool | str) or _is_number(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _among(value: object, values: Sequence[object]) -> bool:
    # 1 == True in Python.
    return any(type(value) is type(other) and value == other for other in values)
