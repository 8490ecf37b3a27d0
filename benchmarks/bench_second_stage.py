"""The second stage: candidates of several sources ordered by a scorer, beside each source and all of them without one.

    python benchmarks/bench_second_stage.py [--only retail_new | retail_repeats | films …] [--seeds 3] [--seed 0]

Online retail, cut in global time, its last fifth the test part; under both protocols, seen items left out of lists and
truth, or in both. MovieLens small, each person's last fifth, stands beside it. People without a past, whom no scorer
orders anything for, are shown the popular list by all; the figures of people with a past stand apart.

A single source shows its best ten; "merged, no scorer" lets the sources take turns (`Merge.in_turn`); a scorer orders
all that they propose. The best source and the model of `ModelScorer` are those of the largest NDCG@10 on a validation
part, the training part cut by the same rule; the source that is best on the test part is shown, too. The parameters of
WALS, BuyAgain and Popularity are those that bench_repeats found on that validation part, WALS's for films those of
`shortlist demo`; all others are defaults. LambdaMARTScorer is fitted with several seeds, of trees and of all that is
fitted on the past for them: its figures are means of each person's NDCG over the seeds. Intervals are bootstraps over
people (95 %), differences paired.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import results
from later_choices import K, LaterChoices

import shortlist as sl
from shortlist.models.bound_stages import bound
from shortlist.reranking.chain import best_of
from shortlist.scorer_training import Unscored
from shortlist.scoring.ranker_settings import n_teachers, settings_for
from shortlist.stages import Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.split import Split
    from shortlist.models.model import Model
    from shortlist.stages import Candidates

    Figures = Mapping[str, NDArray[np.float64]]

NAME = "second_stage"
MERGED, LEARNED, SELECTED = "merged, no scorer", "LambdaMARTScorer", "LambdaMARTScorer, Select"


@dataclass(frozen=True)
class Task:
    """A data set, how it is cut, and what stands in the pipeline.

    - sources: from the models by name; scorers: the models that a `ModelScorer` may go by; taste: that whose score the
      learned scorer has as a feature; select: the last step, at its defaults
    """

    data: Callable[[], sl.Dataset]
    cut: Callable[[sl.Dataset], Split]
    exclude_seen: bool
    models: Mapping[str, Callable[[], Model]]
    sources: Callable[[Mapping[str, Model]], list[Any]]
    scorers: Sequence[str]
    taste: str
    select: Callable[[], sl.Select]


def retail_sources(models: Mapping[str, Model], *, repeats: bool) -> list[Any]:
    """Return what proposes products."""
    found = [
        sl.Nearest(models["WALS"], k=100, name="WALS"),
        sl.Nearest(models["EASE"], k=100, name="EASE"),
        sl.BoughtTogether(),
        sl.NextItem(),
        sl.Trending(k=50),
        sl.Fresh(),
        sl.Popular(50, models["Popularity"]),
    ]
    return [*found, sl.Again(50, models["BuyAgain"], name="BuyAgain")] if repeats else found


def film_sources(models: Mapping[str, Model]) -> list[Any]:
    """Return what proposes films."""
    return [
        sl.Nearest(models["WALS"], k=100, name="WALS"),
        sl.Nearest(models["EASE"], k=100, name="EASE"),
        sl.RelatedToRecent(models["WALS"]),
        sl.BoughtTogether(),
        sl.NextItem(),
        sl.TopInGroup("genres"),
        sl.Trending(),
        sl.Popular(50, models["Popularity"]),
    ]


RETAIL_MODELS = {
    "WALS": partial(sl.WALS, 128, unobserved_weight=0.8, reg=0.003, n_epochs=6),
    "EASE": sl.EASE,
    "Popularity": partial(sl.Popularity, "decayed", half_life_days=7.0),
    "BuyAgain": partial(sl.BuyAgain, 365.0),
}
FILM_MODELS = {
    "WALS": partial(sl.WALS, 96, unobserved_weight=0.8, reg=0.005),
    "EASE": sl.EASE,
    "Popularity": sl.Popularity,
}


def retail(*, exclude_seen: bool) -> Task:
    """Return the task on online retail under one protocol."""
    return Task(
        sl.datasets.online_retail,
        partial(sl.split.global_time, fraction=0.2),
        exclude_seen,
        RETAIL_MODELS,
        partial(retail_sources, repeats=not exclude_seen),
        ("WALS", "EASE"),
        "WALS",
        lambda: sl.Select(sl.MMR()),
    )


def films() -> Task:
    """Return the task on MovieLens small."""
    return Task(
        sl.datasets.movielens_small,
        partial(sl.split.leave_last_out, fraction=0.2),
        exclude_seen=True,
        models=FILM_MODELS,
        sources=film_sources,
        scorers=("WALS", "EASE"),
        taste="WALS",
        select=lambda: sl.Select(sl.MMR(on="genres"), sl.Calibration("genres")),
    )


PARTS: dict[str, Callable[[], Task]] = {
    "retail_new": partial(retail, exclude_seen=True),
    "retail_repeats": partial(retail, exclude_seen=False),
    "films": films,
}


class Shown:
    """The lists that people are shown, and what they are worth: made of sources that are fitted once."""

    def __init__(self, task: Task, parts: Split, seed: int) -> None:
        self.task = task
        self.later = LaterChoices.of(parts, exclude_seen=task.exclude_seen)
        self.models = {name: make().fit(parts.train, rng=seed) for name, make in task.models.items()}
        pipeline = sl.Pipeline(task.sources(self.models), Unscored()).fit(parts.train, rng=seed)
        self.with_past = self.later.have_a_past
        self.request = self.later.request(self.with_past)
        self.proposals = [source.propose(self.request) for source in pipeline.sources_]
        self.candidates = pipeline.candidates(self.request)
        self.merge = pipeline.merge
        self.others = self.models["Popularity"].most_popular(self.later.request(~self.with_past))

    def ndcg(self, lists: Lists) -> NDArray[np.float64]:
        """Return NDCG@10 of everybody, `lists` being those of people with a past."""
        rows = [
            (np.flatnonzero(who), own)
            for who, own in ((self.with_past, lists), (~self.with_past, self.others))
        ]
        return self.later.ndcg(Lists.joined([part for part in rows if part[0].size], len(self.later)))

    def in_turn(self, proposals: Sequence[Candidates]) -> NDArray[np.float64]:
        """Return NDCG@10 of proposals in the order of their turns; of one source that is its own order."""
        return self.ndcg(best_of(self.merge.in_turn(proposals, self.request), K))

    def single_sources(self) -> dict[str, NDArray[np.float64]]:
        """Return NDCG@10 of each source alone."""
        return {proposed.sources[0]: self.in_turn([proposed]) for proposed in self.proposals}

    def scored_by_models(self) -> dict[str, NDArray[np.float64]]:
        """Return NDCG@10 of all candidates in the order of each model."""
        found = {}
        for name in self.task.scorers:
            scorer = bound(
                sl.ModelScorer(self.models[name]),
                self.later.train,
                {id(self.models[name]): self.models[name]},
            )
            score = scorer.score(self.request, self.candidates)
            found[name] = self.ndcg(best_of(replace(self.candidates, score=score), K))
        return found

    def learned(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return NDCG@10 of all candidates in the order of a scorer that has learned, and of the chosen lists."""
        settings = settings_for(n_teachers(self.later.train.memory))  # as `shortlist init` writes them
        scorer = sl.LambdaMARTScorer(self.models[self.task.taste], **settings)
        pipeline = sl.Pipeline(self.task.sources(self.models), scorer, [self.task.select()])
        pipeline.fit(self.later.train, rng=seed)
        candidates = pipeline.candidates(self.request)
        chosen, _ = pipeline.rerank_[-1].select(self.request, candidates)
        return self.ndcg(best_of(candidates, K)), self.ndcg(chosen)


