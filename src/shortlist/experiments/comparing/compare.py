"""compare: several recommenders on one split, fitted once each, measured on the same users and timed in turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.config.place import suggest
from shortlist.data.split import leave_last_out
from shortlist.errors import ParameterError
from shortlist.experiments.baseline import popularity_baseline
from shortlist.experiments.columns import RANKING
from shortlist.experiments.comparing.candidates import Candidate, fit_all
from shortlist.experiments.comparing.comparison import Comparison, Entry, Parts
from shortlist.experiments.comparing.contrasts import contrasts_with_baseline, contrasts_with_best
from shortlist.experiments.comparing.seeds import spreads
from shortlist.experiments.comparing.timing import Times, request_times, sample_of, size_mb
from shortlist.experiments.evaluate import evaluate, require_parameters
from shortlist.experiments.protocols import excludes_seen
from shortlist.experiments.truth import require_comparable
from shortlist.parameters import generator, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.experiments.comparing.candidates import Fitted
    from shortlist.experiments.comparing.timing import Requests
    from shortlist.experiments.evaluation import Evaluation
    from shortlist.experiments.popularity_search import Rule

MAIN_METRIC = "ndcg"


def compare(
    recommenders: Mapping[str, Any],
    train: Dataset,
    test: Dataset,
    k: int = 10,
    *,
    baseline: str | None = None,
    metric: str = MAIN_METRIC,
    n_seeds: int = 1,
    validation_split: Rule = leave_last_out,
    rng: np.random.Generator | int | None = 0,
    on_step: Callable[[str], object] | None = None,
    **evaluation: Any,
) -> Comparison:
    """Return the quality, differences, times and sizes of `recommenders`, by name, on one split.

    - recommenders: models and pipelines. One that is not fitted is copied and the copy fitted on `train`, once, and
      that fit is timed; one that is already fitted on `train` is used as it is
    - baseline: the name of the one the others are compared with. With None it is the best popularity on a validation
      part that `validation_split` cuts off `train`, and it joins the others
    - metric: the main metric, one of ndcg, recall, recall_capped, precision, map, mrr, hit_rate
    - n_seeds: with more than 1, each is fitted with further seeds for the spread of the main metric
    - rng: seed of every fit and of the intervals (a `Generator` gives one); on_step is called with a few words as each
      step begins
    - evaluation: further arguments of `evaluate`: exclude_seen, diversity_by, n_bootstrap, level, block_users

    Differences of the main metric have paired bootstrap intervals, each on its own, and p-values adjusted for their
    number (`contrasts`). Times are measured after a warm-up and in turns (`timing`).
    Raises `ParameterError` for an unknown baseline or metric, parts that do not belong together or a parameter out of
    range, all before any fit; the error of a fit, with the name; what `evaluate` raises.
    Cost: a fit and a saved copy on disk of each, n_seeds − 1 further fits, and `evaluate`.
    """
    seed = _seed(rng)
    candidates = [Candidate(name, recommender, seed) for name, recommender in _named(recommenders).items()]
    return compare_candidates(
        candidates,
        train,
        test,
        {"k": k, **evaluation},
        baseline=baseline,
        metric=metric,
        n_seeds=n_seeds,
        validation_split=validation_split,
        seed=seed,
        on_step=on_step,
    )


def compare_candidates(
    candidates: Sequence[Candidate],
    train: Dataset,
    test: Dataset,
    evaluation: Mapping[str, Any],
    *,
    baseline: str | None = None,
    metric: str = MAIN_METRIC,
    n_seeds: int = 1,
    validation_split: Rule = leave_last_out,
    seed: int = 0,
    split: str | None = None,
    on_step: Callable[[str], object] | None = None,
) -> Comparison:
    """Return the comparison of `candidates`, each with a seed of its own; `split` is the rule of the parts, in words.

    The other parameters are those of `compare`, `evaluation` holding the arguments of `evaluate`.
    """
    begin = on_step or _silent
    names = [candidate.name for candidate in candidates]
    _require(names, baseline, metric, n_seeds, evaluation)
    require_comparable(train, test)
    fitted, notes = fit_all(candidates, train, begin)
    if baseline is None:
        chosen, note = _popularity(names, train, evaluation, validation_split, seed, begin)
        fitted, notes = [*fitted, chosen], notes + ([note] if note else [])
        baseline = chosen.candidate.name
    named = {one.candidate.name: one.recommender for one in fitted}
    begin(f"measuring on {len(test.interactions):,} test events")
    measured = evaluate(named, train, test, baseline=baseline, rng=seed, **evaluation)
    begin("timing requests")
    times, requests = _times(fitted, train.users, measured, seed)
    varied, more = spreads(fitted, measured, metric, (train, test), n_seeds, begin)
    return Comparison(
        measured,
        metric,
        [_entry(one, times[one.candidate.name]) for one in fitted],
        contrasts_with_baseline(measured, metric, seed),
        contrasts_with_best(measured, metric, seed),
        varied,
        Parts.of(train, test, split),
        requests,
        seed,
        notes=[*notes, *more, *measured.notes],
    )


def require_metric(metric: str) -> None:
    """Raise `ParameterError` unless `metric` can be the main metric: a mean over all evaluated users."""
    if metric not in RANKING:
        raise ParameterError(
            f"metric={metric!r} cannot be the main metric.{suggest(metric, RANKING)} It is one of {', '.join(RANKING)}"
        )


def require_name(baseline: str, names: Sequence[str]) -> None:
    """Raise `ParameterError` unless `baseline` is among `names`."""
    if baseline not in names:
        raise ParameterError(
            f"the baseline {baseline!r} is not compared.{suggest(baseline, names)} Compared are {', '.join(names)}; "
            "without a baseline it is the best popularity"
        )


def _require(
    names: Sequence[str], baseline: str | None, metric: str, n_seeds: int, evaluation: Mapping[str, Any]
) -> None:
    if not names:
        raise ParameterError("there is nothing to compare; give at least one recommender")
    if baseline is not None:
        require_name(baseline, names)
    require_metric(metric)
    whole("n_seeds", n_seeds, least=1)
    require_parameters(evaluation)


def _named(recommenders: object) -> Mapping[str, Any]:
    if not isinstance(recommenders, Mapping) or not all(isinstance(name, str) for name in recommenders):
        raise ParameterError('compare takes recommenders by name: {"name": recommender, …}')
    return recommenders


def _seed(rng: np.random.Generator | int | None) -> int:
    if isinstance(rng, int | np.integer):
        return int(rng)
    return int(generator(rng).integers(1 << 32))


def _popularity(
    names: Sequence[str],
    train: Dataset,
    evaluation: Mapping[str, Any],
    split: Rule,
    seed: int,
    begin: Callable[[str], object],
) -> tuple[Fitted, str | None]:
    """Return the best popularity, fitted and timed as the others, under a name that nothing else has."""
    begin("finding the best popularity on a validation part of the training part")
    asked = {name: evaluation[name] for name in ("k", "exclude_seen") if name in evaluation}
    found = popularity_baseline(train, split=split, **asked)
    name = f"{found.name} (baseline)" if found.name in names else found.name
    (chosen,), _ = fit_all([Candidate(name, found.model.clone(), seed)], train, begin)
    return chosen, found.note


def _times(
    fitted: Sequence[Fitted], users: Vocabulary, measured: Evaluation, seed: int
) -> tuple[dict[str, Times], Requests]:
    named = {one.candidate.name: one.recommender for one in fitted}
    tested = users.index_of(measured.per_user["user_id"].unique(maintain_order=True))
    protocol = measured.protocols[0]
    found, requests = request_times(
        named, sample_of(users, tested, seed), measured.k, exclude_seen=excludes_seen(protocol)
    )
    times = {
        one.candidate.name: Times(one.seconds, *found[one.candidate.name], size_mb(one.recommender))
        for one in fitted
    }
    return times, requests


def _entry(one: Fitted, times: Times) -> Entry:
    candidate, recommender = one.candidate, one.recommender
    return Entry(
        candidate.name, type(recommender).__name__, repr(recommender), candidate.origin, candidate.seed, times
    )


def _silent(_step: str) -> None:
    """Say nothing."""
