"""Gibbs steps of a factorisation machine: the parameters of a column are drawn given those of all others.

Given the others, a prediction is linear in the column's d = r + 1 parameters θ = (v_1 … v_r, w): with x its value in
an example and q = Σ_j v_j x_j over all columns j of the example,

    ŷ = rest + x w + Σ_f x (q_f - x v_f) v_f.

So θ has a normal distribution of precision A = Λ + α Σ z zᵀ and mean A⁻¹ (Λμ + α Σ z (e + z·θ_old)), where z = x (q_f -
x v_f) for the factors and x for w, and e = y - ŷ. Columns that no example has two of (ids, categories) do not see one
another: any number of them may be drawn at once. A draw moves q and e of the column's examples along.

Examples hang on a side (a user, an item, a moment) that has the columns: column → its entities and values → their
examples. `rank4` is r rounded up to a multiple of four; what is beyond r is zero.

| symbol | meaning |
|---|---|
| ptr, entities, values | the columns: CSC of entities by columns |
| example_ptr, examples | the examples of each entity |
| q, e | float32[m, rank4] and float64[m], of the examples |
| v, w | float64[n_columns, rank4] and float64[n_columns] |
| s, t, b | sums over the examples of a column: see `fm_lanes` |
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

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    I32 = NDArray[np.int32]
    I64 = NDArray[np.int64]


@fast_kernel
def draw_columns(
    start: int,
    stop: int,
    columns: I32,
    n_examples: I64,
    together: int,
    ptr: I64,
    entities: I32,
    values: F32,
    example_ptr: I64,
    examples: I32,
    precision: F64,
    shift: F64,
    alpha: float,
    noise: F64,
    rank: int,
    v: F64,
    w: F64,
    q: F32,
    e: F64,
) -> int:
    """Draw columns[start:stop], `together` (at most LANES) at a time; return -1, or a column without a finite draw.

    n_examples int64[n] of each of `columns`; where several are drawn together, it descends.
    precision Λ float64[d, d] and shift Λμ float64[d] of their prior; noise float64[n, d], standard normal, a row for
    each of `columns`. Serial; v, w, q and e change in place.
    """
    d, rank4 = rank + 1, v.shape[1]
    a = np.empty((d + 1, d, LANES))
    s, t, b = np.empty((rank4, rank4)), np.empty(rank4 + 1), np.empty(rank4 + 1)
    z, own = np.empty((rank4 + 2, CHUNK)), np.empty(rank4)
    beside, next_entity, next_place = (
        np.empty((d + 1, LANES)),
        np.empty(LANES, np.int64),
        np.empty(LANES, np.int64),
    )
    for first in range(start, stop, together):
        n = min(together, stop - first)
        if together > 1 and n_examples[first] <= SHORT:
            _begin_lanes(first, n, columns, ptr, entities, example_ptr, next_entity, next_place)
            beside[:, :] = 0.0
            clear_lanes(d, a)
            for _ in range(n_examples[first]):
                _take_examples(
                    first,
                    n,
                    rank,
                    columns,
                    ptr,
                    entities,
                    values,
                    example_ptr,
                    examples,
                    q,
                    e,
                    v,
                    w,
                    next_entity,
                    next_place,
                    beside,
                )
                add_lanes(d, beside, a)
            finish_lanes(d, precision, shift, alpha, a)
        else:
            for lane in range(n):
                c = columns[first + lane]
                clear_sums(s, t, b)
                _copy_row(v, c, own)
                add_examples(
                    ptr[c], ptr[c + 1], entities, values, example_ptr, examples, q, e, own, z, s, t, b
                )
                set_lane(lane, rank, precision, shift, alpha, own, w[c], s, t, b, a)
            for lane in range(n, LANES):
                copy_lane(lane, d, a)
        if not draw_lanes(d, a, noise, first, n):
            failed: int = columns[first]
            return failed
        for lane in range(n):
            c = columns[first + lane]
            _copy_row(v, c, own)
            take_lane(lane, rank, a, b)
            move_examples(ptr[c], ptr[c + 1], entities, values, example_ptr, examples, own, w[c], b, q, e)
            for f in range(rank):
                v[c, f] = b[f]
            w[c] = b[rank4]
    return -1


@fast_kernel
def _begin_lanes(
    first: int,
    n: int,
    columns: I32,
    ptr: I64,
    entities: I32,
    example_ptr: I64,
    next_entity: I64,
    next_place: I64,
) -> None:
    """Put the cursors of n lanes at the first example of columns[first:first + n]."""
    for lane in range(n):
        next_entity[lane] = ptr[columns[first + lane]]
        next_place[lane] = example_ptr[entities[next_entity[lane]]]


@fast_kernel
def _take_examples(
    first: int,
    n: int,
    rank: int,
    columns: I32,
    ptr: I64,
    entities: I32,
    values: F32,
    example_ptr: I64,
    examples: I32,
    q: F32,
    e: F64,
    v: F64,
    w: F64,
    next_entity: I64,
    next_place: I64,
    beside: F64,
) -> None:
    """Write z, x and e + z·θ of the next example of each lane into beside [d + 1, LANES]; zeros where there is none."""
    for lane in range(n):
        c = columns[first + lane]
        last = ptr[c + 1]
        while next_entity[lane] < last and next_place[lane] >= example_ptr[entities[next_entity[lane]] + 1]:
            next_entity[lane] += 1
            if next_entity[lane] < last:
                next_place[lane] = example_ptr[entities[next_entity[lane]]]
        if next_entity[lane] >= last:
            beside[:, lane] = 0.0
            continue
        example, x = examples[next_place[lane]], np.float64(values[next_entity[lane]])
        next_place[lane] += 1
        error = e[example] + x * w[c]
        for f in range(rank):
            z = x * (q[example, f] - x * v[c, f])
            error += z * v[c, f]
            beside[f, lane] = z
        beside[rank, lane] = x
        beside[rank + 1, lane] = error


@fast_kernel
def _copy_row(v: F64, c: int, own: F64) -> None:
    for f in range(len(own)):
        own[f] = v[c, f]


@fast_kernel
def add_examples(
    first: int,
    last: int,
    entities: I32,
    values: F32,
    example_ptr: I64,
    examples: I32,
    q: F32,
    e: F64,
    v: F64,
    z: F64,
    s: F64,
    t: F64,
    b: F64,
) -> None:
    """Add the examples of entities[first:last] to s (its lower triangle), t and b; `v` float64[rank4] is the column's.

    z float64[rank4 + 2, CHUNK] is scratch: of each example z, x and e.
    """
    n, rank4 = 0, len(v)
    for at in range(first, last):
        x = np.float64(values[at])
        entity = entities[at]
        for place in range(example_ptr[entity], example_ptr[entity + 1]):
            example = examples[place]
            for f in range(0, rank4, 4):
                z0 = x * (q[example, f] - x * v[f])
                z1 = x * (q[example, f + 1] - x * v[f + 1])
                z2 = x * (q[example, f + 2] - x * v[f + 2])
                z3 = x * (q[example, f + 3] - x * v[f + 3])
                z[f, n], z[f + 1, n], z[f + 2, n], z[f + 3, n] = z0, z1, z2, z3
            z[rank4, n], z[rank4 + 1, n] = x, e[example]
            n += 1
            if n == CHUNK:
                add_chunk(n, z, s, t, b)
                n = 0
    add_chunk(n, z, s, t, b)


@fast_kernel
def move_examples(
    first: int,
    last: int,
    entities: I32,
    values: F32,
    example_ptr: I64,
    examples: I32,
    v: F64,
    w: float,
    new: F64,
    q: F32,
    e: F64,
) -> None:
    """Move q and e of the examples of entities[first:last] from a column's (v, w) to new float64[rank4 + 1]."""
    rank4 = len(v)
    overlap = 0.0
    for f in range(rank4):
        overlap += v[f] * (new[f] - v[f])
    for at in range(first, last):
        x = np.float64(values[at])
        entity = entities[at]
        own = new[rank4] - w - x * overlap
        for place in range(example_ptr[entity], example_ptr[entity + 1]):
            example = examples[place]
            rise = own
            for f in range(0, rank4, 4):
                d0, d1, d2, d3 = (
                    new[f] - v[f],
                    new[f + 1] - v[f + 1],
                    new[f + 2] - v[f + 2],
                    new[f + 3] - v[f + 3],
                )
                q0, q1, q2, q3 = q[example, f], q[example, f + 1], q[example, f + 2], q[example, f + 3]
                rise += q0 * d0 + q1 * d1 + q2 * d2 + q3 * d3
                q[example, f] = q0 + x * d0
                q[example, f + 1] = q1 + x * d1
                q[example, f + 2] = q2 + x * d2
                q[example, f + 3] = q3 + x * d3
            e[example] -= x * rise


