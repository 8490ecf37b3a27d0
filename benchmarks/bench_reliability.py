"""Whether the probabilities of `Objective` are what they say: Platt's curve and the isotonic one beside the bare score.

    python benchmarks/bench_reliability.py [--only films | retail …] [--seed 0]

MovieLens small: the probability of a top rating among each person's last fifth. Online retail: that of a purchase
within 30 days, of candidates that a customer may have bought before. Trees and curve learn from one half of the people,
at a cut in the training part, and say something of the other half, and the other way round: at the same cut, where
people are held out, and at the cut of the test part, where people and time are. That is compared with what these took
after the cut. The bare score is that of the same trees, scaled to 0 … 1 within each person's candidates.

The expected calibration error (ECE) is over ten bins of equally many candidates. "By chance" is what it would be on
average if every probability were right: labels drawn from the probabilities themselves. The Brier score is the mean
squared difference of probability and label; "rate" is that of always saying the share of positive candidates.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import results
from bench_second_stage import RETAIL_MODELS, retail_sources
from numpy.typing import NDArray

import shortlist as sl
from shortlist.experiments.demo import default_pipeline
from shortlist.metrics.reliability import expected_calibration_error, reliability
from shortlist.models.bound_stages import bound
from shortlist.reranking.pool import relevance_of
from shortlist.scorer_training import Unscored, cut, examples
from shortlist.scoring.ranker_settings import n_teachers, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shortlist.models.model import Model
    from shortlist.stages import CandidateExamples

Floats = NDArray[np.float64]
Said = tuple[NDArray[np.bool_], dict[str, Floats]]

NAME = "reliability"
N_BINS = 10
CHANCE_DRAWS = 20
WINDOW_DAYS = 30.0
PEOPLE, PEOPLE_AND_TIME = "people", "people and time"
BARE, RATE = "score, scaled 0 … 1", "rate"
CURVES = ("platt", "isotonic")


@dataclass(frozen=True)
class Task:
    """A data set, what proposes its candidates, the model of the scorer, and the objective by name and parameters."""

    data: Callable[[], sl.Dataset]
    stages: Callable[[], tuple[Sequence[Any], Model]]
    objective: Mapping[str, Any]
    exclude_seen: bool

    @property
    def window_days(self) -> float | None:
        """Return within how many days the event has to come, None for a person's last fifth."""
        return self.objective.get("window_days")

    def examples_of(self, pipeline: sl.Pipeline, parts: Any, rng: np.random.Generator) -> CandidateExamples:
        """Return the candidates at a cut, labelled by what came after it."""
        return examples(
            pipeline,
            parts,
            rng,
            exclude_seen=self.exclude_seen,
            top_rating=self.objective["kind"] == "top_rating",
            absent_too=self.window_days is not None,
        )


def film_stages() -> tuple[Sequence[Any], Model]:
    """Return the sources of the demo and their model."""
    pipeline = default_pipeline()
    return pipeline.sources, pipeline.sources[0].model


def retail_stages() -> tuple[Sequence[Any], Model]:
    """Return the sources of bench_second_stage where repeats may be shown, and their model."""
    models = {name: make() for name, make in RETAIL_MODELS.items()}
    return retail_sources(models, repeats=True), models["WALS"]


PARTS = {
    "films": Task(sl.datasets.movielens_small, film_stages, {"kind": "top_rating"}, exclude_seen=True),
    "retail": Task(
        sl.datasets.online_retail,
        retail_stages,
        {"kind": "purchase", "window_days": WINDOW_DAYS},
        exclude_seen=False,
    ),
}


@dataclass(frozen=True, eq=False)
class Stand:
    """What is known at a cut: the fitted pipeline of the sources, and the candidates labelled by what came after it."""

    pipeline: sl.Pipeline
    train: sl.Dataset
    found: CandidateExamples

    @classmethod
    def at(
        cls, task: Task, stages: tuple[Sequence[Any], Model], parts: Any, rng: np.random.Generator
    ) -> Stand:
        """Return the stand at the cut of `parts`."""
        pipeline = sl.Pipeline(stages[0], Unscored()).fit(parts.train, rng=rng)
        return cls(pipeline, parts.train, task.examples_of(pipeline, parts, rng))

    def objective(self, task: Task, curve: str) -> Any:
        """Return the objective, bound to what is known here."""
        taste = next(source.model for source in self.pipeline.sources_ if isinstance(source, sl.Nearest))
        settings = settings_for(n_teachers(self.train.memory))  # as `shortlist init` writes them
        made = sl.Objective(sl.LambdaMARTScorer(taste, **settings), curve=curve, **task.objective)
        return bound(made, self.train, {id(taste): taste})


