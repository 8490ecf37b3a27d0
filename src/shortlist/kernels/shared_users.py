"""How many users items share, 1,024 items at a time, by adding up bits.

A chunk of 1,024 columns (items) is 16 words of 64 bits for each user: bit b of word w is set if the user has column
64 w + b. The users of one item are added up in every column at once by full adders on whole words, so that the counts
stand in bit planes: plane p holds bit p of all 1,024. One step of an adder handles as many columns as a register has
bits, where counting one by one handles one; it pays wherever columns are not too rare. Which columns reach the count
that the worst of the best so far asks for is found on the planes as well, 64 at once.

Counts are whole numbers, so nothing depends on the order of adding.

| symbol | meaning |
|---|---|
| bits | int64[(n_users + 1) · 16]: the words of each user; the last one has nothing |
| work | int64[WORK]: 32 planes of counts, 32 that wait for a second plane of the same worth, and a carry |
| s, t, f, e | words worth 1, 2, 4 and 8 |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.best_keys import ROOM, keep_largest, key_of
from shortlist.kernels.jit import kernel
from shortlist.kernels.nearest_rows import least_kept, similarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS = 16
CHUNK = 64 * WORDS
_WAITING = 32 * WORDS
_CARRY = 64 * WORDS
WORK = 65 * WORDS
# Indices that are unsigned need no check for a negative one, so that the loop over words becomes SIMD.
_UWORDS = np.uint64(WORDS)


@kernel
def _aligned(words: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return `size` of the words that begin a cache line; there must be 8 more, and their address a multiple of 8."""
    first = -(words.ctypes.data >> 3) & 7
    return words[first : first + size]


@kernel
def chunk_starts(
    ptr: NDArray[np.int64], idx: NDArray[np.int32], out: NDArray[np.int64], start: int, stop: int
) -> None:
    """Write to out[c, u], for the users [start, stop), where the ascending list of u reaches column c · 1,024."""
    for u in range(start, stop):
        p = ptr[u]
        for c in range(out.shape[0]):
            while p < ptr[u + 1] and idx[p] < c * CHUNK:
                p += 1
            out[c, u] = p


@kernel
def set_bits(
    at: NDArray[np.int64],
    end: NDArray[np.int64],
    idx: NDArray[np.int32],
    first: int,
    bits: NDArray[np.int64],
    start: int,
    stop: int,
) -> None:
    """Set the words of the users [start, stop) for the columns from `first` on, which stand in idx[at[u] : end[u]]."""
    bits[start * WORDS : stop * WORDS] = 0
    for u in range(start, stop):
        for p in range(at[u], end[u]):
            column = idx[p] - first
            bits[u * WORDS + (column >> 6)] |= np.int64(1) << (column & 63)


@kernel
def copy_ends(
    at: NDArray[np.int64],
    end: NDArray[np.int64],
    idx: NDArray[np.int32],
    out_ptr: NDArray[np.int64],
    out: NDArray[np.int32],
    start: int,
    stop: int,
) -> None:
    """Copy idx[at[u] : end[u]] of the users [start, stop) to where out_ptr says."""
    for u in range(start, stop):
        out[out_ptr[u] : out_ptr[u + 1]] = idx[at[u] : end[u]]


@kernel
def _add_eight(work: NDArray[np.int64], bits: NDArray[np.int64], users: NDArray[np.int64]) -> None:
    """Add the words of eight users to planes 0 to 2; the carry is worth 8."""
    u0, u1, u2, u3 = users[0], users[1], users[2], users[3]
    u4, u5, u6, u7 = users[4], users[5], users[6], users[7]
    o0, o1, o2, o3 = (
        np.uint64(u0) * _UWORDS,
        np.uint64(u1) * _UWORDS,
        np.uint64(u2) * _UWORDS,
        np.uint64(u3) * _UWORDS,
    )
    o4, o5, o6, o7 = (
        np.uint64(u4) * _UWORDS,
        np.uint64(u5) * _UWORDS,
        np.uint64(u6) * _UWORDS,
        np.uint64(u7) * _UWORDS,
    )
    for w in range(WORDS):
        v = np.uint64(w)
        s, t, f = work[w], work[WORDS + w], work[2 * WORDS + w]
        x, y = bits[o0 + v], bits[o1 + v]
        h = s ^ x
        t1, s = (s & x) | (h & y), h ^ y
        x, y = bits[o2 + v], bits[o3 + v]
        h = s ^ x
        t2, s = (s & x) | (h & y), h ^ y
        h = t ^ t1
        f1, t = (t & t1) | (h & t2), h ^ t2
        x, y = bits[o4 + v], bits[o5 + v]
        h = s ^ x
        t1, s = (s & x) | (h & y), h ^ y
        x, y = bits[o6 + v], bits[o7 + v]
        h = s ^ x
        t2, s = (s & x) | (h & y), h ^ y
        h = t ^ t1
        f2, t = (t & t1) | (h & t2), h ^ t2
        h = f ^ f1
        work[_CARRY + w] = (f & f1) | (h & f2)
        work[w], work[WORDS + w], work[2 * WORDS + w] = s, t, h ^ f2


