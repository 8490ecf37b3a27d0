"""How far predicted ratings lie from the observed ones. Ranking never clips; these do, when given a scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def rmse(observed: ArrayLike, predicted: ArrayLike, *, scale: tuple[float, float] | None = None) -> float:
    """Return the root mean squared error, √(Σ (y − ŷ)² / n), in the unit of the ratings.

    `observed` and `predicted` are real arrays [n], row-aligned, n >= 1. `scale = (low, high)` clips the
    predictions to the rating scale first; None takes them as they are. 0 is best. O(n), in float64.

    Raises `ParameterError` on unequal shapes, an empty input, NaN or infinity, or a scale with low >= high.

    >>> rmse([4.0, 2.0, 5.0], [3.0, 2.0, 7.0])  # √((1² + 0² + 2²) / 3) = √(5/3)
    1.2909944487358056
    >>> rmse([4.0, 2.0, 5.0], [3.0, 2.0, 7.0], scale=(0.5, 5.0))  # 7 is clipped to 5: √((1 + 0 + 0) / 3)
    0.5773502691896257
    """
    return math.sqrt(float(np.mean(_errors(observed, predicted, scale) ** 2)))


def mae(observed: ArrayLike, predicted: ArrayLike, *, scale: tuple[float, float] | None = None) -> float:
    """Return the mean absolute error, Σ |y − ŷ| / n, in the unit of the ratings.

    Arguments, clipping and errors as for `rmse`.

    >>> mae([4.0, 2.0, 5.0], [3.0, 2.0, 7.0])  # (1 + 0 + 2) / 3
    1.0
    >>> mae([4.0, 2.0, 5.0], [3.0, 2.0, 7.0], scale=(0.5, 5.0))  # 7 is clipped to 5: (1 + 0 + 0) / 3
    0.3333333333333333
    """
    return float(np.mean(np.abs(_errors(observed, predicted, scale))))


def _errors(
    observed: ArrayLike, predicted: ArrayLike, scale: tuple[float, float] | None
) -> NDArray[np.float64]:
    truth, guess = _finite("observed", observed), _finite("predicted", predicted)
    if truth.shape != guess.shape:
        raise ParameterError(f"{truth.size} observed ratings but {guess.size} predicted: give one for each")
    if truth.size == 0:
        raise ParameterError("there is no rating to compare: the error of an empty set is undefined")
    if scale is None:
        return truth - guess
    low, high = scale
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError(f"scale={scale!r} must be (low, high) with low < high, both finite")
    return truth - np.clip(guess, low, high)


def _finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ParameterError(f"{name} must be one-dimensional, got shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise ParameterError(f"{name}[{bad[0]}] is {array[bad[0]]} ({bad.size} not finite in all): drop them")
    return array
