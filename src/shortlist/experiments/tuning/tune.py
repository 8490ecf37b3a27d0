"""tune: the parameters that are best on a validation part of the training data."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from shortlist.data.split import leave_last_out
from shortlist.errors import ParameterError
from shortlist.experiments.protocols import NEW_ITEMS, REPEATS_ALLOWED, excludes_seen, protocols_of
from shortlist.experiments.tuning.default_space import default_space, suited
from shortlist.experiments.tuning.parts import Builder, Parts
from shortlist.experiments.tuning.search import Progress, Search
from shortlist.experiments.tuning.search_space import Range, read_space
from shortlist.experiments.tuning.study_file import study_of
from shortlist.experiments.tuning.trials import best_of
from shortlist.experiments.tuning.tuning import Tuning, TuningInterrupt
from shortlist.experiments.tuning.validation import Metric, Target, Validation
from shortlist.models.model import Model
from shortlist.parameters import number, whole
from shortlist.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Split
    from shortlist.experiments.tuning.search import Stopped
    from shortlist.experiments.tuning.search_space import Space
    from shortlist.experiments.tuning.trials import Trial

    Rule = Callable[[Dataset], Split]


def tune(
    recommender: Model | Pipeline | Callable[..., Any],
    train: Dataset,
    space: Mapping[str, Any] | None = None,
    *,
    split: Rule = leave_last_out,
    metric: Metric = "ndcg",
    k: int = 10,
    exclude_seen: bool | None = None,
    trials: int = 50,
    timeout_minutes: float | None = None,
    pruning: bool = True,
    study: str | Path | None = None,
    restart: bool = False,
    rng: int = 0,
    names: Mapping[str, Model] | None = None,
    on_trial: Callable[[Progress], object] | None = None,
) -> Tuning:
    """Return the search for the parameters that make `recommender` best on a validation part of `train`.

    - recommender: a model or pipeline (not changed, fitted or not), or a function that returns one for keyword
      parameters, whose defaults are the parameters as they stand
    - train: the training part. `split` cuts the validation part off it, and should be the rule that made the test
      part (say `functools.partial(split.global_time, fraction=0.1)`); the test part is not given, so it cannot be seen
    - space: parameter → {"low", "high", "log", "step"}, {"choices": [...]} or a list of choices. A parameter is "dim"
      of a lone model or a function, and of a pipeline "models.WALS.dim", "sources.Nearest.k", "scorer.…". None: the
      parameters that matter most (`default_space.DEFAULTS`)
    - metric: any of "ndcg", "recall", "recall_capped", "precision", "map", "mrr", "hit_rate" at `k` (more is better),
      "rmse", "mae" (less is)
    - exclude_seen: as in `evaluate`; None leaves seen items out, also where the data declares repeats (but not for a
      model that recommends nothing else)
    - trials: how many the study holds in the end; a resumed one makes up the difference
    - timeout_minutes: no trial begins after so long; the one in progress is finished
    - pruning: give a trial up where it is worse than the median of the complete ones that came as far: after 2, 4, 8, …
      epochs of a model, measured on 2,000 users at most, or after an eighth, a quarter and half of the users for what
      has no epochs. Nothing is pruned before ten trials are complete
    - study: a file (SQLite) that keeps the trials, so that the search goes on where it ended; restart: empty it first
    - rng: the seed of every fit and of the sampler, a whole number
    - names: models by the names that `space` uses for them ("models.NAME.…"); others are not searched
    - on_trial: called after each trial that came to an end

    The recommender as it stands is measured first, so the best is never below it on the validation part. Then Optuna's
    TPE sampler proposes (Bergstra et al. 2011; Watanabe 2023), from the eleventh trial on by what it has learnt. The
    n-th trial depends on the seed, the data, the space and the n - 1 trials before it, also when the search was
    resumed; `timeout_minutes` decides how many there are. Numbers are tried in four significant digits. Parameters
    tried before are not fitted again. Trials whose parameters make the fit fail are recorded with the reason; other
    errors are raised. Ctrl-C raises `TuningInterrupt`, a KeyboardInterrupt whose `.tuning` has what was found.

    Raises `ParameterError` for a wrong space or parameter, or a study of another search; `DataError` where the
    validation part has nobody to measure; `MissingExtraError` without the extra `experiments`.
    Cost: a fit and a measurement a trial.
    """
    plan = Plan.of(
        recommender,
        space,
        metric=metric,
        k=k,
        exclude_seen=exclude_seen,
        trials=trials,
        timeout_minutes=timeout_minutes,
        pruning=pruning,
        rng=rng,
        names=names,
    )
    return plan.run(train, split, study=study, restart=restart, on_trial=on_trial)


@dataclass(frozen=True, eq=False)
class Plan:
    """What is searched and how: everything that can be checked before there is data. Parameters as in `tune`."""

    parts: Parts | Builder
    space: Space
    is_default: bool
    target: Target
    exclude_seen: bool | None
    trials: int
    timeout_minutes: float | None
    pruning: bool
    seed: int

    @classmethod
    def of(
        cls,
        recommender: Model | Pipeline | Callable[..., Any],
        space: Mapping[str, Any] | None,
        *,
        metric: Metric,
        k: int,
        exclude_seen: bool | None,
        trials: int,
        timeout_minutes: float | None,
        pruning: bool,
        rng: int,
        names: Mapping[str, Model] | None = None,
    ) -> Self:
        """Return the plan. Raises `ParameterError` for whatever is wrong in it."""
        parts = _parts(recommender, names)
        target = Target(metric, k, exclude_seen is not False)
        if isinstance(parts, Parts):
            target.require_measurable(recommender)
        if timeout_minutes is not None:
            number("timeout_minutes", timeout_minutes, above_zero=True)
        return cls(
            parts,
            default_space(parts) if space is None else read_space(space, parts),
            space is None,
            target,
            exclude_seen,
            whole("trials", trials, least=1),
            timeout_minutes,
            pruning,
            whole("rng", rng, least=0),
        )

    @classmethod
    def with_defaults(cls, recommender: Model | Pipeline, given: Mapping[str, Any]) -> Self:
        """Return the plan of `given` arguments of `tune`, the others at its defaults."""
        taken = inspect.signature(cls.of).parameters
        bound = inspect.signature(tune).bind_partial(recommender, **given)
        bound.apply_defaults()
        return cls.of(**{name: value for name, value in bound.arguments.items() if name in taken})

    def run(
        self,
        train: Dataset,
        split: Rule,
        *,
        study: str | Path | None = None,
        restart: bool = False,
        on_trial: Callable[[Progress], object] | None = None,
    ) -> Tuning:
        """Return what the search on `train` found. Raises what `tune` raises."""
        plan = self._on(train)
        validation = Validation(split(train), plan.target, plan.seed)
        file = None if study is None else Path(study)
        identity = plan._identity(train, validation)
        maximize = not plan.target.is_error
        with study_of(file, identity, maximize=maximize, restart=restart) as opened:
            seconds = None if plan.timeout_minutes is None else 60 * plan.timeout_minutes
            search = Search(
                opened,
                plan.parts,
                plan.space,
                validation,
                plan.trials,
                seconds,
                plan.pruning,
                plan.seed,
                on_trial,
            )
            try:
                stopped = search.run()
            except KeyboardInterrupt:
                found = plan._found(search, "interrupted", train, file)
                if found is None:
                    raise
                raise TuningInterrupt(found) from None
            found = plan._found(search, stopped, train, file)
            if found is None:
                raise ParameterError(_none_measured(search))
            return found

    def _on(self, train: Dataset) -> Plan:
        """Return the plan with what only the data can say."""
        target = Target(self.target.metric, self.target.k, self._leaves_out_seen(train))
        space = suited(self.space, train) if self.is_default else self.space
        settings = {name: value for name, value in vars(self).items() if name not in ("target", "space")}
        return Plan(target=target, space=space, **settings)

    def _leaves_out_seen(self, train: Dataset) -> bool:
        # What recommends nothing but seen items has no other lists to be measured by.
        if self.exclude_seen is None and getattr(self.parts.recommender, "only_past", False):
            return False
        return excludes_seen(protocols_of(train, self.exclude_seen)[0])

    def _identity(self, train: Dataset, validation: Validation) -> dict[str, str]:
        parts, target = validation.parts, self.target
        return {
            "the metric": target.label,
            "the protocol": NEW_ITEMS if target.exclude_seen else REPEATS_ALLOWED,
            "the seed": str(self.seed),
            "pruning": str(self.pruning).lower(),
            **{f"the space of {address}": str(found) for address, found in self.space.items()},
            **{f"the configuration of {place}": said for place, said in self.parts.describe().items()},
            "the training data": train.fingerprint,
            "the validation part": f"{parts.name}, {parts.test.fingerprint}",
        }

    def _found(self, search: Search, stopped: Stopped, train: Dataset, file: Path | None) -> Tuning | None:
        """Return the outcome; None where nothing was measured."""
        records, start = search.trials, search.start
        best = best_of(records, self.target)
        stood = {address: self.parts.values.get(address) for address in self.space}
        if best is not None and best.value is not None and self._beats(best, start):
            value, params, changed = best.value, best.params, best.params
        elif start is not None:
            value, params, changed = start, stood, {}
        else:
            return None
        return Tuning(
            target=self.target,
            start=start,
            best_value=value,
            best_params=params,
            best_model=self.parts.build(changed),
            changed={a: (stood[a], new) for a, new in changed.items() if new != stood[a]},
            records=records,
            space=self.space,
            validation=search.validation.parts.description,
            n_users=search.validation.n_users,
            seconds=sum(trial.seconds for trial in records),
            stopped=stopped,
            study=file,
            notes=(*self._at_an_end(params), *_notes(train, self.target, self.exclude_seen)),
        )

    def _at_an_end(self, params: Mapping[str, Any]) -> list[str]:
        """Return a note for each best value at an end of its range, where the constructor would take one beyond."""
        notes = []
        for address, value in params.items():
            found = self.space[address]
            beyond = found.beyond(value) if isinstance(found, Range) and value in found else None
            if beyond is not None and self.parts.refusal({address: beyond}) is None:
                notes.append(
                    f"{address} = {value} lies at an end of its range ({found}): a wider one may hold better"
                )
        return notes

    def _beats(self, best: Trial, start: float | None) -> bool:
        return start is None or self.target.is_better(best.value or 0.0, start)


def _parts(
    recommender: Model | Pipeline | Callable[..., Any], names: Mapping[str, Model] | None
) -> Parts | Builder:
    if isinstance(recommender, Model | Pipeline):
        return Parts(recommender, names)
    if isinstance(recommender, type) and issubclass(recommender, Model):
        raise ParameterError(f"give a model, not its class: {recommender.__name__}()")
    if not callable(recommender):
        raise ParameterError(
            f"a model, a pipeline or a function that returns one is tuned, not {recommender!r}"
        )
    return Builder(recommender)


def _none_measured(search: Search) -> str:
    errors = [trial.error for trial in search.trials if trial.error is not None]
    reason = f"; the first: {errors[0]}" if errors else ""
    return f"none of the {len(errors)} trials could be measured{reason}. Change the space"


def _notes(train: Dataset, target: Target, exclude_seen: bool | None) -> tuple[str, ...]:
    """Return which protocol was tuned for, where that was not asked for and could have been the other."""
    if exclude_seen is not None or target.is_error:
        return ()
    if not target.exclude_seen:
        return (
            "tuned with repeats allowed: this model recommends what people chose before, and nothing else",
        )
    if train.repeats:
        return (
            "the data declares repeats; tuned for new items (exclude_seen = false: with repeats allowed)",
        )
    return ()
