"""Whether probabilities are what they say: predicted against observed, in bins of equally many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.errors import ParameterError
from shortlist.parameters import whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


class Reliability(NamedTuple):
    """A row a bin, from small to large probabilities: what was said, what came, and of how many rows.

    predicted float64[b]: mean probability; observed float64[b]: share of 1s; n int64[b] > 0.
    """

    predicted: Floats
    observed: Floats
    n: NDArray[np.int64]


def reliability(labels: ArrayLike, probabilities: ArrayLike, n_bins: int = 10) -> Reliability:
    """Return mean probability and share of 1s in `n_bins` bins of equally many rows, by probability.

    - labels 0 or 1, probabilities in [0, 1]: [n], row-aligned; n >= 1

    Rows of one probability stay in one bin, so there may be fewer bins. Bins of equal width would leave most of
    them nearly empty where most probabilities are small. O(n log n).
    Raises `ParameterError` on unequal lengths, an empty input, other labels, or what is no probability.

    >>> found = reliability([0, 1, 1, 1], [0.25, 0.25, 0.5, 1.0], n_bins=2)
    >>> found.predicted.tolist(), found.observed.tolist(), found.n.tolist()
    ([0.25, 0.75], [0.5, 1.0], [2, 2])
    """
    truth, probability = _rows(labels, probabilities)
    order = np.argsort(probability, kind="stable")
    truth, probability = truth[order], probability[order]
    n_bins = min(whole("n_bins", n_bins, least=1), truth.size)
    cut = np.arange(1, n_bins) * truth.size // n_bins
    start = np.unique(np.concatenate([[0], np.searchsorted(probability, probability[cut])]))
    n = np.diff(np.append(start, truth.size))
    return Reliability(np.add.reduceat(probability, start) / n, np.add.reduceat(truth, start) / n, n)


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, n_bins: int = 10) -> float:
    """Return the mean over rows of |share of 1s − mean probability| of the bin a row is in: 0 is best.

    Arguments and bins as for `reliability`; in [0, 1]. Even perfect probabilities have a small one by chance, larger
    with more bins. Naeini et al. 2015, Obtaining well calibrated probabilities using Bayesian binning, AAAI, with bins
    of equal mass.

    >>> expected_calibration_error([0, 1, 1, 1], [0.25, 0.25, 0.5, 1.0], n_bins=2)  # (2·|.5 − .25| + 2·|1 − .75|) / 4
    0.25
    """
    bins = reliability(labels, probabilities, n_bins)
    return float(np.average(np.abs(bins.observed - bins.predicted), weights=bins.n))


def _rows(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, Floats]:
    truth, probability = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    if truth.ndim != 1 or truth.shape != probability.shape:
        raise ParameterError(
            f"labels {truth.shape} and probabilities {probability.shape} must be aligned rows"
        )
    if not truth.size:
        raise ParameterError("there are no rows, so nothing can be said of their probabilities")
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ParameterError("labels must be 0 or 1")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ParameterError("probabilities must lie in [0, 1]")
    return truth, probability
