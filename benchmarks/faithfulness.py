"""Are explanations by the history faithful? The item they cite is taken away, and so is another one, by chance.

For a person and a shown item, the cited item of the history is the one that contributes most. The person's history
without it (all its events) is folded in, or asked with, and the shown item scored; and the same without another item of
the history, drawn from those that count for the model. An explanation is faithful where the score falls by more without
the cited item. An item that the model lists no longer scores 0. Nothing here knows how contributions are made: all goes
through what every model answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.dataset import Dataset
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.vocabulary import Vocabulary
from shortlist.metrics.intervals import Resampler, mean_interval
from shortlist.models.scores_by_request import scores_by_request
from shortlist.models.vectors import EmbeddingModel
from shortlist.stages import History, offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from shortlist.contributions import Contributions
    from shortlist.models.model import Model
    from shortlist.stages import Request

    # Model, request of one person, items shown → what contributes to their scores.
    Explain = Callable[[Model, Request, NDArray[np.int32]], Contributions | None]


@dataclass(frozen=True)
class Cases:
    """What was found: a person and a shown item each.

    person int64[c]; drop_cited and drop_other float64[c], by how much the score fell without the cited item and without
    another one; uncited: how many shown items had no item of the history that speaks for them, and are not among them.
    """

    person: NDArray[np.int64]
    drop_cited: NDArray[np.float64]
    drop_other: NDArray[np.float64]
    uncited: int

    @property
    def faithful(self) -> NDArray[np.bool_]:
        """Return bool[c]: where the score fell by more without the cited item."""
        return self.drop_cited > self.drop_other

    def share(self, rng: int) -> dict[str, float]:
        """Return the share of faithful cases, the mean over people, with its 95 % interval by bootstrap over people."""
        people, row = np.unique(self.person, return_inverse=True)
        of_person = np.bincount(row, self.faithful) / np.bincount(row)
        found = mean_interval(of_person, resampler=Resampler(people.size, rng=rng))
        return {"share": found.point, "low": found.low, "high": found.high}

    def fell(self) -> float:
        """Return the share of cases in which the score fell at all without the cited item."""
        return float((self.drop_cited > 0).mean())


def cases_of(
    model: Model,
    users: NDArray[np.int32],
    k: int,
    rng: np.random.Generator,
    *,
    rated: bool = False,
    explain: Explain | None = None,
) -> Cases:
    """Return the cases of the first `k` items that the fitted `model` shows to each of `users` int32[n].

    People whose history has less than two items that count are passed over. `rated`: every event counts, not only
    positive ones. `explain` stands in for the model's own contributions.
    """
    found: list[tuple[int, float, float]] = []
    uncited = 0
    for user in users.tolist():
        request = model.memory_.request(np.array([user], np.int32), k, Limits())
        history, shown = request.history, model.rank(request).item_idx
        counts = (history.positive | rated) & model.known_items_[history.item_idx]
        past = np.unique(history.item_idx[counts])
        if past.size < 2 or shown.size == 0:
            continue
        cited, speaks = most_contributing(model, request, shown, explain)
        uncited += int((~speaks).sum())
        shown, cited = shown[speaks], cited[speaks]
        others = np.array([rng.choice(past[past != item]) for item in cited], np.int32)
        drops = score_drops(model, request, shown, np.concatenate([cited, others]))
        found.extend((user, *drop) for drop in zip(*drops, strict=True))
    person, of_cited, of_other = (np.array(part) for part in zip(*found, strict=True))
    return Cases(person.astype(np.int64), of_cited, of_other, uncited)


def most_contributing(
    model: Model, request: Request, shown: NDArray[np.int32], explain: Explain | None = None
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the item of the history that contributes most to each of `shown`, and whether it speaks for it at all."""
    parts = model.contributions(request, shown) if explain is None else explain(model, request, shown)
    if parts is None:
        raise ValueError(f"{type(model).__name__} cannot say what its scores are made of")
    best = parts.of_past.argmax(axis=1)
    return parts.past_item[best], parts.of_past[np.arange(shown.size), best] > 0


def score_drops(
    model: Model, request: Request, shown: NDArray[np.int32], removed: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much the score of each of `shown` falls without one item, and without another: float64[m] twice.

    `removed` int32[2 m] holds the one of each, then the other of each.
    """
    items, at = np.unique(removed, return_inverse=True)
    history = request.history
    kept = [np.flatnonzero(history.item_idx != item) for item in np.append(items, -1)]
    row = np.append(at, np.full(shown.size, items.size))
    scores = rescored(model, request, _rows(history, kept), row, np.tile(shown, 3)).astype(np.float64)
    cited, other, whole = scores.reshape(3, shown.size)
    return whole - cited, whole - other


def rescored(
    model: Model, request: Request, histories: History, row: NDArray[np.int64], item_idx: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the scores of pairs of a row of `histories` of the one person of the request, and an item."""
    n = len(histories)
    again = replace(request.rows(np.zeros(n, np.int64)), history=histories)
    if not isinstance(model, EmbeddingModel) or model.vectors_by_history:
        return scores_by_request(model, again, row, item_idx)
    of_event = histories.row, histories.item_idx, histories.value, histories.timestamp
    memory = model.memory_
    log = Interactions.of(*of_event, n, len(memory.items), memory.feedback)
    folding: Any = model
    people = folding.fold_in_users(Dataset(log, Vocabulary.of(np.arange(n)), memory.items))
    return scores_by_request(model, again, row, item_idx, people)


def _rows(history: History, kept: list[NDArray[np.int64]]) -> History:
    """Return a history of so many rows, each of the events of the one `history` at the positions of a row of `kept`."""
    at = np.concatenate(kept)
    timestamp = None if history.timestamp is None else history.timestamp[at]
    ptr = offsets(np.array([len(row) for row in kept]))
    return History(ptr, history.item_idx[at], history.value[at], history.positive[at], timestamp)


def row_of(name: str, cases: Cases, seed: int) -> Mapping[str, Any]:
    """Return what a table says of one model."""
    share = cases.share(seed)
    return {
        "model": name,
        "people": int(np.unique(cases.person).size),
        "cases": int(cases.person.size),
        "uncited": cases.uncited,
        **share,
        "fell": cases.fell(),
    }
