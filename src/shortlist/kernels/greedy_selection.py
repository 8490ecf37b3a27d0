"""One greedy selection: at each place of a list the candidate of largest value, given those chosen before it.

The value of candidate i after the chosen S is a weighted sum, every term larger for a better candidate:

    w_r r_i  −  w_m max_{j∈S} sim(i, j)  +  w_d log d²_i(S)  −  w_c KL(p ‖ q̃(S∪i))  −  w_e ‖e(S∪i) − t‖²

| symbol | meaning |
|---|---|
| r | float64[m] relevance |
| sim | dot product of unit vectors; 0 while S is empty |
| d² | det L_{S∪i} / det L_S of L = (1−ε) sim + ε I, by the incremental Cholesky of Chen et al. 2018, algorithm 1 |
| p, q̃ | a person's mix of groups, and (1−α) q + α p with q the mix of S∪i, each item shared out over its groups |
| e, t | the share of exposure that each group has in S∪i, places discounted; and the share it should have |

Terms that do not depend on i at a place (the rest of KL and of the distance) are computed once a place.
Ties go to the candidate that stands first. With relevance and the determinant alone the largest product
d²_i e^{(w_r/w_d) r_i} is sought, the same order without a logarithm a candidate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.kernels.jit import fast_kernel, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What the parts of a value are, in the order of the columns that the kernel writes.
PARTS = ("relevance", "mmr", "dpp", "calibration", "exposure")
_SAFE = 300.0  # e to this power is still a float64


class Similar(NamedTuple):
    """Unit vectors float32[m, d], a row of zeros where nothing is known; ε of the determinant's kernel matrix."""

    vectors: NDArray[np.float32]
    epsilon: float


class Mix(NamedTuple):
    """Groups of each candidate: ptr int64[m + 1], group int32[x]; target float64[n_groups].

    An item's share is divided evenly among its groups.
    """

    ptr: NDArray[np.int64]
    group: NDArray[np.int32]
    target: NDArray[np.float64]


class Caps(NamedTuple):
    """Groups of each candidate that are counted: ptr int64[m + 1], group int32[x]; limit int64[n_groups]."""

    ptr: NDArray[np.int64]
    group: NDArray[np.int32]
    limit: NDArray[np.int64]


@fast_kernel
def _dots(vectors: NDArray[np.float32], with_row: int, out: NDArray[np.float32]) -> None:
    for i in range(vectors.shape[0]):
        total = np.float32(0.0)
        for f in range(vectors.shape[1]):
            total += vectors[i, f] * vectors[with_row, f]
        out[i] = total


@fast_kernel
def _lower_determinants(
    similar: NDArray[np.float32],
    rows: NDArray[np.float32],
    t: int,
    chosen: int,
    epsilon: float,
    d2: NDArray[np.float32],
) -> None:
    """Write row t of the Cholesky factor over all candidates and take its square off `d2`."""
    row = rows[t]
    for i in range(row.size):
        row[i] = np.float32(1.0 - epsilon) * similar[i]
    for s in range(t):
        weight = rows[s, chosen]
        for i in range(row.size):
            row[i] -= weight * rows[s, i]
    scale = np.float32(1.0 / np.sqrt(d2[chosen]))
    for i in range(row.size):
        row[i] *= scale
        d2[i] = max(d2[i] - row[i] * row[i], np.float32(epsilon))


@kernel
def _largest_size(mix: Mix) -> int:
    """Return the most groups that one candidate is in."""
    largest = 0
    for i in range(mix.ptr.size - 1):
        largest = max(largest, mix.ptr[i + 1] - mix.ptr[i])
    return largest


@kernel
def _add_mix(mix: Mix, candidate: int, amount: float, into: NDArray[np.float64]) -> None:
    start, stop = mix.ptr[candidate], mix.ptr[candidate + 1]
    for x in range(start, stop):
        into[mix.group[x]] += amount / (stop - start)


@kernel
def _divergences(
    mix: Mix,
    have: NDArray[np.float64],
    n_chosen: int,
    alpha: float,
    free: NDArray[np.bool_],
    out: NDArray[np.float64],
) -> None:
    """Write KL(p ‖ q̃) of the list with each free candidate appended."""
    after = n_chosen + 1.0
    rest = 0.0
    # What a share of 1/size in a group takes off, once for each group and size instead of once for each candidate.
    gain = np.zeros((mix.target.size, _largest_size(mix) + 1))
    for g in range(mix.target.size):
        p = mix.target[g]
        if p > 0.0:
            before = (1.0 - alpha) * have[g] / after + alpha * p
            rest += p * np.log(p / before)
            for size in range(1, gain.shape[1]):
                gain[g, size] = p * np.log1p((1.0 - alpha) / (size * after * before))
    for i in range(free.size):
        if free[i]:
            start, stop = mix.ptr[i], mix.ptr[i + 1]
            out[i] = rest
            for x in range(start, stop):
                out[i] -= gain[mix.group[x], stop - start]


@kernel
def _distances(
    mix: Mix,
    have: NDArray[np.float64],
    total: float,
    discount: float,
    free: NDArray[np.bool_],
    out: NDArray[np.float64],
) -> None:
    """Write ‖e − t‖² of the list with each free candidate at the next place."""
    after = total + discount
    rest = 0.0
    for g in range(mix.target.size):
        rest += (have[g] / after - mix.target[g]) ** 2
    for i in range(free.size):
        if not free[i]:
            continue
        start, stop = mix.ptr[i], mix.ptr[i + 1]
        out[i] = rest
        for x in range(start, stop):
            g = mix.group[x]
            before = have[g] / after - mix.target[g]
            out[i] += (before + discount / ((stop - start) * after)) ** 2 - before**2


