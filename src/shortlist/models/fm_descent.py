"""Stochastic gradient descent and AdaGrad for a factorisation machine; `kernels.fm_descent` has the formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shortlist.errors import NonFiniteError
from shortlist.kernels.fm_descent import descend
from shortlist.models.fm_parameters import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design

DIVERGED = 10.0
"""A mean loss of so many times that of predicting nothing but the intercept: the steps have diverged."""


class Steps(NamedTuple):
    """How a step is taken: its rate, the penalties, the kind of loss and whether rates are those of AdaGrad."""

    rate: float
    reg: float
    weight_reg: float
    logistic: bool
    adagrad: bool


@dataclass(eq=False)
class Descent:
    """Parameters that go down the gradient, with the sums of squares of AdaGrad; all change in place."""

    intercept: NDArray[np.float64]
    weights: NDArray[np.float32]
    factors: NDArray[np.float32]

    def __post_init__(self) -> None:
        self._squares = (
            np.zeros_like(self.intercept),
            np.zeros_like(self.weights),
            np.zeros_like(self.factors),
        )

    def epoch(self, design: Design, order: NDArray[np.int64], steps: Steps) -> float:
        """Step on the examples in `order`, which are at least one, and return their mean loss, each before its step."""
        of = design.examples
        rows = design.row_arguments()
        parts: tuple[Any, ...] = (*rows, self.intercept, self.weights, self.factors, *self._squares, *steps)
        total: float = descend(order, of.target, *parts)
        return total / len(order)

    def parameters(self) -> Parameters:
        """Return the one set of parameters."""
        return Parameters(
            self.intercept.copy(), self.weights[:, None].copy(), self.factors[:, None, :].copy()
        )


def require_descending(loss: float, first: float, epoch: int, n_epochs: int, rate: float) -> None:
    """Raise `NonFiniteError` where the mean loss of an epoch is not finite or far above that of no model at all."""
    if not loss <= DIVERGED * first:
        raise NonFiniteError(
            f"epoch {epoch} of {n_epochs}: the mean loss is {loss:g}, without a model it would be {first:g}: the steps "
            f"diverge; lower learning_rate ({rate:g}), or look for huge values in the features"
        )


def loss_of_intercept(target: NDArray[np.float32], logistic: bool) -> float:
    """Return the mean loss of predicting every target alike, by the best intercept there is, but not 0."""
    mean = float(target.mean(dtype=np.float64))
    if logistic:
        return float(np.log(2))
    return 0.5 * float(np.mean((target - mean) ** 2, dtype=np.float64)) + 1e-6


class Watch:
    """The loss on held-out examples epoch by epoch: the best parameters, and whether patience has run out.

    - loss: of the last epoch; None, and nothing is watched, where `patience` is None
    """

    def __init__(self, held_out: Design, logistic: bool, patience: int | None) -> None:
        self._held_out, self._logistic, self._patience = held_out, logistic, patience
        self.best: Parameters | None = None
        self.loss: float | None = None
        self._least, self._since = np.inf, 0

    @property
    def over(self) -> bool:
        """Return whether `patience` epochs have passed without a better loss."""
        return self._patience is not None and self._since >= self._patience

    def seen(self, parameters: Parameters) -> Parameters:
        """Take note of the parameters after an epoch, and return them."""
        if self._patience is None:
            return parameters
        predicted = parameters.predictions(self._held_out)[:, 0]
        self.loss = mean_loss(predicted, self._held_out.examples.target, self._logistic)
        self._since += 1
        if self.loss < self._least:
            self.best, self._least, self._since = parameters, self.loss, 0
        return parameters


def mean_loss(predicted: NDArray[np.float64], target: NDArray[np.float32], logistic: bool) -> float:
    """Return the mean of ½ (ŷ − y)², or of the cross-entropy of labels 0 and 1.

    >>> mean_loss(np.array([1.0, 3.0]), np.array([0.0, 3.0], np.float32), False)
    0.25
    """
    if logistic:
        losses = np.logaddexp(0, predicted) - target * predicted
    else:
        losses = 0.5 * (predicted - target) ** 2
    return float(losses.mean())
