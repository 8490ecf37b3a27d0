"""evaluate: how good the lists and the predicted ratings of one or several models are, for whom, and how surely."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from shortlist import metrics
from shortlist.data.split import time_order
from shortlist.errors import DataError, ParameterError
from shortlist.experiments.columns import (
    COVERAGE,
    GINI,
    list_columns,
    ranking_columns,
    rating_columns,
    recall_column,
)
from shortlist.experiments.evaluation import Counts, Evaluation
from shortlist.experiments.protocols import excludes_seen, protocols_of
from shortlist.experiments.recommender import BLOCK_USERS, TopLists, by_name, predicts_ratings, top_lists
from shortlist.experiments.segments import ALL, COLD, COLD_ITEMS, item_segments, user_segments
from shortlist.experiments.summary import Bootstrap, Result
from shortlist.experiments.truth import PositivePairs, Truth, require_comparable
from shortlist.parameters import generator, one_of, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.columns import Column
    from shortlist.experiments.recommender import Recommender

# Above this share of repeats among the positive test pairs, data that does not declare them gets a note.
MANY_REPEATS = 0.1
CandidateItems = Literal["all", "cold"]
_LEAST = {"k": 1, "n_bootstrap": 0, "block_users": 1}


def evaluate(
    models: Recommender | Mapping[str, Recommender],
    train: Dataset,
    test: Dataset,
    k: int = 10,
    *,
    baseline: str | None = None,
    exclude_seen: bool | None = None,
    candidates: CandidateItems = "all",
    diversity_by: str | None = None,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    rng: np.random.Generator | int | None = 0,
    block_users: int = BLOCK_USERS,
) -> Evaluation:
    """Return the quality of `models`, all fitted on `train`, at showing each user of `test` what the user then liked.

    - models: a fitted model or pipeline, or several by name; `baseline` names the one the others are compared with
    - k: the length of the lists
    - exclude_seen: the protocol. True ("new items"): items a user has a training event with are neither shown nor in
      the truth; False ("repeats allowed"): they are in both. None measures both where the data declares `repeats`,
      else new items alone
    - candidates: "cold": lists and truth hold only items without a training event, which tells how well a model orders
      items that nobody has touched; users who like none of them in the test part are dropped
    - diversity_by: the tags or categorical item feature whose multi-hot vectors diversity is measured with; the first
      tags column where it is None
    - n_bootstrap: resamples behind the intervals (0: no intervals); level: of the intervals; rng: of the resamples
    - block_users: users asked for at a time, which bounds memory and changes no result

    Truth: the items of a user's positive test events, over the whole catalogue. Users without any are dropped and
    counted. Users a model does not know get its fallback, the popular items, and are counted.
    Measured at k, as means over users: ndcg, recall (÷ |relevant|), recall_capped (÷ min(k, |relevant|)), precision,
    map, mrr, hit_rate, novelty (bits; by the share of training users who have an item) and diversity. Of all lists
    together, without an interval: catalogue_coverage and gini, over all items of the catalogue. For models that
    predict ratings: rmse and mae over all test events, predictions clipped to the scale; they do not depend on the
    protocol and stand under each. Segments of users: `segments.user_segments`; of items: recall with the truth cut to
    head or tail items.
    Intervals: the paired percentile bootstrap over the users of the segment, one set of resamples for all metrics
    and models.

    Raises `NotFittedError`; `ParameterError` for a model fitted on anything but `train`, parts of different datasets,
    a test part that is in train, or a parameter out of range; `DataError` where no user has a relevant item (a note
    where that holds for one of two protocols).
    Cost: that of the lists, once a protocol, and O(n_bootstrap · users · models).
    """
    require_parameters(
        {
            "k": k,
            "n_bootstrap": n_bootstrap,
            "level": level,
            "block_users": block_users,
            "candidates": candidates,
        }
    )
    require_comparable(train, test)
    named = by_name(models, train, baseline)
    diversity = _Diversity.of(train, diversity_by, k)
    allowed = _allowed(train, candidates)
    pairs = PositivePairs.of(train, test).among(allowed)
    truths, notes = _truths(pairs, train, exclude_seen)
    only = None if allowed.all() else train.items.ids.filter(pl.Series(allowed))
    if only is not None:
        notes.append(f"lists and truth hold only the {only.len():,} items without a training event")
    bootstrap = Bootstrap(n_bootstrap, level, generator(rng))
    ground = _Ground.of(train, pairs, allowed, diversity.vectors, bootstrap, baseline)
    found = []
    for protocol, truth in truths.items():
        user_idx, seen_too = truth.user_idx[truth.is_evaluated], not excludes_seen(protocol)
        lists = {
            name: top_lists(
                model, user_idx, k, exclude_seen=not seen_too, items=only, block_users=block_users
            )
            for name, model in named.items()
        }
        found.append(_Measured.of(ground, protocol, truth, lists))
    ratings = _rating_columns(named, test, pairs.user_idx)
    errors = list(_errors(ground, ratings))
    return Evaluation(
        results=[result for one in found for result in one.results(errors)],
        per_user=pl.concat([one.per_user(train, ratings) for one in found], how="diagonal"),
        by_protocol={one.protocol: one.counts(len(test.interactions)) for one in found},
        k=k,
        baseline=baseline,
        exclude_seen=exclude_seen,
        level=level,
        n_bootstrap=n_bootstrap,
        train=train.name,
        test=test.name,
        time_ordered=time_order(train, test),
        diversity_by=diversity.name,
        notes=(*diversity.notes, *notes),
    )


def require_parameters(given: Mapping[str, Any]) -> None:
    """Raise `ParameterError` for a parameter of `evaluate` in `given` that is out of range; others may be absent.

    What needs the data or the models to be checked is not looked at.
    """
    for name in given.keys() & _LEAST.keys():
        whole(name, given[name], least=_LEAST[name])
    one_of("candidates", given.get("candidates", "all"), CandidateItems)
    if not 0 < given.get("level", 0.5) < 1:
        raise ParameterError(f"level must lie between 0 and 1, got {given['level']!r}")


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


def _allowed(train: Dataset, candidates: CandidateItems) -> NDArray[np.bool_]:
    """Return bool[n_items]: which items may be on the lists. Raises `DataError` where these are none."""
    if candidates == "all":
        return np.ones(len(train.items), bool)
    cold = item_segments(train)[COLD_ITEMS]
    if not cold.any():
        raise DataError(
            'candidates="cold": every item of the data has a training event; hide some (split.hide)'
        )
    return cold


def _truths(
    pairs: PositivePairs, train: Dataset, exclude_seen: bool | None
) -> tuple[dict[str, Truth], list[str]]:
    """Return the truth under each protocol that has one, and what there is to say about the choice of protocols."""
    protocols = protocols_of(train, exclude_seen)
    truths: dict[str, Truth] = {}
    notes = []
    for protocol in protocols:
        try:
            truths[protocol] = pairs.truth(exclude_seen=excludes_seen(protocol))
        except DataError as error:
            if protocol == protocols[-1] and not truths:
                raise
            notes.append(f"{protocol}: not measured, since {error}")
    share = float(pairs.seen.mean()) if pairs.seen.size else 0.0
    if exclude_seen is None and not train.repeats and share >= MANY_REPEATS:
        notes.append(
            f"{share:.0%} of the positive test pairs are repeats, which count for nothing here: declare repeats = true "
            "on the data to measure with repeats allowed too"
        )
    return truths, notes


@dataclass(frozen=True, eq=False)
class _Ground:
    """What all protocols share.

    allowed bool[n_items]: what may be on the lists; segments: bool[n] of the test users by name; item_segments:
    bool[n_items]; item_users int64[n_items]: training users who have each item, of n_users; vectors: of items, for
    diversity.
    """

    pairs: PositivePairs
    allowed: NDArray[np.bool_]
    segments: Mapping[str, NDArray[np.bool_]]
    item_segments: Mapping[str, NDArray[np.bool_]]
    item_users: NDArray[np.int64]
    n_users: int
    vectors: Any | None
    bootstrap: Bootstrap
    baseline: str | None

    @classmethod
    def of(
        cls,
        train: Dataset,
        pairs: PositivePairs,
        allowed: NDArray[np.bool_],
        vectors: Any | None,
        bootstrap: Bootstrap,
        baseline: str | None,
    ) -> _Ground:
        matrix = train.interactions.matrix("count")
        return cls(
            pairs,
            allowed,
            user_segments(train, pairs.user_idx),
            item_segments(train),
            np.bincount(matrix.indices, minlength=len(train.items)),
            int(np.count_nonzero(np.diff(matrix.indptr))),
            vectors,
            bootstrap,
            baseline,
        )

    @property
    def cold(self) -> NDArray[np.bool_]:
        """Return bool[n]: which test users have no positive training event."""
        return self.segments.get(COLD, np.zeros(self.pairs.user_idx.size, bool))


@dataclass(frozen=True, eq=False)
class _Measured:
    """The lists of every model under one protocol, and the columns and results made of them."""

    ground: _Ground
    protocol: str
    truth: Truth
    lists: Mapping[str, TopLists]
    ranking: Mapping[str, Sequence[Column]]
    of_lists: Sequence[Result]

    @classmethod
    def of(cls, ground: _Ground, protocol: str, truth: Truth, lists: Mapping[str, TopLists]) -> _Measured:
        ranking = {
            name: [
                *ranking_columns(own.item_idx, truth),
                *list_columns(own.item_idx, truth, ground.item_users, ground.n_users, ground.vectors),
            ]
            for name, own in lists.items()
        }
        found = [
            *_by_user_segment(ground, ranking, truth),
            *_of_all_lists(lists, ground.allowed, ground.baseline),
            *_by_item_segment(ground, lists, truth),
        ]
        return cls(ground, protocol, truth, lists, ranking, found)

    def results(self, errors: Sequence[Result]) -> list[Result]:
        """Return the results, and the `errors` of ratings, those of all users first."""
        found = [replace(result, protocol=self.protocol) for result in (*self.of_lists, *errors)]
        return sorted(found, key=lambda result: result.segment != ALL)

    def per_user(self, train: Dataset, ratings: Mapping[str, Sequence[Column]]) -> pl.DataFrame:
        """Return a row for each model and test user."""
        frames = []
        for name, own in self.lists.items():
            fallback = np.zeros(self.truth.user_idx.size, bool)
            fallback[self.truth.is_evaluated] = own.fallback
            columns = [*self.ranking[name], *ratings.get(name, [])]
            frames.append(
                pl.DataFrame(
                    [
                        pl.Series("model", [name]).new_from_index(0, fallback.size),
                        pl.Series("protocol", [self.protocol]).new_from_index(0, fallback.size),
                        train.users.ids_of(self.truth.user_idx).rename("user_id"),
                        pl.Series("n_relevant", self.truth.n_relevant),
                        pl.Series("fallback", fallback),
                        *(
                            pl.Series(column.metric, column.of_each_user, nan_to_null=True)
                            for column in columns
                        ),
                    ]
                )
            )
        return pl.concat(frames, how="diagonal")

    def counts(self, n_events: int) -> Counts:
        """Return what was measured and what was dropped."""
        pairs, truth, cold = self.ground.pairs, self.truth, self.ground.cold
        counts = {
            "test_events": n_events,
            "test_users": truth.user_idx.size,
            "test_users_warm": int((~cold).sum()),
            "users_evaluated": int(truth.is_evaluated.sum()),
            "users_without_positive": pairs.n_without_positive,
            "users_only_seen": truth.n_only_seen,
            "users_warm": int((~cold & truth.is_evaluated).sum()),
            "pairs_positive": pairs.seen.size,
            "pairs_seen": int(pairs.seen.sum()),
            "pairs_relevant": truth.item_idx.size,
            "pairs_new": int(pairs.new.sum()),
        }
        return Counts(counts, {name: _model_counts(own) for name, own in self.lists.items()})


def _rating_columns(
    named: Mapping[str, Recommender], test: Dataset, user_idx: NDArray[np.int32]
) -> dict[str, list[Column]]:
    log = test.interactions
    if test.feedback.kind != "ratings" or test.feedback.scale is None:
        return {}
    users, items = test.users.ids_of(log.user_idx), test.items.ids_of(log.item_idx)
    return {
        name: rating_columns(model.predict(users, items), log, user_idx, test.feedback.scale)
        for name, model in named.items()
        if predicts_ratings(model)
    }


def _by_user_segment(
    ground: _Ground, ranking: Mapping[str, Sequence[Column]], truth: Truth
) -> Iterable[Result]:
    for segment, members in ground.segments.items():
        rows = np.flatnonzero(members & truth.is_evaluated)
        if rows.size:
            yield from ground.bootstrap.results(ranking, rows, segment, ground.baseline)


def _errors(ground: _Ground, ratings: Mapping[str, Sequence[Column]]) -> Iterator[Result]:
    for segment, members in ground.segments.items() if ratings else ():
        yield from ground.bootstrap.results(ratings, np.flatnonzero(members), segment, ground.baseline)


def _by_item_segment(ground: _Ground, lists: Mapping[str, TopLists], truth: Truth) -> Iterable[Result]:
    for segment, items in ground.item_segments.items():
        rows, _, _ = truth.within(items)
        if rows.size:
            columns = {name: [recall_column(own.item_idx, truth, items)] for name, own in lists.items()}
            yield from ground.bootstrap.results(columns, rows, segment, ground.baseline)


def _of_all_lists(
    lists: Mapping[str, TopLists], allowed: NDArray[np.bool_], baseline: str | None
) -> Iterable[Result]:
    # Without a single item shown the Gini coefficient is 0/0.
    shown = {name: own for name, own in lists.items() if (own.item_idx >= 0).any()}
    for metric, measure, of in ((COVERAGE, metrics.catalogue_coverage, lists), (GINI, metrics.gini, shown)):
        values = {name: measure(own.item_idx, allowed) for name, own in of.items()}
        for name, value in values.items():
            base = values.get(baseline) if baseline not in (None, name) else None
            difference = None if base is None else value - base
            n_users = len(lists[name].fallback)
            yield Result(name, "", ALL, metric, value, None, None, difference, None, None, n_users)


def _model_counts(lists: TopLists) -> dict[str, int]:
    short = lists.item_idx[:, -1] < 0
    return {"fallback": int(lists.fallback.sum()), "short": int(short.sum())}
