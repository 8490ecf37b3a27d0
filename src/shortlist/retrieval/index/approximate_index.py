"""ApproximateIndex: a graph or cells propose, exact scores rank, and exact search takes over where they are no help."""

from __future__ import annotations

import inspect
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from shortlist.parameters import generator, number, one_of, whole
from shortlist.retrieval.index.asked import all_permitted
from shortlist.retrieval.index.keyed_items import KeyedItems
from shortlist.retrieval.index.proposals import permitted_first, rescored
from shortlist.retrieval.index.proposer import EFFORTS, Proposer, Structure, limit_of
from shortlist.retrieval.index.read_write_lock import ReadWriteLock
from shortlist.retrieval.index.recall import recall_of, sampled_queries
from shortlist.retrieval.index.stored_vectors import checked_queries
from shortlist.retrieval.index.vector_index import VectorIndex
from shortlist.stages import Lists, offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from shortlist.models.model import Model
    from shortlist.retrieval.index.indexed_items import IndexedItems
    from shortlist.retrieval.index.stored_vectors import IndexMeasure, Storage
    from shortlist.stages import Eligible

# Up to so many permitted items exact search is faster than any graph: measured by benchmarks/bench_index.py.
EXACT_UP_TO = 50_000
# Beyond so many items the links of a graph take too long to find, and cells are made: benchmarks/bench_ten_million.py.
GRAPH_UP_TO = 2_000_000
_SAMPLE = 256
# Vectors added while searches wait; then they have their turn.
_ADDED_AT_ONCE = 256
_BUILT_AT_ONCE = 1 << 16
_ASKED_AT_ONCE = 256
# Where a list is short, so many times the effort is tried before exact search.
_MORE_EFFORT = 8
# A graph that holds more vectors than that for each item, those of items that are gone, is made anew.
_MOST_VECTORS = 2


