"""What re-ranking costs and what it gains: for each term and for Freshness a curve of NDCG@10 over its weight.

    python benchmarks/bench_reranking.py [--only films | retail …] [--seeds 3] [--seed 0]

MovieLens small: candidates of the pipeline of `shortlist demo`, each person's last fifth the test part, the last fifth
of the rest the validation part. Under two scorers, LambdaMARTScorer and ModelScorer, each term stands alone in `Select`
at each weight of a grid. The loss is relative, (NDCG at weight 0 − NDCG) / NDCG at weight 0, over the same people; its
upper bound is that of a one-sided 95 % interval (paired bootstrap over people). The stated point, where a default
stands: the largest weight of the grid with an upper bound below 5 % on the validation part under both scorers, at it
and at all smaller weights. The test part, which has chosen nothing, says what that point costs.

MMR on genres and Calibration are the default `Select` together. So their defaults are a pair of weights, each at most
what it may have alone, that keeps the same bound: of all such pairs the one whose smaller weight is largest, of equal
ones that with the largest sum.

What a term gains is measured by its own goal (`shortlist.reranking.effects`), against the list without it. For
Freshness it is the mean of 2^(−age / half-life) over the list.

Online retail, cut in global time, describes and chooses nothing: products have no tags, so groups are fifths of the
price. LambdaMARTScorer is fitted with several seeds; figures are means of each person's over the seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import results
from later_choices import K, LaterChoices

import shortlist as sl
from shortlist.experiments.demo import default_pipeline
from shortlist.models.bound_stages import bound
from shortlist.reranking.chain import best_of
from shortlist.reranking.effects import effects
from shortlist.scorer_training import Unscored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.split import Split
    from shortlist.models.model import Model
    from shortlist.stages import Candidates, Lists, Request

    Floats = NDArray[np.float64]

NAME = "reranking"
WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
MARGIN = 0.05
ONE_SIDED = 0.9  # the upper end of a 90 % interval is the bound of a one-sided 95 % interval
LEARNED, BY_MODEL = "LambdaMARTScorer", "ModelScorer"
FRESHNESS = "Freshness"
BOTH = "MMR on genres + Calibration on genres"

# By name: the step at a weight.
GENRE_TERMS: dict[str, Callable[[float], Any]] = {
    "MMR on genres": partial(sl.MMR, on="genres"),
    "MMR on vectors": sl.MMR,
    "DPP on genres": partial(sl.DPP, on="genres"),
    "DPP on vectors": sl.DPP,
    "Calibration on genres": partial(sl.Calibration, "genres"),
    "Exposure on genres": partial(sl.Exposure, "genres"),
    FRESHNESS: partial(sl.Freshness, 365.0),
}
PRICE_TERMS: dict[str, Callable[[float], Any]] = {
    "MMR on vectors": sl.MMR,
    "DPP on vectors": sl.DPP,
    "Calibration on price": partial(sl.Calibration, "price band"),
    "Exposure on price": partial(sl.Exposure, "price band"),
    FRESHNESS: partial(sl.Freshness, 365.0),
}
PAIR = ("MMR", "Calibration")  # the terms of the default `Select`
# Which names are one constructor, whose default is the smallest that its names allow.
CONSTRUCTORS = {
    "MMR": ("MMR on genres", "MMR on vectors"),
    "DPP": ("DPP on genres", "DPP on vectors"),
    "Calibration": ("Calibration on genres",),
    "Exposure": ("Exposure on genres",),
    FRESHNESS: (FRESHNESS,),
}


@dataclass(frozen=True, eq=False)
class Effect:
    """What a step does to each person's list: NDCG@10 float64[n], and its goal with and without it (NaN: has none)."""

    ndcg: Floats
    goal: Floats
    goal_without: Floats
    goal_name: str
    larger_is_better: bool


