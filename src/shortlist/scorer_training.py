"""How a scorer learns: from candidates of the past, labelled by what people took of them after a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data import split
from shortlist.data.memory import Limits
from shortlist.errors import DataError
from shortlist.models.bound_stages import bound, flat
from shortlist.stages import CandidateExamples, distinct

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
    window = getattr(scorer, "window_days", None)
    parts = cut(dataset, window)
    early = pipeline.unfitted(scorer=Unscored(), rerank=()).fit(parts.train, rng=rng)
    fitted = {
        id(stage.model): stage.model.clone().fit(parts.train, rng=rng)
        for stage in flat([pipeline.scorer])
        if stage.model is not None
    }
    before = bound(pipeline.scorer, parts.train, fitted)
    top = getattr(scorer, "wants_top_rating", False)
    # Where repeats are shown, it has to learn what they are among the candidates.
    new_alone = not dataset.repeats
    found = examples(early, parts, rng, exclude_seen=new_alone, top_rating=top, absent_too=window is not None)
    return scorer.learned_from(found, before, rng)


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
    absent_too: bool = False,
    most_users: int = LEARN_FROM_USERS,
) -> CandidateExamples:
    """Return the candidates of `pipeline`, fitted on the first part, labelled by the positive events of the second.

    They are those of people with events in both parts, whether they took any or not; with `absent_too` also of those
    who did not come back. Where there are more than `most_users` with a positive event, or without, so many are drawn
    of either, and stand for the others by their weight. With `top_rating` only an event of the highest value of the
    scale counts.

    Raises `DataError` where nobody took any of them.
    """
    log = parts.test.interactions
    positive = log.value >= log.feedback.scale[1] if top_rating and log.feedback.scale else log.positive
    n_items, n_users = max(log.n_items, 1), log.n_users
    taken = distinct(log.user_idx[positive].astype(np.int64) * n_items + log.item_idx[positive])
    asked = np.diff(pipeline.memory_.history.ptr) > 0
    if not absent_too:
        asked &= np.bincount(log.user_idx, minlength=n_users) > 0
    has_one = np.bincount(taken // n_items, minlength=n_users) > 0
    weight = np.zeros(n_users)
    for people in (np.flatnonzero(asked & has_one), np.flatnonzero(asked & ~has_one)):
        drawn = rng.permutation(people)[:most_users]
        weight[drawn] = people.size / max(drawn.size, 1)
    chosen = np.flatnonzero(weight).astype(np.int32)
    request = pipeline.memory_.request(chosen, 1, Limits(exclude_seen=exclude_seen))
    candidates = pipeline.candidates(request)
    pair = request.user_idx[candidates.row].astype(np.int64) * n_items + candidates.item_idx
    return labelled(request, candidates, np.isin(pair, taken), weight[chosen])


def labelled(
    request: Request,
    candidates: Candidates,
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64] | None = None,
) -> CandidateExamples:
    """Return the kept candidates with `positive` bool[m]; people weigh `weight` float64[n], or alike.

    People without candidates are left out: they are told nothing that could be right or wrong.
    Raises `DataError` where nobody took any of theirs.
    """
    kept = candidates.kept
    if not np.any(kept & positive):
        raise DataError(
            f"none of {len(request)} people took any of the candidates they were proposed before the cut: the scorer "
            "has nothing to learn from; retrieve more, or cut the training part elsewhere"
        )
    weight = np.ones(len(request)) if weight is None else weight
    everybody = CandidateExamples(request, candidates.where(kept), positive[kept], weight)
    return everybody.of(np.diff(everybody.candidates.ptr) > 0)


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
