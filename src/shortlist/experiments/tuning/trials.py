"""Trials: what a study holds, read as plain records; what an interruption cut short is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial

    from shortlist.experiments.tuning.search_space import Space
    from shortlist.experiments.tuning.validation import Target

State = Literal["complete", "pruned", "failed"]
# Names of the notes on a trial in the study.
START, ERROR, SECONDS = "start", "error", "seconds"


@dataclass(frozen=True)
class Trial:
    """One set of parameters that was tried.

    - number: from 0 in the order tried; a number is missing where an interruption cut a trial short
    - value: of the metric on the validation part; None unless complete
    - steps: what was measured on the way (epoch or block of users → value)
    - error: why it failed
    - is_start: whether these are the parameters as they stood
    """

    number: int
    state: State
    value: float | None
    params: dict[str, Any]
    seconds: float
    steps: dict[int, float]
    error: str | None
    is_start: bool


def trials_of(study: Study, space: Space) -> list[Trial]:
    """Return the trials of `study` that came to an end, in the order tried."""
    found = (_trial(trial, space) for trial in study.get_trials(deepcopy=False))
    return [trial for trial in found if trial is not None]


def used_params(drawn: dict[str, Any], space: Space) -> dict[str, Any]:
    """Return the values tried for what Optuna drew."""
    return {address: space[address].used(drawn[address]) for address in space if address in drawn}


def best_of(trials: Sequence[Trial], target: Target) -> Trial | None:
    """Return the complete trial with the best value, the first of equal ones; None where there is none."""
    best: Trial | None = None
    for trial in trials:
        if trial.value is not None and (best is None or target.is_better(trial.value, best.value or 0.0)):
            best = trial
    return best


def _trial(found: FrozenTrial, space: Space) -> Trial | None:
    notes = found.user_attrs
    state = _state(found)
    if state is None:
        return None
    is_start = bool(notes.get(START))
    return Trial(
        number=found.number,
        state=state,
        value=found.value if state == "complete" else None,
        params=dict(found.params) if is_start else used_params(found.params, space),
        seconds=float(notes.get(SECONDS, 0.0)),
        steps=dict(found.intermediate_values),
        error=notes.get(ERROR),
        is_start=is_start,
    )


def _state(found: FrozenTrial) -> State | None:
    name = found.state.name
    if name == "FAIL":
        return "failed" if ERROR in found.user_attrs else None
    return {"COMPLETE": "complete", "PRUNED": "pruned"}.get(name)  # type: ignore[return-value]