@kernel
def _within_caps(caps: Caps, count: NDArray[np.int64], candidate: int) -> bool:
    for x in range(caps.ptr[candidate], caps.ptr[candidate + 1]):
        if count[caps.group[x]] >= caps.limit[caps.group[x]]:
            return False
    return True


@kernel
def _count(caps: Caps, count: NDArray[np.int64], candidate: int) -> None:
    for x in range(caps.ptr[candidate], caps.ptr[candidate + 1]):
        count[caps.group[x]] += 1


@kernel
def _best(value: NDArray[np.float64], free: NDArray[np.bool_], caps: Caps, count: NDArray[np.int64]) -> int:
    best = -1
    for i in range(value.size):
        if free[i] and (best < 0 or value[i] > value[best]) and _within_caps(caps, count, i):
            best = i
    return best


@kernel
def _values(weight: NDArray[np.float64], part: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    out[:] = 0.0
    for term in range(weight.size):
        if weight[term] > 0.0:
            for i in range(out.size):
                out[i] += weight[term] * part[term, i]


@kernel
def greedy_selection(
    relevance: NDArray[np.float64],
    weight: NDArray[np.float64],
    mmr: Similar,
    dpp: Similar,
    calibration: Mix,
    alpha: float,
    exposure: Mix,
    discount: NDArray[np.float64],
    caps: Caps,
    pinned: NDArray[np.int64],
    chosen: NDArray[np.int64],
    parts: NDArray[np.float64],
) -> int:
    """Write the chosen candidates to `chosen` int64[n] and the parts of their values to `parts` float64[n, 5].

    - weight float64[5] >= 0, in the order of `PARTS`; a term of weight 0 costs nothing
    - discount float64[n] of the places; pinned int64[n]: the candidate of a place, −1 for a free one. Pinned
      candidates stand where they are pinned whatever the caps, and count towards them from the start

    Return how many places were filled: fewer than n where caps or candidates run out, with pins moved up.
    Cost: O(n · m · (d + n)) time and O(n · m) memory for m candidates with d-dimensional vectors.
    """
    n, m = chosen.size, relevance.size
    part = np.zeros((5, m))
    part[0] = relevance
    free = np.ones(m, np.bool_)
    count = np.zeros(caps.limit.size, np.int64)
    for t in range(n):
        if pinned[t] >= 0:
            free[pinned[t]] = False
            _count(caps, count, pinned[t])
    similar = np.zeros(m, np.float32)
    largest = np.zeros(m, np.float32)
    d2 = np.ones(m, np.float32)
    rows = np.zeros((n if weight[2] > 0.0 else 0, m), np.float32)
    groups, exposed, total = np.zeros(calibration.target.size), np.zeros(exposure.target.size), 0.0
    product_form = (
        weight[1] == 0.0 and weight[3] == 0.0 and weight[4] == 0.0 and weight[0] < _SAFE * weight[2]
    )
    lift = np.exp(weight[0] / weight[2] * relevance) if product_form else np.zeros(0)
    value = np.zeros(m)
    next_pin, filled, only_pins = 0, 0, False
    for t in range(n):
        if weight[3] > 0.0:
            _divergences(calibration, groups, t, alpha, free, part[3])
            part[3] *= -1.0
        if weight[4] > 0.0:
            _distances(exposure, exposed, total, discount[t], free, part[4])
            part[4] *= -1.0
        pick = -1 if only_pins else pinned[t]
        if pick < 0 and not only_pins:
            if product_form:
                for i in range(m):
                    value[i] = d2[i] * lift[i]
            else:
                if weight[2] > 0.0:
                    part[2] = np.log(d2)
                _values(weight, part, value)
            pick = _best(value, free, caps, count)
            if pick >= 0:
                _count(caps, count, pick)
        if (
            pick < 0
        ):  # caps only fill and candidates only go: what is left are the pins of later places, which move up
            next_pin = next_pin if only_pins else t + 1
            only_pins = True
            while next_pin < n and pinned[next_pin] < 0:
                next_pin += 1
            if next_pin == n:
                return filled
            pick = pinned[next_pin]
            next_pin += 1
        free[pick] = False
        chosen[t] = pick
        filled = t + 1
        for term in range(5):
            parts[t, term] = part[term, pick]
        if weight[2] > 0.0:
            parts[t, 2] = np.log(d2[pick])
        if t == n - 1:
            break
        if weight[1] > 0.0:
            _dots(mmr.vectors, pick, similar)
            for i in range(m):
                if t == 0 or similar[i] > largest[i]:
                    largest[i] = similar[i]
                part[1, i] = -largest[i]
        if weight[2] > 0.0:
            _dots(dpp.vectors, pick, similar)
            _lower_determinants(similar, rows, t, pick, dpp.epsilon, d2)
        if weight[3] > 0.0:
            _add_mix(calibration, pick, 1.0, groups)
        if weight[4] > 0.0:
            _add_mix(exposure, pick, discount[t], exposed)
            total += discount[t]
    return filled
