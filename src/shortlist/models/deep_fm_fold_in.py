"""The embedding and weight of a person who was not in the fit, from their events, everything else staying as it is.

The person has one column of their own, θ = (v, w). With a row (a, s, l, q) of all the rest of an event, as
`kernels.deep_fm` has it, the score is

    rest + w + s·v + MLP(a + W v),

W being what the first layer has of the ids' field. θ is where the posterior is highest, by L-BFGS from the prior's
mean: the likelihood is that of training, and the prior a normal distribution as wide, in each coordinate, as the ids of
the training data are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import optimize, special

from shortlist.models.unseen_items import UnseenItems

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.interactions import Interactions
    from shortlist.models.deep_fm_parameters import DeepFMParameters

    F64 = NDArray[np.float64]
    Floats = NDArray[np.float32]

STEPS = 60
LEAST_VARIANCE = 1e-6


class IdPrior(NamedTuple):
    """What is known of θ beforehand: mean and variance float64[dim + 1]; noise: the variance of a rating."""

    mean: F64
    variance: F64
    noise: float

    @classmethod
    def of(cls, learned: Floats, noise: float) -> IdPrior:
        """Return the prior that the θ of ids float32[n, dim + 1] are draws of; of none: all is 0."""
        if not len(learned):
            return cls(np.zeros(learned.shape[1]), np.full(learned.shape[1], LEAST_VARIANCE), noise)
        mean, variance = learned.mean(axis=0, dtype=np.float64), learned.var(axis=0, dtype=np.float64)
        return cls(mean, np.maximum(variance, LEAST_VARIANCE), noise)


class PersonExamples(NamedTuple):
    """What a person is placed by: item_idx int32[n], target float32[n], event int64[n] whose moment each has."""

    item_idx: NDArray[np.int32]
    target: Floats
    event: NDArray[np.int64]


def person_examples(own: Interactions, candidates: NDArray[np.int32], n_negatives: int) -> PersonExamples:
    """Return the events of one person; positive-only ones beside `n_negatives` times as many unseen `candidates`.

    These are drawn from the same seed for each person: whoever is folded in beside changes nothing.
    """
    at = np.arange(len(own))
    if own.feedback.kind != "events":
        return PersonExamples(own.item_idx, own.value, at)
    unseen = UnseenItems(own.user_idx, own.item_idx, candidates)
    again = np.tile(at, n_negatives if unseen.n_unseen(own.user_idx[:1])[0] else 0)
    drawn = unseen.draw(own.user_idx[again], np.random.default_rng(0))
    target = np.concatenate([np.ones(at.size, np.float32), np.zeros(again.size, np.float32)])
    return PersonExamples(np.concatenate([own.item_idx, drawn]), target, np.concatenate([at, again]))


@dataclass(frozen=True, eq=False)
class PersonLoss:
    """Minus the logarithm of the posterior of θ float64[dim + 1], but for a constant, and its gradient.

    - rest float64[n, width]: what all else brings to each event; target float64[n]; labels: targets are 0 and 1
    - field: the number of the ids' field
    """

    net: DeepFMParameters
    field: int
    rest: F64
    target: F64
    prior: IdPrior
    labels: bool

    def __call__(self, theta: F64) -> tuple[float, F64]:
        """Return both. Cost: that of the scores, twice."""
        score, units = self._scores(theta)
        away = (theta - self.prior.mean) / self.prior.variance
        fit, slope = self._fit(score)
        value = fit + 0.5 * float(away @ (theta - self.prior.mean))
        return value, self._gradient(slope, units) + away

    def _fit(self, score: F64) -> tuple[float, F64]:
        """Return the events' loss, and its slope in the score of each."""
        if self.labels:
            sign = 2 * self.target - 1
            return float(np.logaddexp(0, -sign * score).sum()), special.expit(score) - self.target
        error = score - self.target
        return float(error @ error) / (2 * self.prior.noise), error / self.prior.noise

    def _scores(self, theta: F64) -> tuple[F64, list[F64]]:
        """Return the score of each event, and the units of each layer."""
        n_first, dim = self.net.n_first, self.net.dim
        v, w = theta[:-1], theta[-1]
        s, linear, squares = self.rest[:, n_first : n_first + dim], self.rest[:, -2], self.rest[:, -1]
        score = linear + 0.5 * (np.einsum("ef,ef->e", s, s) - squares) + w + s @ v
        if not n_first:
            return score, []
        units = [np.maximum(self.rest[:, :n_first] + v @ self.net.first_layer[self.field], 0)]
        for weights, biases in self.net.later_layers:
            units.append(np.maximum(units[-1] @ weights + biases, 0))
        return score + units[-1] @ self.net.output, units

    def _gradient(self, slope: F64, units: list[F64]) -> F64:
        n_first, dim = self.net.n_first, self.net.dim
        of_v = slope @ self.rest[:, n_first : n_first + dim]
        if units:
            of_unit = slope[:, None] * self.net.output * (units[-1] > 0)
            for (weights, _), below in zip(
                reversed(self.net.later_layers), reversed(units[:-1]), strict=True
            ):
                of_unit = (of_unit @ weights.T) * (below > 0)
            of_v = of_v + self.net.first_layer[self.field] @ of_unit.sum(axis=0)
        return np.append(of_v, slope.sum())


def folded(loss: PersonLoss) -> Floats:
    """Return float32[width]: what the person's own column brings, θ being where `loss` is least."""
    start = loss.prior.mean
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    theta = found.x if found.fun <= loss(start)[0] else start
    return own_side(loss.net, loss.field, theta)


def own_side(net: DeepFMParameters, field: int, theta: F64) -> Floats:
    """Return float32[width]: what a column of `field` with the embedding and weight θ brings to a side."""
    v, w = theta[:-1], theta[-1]
    first = v @ net.first_layer[field] if net.n_first else np.zeros(0)
    return np.concatenate([first, v, [w, v @ v]]).astype(np.float32)
