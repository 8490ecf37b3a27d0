"""Objective: what a list is ranked for, said aloud: a probability, or what it is worth."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from shortlist.contributions import Contributions, ExplainsScores
from shortlist.data.feature_arrays import numbers
from shortlist.errors import DataError, NotFittedError, ParameterError
from shortlist.models.stage import Stage
from shortlist.parameters import number, one_of
from shortlist.scoring.lambda_mart import LambdaMARTScorer
from shortlist.scoring.probability_curve import Method, ProbabilityCurve
from shortlist.stages import LearnsFromCandidates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.stages import CandidateExamples, Candidates, Request, Scorer

Kind = Literal["probability", "top_rating", "purchase", "revenue", "profit", "watch_time"]
_SLOPE = 1e-4
_SAID = MappingProxyType(
    {
        "probability": "the probability of a positive event",
        "top_rating": "the probability of a top rating",
        "purchase": "the probability of a purchase",
        "revenue": "expected revenue: probability of a purchase × {price}",
        "profit": "expected profit: probability of a purchase × {price} × {margin}",
        "watch_time": "expected watch time: probability of watching × {duration}",
    }
)


class Objective(Stage):
    """Ranks candidates for a stated objective: one calibrated probability, times what the item is worth.

    - scorer: orders candidates; what it learns, it learns as it would alone. A curve makes its scores probabilities
    - kind: "probability" of a positive event; "top_rating", of the highest value of the scale; "purchase", of a
      positive event within `window_days`; "revenue", probability × `price` (or bid); "profit", × `price` × `margin`;
      "watch_time", × `duration`. What is predicted is P(event | candidate), of people who take some candidate and of
      people who take none
    - window_days: the event has to come within so many days after the cut; whoever was known at the cut counts, those
      who did not come back among them. None: it has to be among the person's last fifth of the events
    - price, margin, duration: numeric features of items, at least 0 (a margin may be below 0) and finite. An item that
      lacks what its worth is made of cannot be scored and is removed, which the trace says
    - curve: "platt" or "isotonic" (for some thousand people). A staircase makes ties; a ten-thousandth of the logistic
      curve in it keeps the order of `scorer`

    The curve is fitted on people that the scorer has not learned from: two halves, each scored by what was learned from
    the other. The objective stands in the answer and in the trace, so that nobody is shown as "best for you" what was
    ranked by profit.
    Raises `DataError` for an item with a negative or infinite price, naming it.
    """

    FITTED: ClassVar[tuple[str, ...]] = ("worth_", "curves_")
    PARTS: ClassVar[tuple[str, ...]] = ("scorer",)

    worth_: NDArray[np.float64]
    curves_: Sequence[Mapping[str, Any]]

    def __init__(
        self,
        scorer: Scorer,
        kind: Kind = "probability",
        *,
        window_days: float | None = None,
        price: str | None = None,
        margin: str | None = None,
        duration: str | None = None,
        curve: Method = "platt",
        name: str | None = None,
    ) -> None:
        self.kind: Kind = one_of("kind", kind, Kind)
        self._set(None, name or self.kind)
        self.scorer: Any = scorer
        self.parts = (scorer,) if isinstance(scorer, Stage) else ()
        self.window_days = (
            None if window_days is None else number("window_days", window_days, above_zero=True)
        )
        self.price, self.margin, self.duration = price, margin, duration
        self.curve: Method = one_of("curve", curve, Method)
        self._require_columns()

    def _require_columns(self) -> None:
        needed = {"revenue": ("price",), "profit": ("price", "margin"), "watch_time": ("duration",)}.get(
            self.kind, ()
        )
        for column in ("price", "margin", "duration"):
            given = getattr(self, column) is not None
            if given != (column in needed):
                verb = "needs" if column in needed else "goes by no"
                raise ParameterError(
                    f"the objective {self.kind!r} {verb} {column}=, a numeric feature of items"
                )

    @property
    def says(self) -> str:
        """Return what the list is ranked for, in words."""
        columns = {"price": self.price, "margin": self.margin, "duration": self.duration}
        within = "" if self.window_days is None else f" within {self.window_days:g} days"
        return _SAID[self.kind].format(**columns) + within

    @property
    def wants_top_rating(self) -> bool:
        """Return whether only an event of the highest value counts as positive."""
        return self.kind == "top_rating"

    @property
    def is_worth_more_than_likely(self) -> bool:
        """Return whether items are ranked by more than what the person is likely to want."""
        return self.kind in ("revenue", "profit", "watch_time")

    def _prepare(self, dataset: Dataset) -> None:
        self.curves_ = []
        self.worth_ = np.ones(len(dataset.items))
        for column, least in ((self.price, 0.0), (self.margin, -np.inf), (self.duration, 0.0)):
            if column is not None:
                self.worth_ = self.worth_ * _worth(dataset, column, least, self.name)

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n]: whom the scorer knows."""
        known: NDArray[np.bool_] = self.scorer.knows(request)
        return known

    def can_score(self, request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return bool[m]: what the scorer can score and what is worth something known."""
        able: NDArray[np.bool_] = self.scorer.can_score(request, candidates)
        return able & ~np.isnan(self.worth_[candidates.item_idx])

    def probability(self, request: Request, candidates: Candidates) -> NDArray[np.float64]:
        """Return float64[m]: P(event | candidate). Raises `NotFittedError` before it has learned."""
        if not self.curves_:
            raise NotFittedError(f"{self.name} has not learned from candidates yet: fit the pipeline")
        return self._likely(self.scorer.score(request, candidates))

    def _likely(self, score: NDArray[np.floating]) -> NDArray[np.float64]:
        first, logistic = (ProbabilityCurve.from_values(curve)(score) for curve in self.curves_)
        return (1 - _SLOPE) * first + _SLOPE * logistic

    def score(self, request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return float32[m]: the expected worth, in the unit of its columns; 0 for candidates that are removed."""
        worth = np.where(candidates.kept, self.worth_[candidates.item_idx], 0.0)
        return (self.probability(request, candidates) * worth).astype(np.float32)

    def contributions(
        self, request: Request, candidates: Candidates, at: NDArray[np.int64]
    ) -> Contributions | None:
        """Return by how much the value of each candidate falls without each thing that speaks for it.

        Of what the scorer goes by: when its score is less by that contribution. Of the worth: when it is the mean of
        all items. None where the scorer cannot say what its scores are made of.
        """
        scorer: Any = self.scorer
        found = scorer.contributions(request, candidates, at) if isinstance(scorer, ExplainsScores) else None
        if found is None:
            return None
        score = self.scorer.score(request, candidates)[at].astype(np.float64)
        worth, probability = self.worth_[candidates.item_idx[at]], self._likely(score)

        def falls(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
            return (probability[:, None] - self._likely(score[:, None] - amounts)) * worth[:, None]

        features, of_features = list(found.features), falls(found.of_features)
        if self.is_worth_more_than_likely:
            columns = [column for column in (self.price, self.margin, self.duration) if column is not None]
            features.append(f"its {' and '.join(columns)}")
            gained = probability * (worth - np.nanmean(self.worth_))
            of_features = np.column_stack([of_features, gained])
        return Contributions(
            found.item_idx, found.past_item, falls(found.of_past), features, of_features, adds_up=False
        )

    def learned_from(self, examples: CandidateExamples, before: Self, rng: np.random.Generator) -> Self:
        """Return this objective with a scorer that has learned, and the curve of its scores."""
        scorer, scores = self.scorer, np.zeros(examples.positive.size)
        if isinstance(scorer, LearnsFromCandidates):
            scorer = scorer.learned_from(examples, before.scorer, rng)
            alike = before.scorer
            if isinstance(
                scorer, LambdaMARTScorer
            ):  # scores grow with the number of trees: the curve is of as many
                alike = before.scorer.with_as_many_trees(scorer)
            half = rng.permutation(len(examples.request)) % 2
            for fold in (0, 1):
                learned = alike.learned_from(examples.of(half != fold), before.scorer, rng)
                mine = half[examples.candidates.row] == fold
                scores[mine] = learned.score(examples.request, examples.candidates)[mine]
        else:
            scores = before.scorer.score(examples.request, examples.candidates)
        taught = self._made(self.params(), None, (scorer,))
        taught.worth_ = self.worth_
        weight = examples.weight[examples.candidates.row]
        taught.curves_ = [
            ProbabilityCurve.fit(scores, examples.positive, method, weight).to_values()
            for method in (self.curve, "platt")
        ]
        return taught


def _worth(dataset: Dataset, column: str, least: float, asked_by: str) -> NDArray[np.float64]:
    worth = numbers(dataset.item_features, "item", column, asked_by)
    wrong = np.flatnonzero(np.isinf(worth) | (worth < least))
    if wrong.size:
        item = dataset.items.ids[int(wrong[0])]
        raise DataError(
            f"{asked_by}: {column} of item {item!r} (row {int(wrong[0])}) is {worth[wrong[0]]:g}; it must be finite"
            f"{' and at least 0' if least == 0 else ''} ({wrong.size} such items in all)"
        )
    return worth
