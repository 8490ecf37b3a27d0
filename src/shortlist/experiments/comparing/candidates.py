"""Candidates: what is compared, and how each is fitted once, so that no fit pays for another's compilation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.interactions import Interactions
from shortlist.errors import ParameterError, ShortlistError
from shortlist.models.model import Model
from shortlist.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shortlist.data.features import FeatureTable
    from shortlist.data.vocabulary import Vocabulary
    from shortlist.experiments.recommender import Recommender

# Enough for every kernel of a fit to run, too few to take any time.
WARM_UP_EVENTS = 2000


@dataclass(frozen=True, eq=False)
class Candidate:
    """What is compared under `name`: a recommender, fitted or not, the seed of its fit, and where it was described."""

    name: str
    recommender: Any
    seed: int | None = None
    origin: str | None = None


@dataclass(frozen=True, eq=False)
class Fitted:
    """A candidate fitted on the training part; `seconds` of the fit, None where it came fitted."""

    candidate: Candidate
    recommender: Recommender
    seconds: float | None


def unfitted(recommender: Any) -> Any | None:
    """Return a new unfitted recommender with the same parameters, None where its kind is not known."""
    if isinstance(recommender, Pipeline):
        return recommender.unfitted()
    return recommender.clone() if isinstance(recommender, Model) else None


def fit_all(
    candidates: Sequence[Candidate], train: Dataset, begin: Callable[[str], object]
) -> tuple[list[Fitted], list[str]]:
    """Return each candidate fitted on `train`, in order, and notes on fits that could not be warmed up.

    A candidate that comes fitted is used as it is; of the others a copy is fitted, once. Before any of these fits each
    kind was fitted on a small part of `train`, so that none of the times holds a compilation of kernels.
    Raises the error of a fit with the name of its candidate before it.
    """
    to_fit = [candidate for candidate in candidates if not candidate.recommender.is_fitted]
    notes = _warmed_up(to_fit, train, begin)
    # Made by the first who needs it, it would be in one fit's time alone.
    _ = train.memory
    return [_fitted(candidate, train, begin) for candidate in candidates], notes


def named_error(candidate: Candidate, error: ShortlistError) -> ShortlistError:
    """Return `error` as one of the same class that says which candidate it is about, and where that is described."""
    origin = f" ({candidate.origin})" if candidate.origin else ""
    return type(error)(f"{candidate.name}{origin}: {error}")


def _fitted(candidate: Candidate, train: Dataset, begin: Callable[[str], object]) -> Fitted:
    if candidate.recommender.is_fitted:
        return Fitted(candidate, candidate.recommender, None)
    begin(f"fitting {candidate.name}")
    fresh = _copy(candidate)
    start = time.perf_counter()
    try:
        fresh.fit(train, rng=candidate.seed)
    except ShortlistError as error:
        raise named_error(candidate, error) from error
    return Fitted(candidate, fresh, time.perf_counter() - start)


def _copy(candidate: Candidate) -> Any:
    fresh = unfitted(candidate.recommender)
    if fresh is None:
        raise ParameterError(
            f"{candidate.name}: {type(candidate.recommender).__name__} is not fitted, and is neither a Model nor a "
            "Pipeline that compare could fit; fit it on train first"
        )
    return fresh


def _warmed_up(candidates: Sequence[Candidate], train: Dataset, begin: Callable[[str], object]) -> list[str]:
    notes: list[str] = []
    if not candidates:
        return notes
    begin("warming up: a small fit of each, so that no time holds a compilation")
    part = small_part(train, WARM_UP_EVENTS)
    for candidate in candidates:
        try:
            _copy(candidate).fit(part, rng=candidate.seed)
        except ParameterError:
            raise
        except ShortlistError as error:
            notes.append(f"{candidate.name}: its fit time may hold the compilation of kernels ({error})")
    return notes


def small_part(dataset: Dataset, n_events: int) -> Dataset:
    """Return a dataset of the first `n_events` events alone (half of them positive where there are so many).

    Its vocabularies hold only the ids of these events, so that a fit on it costs next to nothing.
    """
    log = dataset.interactions
    positive, other = np.flatnonzero(log.positive), np.flatnonzero(~log.positive)
    n_positive = max(n_events // 2, n_events - other.size)
    rows = np.sort(np.r_[positive[:n_positive], other[: n_events - min(n_positive, positive.size)]])
    kept = log.take(rows)
    users, user_idx = _narrowed(dataset.users, kept.user_idx)
    items, item_idx = _narrowed(dataset.items, kept.item_idx)
    part = Interactions.of(
        user_idx, item_idx, kept.value, kept.timestamp, len(users), len(items), log.feedback, kept.context
    )
    return Dataset(
        part,
        users,
        items,
        _aligned(dataset.user_features, users),
        _aligned(dataset.item_features, items),
        name=f"part of {dataset.name}",
        repeats=dataset.repeats,
    )


def _aligned(table: FeatureTable | None, vocabulary: Vocabulary) -> FeatureTable | None:
    return None if table is None else table.align(vocabulary)


def _narrowed(vocabulary: Vocabulary, index: NDArray[np.int32]) -> tuple[Vocabulary, NDArray[np.int32]]:
    kept, narrow = np.unique(index, return_inverse=True)
    return type(vocabulary).of(vocabulary.ids_of(kept)), narrow.astype(np.int32)
