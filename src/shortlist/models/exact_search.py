"""Exact search: the k items of largest dot product (plus offsets) or smallest distance to each query.

A quick pass scores all items up to a bound of its error, and a fixed-order kernel rescores and ranks every item that
the bound leaves open. The result is therefore exact for the fixed-order scores, and the same whatever the blocking,
the pass or the number of threads: one query gets bit for bit what a batch gives. The quick pass is

- for many queries, a matrix product in blocks that stay in the cache, each looked through at once, so that users ×
  items are never there;
- for few queries on a large catalogue, a scan of the items as int8 (`exact_packed`).

Where too much is left open (ties, scores that float32 cannot tell apart or hold), every permitted item is rescored.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.topk import rescore_rows, score_pairs
from shortlist.models.exact_bounds import Catalogue, Queries
from shortlist.models.exact_packed import PackedItems
from shortlist.models.exact_passes import Permitted, Ranked, by_bytes, by_products
from shortlist.stages import Lists

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shortlist.stages import Eligible

# Up to so many queries a scan of the bytes each is faster than one matrix product for all.
FEW_QUERIES = 4
# From so many items on the scan pays, the bytes of a smaller catalogue stay unpacked.
LARGE_CATALOGUE = 1 << 14
# Where at most this share of the items for each query, but no more than the second, is open to anybody, these items
# are put together first: a copied item costs as much as about 32 that are looked through.
NARROW, NARROW_FOR_MANY = 1 / 32, 1 / 4
# Whether to leave AVX-512 VNNI aside where the processor has it; the answers are the same.
PORTABLE = False
# Sums of that many products of two bytes stay in int32.
_MOST_DIMS = 1 << 16

# Pairs that one thread scores at a time: the candidates of one person are not worth waking another for.
_PAIRS = 4096


def search(
    queries: NDArray[np.float32],
    items: NDArray[np.float32],
    k: int,
    eligible: Eligible,
    *,
    query_offsets: NDArray[np.float32] | None = None,
    item_offsets: NDArray[np.float32] | None = None,
    euclidean: bool = False,
    listed: NDArray[np.bool_] | None = None,
) -> Lists:
    """Return what `ItemSearch(items, item_offsets, euclidean=euclidean).search(...)` returns, prepared for one call."""
    prepared = ItemSearch(items, item_offsets, euclidean=euclidean, packs=False)
    return prepared.search(queries, k, eligible, query_offsets=query_offsets, listed=listed)


def pair_scores(
    queries: NDArray[np.float32],
    query_offsets: NDArray[np.float32],
    items: NDArray[np.float32],
    item_offsets: NDArray[np.float32],
    row: NDArray[np.int64],
    item_idx: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return float32[m]: the score of each pair (row of queries, item); bit for bit what `search` gives."""
    out = np.empty(row.size, np.float32)
    arguments = (
        queries,
        query_offsets,
        items,
        item_offsets,
        row.astype(np.int64),
        item_idx.astype(np.int32),
        out,
    )
    threads.run_blocks(lambda start, stop: score_pairs(*arguments, start, stop), row.size, _PAIRS)
    return out