def probabilities(task: Task, seed: int) -> dict[str, Said]:
    """Return, by what is held out, the labels bool[m] of the candidates and what each method says of them by name."""
    rng = np.random.default_rng(seed)
    stages = task.stages()
    outer = cut(task.data(), task.window_days)
    before = Stand.at(task, stages, cut(outer.train, task.window_days), rng)
    stands = {PEOPLE: before, PEOPLE_AND_TIME: Stand.at(task, stages, outer, rng)}
    half = np.random.default_rng(seed).permutation(len(outer.train.users)) % 2
    said = {
        held: {name: np.zeros(stand.found.positive.size) for name in (BARE, *CURVES)}
        for held, stand in stands.items()
    }
    for fold, curve, (held, stand) in itertools.product((0, 1), CURVES, stands.items()):
        learn_from = before.found.of(half[before.found.request.user_idx] != fold)
        early = before.objective(task, curve)
        learned = stand.objective(task, curve).learned_from(learn_from, early, np.random.default_rng(seed))
        found = stand.found
        at = (half[found.request.user_idx] == fold)[found.candidates.row]
        said[held][curve][at] = learned.probability(found.request, found.candidates)[at]
        said[held][BARE][at] = scaled(learned.scorer.score(found.request, found.candidates), found)[at]
        print("fold", fold, curve, held, flush=True)
    return {held: (stand.found.positive, said[held]) for held, stand in stands.items()}


def scaled(score: NDArray[np.float32], found: CandidateExamples) -> Floats:
    """Return scores scaled to 0 … 1 within each person's candidates, as `Select` takes them for relevance."""
    ptr = found.candidates.ptr
    return np.concatenate([relevance_of(score[start:stop]) for start, stop in itertools.pairwise(ptr)])


def by_chance(probability: Floats, seed: int) -> float:
    """Return the mean ECE of labels that are drawn from the probabilities themselves."""
    rng = np.random.default_rng(seed)
    drawn = (rng.random(probability.size) < probability for _ in range(CHANCE_DRAWS))
    return float(np.mean([expected_calibration_error(labels, probability, N_BINS) for labels in drawn]))


def measured(task: Task, seed: int) -> dict[str, Any]:
    """Return the rows of the table and the points of the chart of one task."""
    rows, points, sizes = [], {}, {}
    for held, (labels, said) in probabilities(task, seed).items():
        rate = float(labels.mean())
        points[held], sizes[held] = {}, {"candidates": int(labels.size), "positive": int(labels.sum())}
        for name, probability in said.items():
            ece = expected_calibration_error(labels, probability, N_BINS)
            brier = float(np.mean((probability - labels) ** 2))
            chance = None if name == BARE else by_chance(probability, seed + 1)
            rows.append([held, name, float(probability.mean()), rate, ece, chance, brier])
            print(rows[-1], flush=True)
            points[held][name] = reliability(labels, probability, N_BINS)._asdict()
        rows.append([held, RATE, rate, rate, 0.0, None, rate * (1 - rate)])
    return {"rows": rows, "points": points, "sizes": sizes}


def kept() -> dict[str, Any]:
    """Return the results of the parts that were measured before."""
    path = results.DIRECTORY / f"{NAME}.json"
    if not path.is_file():
        return {"tables": {}}
    payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return payload


def main() -> None:
    """Measure the parts asked for, keep the others, and write benchmarks/results/reliability.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    columns = {
        "held out": "",
        "": "",
        "mean probability": ".4f",
        "observed": ".4f",
        "ECE": ".4f",
        "ECE by chance": ".4f",
        "Brier score": ".4f",
    }
    hashes = ", ".join(task.data().fingerprint for task in PARTS.values())
    for part in options.only:
        found = measured(PARTS[part], options.seed)
        payload = kept()  # read only now, so that another part may have been measured meanwhile
        payload["tables"][part] = results.table(columns, found["rows"])
        payload[part] = found
        results.write(NAME, payload, data_hash=hashes, seed=options.seed)


if __name__ == "__main__":
    main()
