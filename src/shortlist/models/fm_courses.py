"""What a factorisation machine is told and tells: the course of each solver, the events learned from, the spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from shortlist.errors import DataError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.interactions import Interactions

Solver = Literal["gibbs", "adagrad", "sgd"]


class Course(NamedTuple):
    """What a solver does unless it is told otherwise; None: it has no such thing."""

    n_epochs: int
    refit_epochs: int
    burn_in: int | None
    n_kept: int | None
    learning_rate: float | None
    reg: float | None
    weight_reg: float | None


COURSES: dict[str, Course] = {
    "gibbs": Course(200, 60, 20, 90, None, None, None),
    "adagrad": Course(10, 5, None, None, 0.05, 0.1, 0.05),
    "sgd": Course(30, 10, None, None, 0.03, 0.1, 0.05),
}


def require_consistent(solver: str, given: Mapping[str, Any]) -> None:
    """Raise `ParameterError` where `given`, a machine's parameters by name, has what its solver has not."""
    course = COURSES[solver]
    for name in ("burn_in", "n_kept", "learning_rate", "reg", "weight_reg"):
        if getattr(course, name) is None and given[name] is not None:
            raise ParameterError(f"solver={solver!r} has no {name}: leave it out")
    if solver != "gibbs":
        return
    if given["patience"] is not None:
        raise ParameterError('solver="gibbs" does not overfit by going on and has no patience: leave it out')
    n_epochs = course.n_epochs if given["n_epochs"] is None else given["n_epochs"]
    if given["burn_in"] is not None and given["burn_in"] >= n_epochs:
        raise ParameterError(f"burn_in={given['burn_in']} leaves nothing of n_epochs={n_epochs}: lower it")


class Spread(NamedTuple):
    """Predictions float32[m], and how far they may be off: one standard deviation each, float32[m].

    - of_mean: of what is predicted (a mean rating, a probability); more data would make it smaller
    - of_value: of the rating or label itself, with its noise
    """

    mean: NDArray[np.float32]
    of_mean: NDArray[np.float32]
    of_value: NDArray[np.float32]


def learned_events(dataset: Dataset) -> Interactions:
    """Return the events to learn from: all ratings and labels; of positive-only events those with a value."""
    log = dataset.interactions
    wrong = np.flatnonzero(~np.isfinite(log.value))
    if wrong.size:
        raise DataError(
            f"the value of event {wrong[0]} is {log.value[wrong[0]]} ({wrong.size} are not finite): "
            "leave such events out"
        )
    if dataset.feedback.kind != "events":
        return log
    if not log.positive.any():
        raise DataError(f"none of the {len(log)} events is positive (their value would be above 0)")
    return log.where(log.positive)


def flag(name: str, value: object) -> bool:
    """Return `value`, True or False; raise `ParameterError` otherwise."""
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be True or False, got {value!r}")
    return value