def best(figures: Figures) -> str:
    """Return the name of the largest mean, the first of equals."""
    return max(figures, key=lambda name: float(figures[name].mean()))


def measured(task: Task, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the figures of one task."""
    parts = task.cut(task.data())
    validation = Shown(task, task.cut(parts.train), seeds[0])
    tried, models_tried = validation.single_sources(), validation.scored_by_models()
    shown = Shown(task, parts, seeds[0])
    single, by_model = shown.single_sources(), shown.scored_by_models()
    model = best(models_tried)
    arms = {**single, MERGED: shown.in_turn(shown.proposals), f"ModelScorer({model})": by_model[model]}
    runs = [_said(seed, shown.learned(seed)) for seed in seeds]
    arms[LEARNED], arms[SELECTED] = (np.mean([run[which] for run in runs], axis=0) for which in (0, 1))
    chosen = best(tried)
    against = list(dict.fromkeys([chosen, best(single), MERGED, f"ModelScorer({model})"]))
    pairs = [*((LEARNED, other) for other in against), (SELECTED, chosen), (SELECTED, LEARNED)]
    return {
        "rows": [_row(shown, name, figures) for name, figures in arms.items()],
        "differences": [_difference(shown, arms, *pair) for pair in pairs],
        "best_source": {"on validation": chosen, "on test": best(single)},
        "validation": {name: float(figures.mean()) for name, figures in (tried | models_tried).items()},
        "seeds": {
            arm: [float(run[which].mean()) for run in runs] for which, arm in ((0, LEARNED), (1, SELECTED))
        },
        "people": len(shown.later),
        "people_with_a_past": int(shown.with_past.sum()),
        "candidates": float(np.diff(shown.candidates.ptr).mean()),
        "split": parts.description,
    }


def _said(seed: int, run: tuple[NDArray[np.float64], ...]) -> tuple[NDArray[np.float64], ...]:
    print("seed", seed, *(f"{figures.mean():.4f}" for figures in run), flush=True)
    return run


def _with_past(shown: Shown, figures: NDArray[np.float64]) -> float:
    return float(figures[shown.with_past].mean())


def _row(shown: Shown, name: str, figures: NDArray[np.float64]) -> list[Any]:
    print(name, f"{figures.mean():.4f}", f"{_with_past(shown, figures):.4f}", flush=True)
    return [name, *shown.later.interval(figures), _with_past(shown, figures)]


def _difference(shown: Shown, arms: Figures, one: str, other: str) -> list[Any]:
    cells = shown.later.interval(arms[one], arms[other])
    print(one, "−", other, *(f"{cell:+.4f}" for cell in cells), flush=True)
    return [f"{one} − {other}", *cells, _with_past(shown, arms[one] - arms[other])]


def tables(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of one task."""
    ends = {"from": ".4f", "to": ".4f"}
    figures = {"": "", f"NDCG@{K}": ".4f", **ends, "people with a past": ".4f"}
    differences = {"": "", "difference": "+.4f", "from": "+.4f", "to": "+.4f", "people with a past": "+.4f"}
    return {
        "ndcg": results.table(figures, found["rows"]),
        "differences": results.table(differences, found["differences"]),
    }


def kept() -> dict[str, Any]:
    """Return the results of the parts that were measured before."""
    path = results.DIRECTORY / f"{NAME}.json"
    if not path.is_file():
        return {"tables": {}}
    payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return payload


def main() -> None:
    """Measure the parts asked for, keep the others, and write benchmarks/results/second_stage.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seeds = [options.seed + n for n in range(options.seeds)]
    hashes = ", ".join(
        make().fingerprint for make in (sl.datasets.online_retail, sl.datasets.movielens_small)
    )
    for part in options.only:
        print(part, flush=True)
        found = measured(PARTS[part](), seeds)
        payload = kept()  # read only now, so that another part may have been measured meanwhile
        payload["tables"] |= {f"{part}_{name}": table for name, table in tables(found).items()}
        payload[part] = found
        results.write(NAME, payload, data_hash=hashes, seed=options.seed)


if __name__ == "__main__":
    main()
