"""From scores to probabilities: a curve that is fitted to labels, logistic (Platt) or a staircase (isotonic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np

from shortlist.errors import DataError, NonFiniteError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Method = Literal["platt", "isotonic"]
_NEWTON_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class ProbabilityCurve:
    """A curve through points: `score` ascending, `probability` in [0, 1], never falling.

    "isotonic" is the staircase's steps joined by straight lines and level beyond its ends; "platt" is σ(a·score + b)
    with a >= 0, `score` and `probability` holding a and b.
    """

    method: Method
    score: tuple[float, ...]
    probability: tuple[float, ...]

    @classmethod
    def fit(
        cls, scores: ArrayLike, labels: ArrayLike, method: Method = "platt", weights: ArrayLike | None = None
    ) -> Self:
        """Return the curve of `method` for scores [n] and labels 0 or 1 [n], row-aligned; `weights` [n] count rows.

        "platt": Platt 1999, Probabilistic outputs for support vector machines, with the targets (n₁ + 1)/(n₁ + 2) and
        1/(n₀ + 2), by Newton steps (Lin, Lin and Weng 2007); a is held at 0 where a higher score means less.
        "isotonic": the least squares fit that never falls, by pooling adjacent violators (Ayer et al. 1955). It follows
        any shape that never falls, and needs some thousand rows. It makes ties: rank by the score, show the
        probability.

        Raises `DataError` unless both labels occur, `ParameterError` for unaligned rows, other labels, scores that are
        not finite, weights that are not above 0, and an unknown method.
        """
        score, truth = _rows(scores, labels)
        weight = _weights(weights, score.size)
        if method not in get_args(Method):
            raise ParameterError(f"method={method!r} is not one of {', '.join(get_args(Method))}")
        points = _platt if method == "platt" else _isotonic
        return cls(method, *points(score, truth, weight))

    def __call__(self, scores: ArrayLike) -> Floats:
        """Return the probability of each score, float64 of the same shape."""
        score = np.asarray(scores, np.float64)
        if self.method == "platt":
            return _sigmoid(self.score[0] * score + self.probability[0])
        return np.interp(score, self.score, self.probability)

    def to_values(self) -> dict[str, Any]:
        """Return plain values that `from_values` needs."""
        return {
            "method": self.method,
            "score": list(self.score),
            "probability": list(self.probability),
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_values` described."""
        return cls(values["method"], tuple(values["score"]), tuple(values["probability"]))


def _platt(score: Floats, truth: Floats, weight: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    ones, rows = float(weight @ truth), float(weight.sum())
    target = np.where(truth == 1, (ones + 1) / (ones + 2), 1 / (rows - ones + 2))
    middle = float(weight @ score) / rows
    scale = float(np.sqrt(weight @ (score - middle) ** 2 / rows)) or 1.0
    z = (score - middle) / scale  # of order 1, so that the steps are well conditioned
    level = _logit(float(weight @ target) / rows)
    slope, offset = _logistic(z, target, weight, level)
    if slope < 0:
        slope, offset = 0.0, level
    return (slope / scale,), (offset - slope * middle / scale,)


def _logistic(z: Floats, target: Floats, weight: Floats, level: float) -> tuple[float, float]:
    """Return slope and offset of largest likelihood, by Newton's method with halved steps, from a line at `level`."""
    design = np.stack([z, np.ones(z.size)], axis=1)
    found = np.array([0.0, level])
    loss = _cross_entropy(design @ found, target, weight)
    for _ in range(_NEWTON_STEPS):
        p = _sigmoid(design @ found)
        gradient = design.T @ (weight * (p - target))
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + _TOLERANCE * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (
            tried := _cross_entropy(design @ (found - size * step), target, weight)
        ) > loss and size > _TOLERANCE:
            size /= 2
        if loss - tried <= _TOLERANCE * abs(loss):
            return float(found[0]), float(found[1])
        found, loss = found - size * step, tried
    raise NonFiniteError(
        f"the logistic curve did not settle in {_NEWTON_STEPS} steps: are the scores finite?"
    )


def _cross_entropy(logit: Floats, target: Floats, weight: Floats) -> float:
    return float(weight @ (np.logaddexp(0, logit) - target * logit))


def _isotonic(score: Floats, truth: Floats, rows: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the ends of the steps and their heights."""
    distinct, at = np.unique(score, return_inverse=True)
    n = np.bincount(at, rows)
    height, weight, start = _pooled((np.bincount(at, rows * truth) / n).tolist(), n.tolist())
    stop = np.append(start[1:], distinct.size)
    ends = np.stack([distinct[start], distinct[stop - 1]], axis=1)
    keep = np.stack(
        [np.ones(len(weight), bool), stop - 1 > start], axis=1
    )  # a step of one score is one point
    return tuple(ends[keep].tolist()), tuple(np.repeat(height, 2).reshape(-1, 2)[keep].tolist())


def _pooled(values: Sequence[float], weights: Sequence[float]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return height, weight and first position of each step of the fit that never falls."""
    height: list[float] = []
    weight: list[float] = []
    start: list[int] = []
    for at, (value, amount) in enumerate(zip(values, weights, strict=True)):
        height.append(value)
        weight.append(amount)
        start.append(at)
        while len(height) > 1 and height[-2] >= height[-1]:
            total = weight[-2] + weight[-1]
            height[-2:] = [(height[-2] * weight[-2] + height[-1] * weight[-1]) / total]
            weight[-2:] = [total]
            start.pop()
    return np.array(height), np.array(weight), np.array(start)


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _sigmoid(x: Floats) -> Floats:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def _weights(weights: ArrayLike | None, n: int) -> Floats:
    if weights is None:
        return np.ones(n)
    weight = np.asarray(weights, np.float64)
    if weight.shape != (n,) or not np.all(np.isfinite(weight) & (weight > 0)):
        raise ParameterError(f"weights must be {n} finite numbers above 0")
    return weight


def _rows(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    score, truth = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if score.ndim != 1 or score.shape != truth.shape:
        raise ParameterError(f"scores {score.shape} and labels {truth.shape} must be aligned rows")
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ParameterError("labels must be 0 or 1")
    if not np.isfinite(score).all():
        raise ParameterError(f"{int((~np.isfinite(score)).sum())} scores are NaN or infinite")
    if truth.size == 0 or truth.min() == truth.max():
        raise DataError(
            f"a probability needs rows of both labels; there are {truth.size} rows, {int(truth.sum())} of them 1"
        )
    return score, truth
