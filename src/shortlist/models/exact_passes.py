"""The two quick passes of exact search: each ranks what its bounds leave open, and says where that was too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.exact_candidates import CHUNK, collect_rows, rank_candidates, scan_packed
from shortlist.stages import Eligible, offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shortlist.models.exact_bounds import Catalogue, Queries
    from shortlist.models.exact_packed import PackedItems, PackedQuery

# Scores of one block, 2 MiB: they stay in the cache of a core until they are looked through.
BLOCK_SCORES = 1 << 19
MOST_ROWS = 256
# Items of a task of the scan: 8 MiB at 64 dims, long beside the start of a task.
SCAN_ITEMS = 1 << 17
# Candidates a buffer holds beyond twice those asked for, at least one chunk: a product leaves hardly more open than is
# asked for, bytes some hundreds.
ROOM, ROOM_OF_BYTES = 2 * CHUNK, 8 * CHUNK
# Candidates of all rows of a block.
_BUFFERED = 1 << 22


@dataclass(frozen=True, eq=False)
class Permitted:
    """Which items may appear: rule int8[n_items] (0: any row), listed bool[n_items] or bool[0], own per row (CSR)."""

    rule: NDArray[np.int8]
    listed: NDArray[np.bool_]
    ptr: NDArray[np.int64]
    own: NDArray[np.int32]

    @classmethod
    def of(cls, eligible: Eligible, listed: NDArray[np.bool_] | None) -> Permitted:
        """Return what `eligible` and `listed` permit."""
        everything = np.zeros(0, bool) if listed is None else np.ascontiguousarray(listed)
        return cls(np.ascontiguousarray(eligible.item_rule), everything, eligible.ptr, eligible.item_idx)

    def most_open(self) -> int:
        """Return an upper bound of the number of items open to any row."""
        open_items = self.rule.size - int(np.count_nonzero(self.rule))
        return min(open_items, int(np.count_nonzero(self.listed))) if self.listed.size else open_items

    def to_all(self) -> NDArray[np.bool_]:
        """Return bool[n_items]: open to every row but by its own items."""
        open_items: NDArray[np.bool_] = self.rule == 0
        return open_items & self.listed if self.listed.size else open_items

    def among(self, items: NDArray[np.int32]) -> Eligible:
        """Return what remains of the rows' own items in a catalogue of `items` (ascending), all of them open."""
        at = np.minimum(np.searchsorted(items, self.own), max(items.size - 1, 0))
        there = items[at] == self.own if items.size else np.zeros(self.own.size, bool)
        row = np.repeat(np.arange(self.ptr.size - 1), np.diff(self.ptr))
        ptr = offsets(np.bincount(row[there], minlength=self.ptr.size - 1))
        nothing = np.zeros(items.size, np.int8)
        return Eligible(
            ("own",), nothing, ptr, at[there].astype(np.int32), np.ones(int(there.sum()), np.int8)
        )

    def of_row(self, row: int) -> NDArray[np.int32]:
        """Return the items open to one row, ascending."""
        open_items = self.to_all()
        open_items[self.own[self.ptr[row] : self.ptr[row + 1]]] = False
        return np.flatnonzero(open_items).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Ranked:
    """The lists as they are made: score float32[n, k], index int32[n, k], kept int64[n] (−1: not known yet)."""

    score: NDArray[np.float32]
    index: NDArray[np.int32]
    kept: NDArray[np.int64]

    @classmethod
    def of(cls, n: int, k: int) -> Ranked:
        """Return lists of which nothing is known."""
        return cls(np.zeros((n, k), np.float32), np.full((n, k), -1, np.int32), np.full(n, -1, np.int64))


class _Buffers:
    """The candidates of some rows, in parts that threads fill independently."""

    def __init__(self, n_rows: int, parts: int, capacity: int, *, two_bounds: bool) -> None:
        shape = (n_rows, parts, capacity)
        self.upper, self.index = np.empty(shape, np.float32), np.empty(shape, np.int32)
        self.lower = np.empty(shape, np.float32) if two_bounds else self.upper
        self.size = np.zeros((n_rows, parts), np.int64)
        self.floor = np.full((n_rows, parts), -np.inf, np.float32)

    def rank(
        self, catalogue: Catalogue, queries: Queries, rows: slice, slack: NDArray[np.float32], into: Ranked
    ) -> None:
        rank_candidates(
            queries.vectors[rows],
            queries.offsets[rows],
            catalogue.items,
            catalogue.offsets,
            catalogue.euclidean,
            slack,
            self.lower,
            self.upper,
            self.index,
            self.size,
            into.score[rows],
            into.index[rows],
            into.kept[rows],
        )


