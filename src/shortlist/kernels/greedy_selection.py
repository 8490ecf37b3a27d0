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
_NO_PTR, _NO_LABEL = np.zeros(1, np.int64), np.zeros(0, np.int32)


class Similar(NamedTuple):
    """What candidates are alike by, and ε of the determinant's kernel matrix.

    Unit vectors float32[m, d], a row of zeros where nothing is known. Or, where there are no vectors, labels: ptr
    int64[m + 1] and label int32[x], distinct within a candidate; the cosine of multi-hot vectors, 0 where one has none.
    """

    vectors: NDArray[np.float32]
    epsilon: float
    ptr: NDArray[np.int64] = _NO_PTR
    label: NDArray[np.int32] = _NO_LABEL


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


@kernel
def _label_cosines(
    similar: Similar, with_row: int, mark: NDArray[np.bool_], out: NDArray[np.float32]
) -> None:
    """Write the cosines by labels; `mark` is all False before and after."""
    ptr, label = similar.ptr, similar.label
    own = label[ptr[with_row] : ptr[with_row + 1]]
    for one in own:
        mark[one] = True
    for i in range(out.size):
        common = 0
        for at in range(ptr[i], ptr[i + 1]):
            common += mark[label[at]]
        out[i] = 0.0
        if common:
            out[i] = np.float32(common / np.sqrt((ptr[i + 1] - ptr[i]) * own.size))
    for one in own:
        mark[one] = False


@kernel
def _similarities(similar: Similar, with_row: int, mark: NDArray[np.bool_], out: NDArray[np.float32]) -> None:
    """Write how similar every candidate is to that at `with_row`."""
    if similar.vectors.shape[0] > 0:
        _dots(similar.vectors, with_row, out)
    else:
        _label_cosines(similar, with_row, mark, out)


@kernel
def _n_labels(similar: Similar) -> int:
    """Return one more than the largest label that a candidate has."""
    most = -1
    if similar.ptr.size == 0:  # no labels: a part of one entry
        return 0
    for at in range(similar.ptr[0], similar.ptr[-1]):
        most = max(most, similar.label[at])
    return most + 1


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
    out: NDArray[np.float64],
) -> None:
    """Write −KL(p ‖ q̃) of the list with each candidate appended."""
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
    for i in range(out.size):
        start, stop = mix.ptr[i], mix.ptr[i + 1]
        out[i] = -rest
        for x in range(start, stop):
            out[i] += gain[mix.group[x], stop - start]


@kernel
def _distances(
    mix: Mix,
    have: NDArray[np.float64],
    total: float,
    discount: float,
    out: NDArray[np.float64],
) -> None:
    """Write −‖e − t‖² of the list with each candidate at the next place."""
    after = total + discount
    rest = 0.0
    for g in range(mix.target.size):
        rest += (have[g] / after - mix.target[g]) ** 2
    for i in range(out.size):
        start, stop = mix.ptr[i], mix.ptr[i + 1]
        out[i] = -rest
        for x in range(start, stop):
            g = mix.group[x]
            before = have[g] / after - mix.target[g]
            out[i] -= (before + discount / ((stop - start) * after)) ** 2 - before**2


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


class Chosen(NamedTuple):
    """What the items chosen so far leave behind, for m candidates and n places.

    part float64[5, m]: parts of the value of each candidate; similar, largest float32[m]: similarity to the last and to
    the most similar chosen item; d2 float32[m] and rows float32[n, m]: of the Cholesky factor; groups float64[G] and
    exposed float64[H]: share of each group, and exposure[0] that of all; mark bool: of labels, False between uses.
    """

    part: NDArray[np.float64]
    similar: NDArray[np.float32]
    largest: NDArray[np.float32]
    d2: NDArray[np.float32]
    rows: NDArray[np.float32]
    groups: NDArray[np.float64]
    exposed: NDArray[np.float64]
    exposure: NDArray[np.float64]
    mark: NDArray[np.bool_]


@kernel
def _nothing_chosen(
    relevance: NDArray[np.float64],
    weight: NDArray[np.float64],
    n: int,
    n_groups: int,
    n_exposed: int,
    n_labels: int,
) -> Chosen:
    m = relevance.size
    part = np.zeros((5, m))
    part[0] = relevance
    return Chosen(
        part,
        np.zeros(m, np.float32),
        np.zeros(m, np.float32),
        np.ones(m, np.float32),
        np.zeros((n if weight[2] > 0.0 else 0, m), np.float32),
        np.zeros(n_groups),
        np.zeros(n_exposed),
        np.zeros(1),
        np.zeros(n_labels, np.bool_),
    )


@kernel
def _choose(
    chosen: Chosen,
    pick: int,
    t: int,
    weight: NDArray[np.float64],
    mmr: Similar,
    dpp: Similar,
    calibration: Mix,
    exposure: Mix,
    discount: float,
) -> None:
    """Bring `chosen` up to date with `pick` at place t."""
    if weight[1] > 0.0:
        _similarities(mmr, pick, chosen.mark, chosen.similar)
        for i in range(chosen.largest.size):
            if t == 0 or chosen.similar[i] > chosen.largest[i]:
                chosen.largest[i] = chosen.similar[i]
            chosen.part[1, i] = -chosen.largest[i]
    if weight[2] > 0.0:
        _similarities(dpp, pick, chosen.mark, chosen.similar)
        _lower_determinants(chosen.similar, chosen.rows, t, pick, dpp.epsilon, chosen.d2)
    if weight[3] > 0.0:
        _add_mix(calibration, pick, 1.0, chosen.groups)
    if weight[4] > 0.0:
        _add_mix(exposure, pick, discount, chosen.exposed)
        chosen.exposure[0] += discount


