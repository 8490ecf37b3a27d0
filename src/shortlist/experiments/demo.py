"""The demo's job: real data, a split, the default pipeline measured beside popularity, then fitted on everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.data import datasets
from shortlist.data.split import leave_last_out
from shortlist.experiments.evaluate import evaluate
from shortlist.experiments.popularity_search import best_popularity
from shortlist.models.item_neighbors import ItemNeighbors
from shortlist.models.wals import WALS
from shortlist.pipeline import Pipeline
from shortlist.reranking.group_terms import Calibration
from shortlist.reranking.select import Select
from shortlist.reranking.similarity_terms import MMR
from shortlist.retrieval.bought_together import BoughtTogether
from shortlist.retrieval.fresh import Fresh
from shortlist.retrieval.nearest import Nearest
from shortlist.retrieval.next_item import NextItem
from shortlist.retrieval.popular import Popular
from shortlist.retrieval.related import RelatedToRecent
from shortlist.retrieval.top_in_group import TopInGroup
from shortlist.retrieval.trending import Trending
from shortlist.scoring.lambda_mart import LambdaMARTScorer
from shortlist.scoring.model_scorer import ModelScorer
from shortlist.scoring.ranker_settings import ranker_problem, settings_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shortlist.data.dataset import Dataset
    from shortlist.data.memory import Memory
    from shortlist.data.recommendations import Recommendations
    from shortlist.data.split import Split
    from shortlist.data.vocabulary import Id
    from shortlist.experiments.evaluation import Evaluation
    from shortlist.experiments.popularity_search import PopularitySearch
    from shortlist.experiments.recommender import Recommender
    from shortlist.stages import CandidateSource

SEED = 0
TEST_SHARE = 0.2
N_FAVOURITES = 8
N_PEOPLE = 610  # in MovieLens small


class Favourite(NamedTuple):
    """A positive event of a user: the item's title (its id where it has none), its value, and µs UTC or None."""

    title: str
    value: float
    timestamp: int | None


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demo found.

    - split: the parts that quality was measured on; evaluation: of the pipeline beside `baseline`
    - pipeline: fitted on all data, and saved at `saved`; shown: its list for the user
    - favourites: the user's last positive events, the newest first
    - problem: why the pipeline has no learned scorer, None where it has
    """

    data: Dataset
    split: Split
    evaluation: Evaluation
    baseline: PopularitySearch
    pipeline: Pipeline
    favourites: list[Favourite]
    shown: Recommendations
    saved: Path
    problem: str | None


def default_pipeline() -> Pipeline:
    """Return the pipeline of the demo, unfitted: the sources, scorer and selection that `shortlist init` writes for it.

    Where LightGBM is not there to train a ranker (`scoring.ranker_settings.ranker_problem`), the model scores alone.

    The parameters of WALS are those of the largest NDCG@10 but for dim 192 (.0007 more, at three times the cost) on two
    validation parts inside the training part: its last fifth of each user, and the last fifth before that. Tried were
    393 settings of dim 16 to 192, unobserved_weight .02 to 1.2, reg .003 to .1, reg_exponent .5 and 1, alpha 0 to 1.
    """
    taste = WALS(dim=96, unobserved_weight=0.8, reg=0.005)
    near = Nearest(ItemNeighbors(), name="Neighbours")
    by_items: list[CandidateSource] = [RelatedToRecent(taste), near, BoughtTogether(), NextItem()]
    others: list[CandidateSource] = [TopInGroup("genres"), Trending(), Fresh(), Popular()]
    learned = LambdaMARTScorer(taste, **settings_for(N_PEOPLE))
    scorer = ModelScorer(taste) if ranker_problem() else learned
    select = Select(MMR(on="genres"), Calibration("genres"))
    return Pipeline([Nearest(taste), *by_items, *others], scorer, [select])


def run(user: Id, k: int, out: Path, begin: Callable[[str], object]) -> Demo:
    """Return the demo's result for `user` with lists of `k` items, the pipeline saved at `out`.

    `begin` is called with a few words as each step begins.
    Raises `MissingExtraError` without the data package, `UnknownIdError`, `ArtifactError`.
    """
    begin("reading MovieLens small")
    data = datasets.movielens_small()
    data.users.require([user], "user")
    split = leave_last_out(data, TEST_SHARE)
    begin(f"fitting on {len(split.train.interactions):,} training ratings")
    measured = default_pipeline().fit(split.train, rng=SEED)
    begin("finding the best popularity on a validation part of the training ratings")
    baseline = best_popularity(split.train, k=k)
    begin(f"measuring on {len(split.test.interactions):,} test ratings")
    compared: dict[str, Recommender] = {type(measured).__name__: measured, baseline.name: baseline.model}
    evaluation = evaluate(compared, split.train, split.test, k, baseline=baseline.name, rng=SEED)
    begin("fitting on all ratings")
    pipeline = default_pipeline().fit(data, rng=SEED)
    shown = pipeline.recommend([user], k)
    saved = pipeline.save(out)
    liked = favourites(data.memory, user)
    return Demo(data, split, evaluation, baseline, pipeline, liked, shown, saved, ranker_problem())


def favourites(memory: Memory, user: Id, n: int = N_FAVOURITES) -> list[Favourite]:
    """Return the last `n` positive events of `user`, the newest first, ties in reverse order of the log."""
    past = memory.history.take(memory.users.require([user], "user"))
    last = np.flatnonzero(past.positive)[::-1][:n]
    times = [None] * last.size if past.timestamp is None else past.timestamp[last].tolist()
    titles = [memory.title_of(item) for item in past.item_idx[last].tolist()]
    return [Favourite(*row) for row in zip(titles, past.value[last].tolist(), times, strict=True)]
