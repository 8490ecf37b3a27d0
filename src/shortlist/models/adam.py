"""Adam for a few NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


class Adam:
    """Adam over a fixed list of float arrays, which `step` changes in place.

    Kingma and Ba 2015, in the form of the note that ends their section 2, which TensorFlow and Keras use:
    `step_t = learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t)` and `x -= step_t * m / (sqrt(v) + epsilon)`.
    `epsilon` (1e-7 by default, as in Keras) is thus the paper's epsilon-hat and stands beside the *uncorrected*
    `sqrt(v)`; PyTorch corrects `v` first, which gives other steps where gradients are as small as epsilon.
    """

    def __init__(
        self, learning_rate: float, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-7
    ) -> None:
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self._t = 0
        self._moments: list[tuple[Floats, Floats]] = []

    def step(self, arrays: Sequence[Floats], gradients: Sequence[Floats]) -> None:
        """Move each of `arrays` one step down its gradient; the same arrays, in the same order, every time."""
        if not self._moments:
            self._moments = [(np.zeros_like(a), np.zeros_like(a)) for a in arrays]
        self._t += 1
        rate = self.learning_rate * np.sqrt(1 - self.beta2**self._t) / (1 - self.beta1**self._t)
        for x, g, (m, v) in zip(arrays, gradients, self._moments, strict=True):
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (np.square(g) - v)
            x -= rate * m / (np.sqrt(v) + self.epsilon)