class ItemSearch:
    """Exact search in one catalogue, with what does not depend on the queries prepared once; safe in threads.

    items float32[n_items, d], finite; item_offsets float32[n_items], added to the dots (default none). euclidean: the
    score is −‖query − item‖ and no offsets are used. The arrays are kept, not copied, and must not change.

    packs: whether the first request for few queries packs a large catalogue as int8, for itself and those that
    follow: it takes as long as some tens of them, and n_items · (d + 4) bytes, a quarter of the items'. Copies and
    pickles leave the bytes out.
    """

    def __init__(
        self,
        items: NDArray[np.float32],
        item_offsets: NDArray[np.float32] | None = None,
        *,
        euclidean: bool = False,
        packs: bool = True,
    ) -> None:
        self.catalogue = Catalogue(items, item_offsets, euclidean)
        self.packs = packs
        self._packed: PackedItems | None = None
        self._packing = threading.Lock()

    def __len__(self) -> int:
        return int(self.catalogue.items.shape[0])

    def __reduce__(self) -> tuple[Callable[..., ItemSearch], tuple[object, ...]]:
        own = self.catalogue
        return _made, (own.items, own.offsets, own.euclidean, self.packs)

    @property
    def packed_bytes(self) -> int:
        """Return the memory of the int8 copy; 0 as long as no request has made it."""
        return 0 if self._packed is None else self._packed.packed.nbytes + self._packed.step.nbytes

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        eligible: Eligible,
        *,
        query_offsets: NDArray[np.float32] | None = None,
        listed: NDArray[np.bool_] | None = None,
    ) -> Lists:
        """Return for each query its k best permitted items, best first, ties by smaller index.

        - queries float32[n, d]; query_offsets float32[n] are added to every score of a query
        - eligible: rows aligned with the queries; listed bool[n_items]: items that may appear at all (default all)

        Cost: for many queries O(n · n_items · d) in single-thread matrix products on the pool, and O(threads · 2²⁰)
        memory; for few, n passes over the bytes of the items. Where most items are forbidden to everybody, the same
        over the others, and a copy of them.
        """
        k = min(k, len(self))
        if k <= 0 or queries.shape[0] == 0:
            return Lists.empty(queries.shape[0])
        permitted = Permitted.of(eligible, listed)
        share = min(NARROW * queries.shape[0], NARROW_FOR_MANY)
        if permitted.most_open() <= share * len(self):
            return self._search_narrow(queries, k, permitted, query_offsets)
        asked, found = Queries.of(queries, query_offsets), Ranked.of(queries.shape[0], k)
        if self.catalogue.items.shape[1] and asked.safe(self.catalogue).all():
            self._quick_pass(asked, permitted, found)
        left = np.flatnonzero(found.kept < 0)

        def rescore(start: int, stop: int) -> None:
            for row in left[start:stop].tolist():
                _rescore_everything(self.catalogue, asked, permitted, row, found)

        threads.run_blocks(rescore, left.size, 1)
        found.index[np.arange(k) >= found.kept[:, None]] = -1
        return Lists.from_padded(found.index, found.score)

    def _quick_pass(self, asked: Queries, permitted: Permitted, found: Ranked) -> None:
        n_items, dim = self.catalogue.items.shape
        few = asked.norm.size <= FEW_QUERIES and n_items >= LARGE_CATALOGUE and dim < _MOST_DIMS
        packed = self._bytes() if few and self.packs else None
        if packed is not None:
            by_bytes(self.catalogue, packed, asked, permitted, found, portable=PORTABLE)
        if (found.kept < 0).any():  # no bytes, or they leave too much open: products know more digits
            by_products(self.catalogue, asked, permitted, found)

    def _bytes(self) -> PackedItems | None:
        """Return the packed items, None while another thread packs them.

        Nobody waits for that: it runs on the pool, whose threads may be those who would wait.
        """
        if self._packed is None and self._packing.acquire(blocking=False):
            try:
                self._pack()
            finally:
                self._packing.release()
        return self._packed

    def _pack(self) -> None:
        if self._packed is None:  # another thread may have packed them before this one had the lock
            self._packed = PackedItems.of(self.catalogue.items)

    def _search_narrow(
        self,
        queries: NDArray[np.float32],
        k: int,
        permitted: Permitted,
        query_offsets: NDArray[np.float32] | None,
    ) -> Lists:
        """Search in a catalogue of the open items only; they keep their order, so ties fall the same."""
        items = np.flatnonzero(permitted.to_all()).astype(np.int32)
        own = self.catalogue
        part = ItemSearch(own.items[items], own.offsets[items], euclidean=own.euclidean, packs=False)
        found = part.search(queries, k, permitted.among(items), query_offsets=query_offsets)
        return Lists(found.ptr, items[found.item_idx], found.score)


def _made(
    items: NDArray[np.float32], offsets: NDArray[np.float32], euclidean: bool, packs: bool
) -> ItemSearch:
    return ItemSearch(items, offsets, euclidean=euclidean, packs=packs)


def _rescore_everything(
    catalogue: Catalogue, asked: Queries, permitted: Permitted, row: int, found: Ranked
) -> None:
    """Rank all items open to the row by their fixed-order scores."""
    items = permitted.of_row(row)
    one = slice(row, row + 1)
    # The dots of a zero vector are zero: nothing to read.
    used = 0 if asked.norm[row] == 0 and not catalogue.euclidean else catalogue.items.shape[1]
    rescore_rows(
        np.ascontiguousarray(asked.vectors[one, :used]),
        asked.offsets[one],
        catalogue.items[:, :used] if used == 0 else catalogue.items,
        catalogue.offsets,
        catalogue.euclidean,
        items[None, :],
        np.array([items.size], np.int64),
        found.score[one],
        found.index[one],
        found.kept[one],
    )
