"""leak_check: whether features that are made of events tell a learner what it will not be told when it is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from shortlist.data import split
from shortlist.data.event_sums import folds
from shortlist.parameters import generator, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset

    Floats = NDArray[np.floating[Any]]

TREES = 100
N_FOLDS = 4


@dataclass(frozen=True)
class LeakCheck:
    """What a learner seemed to reach, and what it reached.

    - seeming_rmse: root mean squared error on held-out training rows, whose features were made as those it learned from
    - real_rmse: the same on events that were apart from the start, with the features that a served row gets
    - gap: standard errors by which the mean squared error is larger on the latter
    - tolerance: the share by which real_rmse may exceed seeming_rmse
    """

    seeming_rmse: float
    real_rmse: float
    gap: float
    tolerance: float

    @property
    def leaks(self) -> bool:
        """Return whether the error is larger on served rows by more than `tolerance` and 4 standard errors."""
        return self.gap > 4 and self.real_rmse > self.seeming_rmse * (1 + self.tolerance)


def leak_check(
    dataset: Dataset,
    training_rows: Callable[[Dataset], Floats],
    served_rows: Callable[[Dataset, Dataset], Floats],
    *,
    tolerance: float = 0.05,
    rng: np.random.Generator | int | None = None,
) -> LeakCheck:
    """Return what gradient-boosted trees learn of the values of `dataset` from features that are made of its events.

    - training_rows: gives the features [m, n] of a dataset's events, made of them
    - served_rows: gives those of the events of a second dataset, made of the events of the first

    A fifth of the events is put aside. Trees are fitted on the other rows and tried, by four folds of these, on
    held-out rows whose features were made in the same way; and then on the events put aside. An honest feature is worth
    as much on both. One that holds a trace of the row's own value is worth more where both were made together: in
    (S − y) / (n − 1), the mean without the row, the trees find y.

    The split is random, so that no drift in time is taken for a leak. NaN is allowed in features.
    Raises `ParameterError` for a tolerance that is no number of at least 0. Cost: 5 fits of 100 trees.
    """
    number("tolerance", tolerance)
    generator_ = generator(rng)
    train, test = split.random(dataset, 0.2, generator_)
    rows, served = training_rows(train), served_rows(train, test)
    target, truth = (part.interactions.value.astype(np.float64) for part in (train, test))
    seeming = np.empty(target.size)
    fold = folds(target.size, N_FOLDS, generator_)
    # Threads that wait for one another by spinning take many times as long on a machine that has other work.
    with threadpool_limits(1):
        for held in range(N_FOLDS):
            tried = fold == held
            seeming[tried] = _fitted(rows[~tried], target[~tried]).predict(rows[tried]) - target[tried]
        real = _fitted(rows, target).predict(served) - truth
    return LeakCheck(_rmse(seeming), _rmse(real), _gap(seeming**2, real**2), tolerance)


def _fitted(rows: Floats, target: Floats) -> Any:
    return HistGradientBoostingRegressor(max_iter=TREES, early_stopping=False, random_state=0).fit(
        rows, target
    )


def _rmse(error: Floats) -> float:
    return float(np.sqrt(np.mean(error**2)))


def _gap(seeming: Floats, real: Floats) -> float:
    # Two means of independent samples; by how many standard errors of their difference they differ.
    spread = np.sqrt(seeming.var() / seeming.size + real.var() / real.size)
    return float((real.mean() - seeming.mean()) / spread) if spread > 0 else 0.0
