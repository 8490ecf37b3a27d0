"""Checks of parameters: each returns the value, or says what is allowed."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TypeVar, get_args

import numpy as np

from shortlist.errors import ParameterError

Word = TypeVar("Word", bound=str)


def whole(name: str, value: object, *, least: int) -> int:
    """Return `value`, a whole number of at least `least`; raise `ParameterError` otherwise.

    >>> whole("dim", 64, least=1)
    64
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ParameterError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def number(name: str, value: object, *, above_zero: bool = False, most: float = math.inf) -> float:
    """Return `value`, a finite number from 0 (or above it) to `most`; raise `ParameterError` otherwise.

    >>> number("reg", 0.1)
    0.1
    """
    try:
        real = math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:  # a whole number beyond the largest float
        real = math.inf
    if not (math.isfinite(real) and 0 <= real <= most) or (above_zero and real == 0):
        low, high = (
            ("above" if above_zero else "at least"),
            f" and at most {most:g}" if most < math.inf else "",
        )
        raise ParameterError(f"{name} must be a number {low} 0{high}, got {value!r}")
    return real


def one_of(name: str, value: Word, words: object) -> Word:
    """Return `value`, which must be among the `Literal` type `words`; raise `ParameterError` otherwise.

    >>> from typing import Literal
    >>> one_of("form", "all", Literal["all", "complement"])
    'all'
    """
    if value not in get_args(words):
        raise ParameterError(f"{name}={value!r} is not one of {', '.join(get_args(words))}")
    return value


def text(name: str, value: object) -> str:
    """Return `value`, a text that is not empty; raise `ParameterError` otherwise.

    >>> text("column", "genres")
    'genres'
    """
    if not isinstance(value, str) or not value:
        raise ParameterError(f"{name} must be a text that is not empty, got {value!r}")
    return value


def generator(rng: object) -> np.random.Generator:
    """Return the random generator that `rng` stands for (SPEC 7): a Generator, a seed, or None for fresh entropy.

    Raises `ParameterError` for anything else. The same generator is returned, not a copy.

    >>> int(generator(3).integers(100)) == int(generator(3).integers(100))
    True
    """
    try:
        return np.random.default_rng(rng)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"rng must be a whole number of at least 0, a numpy Generator or None, got {rng!r}"
        ) from error