@final
class ApproximateIndex(VectorIndex):
    """An index that finds most of what is best, in a time that hardly grows with the number of items.

    See `VectorIndex` for what it takes and gives. What a `structure` proposes is rescored as an `ExactIndex` would: a
    "graph" (Malkov and Yashunin, Efficient and robust approximate nearest neighbor search using hierarchical navigable
    small world graphs, TPAMI 2020), which is searched faster, or "cells" around the centres of a k-means clustering
    (Jégou, Douze and Schmid, Product quantization for nearest neighbor search, TPAMI 2011, section IV; the vectors are
    not coded), which are built faster; None is the graph up to 2,000,000 items.
    Every build measures its recall against exact search on a sample: the effort of a search is the smallest, by
    doubling, that reaches `target_recall` on one half of the sample, and `recall_` is what it then has on the other.

    - target_recall: share of the best `recall_at` items to find. Of more items than that a search of cells finds a
      smaller share: say how many are asked for
    - links: neighbours a vector has in the graph (M of the paper); effort_build: candidates for them (efConstruction)
    - exact_up_to: where no more items than this may be found, and where a mask leaves so few that a graph would take as
      long, search is exact. So it is for a query whose list would run short: lists never do while permitted items
      exist. An index of no more items has no graph.
    - build_threads: with one thread the same vectors always give the same index; with more they need not

    Vectors of items that are removed or replaced stay in graph or cells, unseen, until they are the larger part: then
    these are made anew, as they are by the first change of an index that had too few items for them.
    """

    recall_: float | None
    effort_: int
    _proposer: Proposer | None
    _structure: Structure
    _keyed: KeyedItems

    def __init__(
        self,
        measure: IndexMeasure = "dot",
        storage: Storage = "float32",
        *,
        structure: Structure | None = None,
        target_recall: float = 0.95,
        recall_at: int = 10,
        links: int = 16,
        effort_build: int = 128,
        exact_up_to: int = EXACT_UP_TO,
        build_threads: int = 1,
    ) -> None:
        super().__init__(measure, storage)
        self.structure = None if structure is None else one_of("structure", structure, Structure)
        self.target_recall = number("target_recall", target_recall, most=1.0)
        self.recall_at = whole("recall_at", recall_at, least=1)
        self.links = whole("links", links, least=2)
        self.effort_build = whole("effort_build", effort_build, least=1)
        self.exact_up_to = whole("exact_up_to", exact_up_to, least=0)
        self.build_threads = whole("build_threads", build_threads, least=1)
        self.recall_, self.effort_ = None, 1
        self._structure = self.structure or "graph"
        self._lock = ReadWriteLock()

    def params(self) -> dict[str, Any]:
        """Return the constructor's parameters."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def measured_recall(
        self, queries: NDArray[np.floating] | None = None, k: int | None = None, *, rng: Any = 0
    ) -> float:
        """Return the share of the `k` best (default `recall_at`) that a search finds, on average over `queries`.

        Without `queries`, of a sample of the vectors drawn by `rng`, each of which may not find itself. Cost: an exact
        search for each.
        """
        k = self.recall_at if k is None else whole("k", k, least=1)
        with self._at_rest() as items:
            if queries is None:
                sample, eligible = sampled_queries(items, _SAMPLE, generator(rng))
            else:
                sample = checked_queries(queries, items.vectors.dim, self.measure)
                eligible = all_permitted(len(sample), len(items))
            return self._recall(items, sample, eligible, k)

    def proposer_bytes(self) -> NDArray[np.uint8]:
        """Return graph or cells as uint8, empty where there are none; with the same vectors `restore` takes it."""
        with self._at_rest():
            return np.zeros(0, np.uint8) if self._proposer is None else self._proposer.to_bytes()

    def restore(self, model: Model, proposer: NDArray[np.uint8], effort: int, recall: float) -> Self:
        """Hold the items that `model` lists, with what `build_from` made of them before, and return self."""
        items = self._items_of(model)
        arrays = {"key": np.arange(len(items))} | ({"proposer": proposer} if proposer.size else {})
        structure = self.structure or ("graph" if len(items) <= GRAPH_UP_TO else "cells")
        limit = limit_of(items.vectors)
        values = {"effort": effort, "recall": recall, "structure": structure, "limit": limit}
        self._restored(items, values, arrays)
        return self

    def _built(self, items: IndexedItems, queries: NDArray[np.float32] | None) -> None:
        n, made = len(items), None
        structure = self.structure or ("graph" if n <= GRAPH_UP_TO else "cells")
        if n > self.exact_up_to:
            made = Proposer.of(items.vectors, structure, self.links, self.effort_build, self.build_threads)
            for start in range(0, n, _BUILT_AT_ONCE):
                rows = np.arange(start, min(start + _BUILT_AT_ONCE, n))
                made.add(*_rows(items, rows), self.build_threads)
        with self._lock.writing():
            self._items, self._keyed = items, KeyedItems.of(items, np.arange(n), n)
            self._proposer, self._structure = made, structure
        if n:
            self._choose_effort(items, queries)

    def _changed(
        self, items: IndexedItems, gone: NDArray[np.integer[Any]], fresh: NDArray[np.integer[Any]]
    ) -> None:
        old, proposer = self._keyed, self._proposer
        if proposer is None or len(proposer) + fresh.size > _MOST_VECTORS * len(items):
            self._built(items, None)  # also where most of the graph would be vectors that are gone
            return
        if not proposer.takes(*_rows(items, fresh)):
            self._built(items, None)
            return
        keyed = old.changed(items, gone, fresh, len(proposer))
        for start in range(0, fresh.size, _ADDED_AT_ONCE):
            rows = _rows(items, fresh[start : start + _ADDED_AT_ONCE])
            with self._lock.writing():
                proposer.add(*rows, n_threads=1)
        with self._lock.writing():
            self._items, self._keyed = items, keyed

    @contextmanager
    def _at_rest(self) -> Iterator[IndexedItems]:
        with self._lock.reading():
            yield self._required()

    def _rank(
        self,
        items: IndexedItems,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        slack = self._slack(eligible.n_open)
        if len(queries) == 1:
            m = self._proposals(k, int(eligible.ptr[1]), slack, eligible.n_open)
            asked = queries, k, eligible, query_offsets
            return self._by_proposals(items, m, slack, *asked) if m else items.best(*asked)
        # Nothing here goes by the other queries, so that each has the list that it would have alone.
        own, of = np.unique(np.diff(eligible.ptr), return_inverse=True)
        wanted = np.array([self._proposals(k, n, slack, eligible.n_open) for n in own.tolist()])[of]
        parts = []
        for m in np.unique(wanted).tolist():
            rows = np.flatnonzero(wanted == m)
            asked = queries[rows], k, eligible.rows(rows), query_offsets[rows]
            parts.append((rows, self._by_proposals(items, m, slack, *asked) if m else items.best(*asked)))
        return Lists.joined(parts, len(queries))

    def _proposals(self, k: int, n_own: int, slack: int, n_open: int) -> int:
        """Return how many items to ask the proposer for, not counting the slack; 0: exact search costs no more.

        A power of 2: k and the `n_own` items that are forbidden to this query alone.
        """
        if self._proposer is None or n_open == 0:
            return 0
        wanted = _power_of_2(k + n_own)
        is_exact = n_open <= self.exact_up_to * self._times_effort(slack, wanted)
        return 0 if is_exact or wanted * slack > len(self._proposer) else wanted

    def _slack(self, n_open: int) -> int:
        """Return how many proposals, a power of 2, are made for each item wanted: 1.5 / p where a share p is open."""
        n_vectors = n_open if self._proposer is None else len(self._proposer)
        return 1 if n_open == n_vectors else _power_of_2(1.5 * n_vectors / max(n_open, 1))

    def _times_effort(self, slack: int, wanted: int) -> float:
        """Return how many times `effort_` a search takes; a graph keeps no fewer than it shall find."""
        return slack * (max(wanted / self.effort_, 1.0) if self._structure == "graph" else 1.0)

    def _by_proposals(
        self,
        items: IndexedItems,
        wanted: int,
        slack: int,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        """Return the lists made of proposals; where one is short, of more effort's, and at last of exact search."""
        effort = int(self._times_effort(slack, wanted) * self.effort_)
        asked = queries, k, eligible, query_offsets
        lists = self._proposed(items, wanted * slack, effort, *asked)
        short = _short(lists, k, eligible)
        if short.size:
            again = queries[short], k, eligible.rows(short), query_offsets[short]
            more = self._proposed(items, wanted * slack, _MORE_EFFORT * effort, *again)
            lists = _with_lists(lists, short, more)
            short = _short(lists, k, eligible)
        if short.size:
            again = queries[short], k, eligible.rows(short), query_offsets[short]
            lists = _with_lists(lists, short, items.best(*again))
        return lists

    def _proposed(
        self,
        items: IndexedItems,
        width: int,
        effort: int,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        """Return the k best permitted of `width` proposals for each query; lists may be short."""
        n, proposer = len(queries), self._proposer
        assert proposer is not None
        if n > _ASKED_AT_ONCE:
            blocks = [np.arange(at, min(at + _ASKED_AT_ONCE, n)) for at in range(0, n, _ASKED_AT_ONCE)]
            asked = [(queries[rows], k, eligible.rows(rows), query_offsets[rows]) for rows in blocks]
            lists = [self._proposed(items, width, effort, *own) for own in asked]
            return Lists.joined(list(zip(blocks, lists, strict=True)), n)
        keys = proposer.nearest(queries, width, effort)
        proposed, count = permitted_first(keys, self._keyed, eligible)
        return rescored(items.vectors, proposed, count, queries, k, query_offsets)

    def _choose_effort(self, items: IndexedItems, queries: NDArray[np.float32] | None) -> None:
        """Set `effort_` and `recall_`, each by its own half of a sample of queries."""
        if queries is None:
            sample, eligible = sampled_queries(items, 2 * _SAMPLE, np.random.default_rng(0))
        else:
            sample, eligible = queries, all_permitted(len(queries), len(items))
        halves = np.arange(0, len(sample), 2), np.arange(1, len(sample), 2)
        parts = [(sample[half], eligible.rows(half)) for half in halves if half.size]
        with self._lock.reading():
            for effort in EFFORTS[self._structure]:
                self.effort_ = effort
                if self._recall_of_proposals(items, *parts[0]) >= self.target_recall:
                    break
            self.recall_ = self._recall_of_proposals(items, *parts[-1])

    def _recall_of_proposals(
        self, items: IndexedItems, queries: NDArray[np.float32], eligible: Eligible
    ) -> float:
        """Return the recall at `recall_at` before anything is done for short lists, which exact search would fill."""
        if self._proposer is None:
            return 1.0
        k, none = min(self.recall_at, len(items)), np.zeros(len(queries), np.float32)
        wanted = _power_of_2(k + int(np.diff(eligible.ptr).max(initial=0)))
        effort = int(self._times_effort(1, wanted) * self.effort_)
        found = self._proposed(items, wanted, effort, queries, k, eligible, none)
        return recall_of(found, items.best(queries, k, eligible, none))

    def _recall(self, items: IndexedItems, queries: NDArray[np.float32], eligible: Eligible, k: int) -> float:
        if self._proposer is None:
            return 1.0
        k, none = min(k, len(items)), np.zeros(len(queries), np.float32)
        return recall_of(
            self._rank(items, queries, k, eligible, none), items.best(queries, k, eligible, none)
        )

    def _saved(self) -> tuple[IndexedItems, dict[str, Any], dict[str, NDArray[Any]]]:
        with self._at_rest() as items:
            values = {"recall": self.recall_, "effort": self.effort_, "structure": self._structure}
            arrays: dict[str, NDArray[Any]] = {"key": self._keyed.key}
            if self._proposer is not None:
                values["limit"] = self._proposer.limit
                arrays["proposer"] = self._proposer.to_bytes()
            return items, values, arrays

    def _restored(
        self, items: IndexedItems, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        self._items = items
        self.recall_, self.effort_ = values["recall"], values["effort"]
        saved = arrays.get("proposer")
        self._structure = values["structure"]
        self._proposer = (
            None
            if saved is None
            else Proposer.from_bytes(saved, self._structure, items.vectors, values["limit"])
        )
        n_vectors = len(items) if self._proposer is None else len(self._proposer)
        self._keyed = KeyedItems.of(items, arrays["key"], n_vectors)

    def _measured(self) -> str:
        if self.recall_ is None:
            return ""
        how = "searched exactly" if self._proposer is None else f"{self._structure}, effort {self.effort_}"
        return f", recall@{self.recall_at} {self.recall_:.3f} ({how})"


def _power_of_2(least: float) -> int:
    """Return the smallest power of 2 that is at least `least`."""
    return 1 << max(0, math.ceil(math.log2(least))) if least > 1 else 1


def _rows(
    items: IndexedItems, positions: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return vectors and offsets of the items at `positions`."""
    vectors = items.vectors
    return vectors.decoded(positions), None if vectors.offsets is None else vectors.offsets[positions]


def _short(lists: Lists, k: int, eligible: Eligible) -> NDArray[np.int64]:
    """Return the rows whose lists have fewer than `k` items though more are permitted."""
    if lists.item_idx.size == len(lists) * k:
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.diff(lists.ptr) < np.minimum(k, eligible.n_allowed()))


def _with_lists(lists: Lists, rows: NDArray[np.int64], others: Lists) -> Lists:
    """Return `lists` with `others` in place of those at `rows`."""
    kept = np.delete(np.arange(len(lists)), rows)
    mine = np.isin(lists.row, kept)
    before = Lists(offsets(np.diff(lists.ptr)[kept]), lists.item_idx[mine], lists.score[mine])
    return Lists.joined([(kept, before), (rows, others)], len(lists))
