"""RelatedItems: the most similar items of every item, found once, stored, and renewed where items changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from shortlist import artifacts
from shortlist.artifacts import State
from shortlist.data.feedback import Feedback
from shortlist.data.memory import Memory
from shortlist.data.recommendations import SimilarItems
from shortlist.data.vocabulary import Vocabulary, pack_strings, unpack_strings
from shortlist.errors import ArtifactError, NotFittedError, ParameterError, UnknownIdError
from shortlist.models.answers import as_ids
from shortlist.models.model import Measure, Model
from shortlist.parameters import one_of, whole
from shortlist.retrieval.compared_items import ComparedItems
from shortlist.retrieval.nearest_by_index import NearestByIndex
from shortlist.retrieval.related_rows import RelatedRows, related_rows, renewed, search_rows
from shortlist.stages import History, Lists

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from shortlist.data.vocabulary import Id

SPARE = 10


@dataclass(frozen=True)
class Changes:
    """What an update met: items with a new vector or new in the catalogue, items gone, and how many were searched for.

    `searched` counts the items whose list was searched in the whole catalogue; the others' were put together.
    """

    changed: int
    removed: int
    searched: int


@final
class RelatedItems:
    """The `n` most similar items of every item that can be compared, with ids and titles; made by `build`.

    - item_idx_ int32[n_items, n + spare]: positions in `items_`, best first, −1 at the unused end
    - score_ float32[n_items, n + spare]: the similarity, larger is more similar
    - measure: what the items were compared by; fingerprint_: of the items and vectors it was built from
    - recall_: the share of the most similar items that are there, 1 unless built with a `target_recall`
    - changes: of the last `update`, None before one

    Immutable: an update returns another one.
    """

    def __init__(
        self,
        rows: RelatedRows,
        n: int,
        items: Vocabulary,
        feedback: Feedback,
        titles: Any,
        compared: dict[str, Any],
        changes: Changes | None = None,
    ) -> None:
        self.rows_, self.n, self.items_ = rows, n, items
        self.known_items_: NDArray[np.bool_] = compared["known"]
        self.digests_: NDArray[np.uint8] = compared["digests"]
        self.fingerprint_: str = compared["fingerprint"]
        self.asked_measure: Measure | None = compared["asked_measure"]
        self.measure: str = compared["measure"]
        self.target_recall: float | None = compared["target_recall"]
        self.recall_: float = compared["recall"]
        self.changes = changes
        self._memory = _memory_of(items, feedback, titles)

    @classmethod
    def build(
        cls,
        model: Model,
        n: int = 20,
        *,
        measure: Measure | None = None,
        spare: int = SPARE,
        target_recall: float | None = None,
        on_block: Callable[[int, int], object] | None = None,
    ) -> Self:
        """Return the related items of every item of a fitted model.

        - n: how many an item has, fewer where there are not as many; ties by id
        - measure: as for `Model.similar_items`; None is the model's own
        - spare: so many more are kept of each item, so that its list stays full without a search when some of its
          items change or go
        - target_recall: the share of the most similar items to find, by an `ApproximateIndex`, in a fraction of the
          time from some hundred thousand items on; `recall_` is then what a sample has found. Exact by default
        - on_block: called with (items done, items in all) after each block of items

        Cost of exact search: O(n_items² · dim) time in matrix products; O(n_items · (n + spare)) memory.
        Raises `NotFittedError`, and `ParameterError` where the model cannot compare items so.
        """
        _require_fitted(model)
        n, spare = whole("n", n, least=1), whole("spare", spare, least=0)
        compared = _compared(model, measure)
        index = None if target_recall is None else NearestByIndex(compared, target_recall, n)
        rows = related_rows(compared, n + spare, on_block, index.nearest if index else None)
        recall = (target_recall, index.recall) if index else (None, 1.0)
        return cls._made(rows, n, compared, None, recall)

    @classmethod
    def _made(
        cls,
        rows: RelatedRows,
        n: int,
        compared: ComparedItems,
        changes: Changes | None,
        recall: tuple[float | None, float] = (None, 1.0),
    ) -> Self:
        model, memory = compared.model, compared.model.memory_
        of_items = {
            "known": compared.known,
            "digests": compared.digests,
            "fingerprint": compared.fingerprint,
            "asked_measure": compared.measure,
            "measure": compared.measure or model.own_measure,
            "target_recall": recall[0],
            "recall": recall[1],
        }
        return cls(rows, n, memory.items, memory.feedback, memory.titles, of_items, changes)

    @property
    def item_idx_(self) -> NDArray[np.int32]:
        """Return int32[n_items, n + spare]: the related items' positions, −1 at the unused end."""
        return self.rows_.item_idx

    @property
    def score_(self) -> NDArray[np.float32]:
        """Return float32[n_items, n + spare]: their similarities, 0 at the unused end."""
        return self.rows_.score

    def __len__(self) -> int:
        return len(self.items_)

    def of(self, items: Id | Iterable[Id], k: int | None = None) -> SimilarItems:
        """Return the `k` (default `n`) most similar items of each of `items`: what `Model.similar_items` returns.

        Raises `UnknownIdError` for an item that is not there or cannot be compared, `ParameterError` for k above n.
        """
        k = self.n if k is None else whole("k", k, least=0)
        if k > self.n:
            raise ParameterError(f"k={k}: {self.n} related items are stored of each; build with n={k}")
        ids = as_ids(items)
        index = self.items_.require(ids, "item")
        unknown = np.flatnonzero(~self.known_items_[index])
        if unknown.size:
            shown = ", ".join(repr(i) for i in ids.gather(unknown[:5]).to_list())
            raise UnknownIdError(f"nothing is known to compare item {shown} by; it has no related items")
        return SimilarItems(ids, self.lists(index, k), self._memory, self.measure)

    def lists(self, item_idx: NDArray[np.int32], k: int | None = None) -> Lists:
        """Return the lists of items at positions `item_idx` int32[n]; an item that cannot be compared has none."""
        shown = slice(self.n if k is None else min(k, self.n))
        return Lists.from_padded(self.item_idx_[item_idx][:, shown], self.score_[item_idx][:, shown])

    def is_of(self, model: Model) -> bool:
        """Return whether these are the related items of `model` as it is now: the same items and vectors."""
        return model.is_fitted and _compared(model, self.asked_measure).fingerprint == self.fingerprint_

    def require_of(self, model: Model) -> None:
        """Raise `ArtifactError` unless `is_of(model)`."""
        if not self.is_of(model):
            raise ArtifactError(
                "these related items were built from another model than this one, or before it was fitted anew: "
                "`update` them with it"
            )

    def update(self, model: Model, *, on_block: Callable[[int, int], object] | None = None) -> Self:
        """Return the related items of `model`, equal to `build`, from these: only what changed is searched.

        Items whose vectors changed, that came or went are told by themselves. Lists that lose items to that are filled
        from their spare ones, and searched anew where those do not last; changed and new items enter the lists of the
        others by their scores alone. Where a measure is the model's own and not one of vectors, and with a
        `target_recall`, everything is built anew.
        Cost: O((c + r) · n_items · dim) time for c changed items and r lists that are searched.
        Raises what `build` raises.
        """
        _require_fitted(model)
        compared = _compared(model, self.asked_measure)
        if self.target_recall is not None or not compared.by_vectors or not self.digests_.size:
            how: dict[str, Any] = {"measure": self.asked_measure, "target_recall": self.target_recall}
            return type(self).build(model, self.n, spare=self.rows_.width - self.n, on_block=on_block, **how)
        position = model.memory_.items.index_of(self.items_.ids)
        same = self._unchanged(compared, position)
        rows = renewed(self.rows_, position, same, compared)
        anew = np.flatnonzero(compared.known & ~rows.lasts(self.n)).astype(np.int32)
        search_rows(rows, compared, anew, on_block)
        n_changed = int(compared.known.sum()) - int(same.sum())
        gone = self.known_items_ & ~((position >= 0) & compared.known[np.maximum(position, 0)])
        changes = Changes(n_changed, int(gone.sum()), anew.size)
        return self._made(rows, self.n, compared, changes)

    def _unchanged(self, compared: ComparedItems, position: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return bool[n_items]: the items here that are known, here and there, and have the same vector."""
        there = np.flatnonzero(self.known_items_ & (position >= 0))
        to = position[there]
        equal = compared.known[to] & (compared.digests[to] == self.digests_[there]).all(axis=1)
        same = np.zeros(len(self), bool)
        same[there[equal]] = True
        return same

    def save(self, path: str | Path) -> Path:
        """Save as an artifact (a folder) and return its path; `RelatedItems.load` reads it. Raises `ArtifactError`."""
        parts = {"items": self.items_.to_state()}
        if self._memory.titles is not None:
            parts["titles"] = State("Strings", {}, pack_strings(self._memory.titles))
        values = {
            "n": self.n,
            "measure": self.measure,
            "asked_measure": self.asked_measure,
            "target_recall": self.target_recall,
            "recall": self.recall_,
            "fingerprint": self.fingerprint_,
            "feedback": self._memory.feedback.to_values(),
        }
        arrays = {"known": self.known_items_, "digests": self.digests_, **self.rows_.arrays()}
        info = {"items": len(self), "n": self.n, "measure": self.measure, "recall": self.recall_}
        return artifacts.write(path, State(type(self).__name__, values, arrays, parts), info)

    @classmethod
    def load(cls, path: str | Path, model: Model | None = None, *, mapped: bool = False) -> Self:
        """Return the related items saved under `path`.

        - model: refuse related items of another model, or of this one before it was fitted anew
        - mapped: leave the lists in their files, which must not change while they are used

        Raises `ArtifactError`.
        """
        state, _ = artifacts.read(path, mapped=mapped)
        if state.type != cls.__name__:
            raise ArtifactError(f"{path} holds a {state.type}, not {cls.__name__}; shortlist.load reads it")
        values, arrays = state.values, state.arrays
        items = Vocabulary.from_state(state.parts["items"])
        titles = unpack_strings(state.parts["titles"].arrays) if "titles" in state.parts else None
        compared = {"known": arrays["known"], "digests": arrays["digests"], **values}
        feedback = Feedback.from_values(values["feedback"])
        related = cls(RelatedRows.of(arrays), values["n"], items, feedback, titles, compared)
        if model is not None:
            related.require_of(model)
        return related

    def __repr__(self) -> str:
        return f"RelatedItems({self.n} of each of {len(self)} items by {self.measure})"


def _compared(model: Model, measure: Measure | None) -> ComparedItems:
    return ComparedItems.of(model, None if measure is None else one_of("measure", measure, Measure))


def _require_fitted(model: Model) -> None:
    if not isinstance(model, Model):
        raise ParameterError(f"related items are those of a fitted model, got {model!r}")
    if not model.is_fitted:
        raise NotFittedError(f"{model!r} is not fitted; call fit(dataset) first")


def _memory_of(items: Vocabulary, feedback: Feedback, titles: Any) -> Memory:
    """Return a memory of items alone, with nobody in it: `SimilarItems` takes ids and titles from one."""
    nobody = History(
        np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, bool), None
    )
    return Memory(Vocabulary.of(), items, nobody, feedback, titles, None, "")
