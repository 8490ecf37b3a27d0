"""How a scorer learns: from candidates of the past, labelled by what people took of them after a cut."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data import split
from shortlist.data.memory import Limits
from shortlist.errors import DataError
from shortlist.models.bound_stages import bound, flat
from shortlist.stages import CandidateExamples, distinct, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Split
    from shortlist.pipeline import Pipeline
    from shortlist.stages import Candidates, Request

# A scorer learns from the candidates of at most so many people: 10 million candidates at 1,000 each.
LEARN_FROM_USERS = 10_000
DAY = 86_400_000_000  # µs


def taught(pipeline: Pipeline, scorer: Any, dataset: Dataset, rng: np.random.Generator) -> Any:
    """Return `scorer`, which is bound to `dataset`, after it has learned from candidates of the past.

    The training data are cut in two; clones of the models are fitted on the first part alone, the sources propose from
    them, and what people took in the second part is labelled among it. So no event that makes a label stands in the
    data, the features or the popularity behind its candidates. Nothing that was given is changed.
    """
    parts = cut(dataset, getattr(scorer, "window_days", None))
    early = pipeline.unfitted(scorer=Unscored(), rerank=()).fit(parts.train, rng=rng)
    fitted = {
        id(stage.model): stage.model.clone().fit(parts.train, rng=rng)
        for stage in flat([pipeline.scorer])
        if stage.model is not None
    }
    before = bound(pipeline.scorer, parts.train, fitted)
    top = getattr(scorer, "wants_top_rating", False)
    return scorer.learned_from(examples(early, parts, rng, top_rating=top), before, rng)


def cut(dataset: Dataset, window_days: float | None = None) -> Split:
    """Return the training data in two: each user's last fifth of the events is what people took.

    With a window: everything of the last `window_days`. Raises `DataError` where the data has no times for that.
    """
    if window_days is None:
        return split.leave_last_out(dataset, fraction=0.2)
    now = dataset.interactions.now
    if now is None:
        raise DataError(
            "a window of days needs timestamps, and these interactions have none: leave window_days out"
        )
    return split.global_time(dataset, at=int(now - window_days * DAY))


def examples(
    pipeline: Pipeline,
    parts: Split,
    rng: np.random.Generator,
    *,
    exclude_seen: bool = True,
    top_rating: bool = False,
    most_users: int = LEARN_FROM_USERS,
) -> CandidateExamples:
    """Return the candidates of `pipeline`, fitted on the first part, labelled by the positive events of the second.

    With `top_rating` only an event of the highest value of the scale counts.

    Raises `DataError` where nobody took any of them.
    """
    log = parts.test.interactions
    positive = log.value >= log.feedback.scale[1] if top_rating and log.feedback.scale else log.positive
    n_items = max(log.n_items, 1)
    taken = distinct(log.user_idx[positive].astype(np.int64) * n_items + log.item_idx[positive])
    people = np.unique(taken // n_items)
    people = np.sort(rng.permutation(people)[:most_users]).astype(np.int32)
    request = pipeline.memory_.request(people.astype(np.int32), 1, Limits(exclude_seen=exclude_seen))
    candidates = pipeline.candidates(request)
    pair = request.user_idx[candidates.row].astype(np.int64) * n_items + candidates.item_idx
    return labelled(request, candidates, np.isin(pair, taken))


def labelled(request: Request, candidates: Candidates, positive: NDArray[np.bool_]) -> CandidateExamples:
    """Return the kept candidates of the people who took one of them, with `positive` bool[m]; the others are counted.

    Raises `DataError` where there is nobody left to learn from.
    """
    kept = candidates.kept
    has_one = np.bincount(candidates.row[kept & positive], minlength=len(candidates)) > 0
    rows = np.flatnonzero(has_one)
    if not rows.size:
        raise DataError(
            f"none of {len(request)} people took any of the candidates they were proposed before the cut: the scorer "
            "has nothing to learn from; retrieve more, or cut the training part elsewhere"
        )
    of = kept & has_one[candidates.row]
    length = np.bincount(candidates.row[of], minlength=len(candidates))[rows]
    aligned = ("item_idx", "source_rank", "source_score", "anchor", "score", "removed_by")
    arrays: dict[str, Any] = {name: getattr(candidates, name)[of] for name in aligned}
    # What sources say to people of single proposals is nothing to learn from.
    chosen = replace(candidates, ptr=offsets(length), source_reason=None, reasons=(), **arrays)
    return CandidateExamples(request.rows(rows), chosen, positive[of], len(request) - rows.size)


class Unscored:
    """In the place of the scorer while candidates are gathered: everybody is known, nothing is scored."""

    name = "none"

    def knows(self, request: Request) -> NDArray[np.bool_]:
        """Return bool[n], true."""
        return np.ones(len(request), bool)

    def can_score(self, _request: Request, candidates: Candidates) -> NDArray[np.bool_]:
        """Return bool[m], true."""
        return np.ones(candidates.item_idx.size, bool)

    def score(self, _request: Request, candidates: Candidates) -> NDArray[np.float32]:
        """Return float32[m], 0."""
        return np.zeros(candidates.item_idx.size, np.float32)