def by_products(catalogue: Catalogue, queries: Queries, permitted: Permitted, into: Ranked) -> None:
    """Rank by float32 matrix products: blocks of queries side by side, or ranges of items where queries are few."""
    n, n_items, workers = queries.norm.size, catalogue.items.shape[0], threads.num_threads()
    capacity = _capacity(into.score.shape[1], ROOM, n_items)
    slack = queries.product_slack(catalogue)

    def block(start: int, stop: int) -> None:
        found = _Buffers(stop - start, 1, capacity, two_bounds=False)
        rows = slice(start, stop)
        _collect(catalogue, queries, permitted, rows, slack, into.score.shape[1], found, 0, 0, n_items)
        found.rank(catalogue, queries, rows, slack[rows], into)

    with threads.single_blas():
        if n >= 8 * workers or n_items < SCAN_ITEMS:
            threads.run_blocks(block, n, _rows_of_a_block(n, workers, capacity))
            return
        found = _Buffers(n, workers, capacity, two_bounds=False)
        span, rows = -(-n_items // (workers * CHUNK)) * CHUNK, slice(0, n)
        threads.run_blocks(
            lambda start, stop: _collect(
                catalogue,
                queries,
                permitted,
                rows,
                slack,
                into.score.shape[1],
                found,
                start // span,
                start,
                stop,
            ),
            n_items,
            span,
        )
    found.rank(catalogue, queries, rows, slack, into)


def _collect(
    catalogue: Catalogue,
    queries: Queries,
    permitted: Permitted,
    rows: slice,
    slack: NDArray[np.float32],
    k: int,
    found: _Buffers,
    part: int,
    start: int,
    stop: int,
) -> None:
    vectors = queries.vectors[rows]
    ptr = permitted.ptr[rows.start : rows.stop + 1]
    own_at = ptr[:-1].copy()
    width = max(CHUNK, BLOCK_SCORES // vectors.shape[0] // CHUNK * CHUNK)
    memory = np.empty(vectors.shape[0] * min(width, stop - start), np.float32)
    for first in range(start, stop, width):
        last = min(first + width, stop)
        products = memory[: vectors.shape[0] * (last - first)].reshape(vectors.shape[0], last - first)
        np.dot(vectors, catalogue.items[first:last].T, out=products)
        collect_rows(
            products,
            first,
            catalogue.proposal_offsets,
            permitted.rule,
            permitted.listed,
            ptr,
            permitted.own,
            own_at,
            slack[rows],
            k,
            part,
            found.upper,
            found.index,
            found.size,
            found.floor,
        )


def by_bytes(
    catalogue: Catalogue,
    packed: PackedItems,
    queries: Queries,
    permitted: Permitted,
    into: Ranked,
    *,
    portable: bool,
) -> None:
    """Rank one query after another by a scan of the packed items, its ranges in parallel."""
    slack = queries.rounding(catalogue).astype(np.float32)
    for r in range(queries.norm.size):
        query = packed.query(queries.vectors[r])
        own = permitted.own[permitted.ptr[r] : permitted.ptr[r + 1]]
        k = into.score.shape[1]
        found = _scan(catalogue, packed, query, slack[r], permitted, own, k, portable=portable)
        found.rank(catalogue, queries, slice(r, r + 1), np.zeros(1, np.float32), into)


def _scan(
    catalogue: Catalogue,
    packed: PackedItems,
    query: PackedQuery,
    slack: np.float32,
    permitted: Permitted,
    own: NDArray[np.int32],
    k: int,
    *,
    portable: bool,
) -> _Buffers:
    n_items, workers = catalogue.items.shape[0], threads.num_threads()
    rounds = max(1, round(n_items / (workers * SCAN_ITEMS)))
    span = n_items if n_items < SCAN_ITEMS else -(-n_items // (workers * rounds * CHUNK)) * CHUNK
    found = _Buffers(1, -(-n_items // span), _capacity(k, ROOM_OF_BYTES, n_items), two_bounds=True)
    floor = np.full(1, -np.inf, np.float32)

    def scan(start: int, stop: int) -> None:
        scan_packed(
            packed.packed,
            packed.step,
            catalogue.proposal_offsets,
            query.value8,
            query.value16,
            query.unit,
            query.radius,
            slack,
            portable,
            permitted.rule,
            permitted.listed,
            own,
            k,
            start // span,
            found.lower,
            found.upper,
            found.index,
            found.size,
            floor,
            start,
            stop,
        )

    threads.run_blocks(scan, n_items, span)
    return found


def _capacity(k: int, room: int, n_items: int) -> int:
    """Return how many candidates a buffer holds: no more than there are, and room for a chunk."""
    return min(2 * k + room, n_items + CHUNK)


def _rows_of_a_block(n: int, workers: int, capacity: int) -> int:
    most = max(1, min(MOST_ROWS, _BUFFERED // capacity))
    rounds = -(-n // (workers * most))
    return max(1, -(-n // (workers * rounds)))
