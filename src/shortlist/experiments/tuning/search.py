"""The search: trial after trial, each a function of the seed and of the trials before it.

Every trial has a sampler of its own, seeded with the search's seed and the number of trials that came to an end, and
all trials are fitted with the same seed. So the n-th finished trial is the same however often the search was
interrupted and resumed. A trial cut short is not one of them: it is tried again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shortlist.errors import DataError, NonFiniteError, ParameterError
from shortlist.experiments.tuning.interrupts import noticed
from shortlist.experiments.tuning.search_space import optuna_module
from shortlist.experiments.tuning.trials import ERROR, SECONDS, START, Trial, best_of, trials_of, used_params
from shortlist.experiments.tuning.validation import SHARES
from shortlist.models.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.trial import Trial as OpenTrial

    from shortlist.experiments.tuning.interrupts import Interrupts
    from shortlist.experiments.tuning.parts import Builder, Parts
    from shortlist.experiments.tuning.search_space import Space
    from shortlist.experiments.tuning.validation import Validation
    from shortlist.models.fitting import Epoch

Stopped = Literal["trials", "timeout", "exhausted", "interrupted"]
# What parameters can cause, once the recommender as it stands could be fitted.
OF_PARAMETERS = (NonFiniteError, ParameterError, DataError)
# So many trials are drawn at random before the sampler learns from them, and complete before any is pruned.
STARTUP_TRIALS = 10
# A trial is compared with no fewer others that have come as far.
MIN_COMPARED = 4


@dataclass(frozen=True)
class Progress:
    """What `on_trial` is told: the trial that has just ended, the best so far, and how many of how many have ended."""

    trial: Trial
    best: Trial | None
    n_done: int
    n_trials: int

    @property
    def is_best(self) -> bool:
        """Return whether the trial that has just ended is the best so far."""
        return self.best is not None and self.best.number == self.trial.number


@dataclass(eq=False)
class Search:
    """What is searched, where, how far and how.

    - n_trials: how many trials the study is to hold; timeout_seconds: after which no further one begins, or None
    - pruning: whether hopeless trials are given up; seed: of samplers and fits

    `trials` are those of the study that came to an end.
    """

    study: Study
    parts: Parts | Builder
    space: Space
    validation: Validation
    n_trials: int
    timeout_seconds: float | None
    pruning: bool
    seed: int
    on_trial: Callable[[Progress], object] | None = None

    def __post_init__(self) -> None:
        self.trials = trials_of(self.study, self.space)

    def run(self) -> Stopped:
        """Try until enough was tried, and return what ended it.

        A trial that its parameters make impossible is recorded as failed, unless it is the recommender as it stands:
        that error, like all others, is raised.
        """
        begun = time.monotonic()
        self.study.pruner = _pruner(self.pruning)
        with noticed() as interrupts:
            return self._run(begun, interrupts)

    def _run(self, begun: float, interrupts: Interrupts) -> Stopped:
        self._try_start()
        while (stopped := self._stopped(begun)) is None:
            interrupts.check()
            self.study.sampler = optuna_module().samplers.TPESampler(
                seed=self._seed_of(len(self.trials)), n_startup_trials=STARTUP_TRIALS, constant_liar=False
            )
            trial = self.study.ask({address: found.distribution() for address, found in self.space.items()})
            self._try(trial, used_params(trial.params, self.space), OF_PARAMETERS)
        return stopped

    @property
    def start(self) -> float | None:
        """Return the value of the recommender as it stands; None where it has not been measured."""
        inside = next((trial.value for trial in self.trials if trial.is_start), None)
        outside: dict[str, float] | None = self.study.user_attrs.get(START)
        return inside if outside is None else outside["value"]

    def _stopped(self, begun: float) -> Stopped | None:
        if len(self.trials) >= self.n_trials:
            return "trials"
        if self.timeout_seconds is not None and time.monotonic() - begun >= self.timeout_seconds:
            return "timeout"
        tried = {tuple(used_params(trial.params, self.space).items()) for trial in self.trials}
        if len(tried) >= prod(dimension.size for dimension in self.space.values()):
            return "exhausted"
        return None

    def _seed_of(self, n_done: int) -> int:
        return int(np.random.SeedSequence([self.seed, n_done]).generate_state(1)[0])

    def _try_start(self) -> None:
        """Measure the recommender as it stands first, so that the search never ends below it."""
        values = {address: self.parts.values.get(address, ...) for address in self.space}
        if self.start is not None or ... in values.values():
            return
        if not all(values[address] in found for address, found in self.space.items()):
            self._measure_outside()
            return
        waiting = (optuna_module().trial.TrialState.WAITING,)
        if not self.study.get_trials(deepcopy=False, states=waiting):
            self.study.enqueue_trial(values, user_attrs={START: True})
        trial = self.study.ask({address: found.distribution() for address, found in self.space.items()})
        self._try(trial, {}, ())

    def _measure_outside(self) -> None:
        """Measure parameters that the space does not hold: the sampler could not make anything of them."""
        begun = time.monotonic()
        value = self._measure({}, lambda step, value: None)
        self.study.set_user_attr(START, {"value": value, SECONDS: time.monotonic() - begun})

    def _try(self, trial: OpenTrial, params: dict[str, Any], expected: tuple[type[Exception], ...]) -> None:
        optuna = optuna_module()
        state, value, begun = optuna.trial.TrialState.FAIL, None, time.monotonic()
        try:
            value = self._value(trial, params)
            state = optuna.trial.TrialState.COMPLETE
        except optuna.TrialPruned:
            state = optuna.trial.TrialState.PRUNED
        except expected as error:
            trial.set_user_attr(ERROR, f"{type(error).__name__}: {error}")
        finally:
            trial.set_user_attr(SECONDS, time.monotonic() - begun)
            self.study.tell(trial, value, state=state)
            # Read back rather than made here: what is compared and shown is what the study keeps.
            self.trials = trials_of(self.study, self.space)
        self._say_done(trial.number)

    def _value(self, trial: OpenTrial, params: dict[str, Any]) -> float:
        twin = next((t for t in self.trials if used_params(t.params, self.space) == params), None)
        if twin is not None:
            return _as_before(trial, twin)

        def report(step: int, value: float) -> None:
            trial.report(value, step)
            if trial.should_prune():
                raise optuna_module().TrialPruned

        return self._measure(params, report)

    def _measure(self, params: dict[str, Any], report: Callable[[int, float], None]) -> float:
        """Return the value of `params`, saying on the way what is known of it after some epochs or users."""
        recommender, validation = self.parts.build(params), self.validation
        if not self.pruning:
            return validation.score(recommender.fit(validation.parts.train, rng=self.seed))
        if isinstance(recommender, Model) and hasattr(recommender, "n_epochs"):

            def on_epoch(epoch: Epoch) -> None:
                if _is_compared(epoch):
                    report(epoch.number, validation.snapshot(epoch.model))

            return validation.score(recommender.fit(validation.parts.train, rng=self.seed, on_epoch=on_epoch))
        last = 0.0
        for number, last in validation.running(recommender.fit(validation.parts.train, rng=self.seed)):
            if number <= len(SHARES):
                report(number, last)
        return last

    def _say_done(self, number: int) -> None:
        if self.on_trial is None:
            return
        trial = next(trial for trial in self.trials if trial.number == number)
        best = best_of(self.trials, self.validation.target)
        self.on_trial(Progress(trial, best, len(self.trials), self.n_trials))


def _is_compared(epoch: Epoch) -> bool:
    """Return whether a snapshot is measured after this epoch: after 2, 4, 8, …, for the first says little.

    The last epoch is measured as a whole.
    """
    number = epoch.number
    return 2 <= number < epoch.n_epochs and number & (number - 1) == 0


def _as_before(trial: OpenTrial, twin: Trial) -> float:
    """Return the value that the same parameters had before; a fit of them would end the same way."""
    for step, value in twin.steps.items():
        trial.report(value, step)
    if twin.value is not None:
        return twin.value
    if twin.state == "pruned":
        raise optuna_module().TrialPruned
    raise ParameterError(f"as trial {twin.number}: {twin.error}")


def _pruner(pruning: bool) -> BasePruner:
    pruners = optuna_module().pruners
    made: BasePruner = (
        pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_min_trials=MIN_COMPARED)
        if pruning
        else pruners.NopPruner()
    )
    return made
