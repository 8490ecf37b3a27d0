"""Folding: groups that have nothing to do with each other, lying in the same place of an embedding space.

A model that is trained on what was shown alone never learns that two groups do not belong together: each is arranged
well within itself, and the arrangements lie over one another. Negatives push them apart. Folding counts what remains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse

from shortlist.errors import ParameterError
from shortlist.kernels.topk import select_rows
from shortlist.parameters import one_of, whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Nearness = Literal["cosine", "dot", "euclidean"]

_BLOCK_FLOATS = 1 << 21  # 16 MiB of products at a time


def folding(vectors: ArrayLike, groups: Any, *, n_neighbors: int = 10, measure: Nearness = "cosine") -> float:
    """Return the share of outsiders among the nearest neighbours of each item, ÷ what chance gives.

    - vectors [n_items, d]: finite; a zero row has no place in the space (such are what a model has no vector for)
    - groups: int[n_items] labels, negative for none, or a 0/1 table [n_items, n_groups], dense or sparse, where an item
      may be of several groups. An outsider of an item shares no group with it
    - n_neighbors ≥ 1 nearest, all others where there are fewer; the item itself is none; ties go to the smaller index
    - measure: "cosine", "dot" (largest product) or "euclidean" (least distance)

    0: only members of the item's own groups lie near it. 1: groups mean nothing to the space. Above 1: outsiders lie
    nearer than chance has it. Chance is the share of outsiders among all other items, averaged over items as the
    shares are. Items without a group or with a zero vector are left out on both sides.
    Cost: O(n_items² (d + n_groups)) time, O(n_items) memory beside 16 MiB blocks.

    Raises `ParameterError` for shapes that do not match, values that are not finite, fewer than two items left, and
    where no item has an outsider, since chance then gives 0.

    Folding is described in Google's course on recommendation systems, "Softmax training"; the number is ours.

    >>> pairs = [[1, 0], [1, 0.1], [0, 1], [0.1, 1]]  # two near each other, twice
    >>> folding(pairs, [0, 0, 1, 1], n_neighbors=1)
    0.0
    >>> folding(pairs, [0, 1, 0, 1], n_neighbors=1)  # every nearest is an outsider: 1 ÷ 2/3
    1.5
    """
    whole("n_neighbors", n_neighbors, least=1)
    points = _checked_vectors(vectors, one_of("measure", measure, Nearness))
    members = _members(groups, points.shape[0])
    kept = np.flatnonzero((np.diff(members.indptr) > 0) & points.any(axis=1))
    if kept.size < 2:
        raise ParameterError(f"folding compares items: {kept.size} of them have a group and a vector, need 2")
    points, members = points[kept], members[kept]
    near, chance = _outsider_shares(points, members, min(n_neighbors, kept.size - 1), measure)
    if chance == 0:
        raise ParameterError("every item shares a group with every other: there are no outsiders to find")
    return near / chance


def _outsider_shares(
    points: Floats, members: sparse.csr_array, n_neighbors: int, measure: Nearness
) -> tuple[float, float]:
    """Return the mean share of outsiders among the nearest, and among all other items."""
    n = points.shape[0]
    penalty = 0.5 * np.einsum("id,id->i", points, points) if measure == "euclidean" else np.zeros(n)
    near = everywhere = 0
    rows = max(1, _BLOCK_FLOATS // n)
    for start in range(0, n, rows):
        block = slice(start, min(start + rows, n))
        nearest = _nearest(points, penalty, block, n_neighbors)
        # How many groups each item of the block shares with each item.
        shared = (members[block] @ members.T).toarray()
        outside = np.take_along_axis(shared, nearest, axis=1) == 0
        near += int(outside.sum())
        everywhere += int((shared == 0).sum())  # an item shares a group with itself
    return near / (n * n_neighbors), everywhere / (n * (n - 1))


def _nearest(points: Floats, penalty: Floats, block: slice, n_neighbors: int) -> NDArray[np.int32]:
    """Return int32[rows, n_neighbors]: the items of largest product less `penalty`, without the row's own item."""
    closeness = (points[block] @ points.T - penalty).astype(np.float32)
    n_rows = closeness.shape[0]
    score = np.empty((n_rows, n_neighbors), np.float32)
    nearest = np.empty((n_rows, n_neighbors), np.int32)
    own = np.arange(block.start, block.stop, dtype=np.int32)
    everybody = np.zeros(points.shape[0], np.bool_)
    select_rows(closeness, everybody, np.arange(n_rows + 1), own, score, nearest, np.empty(n_rows, np.int64))
    return nearest


def _checked_vectors(vectors: ArrayLike, measure: Nearness) -> Floats:
    points = np.asarray(vectors, np.float64)
    if points.ndim != 2:
        raise ParameterError(f"vectors must have shape [n_items, d], got {points.shape}")
    if not np.isfinite(points).all():
        row = np.flatnonzero(~np.isfinite(points).all(axis=1))[0]
        raise ParameterError(f"the vector of item {row} holds NaN or infinity")
    # No product then leaves float32, and neither order nor angles change.
    largest = np.abs(points).max(initial=0.0)
    points = points / largest if largest > 0 else points
    if measure != "cosine":
        return points
    norm = np.linalg.norm(points, axis=1, keepdims=True)
    unit: Floats = points / np.where(norm > 0, norm, 1.0)
    return unit


def _members(groups: Any, n_items: int) -> sparse.csr_array:
    """Return who is of which group, CSR [n_items, n_groups] of ones."""
    table: Any = groups if sparse.issparse(groups) else np.asarray(groups)
    if table.shape[:1] != (n_items,) or table.ndim not in (1, 2):
        raise ParameterError(f"groups must have one row for each of {n_items} vectors, got {table.shape}")
    if table.ndim == 1:
        return _one_group_each(table)
    members = sparse.csr_array(table)
    members.eliminate_zeros()
    if not (members.data == 1).all():
        raise ParameterError("a table of groups holds 0 and 1 alone")
    return members.astype(np.int32)


def _one_group_each(labels: NDArray[Any]) -> sparse.csr_array:
    if labels.dtype.kind not in "iu":
        raise ParameterError(f"labels of groups must be whole numbers, got {labels.dtype}")
    has = labels >= 0
    names, column = np.unique(labels[has], return_inverse=True)
    ptr = np.concatenate([[0], np.cumsum(has)])
    return sparse.csr_array((np.ones(column.size, np.int32), column, ptr), (labels.size, names.size))