@kernel
def _add_carry(work: NDArray[np.int64], eights: int) -> None:
    """Add the carry of the `eights`-th group of eight (from 0) to the planes from 3 on.

    A carry waits until a second one of its worth comes, and the two are added with the plane in one step: like the
    digits of a binary counter, a plane is touched half as often as the one below.
    """
    p = 3
    while eights & 1:
        for w in range(WORDS):
            e, x, y = work[p * WORDS + w], work[_WAITING + p * WORDS + w], work[_CARRY + w]
            h = e ^ x
            work[p * WORDS + w] = h ^ y
            work[_CARRY + w] = (e & x) | (h & y)
        eights >>= 1
        p += 1
    for w in range(WORDS):
        work[_WAITING + p * WORDS + w] = work[_CARRY + w]


@kernel
def _add_waiting(work: NDArray[np.int64], eights: int, n_planes: int) -> None:
    """Add what waits after `eights` groups of eight: plane p has something waiting where that bit of them is set."""
    waiting = 3
    while eights:
        if eights & 1:
            for w in range(WORDS):
                carry = work[_WAITING + waiting * WORDS + w]
                for p in range(waiting, n_planes):
                    e = work[p * WORDS + w]
                    work[p * WORDS + w] = e ^ carry
                    carry &= e
        eights >>= 1
        waiting += 1


@kernel
def _add_users(
    work: NDArray[np.int64], bits: NDArray[np.int64], users: NDArray[np.int32], n_planes: int
) -> None:
    """Leave the planes with the counts of how many of `users` have each column."""
    work[: n_planes * WORDS] = 0
    nobody = bits.size // WORDS - 1
    eight = np.empty(8, np.int64)
    n_groups = (users.size + 7) // 8
    for g in range(n_groups):
        for k in range(8):
            eight[k] = users[8 * g + k] if 8 * g + k < users.size else nobody
        _add_eight(work, bits, eight)
        _add_carry(work, g)
    _add_waiting(work, n_groups, n_planes)


@kernel
def _at_least(work: NDArray[np.int64], w: int, n_planes: int, least: int) -> int:
    """Return the bits of word w whose counts are at least `least` ≥ 1, which has at most `n_planes` digits."""
    above, equal = np.int64(0), np.int64(-1)
    for p in range(n_planes - 1, -1, -1):
        plane = work[p * WORDS + w]
        if (least >> p) & 1:
            equal &= plane
        else:
            above |= equal & plane
            equal &= ~plane
    return int(above | equal)


@kernel
def nearest_in_chunk(
    ptr: NDArray[np.int64],
    idx: NDArray[np.int32],
    a_q: NDArray[np.float64],
    q_reach: NDArray[np.float64],
    own: NDArray[np.int32],
    level: NDArray[np.int64],
    chunk: int,
    bits: NDArray[np.int64],
    a_c: NDArray[np.float64],
    reach: NDArray[np.float64],
    place: NDArray[np.int32],
    formula: int,
    shrinkage: float,
    kept_ptr: NDArray[np.int64],
    kept: NDArray[np.int64],
    size: NDArray[np.int64],
    start: int,
    stop: int,
    step: int,
) -> None:
    """Keep for every `step`-th query of [start, stop) whose level is above `chunk` the best columns of the chunk.

    Arguments as those of `nearest_rows`; the reach of a column must not be below that of an earlier one.
    """
    first = chunk * CHUNK
    work = _aligned(np.zeros(WORK + 8, np.int64), WORK)
    for q in range(start, stop, step):
        mine = kept[kept_ptr[q] : kept_ptr[q + 1]]
        n_users = ptr[q + 1] - ptr[q]
        if level[q] <= chunk or mine.size == 0:
            continue
        n_planes = 3
        while n_users >> n_planes:
            n_planes += 1
        _add_users(work, bits, idx[ptr[q] : ptr[q + 1]], n_planes)
        buffer = np.empty(mine.size + ROOM, np.int64)
        m = size[q]
        buffer[:m] = mine[:m]
        cut = least_kept(buffer, m, mine.size)
        for w in range(WORDS):
            last = min(first + 64 * w + 63, reach.size - 1)
            least = max(1, int(np.ceil(cut / (q_reach[q] * reach[last]))))
            if first + 64 * w >= reach.size or least > n_users:
                continue
            hits = _at_least(work, w, n_planes, least)
            for b in range(64 if hits != 0 else 0):
                c = first + 64 * w + b
                if not (hits >> b) & 1 or c == own[q]:
                    continue
                count = 0
                for p in range(n_planes):
                    count |= ((work[p * WORDS + w] >> b) & 1) << p
                if count * reach[c] * q_reach[q] >= cut:
                    buffer[m] = key_of(similarity(formula, count, a_q[q], a_c[c], shrinkage), place[c])
                    m += 1
                    if m == buffer.size:
                        m = keep_largest(buffer, m, mine.size)
                        cut = least_kept(buffer, m, mine.size)
        size[q] = keep_largest(buffer, m, mine.size)
        mine[: size[q]] = buffer[: size[q]]