@dataclass(frozen=True, eq=False)
class Ground:
    """Scored candidates of the people of a part, with the model by whose vectors items are compared."""

    later: LaterChoices
    request: Request
    candidates: Candidates
    taste: Model

    @cached_property
    def ndcg(self) -> Floats:
        """Return NDCG@10 of each person's list in the order of the scores."""
        return self.later.ndcg(best_of(self.candidates, K))

    def effect(self, step: Any) -> Effect:
        """Return what a term of `Select`, or Freshness, does to the lists."""
        return self._of_freshness(step) if isinstance(step, sl.Freshness) else self._of_terms(step)[0]

    def _of_terms(self, *terms: Any) -> list[Effect]:
        select = bound(sl.Select(*terms), self.later.train, {}, self.taste)
        chosen, _ = select.select(self.request, self.candidates)
        ndcg = self.later.ndcg(chosen)
        return [
            Effect(ndcg, one.goal_with, one.goal_without, one.goal, one.larger_is_better)
            for one in effects(select, self.request, self.candidates)
        ]

    def together(self, *terms: Any) -> list[Effect]:
        """Return what each of several terms does beside the others."""
        return self._of_terms(*terms)

    def _of_freshness(self, step: sl.Freshness) -> Effect:
        fresh = bound(step, self.later.train, {})
        lists = best_of(replace(self.candidates, score=fresh.adjust(self.request, self.candidates)), K)
        goals = [self._freshness(fresh, shown) for shown in (lists, best_of(self.candidates, K))]
        return Effect(self.later.ndcg(lists), *goals, "mean of 2^(−age / 365 days)", larger_is_better=True)

    def _freshness(self, fresh: sl.Freshness, lists: Lists) -> Floats:
        age = (self.request.now - fresh.since_[lists.item_idx]) / 86_400_000_000
        share = np.exp2(-np.maximum(age, 0) / fresh.half_life_days)
        n = np.maximum(np.diff(lists.ptr), 1)
        return np.bincount(lists.row, share, len(lists)) / n


@dataclass(frozen=True)
class Task:
    """A data set, its cut, and the unfitted stages whose candidates are re-ranked."""

    data: Callable[[], sl.Dataset]
    cut: Callable[[sl.Dataset], Split]
    stages: Callable[[], tuple[list[Any], Model, Any]]
    terms: Mapping[str, Callable[[float], Any]]


def film_stages() -> tuple[list[Any], Model, Any]:
    """Return the sources of the demo, the model that films are compared and scored by, and the learned scorer."""
    pipeline = default_pipeline()
    return list(pipeline.sources), pipeline.sources[0].model, pipeline.scorer


def retail_stages() -> tuple[list[Any], Model, Any]:
    """Return sources of products that a customer has not bought, their model, and the learned scorer."""
    taste = sl.WALS(128, unobserved_weight=0.8, reg=0.003, n_epochs=6)
    sources = [sl.Nearest(taste), sl.BoughtTogether(), sl.Trending(), sl.Popular()]
    return sources, taste, sl.LambdaMARTScorer(taste)


def retail_by_price() -> sl.Dataset:
    """Return online retail with a label on each product: which fifth of the prices it has."""
    data = sl.datasets.online_retail()
    price = data.item_features.frame["price"]
    fifths = price.qcut(5, labels=[f"fifth {n}" for n in range(1, 6)], allow_duplicates=True)
    table = pl.DataFrame({"id": data.items.ids, "price band": fifths.cast(pl.String)})
    return replace(
        data, item_features=sl.FeatureTable(table, {"price band": "categorical"}).align(data.items)
    )


TASKS = {
    "films": Task(
        sl.datasets.movielens_small,
        partial(sl.split.leave_last_out, fraction=0.2),
        film_stages,
        GENRE_TERMS,
    ),
    "retail": Task(retail_by_price, partial(sl.split.global_time, fraction=0.2), retail_stages, PRICE_TERMS),
}


def grounds(task: Task, parts: Split, seeds: Sequence[int]) -> dict[str, list[Ground]]:
    """Return what is re-ranked under each scorer: one for the model's scores, one a seed for those that are learned."""
    later = LaterChoices.of(parts, exclude_seen=True, only_known=True)
    request = later.request()
    sources, _, learned = task.stages()
    proposed = sl.Pipeline(sources, Unscored()).fit(parts.train, rng=seeds[0])
    fitted = next(source.model for source in proposed.sources_ if isinstance(source, sl.Nearest))
    candidates = proposed.candidates(request)
    by_model = bound(sl.ModelScorer(fitted), parts.train, {id(fitted): fitted})
    found = {
        BY_MODEL: [
            Ground(later, request, replace(candidates, score=by_model.score(request, candidates)), fitted)
        ]
    }
    found[LEARNED] = []
    for seed in seeds:
        pipeline = sl.Pipeline(sources, learned).fit(parts.train, rng=seed)
        found[LEARNED].append(Ground(later, request, pipeline.candidates(request), pipeline.scorer_.model))
        print("fitted", seed, f"{found[LEARNED][-1].ndcg.mean():.4f}", flush=True)
    return found


