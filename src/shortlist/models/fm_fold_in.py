"""The parameters of a person who was not in the fit, from their events, everything else staying as it is.

Given the rest, a prediction is linear in the person's own θ = (v, w): ŷ = base + z·θ with z = (q, 1), q being the sum
of the factors of all other columns. With the prior N(μ, Λ⁻¹) the mean of θ given the ratings is
(Λ + α Σ z zᵀ)⁻¹ (Λμ + α Σ z (y - base)); for labels θ is where the posterior is highest, by Newton's method. Each set
of parameters has a θ of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

Link = Literal["identity", "logit", "probit"]
NEWTON_STEPS, LONGEST_STEP, ENOUGH = 25, 4.0, 1e-7


class IdPrior(NamedTuple):
    """A prior of θ by each of S sets: means float64[S, d], precisions float64[S, d, d], noise precisions float64[S]."""

    means: F64
    precisions: F64
    noise_precisions: F64


def folded(z: F64, base: F64, target: F64, prior: IdPrior, link: Link) -> F64:
    """Return θ float64[S, d] from z float64[n, S, d], base float64[n, S] and target float64[n] (labels 0 and 1).

    Without events it is the prior's mean. Cost: O(n S d² + S d³), a few times that for labels.
    """
    if link == "identity":
        systems = prior.precisions + np.einsum("s,nsi,nsj->sij", prior.noise_precisions, z, z)
        errors = target[:, None] - base
        right = np.einsum("sij,sj->si", prior.precisions, prior.means)
        right += np.einsum("s,nsi,ns->si", prior.noise_precisions, z, errors)
        return _solved(systems, right)
    theta, sign = prior.means.copy(), 2 * target[:, None] - 1
    for _ in range(NEWTON_STEPS):
        slope, curvature = _label_terms(base + np.einsum("nsi,si->ns", z, theta), sign, link)
        systems = prior.precisions + np.einsum("ns,nsi,nsj->sij", curvature, z, z)
        right = np.einsum("ns,nsi->si", slope, z)
        right -= np.einsum("sij,sj->si", prior.precisions, theta - prior.means)
        step = _solved(systems, right)
        length = np.sqrt((step**2).sum(axis=1, keepdims=True))
        shorter = np.minimum(1.0, LONGEST_STEP / np.maximum(length, LONGEST_STEP))
        np.add(theta, step * shorter, out=theta)
        if length.max(initial=0) < ENOUGH:
            break
    return theta


def _solved(systems: F64, right: F64) -> F64:
    return np.asarray(np.linalg.solve(systems, right[:, :, None])[:, :, 0], np.float64)


def _label_terms(z: F64, sign: F64, link: Link) -> tuple[F64, F64]:
    """Return the slope of the log-likelihood in z, and minus its second derivative; `sign` is −1 or 1."""
    if link == "logit":
        wrong = special.expit(-sign * z)
        return sign * wrong, wrong * (1 - wrong)
    # φ / Φ, the hazard of the normal distribution, in logarithms: no tail defeats it.
    ratio = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(sign * z))
    return sign * ratio, ratio * (ratio + sign * z)
