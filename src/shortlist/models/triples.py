"""Triples (user, positive, negative) drawn as declared, and steps on them in parallel with one fixed result.

A slice of an epoch is every n-th pair. It has two phases. First triples are drawn, in the order of the users, which
keeps what is read in the caches: nothing changes, and each draw hangs on its pair and the slice's seed alone. Then they
are sorted into cells and stepped on. Users fall into h parts and items into 2h, at random, anew
in every slice. The pairs of item parts meet in the rounds of a tournament, h pairs a round that share no part (the
circle method), and within a round the h parts of users take turns at the h pairs. So h cells are always open that share
no user and no item: they run at once, and the result is that of one after the other. Since h depends on the number of
triples alone, the result does not depend on the number of threads.

The negatives need no part of their own: unlike where a block's negatives come from the block's items (which
`strata` would ask for), every negative comes from the whole catalogue, exactly as the sampler says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels import pairwise as kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_TRIPLES = 1 << 21
"""Of a slice; 24 bytes each are held."""
# Slices of an epoch where negatives are chosen by score: the scores are those before the slice.
FRESH_SLICES = 16
# Below so many triples a cell, opening it costs more than its steps.
_TRIPLES_A_CELL = 500
_MOST_USER_PARTS = 8
# With so few, a cell has many triples of one user: they are shuffled, lest the steps go user by user.
_FEW_USER_PARTS = 2
_CHUNKS = 32


@dataclass(frozen=True, eq=False)
class Pairs:
    """Positive pairs by user: ptr int64[n_users + 1], item_idx int32[nnz] ascending within a user, n_items.

    Users with all items have none here, for want of a negative.
    """

    ptr: NDArray[np.int64]
    item_idx: NDArray[np.int32]
    user_idx: NDArray[np.int32]
    n_items: int


@dataclass(frozen=True, eq=False)
class Sampler:
    """How negatives are drawn: by `mass` where it has entries; else uniformly, the best of `n_candidates` by score.

    mass float64[n_items + 1]: the running sum of the items' weights, from 0.
    """

    mass: NDArray[np.float64]
    n_candidates: int


@dataclass(frozen=True, eq=False)
class Scorer:
    """What the steps change: users float32[n_users, dim], items float32[n_items, dim], bias float32[n_items]."""

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Steps:
    """Learning rates of the vectors and of the biases, and the penalties a triple."""

    rate: float
    bias_rate: float
    user_reg: float
    item_reg: float
    bias_reg: float


def run_epoch(
    pairs: Pairs, sampler: Sampler, scorer: Scorer, steps: Steps, rng: np.random.Generator
) -> float:
    """Step once on every pair with a fresh negative, and return the mean of −ln σ(x), each x before its step.

    `scorer` changes in place. Cost: O(nnz · dim), n_candidates times as many scores where that is above 1.
    """
    nnz = pairs.item_idx.size
    n_slices = slices(nnz, sampler)
    total = 0.0
    for first in rng.permutation(n_slices).tolist():
        seed = rng.integers(2**64, dtype=np.uint64)
        drawn = draw(pairs, sampler, scorer, first=first, stride=n_slices, seed=seed)
        cells = Cells.of(drawn, len(scorer.users), pairs.n_items, rng)
        total += cells.descend(scorer, steps)
    return total / nnz


def slices(nnz: int, sampler: Sampler) -> int:
    """Return how many slices an epoch has."""
    fresh = FRESH_SLICES if sampler.n_candidates > 1 else 1
    return min(max(fresh, -(-nnz // MOST_TRIPLES)), nnz)


def draw(
    pairs: Pairs,
    sampler: Sampler,
    scorer: Scorer,
    *,
    first: int,
    stride: int,
    seed: np.uint64,
) -> NDArray[np.int32]:
    """Return int32[n, 3]: user, positive and negative of pairs first, first + stride, …; see `kernels.draw_triples`."""
    n = len(range(first, pairs.item_idx.size, stride))
    triples = np.empty((n, 3), np.int32)
    data = pairs.ptr, pairs.item_idx, pairs.user_idx, first, stride, seed, sampler.mass, pairs.n_items
    arguments = *data, sampler.n_candidates, scorer.users, scorer.items, scorer.bias
    threads.run_blocks(lambda start, stop: kernels.draw_triples(*arguments, start, stop, triples), n)
    return triples


@dataclass(frozen=True, eq=False)
class Cells:
    """Triples int32[n, 3] by cell: cell b has triples[ptr[b]:ptr[b + 1]], in the order they were drawn or shuffled.

    Cells come in runs of `n_user_parts`, those of a run share no user and no item.
    """

    triples: NDArray[np.int32]
    ptr: NDArray[np.int64]
    n_user_parts: int

    @classmethod
    def of(cls, triples: NDArray[np.int32], n_users: int, n_items: int, rng: np.random.Generator) -> Cells:
        """Return `triples` sorted into cells of random parts. Cost: two passes, in parallel."""
        h = user_parts(len(triples))
        if h <= _FEW_USER_PARTS:
            triples = triples[rng.permutation(len(triples))]
        user_part = (rng.permutation(n_users) % h).astype(np.int16)
        item_part = (rng.permutation(n_items) % (2 * h)).astype(np.int16)
        if h == 1:
            return cls(triples, np.array([0, len(triples)]), 1)
        return cls(*_sorted(triples, user_part, item_part, cell_table(h)), h)

    def descend(self, scorer: Scorer, steps: Steps) -> float:
        """Step on all triples, cell after cell, and return the sum of −ln σ(x)."""
        loss = np.zeros(self.ptr.size - 1)
        parts = scorer.users, scorer.items, scorer.bias
        rates = np.float32(steps.rate), np.float32(steps.bias_rate)
        penalties = np.float32(steps.user_reg), np.float32(steps.item_reg), np.float32(steps.bias_reg)
        for run in range(0, loss.size, self.n_user_parts):

            def step(first: int, last: int, run: int = run) -> None:
                for cell in range(run + first, run + last):
                    bounds = self.ptr[cell], self.ptr[cell + 1]
                    loss[cell] = kernels.descend(self.triples, *bounds, *parts, *rates, *penalties)

            threads.run_blocks(step, self.n_user_parts, 1)
        return float(loss.sum())


def user_parts(n_triples: int) -> int:
    """Return h: 1, 2, 4 or 8, as many as leave each of the (2h − 1) h² cells enough triples.

    >>> [user_parts(n) for n in (0, 6_000, 56_000, 480_000, 10**9)]
    [1, 2, 4, 8, 8]
    """
    h = 1
    while h < _MOST_USER_PARTS and n_triples >= (4 * h - 1) * 4 * h * h * _TRIPLES_A_CELL:
        h *= 2
    return h


def cell_table(h: int) -> NDArray[np.int32]:
    """Return int32[2h, 2h, h]: the cell of a triple by the parts of its two items and of its user.

    Cell (round · h + turn) · h + slot has the pair of item parts at `slot` of the round, and the users of part
    (slot + turn) mod h. Two items of one part go with a pair that has it.
    """
    table = np.empty((2 * h, 2 * h, h), np.int32)
    turn = np.arange(h)
    for number, pairs in enumerate(tournament(2 * h)):
        for slot, (one, other) in enumerate(pairs):
            table[one, other, (slot + turn) % h] = (number * h + turn) * h + slot
            table[other, one] = table[one, other]
    for part in range(2 * h):
        table[part, part] = table[part, (part + 1) % (2 * h)]
    return table


def tournament(n: int) -> list[list[tuple[int, int]]]:
    """Return the n − 1 rounds of n/2 disjoint pairs in which n players (an even number) all meet once.

    >>> tournament(4)
    [[(0, 3), (1, 2)], [(1, 3), (2, 0)], [(2, 3), (0, 1)]]
    """
    circle = n - 1
    return [
        [(turn, circle), *(((turn + k) % circle, (turn - k) % circle) for k in range(1, n // 2))]
        for turn in range(circle)
    ]


def _sorted(
    triples: NDArray[np.int32],
    user_part: NDArray[np.int16],
    item_part: NDArray[np.int16],
    table: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the triples by cell, each cell's in their order (a counting sort), and where each cell begins."""
    bounds = np.linspace(0, len(triples), _CHUNKS + 1).astype(int).tolist()
    cells = np.empty(len(triples), np.int32)
    count = np.zeros((_CHUNKS, int(table.max()) + 1), np.int64)
    out = np.empty_like(triples)

    def tally(first: int, last: int) -> None:
        for c in range(first, last):
            arguments = triples, user_part, item_part, table, bounds[c], bounds[c + 1], cells, count[c]
            kernels.count_cells(*arguments)

    threads.run_blocks(tally, _CHUNKS, 1)
    ptr = np.concatenate([[0], np.cumsum(count.sum(axis=0))])
    place = ptr[:-1] + np.cumsum(count, axis=0) - count

    def move(first: int, last: int) -> None:
        for c in range(first, last):
            kernels.place_triples(triples, cells, bounds[c], bounds[c + 1], place[c], out)

    threads.run_blocks(move, _CHUNKS, 1)
    return out, ptr