def loss_of(later: LaterChoices, base: Floats, ndcg: Floats) -> list[float]:
    """Return the relative loss in mean NDCG with the ends of its 90 % interval, the upper one the one-sided bound."""
    draws = later.resampler.means(np.column_stack([base, base - ndcg]))
    lost = float((base - ndcg).mean() / base.mean())
    return list(sl.metrics.percentile_interval(lost, draws[:, 1] / draws[:, 0], level=ONE_SIDED))


def gain_of(found: Sequence[Effect]) -> list[float]:
    """Return by how much lists are nearer the goal, with its 95 % interval, over those that have a value."""
    sign = 1.0 if found[0].larger_is_better else -1.0
    gain = sign * np.mean([one.goal - one.goal_without for one in found], axis=0)
    gain = gain[~np.isnan(gain)]
    return list(sl.metrics.mean_interval(gain, resampler=sl.metrics.Resampler(gain.size, 2000, rng=0)))


def point_of(there: Sequence[Ground], weight: float, found: Sequence[Effect]) -> dict[str, Any]:
    """Return the figures of one weight: those of each person are means over the seeds."""
    base, ndcg = (np.mean([one.ndcg for one in some], axis=0) for some in (there, found))
    lost, gained = loss_of(there[0].later, base, ndcg), gain_of(found)
    return {
        "weight": weight,
        "ndcg": float(ndcg.mean()),
        "lost": lost,
        "goal": float(np.nanmean([one.goal for one in found])),
        "goal_without": float(np.nanmean([one.goal_without for one in found])),
        "gained": gained,
        "goal_name": found[0].goal_name,
    }


def curve(there: Sequence[Ground], make: Callable[[float], Any]) -> list[dict[str, Any]]:
    """Return the points of one term over the weights."""
    return [point_of(there, weight, [ground.effect(make(weight)) for ground in there]) for weight in WEIGHTS]


def curves(task: Task, found: Mapping[str, Sequence[Ground]]) -> dict[str, dict[str, Any]]:
    """Return the curve of each term under each scorer: scorer → term → points."""
    measured: dict[str, dict[str, Any]] = {}
    for scorer, there in found.items():
        measured[scorer] = {}
        for name, make in task.terms.items():
            measured[scorer][name] = curve(there, make)
            print(
                scorer,
                name,
                *(f"{p['weight']:g}:{p['lost'][2]:+.3f}" for p in measured[scorer][name]),
                flush=True,
            )
    return measured


def allowed(points: Sequence[Mapping[str, Any]]) -> float:
    """Return the largest weight such that it and all smaller ones lose less than the margin; 0 where none does.

    >>> allowed([{"weight": 0.1, "lost": [0, 0, 0.01]}, {"weight": 0.2, "lost": [0, 0, 0.06]}])
    0.1
    """
    within = itertools.takewhile(lambda point: point["lost"][2] < MARGIN, points)
    return max((float(point["weight"]) for point in within), default=0.0)


