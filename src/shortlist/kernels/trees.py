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


class Way(NamedTuple):
    """The way from the root to where a walk stands, a row or entry a level. A stack, not a recursion.

    numba loads a recursive kernel from its cache as code that crashes.

    - who int64[size, size] and path float64[3, size, size], an entry a player on the way: which share of the training
      rows goes on where the player is not known (path[0]), and of this row where it is (path[1]); path[2] are the
      weights of the coalitions by their size. Of the node there: length int64[size], the players on the way to it, the
      one of its own split taken out; mine, that player, with before and seen float64[size], what stood on the way of it
    - node int64[size]; taken: the child that this row goes to; turn: how many of its children are done
    """

    who: NDArray[np.int64]
    path: NDArray[np.float64]
    node: NDArray[np.int64]
    length: NDArray[np.int64]
    mine: NDArray[np.int64]
    taken: NDArray[np.int64]
    turn: NDArray[np.int64]
    before: NDArray[np.float64]
    seen: NDArray[np.float64]


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
    size = depth + 2
    levels, shares = np.zeros((5, size), np.int64), np.zeros((2, size))
    way = Way(
        np.zeros((size, size), np.int64),
        np.zeros((3, size, size)),
        levels[0],
        levels[1],
        levels[2],
        levels[3],
        levels[4],
        shares[0],
        shares[1],
    )
    for t in range(trees.root.size):
        for r in range(start, stop):
            if trees.root[t] >= 0:
                _walk(trees, player, rows[r], out[r], trees.root[t], way)


@kernel
def _child(trees: Trees, node: int, row: NDArray[np.float32]) -> int:
    value = np.float64(row[trees.feature[node]])
    missing = trees.missing[node]
    if np.isnan(value) and missing != NAN:
        value = np.float64(0.0)
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
    root: int,
    way: Way,
) -> None:
    """Add to `out` what all leaves below `root` say."""
    level = 0
    _enter(trees, player, row, out, root, 0, 0, 1.0, 1.0, -1, way)
    while level >= 0:
        if way.turn[level] == 2:
            level -= 1
            continue
        node = way.node[level]
        child = trees.left[node] if way.turn[level] == 0 else trees.right[node]
        way.turn[level] += 1
        part = way.before[level] * _n_rows(trees, child) / trees.n_rows[node]
        there = way.seen[level] if child == way.taken[level] else 0.0
        length, mine = way.length[level] + 1, way.mine[level]
        level += 1
        _enter(trees, player, row, out, child, level, length, part, there, mine, way)


@kernel
def _enter(
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
    way: Way,
) -> None:
    """Go on to `node` with the player `last`, whose split led there; a leaf says to `out` what it has to say."""
    if level > 0:
        way.who[level, :length] = way.who[level - 1, :length]
        way.path[:, level, :length] = way.path[:, level - 1, :length]
    names, share, own, weight = way.who[level], way.path[0, level], way.path[1, level], way.path[2, level]
    names[length] = last
    _extend(share, own, weight, length, without, known)
    if node < 0:
        for i in range(1, length + 1):
            total = _without_one(share, own, weight, length, i)
            out[names[i]] += total * (own[i] - share[i]) * trees.value[~node]
        way.turn[level] = 2
        return
    mine = player[trees.feature[node]]
    way.before[level], way.seen[level] = 1.0, 1.0
    for i in range(1, length + 1):
        if names[i] == mine:
            way.before[level], way.seen[level] = share[i], own[i]
            _unwind(names, share, own, weight, length, i)
            length -= 1
            break
    way.node[level], way.length[level], way.mine[level] = node, length, mine
    way.taken[level], way.turn[level] = _child(trees, node, row), 0


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
    names: NDArray[np.int64],
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
