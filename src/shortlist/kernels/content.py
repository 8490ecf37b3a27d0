"""Scores of items by their features: a person's profile is a weighted sum of sparse rows, and meets an inverted index.

Sums run in one order (profile: the order of the weights; score: ascending features), in float64, whatever the block.

| symbol | meaning |
|---|---|
| W | float64 weights [people, items + stated rows]: what each person weighs how much |
| X | float32 rows [n_items, n_features] of the items |
| S | float32 rows of what people stated themselves; row r of them stands in W as column n_items + r |
| T | float32 rows [n_features, n_items], the items of each feature: the inverted index |
| p, mass | float64[n_features]: a profile, and the sum of the absolute parts of each of its features |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

# What is left of a feature whose parts cancel, relative to them, is rounding.
_ROUNDING = 1e-12


class Rows(NamedTuple):
    """A CSR matrix as kernels take it: ptr int64[n + 1], column int32[m], value float[m]."""

    ptr: NDArray[np.int64]
    column: NDArray[np.int32]
    value: NDArray[Any]


@kernel
def _add_row(rows: Rows, r: int, weight: float, p: NDArray[np.float64], mass: NDArray[np.float64]) -> float:
    start, stop = rows.ptr[r], rows.ptr[r + 1]
    for at in range(start, stop):
        part = weight * np.float64(rows.value[at])
        p[rows.column[at]] += part
        mass[rows.column[at]] += abs(part)
    return float(abs(weight)) if stop > start else 0.0


@kernel
def _sum_rows(
    W: Rows, person: int, X: Rows, S: Rows, p: NDArray[np.float64], mass: NDArray[np.float64]
) -> float:
    # Σ weight · row to p; returned is the sum of the absolute weights of rows with features.
    n_items = X.ptr.size - 1
    for f in range(p.size):
        p[f] = mass[f] = 0.0
    total = 0.0
    for at in range(W.ptr[person], W.ptr[person + 1]):
        item, weight = W.column[at], W.value[at]
        if item < n_items:
            total += _add_row(X, item, weight, p, mass)
        else:
            total += _add_row(S, item - n_items, weight, p, mass)
    return total


@kernel
def make_profile(
    W: Rows,
    person: int,
    X: Rows,
    S: Rows,
    cosine: bool,
    p: NDArray[np.float64],
    mass: NDArray[np.float64],
) -> int:
    """Write the profile of a person to `p`, and return how many of its features are not 0.

    It is Σ weight · row, divided by its length where `cosine`, else by the sum of the absolute weights of rows that
    have features.
    """
    total = _sum_rows(W, person, X, S, p, mass)
    squared, n_used = 0.0, 0
    for f in range(p.size):
        if abs(p[f]) <= _ROUNDING * mass[f]:
            p[f] = 0.0
        else:
            n_used += 1
            squared += p[f] * p[f]
    divisor = np.sqrt(squared) if cosine else total
    for f in range(p.size if n_used > 0 else 0):
        p[f] /= divisor
    return n_used


@kernel
def count_features(
    W: Rows, X: Rows, S: Rows, n_features: int, out: NDArray[np.int64], start: int, stop: int
) -> None:
    """Write to `out` how many features of the profile of each person in [start, stop) are not 0."""
    p, mass = np.empty(n_features), np.empty(n_features)
    for person in range(start, stop):
        out[person] = make_profile(W, person, X, S, False, p, mass)


@kernel
def score_by_content(W: Rows, X: Rows, S: Rows, T: Rows, cosine: bool, out: NDArray[np.float32]) -> None:
    """Write profile · item to each row of `out` [people, n_items]; −inf where a person has no profile.

    Cost a person: the rows of what they weigh, n_features + n_items, and the items of each feature of the profile.
    """
    n_features = T.ptr.size - 1
    p, mass = np.empty(n_features), np.empty(n_features)
    total = np.empty(out.shape[1])
    for person in range(out.shape[0]):
        known = make_profile(W, person, X, S, cosine, p, mass) > 0
        for i in range(total.size):
            total[i] = 0.0 if known else -np.inf
        for f in range(n_features if known else 0):
            if p[f] != 0.0:
                for at in range(T.ptr[f], T.ptr[f + 1]):
                    total[T.column[at]] += p[f] * np.float64(T.value[at])
        for i in range(total.size):
            out[person, i] = total[i]
