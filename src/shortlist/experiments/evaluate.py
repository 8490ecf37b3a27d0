"""evaluate: how good the lists and the predicted ratings of one or several models are, for whom, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist import metrics
from shortlist.data.split import time_order
from shortlist.errors import ParameterError
from shortlist.experiments.columns import (
    COVERAGE,
    GINI,
    list_columns,
    ranking_columns,
    rating_columns,
    recall_column,
)
from shortlist.experiments.evaluation import Evaluation
from shortlist.experiments.recommender import BLOCK_USERS, TopLists, by_name, predicts_ratings, top_lists
from shortlist.experiments.segments import ALL, COLD, item_segments, user_segments
from shortlist.experiments.summary import Bootstrap, Result
from shortlist.experiments.truth import Truth, require_comparable
from shortlist.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.columns import Column
    from shortlist.experiments.recommender import Recommender


def evaluate(
    models: Recommender | Mapping[str, Recommender],
    train: Dataset,
    test: Dataset,
    k: int = 10,
    *,
    baseline: str | None = None,
    exclude_seen: bool = True,
    diversity_by: str | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    rng: np.random.Generator | int | None = 0,
    block_users: int = BLOCK_USERS,
) -> Evaluation:
    """Return the quality of `models`, all fitted on `train`, at showing each user of `test` what the user then liked.

    - models: a fitted model or pipeline, or several by name; `baseline` names the one the others are compared with
    - k: the length of the lists
    - exclude_seen: items a user has a training event with are not shown, and are not in the truth; with False they are
      in both. Where repeats matter report both
    - diversity_by: the tags or categorical item feature whose multi-hot vectors diversity is measured with; the first
      tags column where it is None
    - n_bootstrap: resamples behind the intervals (0: no intervals); level: of the intervals; rng: of the resamples
    - block_users: users asked for at a time, which bounds memory and changes no result

    Truth: the items of a user's positive test events, over the whole catalogue. Users without any are dropped and
    counted. Users a model does not know get its fallback, the popular items, and are counted.
    Measured at k, as means over users: ndcg, recall (÷ |relevant|), recall_capped (÷ min(k, |relevant|)), precision,
    map, mrr, hit_rate, novelty (bits; by the share of training users who have an item) and diversity. Of all lists
    together, without an interval: catalogue_coverage and gini, over all items of the catalogue. For models that
    predict ratings: rmse and mae over all test events, predictions clipped to the scale. Segments of users:
    `segments.user_segments`; of items: recall with the truth cut to head or tail items.
    Intervals: the paired percentile bootstrap over the users of the segment, one set of resamples for all metrics
    and models.

    Raises `NotFittedError`; `ParameterError` for a model fitted on anything but `train`, parts of different datasets,
    a test part that is in train, or a parameter out of range; `DataError` where no user has a relevant item.
    Cost: that of the lists, and O(n_bootstrap · users · models).
    """
    _require_parameters(k, n_bootstrap, level, block_users)
    require_comparable(train, test)
    named = by_name(models, train, baseline)
    diversity = _Diversity.of(train, diversity_by, k)
    truth = Truth.of(train, test, exclude_seen=exclude_seen)
    user_idx = truth.user_idx[truth.is_evaluated]
    lists = {
        name: top_lists(model, user_idx, k, exclude_seen=exclude_seen, block_users=block_users)
        for name, model in named.items()
    }
    ranking = _ranking_columns(lists, train, truth, diversity.vectors)
    ratings = _rating_columns(named, test, truth)
    bootstrap = Bootstrap(n_bootstrap, level, np.random.default_rng(rng))
    segments = user_segments(train, truth.user_idx)
    results = [
        *_by_user_segment(segments, ranking, ratings, truth, bootstrap, baseline),
        *_of_all_lists(lists, len(train.items), baseline),
        *_by_item_segment(lists, train, truth, bootstrap, baseline),
    ]
    results.sort(key=lambda result: result.segment != ALL)
    cold = segments.get(COLD, np.zeros(truth.user_idx.size, bool))
    return Evaluation(
        results=results,
        per_user=_per_user(train, truth, lists, ranking, ratings),
        counts=_counts(test, truth, cold),
        model_counts={name: _model_counts(own, k) for name, own in lists.items()},
        k=k,
        baseline=baseline,
        exclude_seen=exclude_seen,
        level=level,
        n_bootstrap=n_bootstrap,
        train=train.name,
        test=test.name,
        time_ordered=time_order(train, test),
        diversity_by=diversity.name,
        notes=diversity.notes,
    )


@dataclass(frozen=True, eq=False)
class _Diversity:
    """The vectors that diversity is measured with [n_items, d], or None and the reason."""

    name: str | None
    vectors: Any | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, train: Dataset, name: str | None, k: int) -> _Diversity:
        table = train.item_features
        if table is None and name is not None:
            raise ParameterError(f"diversity_by={name!r}: the data has no item features")
        if table is None:
            return cls(None, None, ("diversity is not measured: the data has no item features",))
        name = name or next((column for column, kind in table.kinds.items() if kind == "tags"), None)
        if name is None:
            return cls(
                None,
                None,
                ("diversity is not measured: no item feature is of kind tags; name one by diversity_by",),
            )
        vectors, _ = table.tags(name)
        if k == 1:
            return cls(None, None, ("diversity is not measured: a list of one item has none",))
        return cls(name, vectors)


def _require_parameters(k: int, n_bootstrap: int, level: float, block_users: int) -> None:
    whole("k", k, least=1)
    whole("n_bootstrap", n_bootstrap, least=0)
    whole("block_users", block_users, least=1)
    if not 0 < level < 1:
        raise ParameterError(f"level must lie between 0 and 1, got {level!r}")


def _ranking_columns(
    lists: Mapping[str, TopLists], train: Dataset, truth: Truth, vectors: Any | None
) -> dict[str, list[Column]]:
    matrix = train.interactions.matrix("count")
    item_users = np.bincount(matrix.indices, minlength=len(train.items))
    n_users = int(np.count_nonzero(np.diff(matrix.indptr)))
    return {
        name: [
            *ranking_columns(own.item_idx, truth),
            *list_columns(own.item_idx, truth, item_users, n_users, vectors),
        ]
        for name, own in lists.items()
    }


def _rating_columns(named: Mapping[str, Recommender], test: Dataset, truth: Truth) -> dict[str, list[Column]]:
    log = test.interactions
    if test.feedback.kind != "ratings" or test.feedback.scale is None:
        return {}
    users, items = test.users.ids_of(log.user_idx), test.items.ids_of(log.item_idx)
    return {
        name: rating_columns(model.predict(users, items), log, truth.user_idx, test.feedback.scale)
        for name, model in named.items()
        if predicts_ratings(model)
    }


def _by_user_segment(
    segments: Mapping[str, NDArray[np.bool_]],
    ranking: Mapping[str, list[Column]],
    ratings: Mapping[str, list[Column]],
    truth: Truth,
    bootstrap: Bootstrap,
    baseline: str | None,
) -> Iterable[Result]:
    for segment, members in segments.items():
        rows = np.flatnonzero(members & truth.is_evaluated)
        if rows.size:
            yield from bootstrap.results(ranking, rows, segment, baseline)
        if ratings:
            yield from bootstrap.results(ratings, np.flatnonzero(members), segment, baseline)


def _by_item_segment(
    lists: Mapping[str, TopLists], train: Dataset, truth: Truth, bootstrap: Bootstrap, baseline: str | None
) -> Iterable[Result]:
    for segment, items in item_segments(train).items():
        rows, _, _ = truth.within(items)
        if rows.size:
            columns = {name: [recall_column(own.item_idx, truth, items)] for name, own in lists.items()}
            yield from bootstrap.results(columns, rows, segment, baseline)


def _of_all_lists(lists: Mapping[str, TopLists], n_items: int, baseline: str | None) -> Iterable[Result]:
    everything = np.ones(n_items, bool)
    # Without a single item shown the Gini coefficient is 0/0.
    shown = {name: own for name, own in lists.items() if (own.item_idx >= 0).any()}
    for metric, measure, of in ((COVERAGE, metrics.catalogue_coverage, lists), (GINI, metrics.gini, shown)):
        values = {name: measure(own.item_idx, everything) for name, own in of.items()}
        for name, value in values.items():
            base = values.get(baseline) if baseline not in (None, name) else None
            difference = None if base is None else value - base
            yield Result(
                name, ALL, metric, value, None, None, difference, None, None, len(lists[name].fallback)
            )


def _per_user(
    train: Dataset,
    truth: Truth,
    lists: Mapping[str, TopLists],
    ranking: Mapping[str, list[Column]],
    ratings: Mapping[str, list[Column]],
) -> pl.DataFrame:
    frames = []
    for name, own in lists.items():
        fallback = np.zeros(truth.user_idx.size, bool)
        fallback[truth.is_evaluated] = own.fallback
        columns = [*ranking[name], *ratings.get(name, [])]
        frames.append(
            pl.DataFrame(
                [
                    pl.Series("model", [name]).new_from_index(0, truth.user_idx.size),
                    train.users.ids_of(truth.user_idx).rename("user_id"),
                    pl.Series("n_relevant", truth.n_relevant),
                    pl.Series("fallback", fallback),
                    *(pl.Series(column.metric, column.of_each_user, nan_to_null=True) for column in columns),
                ]
            )
        )
    return pl.concat(frames, how="diagonal")


def _counts(test: Dataset, truth: Truth, cold: NDArray[np.bool_]) -> dict[str, int]:
    return {
        "test_events": len(test.interactions),
        "test_users": truth.user_idx.size,
        "test_users_warm": int((~cold).sum()),
        "users_evaluated": int(truth.is_evaluated.sum()),
        "users_without_positive": truth.n_without_positive,
        "users_only_seen": truth.n_only_seen,
        "users_warm": int((~cold & truth.is_evaluated).sum()),
        "pairs_positive": truth.seen.size,
        "pairs_seen": int(truth.seen.sum()),
        "pairs_relevant": truth.item_idx.size,
        "pairs_new": int(truth.new.sum()),
    }


def _model_counts(lists: TopLists, k: int) -> dict[str, int]:
    short = lists.item_idx[:, k - 1] < 0
    return {"fallback": int(lists.fallback.sum()), "short": int(short.sum())}
