"""Seeds: how much of a figure is the luck of the fit, measured by fitting again with other seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist.errors import ShortlistError
from shortlist.experiments.comparing.candidates import named_error, unfitted
from shortlist.experiments.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.comparing.candidates import Fitted
    from shortlist.experiments.evaluation import Evaluation


@dataclass(frozen=True)
class Spread:
    """The main metric of one model under a protocol over fits with different seeds.

    mean; std: the sample standard deviation (n − 1); values: of each fit, the one that was compared first.
    """

    model: str
    protocol: str
    mean: float
    std: float
    values: Sequence[float]


def spreads(
    fitted: Sequence[Fitted],
    evaluation: Evaluation,
    metric: str,
    parts: tuple[Dataset, Dataset],
    n_seeds: int,
    begin: Callable[[str], object],
) -> tuple[list[Spread], list[str]]:
    """Return the spread of each candidate over `n_seeds` fits, and notes on those that could not be fitted again.

    The further seeds are those after the candidate's own. Cost: n_seeds − 1 fits and evaluations of each.
    """
    found, notes = [], []
    for one in fitted if n_seeds > 1 else ():
        if unfitted(one.recommender) is None:
            notes.append(f"{one.candidate.name}: not fitted with other seeds, its kind is not known")
            continue
        again = [_refitted(one, step, evaluation, parts, begin) for step in range(1, n_seeds)]
        found += [
            _spread(one.candidate.name, protocol, metric, [evaluation, *again])
            for protocol in evaluation.protocols
        ]
    return found, notes


def _refitted(
    one: Fitted, step: int, like: Evaluation, parts: tuple[Dataset, Dataset], begin: Callable[[str], object]
) -> Evaluation:
    name, seed, (train, test) = one.candidate.name, one.candidate.seed, parts
    begin(f"fitting {name} with seed {step + 1} of its seeds")
    fresh = unfitted(one.recommender)
    assert fresh is not None
    try:
        fresh.fit(train, rng=None if seed is None else seed + step)
    except ShortlistError as error:
        raise named_error(one.candidate, error) from error
    return evaluate({name: fresh}, train, test, like.k, exclude_seen=like.exclude_seen, n_bootstrap=0)


def _spread(name: str, protocol: str, metric: str, runs: Sequence[Evaluation]) -> Spread:
    values = [run.result(metric, name, protocol=protocol).value for run in runs]
    return Spread(name, protocol, float(np.mean(values)), float(np.std(values, ddof=1)), values)