def allowed_alone(validation: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the weight of each constructor as the only step: the smallest that its names allow under every scorer."""
    return {
        constructor: min(allowed(by_term[name]) for by_term in validation.values() for name in names)
        for constructor, names in CONSTRUCTORS.items()
    }


def pair_terms(weights: tuple[float, float]) -> tuple[Any, Any]:
    """Return MMR and Calibration on genres at two weights."""
    return sl.MMR(weights[0], on="genres"), sl.Calibration("genres", weights[1])


def pair_points(there: Sequence[Ground], weights: tuple[float, float]) -> list[dict[str, Any]]:
    """Return the figures of each of the two terms together."""
    found = [ground.together(*pair_terms(weights)) for ground in there]
    return [
        point_of(there, weight, effects_of)
        for weight, effects_of in zip(weights, zip(*found, strict=True), strict=True)
    ]


def best_pair(found: Mapping[str, Sequence[Ground]], alone: Mapping[str, float]) -> dict[str, Any]:
    """Return the pair of weights, up to those allowed alone, that stays below the margin and has the largest minimum.

    Of equal ones that with the largest sum.
    """
    up_to = [[weight for weight in WEIGHTS if weight <= alone[name]] for name in PAIR]
    pairs = sorted(itertools.product(*up_to), key=lambda pair: (-min(pair), -sum(pair), pair))
    for pair in pairs:
        points = {scorer: pair_points(there, pair) for scorer, there in found.items()}
        bounds = {scorer: own[0]["lost"][2] for scorer, own in points.items()}
        print("together", pair, bounds, flush=True)
        if max(bounds.values()) < MARGIN:
            return {"weights": list(pair), "points": points}
    return {"weights": None, "points": {}}


def of_films(seeds: Sequence[int]) -> dict[str, Any]:
    """Return the curves of both parts, the defaults that validation chose, and what they cost on the test part."""
    task = TASKS["films"]
    parts = task.cut(task.data())
    there = grounds(task, task.cut(parts.train), seeds)
    validation = curves(task, there)
    alone = allowed_alone(validation)
    together = best_pair(there, alone)
    defaults = alone | dict(zip(PAIR, together["weights"] or (0.0, 0.0), strict=True))
    there = grounds(task, parts, seeds)
    test = curves(task, there)
    if together["weights"] is not None:
        together["test"] = {name: pair_points(own, tuple(together["weights"])) for name, own in there.items()}
    found = {
        "validation": validation,
        "test": test,
        "alone": alone,
        "defaults": defaults,
        "together": together,
    }
    return {**found, "people": len(there[BY_MODEL][0].later), "tables": film_tables(found)}


def of_retail(seeds: Sequence[int]) -> dict[str, Any]:
    """Return the curves on the test part."""
    task = TASKS["retail"]
    there = grounds(task, task.cut(task.data()), seeds)
    test = curves(task, there)
    return {
        "test": test,
        "people": len(there[BY_MODEL][0].later),
        "tables": {"retail_curves": curve_table(test)},
    }


PARTS = {"films": of_films, "retail": of_retail}


def curve_table(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the table of all points under the learned scorer."""
    columns = {"": "", "weight": "g", f"NDCG@{K}": ".4f", "lost": "+.1%", "upper bound": "+.1%", "goal": ""}
    columns |= {"without": ".3f", "with": ".3f", "gained": "+.3f", "from": "+.3f", "to": "+.3f"}
    rows = [
        [
            name,
            p["weight"],
            p["ndcg"],
            p["lost"][0],
            p["lost"][2],
            p["goal_name"],
            p["goal_without"],
            p["goal"],
            *p["gained"],
        ]
        for name, points in measured[LEARNED].items()
        for p in points
    ]
    return results.table(columns, rows)


def film_tables(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the curves of the test part, and the table of the defaults."""
    columns = {"": "", "weight": "", "scorer": "", "upper bound, validation": "+.1%", "lost, test": "+.1%"}
    columns |= {"upper bound, test": "+.1%", "goal": "", "without": ".3f", "with": ".3f"}
    rows = []
    for constructor, names in CONSTRUCTORS.items():
        weight = found["defaults"][constructor]
        for name, scorer in itertools.product(names, (LEARNED, BY_MODEL)):
            pair = [_at(found[part][scorer][name], weight) for part in ("validation", "test")]
            rows.append([name, f"{weight:g}", scorer, *_default_cells(*pair)])
    together = found["together"]
    for scorer, points in together["points"].items():
        for n, (chosen, tested) in enumerate(zip(points, together["test"][scorer], strict=True)):
            name = BOTH if n == 0 else "the same, Calibration's goal"
            rows.append(
                [
                    name,
                    " + ".join(f"{w:g}" for w in together["weights"]),
                    scorer,
                    *_default_cells(chosen, tested),
                ]
            )
    return {"films_defaults": results.table(columns, rows), "films_curves": curve_table(found["test"])}


def _at(points: Sequence[Mapping[str, Any]], weight: float) -> Mapping[str, Any] | None:
    return next((point for point in points if point["weight"] == weight), None)


def _default_cells(chosen: Mapping[str, Any] | None, tested: Mapping[str, Any] | None) -> list[Any]:
    if chosen is None or tested is None:
        return [None] * 3 + ["", None, None]
    lost, goal = tested["lost"], tested["goal_name"]
    return [chosen["lost"][2], lost[0], lost[2], goal, tested["goal_without"], tested["goal"]]


def kept() -> dict[str, Any]:
    """Return the results of the parts that were measured before."""
    path = results.DIRECTORY / f"{NAME}.json"
    if not path.is_file():
        return {"tables": {}}
    payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return payload


def main() -> None:
    """Measure the parts asked for, keep the others, and write benchmarks/results/reranking.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    hashes = ", ".join(
        make().fingerprint for make in (sl.datasets.movielens_small, sl.datasets.online_retail)
    )
    for part in options.only:
        found = PARTS[part]([options.seed + n for n in range(options.seeds)])
        payload = kept()  # read only now, so that another part may have been measured meanwhile
        payload["tables"] |= found.pop("tables")
        payload[part] = {**found, "seeds": options.seeds}
        results.write(NAME, payload, data_hash=hashes, seed=options.seed)


if __name__ == "__main__":
    main()
