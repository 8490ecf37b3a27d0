"""ApproximateIndex: a graph proposes, exact scores rank, and exact search takes over where a graph is no help."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from shortlist.parameters import generator, number, whole
from shortlist.retrieval.index.graph import Graph
from shortlist.retrieval.index.keyed_items import KeyedItems
from shortlist.retrieval.index.proposals import permitted_first, rescored
from shortlist.retrieval.index.read_write_lock import ReadWriteLock
from shortlist.retrieval.index.recall import all_permitted, recall_of, sampled_queries
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
_EFFORTS = (32, 64, 128, 256, 512, 1024)
_SAMPLE = 256
# Vectors added while searches wait; then they have their turn.
_ADDED_AT_ONCE = 256
_BUILT_AT_ONCE = 1 << 16
_ASKED_AT_ONCE = 256
# A graph that holds more vectors than that for each item, those of items that are gone, is made anew.
_MOST_VECTORS = 2


@final
class ApproximateIndex(VectorIndex):
    """An index that finds most of what is best, in a time that hardly grows with the number of items.

    See `VectorIndex` for what it takes and gives. A graph (Malkov and Yashunin, Efficient and robust approximate
    nearest neighbor search using hierarchical navigable small world graphs, TPAMI 2020) proposes; what it proposes is
    rescored as an `ExactIndex` would. Every build measures its recall against exact search on a sample: the effort of
    a search is the smallest, by doubling, that reaches `target_recall` on one half of the sample, and `recall_` is what
    it then has on the other half.

    - target_recall: share of the best `recall_at` items to find
    - links: neighbours a vector has in the graph (M of the paper); effort_build: candidates for them (efConstruction)
    - exact_up_to: where no more items than this may be found, and where a mask leaves so few that a graph would take as
      long, search is exact. So it is for a query whose list would run short: lists never do while permitted items
      exist. An index of no more items has no graph.
    - build_threads: with one thread the same vectors always give the same graph; with more they need not

    Vectors of items that are removed or replaced stay in the graph, unseen, until they are the larger part of it: then
    it is made anew, as it is by the first change of an index that has none.
    """

    recall_: float | None
    effort_: int
    _graph: Graph | None
    _keyed: KeyedItems

    def __init__(
        self,
        measure: IndexMeasure = "dot",
        storage: Storage = "float32",
        *,
        target_recall: float = 0.95,
        recall_at: int = 10,
        links: int = 16,
        effort_build: int = 128,
        exact_up_to: int = EXACT_UP_TO,
        build_threads: int = 1,
    ) -> None:
        super().__init__(measure, storage)
        self.target_recall = number("target_recall", target_recall, most=1.0)
        self.recall_at = whole("recall_at", recall_at, least=1)
        self.links = whole("links", links, least=2)
        self.effort_build = whole("effort_build", effort_build, least=1)
        self.exact_up_to = whole("exact_up_to", exact_up_to, least=0)
        self.build_threads = whole("build_threads", build_threads, least=1)
        self.recall_, self.effort_ = None, _EFFORTS[0]
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

    def graph_bytes(self) -> NDArray[np.uint8]:
        """Return the graph as uint8, empty where there is none; with the same vectors `restore` takes it."""
        with self._at_rest():
            return np.zeros(0, np.uint8) if self._graph is None else self._graph.to_bytes()

    def restore(self, model: Model, graph: NDArray[np.uint8], effort: int, recall: float) -> Self:
        """Hold the items that `model` lists, with what `build_from` made of them before, and return self."""
        items = self._items_of(model)
        arrays = {"key": np.arange(len(items))} | ({"graph": graph} if graph.size else {})
        self._restored(items, {"effort": effort, "recall": recall}, arrays)
        return self

    def _built(self, items: IndexedItems, queries: NDArray[np.float32] | None) -> None:
        n, graph = len(items), None
        if n > self.exact_up_to:
            graph = Graph.of(items.vectors, self.links, self.effort_build)
            for start in range(0, n, _BUILT_AT_ONCE):
                rows = np.arange(start, min(start + _BUILT_AT_ONCE, n))
                graph.add(*_rows(items, rows), self.build_threads)
        with self._lock.writing():
            self._items, self._keyed, self._graph = items, KeyedItems.of(items, np.arange(n), n), graph
        if n:
            self._choose_effort(items, queries)

    def _changed(
        self, items: IndexedItems, gone: NDArray[np.integer[Any]], fresh: NDArray[np.integer[Any]]
    ) -> None:
        old, graph = self._keyed, self._graph
        same_columns = (items.vectors.offsets is None) == (old.items.vectors.offsets is None)
        if graph is None or not same_columns or len(graph) + fresh.size > _MOST_VECTORS * len(items):
            self._built(items, None)  # also where most of the graph would be vectors that are gone
            return
        keyed = old.changed(items, gone, fresh, len(graph))
        for start in range(0, fresh.size, _ADDED_AT_ONCE):
            rows = _rows(items, fresh[start : start + _ADDED_AT_ONCE])
            with self._lock.writing():
                graph.add(*rows, n_threads=1)
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
        slack, wanted = self._slack(items, eligible), self._wanted(k, eligible)
        exact = self._is_exact(slack, wanted, eligible)
        parts = []
        for m in np.unique(np.where(exact, 0, wanted)).tolist():
            rows = np.flatnonzero(~exact & (wanted == m) if m else exact)
            asked = queries[rows], k, eligible.rows(rows), query_offsets[rows]
            parts.append((rows, self._by_graph(items, m, slack, *asked) if m else items.best(*asked)))
        return Lists.joined(parts, len(queries))

    def _wanted(self, k: int, eligible: Eligible) -> NDArray[np.int64]:
        """Return int64[n], powers of 2: k and what is forbidden to this query alone.

        Nothing here goes by the other queries, so that each has the list that it would have alone.
        """
        own = np.diff(eligible.ptr)
        return 2 ** np.ceil(np.log2(k + own)).astype(np.int64)

    def _slack(self, items: IndexedItems, eligible: Eligible) -> int:
        """Return how many proposals, a power of 2, are taken for each item wanted: 1.5 / p where a share p is open."""
        n_open = int(np.count_nonzero(eligible.item_rule == 0))
        n_vectors = len(items) if self._graph is None else len(self._graph)
        return 1 if n_open == n_vectors else int(2 ** np.ceil(np.log2(1.5 * n_vectors / max(n_open, 1))))

    def _is_exact(self, slack: int, wanted: NDArray[np.int64], eligible: Eligible) -> NDArray[np.bool_]:
        """Return bool[n]: for which queries exact search of the open items costs no more than the graph's effort."""
        if self._graph is None:
            return np.ones(wanted.size, bool)
        n_open = int(np.count_nonzero(eligible.item_rule == 0))
        times_effort = slack * np.maximum(wanted / self.effort_, 1)
        dearer: NDArray[np.bool_] = n_open <= self.exact_up_to * times_effort
        return dearer | (wanted * slack > len(self._graph)) | (n_open == 0)

    def _by_graph(
        self,
        items: IndexedItems,
        wanted: int,
        slack: int,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        query_offsets: NDArray[np.float32],
    ) -> Lists:
        graph, parts = self._graph, []
        assert graph is not None
        for start in range(0, len(queries), _ASKED_AT_ONCE):
            rows = np.arange(start, min(start + _ASKED_AT_ONCE, len(queries)))
            own = eligible.rows(rows)
            keys = graph.nearest(queries[rows], wanted * slack, max(wanted, self.effort_) * slack)
            proposed, count = permitted_first(self._keyed.positions(keys), own)
            lists = rescored(items.vectors, proposed, count, queries[rows], k, query_offsets[rows])
            parts.append((rows, lists))
        lists = Lists.joined(parts, len(queries))
        short = np.flatnonzero(np.diff(lists.ptr) < np.minimum(k, eligible.n_allowed()))
        if not short.size:
            return lists
        full = np.setdiff1d(np.arange(len(queries)), short)
        exact = items.best(queries[short], k, eligible.rows(short), query_offsets[short])
        return Lists.joined([(full, _lists_at(lists, full)), (short, exact)], len(queries))

    def _choose_effort(self, items: IndexedItems, queries: NDArray[np.float32] | None) -> None:
        """Set `effort_` and `recall_`, each by its own half of a sample of queries."""
        if queries is None:
            sample, eligible = sampled_queries(items, 2 * _SAMPLE, np.random.default_rng(0))
        else:
            sample, eligible = queries, all_permitted(len(queries), len(items))
        halves = np.arange(0, len(sample), 2), np.arange(1, len(sample), 2)
        parts = [(sample[half], eligible.rows(half)) for half in halves if half.size]
        with self._lock.reading():
            for effort in _EFFORTS:
                self.effort_ = effort
                if self._recall(items, *parts[0], self.recall_at) >= self.target_recall:
                    break
            self.recall_ = self._recall(items, *parts[-1], self.recall_at)

    def _recall(self, items: IndexedItems, queries: NDArray[np.float32], eligible: Eligible, k: int) -> float:
        if self._graph is None:
            return 1.0
        k, none = min(k, len(items)), np.zeros(len(queries), np.float32)
        return recall_of(
            self._rank(items, queries, k, eligible, none), items.best(queries, k, eligible, none)
        )

    def _saved(self) -> tuple[IndexedItems, dict[str, Any], dict[str, NDArray[Any]]]:
        with self._at_rest() as items:
            values = {"recall": self.recall_, "effort": self.effort_}
            arrays: dict[str, NDArray[Any]] = {"key": self._keyed.key}
            if self._graph is not None:
                arrays["graph"] = self._graph.to_bytes()
            return items, values, arrays

    def _restored(
        self, items: IndexedItems, values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> None:
        self._items = items
        self.recall_, self.effort_ = values["recall"], values["effort"]
        saved = arrays.get("graph")
        self._graph = None if saved is None else Graph.from_bytes(saved, items.vectors)
        n_vectors = len(items) if self._graph is None else len(self._graph)
        self._keyed = KeyedItems.of(items, arrays["key"], n_vectors)

    def _measured(self) -> str:
        if self.recall_ is None:
            return ""
        how = "searched exactly" if self._graph is None else f"effort {self.effort_}"
        return f", recall@{self.recall_at} {self.recall_:.3f} ({how})"


def _rows(
    items: IndexedItems, positions: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return vectors and offsets of the items at `positions`."""
    vectors = items.vectors
    return vectors.decoded(positions), None if vectors.offsets is None else vectors.offsets[positions]


def _lists_at(lists: Lists, rows: NDArray[np.int64]) -> Lists:
    mine = np.isin(lists.row, rows)
    length = np.diff(lists.ptr)[rows]
    return Lists(offsets(length), lists.item_idx[mine], lists.score[mine])
