"""What a fitted DeepFM is: its parameters, and the rows and scores that they make of encoded users and items.

Every quantity that the score needs of a user, of an item and of the context is a sum over columns up to and including
the first layer, which is linear in the concatenated embeddings. So each side is a row of its own, made once, and a pair
costs an addition and the layers after the first (`kernels.deep_fm` has the layout).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from shortlist import threads
from shortlist.kernels.deep_fm import score_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from scipy import sparse

    Floats = NDArray[np.float32]

# Pairs that a thread takes at a time.
_BLOCK_PAIRS = 1 << 12


def deep_size(n_fields: int, dim: int, layers: Sequence[int]) -> int:
    """Return how many numbers the deep part has: of each layer W and b, and the output's w without a bias.

    >>> deep_size(3, 4, (5, 2))  # 12·5 + 5 + 5·2 + 2 + 2
    79
    """
    sizes = [n_fields * dim, *layers]
    inner = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    return inner + layers[-1] if layers else 0


@dataclass(frozen=True, eq=False)
class DeepFMParameters:
    """The parameters of the net, as `nets.deep_fm_net` has trained them.

    - embeddings float32[n_columns, dim] v, weights float32[n_columns] w, bias w₀
    - deep float32[deep_size]: W₁ [n_fields · dim, n_1], b₁, W₂, b₂, …, w, each in C order
    - field_of int64[n_columns]: the field of each column; n_fields; layers: units of each
    """

    embeddings: Floats
    weights: Floats
    bias: float
    deep: Floats
    field_of: NDArray[np.int64]
    n_fields: int
    layers: tuple[int, ...]

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""
        return int(self.embeddings.shape[1])

    @property
    def n_first(self) -> int:
        """Return the units of the first layer, 0 without a deep part."""
        return self.layers[0] if self.layers else 0

    @property
    def width(self) -> int:
        """Return the length of a row of a side."""
        return self.n_first + self.dim + 2

    @cached_property
    def first_layer(self) -> Floats:
        """Return float32[n_fields, dim, n_first]: W₁, field by field."""
        n = self.n_fields * self.dim * self.n_first
        return self.deep[:n].reshape(self.n_fields, self.dim, self.n_first)

    @cached_property
    def later_layers(self) -> tuple[tuple[Floats, Floats], ...]:
        """Return W [n_in, n_out] and b [n_out] of each layer after the first."""
        found, at = [], (self.n_fields * self.dim + 1) * self.n_first
        for n_in, n_out in pairwise(self.layers):
            weights = self.deep[at : at + n_in * n_out].reshape(n_in, n_out)
            at += (n_in + 1) * n_out
            found.append((weights, self.deep[at - n_out : at]))
        return tuple(found)

    @property
    def output(self) -> Floats:
        """Return float32[n_last]: what makes a score of the last layer; empty without a deep part."""
        return self.deep[self.deep.size - self.layers[-1] :] if self.layers else self.deep[:0]

    @cached_property
    def of_columns(self) -> Floats:
        """Return float32[n_columns, n_first + dim + 1]: what a 1 in each column adds to a, s and l of a row."""
        n_first, dim = self.n_first, self.dim
        table = np.empty((self.embeddings.shape[0], self.width - 1), np.float32)
        table[:, n_first : n_first + dim] = self.embeddings
        table[:, -1] = self.weights
        with threads.single_blas():
            for field in range(self.n_fields):
                of_field = self.field_of == field
                table[of_field, :n_first] = self.embeddings[of_field] @ self.first_layer[field]
        return table

    @cached_property
    def constant(self) -> Floats:
        """Return float32[width]: what belongs to no column, b₁ and w₀."""
        constant = np.zeros(self.width, np.float32)
        at = self.n_fields * self.dim * self.n_first
        constant[: self.n_first] = self.deep[at : at + self.n_first]
        constant[-2] = self.bias
        return constant

    def sides(self, rows: sparse.csr_array) -> Floats:
        """Return float32[n, width]: the row of each of encoded `rows` float32 CSR [n, n_columns]; zeros for nothing.

        Each is summed by itself, in the order of its columns. Cost: O(nnz · width).
        """
        norms = np.einsum("cf,cf->c", self.embeddings, self.embeddings)
        squared = rows.copy()
        squared.data = rows.data**2
        out = np.empty((rows.shape[0], self.width), np.float32)
        out[:, :-1] = rows @ self.of_columns
        out[:, -1] = squared @ norms
        return out

    def mean_side(self, columns: NDArray[np.int64]) -> Floats:
        """Return float32[width]: the row of one column that has the mean embedding and weight of `columns`.

        They are of one field. Zeros where there are none.
        """
        if not columns.size:
            return np.zeros(self.width, np.float32)
        mean = self.of_columns[columns].mean(axis=0, dtype=np.float64)
        v = mean[self.n_first : self.n_first + self.dim]
        return np.append(mean, v @ v).astype(np.float32)

    def scores(
        self, left: Floats, right: Floats, row: NDArray[np.int64], column: NDArray[np.int32]
    ) -> Floats:
        """Return float32[m]: the score of each pair left[row[p]] + right[column[p]] of rows float32[…, width].

        The constant must be in one of the two. Runs on all threads; the order of the sums is that of the pair alone.
        """
        out = np.empty(row.size, np.float32)
        sizes = np.array(self.layers, np.int64)
        at = (self.n_fields * self.dim + 1) * self.n_first
        rest = np.ascontiguousarray(self.deep[at:])

        def block(start: int, stop: int) -> None:
            score_pairs(left, right, row, column, self.dim, sizes, rest, start, stop, out)

        threads.run_blocks(block, row.size, _BLOCK_PAIRS)
        return out


def first_values(
    n_columns: int,
    n_fields: int,
    dim: int,
    layers: Sequence[int],
    init_std: float,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return the parameters that a training begins at: w and biases 0, v normal, layers as He et al. 2015 say."""
    table = np.zeros((n_columns, dim + 1), np.float32)
    table[:, :dim] = init_std * rng.standard_normal((n_columns, dim), np.float32)
    values = {"table": table, "bias": np.zeros(1, np.float32)}
    for layer, (n_in, n_out) in enumerate(pairwise([n_fields * dim, *layers]), 1):
        weights = rng.standard_normal((n_in, n_out), np.float32) * np.float32(np.sqrt(2 / n_in))
        values |= {f"weights {layer}": weights, f"biases {layer}": np.zeros(n_out, np.float32)}
    if layers:
        output = rng.standard_normal(layers[-1], np.float32) / np.float32(np.sqrt(layers[-1]))
        values["output"] = output
    return values


def deep_part(values: Mapping[str, Floats]) -> Floats:
    """Return the layers in one float32 array, as `DeepFMParameters.deep` has them."""
    names = [name for name in values if name not in ("table", "bias")]
    return np.concatenate([values[name].ravel() for name in names] or [np.zeros(0, np.float32)])


def take_deep_part(values: Mapping[str, Floats], deep: Floats) -> None:
    """Set the layers among `values` to what `deep_part` made of those of another net of the same sizes."""
    at = 0
    for name, value in values.items():
        if name not in ("table", "bias"):
            value[...] = deep[at : at + value.size].reshape(value.shape)
            at += value.size
