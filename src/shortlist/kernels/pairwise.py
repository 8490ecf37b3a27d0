"""Triples (user, positive item, negative item): drawing them, sorting them into cells, and steps on them.

Symbols: `u` a user's vector, `v_i` and `v_j` the vectors of a positive and a negative item, `c` the items' biases,
`x = u . v_i + c_i - u . v_j - c_j`, `s = 1 / (1 + exp(x))`, which is -d/dx of -ln sigma(x).

A random number is a hash of a seed and of the place it is for, so that it does not matter which thread draws it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
# Draws that hit a positive item before the rest of the catalogue is weighed instead.
_MOST_REJECTIONS = 32


@kernel
def _hashed(seed: np.uint64, place: np.uint64) -> np.uint64:
    """Return 64 random bits for `place`: output number `place` of SplitMix64 (Steele, Lea and Flood 2014)."""
    z = seed + (place + np.uint64(1)) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@kernel
def _below(bits: np.uint64, n: int) -> int:
    """Return a whole number from 0 to n - 1 from 64 random bits; n < 2³², each as likely as others to n / 2³²."""
    drawn: int = np.int64(((bits >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))  # type: ignore[assignment]
    return drawn


@kernel
def _missing(own: NDArray[np.int32], first: int, last: int, rank: int) -> int:
    """Return number `rank`, from 0, of the items that are not among the ascending own[first:last]."""
    low, high = first, last
    while low < high:
        middle = (low + high) >> 1
        if own[middle] - (middle - first) > rank:
            high = middle
        else:
            low = middle + 1
    return rank + low - first


@kernel
def _is_among(own: NDArray[np.int32], first: int, last: int, item: int) -> bool:
    low, high = first, last
    while low < high:
        middle = (low + high) >> 1
        if own[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < last and own[low] == item


@kernel
def _at_mass(mass: NDArray[np.float64], value: float) -> int:
    """Return the item i with mass[i] <= value < mass[i + 1]; `mass` float64[n_items + 1] ascends from 0."""
    low, high = 0, mass.size - 2
    while low < high:
        middle = (low + high) >> 1
        if mass[middle + 1] > value:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def _weighted_missing(
    own: NDArray[np.int32], first: int, last: int, mass: NDArray[np.float64], share: float
) -> int:
    """Return the item outside own[first:last] at `share` in [0, 1) of the mass that is left without those."""
    left = mass[-1]
    for q in range(first, last):
        left -= mass[own[q] + 1] - mass[own[q]]
    value = share * left
    for q in range(first, last):
        if value < mass[own[q]]:
            break
        value += mass[own[q] + 1] - mass[own[q]]
    item = _at_mass(mass, value)
    # Rounding may end on an item of the user's own: the next that is not, or the last that is not.
    while item < mass.size - 1 and _is_among(own, first, last, item):
        item += 1
    return item if item < mass.size - 1 else _missing(own, first, last, mass.size - 2 - (last - first))


@kernel
def _by_mass(
    own: NDArray[np.int32],
    first: int,
    last: int,
    mass: NDArray[np.float64],
    seed: np.uint64,
    place: np.uint64,
) -> int:
    """Return an item outside own[first:last], drawn in proportion to its mass: draws of own ones are rejected."""
    unit = 2.0**-53
    for attempt in range(_MOST_REJECTIONS):
        bits = _hashed(seed + np.uint64(attempt), place)
        item = _at_mass(mass, np.float64(bits >> np.uint64(11)) * unit * mass[-1])
        if not _is_among(own, first, last, item):
            return item
    bits = _hashed(seed + np.uint64(_MOST_REJECTIONS), place)
    return _weighted_missing(own, first, last, mass, np.float64(bits >> np.uint64(11)) * unit)


@fast_kernel
def _score(
    users: NDArray[np.float32], items: NDArray[np.float32], bias: NDArray[np.float32], u: int, i: int
) -> np.float32:
    total: np.float32 = bias[i]
    for f in range(users.shape[1]):
        total += users[u, f] * items[i, f]
    return total


@kernel
def draw_triples(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    user_of: NDArray[np.int32],
    first_pair: int,
    stride: int,
    seed: np.uint64,
    mass: NDArray[np.float64],
    n_items: int,
    n_candidates: int,
    users: NDArray[np.float32],
    items: NDArray[np.float32],
    bias: NDArray[np.float32],
    start: int,
    stop: int,
    triples: NDArray[np.int32],
) -> None:
    """Write triples[p] = (user, positive, negative) of pair first_pair + p · stride, for p in `start:stop`.

    indptr, indices: CSR of the positive pairs, ascending in a row; user_of int32[nnz]. The negative is an item that the
    user has no pair with: by `mass` where that has entries; else uniformly, `n_candidates` times with replacement,
    of which the one with the largest score is taken (the first of equals). No user may have all items. Cost: O(log row)
    a draw and, with several candidates, one dot product each.
    """
    for p in range(start, stop):
        q = first_pair + p * stride
        place = np.uint64(q)
        u = user_of[q]
        first, last = indptr[u], indptr[u + 1]
        if mass.size > 0:
            best = _by_mass(indices, first, last, mass, seed, place)
        else:
            n_missing = n_items - (last - first)
            best = _missing(indices, first, last, _below(_hashed(seed, place), n_missing))
            if n_candidates > 1:
                largest = _score(users, items, bias, u, best)
                for n in range(1, n_candidates):
                    bits = _hashed(seed + np.uint64(n), place)
                    j = _missing(indices, first, last, _below(bits, n_missing))
                    value = _score(users, items, bias, u, j)
                    if value > largest:
                        largest, best = value, j
        triples[p, 0] = u
        triples[p, 1] = indices[q]
        triples[p, 2] = best


@kernel
def count_cells(
    triples: NDArray[np.int32],
    user_part: NDArray[np.int16],
    item_part: NDArray[np.int16],
    cell_of: NDArray[np.int32],
    start: int,
    stop: int,
    cells: NDArray[np.int32],
    count: NDArray[np.int64],
) -> None:
    """Write the cell of triples `start:stop` into `cells`, and add how many each has to `count`.

    cell_of int32[n_item_parts, n_item_parts, n_user_parts].
    """
    for p in range(start, stop):
        cell = cell_of[item_part[triples[p, 1]], item_part[triples[p, 2]], user_part[triples[p, 0]]]
        cells[p] = cell
        count[cell] += 1


@kernel
def place_triples(
    triples: NDArray[np.int32],
    cells: NDArray[np.int32],
    start: int,
    stop: int,
    next_place: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    """Copy triples `start:stop` to where their cells have room next, keeping their order; `next_place` moves on."""
    for p in range(start, stop):
        at = next_place[cells[p]]
        next_place[cells[p]] = at + 1
        for k in range(3):
            out[at, k] = triples[p, k]


@fast_kernel
def descend(
    triples: NDArray[np.int32],
    start: int,
    stop: int,
    users: NDArray[np.float32],
    items: NDArray[np.float32],
    bias: NDArray[np.float32],
    rate: np.float32,
    bias_rate: np.float32,
    user_reg: np.float32,
    item_reg: np.float32,
    bias_reg: np.float32,
) -> float:
    """Take a gradient step on each of triples `start:stop`, in their order; return the sum of -ln sigma(x) before each.

    One step goes down -ln sigma(x) + user_reg/2 |u|² + item_reg/2 (|v_i|² + |v_j|²) + bias_reg/2 (c_i² + c_j²), all
    five gradients taken at the same point. `bias_rate` is 0 where there are no biases.
    """
    one = np.float32(1)
    dim = users.shape[1]
    user_decay = one - rate * user_reg
    item_decay = one - rate * item_reg
    bias_decay = one - bias_rate * bias_reg
    loss = 0.0
    # A product of 1 + exp(-x): one logarithm for many triples.
    product = 1.0
    for p in range(start, stop):
        u, i, j = triples[p, 0], triples[p, 1], triples[p, 2]
        x = np.float32(0)
        for f in range(dim):
            x += users[u, f] * (items[i, f] - items[j, f])
        x += bias[i] - bias[j]
        if x < np.float32(-30):
            slope = one
            loss -= np.float64(x)
        else:
            odds = np.exp(-x)
            slope = odds / (one + odds)
            product *= 1.0 + np.float64(odds)
            if product > 1e250:
                loss += np.log(product)
                product = 1.0
        step = rate * slope
        for f in range(dim):
            w, a, b = users[u, f], items[i, f], items[j, f]
            users[u, f] = user_decay * w + step * (a - b)
            items[i, f] = item_decay * a + step * w
            items[j, f] = item_decay * b - step * w
        bias[i] = bias_decay * bias[i] + bias_rate * slope
        bias[j] = bias_decay * bias[j] - bias_rate * slope
    total: float = loss + np.log(product)
    return total
