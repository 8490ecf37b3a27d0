"""Sums over the columns of a row: the prediction of a factorisation machine, and the two vectors it is a product of.

For a row x and each of S sets of parameters (samples), with v [n_columns, S, r] and w [n_columns, S]:

    vector_f = Σ_i v_if x_i,      offset = Σ_i w_i x_i + ½ Σ_f (vector_f² - Σ_i v_if² x_i²)

The prediction of a whole row is its offset; that of a row that falls into two sides, the sum of their offsets and the
product of their vectors. Sums are float64 in the order of the row, which alone decides its result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.kernels.jit import fast_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]
    I32 = NDArray[np.int32]
    I64 = NDArray[np.int64]


@fast_kernel
def side_sums(
    start: int, stop: int, ptr: I64, indices: I32, values: F32, w: F32, v: F32, vectors: F32, offsets: F64
) -> None:
    """Write rows `start` to `stop` of vectors float32[n, S, r] and offsets float64[n, S]; the rows are a CSR."""
    n_samples, rank = v.shape[1], v.shape[2]
    total, squares = np.empty(rank), np.empty(rank)
    for row in range(start, stop):
        columns, x = indices[ptr[row] : ptr[row + 1]], values[ptr[row] : ptr[row + 1]]
        for sample in range(n_samples):
            offsets[row, sample] = _sums(columns, x, len(columns), w, v, sample, total, squares)
            for f in range(rank):
                vectors[row, sample, f] = total[f]


@fast_kernel
def predictions(
    start: int,
    stop: int,
    user_of: I32,
    user_ptr: I64,
    user_indices: I32,
    user_values: F32,
    item_of: I32,
    item_ptr: I64,
    item_indices: I32,
    item_values: F32,
    context_of: I32,
    context_ptr: I64,
    context_indices: I32,
    context_values: F32,
    w: F32,
    v: F32,
    out: F64,
) -> None:
    """Write rows `start` to `stop` of out float64[n, S], without the intercept; a row is that of its three sides."""
    n_samples, rank = v.shape[1], v.shape[2]
    total, squares = np.empty(rank), np.empty(rank)
    columns, x = np.empty(0, np.int32), np.empty(0, np.float32)
    for row in range(start, stop):
        user, item, context = user_of[row], item_of[row], context_of[row]
        n = user_ptr[user + 1] - user_ptr[user] + item_ptr[item + 1] - item_ptr[item]
        n += context_ptr[context + 1] - context_ptr[context]
        if n > len(columns):
            columns, x = np.empty(2 * n, np.int32), np.empty(2 * n, np.float32)
        n = append_row(0, user, user_ptr, user_indices, user_values, columns, x)
        n = append_row(n, item, item_ptr, item_indices, item_values, columns, x)
        n = append_row(n, context, context_ptr, context_indices, context_values, columns, x)
        for sample in range(n_samples):
            out[row, sample] = _sums(columns, x, n, w, v, sample, total, squares)


@fast_kernel
def append_row(n: int, row: int, ptr: I64, indices: I32, values: F32, columns: I32, x: F32) -> int:
    """Write the entries of a CSR row behind the first `n` of `columns` and `x`; return how many there are then."""
    for at in range(ptr[row], ptr[row + 1]):
        columns[n] = indices[at]
        x[n] = values[at]
        n += 1
    return n


@fast_kernel
def _sums(columns: I32, x: F32, n: int, w: F32, v: F32, sample: int, total: F64, squares: F64) -> Any:
    rank = len(total)
    offset = 0.0
    total[:] = 0.0
    squares[:] = 0.0
    for at in range(n):
        c, value = columns[at], np.float64(x[at])
        offset += value * w[c, sample]
        for f in range(rank):
            part = value * v[c, sample, f]
            total[f] += part
            squares[f] += part * part
    pairs = 0.0
    for f in range(rank):
        pairs += total[f] * total[f] - squares[f]
    return offset + 0.5 * pairs


@fast_kernel
def caches(
    start: int,
    stop: int,
    side_of: I32,
    ptr: I64,
    indices: I32,
    values: F32,
    v: F64,
    w: F64,
    q: F32,
    e: F64,
    squares: F64,
) -> None:
    """Add what one side brings to examples `start` to `stop`: q += Σ v x, e -= Σ w x, squares += Σ_f Σ v² x².

    q float32[m, rank4], e and squares float64[m]; side_of[m] is the row of the side's CSR that an example has.
    """
    rank4 = v.shape[1]
    for example in range(start, stop):
        row = side_of[example]
        for at in range(ptr[row], ptr[row + 1]):
            c, x = indices[at], np.float64(values[at])
            e[example] -= x * w[c]
            total = 0.0
            for f in range(rank4):
                part = x * v[c, f]
                q[example, f] += part
                total += part * part
            squares[example] += total
