"""Grown regression trees over rows of numbers: their scores, and what each player adds to a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shortlist.kernels.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What counts as missing at a split: nothing (NaN is taken as 0), 0, or NaN.
NOTHING, ZERO, NAN = 0, 1, 2
_AS_ZERO = 1e-35  # below this a number is 0


class Trees(NamedTuple):
    """Nodes and leaves of all trees one after the other; a child or root below 0 is leaf ~child.

    - root int32[n_trees]
    - feature int32[n], threshold float64[n]: to the left goes what is not larger; left, right int32[n]
    - missing int8[n]: `NOTHING`, `ZERO` or `NAN`; missing_left bool[n]: where what is missing goes
    - n_rows float64[n], leaf_rows float64[n_leaves]: rows of the training data that came by
    - value float64[n_leaves]
    """

    root: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing: NDArray[np.int8]
    missing_left: NDArray[np.bool_]
    n_rows: NDArray[np.float64]
    value: NDArray[np.float64]
    leaf_rows: NDArray[np.float64]


@kernel
def tree_scores(
    trees: Trees, rows: NDArray[np.float32], out: NDArray[np.float64], start: int, stop: int
) -> None:
    """Add to `out` float64[m] the sum of the leaves that each of `rows` float32[m, F] falls into, tree by tree."""
    for t in range(trees.root.size):
        for r in range(start, stop):
            node = trees.root[t]
            while node >= 0:
                node = _child(trees, node, rows[r])
            out[r] += trees.value[~node]


@kernel
def tree_shares(
    trees: Trees,
    depth: int,
    player: NDArray[np.int32],
    rows: NDArray[np.float32],
    out: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Add to `out` float64[m, n_players] the Shapley value of each player for the score of each row.

    `player` int32[F] says whose each feature is; `depth` is that of the deepest tree. A coalition is worth what
    the tree is expected to give where only its features are known: at a split by another feature both ways are gone, in
    the proportion of the training rows. Lundberg et al. 2018, Consistent individualized feature attribution for tree
    ensembles, Algorithm 2; a player of several features enters a path once, as a feature does there that splits twice.
    """
    who = np.zeros((depth + 2, depth + 2), np.int32)
    path = np.zeros((3, depth + 2, depth + 2))
    for t in range(trees.root.size):
        for r in range(start, stop):
            if trees.root[t] >= 0:
                _walk(trees, player, rows[r], out[r], trees.root[t], 0, 0, 1.0, 1.0, -1, who, path)


@kernel
def _child(trees: Trees, node: int, row: NDArray[np.float32]) -> int:
    value = np.float64(row[trees.feature[node]])
    missing = trees.missing[node]
    if np.isnan(value) and missing != NAN:
        value = 0.0
    if (missing == NAN and np.isnan(value)) or (missing == ZERO and abs(value) <= _AS_ZERO):
        goes_left = trees.missing_left[node]
    else:
        goes_left = value <= trees.threshold[node]
    return int(trees.left[node] if goes_left else trees.right[node])


@kernel
def _n_rows(trees: Trees, node: int) -> float:
    return float(trees.n_rows[node] if node >= 0 else trees.leaf_rows[~node])


@kernel
def _walk(
    trees: Trees,
    player: NDArray[np.int32],
    row: NDArray[np.float32],
    out: NDArray[np.float64],
    node: int,
    level: int,
    length: int,
    without: float,
    known: float,
    last: int,
    who: NDArray[np.int32],
    path: NDArray[np.float64],
) -> int:
    """Add what the leaves below `node` say to `out` and return their number.

    Row `level` of `who` and `path` is the way to here, one entry a player: which share of the training rows goes on
    where the player is not known (path[0]), and of this row where it is (path[1]); path[2] are the weights of the
    coalitions by their size.
    """
    if level > 0:
        who[level, :length] = who[level - 1, :length]
        path[:, level, :length] = path[:, level - 1, :length]
    names, share, own, weight = who[level], path[0, level], path[1, level], path[2, level]
    names[length] = last
    _extend(share, own, weight, length, without, known)
    if node < 0:
        for i in range(1, length + 1):
            total = _without_one(share, own, weight, length, i)
            out[names[i]] += total * (own[i] - share[i]) * trees.value[~node]
        return 1
    # Of the type that `last` has in the first call: numba compiles a recursion that changes it to code that crashes.
    mine = np.int64(player[trees.feature[node]])
    before, seen = 1.0, 1.0
    for i in range(1, length + 1):
        if names[i] == mine:
            before, seen = share[i], own[i]
            _unwind(names, share, own, weight, length, i)
            length -= 1
            break
    taken = _child(trees, node, row)
    n_leaves = 0
    for child in (trees.left[node], trees.right[node]):
        part = before * _n_rows(trees, child) / trees.n_rows[node]
        there = seen if child == taken else 0.0
        n_leaves += _walk(trees, player, row, out, child, level + 1, length + 1, part, there, mine, who, path)
    return n_leaves


@kernel
def _extend(
    share: NDArray[np.float64],
    own: NDArray[np.float64],
    weight: NDArray[np.float64],
    length: int,
    without: float,
    known: float,
) -> None:
    """Put one more player at the end of a path of `length`."""
    share[length], own[length] = without, known
    weight[length] = 1.0 if length == 0 else 0.0
    for i in range(length - 1, -1, -1):
        weight[i + 1] += known * weight[i] * (i + 1) / (length + 1)
        weight[i] = without * weight[i] * (length - i) / (length + 1)


@kernel
def _unwind(
    names: NDArray[np.int32],
    share: NDArray[np.float64],
    own: NDArray[np.float64],
    weight: NDArray[np.float64],
    length: int,
    at: int,
) -> None:
    """Take the player at `at` out of a path, as if it had never been there."""
    z, o, following = share[at], own[at], weight[length]
    for i in range(length - 1, -1, -1):
        if o != 0:
            before = weight[i]
            weight[i] = following * (length + 1) / ((i + 1) * o)
            following = before - weight[i] * z * (length - i) / (length + 1)
        else:
            weight[i] = weight[i] * (length + 1) / (z * (length - i))
    for i in range(at, length):
        names[i], share[i], own[i] = names[i + 1], share[i + 1], own[i + 1]


@kernel
def _without_one(
    share: NDArray[np.float64], own: NDArray[np.float64], weight: NDArray[np.float64], length: int, at: int
) -> float:
    """Return the sum of the weights of a path without the player at `at`."""
    z, o, following, total = share[at], own[at], weight[length], 0.0
    for i in range(length - 1, -1, -1):
        if o != 0:
            part = following * (length + 1) / ((i + 1) * o)
            following = weight[i] - part * z * (length - i) / (length + 1)
        else:
            part = weight[i] * (length + 1) / (z * (length - i))
        total += part
    return total
