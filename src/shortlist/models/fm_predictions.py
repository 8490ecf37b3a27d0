"""Predictions of examples by all draws of a factorisation machine, and how far they may be off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from shortlist.models.fm_courses import Spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.fm_design import Design
    from shortlist.models.fm_fold_in import Link
    from shortlist.models.fm_parameters import Parameters

    F64 = NDArray[np.float64]

EXAMPLES_A_BLOCK = 1 << 16


def spread_of(design: Design, parameters: Parameters, link: Link, noise: F64) -> Spread:
    """Return the predictions of the examples and their spread, block by block; noise float64[S] of ratings."""
    m = len(design.examples)
    out = Spread(*(np.empty(m, np.float32) for _ in Spread._fields))
    for start in range(0, m, EXAMPLES_A_BLOCK):
        rows = np.arange(start, min(start + EXAMPLES_A_BLOCK, m))
        scores = parameters.predictions(design.with_examples(design.examples.take(rows)))
        for whole_column, part in zip(out, _summary(scores, link, noise), strict=True):
            whole_column[rows] = part
    return out


def _summary(scores: F64, link: Link, noise: F64) -> tuple[F64, F64, F64]:
    """Return mean, deviation of the mean and deviation of the value, float64[m], of scores float64[m, S]."""
    if link == "identity":
        variance = scores.var(axis=1)
        return scores.mean(axis=1), np.sqrt(variance), np.sqrt(variance + np.mean(noise**2))
    chances = special.ndtr(scores) if link == "probit" else special.expit(scores)
    mean = chances.mean(axis=1)
    return mean, chances.std(axis=1), np.sqrt(mean * (1 - mean))
