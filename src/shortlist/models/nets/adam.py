"""Adam over one flat buffer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from shortlist.models.nets.flat_parameters import FlatParameters

DECAY, SQUARE_DECAY, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Moves all parameters of a net down their gradient: Kingma and Ba 2015, algorithm 1, as `torch.optim.Adam` has it.

    Six operations over the buffer a step, in place. The optimiser of PyTorch takes the same steps, but its first one
    loads PyTorch's compiler, which costs seconds.
    """

    def __init__(self, parameters: FlatParameters, learning_rate: float) -> None:
        self._values, self._gradient = parameters.flat.detach(), parameters.gradient
        self._rate, self._steps = learning_rate, 0
        self._mean, self._square, self._scale = (torch.zeros_like(self._values) for _ in range(3))

    def step(self, share: float = 1.0) -> None:
        """Take one step down the gradient that the parameters hold, at this share of the learning rate."""
        self._steps += 1
        # x −= rate · m̂ / (√v̂ + ε), the corrections of m and v drawn together into the rate and ε.
        spread = math.sqrt(1 - SQUARE_DECAY**self._steps)
        rate = share * self._rate * spread / (1 - DECAY**self._steps)
        self._mean.lerp_(self._gradient, 1 - DECAY)
        self._square.mul_(SQUARE_DECAY).addcmul_(self._gradient, self._gradient, value=1 - SQUARE_DECAY)
        torch.sqrt(self._square, out=self._scale)
        self._values.addcdiv_(self._mean, self._scale.add_(EPSILON * spread), value=-rate)
