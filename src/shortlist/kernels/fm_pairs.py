"""Gibbs steps of a factorisation machine of two ids: a matrix factorisation with biases, drawn row by row.

Where each example has one column of one field, one of another and nothing else, ŷ = w0 + w_a + w_b + v_a · v_b. Given
the b's the example says of θ_a = (v_a, w_a) that y - w0 - w_b is normal around z·θ_a, z = (v_b, 1): nothing of a's own
is in it, and nothing has to be moved along as in `fm_gibbs`.

The columns of a field come in the order in which they are drawn, most examples first: those of columns[k] are
ptr[k] … ptr[k + 1] of `others` (the column that each has of the other field) and `examples` (where its target is).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shortlist.kernels.fm_lanes import (
    CHUNK,
    LANES,
    SHORT,
    add_chunk,
    add_lanes,
    clear_lanes,
    clear_sums,
    copy_lane,
    draw_lanes,
    finish_lanes,
    set_lane,
    take_lane,
)
from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]
    I32 = NDArray[np.int32]
    I64 = NDArray[np.int64]


@fast_kernel
def draw_pairs(
    start: int,
    stop: int,
    columns: I32,
    ptr: I64,
    others: I32,
    examples: I32,
    targets: F64,
    intercept: float,
    precision: F64,
    shift: F64,
    alpha: float,
    noise: F64,
    rank: int,
    v: F64,
    w: F64,
) -> int:
    """Draw columns[start:stop], LANES at a time from `start`, one of its multiples; return −1, or a column that fails.

    precision Λ float64[d, d] and shift Λμ float64[d] of their prior; noise float64[n, d], standard normal, a row for
    each of `columns`; v float64[n_columns, rank4] and w float64[n_columns] change in place.
    """
    d, rank4 = rank + 1, v.shape[1]
    a, beside = np.empty((d + 1, d, LANES)), np.empty((d + 1, LANES))
    s, t, b = np.empty((rank4, rank4)), np.empty(rank4 + 1), np.empty(rank4 + 1)
    z, nothing = np.empty((rank4 + 2, CHUNK)), np.zeros(rank4)
    for first in range(start, stop, LANES):
        n = min(LANES, stop - first)
        if ptr[first + 1] - ptr[first] <= SHORT:
            beside[:, :] = 0.0
            clear_lanes(d, a)
            for step in range(ptr[first + 1] - ptr[first]):
                _take_pairs(first, n, step, rank, ptr, others, examples, targets, intercept, v, w, beside)
                add_lanes(d, beside, a)
            finish_lanes(d, precision, shift, alpha, a)
        else:
            for lane in range(n):
                clear_sums(s, t, b)
                _add_pairs(
                    ptr[first + lane],
                    ptr[first + lane + 1],
                    others,
                    examples,
                    targets,
                    intercept,
                    v,
                    w,
                    z,
                    s,
                    t,
                    b,
                )
                set_lane(lane, rank, precision, shift, alpha, nothing, 0.0, s, t, b, a)
            for lane in range(n, LANES):
                copy_lane(lane, d, a)
        if not draw_lanes(d, a, noise, first, n):
            failed: int = columns[first]
            return failed
        for lane in range(n):
            take_lane(lane, rank, a, b)
            c = columns[first + lane]
            for f in range(rank):
                v[c, f] = b[f]
            w[c] = b[rank4]
    return -1


@fast_kernel
def _take_pairs(
    first: int,
    n: int,
    step: int,
    rank: int,
    ptr: I64,
    others: I32,
    examples: I32,
    targets: F64,
    intercept: float,
    v: F64,
    w: F64,
    beside: F64,
) -> None:
    """Write z and y - w0 - w_b of example `step` of each lane into beside [d + 1, LANES]; zeros where there is none."""
    for lane in range(n):
        place = ptr[first + lane] + step
        if place >= ptr[first + lane + 1]:
            beside[:, lane] = 0.0
            continue
        other = others[place]
        for f in range(rank):
            beside[f, lane] = v[other, f]
        beside[rank, lane] = 1.0
        beside[rank + 1, lane] = targets[examples[place]] - intercept - w[other]


@fast_kernel
def _add_pairs(
    begin: int,
    end: int,
    others: I32,
    examples: I32,
    targets: F64,
    intercept: float,
    v: F64,
    w: F64,
    z: F64,
    s: F64,
    t: F64,
    b: F64,
) -> None:
    """Add the examples at begin … end to s (its lower triangle), t and b; z float64[rank4 + 2, CHUNK] is scratch."""
    n, rank4 = 0, v.shape[1]
    for place in range(begin, end):
        other = others[place]
        for f in range(rank4):
            z[f, n] = v[other, f]
        z[rank4, n], z[rank4 + 1, n] = 1.0, targets[examples[place]] - intercept - w[other]
        n += 1
        if n == CHUNK:
            add_chunk(n, z, s, t, b)
            n = 0
    add_chunk(n, z, s, t, b)


@fast_kernel
def pair_errors(
    start: int, stop: int, one: I32, other: I32, targets: F64, intercept: float, v: F64, w: F64, e: F64
) -> None:
    """Write y - ŷ of examples `start` to `stop` into e; `one` and `other` are the two columns of each."""
    rank4 = v.shape[1]
    for example in range(start, stop):
        a, b = one[example], other[example]
        product = 0.0
        for f in range(0, rank4, 4):
            product += v[a, f] * v[b, f] + v[a, f + 1] * v[b, f + 1]
            product += v[a, f + 2] * v[b, f + 2] + v[a, f + 3] * v[b, f + 3]
        e[example] = targets[example] - intercept - w[a] - w[b] - product
