"""GrownTrees: trees that LightGBM grew, as arrays: asked, explained and saved without it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from shortlist import threads
from shortlist.artifacts import State
from shortlist.errors import ArtifactError
from shortlist.kernels.trees import Trees, tree_scores, tree_shares
from shortlist.stages import offsets

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# LightGBM's `decision_type`: a bit for splits by category, one for where what is missing goes, two for what that is.
_BY_CATEGORY, _MISSING_LEFT, _MISSING = 1, 2, 2
# Rows a call of the kernels: trees pass through the cache once for each.
_BLOCK_ROWS = 512


class GrownTrees:
    """Regression trees with numerical splits; the score of a row is the sum of its leaves, the first tree first."""

    def __init__(self, trees: Trees) -> None:
        self.arrays = trees

    def __len__(self) -> int:
        return self.arrays.root.size

    @classmethod
    def none(cls) -> Self:
        """Return no trees."""
        return cls.of_text("")

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return the trees of LightGBM's text of a model, which states every number exactly.

        Raises `ArtifactError` for trees that split by categories or have a model at their leaves.
        """
        grown = [_fields(part) for part in text.split("\nTree=")[1:]]
        for tree in grown:
            if tree.get("num_cat", "0") != "0" or tree.get("is_linear", "0") != "0":
                raise ArtifactError("these trees have splits by category, or a linear model at their leaves")
        value = _joined(grown, "leaf_value", np.float64)
        kinds = _joined(grown, "decision_type", np.int64)
        left, right, root = _children(grown)
        return cls(
            Trees(
                root,
                _joined(grown, "split_feature", np.int32),
                _joined(grown, "threshold", np.float64),
                left,
                right,
                (kinds >> _MISSING & 3).astype(np.int8),
                kinds & _MISSING_LEFT > 0,
                _joined(grown, "internal_count", np.float64),
                value,
                _leaf_rows(grown, value.size),
            )
        )

    def scores(self, rows: NDArray[np.float32]) -> Floats:
        """Return float64[m], bit for bit what LightGBM gives to `rows` float32[m, F]; NaN is what is missing."""
        rows = np.ascontiguousarray(rows, np.float32)
        out = np.zeros(rows.shape[0])
        if len(self):
            threads.run_blocks(
                lambda start, stop: tree_scores(self.arrays, rows, out, start, stop), *_blocks(rows)
            )
        return out

    def shares(self, rows: NDArray[np.float32], player: NDArray[np.int32], n_players: int) -> Floats:
        """Return float64[m, n_players]: Shapley values, whose sum is `scores` less `base`.

        `player` int32[F] says whose each feature is. With a player for each feature these are LightGBM's own SHAP
        values. Cost: O(leaves · depth²) a row and tree.
        """
        rows = np.ascontiguousarray(rows, np.float32)
        out = np.zeros((rows.shape[0], n_players))
        if len(self):
            fixed = self.arrays, self._depth, np.ascontiguousarray(player, np.int32), rows, out
            threads.run_blocks(lambda start, stop: tree_shares(*fixed, start, stop), rows.shape[0])
        return out

    @cached_property
    def base(self) -> float:
        """Return the mean score of the training rows: what is expected of a row of which nothing is known."""
        total = self.arrays.leaf_rows * self.arrays.value
        at = self._leaf_tree
        rows = np.bincount(at, self.arrays.leaf_rows, len(self))
        return float(np.sum(np.bincount(at, total, len(self)) / np.maximum(rows, 1)))

    @cached_property
    def n_splits(self) -> NDArray[np.int64]:
        """Return int64[F]: how many splits go by each feature, up to the last that any does."""
        return np.bincount(self.arrays.feature)

    @cached_property
    def _below(self) -> list[Any]:
        return [self.arrays.left.tolist(), self.arrays.right.tolist()]

    @cached_property
    def _depth(self) -> int:
        """Return the largest number of splits on the way to a leaf."""
        deepest, here = 0, [node for node in self.arrays.root.tolist() if node >= 0]
        while here:
            deepest += 1
            here = [side[node] for node in here for side in self._below if side[node] >= 0]
        return deepest

    @cached_property
    def _leaf_tree(self) -> NDArray[np.int64]:
        """Return int64[n_leaves]: the tree of each leaf."""
        nodes = self.arrays.root.astype(np.int64)
        starts = np.append(nodes[nodes >= 0], self.arrays.feature.size)
        n_leaves = np.ones(len(self), np.int64)
        n_leaves[nodes >= 0] = np.diff(starts) + 1
        return np.repeat(np.arange(len(self)), n_leaves)

    def to_state(self) -> State:
        """Return the arrays."""
        return State(
            "GrownTrees", {}, {f"tree_{name}": array for name, array in self.arrays._asdict().items()}
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return what `to_state` described."""
        return cls(Trees(**{name.removeprefix("tree_"): array for name, array in state.arrays.items()}))


def _fields(tree: str) -> dict[str, str]:
    lines = (line.partition("=") for line in tree.split("\n\n", maxsplit=1)[0].splitlines())
    return {key: value for key, _, value in lines}


def _numbers(tree: dict[str, str], name: str, dtype: Any) -> NDArray[Any]:
    convert: Callable[[str], Any] = float if dtype is np.float64 else int
    return np.array([convert(text) for text in tree.get(name, "").split()], dtype)


def _joined(grown: list[dict[str, str]], name: str, dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *(_numbers(tree, name, dtype) for tree in grown)])


def _children(
    grown: list[dict[str, str]],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return left, right and root, numbered over all trees: LightGBM counts nodes and leaves anew in each."""
    n_leaves = np.array([int(tree["num_leaves"]) for tree in grown], np.int64)
    leaf, node = offsets(n_leaves), offsets(n_leaves - 1)
    sides = []
    for name in ("left_child", "right_child"):
        child, at = _joined(grown, name, np.int64), np.repeat(np.arange(len(grown)), n_leaves - 1)
        sides.append(np.where(child >= 0, child + node[at], child - leaf[at]).astype(np.int32))
    root = np.where(n_leaves > 1, node[:-1], ~leaf[:-1]).astype(np.int32)
    return sides[0], sides[1], root


def _leaf_rows(grown: list[dict[str, str]], n: int) -> Floats:
    """Return float64[n]: rows in each leaf; 1 for the only leaf of a tree, of which LightGBM says nothing."""
    parts = [_numbers(tree, "leaf_count", np.float64) for tree in grown]
    parts = [part if part.size else np.ones(1) for part in parts]
    rows = np.concatenate([np.zeros(0), *parts])
    assert rows.size == n
    at_least_one: Floats = np.maximum(rows, 1)
    return at_least_one


def _blocks(rows: NDArray[np.float32]) -> tuple[int, int]:
    return rows.shape[0], _BLOCK_ROWS
