"""The two networks of a two-tower model as one: their hidden layers are of the same sizes, so both go in one product.

| symbol | meaning |
|---|---|
| x | [2, b, n_in] what enters: users at 0, items at 1, the narrower side filled up with zeros |
| z_l | [2, b, n_l] of layer l: x W_l + b_l, cut at 0 but for the last layer |
| h | the last z; unit = h / ‖h‖, the vectors |

Derivatives are written out by hand into buffers that are made once: an automatic graph costs more than the products
where batches are small. Weights on inputs that the narrower side does not have meet zeros only and stay zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from shortlist.models.tower_parts import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from shortlist.models.nets.flat_parameters import FlatParameters


def random_layers(
    n_inputs: Sequence[int], layers: Sequence[int], rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Return first weights float32[2, n_in, n_out] and biases float32[2, 1, n_out] of each layer, by name.

    n_inputs: of users and of items. Weights are uniform in ±√(6 / (n_in + n_out)) (Glorot and Bengio 2010, (16)), with
    the n_in of their own side, biases 0.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    widths = [tuple(n_inputs), *((size, size) for size in layers)]
    for at, (own, n_out) in enumerate(zip(widths, layers, strict=False)):
        weights = np.zeros((2, max(own), n_out), np.float32)
        for side, n_in in enumerate(own):
            limit = np.sqrt(6 / (n_in + n_out))
            weights[side, :n_in] = rng.uniform(-limit, limit, (n_in, n_out))
        arrays[f"weights_{at}"] = weights
        arrays[f"biases_{at}"] = np.zeros((2, 1, n_out), np.float32)
    return arrays


class Towers:
    """Both networks over `parameters`, which have the names of `random_layers`; forward, and by hand backward."""

    def __init__(self, parameters: FlatParameters, n_layers: int) -> None:
        names = [f"weights_{at}" for at in range(n_layers)], [f"biases_{at}" for at in range(n_layers)]
        self.weights, self.biases = ([parameters[name].detach() for name in some] for some in names)
        self.weight_slopes, self.bias_slopes = (
            [parameters.gradient_of(name) for name in some] for some in names
        )
        self.turned = [weights.transpose(1, 2) for weights in self.weights]
        self._passes: dict[int, Pass] = {}

    def of(self, n_rows: int) -> Pass:
        """Return the buffers for a batch of `n_rows`; its `x` is zeros at first, and kept as the caller leaves it."""
        if n_rows not in self._passes:
            self._passes[n_rows] = Pass(self, n_rows)
        return self._passes[n_rows]


class Pass:
    """A batch on its way through the towers and back. `x` [2, b, n_in] is for the caller to fill."""

    def __init__(self, towers: Towers, n_rows: int) -> None:
        self.towers = towers
        like = towers.weights[0]
        widths = [weights.shape[2] for weights in towers.weights]
        self.x = like.new_zeros(2, n_rows, like.shape[1])
        self.outs = [like.new_zeros(2, n_rows, width) for width in widths]
        self.slopes = [torch.zeros_like(out) for out in self.outs]
        self.signs = [torch.zeros_like(out) for out in self.outs[:-1]]
        self.x_slope = torch.zeros_like(self.x)
        self.unit, self.along = torch.zeros_like(self.outs[-1]), torch.zeros_like(self.outs[-1])
        self.length, self.share = (like.new_zeros(2, n_rows, 1) for _ in range(2))
        self.of_side = self.x[0], self.x[1]
        self.entering = [self.x, *self.outs[:-1]]
        self.turned = [some.transpose(1, 2) for some in self.entering]

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the vectors of users and of items [b, d], of length 1, which the next pass overwrites."""
        towers, last = self.towers, len(self.outs) - 1
        for at, out in enumerate(self.outs):
            torch.baddbmm(towers.biases[at], self.entering[at], towers.weights[at], out=out)
            if at < last:
                torch.relu_(out)
        torch.linalg.vector_norm(self.outs[-1], dim=2, keepdim=True, out=self.length)
        torch.reciprocal(self.length, out=self.length)
        # What is too short for a direction becomes 0, and no slope goes through it.
        self.length.masked_fill_(self.length > 1 / SHORTEST, 0)
        torch.mul(self.outs[-1], self.length, out=self.unit)
        return self.unit[0], self.unit[1]

    def backward(self, *, to_inputs: bool) -> None:
        """Write the slopes of all weights and biases, from those of the vectors in `slopes[-1]` [2, b, d].

        to_inputs: leave those of `x` in `x_slope` as well.
        """
        self._through_length()
        towers = self.towers
        for at in range(len(self.outs) - 1, -1, -1):
            slope = self.slopes[at]
            torch.bmm(self.turned[at], slope, out=towers.weight_slopes[at])
            torch.sum(slope, 1, keepdim=True, out=towers.bias_slopes[at])
            if at > 0:
                before = torch.bmm(slope, towers.turned[at], out=self.slopes[at - 1])
                before.mul_(torch.sign(self.outs[at - 1], out=self.signs[at - 1]))
            elif to_inputs:
                torch.bmm(slope, towers.turned[0], out=self.x_slope)

    def _through_length(self) -> None:
        """Turn the slope s of h / ‖h‖ into that of h: (s − unit (unit · s)) / ‖h‖."""
        slope = self.slopes[-1]
        torch.mul(self.unit, slope, out=self.along)
        torch.sum(self.along, 2, keepdim=True, out=self.share)
        slope.addcmul_(self.unit, self.share, value=-1).mul_(self.length)


def split_layers(
    arrays: dict[str, NDArray[Any]], n_inputs: Sequence[int], n_layers: int
) -> list[tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]]:
    """Return weights float32[n_in, n_out] and biases float32[n_out] of each layer, of users and of items."""
    sides = []
    for side, n_in in enumerate(n_inputs):
        weights = [np.ascontiguousarray(arrays[f"weights_{at}"][side], np.float32) for at in range(n_layers)]
        weights[0] = np.ascontiguousarray(weights[0][:n_in])
        biases = [np.ascontiguousarray(arrays[f"biases_{at}"][side, 0], np.float32) for at in range(n_layers)]
        sides.append((weights, biases))
    return sides