@kernel
def _evaluate(
    chosen: Chosen, weight: NDArray[np.float64], lift: NDArray[np.float64], value: NDArray[np.float64]
) -> None:
    """Write the value of every candidate; `lift` is e^{(w_r/w_d) r} where the product form serves, else empty."""
    if lift.size:
        for i in range(value.size):
            value[i] = chosen.d2[i] * lift[i]
        return
    if weight[2] > 0.0:
        chosen.part[2] = np.log(chosen.d2)
    value[:] = 0.0
    for term in range(weight.size):
        if weight[term] > 0.0:
            for i in range(value.size):
                value[i] += weight[term] * chosen.part[term, i]


@kernel
def _set_pins_aside(
    pinned: NDArray[np.int64], caps: Caps, count: NDArray[np.int64], free: NDArray[np.bool_]
) -> None:
    for pin in pinned:
        if pin >= 0:
            free[pin] = False
            _count(caps, count, pin)


@kernel
def _next_pin(pinned: NDArray[np.int64], place: int) -> int:
    """Return the first place from `place` on that has a pin; the number of places where none has."""
    while place < pinned.size and pinned[place] < 0:
        place += 1
    return place


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
    picks: NDArray[np.int64],
    parts: NDArray[np.float64],
) -> int:
    """Write the chosen candidates to `picks` int64[n] and the parts of their values to `parts` float64[n, 5].

    - weight float64[5] >= 0, in the order of `PARTS`; a term of weight 0 costs nothing
    - discount float64[n] of the places; pinned int64[n]: the candidate of a place, −1 for a free one. Pinned
      candidates stand where they are pinned whatever the caps, and count towards them from the start

    Return how many places were filled: fewer than n where caps or candidates run out, with pins moved up.
    Cost: O(n · m · (d + n)) time and O(n · m) memory for m candidates with d-dimensional vectors.
    """
    n, m = picks.size, relevance.size
    free, value = np.ones(m, np.bool_), np.zeros(m)
    count = np.zeros(caps.limit.size, np.int64)
    _set_pins_aside(pinned, caps, count, free)
    n_groups, n_labels = (calibration.target.size, exposure.target.size), max(_n_labels(mmr), _n_labels(dpp))
    chosen = _nothing_chosen(relevance, weight, n, *n_groups, n_labels)
    lone = weight[1] == 0.0 and weight[3] == 0.0 and weight[4] == 0.0
    lift = np.zeros(0)
    if lone and weight[0] < _SAFE * weight[2]:
        lift = np.exp(weight[0] / weight[2] * relevance)
    next_pin = -1  # from where pins are moved up, once nothing else may be chosen
    for t in range(n):
        if weight[3] > 0.0:
            _divergences(calibration, chosen.groups, t, alpha, chosen.part[3])
        if weight[4] > 0.0:
            _distances(exposure, chosen.exposed, chosen.exposure[0], discount[t], chosen.part[4])
        pick = pinned[t] if next_pin < 0 else -1
        if pick < 0 and next_pin < 0:
            _evaluate(chosen, weight, lift, value)
            pick = _best(value, free, caps, count)
            if pick >= 0:
                _count(caps, count, pick)
        if pick < 0:  # caps only fill and candidates only go: what is left are the pins of later places
            next_pin = _next_pin(pinned, max(next_pin, t))
            if next_pin == n:
                return t
            pick = pinned[next_pin]
            next_pin += 1
        free[pick] = False
        picks[t] = pick
        for term in range(5):
            parts[t, term] = chosen.part[term, pick]
        if weight[2] > 0.0:
            parts[t, 2] = np.log(chosen.d2[pick])
        if t < n - 1:
            _choose(chosen, pick, t, weight, mmr, dpp, calibration, exposure, discount[t])
    return n


@kernel
def greedy_lists(
    ptr: NDArray[np.int64],
    relevance: NDArray[np.float64],
    weight: NDArray[np.float64],
    mmr: Similar,
    dpp: Similar,
    calibration: Mix,
    own_mix: NDArray[np.float64],
    alpha: float,
    exposure: Mix,
    discount: NDArray[np.float64],
    caps: Caps,
    pinned: NDArray[np.int64],
    picks: NDArray[np.int64],
    parts: NDArray[np.float64],
) -> None:
    """Choose the lists of n people, each as `greedy_selection` does.

    ptr int64[n + 1]: whose candidates are whose; all that belongs to candidates is aligned with these. own_mix
    float64[n, n_groups] takes the place of the target of `calibration`. pinned and picks int64[n, k], parts
    float64[n, k, 5]: a candidate is named by its position among the person's own. Picks of places that are not filled
    stay as they are.
    """
    for row in range(ptr.size - 1):
        a, b = ptr[row], ptr[row + 1]
        n = min(picks.shape[1], b - a)
        greedy_selection(
            relevance[a:b],
            weight,
            Similar(mmr.vectors[a:b], mmr.epsilon, mmr.ptr[a : b + 1], mmr.label),
            Similar(dpp.vectors[a:b], dpp.epsilon, dpp.ptr[a : b + 1], dpp.label),
            Mix(calibration.ptr[a : b + 1], calibration.group, own_mix[row]),
            alpha,
            Mix(exposure.ptr[a : b + 1], exposure.group, exposure.target),
            discount[:n],
            Caps(caps.ptr[a : b + 1], caps.group, caps.limit),
            pinned[row, :n],
            picks[row, :n],
            parts[row, :n],
        )
