"""The normal-Wishart prior of vectors: their mean and precision, drawn given the vectors.

Λ ~ Wishart(W₀, ν₀) and μ | Λ ~ N(0, (β₀ Λ)⁻¹), with W₀ the identity, ν₀ = d and β₀ = 2: equations (5), (6) and (14) of
Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix factorization using Markov chain Monte Carlo", and their
settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

BETA = 2.0


class Prior(NamedTuple):
    """A normal distribution: mean μ float64[d] and precision Λ float64[d, d]."""

    mean: F64
    precision: F64


def draw_prior(vectors: F64, rng: np.random.Generator) -> Prior:
    """Return μ and Λ drawn given `vectors` float64[n, d], n ≥ 0. Cost: O(n d² + d³)."""
    n, d = vectors.shape
    mean: F64 = vectors.mean(axis=0) if n else np.zeros(d)
    centred = vectors - mean
    scatter = np.eye(d) + centred.T @ centred + (BETA * n / (BETA + n)) * np.outer(mean, mean)
    precision = draw_wishart(np.linalg.inv(scatter), d + n, rng)
    root = np.linalg.cholesky(precision)
    deviation = np.linalg.solve(root.T, rng.standard_normal(d))
    return Prior((n / (BETA + n)) * mean + deviation / np.sqrt(BETA + n), precision)


def draw_wishart(scale: F64, degrees: float, rng: np.random.Generator) -> F64:
    """Return a draw float64[d, d] of the Wishart distribution, whose mean is degrees · `scale` (Bartlett 1933)."""
    d = len(scale)
    triangle = np.tril(rng.standard_normal((d, d)), -1)
    triangle[np.diag_indices(d)] = np.sqrt(rng.chisquare(degrees - np.arange(d)))
    root = np.linalg.cholesky((scale + scale.T) / 2) @ triangle
    drawn: F64 = root @ root.T
    return drawn
