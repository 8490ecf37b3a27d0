"""FlatParameters: all parameters of a net in one buffer, so that an optimiser's step is one operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

# Each parameter begins at a multiple of this many numbers: 64 bytes of float32, a line of the cache.
ALIGNMENT = 16


class FlatParameters:
    """Named tensors that lie one after the other in `flat`, and their gradients likewise in `gradient`.

    `parameters["w"]` is a leaf tensor that requires a gradient; its values are a part of `flat` [n], and a backward
    pass adds to its part of `gradient` [n]. Between two parameters there may be zeros, which nothing reads.

    - arrays: the first values by name, all of one dtype (float32, or float64 for a check of gradients); copied
    - device: where the tensors live; the processor where None

    Raises `ParameterError` for no arrays, or several dtypes.
    """

    flat: torch.nn.Parameter
    gradient: torch.Tensor
    n_parameters: int

    def __init__(
        self, arrays: Mapping[str, NDArray[np.floating[Any]]], device: torch.device | None = None
    ) -> None:
        kinds = {array.dtype for array in arrays.values()}
        if len(kinds) != 1:
            raise ParameterError(
                f"the parameters of a net must be of one dtype, got {sorted(map(str, kinds))}"
            )
        sizes = [-(-array.size // ALIGNMENT) * ALIGNMENT for array in arrays.values()]
        ends = np.cumsum(sizes, dtype=np.int64).tolist()
        values = np.zeros(ends[-1], kinds.pop())
        for end, size, array in zip(ends, sizes, arrays.values(), strict=True):
            values[end - size : end - size + array.size] = array.ravel()
        self.n_parameters = sum(array.size for array in arrays.values())
        self.flat = torch.nn.Parameter(torch.from_numpy(values).to(device or torch.device("cpu")))
        self.gradient = torch.zeros_like(self.flat, requires_grad=False)
        self.flat.grad = self.gradient
        self._of = {
            name: self._leaf(end - size, array.shape)
            for (name, array), end, size in zip(arrays.items(), ends, sizes, strict=True)
        }

    def _leaf(self, start: int, shape: tuple[int, ...]) -> torch.Tensor:
        part = slice(start, start + int(np.prod(shape, dtype=np.int64)))
        leaf = self.flat.detach()[part].view(shape).requires_grad_()
        leaf.grad = self.gradient[part].view(shape)
        return leaf

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._of[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of)

    @property
    def device(self) -> torch.device:
        """Return where the tensors live."""
        return self.flat.device

    def gradient_of(self, name: str) -> torch.Tensor:
        """Return the part of `gradient` that belongs to the parameter, in its shape; writing to it is meant."""
        gradient = self._of[name].grad
        assert gradient is not None  # given when the parameter was made
        return gradient

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the parameters as NumPy arrays, by name."""
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in self._of.items()}

    def copy_to(self, state: torch.Tensor) -> None:
        """Write all parameters to `state` [n], a tensor like `flat`."""
        state.copy_(self.flat.detach())

    def copy_from(self, state: torch.Tensor) -> None:
        """Set all parameters to what `copy_to` wrote."""
        self.flat.detach().copy_(state)