@fast_kernel
def add_part(
    part: int,
    bounds: I64,
    entities: I32,
    values: F32,
    example_ptr: I64,
    examples: I32,
    q: F32,
    e: F64,
    v: F64,
    s: F64,
    t: F64,
    b: F64,
) -> None:
    """Write what the entities of one part of a long column add into s[part], t[part] and b[part]."""
    rank4 = len(v)
    z = np.empty((rank4 + 2, CHUNK))
    first, last = bounds[part], bounds[part + 1]
    s[part] = 0.0
    t[part] = 0.0
    b[part] = 0.0
    add_examples(first, last, entities, values, example_ptr, examples, q, e, v, z, s[part], t[part], b[part])


@fast_kernel
def draw_one(
    rank: int,
    precision: F64,
    shift: F64,
    alpha: float,
    v: F64,
    w: float,
    s: F64,
    t: F64,
    b: F64,
    noise: F64,
    out: F64,
) -> bool:
    """Write the draw of one column from its sums into out float64[rank4 + 1]; noise float64[1, d]. False as above."""
    d = rank + 1
    a = np.empty((d + 1, d, LANES))
    set_lane(0, rank, precision, shift, alpha, v, w, s, t, b, a)
    for lane in range(1, LANES):
        copy_lane(lane, d, a)
    if not draw_lanes(d, a, noise, 0, 1):
        return False
    take_lane(0, rank, a, out)
    return True
